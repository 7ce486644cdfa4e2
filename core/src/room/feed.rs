//! The feed: everybody's events in one order, and what lists and the city state are read from.
//!
//! Invariant: an event is known by (source, epoch, seq) for ever; receiving it twice is
//! receiving it once.

use super::call::{Ack, Carried, City, Position, Push, Reject, RoomState, Trusts};
use super::effects::Effects;
use super::log::{Fresh, Log};
use super::name::RoomName;
use super::{Failure, Published};
use crate::signals::city::{CityMood, desk, mean_trust};
use crate::store::feed::{self, Source};
use crate::store::{Sql, SqlError};
use crate::time::Millis;

/// How long changes are gathered before the city state is looked at again, milliseconds.
const CITY_DELAY: i64 = 1_000;

/// Symbols one run looks at, at most; the rest is left for the next.
pub(super) const MAX_PLANNED: i64 = 900;

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
        let same_log = known
            .as_ref()
            .is_some_and(|source| source.epoch == push.epoch);
        let mut source = known
            .clone()
            .filter(|_| same_log)
            .unwrap_or_else(|| Source {
                epoch: push.epoch.clone(),
                seq: 0,
                feed_seq: 0,
                state: RoomState {
                    version: 0,
                    dirty: false,
                    trusts: None,
                },
            });
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
            fx.write(feed::save_source(&push.source, &source));
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
