//! What a room puts on record, in the transaction of what it records.
//!
//! Invariant: a row is written with what it is about or not at all, and only through
//! [`Chain::record`].

use serde_json::{Value, json};

use super::call::{BarCounts, Caller, Proposal};
use super::effects::Effects;
use super::name::RoomName;
use super::signal::{Approval, SignalId};
use crate::audit::{Hash, Head, Record, VERSION, canonical};
use crate::market::provider::Provider;
use crate::signals::bar::Bar;
use crate::store::audit::{self, Tip};
use crate::store::{Sql, SqlError};
use crate::symbol::Symbol;
use crate::text::plain;
use crate::time::Millis;

/// Signals a refused decision was about that are named on record, at most.
const MAX_CONDITIONS: usize = 10;

/// Characters of each of their ids.
const MAX_ID_CHARS: usize = 100;

/// Something that is put on record. What it says is whole numbers, text and lists of text.
#[derive(Debug)]
pub(super) enum Act<'a> {
    /// A decision was taken.
    Approval(&'a Approval),
    /// A decision was not taken.
    ApprovalRefused {
        proposal: &'a Proposal,
        /// Why, as the API's problems call it.
        reason: &'a str,
        /// The signal that was current.
        current: Option<&'a SignalId>,
    },
    /// Bars were sent.
    BarsImport {
        counts: BarCounts,
        rejected: u32,
        /// Those that were kept or held already, ascending.
        bars: &'a [Bar],
    },
    /// Bars were fetched.
    BarsFetch {
        provider: Provider,
        counts: BarCounts,
        rejected: u32,
        /// Those that are new or changed, ascending, but for one that is not final.
        bars: &'a [Bar],
    },
    /// The watchlist was changed.
    WatchlistChange { symbols: &'a [Symbol], own: bool },
    /// Whatever was issued to a user until then is refused.
    Revocation {
        sub: &'a str,
        before: Millis,
        reason: Option<&'a str>,
    },
    /// The log goes on under another epoch.
    EpochRenewed { from: &'a str, to: &'a str },
}

impl Act<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Approval(_) => "approval",
            Self::ApprovalRefused { .. } => "approval_refused",
            Self::BarsImport { .. } => "bars_import",
            Self::BarsFetch { .. } => "bars_fetch",
            Self::WatchlistChange { .. } => "watchlist_change",
            Self::Revocation { .. } => "revocation",
            Self::EpochRenewed { .. } => "epoch_renewed",
        }
    }

    fn details(&self) -> Value {
        match self {
            Self::Approval(approval) => json!({
                "note": approval.note,
                "signal_id": approval.signal_id,
                "status": approval.approved_status,
            }),
            Self::ApprovalRefused {
                proposal,
                reason,
                current,
            } => {
                let ids = proposal.conditions.iter().flatten().take(MAX_CONDITIONS);
                let ids = ids.map(|id| plain(&id.0).chars().take(MAX_ID_CHARS).collect());
                json!({
                    "current": current,
                    "expected": ids.collect::<Vec<String>>(),
                    "note": proposal.note,
                    "reason": reason,
                    "status": proposal.status,
                })
            }
            Self::BarsImport {
                counts,
                rejected,
                bars,
            } => of_bars(counts, *rejected, bars),
            Self::BarsFetch {
                provider,
                counts,
                rejected,
                bars,
            } => {
                let mut details = of_bars(counts, *rejected, bars);
                details["provider"] = provider.as_str().into();
                details
            }
            Self::WatchlistChange { symbols, own } => json!({
                "source": if *own { "desk" } else { "config" },
                "symbols": symbols,
            }),
            Self::Revocation {
                sub,
                before,
                reason,
            } => json!({ "before": before, "reason": reason, "user": sub }),
            Self::EpochRenewed { from, to } => json!({ "from": from, "to": to }),
        }
    }
}

fn of_bars(counts: &BarCounts, rejected: u32, bars: &[Bar]) -> Value {
    json!({
        "accepted": counts.accepted,
        "first": bars.first().map(|bar| bar.date),
        "last": bars.last().map(|bar| bar.date),
        "rejected": rejected,
        "replaced": counts.replaced,
        "sha256": digest(bars),
        "unchanged": counts.unchanged,
    })
}

/// The end of a room's record, where the next row goes.
#[derive(Debug)]
pub(super) struct Chain {
    room: RoomName,
    tip: Tip,
}

impl Chain {
    /// Of a room that was never created.
    pub(super) fn empty(room: &RoomName) -> Self {
        Self {
            room: room.clone(),
            tip: Tip {
                head: Head::START,
                since: 0,
            },
        }
    }

    pub(super) fn restore(room: &RoomName, sql: &dyn Sql) -> Result<Self, SqlError> {
        Ok(Self {
            room: room.clone(),
            tip: audit::tip(sql)?,
        })
    }

    /// The newest row; none before the first.
    pub(super) fn tip(&self) -> Option<Tip> {
        (self.tip.head.n > 0).then_some(self.tip)
    }

    /// Puts something on record, in the transaction of `fx`.
    pub(super) fn record(&mut self, by: &Caller, act: &Act<'_>, now: Millis, fx: &mut Effects) {
        let mut record = Record {
            action: act.name().to_owned(),
            at: now,
            details: canonical(&act.details()).expect("an act says whole numbers and text"),
            hash: Hash::ZERO,
            ip: by.ip.clone(),
            n: self.tip.head.n + 1,
            prev: self.tip.head.hash,
            role: by.role.as_str().to_owned(),
            room: self.room.clone(),
            sub: by.sub.clone(),
            user_agent: by.user_agent.clone(),
            v: VERSION,
        };
        record.hash = record.computed_hash();
        self.tip.head = Head {
            n: record.n,
            hash: record.hash,
        };
        if matches!(act, Act::EpochRenewed { .. }) {
            self.tip.since = record.n;
        }
        fx.writes.extend(audit::append(&record, self.tip.since));
    }
}

/// SHA-256 over the bars in order, of each its date as text and its open, high, low, close and
/// volume as big-endian IEEE 754 doubles.
fn digest(bars: &[Bar]) -> Hash {
    let mut bytes = Vec::with_capacity(bars.len() * 50);
    for bar in bars {
        bytes.extend(bar.date.to_string().bytes());
        for number in [bar.open, bar.high, bar.low, bar.close, bar.volume] {
            bytes.extend(number.to_be_bytes());
        }
    }
    Hash::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same bytes hashed elsewhere, as `docs/audit.md` tells to.
    #[test]
    fn bars_have_the_documented_digest() {
        let bar = |date: &str, [open, high, low, close, volume]: [f64; 5]| Bar {
            date: date.parse().expect("a date"),
            open,
            high,
            low,
            close,
            volume,
        };
        let bars = [
            bar("2026-05-04", [1.5, 2.0, 0.1, 1.25, 1e6]),
            bar("2026-05-05", [1.25, 1.3, 1.2, 1.3, 0.0]),
        ];
        assert_eq!(
            digest(&bars).to_string(),
            "4337219e4ed17d2bf53b5dcf3b8271e006ff7b311d17474ddfa8c6f341d93af2"
        );
    }
}
