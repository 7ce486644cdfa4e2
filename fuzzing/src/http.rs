//! Whole requests.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use signalroom_core::api::{self, Body, Next, Response};
use signalroom_core::auth::{Claims, Role};
use signalroom_core::config::Config;
use signalroom_core::room::call::{Call, Reply};

use crate::decoders::{NOW, SECRET, verifier};

/// The first line is `METHOD path?query`, then headers up to an empty line, then the body. The
/// header `as: ROLE` stands for a good token.
pub(crate) fn request(data: &[u8]) {
    let split = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = split.map_or((data, &[][..]), |at| (&data[..at], &data[at + 2..]));
    let Some(head) = std::str::from_utf8(head).ok() else {
        return;
    };
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let (method, target) = first.split_once(' ').unwrap_or(("GET", first));
    let Ok(method) = Method::from_bytes(method.as_bytes()) else {
        return;
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let asked = api::Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers(lines),
        peer: None,
        nonce: "0".repeat(32),
        secure: query.is_empty(),
        local: path.len() % 2 == 0,
    };
    let vars = |name: &str| (name == "JWT_SECRET").then(|| SECRET.to_owned());
    let config = Arc::new(Config::from_vars(vars).expect("a secret is enough"));
    let mut next = api::begin(&config, asked, NOW);
    loop {
        next = match next {
            Next::Reply(response) => return check(&response),
            Next::Body { limit, then } if body.len() > limit => then(Body::TooLarge, NOW),
            Next::Body { then, .. } => then(Body::Complete(body.to_vec()), NOW),
            Next::Keys { then, .. } => then(NOW),
            Next::Limit { then, .. } => then(Ok(()), NOW),
            // What comes of a request begins behind the question whether its token was revoked.
            Next::Call { calls, then } if matches!(calls[..], [(_, Call::Admit { .. })]) => {
                let revoked_before = None;
                then(vec![Ok(Reply::Admitted { revoked_before })], NOW)
            }
            Next::Call { calls, .. } => return assert!(!calls.is_empty()),
            Next::Work { .. } | Next::Upgrade { .. } | Next::Static => return,
        }
    }
}

fn headers<'a>(lines: impl Iterator<Item = &'a str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if name == "as"
            && let Ok(role) = value.parse()
        {
            let bearer = format!("Bearer {}", token(role));
            let bearer = HeaderValue::try_from(bearer).expect("a token is plain");
            headers.insert("authorization", bearer);
        } else if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name),
            HeaderValue::from_bytes(value.as_bytes()),
        ) {
            headers.append(name, value);
        }
    }
    headers
}

fn token(role: Role) -> String {
    let claims = Claims {
        sub: "ann".to_owned(),
        role,
        expires_at: NOW.plus(60_000),
        issued_at: Some(NOW),
    };
    verifier().sign(&claims).expect("plain claims")
}

/// Without rooms nothing is ours to fail at, and every answer can be sent as it is.
fn check(response: &Response) {
    assert!(
        (200..500).contains(&response.status) || response.status == 501,
        "{response:?}"
    );
    for (name, value) in &response.headers {
        assert!(HeaderValue::try_from(value).is_ok(), "{name}: {value:?}");
    }
    if response.status >= 400 {
        let problem: serde_json::Value =
            serde_json::from_str(&response.body).expect("a problem is JSON");
        assert_eq!(problem["status"], response.status);
    }
}
