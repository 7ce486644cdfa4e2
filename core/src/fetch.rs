//! Fetches as data: what is to be asked of a server elsewhere, and what came back.
//!
//! Core never fetches. It hands a [`Request`] to an adapter, which follows no redirects, stops at
//! the deadline and at the size, and hands an [`Answer`] or a [`FetchError`] back.

use std::fmt;

/// A `GET`. Its address and headers may carry keys: neither is ever logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The address, `http:` or `https:`.
    pub url: String,
    /// Headers, lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Bytes of body at most.
    pub max_bytes: usize,
    /// How long it may take, milliseconds.
    pub deadline_ms: u32,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.url.split('?').next().unwrap_or_default();
        let host = shown.split('/').nth(2).unwrap_or_default();
        f.debug_struct("Request")
            .field("host", &host)
            .finish_non_exhaustive()
    }
}

/// What a server answered, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers, lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(held, _)| held == name);
        named.map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No connection, or one that broke.
    #[error("it cannot be reached")]
    Unreachable,
    /// The deadline passed.
    #[error("it took too long")]
    TooSlow,
    /// More body than allowed.
    #[error("its answer is too large")]
    TooLarge,
}

/// What came of a [`Request`].
pub type Fetched = Result<Answer, FetchError>;
