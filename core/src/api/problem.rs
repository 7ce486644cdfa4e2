//! Errors as clients see them: RFC 9457 problem details, one table from reasons to statuses.
//! <https://www.rfc-editor.org/rfc/rfc9457>

use serde_json::{Map, Value, json};

use super::Response;
use crate::room::call::Reject;
use crate::room::signal::Signal;
use crate::symbol::Symbol;
use crate::time::Millis;
use crate::wire::limits::MAX_WATCHED;

/// The kinds of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slug {
    /// The request's content is wrong.
    Invalid,
    /// No or a bad token.
    Unauthorized,
    /// The token's role or the page's origin does not suffice.
    Forbidden,
    /// No such route or symbol.
    NotFound,
    /// The route does not take this method.
    MethodNotAllowed,
    /// Nothing to decide on.
    NoSignal,
    /// Bars, but no score.
    InsufficientHistory,
    /// Somebody was faster.
    AlreadyDecided,
    /// Another signal is current.
    StaleSignal,
    /// The body or its number of rows is over the limit.
    TooLarge,
    /// The body is in a form that is not taken.
    UnsupportedMediaType,
    /// The request took too long to arrive.
    Timeout,
    /// The caller has asked for too much lately.
    RateLimited,
    /// Too much is going on; it passes.
    Busy,
    /// Planned, not there yet.
    NotImplemented,
    /// The deployment lacks something.
    Misconfigured,
    /// Ours.
    Internal,
}

impl Slug {
    /// Every kind, for the API's description.
    pub const ALL: [Self; 17] = [
        Self::Invalid,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NoSignal,
        Self::InsufficientHistory,
        Self::AlreadyDecided,
        Self::StaleSignal,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Timeout,
        Self::RateLimited,
        Self::Busy,
        Self::NotImplemented,
        Self::Misconfigured,
        Self::Internal,
    ];

    fn parts(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::Invalid => ("invalid", 422, "The request is not valid"),
            Self::Unauthorized => ("unauthorized", 401, "Sign in"),
            Self::Forbidden => ("forbidden", 403, "Not allowed"),
            Self::NotFound => ("not-found", 404, "Not found"),
            Self::MethodNotAllowed => ("method-not-allowed", 405, "Method not allowed"),
            Self::NoSignal => ("no-signal", 404, "There is no signal"),
            Self::InsufficientHistory => ("insufficient-history", 404, "Not enough history"),
            Self::AlreadyDecided => ("already-decided", 409, "Already decided"),
            Self::StaleSignal => ("stale-signal", 409, "The signal is not the current one"),
            Self::TooLarge => ("too-large", 413, "Too large"),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                415,
                "The body is not in a form that is taken",
            ),
            Self::Timeout => ("timeout", 408, "Too slow"),
            Self::RateLimited => ("rate-limited", 429, "Too many requests"),
            Self::Busy => ("busy", 503, "Busy"),
            Self::NotImplemented => ("not-implemented", 501, "Not available yet"),
            Self::Misconfigured => ("misconfigured", 503, "Misconfigured"),
            Self::Internal => ("internal", 500, "Something went wrong on our side"),
        }
    }

    /// The last part of `type`.
    pub fn as_str(self) -> &'static str {
        self.parts().0
    }

    /// The kind in a few words, `title`.
    pub fn title(self) -> &'static str {
        self.parts().2
    }

    /// The usual HTTP status.
    pub fn status(self) -> u16 {
        self.parts().1
    }
}

/// What `WWW-Authenticate` says to a request without a token, and to one with a bad token (RFC 6750
/// section 3).
pub(super) const CHALLENGES: [&str; 2] = [
    "Bearer realm=\"signalroom\"",
    "Bearer realm=\"signalroom\", error=\"invalid_token\"",
];

/// A problem under construction.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    slug: Slug,
    status: u16,
    detail: String,
    more: Map<String, Value>,
    headers: Vec<(&'static str, String)>,
}

impl Problem {
    /// A problem with its usual status; `detail` says what to do, for people.
    pub fn new(slug: Slug, detail: impl Into<String>) -> Self {
        Self {
            slug,
            status: slug.status(),
            detail: detail.into(),
            more: Map::new(),
            headers: Vec::new(),
        }
    }

    /// A wrong field or parameter, named by a JSON pointer (RFC 6901).
    pub fn invalid(pointer: &str, detail: impl Into<String>) -> Self {
        Self::new(Slug::Invalid, detail).with("pointer", pointer)
    }

    /// The answer to a request without a token.
    pub fn unauthorized() -> Self {
        Self::challenge(CHALLENGES[0])
    }

    /// The answer to every kind of bad token: it never says which.
    pub fn invalid_token() -> Self {
        Self::challenge(CHALLENGES[1])
    }

    fn challenge(challenge: &str) -> Self {
        let detail = "Send a valid token as \"Authorization: Bearer <jwt>\".";
        Self::new(Slug::Unauthorized, detail).header("www-authenticate", challenge)
    }

    /// The same problem under another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same words under another name.
    #[must_use]
    pub fn renamed(self, slug: Slug) -> Self {
        Self {
            slug,
            status: slug.status(),
            ..self
        }
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// What a room refused, as a problem about `symbol`.
    pub fn rejected(reject: Reject, symbol: Option<&Symbol>, watched: bool) -> Self {
        let name = symbol.map_or("the symbol", Symbol::as_str);
        match reject {
            Reject::UnknownSymbol if watched => Self::new(
                Slug::InsufficientHistory,
                format!("{name} is on the watchlist and has no bars yet. Import its history."),
            )
            .with("missing", json!([{"what": "bars", "reason": "no bars"}])),
            Reject::UnknownSymbol => Self::new(
                Slug::NotFound,
                format!("Nobody has sent bars of {name} yet."),
            ),
            Reject::NoSignal => Self::new(
                Slug::NoSignal,
                format!("There is no signal of {name} yet. The next run computes it."),
            ),
            Reject::InsufficientHistory(missing) => {
                let what: Vec<String> = missing
                    .iter()
                    .map(|missing| format!("{} ({})", missing.what, missing.reason))
                    .collect();
                Self::new(
                    Slug::InsufficientHistory,
                    format!("No score of {name} yet. Missing: {}.", what.join(", ")),
                )
                .with("missing", json!(missing))
            }
            Reject::AlreadyDecided(signal, at) => {
                let by = signal
                    .approval
                    .as_ref()
                    .map_or_else(String::new, |approval| {
                        format!(
                            "{} decided {} at {}. ",
                            approval.approved_by,
                            approval.approved_status.as_str(),
                            approval.approved_at
                        )
                    });
                Self::new(
                    Slug::AlreadyDecided,
                    format!("{by}Your decision was not recorded."),
                )
                .with("signal", shown(&signal, at))
            }
            Reject::StaleSignal(signal, at) => Self::new(
                Slug::StaleSignal,
                format!(
                    "The current signal is {}. Look at it and decide again; your decision was not \
                     recorded.",
                    signal.id
                ),
            )
            .with("signal", shown(&signal, at)),
            Reject::Misdirected => Self::internal("misdirected"),
            Reject::RateLimited { wait } => Self::rate_limited(wait),
            Reject::KeyReused => Self::invalid(
                "",
                "This Idempotency-Key was used for another request; take a fresh one.",
            ),
            Reject::RetiredEpoch => Self::internal("retired-epoch"),
            Reject::NotWatched => Self::new(Slug::NotFound, "The symbol is not on the watchlist."),
            Reject::TooManyWatched => Self::invalid(
                "/symbols",
                format!("A watchlist holds at most {MAX_WATCHED} symbols."),
            ),
        }
    }

    /// Too many requests; the next is answered in so many milliseconds.
    pub fn rate_limited(wait: i64) -> Self {
        let seconds = ((wait + 999) / 1000).max(1);
        let detail = format!("Too many requests of yours. Try again in {seconds} s.");
        Self::new(Slug::RateLimited, detail).header("retry-after", seconds.to_string())
    }

    /// Ours; the client sees an id and nothing else.
    pub fn internal(id: &str) -> Self {
        Self::new(Slug::Internal, "Try again. If it stays, report this id.").with("id", id)
    }
}

fn shown(signal: &Signal, at: Millis) -> Value {
    serde_json::to_value(signal.view(at)).expect("plain data with string keys always serialises")
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        let (slug, _, title) = problem.slug.parts();
        let mut members = Map::new();
        members.insert("type".into(), format!("/problems/{slug}").into());
        members.insert("title".into(), title.into());
        members.insert("status".into(), problem.status.into());
        members.insert("detail".into(), problem.detail.into());
        members.extend(problem.more);
        let mut headers = vec![("content-type", "application/problem+json".to_owned())];
        headers.extend(problem.headers);
        Self {
            status: problem.status,
            headers,
            body: Value::Object(members).to_string(),
        }
    }
}
