//! The feed: everybody's events in one order, and what lists and the city state are read from.
//!
//! Invariant: an event is known by (source, epoch, seq) for ever; receiving it twice is
//! receiving it once.

use chrono::Days;

use super::call::{Ack, Carried, City, Plan, Position, Push, Reject, RoomState, Stale, Trusts};
use super::effects::Effects;
use super::log::{Fresh, Log};
use super::name::RoomName;
use super::{Failure, Published};
use crate::signals::city::{CityMood, desk, mean_trust};
use crate::store::audit::{self, Tip};
use crate::store::feed::{self, Source};
use crate::store::{Sql, SqlError};
use crate::symbol::Symbol;
use crate::time::Millis;

/// How long changes are gathered before the city state is looked at again, milliseconds.
const CITY_DELAY: i64 = 1_000;

/// Symbols one run computes, at most; the rest is left for the next.
const MAX_PLANNED: i64 = 900;

/// How late an alarm may be before it counts as lost, milliseconds. No wait of a room is longer.
pub(super) const LATE: i64 = 60_000;

/// After how long without a word a room is looked at, milliseconds: what it owes would have come.
const LOOK_AFTER: i64 = 60 * MINUTE;

/// Milliseconds.
const MINUTE: i64 = 60_000;

/// Rooms one run looks at, at most; the rest is left for the next.
const MAX_LOOKED_AT: i64 = 20;

/// After how many days without a bar a symbol is stale: exchanges rest for at most four in a row,
/// and the fifth brings its bar at its end.
const STALE_AFTER_DAYS: u64 = 5;

/// Stale symbols one run names, at most.
const MAX_STALE: u32 = 100;

/// What the feed holds in memory.
#[derive(Debug)]
pub(super) struct Feed {
    city: City,
    city_due: Option<Millis>,
}

impl Feed {
    pub(super) fn empty() -> Self {
        Self {
            city: describe(None, 0),
            city_due: None,
        }
    }

    pub(super) fn restore(sql: &dyn Sql) -> Result<Self, SqlError> {
        Ok(feed::city(sql)?.map_or_else(Self::empty, |(city, city_due)| Self { city, city_due }))
    }

    pub(super) fn city(&self) -> &City {
        &self.city
    }

    pub(super) fn next_deadline(&self) -> Option<Millis> {
        self.city_due
    }

    /// Takes over what is new in a batch; the answer says what is held now.
    pub(super) fn receive(
        &mut self,
        push: &Push,
        log: &mut Log,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<(Ack, Vec<Published>), Failure> {
        let RoomName::Symbol(symbol) = &push.source else {
            return Err(Reject::Misdirected.into());
        };
        let known = feed::source(&push.source, sql)?;
        let mut source = match &known {
            Some(known) if known.epoch == push.epoch => known.clone(),
            Some(ended) => {
                let older = push.born < ended.born;
                if older || feed::is_retired(&push.source, &push.epoch, sql)? {
                    return Err(Reject::RetiredEpoch.into());
                }
                fx.write(feed::retire(&push.source, &ended.epoch));
                retire_ancestors(push, fx);
                forget_what_no_backup_holds(push, &ended.epoch, sql, fx)?;
                Source {
                    seq: common(ended, &push.lineage),
                    feed_seq: ended.feed_seq,
                    ..unheard_of(push)
                }
            }
            None => {
                retire_ancestors(push, fx);
                unheard_of(push)
            }
        };
        let goes_on = known.as_ref().is_some_and(|it| it.epoch == push.epoch);
        if let Some(Tip { head, .. }) = push.audit
            && (!goes_on || audit::witnessed(&push.source, sql)? < head.n)
        {
            fx.write(audit::witness(&push.source, &push.epoch, &head));
        }
        let mut published = Vec::new();
        for entry in &push.entries {
            if entry.seq <= source.seq {
                continue;
            }
            // Anything else is a gap: the acknowledgement tells the source where to go on.
            if entry.seq != (source.seq + 1).max(push.floor) {
                break;
            }
            let event = Fresh {
                kind: entry.kind,
                symbol,
                data: &entry.data,
                signal: None,
            };
            let frame = log.append(&event, i64::MAX, now, fx);
            fx.writes.extend(feed::apply(symbol, entry, log.top())?);
            source.seq = entry.seq;
            source.feed_seq = log.top();
            published.push(Published {
                kind: entry.kind,
                symbol: symbol.clone(),
                frame,
            });
        }
        if push.state.version > source.state.version {
            if push.state.trusts != known.as_ref().and_then(|known| known.state.trusts) {
                self.city_due.get_or_insert(now.plus(CITY_DELAY));
                fx.write(feed::save_city(&self.city, self.city_due));
            }
            source.state = push.state;
        }
        if known.as_ref() != Some(&source) {
            fx.write(feed::save_source(&push.source, &source, now));
        }
        let position = Position {
            epoch: log.epoch().to_owned(),
            seq: source.feed_seq,
        };
        Ok((
            Ack {
                seq: source.seq,
                version: source.state.version,
                carried: Carried {
                    seq: push.entries.last().map_or(0, |entry| entry.seq),
                    version: push.state.version,
                },
                position,
            },
            published,
        ))
    }

    /// What a run has to do. A room that is handed out to be looked at is not again for a while.
    pub(super) fn plan(
        &self,
        watchlist: &[Symbol],
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<Plan, SqlError> {
        let mut look = feed::unheard(now.plus(-LOOK_AFTER), MAX_LOOKED_AT, sql)?;
        if !look.is_empty() {
            fx.write(feed::looked_at(&look, now));
        }
        let known = feed::known(watchlist, sql)?;
        let unknown = watchlist.iter().filter(|symbol| !known.contains(symbol));
        let unknown: Vec<Symbol> = unknown.cloned().collect();
        let due = now.date() - Days::new(STALE_AFTER_DAYS);
        let mut stale = feed::stale(due, MAX_STALE.into(), sql)?;
        stale.extend(unknown.iter().map(|symbol| Stale {
            symbol: symbol.clone(),
            last_bar: None,
        }));
        stale.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        stale.truncate(MAX_STALE as usize);
        // Of what the feed has not heard, it cannot know when it was last looked at.
        if now.0.rem_euclid(LOOK_AFTER) < MINUTE {
            look.extend(unknown);
        }
        Ok(Plan {
            dirty: feed::dirty(MAX_PLANNED, sql)?,
            stale,
            overdue: self.city_due.is_some_and(|at| at.plus(LATE) < now),
            look,
        })
    }

    /// Looks at the city state if something changed; true when it is another one now.
    pub(super) fn refresh_city(
        &mut self,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<bool, SqlError> {
        if self.city_due.is_none() {
            return Ok(false);
        }
        let all = feed::all_trusts(sql)?;
        let sum = |part: fn(&Trusts) -> f64| all.iter().map(part).sum::<f64>();
        let means = desk(
            sum(|t| t.unslug),
            sum(|t| t.fear),
            sum(|t| t.flow),
            all.len(),
        );
        let city = describe(means, all.len());
        let changed = city != self.city;
        self.city = city;
        self.city_due = None;
        fx.write(feed::save_city(&self.city, None));
        Ok(changed)
    }
}

fn retire_ancestors(push: &Push, fx: &mut Effects) {
    for ancestor in &push.lineage {
        fx.write(feed::retire(&push.source, &ancestor.epoch));
    }
}

/// A log that goes on under a new epoch goes on from a backup, and so does its record: what that
/// has not got was not cut off by somebody. A log without an ancestor that was heard of was lost,
/// and its record is missed for ever.
fn forget_what_no_backup_holds(
    push: &Push,
    ended: &str,
    sql: &dyn Sql,
    fx: &mut Effects,
) -> Result<(), SqlError> {
    let Some(tip) = push.audit.filter(|tip| tip.since > 0) else {
        return Ok(());
    };
    let ancestors: Vec<&str> = push.lineage.iter().map(|it| it.epoch.as_str()).collect();
    let mut heard_of = ancestors.contains(&ended);
    for epoch in &ancestors {
        heard_of = heard_of || feed::is_retired(&push.source, epoch, sql)?;
    }
    if heard_of {
        let epochs = [&ancestors[..], &[ended]].concat();
        fx.write(audit::forget_from(&push.source, tip.since, &epochs));
    }
    Ok(())
}

/// What is known of a source at its first batch.
fn unheard_of(push: &Push) -> Source {
    Source {
        epoch: push.epoch.clone(),
        born: push.born,
        seq: 0,
        feed_seq: 0,
        state: RoomState {
            version: 0,
            dirty: false,
            trusts: None,
            last_bar: None,
        },
    }
}

/// Up to where a log that goes on under a new epoch is what the feed holds of the one that ended.
/// A log without ancestors was lost and begins anew.
fn common(ended: &Source, lineage: &[Position]) -> i64 {
    let Some(newest) = lineage.last() else {
        return 0;
    };
    let known = lineage.iter().position(|it| it.epoch == ended.epoch);
    // An epoch that a backup brought to an end twice is in no lineage.
    let shared = known.map_or(std::slice::from_ref(newest), |known| &lineage[known..]);
    let seqs = shared.iter().map(|ancestor| ancestor.seq);
    seqs.fold(ended.seq, i64::min)
}

/// The city state in words and numbers.
fn describe(means: Option<(f64, f64, f64, CityMood)>, symbols: usize) -> City {
    let Some((unslug, fear, flow, mood)) = means else {
        return City {
            city_state: None,
            unslug_trust: None,
            fear_trust: None,
            flow_trust: None,
            notes: "No symbol has all three scores yet.".to_owned(),
        };
    };
    let mean = mean_trust(unslug, fear, flow);
    City {
        city_state: Some(mood),
        unslug_trust: Some(unslug),
        fear_trust: Some(fear),
        flow_trust: Some(flow),
        notes: format!(
            "Mean trust {mean:.3} over {symbols} symbol{}.",
            if symbols == 1 { "" } else { "s" }
        ),
    }
}
