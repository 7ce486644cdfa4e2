//! Requests of every kind, and what the API answers them.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use signalroom_core::api::{self, Body, Job, Line, Next, Request, Response, Step};
use signalroom_core::auth::{Claims, Role};
use signalroom_core::config::Config;
use signalroom_core::fetch::FetchError;
use signalroom_core::rate::Empty;
use signalroom_core::revocation::Remembered;
use signalroom_core::room::name::RoomName;

use crate::rooms::{self, Mood, NOW};

/// An operation of the document, with its references followed.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) parameters: Vec<Value>,
    pub(crate) body: bool,
    pub(crate) responses: BTreeMap<String, Value>,
}

pub(crate) fn operations(document: &Value) -> Vec<Operation> {
    let follow = |value: &Value| match value["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap().clone(),
        None => value.clone(),
    };
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let parameters = operation["parameters"].as_array();
            let responses = operation["responses"].as_object().unwrap();
            all.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                parameters: parameters.into_iter().flatten().map(follow).collect(),
                body: operation.get("requestBody").is_some(),
                responses: responses
                    .iter()
                    .map(|(status, response)| (status.clone(), follow(response)))
                    .collect(),
            });
        }
    }
    all
}

/// A request, written so that one thing can be changed.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) symbol: &'static str,
    pub(crate) query: String,
    pub(crate) role: Option<Role>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) local: bool,
    /// `None` for one that is too large.
    pub(crate) body: Option<String>,
}

pub(crate) fn config() -> Arc<Config> {
    let var = |name: &str| {
        let found = [
            ("JWT_SECRET", "0123456789abcdef0123456789abcdef"),
            ("WATCHLIST", "SPY"),
        ]
        .into_iter()
        .find(|(known, _)| *known == name);
        found.map(|(_, value)| value.to_owned())
    };
    Arc::new(Config::from_vars(var).unwrap())
}

/// What the API answers; an accepted socket is a 101 without headers.
pub(crate) fn answer(
    config: &Arc<Config>,
    operation: &Operation,
    asked: &Asked,
    mood: Mood,
) -> Response {
    let mut headers = HeaderMap::new();
    for (name, value) in &asked.headers {
        headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    if let Some(role) = asked.role {
        let claims = Claims {
            sub: "ann".into(),
            role,
            expires_at: NOW.plus(60_000),
            issued_at: Some(NOW),
        };
        let token = config.verifier.sign(&claims).unwrap();
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        headers.append("authorization", value);
    }
    let request = Request {
        method: operation.method.clone(),
        path: operation
            .path
            .replace("{symbol}", asked.symbol)
            .replace("{sub}", "ann"),
        query: asked.query.clone(),
        headers,
        peer: None,
        nonce: "0".repeat(32),
        secure: true,
        local: asked.local,
    };
    // An edge that remembers nothing of the requests before.
    let config = Arc::new(Config {
        revoked: Remembered::default(),
        ..Config::clone(config)
    });
    let mut next = api::begin(&config, request, NOW);
    loop {
        next = match next {
            Next::Reply(response) => return response,
            Next::Body { then, .. } => {
                let body = asked
                    .body
                    .clone()
                    .map(|text| Body::Complete(text.into_bytes()));
                then(body.unwrap_or(Body::TooLarge), NOW)
            }
            Next::Call { calls, then } => {
                let replies = calls
                    .iter()
                    .map(|(room, call)| rooms::reply(call, mood, *room == RoomName::Feed))
                    .collect();
                then(replies, NOW)
            }
            Next::Work { jobs, then } => {
                let lines = jobs.into_iter().map(|job| work(job, mood)).collect();
                then(lines, NOW)
            }
            Next::Keys { then, .. } => then(NOW),
            Next::Limit { then, .. } => {
                let taken = match mood {
                    Mood::Busy => Err(Empty { wait: 1 }),
                    _ => Ok(()),
                };
                then(taken, NOW)
            }
            Next::Upgrade { .. } => {
                return Response {
                    status: 101,
                    headers: Vec::new(),
                    body: String::new(),
                };
            }
            Next::Static => panic!("{} is no route", operation.path),
        };
    }
}

fn work(job: Job, mood: Mood) -> Line {
    let mut step = job(NOW);
    loop {
        step = match step {
            Step::Done(line) => return line,
            Step::Fetch { then, .. } => then(Err(FetchError::Unreachable), NOW),
            Step::Call { call, then, .. } => then(rooms::reply(&call, mood, false), NOW),
        };
    }
}

/// The good request, and those that differ from it in one thing.
pub(crate) fn requests(operation: &Operation) -> Vec<Asked> {
    let body = match operation.path.as_str() {
        path if path.ends_with("/symbols") => r#"{"symbols":["QQQ"]}"#,
        path if path.ends_with("/approve") => r#"{"status":"BUY","note":null}"#,
        path if path.ends_with("/bars") => {
            "date,open,high,low,close,volume\n2026-01-02,1,2,1,2,0\n2026-01-05,1,2,1,oh,0\n"
        }
        _ => "",
    };
    let good = Asked {
        symbol: "QQQ",
        query: String::new(),
        role: Some(Role::Admin),
        headers: vec![("upgrade", "websocket".to_owned())],
        local: true,
        body: Some(body.to_owned()),
    };
    let with_header = |name: &'static str, value: &str| {
        let mut asked = good.clone();
        asked.headers.retain(|(known, _)| *known != name);
        asked.headers.push((name, value.to_owned()));
        asked
    };
    let with_body = |body: Option<&str>| Asked {
        body: body.map(str::to_owned),
        ..good.clone()
    };
    let with_query = |query: String| Asked {
        query,
        ..good.clone()
    };
    let mut all = vec![
        good.clone(),
        Asked {
            role: None,
            ..good.clone()
        },
        Asked {
            role: Some(Role::Viewer),
            ..good.clone()
        },
        Asked {
            symbol: "SPY",
            ..good.clone()
        },
        Asked {
            symbol: "%20",
            ..good.clone()
        },
        Asked {
            local: false,
            ..good.clone()
        },
        with_header("upgrade", "h2c"),
        with_header("origin", "https://evil.example"),
        with_header("accept", "text/csv"),
        with_header("if-none-match", &format!("W/{}", rooms::ETAG)),
        with_header("content-encoding", "gzip"),
        with_header("x-long", &"x".repeat(40_000)),
        with_query("x".repeat(10_000)),
        with_query("compute=now".into()),
        with_query("symbol=QQQ".into()),
        with_query("room=symbol/QQQ&format=jsonl".into()),
        with_body(None),
        with_body(Some("{")),
        with_body(Some("7")),
        with_body(Some(r#"{"status":"HOLD","cron":7,"bars":7,"symbols":7}"#)),
    ];
    let named = operation
        .parameters
        .iter()
        .filter(|one| one["in"] == "query");
    all.extend(named.map(|one| with_query(format!("{}=%00", one["name"].as_str().unwrap()))));
    all
}
