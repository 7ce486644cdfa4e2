//! What asking any provider has in common: addresses and keys, statuses, versions, and errors in a
//! server's own words.

use chrono::DateTime;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::provider::{ApiKey, Endpoints, Provider, ProviderError, Validator};
use crate::audit::Hash;
use crate::fetch::{Answer, Request};
use crate::text::plain;
use crate::time::Millis;

/// Ten years of daily bars are about 1 MB as Tiingo writes them.
const MAX_BYTES: usize = 8 << 20;

const DEADLINE_MS: u32 = 10_000;

/// How long a server can ask to be left alone, milliseconds.
const LONGEST_PAUSE: i64 = 24 * 3_600_000;

/// Of a server's own words.
const MAX_SAID: usize = 200;

/// Of a version's name; longer ones are not worth keeping.
const MAX_VERSION: usize = 256;

/// A program's name for itself, where a server takes any.
const PROGRAM: &str = concat!("signalroom/", env!("CARGO_PKG_VERSION"));

/// A browser's, where a server turns programs away.
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/140.0.0.0 Safari/537.36";

/// All but the unreserved characters of RFC 3986, section 2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `text` as a part of a path or a query.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// How a request introduces itself.
#[derive(Clone, Copy)]
pub(super) enum Agent {
    Program,
    Browser,
}

/// An address and, apart from it, the key it is asked with.
pub(super) struct Address {
    /// Without keys: it names a version, and may be seen.
    open: String,
    /// `name=key`, a part of the query.
    key: Option<String>,
    headers: Vec<(&'static str, String)>,
}

impl Address {
    /// `path` with its query, at `host` or what stands in for it.
    pub fn new(
        provider: Provider,
        endpoints: &Endpoints,
        host: &str,
        path: &str,
        agent: Agent,
    ) -> Self {
        let open = match &endpoints.base {
            Some(base) => format!("{base}/{provider}{path}"),
            None => format!("https://{host}{path}"),
        };
        let agent = match agent {
            Agent::Program => PROGRAM,
            Agent::Browser => BROWSER,
        };
        Self {
            open,
            key: None,
            headers: vec![("user-agent", agent.to_owned())],
        }
    }

    /// With a key in the query.
    pub fn keyed(mut self, name: &str, key: &ApiKey) -> Self {
        self.key = Some(format!("{name}={}", escaped(&key.0)));
        self
    }

    /// With one more header.
    pub fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    fn of(&self) -> String {
        Hash::of(self.open.as_bytes()).to_string()
    }

    /// The request, conditional where `known` is a version of this address (RFC 9110, section 13).
    pub fn request(self, known: Option<&Validator>) -> Request {
        let of = self.of();
        let mut headers = self.headers;
        if let Some(known) = known.filter(|known| known.of == of) {
            let conditions = [
                ("if-none-match", &known.etag),
                ("if-modified-since", &known.last_modified),
            ];
            for (name, value) in conditions {
                headers.extend(value.clone().map(|value| (name, value)));
            }
        }
        let joint = if self.open.contains('?') { '&' } else { '?' };
        let key = self.key.map(|key| format!("{joint}{key}"));
        Request {
            url: self.open + &key.unwrap_or_default(),
            headers,
            max_bytes: MAX_BYTES,
            deadline_ms: DEADLINE_MS,
        }
    }

    /// The version that was sent, if it has a name.
    pub fn validator(&self, answer: &Answer) -> Option<Validator> {
        let kept = |name: &str| {
            let value = answer.header(name)?;
            let shown = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            (shown && (1..=MAX_VERSION).contains(&value.len())).then(|| value.to_owned())
        };
        let (etag, last_modified) = (kept("etag"), kept("last-modified"));
        (etag.is_some() || last_modified.is_some()).then(|| Validator {
            of: self.of(),
            etag,
            last_modified,
        })
    }
}

/// The text of an answer; `None` where nothing changed since the version that was named. `keyed`
/// says whether the request had a key that can be refused.
pub(super) fn content(
    answer: &Answer,
    keyed: bool,
    now: Millis,
) -> Result<Option<&str>, ProviderError> {
    let text = answer.body.strip_prefix(b"\xef\xbb\xbf");
    let text = text.unwrap_or(&answer.body);
    let is_page = text.trim_ascii_start().starts_with(b"<");
    match answer.status {
        200 if is_page => Err(ProviderError::WebPage),
        200 => std::str::from_utf8(text)
            .map(Some)
            .map_err(|_| ProviderError::Malformed("not UTF-8")),
        304 => Ok(None),
        401 | 403 if keyed => Err(ProviderError::Unauthorized),
        401 | 403 if is_page => Err(ProviderError::WebPage),
        404 => Err(ProviderError::NotFound),
        429 => Err(ProviderError::RateLimited {
            retry_after: retry_after(answer, now),
        }),
        // Out of service, and for how long (RFC 9110, section 10.2.3).
        503 => Err(match retry_after(answer, now) {
            None => ProviderError::Status(503),
            retry_after => ProviderError::RateLimited { retry_after },
        }),
        status => Err(ProviderError::Status(status)),
    }
}

/// `Retry-After`, which is a count of seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(answer: &Answer, now: Millis) -> Option<i64> {
    let text = answer.header("retry-after")?.trim();
    let pause = if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        // More digits than an i64 holds are more than the longest pause.
        text.parse::<i64>()
            .map_or(LONGEST_PAUSE, |seconds| seconds.saturating_mul(1000))
    } else {
        let at = DateTime::parse_from_rfc2822(text).ok()?;
        at.timestamp_millis().saturating_sub(now.0)
    };
    Some(pause.clamp(0, LONGEST_PAUSE))
}

/// A server's own words: one plain, short line without keys.
pub(super) fn said(words: &str, endpoints: &Endpoints) -> ProviderError {
    let mut words = plain(words)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let keys = [&endpoints.tiingo, &endpoints.fred, &endpoints.stooq];
    for ApiKey(key) in keys.into_iter().flatten() {
        for shown in [key.clone(), escaped(key)] {
            if !shown.is_empty() {
                words = words.replace(&shown, "…");
            }
        }
    }
    if words.is_empty() {
        words = "nothing".to_owned();
    }
    ProviderError::Said(words.chars().take(MAX_SAID).collect())
}

/// `text` as JSON.
pub(super) fn json<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, ProviderError> {
    serde_json::from_str(text).map_err(|error| {
        ProviderError::Malformed(match error.classify() {
            serde_json::error::Category::Eof => "it is cut off",
            serde_json::error::Category::Data => "it is not the JSON that is documented",
            serde_json::error::Category::Io | serde_json::error::Category::Syntax => {
                "it is no JSON"
            }
        })
    })
}
