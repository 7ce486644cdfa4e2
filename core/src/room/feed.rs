//! The feed: everybody's events in one order, and what lists and the city state are read from.
//!
//! Invariant: an event is known by (source, epoch, seq) for ever; receiving it twice is
//! receiving it once.

use std::collections::BTreeMap;

use super::call::{
    Ack, Carried, City, Finished, Market, Plan, Planning, Position, Push, Reject, Reply, RoomState,
    RunReport, Stale, Trusts,
};
use super::effects::Effects;
use super::log::{Fresh, Log};
use super::name::RoomName;
use super::{Failure, Published, supply};
use crate::calendar;
use crate::market::mood::{Inputs, mood};
use crate::signals::city::{CityMood, desk, mean_trust};
use crate::store::audit::{self, Tip};
use crate::store::feed::{self, Source};
use crate::store::{Sql, SqlError, market, runs};
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

/// Stale symbols one run names, at most.
const MAX_STALE: u32 = 100;

/// What the feed holds in memory.
#[derive(Debug)]
pub(super) struct Feed {
    city: City,
    city_due: Option<Millis>,
    market: Option<Market>,
    /// Runs under way, and until when they are believed to be: who carries one out may die.
    runs: BTreeMap<String, Millis>,
}

impl Feed {
    pub(super) fn empty() -> Self {
        Self {
            city: describe(None, 0),
            city_due: None,
            market: None,
            runs: BTreeMap::new(),
        }
    }

    /// Whether a run is under way.
    pub(super) fn has_run(&self, now: Millis) -> bool {
        self.runs.values().any(|until| now < *until)
    }

    pub(super) fn restore(sql: &dyn Sql) -> Result<Self, SqlError> {
        let mut feed = Self::empty();
        if let Some((city, due)) = feed::city(sql)? {
            feed.city = city;
            feed.city_due = due;
        }
        feed.market = market::mood(sql)?;
        Ok(feed)
    }

    pub(super) fn market(&self) -> Option<&Market> {
        self.market.as_ref()
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
            source.state = push.state.clone();
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
        &mut self,
        planning: &Planning,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<Plan, SqlError> {
        let (watchlist, _) = supply::watched(&planning.watchlist, sql)?;
        let mut plan = Plan {
            overdue: self.city_due.is_some_and(|at| at.plus(LATE) < now),
            ..Plan::default()
        };
        if planning.only.is_none() {
            plan.dirty = feed::dirty(MAX_PLANNED, sql)?;
            plan.look = feed::unheard(now.plus(-LOOK_AFTER), MAX_LOOKED_AT, sql)?;
        }
        if !plan.look.is_empty() {
            fx.write(feed::looked_at(&plan.look, now));
        }
        let known = feed::known(&watchlist, sql)?;
        let unknown = watchlist.iter().filter(|symbol| !known.contains(symbol));
        let unknown: Vec<Symbol> = unknown.cloned().collect();
        plan.stale = stale(&unknown, now, sql)?;
        // Of what the feed has not heard, it cannot know when it was last looked at.
        if planning.only.is_none() && now.0.rem_euclid(LOOK_AFTER) < MINUTE {
            plan.look.extend(unknown);
        }
        supply::hand_out(planning, &watchlist, &mut plan, now, sql, fx)?;
        let work = plan.dirty.len() + plan.fetch.len() + plan.series.len();
        if let Some(run) = planning.run.as_ref().filter(|_| work > 0) {
            let report = RunReport {
                id: run.id.clone(),
                cron: run.cron.clone(),
                started_at: now,
                planned: plan.dirty.len(),
                ..RunReport::default()
            };
            fx.writes.extend(runs::keep(&report, false));
            self.runs.retain(|_, until| now < *until);
            if work > 1 {
                self.runs.insert(run.id.clone(), now.plus(supply::CLAIM));
            }
        }
        Ok(plan)
    }

    /// Keeps what a run did, with the city state as it is then.
    pub(super) fn keep_run(
        &mut self,
        mut finished: Finished,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<Reply, SqlError> {
        self.runs.remove(&finished.report.id);
        supply::settle(&finished, now, sql, fx)?;
        let report = &mut finished.report;
        let (watchlist, _) = supply::watched(&finished.watchlist, sql)?;
        let known = feed::known(&watchlist, sql)?;
        let unknown: Vec<Symbol> = watchlist
            .into_iter()
            .filter(|it| !known.contains(it))
            .collect();
        report.stale = stale(&unknown, now, sql)?;
        report.city = Some(self.city.clone());
        report.ended_at = Some(now);
        report.duration_ms = Some((now.0 - report.started_at.0).max(0));
        for outcome in &mut report.outcomes {
            outcome.fetched = false;
            outcome.validator = None;
        }
        for outcome in &mut report.series {
            outcome.values = Vec::new();
            outcome.validator = None;
        }
        if !report.id.is_empty() {
            fx.writes.extend(runs::keep(report, report.is_idle()));
        }
        Ok(Reply::Finished(Box::new(finished.report)))
    }

    /// Finds the market's mood anew, with what a run brought; true when it is another one now.
    pub(super) fn refresh_market(
        &mut self,
        finished: &Finished,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<bool, SqlError> {
        if finished.report.is_idle() {
            return Ok(false);
        }
        let mut series = market::series(sql)?;
        for outcome in &finished.report.series {
            if !outcome.values.is_empty() {
                let held = series.remove(&outcome.series).unwrap_or_default();
                series.insert(outcome.series, supply::merged(held, &outcome.values));
            }
        }
        let benchmark = match &finished.benchmark {
            Some(closes) => closes.clone(),
            None => market::benchmark(sql)?,
        };
        let (watchlist, _) = supply::watched(&finished.watchlist, sql)?;
        let mood = mood(&Inputs {
            series: &series,
            benchmark: &benchmark,
            marks: &market::marks(&watchlist, sql)?,
            due: calendar::newest_due(now),
        });
        let unknown = mood.components.iter().all(|it| it.score.is_none());
        match &self.market {
            Some(known) if known.mood == mood => return Ok(false),
            None if unknown => return Ok(false),
            Some(_) | None => {}
        }
        let market = Market {
            mood,
            updated_at: Some(now),
        };
        fx.write(market::save_mood(&market));
        self.market = Some(market);
        Ok(true)
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

/// Whose due bar is missing, with those of whom nothing was ever heard.
fn stale(unknown: &[Symbol], now: Millis, sql: &dyn Sql) -> Result<Vec<Stale>, SqlError> {
    let mut all = feed::stale(calendar::newest_due(now), MAX_STALE.into(), sql)?;
    all.extend(unknown.iter().map(|symbol| Stale {
        symbol: symbol.clone(),
        last_bar: None,
    }));
    all.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    all.truncate(MAX_STALE as usize);
    Ok(all)
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
        state: RoomState::default(),
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
