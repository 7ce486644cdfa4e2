//! Series that the market's mood is made of, one value a day.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::provider::{Endpoints, Provider, ProviderError, Told, Validator};
use super::rows::Row;
use super::{cboe, fred};
use crate::fetch;
use crate::time::Millis;

/// A daily series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// Cboe's volatility index, close (FRED `VIXCLS`; Cboe's `VIX_History.csv`).
    Vix,
    /// Spread of high-yield bonds over treasuries, percent (FRED `BAMLH0A0HYM2`).
    HighYieldSpread,
    /// 10-year minus 2-year treasury yield, percent (FRED `T10Y2Y`).
    YieldCurve,
    /// 10-year treasury yield, percent (FRED `DGS10`).
    TenYear,
    /// Puts per call on all of Cboe's options (Cboe).
    PutCall,
}

impl Series {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Vix,
        Self::HighYieldSpread,
        Self::YieldCurve,
        Self::TenYear,
        Self::PutCall,
    ];

    /// The name as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vix => "vix",
            Self::HighYieldSpread => "high_yield_spread",
            Self::YieldCurve => "yield_curve",
            Self::TenYear => "ten_year",
            Self::PutCall => "put_call",
        }
    }

    /// Whether there is a file a day, so that an answer has one value.
    pub const fn is_by_day(self) -> bool {
        matches!(self, Self::PutCall)
    }

    /// Who has it.
    pub const fn providers(self) -> &'static [Provider] {
        match self {
            Self::Vix => &[Provider::Fred, Provider::Cboe],
            Self::HighYieldSpread | Self::YieldCurve | Self::TenYear => &[Provider::Fred],
            Self::PutCall => &[Provider::Cboe],
        }
    }

    /// What a row with that number says: indices, spreads over what is safer and ratios are
    /// positive, yields and their differences need not be.
    pub(super) fn row(self, date: NaiveDate, value: Option<f64>) -> Row<Observation> {
        let least = match self {
            Self::Vix | Self::HighYieldSpread | Self::PutCall => 0.0,
            Self::YieldCurve | Self::TenYear => f64::NEG_INFINITY,
        };
        match value {
            Some(value) if value > least => Row::Has((date, value)),
            _ => Row::Unreadable,
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value and its day.
pub type Observation = (NaiveDate, f64);

/// What a provider has of a series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observations {
    /// Finite, ascending, each date once, from the date that was asked for.
    pub values: Vec<Observation>,
    /// Rows that could not be read; a documented "no value" is none of them.
    pub rejected: u32,
    /// For the next request of the same address.
    pub validator: Option<Validator>,
}

/// The request that asks `provider` for `series` from a date on.
///
/// Its answer may end before today: Cboe has the put/call ratio of each day after 2019-10-04 in a
/// file of its own, so there an answer has the first session from that date alone, and is
/// [`ProviderError::Empty`] while it has not been published.
///
/// # Errors
/// [`ProviderError::Unsupported`] when it is none of its [`Series::providers`].
pub fn plan(
    provider: Provider,
    series: Series,
    from: NaiveDate,
    endpoints: &Endpoints,
    validator: Option<&Validator>,
) -> Result<fetch::Request, ProviderError> {
    match provider {
        Provider::Fred => fred::plan(series, from, endpoints, validator),
        Provider::Cboe => cboe::plan(series, from, endpoints, validator),
        Provider::Yahoo | Provider::Stooq | Provider::Tiingo => Err(NO_SERIES),
    }
}

/// What the answer to [`plan`]'s request means.
///
/// # Errors
/// [`ProviderError`] for anything but values.
pub fn parse(
    provider: Provider,
    series: Series,
    from: NaiveDate,
    endpoints: &Endpoints,
    answer: fetch::Fetched,
    now: Millis,
) -> Result<Told<Observations>, ProviderError> {
    let answer = answer?;
    match provider {
        Provider::Fred => fred::parse(series, from, endpoints, &answer, now),
        Provider::Cboe => cboe::parse(series, from, endpoints, &answer, now),
        Provider::Yahoo | Provider::Stooq | Provider::Tiingo => Err(NO_SERIES),
    }
}

const NO_SERIES: ProviderError = ProviderError::Unsupported("it has no series");
