//! Providers of daily bars: the one interface that all of them share.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{stooq, tiingo, yahoo};
use crate::fetch::{self, FetchError};
use crate::signals::Bar;
use crate::symbol::Symbol;
use crate::time::Millis;

/// Who can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Yahoo Finance's chart API: bars.
    Yahoo,
    /// Stooq's CSV: bars.
    Stooq,
    /// Tiingo's end-of-day API, with a key: bars.
    Tiingo,
    /// The Federal Reserve Bank of St. Louis: series.
    Fred,
    /// Cboe's CSV files: series.
    Cboe,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Yahoo,
        Self::Stooq,
        Self::Tiingo,
        Self::Fred,
        Self::Cboe,
    ];

    /// The name as it is configured and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yahoo => "yahoo",
            Self::Stooq => "stooq",
            Self::Tiingo => "tiingo",
            Self::Fred => "fred",
            Self::Cboe => "cboe",
        }
    }

    /// How often it is asked in a minute, unless somebody knows better. FRED documents its number
    /// (<https://fred.stlouisfed.org/docs/api/fred/errors.html>); the others are what has been seen to
    /// be borne.
    pub const fn usual_rate(self) -> u32 {
        match self {
            Self::Yahoo | Self::Fred => 120,
            Self::Stooq | Self::Tiingo | Self::Cboe => 60,
        }
    }

    /// Whether it has daily bars of symbols; the others have series.
    pub const fn has_bars(self) -> bool {
        matches!(self, Self::Yahoo | Self::Stooq | Self::Tiingo)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no [`Provider`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be yahoo, stooq, tiingo, fred or cboe")]
pub struct UnknownProvider;

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        let all = Self::ALL.into_iter();
        all.into_iter()
            .find(|provider| provider.as_str() == text)
            .ok_or(UnknownProvider)
    }
}

/// A provider's key. Its text is in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(pub String);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// Where providers are, and the keys they want.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// One server in place of all of them, without a final slash: Yahoo is at `{base}/yahoo`, Stooq
    /// at `{base}/stooq`, and so on, each with its own paths and queries. None: the real ones.
    pub base: Option<String>,
    /// Tiingo's token; without it Tiingo is not asked.
    pub tiingo: Option<ApiKey>,
    /// FRED's API key; without it FRED's public CSV is asked.
    pub fred: Option<ApiKey>,
    /// Stooq's key, where it wants one.
    pub stooq: Option<ApiKey>,
}

/// The bars of a symbol that are wanted, both dates included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Whose.
    pub symbol: Symbol,
    /// The first date.
    pub from: NaiveDate,
    /// The last date.
    pub to: NaiveDate,
}

/// What a server said about the version it sent, for a conditional request
/// (RFC 9110, section 13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    /// SHA-256 of the address without keys, hexadecimal: it is good for that address alone.
    pub of: String,
    /// `ETag`, sent back as `If-None-Match`.
    pub etag: Option<String>,
    /// `Last-Modified`, sent back as `If-Modified-Since`.
    pub last_modified: Option<String>,
}

/// What a provider has.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bars {
    /// Adjusted for splits and dividends, checked, ascending, each date once, within the need.
    pub bars: Vec<Bar>,
    /// Rows that are no bars, those without any number apart (a provider's way to say "none").
    pub rejected: u32,
    /// For the next request of the same address.
    pub validator: Option<Validator>,
}

/// An answer that could be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Told<T> {
    /// What was asked for.
    New(T),
    /// 304: nothing changed since the version that the request named.
    Unchanged,
}

/// Why a provider's answer is of no use. The messages repeat none of a server's text but
/// [`Self::Said`], which is made plain and short.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// There is no answer.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// 429, a 503 that says for how long, or the provider's own way to say it.
    #[error("it asks to be left alone")]
    RateLimited {
        /// For how long, milliseconds, if it said.
        retry_after: Option<i64>,
    },
    /// 401 or 403: the key is missing or wrong.
    #[error("it refuses the key")]
    Unauthorized,
    /// It does not know the symbol or series.
    #[error("it does not know it")]
    NotFound,
    /// Another status than 200, 304, 404 and 429; 401 and 403 where there is no key to refuse.
    #[error("it answered {0}")]
    Status(u16),
    /// A web page in place of data: a captcha, a consent form, an error.
    #[error("it sent a web page in place of data")]
    WebPage,
    /// It is not the format that is documented; cut off, perhaps.
    #[error("its answer is malformed: {0}")]
    Malformed(&'static str),
    /// The answer is about something else.
    #[error("its answer is about another symbol")]
    WrongSymbol,
    /// It knows the symbol, and has nothing in those dates.
    #[error("it has nothing for those dates")]
    Empty,
    /// Its own error.
    #[error("it said: {0}")]
    Said(String),
    /// It cannot be asked: it has no such symbol by its very kind, or lacks a key.
    #[error("it cannot be asked: {0}")]
    Unsupported(&'static str),
}

impl ProviderError {
    /// Whether the provider as a whole is in trouble, so that asking for other symbols is of no use
    /// for a while.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Fetch(FetchError::Unreachable | FetchError::TooSlow)
            | Self::RateLimited { .. }
            | Self::Unauthorized
            | Self::WebPage => true,
            // No key is refused where there is none, but programs are; and who is sent elsewhere is
            // sent to a form.
            Self::Status(status) => matches!(status, 300..=399 | 401 | 403 | 500..),
            Self::Fetch(FetchError::TooLarge)
            | Self::NotFound
            | Self::Malformed(_)
            | Self::WrongSymbol
            | Self::Empty
            | Self::Said(_)
            | Self::Unsupported(_) => false,
        }
    }
}

/// The request that asks `provider` for `need`; conditional where `validator` is of its address.
///
/// # Errors
/// [`ProviderError::Unsupported`].
pub fn plan(
    provider: Provider,
    need: &Need,
    endpoints: &Endpoints,
    validator: Option<&Validator>,
) -> Result<fetch::Request, ProviderError> {
    match provider {
        Provider::Yahoo => Ok(yahoo::plan(need, endpoints, validator)),
        Provider::Stooq => stooq::plan(need, endpoints, validator),
        Provider::Tiingo => tiingo::plan(need, endpoints, validator),
        Provider::Fred | Provider::Cboe => Err(NO_BARS),
    }
}

/// What the answer to [`plan`]'s request means.
///
/// # Errors
/// [`ProviderError`] for anything but bars.
pub fn parse(
    provider: Provider,
    need: &Need,
    endpoints: &Endpoints,
    answer: fetch::Fetched,
    now: Millis,
) -> Result<Told<Bars>, ProviderError> {
    let answer = answer?;
    match provider {
        Provider::Yahoo => yahoo::parse(need, endpoints, &answer, now),
        Provider::Stooq => stooq::parse(need, endpoints, &answer, now),
        Provider::Tiingo => tiingo::parse(need, endpoints, &answer, now),
        Provider::Fred | Provider::Cboe => Err(NO_BARS),
    }
}

const NO_BARS: ProviderError = ProviderError::Unsupported("it has no bars");

/// Whether a symbol is written like a share or fund listed in the United States: letters and digits,
/// and perhaps a class or series of one or two after a hyphen (`BRK-B`).
pub(super) fn us_share(symbol: &str) -> bool {
    let (share, class) = symbol.split_once('-').unwrap_or((symbol, "A"));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    !share.is_empty() && plain(share) && plain(class) && (1..=2).contains(&class.len())
}
