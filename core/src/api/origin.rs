//! Which pages may talk to us: CORS and the WebSocket Origin check.
//!
//! Same origin is always allowed, and so is an absent Origin, since tools send none.

use http::{HeaderMap, Method};

use super::problem::{Problem, Slug};
use super::{Next, Request, Response};
use crate::config::Config;

/// What a request's Origin is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// None was sent, or our own.
    Own,
    /// Another one that is allowed.
    Allowed(String),
    /// Any other.
    Foreign,
}

/// A header's text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Judges the Origin header.
pub fn judge(config: &Config, headers: &HeaderMap) -> Origin {
    let Some(value) = headers.get("origin") else {
        return Origin::Own;
    };
    let Ok(origin) = value.to_str() else {
        return Origin::Foreign;
    };
    let lower = origin.to_ascii_lowercase();
    let authority = lower.split_once("://").map(|(_, authority)| authority);
    let host = header(headers, "host").map(str::to_ascii_lowercase);
    if authority.is_some() && authority == host.as_deref() {
        Origin::Own
    } else if config.allowed_origins.contains(&lower) {
        Origin::Allowed(origin.to_owned())
    } else {
        Origin::Foreign
    }
}

/// The answer to a page that may not talk to us.
pub fn refused() -> Problem {
    Problem::new(Slug::Forbidden, "This origin is not in ALLOWED_ORIGINS.")
}

/// Answers `OPTIONS`.
pub fn preflight(request: &Request, origin: &Origin, methods: &[&Method]) -> Response {
    if *origin == Origin::Foreign {
        return refused().into();
    }
    let methods: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
    let mut headers = vec![("allow", methods.join(", "))];
    if request
        .headers
        .contains_key("access-control-request-method")
    {
        headers.push(("access-control-allow-methods", methods.join(", ")));
        headers.push((
            "access-control-allow-headers",
            "authorization, content-type, if-match, if-none-match, idempotency-key".to_owned(),
        ));
        headers.push(("access-control-max-age", "86400".to_owned()));
    }
    Response {
        status: 204,
        headers,
        body: String::new(),
    }
}

/// Lets an allowed page read whatever answer comes.
pub fn open_to(next: Next, origin: Origin) -> Next {
    match next {
        Next::Reply(mut response) => {
            response
                .headers
                .push(("cache-control", "no-store".to_owned()));
            response
                .headers
                .push(("x-content-type-options", "nosniff".to_owned()));
            response.headers.push(("vary", "origin".to_owned()));
            if let Origin::Allowed(origin) = origin {
                response
                    .headers
                    .push(("access-control-allow-origin", origin));
                response
                    .headers
                    .push(("access-control-expose-headers", "etag, link".to_owned()));
            }
            Next::Reply(response)
        }
        Next::Body { limit, then } => Next::Body {
            limit,
            then: Box::new(move |body, now| open_to(then(body, now), origin)),
        },
        Next::Call { calls, then } => Next::Call {
            calls,
            then: Box::new(move |replies, now| open_to(then(replies, now), origin)),
        },
        Next::Upgrade { .. } | Next::Static => next,
    }
}
