//! Ways to misbehave, and for whom.

use serde::{Deserialize, Serialize};
use signalroom_core::market::provider::Provider;

/// How a 429 says when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// It does not.
    Unsaid,
    /// In so many seconds, as a number.
    Seconds(u32),
    /// In so many seconds, as an HTTP date.
    Date(u32),
}

/// One way to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// 429.
    RateLimited(RetryAfter),
    /// Stooq's own way to say it: 200, and a sentence. Elsewhere a 429 that does not say for how
    /// long.
    DailyLimit,
    /// Any status, with a short text.
    Status(u16),
    /// Nothing, until [`super::Market::release`]; then the connection closes.
    Silent,
    /// The connection closes at once.
    Reset,
    /// The first part of the body; then nothing, until [`super::Market::release`].
    Stalled,
    /// A body without an end, until the client has enough of it.
    Endless,
    /// 302 to another address of this provider's: `/cboe/elsewhere`.
    Redirect,
    /// The whole answer, so many milliseconds later.
    Slow(u64),
    /// The first part of the body, as if it were all of it.
    Truncated,
    /// The first part of the body; then the connection closes.
    CutOff,
    /// A web page with status 200.
    WebPage,
    /// The data of another symbol or series, under its own name where the format has one.
    WrongSymbol,
    /// No row at all.
    Empty,
    /// Some rows twice.
    Duplicated,
    /// The newest row first.
    Unordered,
    /// One row without numbers: the format's own way to say "none".
    Nulls,
    /// One row with `NaN` in place of its numbers.
    Nan,
    /// One row whose high is below its low (a series: a value that is no number).
    Absurd,
}

/// A fault, for whom and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Of this provider alone.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// For this symbol or series alone, as it is named in [`super::Asked::what`].
    #[serde(default)]
    pub what: Option<String>,
    /// What happens.
    pub fault: Fault,
    /// For so many requests; none: for good.
    #[serde(default)]
    pub times: Option<u32>,
}

impl Rule {
    /// `fault`, of every provider, for everything, for good.
    pub fn new(fault: Fault) -> Self {
        Self {
            provider: None,
            what: None,
            fault,
            times: None,
        }
    }

    /// Of this provider alone.
    #[must_use]
    pub fn of(self, provider: Provider) -> Self {
        Self {
            provider: Some(provider),
            ..self
        }
    }

    /// For this symbol or series alone.
    #[must_use]
    pub fn about(self, what: &str) -> Self {
        Self {
            what: Some(super::book::key(what)),
            ..self
        }
    }

    /// For so many requests.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }
}

/// The fault of this request, used up by it. The rule that was made last counts.
pub(super) fn take(rules: &mut Vec<Rule>, provider: Provider, what: &str) -> Option<Fault> {
    let at = rules.iter().rposition(|rule| {
        rule.provider.is_none_or(|of| of == provider)
            && rule.what.as_deref().is_none_or(|about| about == what)
    })?;
    let rule = &mut rules[at];
    let fault = rule.fault;
    if let Some(times) = &mut rule.times {
        *times = times.saturating_sub(1);
        if *times == 0 {
            rules.remove(at);
        }
    }
    Some(fault)
}
