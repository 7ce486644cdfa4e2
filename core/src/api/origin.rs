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

/// Who reads an answer: a page from somewhere, over some transport.
#[derive(Debug, Clone)]
pub struct Reader {
    /// What the page is to us.
    pub origin: Origin,
    /// Whether the answer goes over TLS.
    secure: bool,
}

/// How long a browser may reach us by TLS alone, once it did. Not subdomains: they are not ours.
/// <https://www.rfc-editor.org/rfc/rfc6797>
const TRANSPORT_SECURITY: &str = "max-age=31536000";

/// What a browser may do with an answer, should it show one: nothing.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// A header's text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Judges where a request comes from.
pub fn judge(config: &Config, request: &Request) -> Reader {
    Reader {
        origin: origin(config, &request.headers),
        secure: request.secure,
    }
}

fn origin(config: &Config, headers: &HeaderMap) -> Origin {
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
pub fn preflight(request: &Request, reader: &Reader, methods: &[&Method]) -> Response {
    if reader.origin == Origin::Foreign {
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

/// Lets an allowed page read whatever answer comes, and tells browsers what not to do with it.
pub fn open_to(next: Next, reader: Reader) -> Next {
    match next {
        Next::Reply(mut response) => {
            let mut add = |name, value: &str| response.headers.push((name, value.to_owned()));
            add("cache-control", "no-store");
            add("content-security-policy", POLICY);
            add("referrer-policy", "no-referrer");
            add("x-content-type-options", "nosniff");
            add("vary", "origin");
            if reader.secure {
                add("strict-transport-security", TRANSPORT_SECURITY);
            }
            if let Origin::Allowed(origin) = reader.origin {
                add("access-control-allow-origin", &origin);
                add(
                    "access-control-expose-headers",
                    "etag, link, retry-after, server-timing",
                );
            }
            Next::Reply(response)
        }
        Next::Body { limit, then } => Next::Body {
            limit,
            then: Box::new(move |body, now| open_to(then(body, now), reader)),
        },
        Next::Call { calls, then } => Next::Call {
            calls,
            then: Box::new(move |replies, now| open_to(then(replies, now), reader)),
        },
        Next::Work { jobs, then } => Next::Work {
            jobs,
            then: Box::new(move |lines, now| open_to(then(lines, now), reader)),
        },
        Next::Keys { token, then } => Next::Keys {
            token,
            then: Box::new(move |now| open_to(then(now), reader)),
        },
        Next::Limit { key, then } => Next::Limit {
            key,
            then: Box::new(move |taken, now| open_to(then(taken, now), reader)),
        },
        Next::Upgrade { .. } | Next::Static => next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_keep_to_tls_once_they_came_by_it() {
        let policy = |secure| {
            let answer = Response {
                status: 200,
                headers: Vec::new(),
                body: String::new(),
            };
            let origin = Origin::Own;
            let Next::Reply(sent) = open_to(Next::Reply(answer), Reader { origin, secure }) else {
                panic!("not an answer");
            };
            let mut headers = sent.headers.into_iter();
            headers.find(|(name, _)| *name == "strict-transport-security")
        };
        assert_eq!(policy(false), None);
        assert!(policy(true).is_some_and(|(_, value)| value.starts_with("max-age=")));
    }
}
