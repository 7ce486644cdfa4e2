//! Signals and decisions, and the one rule of when a signal is new.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::calendar;
use crate::signals::Suggestion;
use crate::signals::published::{Explain, Published, Recommendation};
use crate::symbol::Symbol;
use crate::time::{Millis, parse_date};

/// `SYMBOL:DATE:REVISION`, the identity of one revision of a signal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "openapi",
    schema(
        value_type = String,
        pattern = "^[A-Z0-9.^=-]{1,15}:[0-9]{4}-[0-9]{2}-[0-9]{2}:[1-9][0-9]*$",
        example = "AAPL:2026-05-04:1",
    )
)]
#[serde(transparent)]
pub struct SignalId(pub String);

impl SignalId {
    /// The id of a revision.
    pub fn new(symbol: &Symbol, date: NaiveDate, revision: u32) -> Self {
        Self(format!("{symbol}:{date}:{revision}"))
    }
}

impl fmt::Display for SignalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a signal is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Waits for a decision.
    PendingReview,
    /// Decided BUY.
    ApprovedBuy,
    /// Decided NEUTRAL.
    ApprovedNeutral,
    /// Decided RISK.
    ApprovedRisk,
    /// Replaced before anybody decided.
    Superseded,
}

impl Status {
    /// The wire's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PendingReview => "PENDING_REVIEW",
            Self::ApprovedBuy => "APPROVED_BUY",
            Self::ApprovedNeutral => "APPROVED_NEUTRAL",
            Self::ApprovedRisk => "APPROVED_RISK",
            Self::Superseded => "SUPERSEDED",
        }
    }

    /// The status after a decision.
    pub fn approved(decision: Suggestion) -> Self {
        match decision {
            Suggestion::Buy => Self::ApprovedBuy,
            Suggestion::Neutral => Self::ApprovedNeutral,
            Suggestion::Risk => Self::ApprovedRisk,
        }
    }
}

/// The text names no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a status")]
pub struct InvalidStatus;

impl FromStr for Status {
    type Err = InvalidStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::PendingReview,
            Self::ApprovedBuy,
            Self::ApprovedNeutral,
            Self::ApprovedRisk,
            Self::Superseded,
        ]
        .into_iter()
        .find(|status| status.as_str() == text)
        .ok_or(InvalidStatus)
    }
}

/// A decision, as it is announced and listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Approval {
    /// The symbol.
    pub symbol: Symbol,
    /// What was decided.
    pub approved_status: Suggestion,
    /// Who decided: the token's `sub`.
    pub approved_by: String,
    /// When.
    pub approved_at: Millis,
    /// Why, plain text.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub note: Option<String>,
    /// On which signal.
    pub signal_id: SignalId,
}

/// One revision of a symbol's signal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Its identity.
    pub id: SignalId,
    /// The symbol.
    pub symbol: Symbol,
    /// Date of its last bar.
    pub date: NaiveDate,
    /// 1 for the first of its date.
    pub revision: u32,
    /// When it was computed.
    pub computed_at: Millis,
    /// Whether the session of its last bar had not ended when that was fetched.
    #[serde(default)]
    pub provisional: bool,
    /// Where it is in its life.
    pub status: Status,
    /// What was computed.
    pub content: Published,
    /// The decision, once taken.
    pub approval: Option<Approval>,
}

/// A signal as clients see it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Signal))]
pub struct SignalView<'a> {
    id: &'a SignalId,
    symbol: &'a Symbol,
    /// Date of its last bar, at midnight UTC.
    #[cfg_attr(feature = "openapi", schema(format = DateTime, example = "2026-05-04T00:00:00Z"))]
    ts: String,
    /// When it was computed.
    computed_at: Millis,
    /// 1 for the first of its date.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    revision: u32,
    /// High = near the crisis low.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    unslug_score: f64,
    /// High = greed.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    fear_score: f64,
    /// Geometric mean of the two.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    combined_trust: f64,
    status: Status,
    recommendation: &'a Recommendation,
    /// Whether somebody has yet to decide.
    awaiting_approval: bool,
    /// The decision, once taken.
    #[cfg_attr(feature = "openapi", schema(required))]
    approval: Option<&'a Approval>,
    /// How the scores came about, where reasons are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<&'a Explain>,
    /// Whether the session of its last bar had not ended when that was fetched.
    provisional: bool,
    /// Whether a newer bar is due and missing.
    stale: bool,
}

impl Signal {
    /// As lists and messages show it at `now`.
    pub fn view(&self, now: Millis) -> SignalView<'_> {
        SignalView {
            id: &self.id,
            symbol: &self.symbol,
            ts: format!("{}T00:00:00Z", self.date),
            computed_at: self.computed_at,
            revision: self.revision,
            unslug_score: self.content.unslug_score,
            fear_score: self.content.fear_score,
            combined_trust: self.content.combined_trust,
            status: self.status,
            recommendation: &self.content.recommendation,
            awaiting_approval: self.status == Status::PendingReview,
            approval: self.approval.as_ref(),
            explain: None,
            provisional: self.provisional,
            stale: self.date < calendar::newest_due(now),
        }
    }

    /// As it is shown at `now` where reasons are asked for.
    pub fn view_with_explain(&self, now: Millis) -> SignalView<'_> {
        SignalView {
            explain: Some(&self.content.explain),
            ..self.view(now)
        }
    }
}

/// A signal as it is kept, as it is shown at `now`: whether it is stale depends on that.
pub fn shown(kept: &RawValue, now: Millis) -> Box<RawValue> {
    #[derive(Deserialize)]
    struct Dated<'a> {
        #[serde(borrow)]
        ts: Cow<'a, str>,
    }
    let text = kept.get();
    let date = serde_json::from_str(text).ok();
    let date = date.and_then(|Dated { ts }| parse_date(ts.get(..10)?));
    let Some(date) = date else {
        return kept.to_owned();
    };
    // The last member; what was kept by an earlier version lacks it.
    let rest = [",\"stale\":true}", ",\"stale\":false}", "}"];
    let rest = rest.iter().find_map(|end| text.strip_suffix(end));
    let stale = date < calendar::newest_due(now);
    RawValue::from_string(format!("{},\"stale\":{stale}}}", rest.unwrap_or(text)))
        .unwrap_or_else(|_| kept.to_owned())
}

/// What a computation means for the symbol's current signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing changes, nothing is sent.
    Unchanged,
    /// A new signal of this revision; `supersedes` the current one if nobody decided on it.
    New {
        /// Its revision.
        revision: u32,
        /// Whether the current one becomes [`Status::Superseded`].
        supersedes: bool,
    },
}

/// Decides whether `content`, computed for the bar of `date`, is a new signal. That a bar is no
/// longer provisional is news for who has yet to decide; a decision taken on it stands.
pub fn judge(
    current: Option<&Signal>,
    date: NaiveDate,
    content: &Published,
    provisional: bool,
) -> Verdict {
    let Some(current) = current else {
        return Verdict::New {
            revision: 1,
            supersedes: false,
        };
    };
    let pending = current.status == Status::PendingReview;
    if date > current.date {
        return Verdict::New {
            revision: 1,
            supersedes: pending,
        };
    }
    let same = *content == current.content && provisional == current.provisional;
    if date < current.date || same {
        return Verdict::Unchanged;
    }
    let other_suggestion =
        content.recommendation.suggested != current.content.recommendation.suggested;
    if pending || other_suggestion {
        return Verdict::New {
            revision: current.revision + 1,
            supersedes: pending,
        };
    }
    Verdict::Unchanged
}
