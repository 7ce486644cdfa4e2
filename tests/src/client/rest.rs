//! REST: requests with a token, replies that know how to complain.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use crate::bars::{self, Bar};

/// How long one request may take.
const REQUEST_DEADLINE: Duration = Duration::from_secs(45);

/// How long a condition may take to become true.
const CONDITION_DEADLINE: Duration = Duration::from_secs(60);

/// A client of one server with one token, or with none.
#[derive(Clone)]
pub struct Rest {
    http: Client,
    base: String,
    token: Option<String>,
}

impl Rest {
    /// A client of the server at `base`.
    pub fn new(base: &str, token: Option<String>) -> Result<Self> {
        let http = http()?;
        Ok(Self {
            http,
            base: base.to_owned(),
            token,
        })
    }

    /// A request to `path`, which starts at the root (`/api/v1/…`).
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Result<Reply> {
        send(self.request(Method::GET, path)).await
    }

    /// `POST path` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Reply> {
        self.post_text(path, body.to_string()).await
    }

    /// `POST path` with a body that calls itself JSON.
    pub async fn post_text(&self, path: &str, body: String) -> Result<Reply> {
        let request = self.request(Method::POST, path);
        send(
            request
                .header("content-type", "application/json")
                .body(body),
        )
        .await
    }

    /// `PUT /symbols/{symbol}/bars{query}` with a CSV body.
    pub async fn put_csv(&self, symbol: &str, query: &str, body: String) -> Result<Reply> {
        self.put(symbol, query, "text/csv", body).await
    }

    /// `PUT /symbols/{symbol}/bars{query}` with `bars`.
    pub async fn put_bars(&self, symbol: &str, query: &str, bars: &[Bar]) -> Result<Reply> {
        self.put_csv(symbol, query, bars::csv(bars)).await
    }

    /// `PUT /symbols/{symbol}/bars{query}` with any body.
    pub async fn put(&self, symbol: &str, query: &str, kind: &str, body: String) -> Result<Reply> {
        let path = format!("/api/v1/symbols/{symbol}/bars{query}");
        send(
            self.request(Method::PUT, &path)
                .header("content-type", kind)
                .body(body),
        )
        .await
    }

    /// Asks `path` until `done` holds for the reply: a wait on a condition of the server.
    pub async fn poll(
        &self,
        what: &str,
        path: &str,
        done: impl Fn(&Reply) -> bool,
    ) -> Result<Reply> {
        let deadline = tokio::time::Instant::now() + CONDITION_DEADLINE;
        loop {
            let reply = self.get(path).await?;
            if done(&reply) {
                return Ok(reply);
            }
            ensure!(
                tokio::time::Instant::now() < deadline,
                "expected GET {path} to show {what} within {CONDITION_DEADLINE:?}, last came {reply}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The HTTP client of all of them: one pool of connections.
pub fn http() -> Result<Client> {
    static HTTP: OnceLock<Client> = OnceLock::new();
    if let Some(client) = HTTP.get() {
        return Ok(client.clone());
    }
    // The harness's command line speaks TLS, so in a build of both reqwest wants a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(REQUEST_DEADLINE)
        .build()
        .context("an HTTP client")?;
    Ok(HTTP.get_or_init(|| client).clone())
}

/// Sends a request and reads the whole reply.
pub async fn send(request: RequestBuilder) -> Result<Reply> {
    let (client, request) = request.build_split();
    let request = request.context("a request")?;
    let what = format!("{} {}", request.method(), request.url().path());
    let reply = client
        .execute(request)
        .await
        .with_context(|| format!("{what}: no answer"))?;
    let status = reply.status().as_u16();
    let headers = reply.headers().clone();
    let body = reply
        .text()
        .await
        .with_context(|| format!("{what}: the body broke off"))?;
    Ok(Reply {
        what,
        status,
        headers,
        body,
    })
}

/// A whole reply.
#[derive(Debug, Clone)]
pub struct Reply {
    what: String,
    /// The status.
    pub status: u16,
    headers: reqwest::header::HeaderMap,
    /// The body.
    pub body: String,
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short: String = self.body.chars().take(400).collect();
        write!(f, "{} -> {} {short}", self.what, self.status)
    }
}

impl Reply {
    /// A header's text, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("expected JSON, got {self}"))
    }

    /// The JSON of a 200.
    pub fn ok(&self) -> Result<Value> {
        ensure!(self.status == 200, "expected 200, got {self}");
        ensure!(
            self.header("content-type").starts_with("application/json"),
            "expected application/json, got {:?} from {self}",
            self.header("content-type")
        );
        self.json()
    }

    /// A problem of any kind with this status.
    pub fn any_problem(&self, status: u16) -> Result<Value> {
        ensure!(self.status == status, "expected {status}, got {self}");
        let kind = self.header("content-type");
        ensure!(
            kind.starts_with("application/problem+json"),
            "expected application/problem+json, got {kind:?} from {self}"
        );
        let problem = self.json()?;
        ensure!(
            problem["status"] == status,
            "expected the member status {status}, got {self}"
        );
        for field in ["type", "title", "detail"] {
            ensure!(
                problem[field].as_str().is_some_and(|text| !text.is_empty()),
                "expected a text in the member {field}, got {self}"
            );
        }
        ensure!(
            problem["type"]
                .as_str()
                .is_some_and(|slug| slug.starts_with("/problems/")),
            "expected a type /problems/…, got {self}"
        );
        Ok(problem)
    }

    /// The problem `slug` with this status.
    pub fn problem(&self, status: u16, slug: &str) -> Result<Value> {
        let problem = self.any_problem(status)?;
        ensure!(
            problem["type"] == format!("/problems/{slug}"),
            "expected the type /problems/{slug}, got {self}"
        );
        Ok(problem)
    }

    /// The problem `invalid` (422) that points at `field`.
    pub fn invalid_at(&self, field: &str) -> Result<Value> {
        let problem = self.problem(422, "invalid")?;
        ensure!(
            problem["pointer"]
                .as_str()
                .is_some_and(|pointer| pointer.trim_start_matches(['#', '/']) == field),
            "expected a pointer at /{field}, got {self}"
        );
        Ok(problem)
    }
}
