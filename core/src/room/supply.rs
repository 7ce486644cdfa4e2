//! How the feed sees to data: what is wanted, who works at it, and how it went.
//!
//! Invariant: nothing is marked as done but by what a symbol's room says it has. Errands and claims
//! only say when to try again.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};

use super::call::{
    Errand, Finished, Grant, Means, Outcome, Page, Plan, Planning, ProviderReport, RoomState,
    SeriesErrand, SeriesOutcome, Slice, SymbolOutcome, SymbolSupply, WatchlistSource,
};
use super::effects::Effects;
use super::name::RoomName;
use crate::calendar::{self, HISTORY_START};
use crate::market::provider::{Provider, Validator};
use crate::market::series::{Observation, Series};
use crate::rate::Rate;
use crate::store::errands::{self, Standing, Target};
use crate::store::{Sql, SqlError, feed, market, watchlist};
use crate::symbol::Symbol;
use crate::time::Millis;

/// Milliseconds.
const MINUTE: i64 = 60_000;

/// How long a run has what it was handed out, milliseconds.
pub(super) const CLAIM: i64 = 5 * MINUTE;

/// How long before a bar is asked for again that was not there, milliseconds.
const LATE_RETRY: i64 = 10 * MINUTE;

/// The longest wait after failures, milliseconds.
const MAX_BACKOFF: i64 = 15 * MINUTE;

/// Nothing is due later than that, milliseconds: no closure of the exchange is longer.
const LONGEST_WAIT: i64 = 7 * 24 * 60 * MINUTE;

/// No provider is left alone for longer, milliseconds.
const LONGEST_BLOCK: i64 = 24 * 60 * MINUTE;

/// How often a series is looked at, milliseconds: its values come once a day, at no fixed hour.
const SERIES_EVERY: i64 = 60 * MINUTE;

/// Days of a series that are asked for at first: over a year's percentiles of a 50-day mean.
const SERIES_DAYS: u64 = 2 * 366;

/// Days back to which a series is wanted that has a file a day: 256 sessions are in them.
const BY_DAY: u64 = 385;

/// Files of such a series that one run asks for.
const DAYS_AT_ONCE: usize = 40;

/// Values of a series that are kept.
const SERIES_KEPT: usize = 600;

/// Days before the newest bar that are asked for again: what a provider corrects or adjusts shows
/// there.
const OVERLAP: Days = Days::new(10);

/// Symbols one run fetches, at most.
const MAX_FETCHED: usize = 2_000;

/// From which date a symbol's bars are wanted, and from when on.
fn wanted(
    state: Option<&RoomState>,
    fetched_at: Option<Millis>,
    intraday: i64,
    now: Millis,
) -> (NaiveDate, Millis) {
    let Some((state, last)) = state
        .filter(|state| state.filled)
        .and_then(|state| Some((state, state.last_bar?)))
    else {
        let again = fetched_at.map_or(Millis(0), |at| at.plus(LATE_RETRY));
        return (HISTORY_START, again);
    };
    let from = state.missing.map_or(last, |missing| missing.min(last));
    let from = from - OVERLAP;
    let unconfirmed = state.provisional && calendar::final_at(last) <= now;
    if last < calendar::newest_due(now) || unconfirmed || state.missing.is_some() {
        // What was fetched after it was due and did not bring it is not asked for every minute.
        let due = calendar::final_at(calendar::newest_due(now));
        let again = fetched_at.filter(|at| *at >= due);
        return (from, again.map_or(Millis(0), |at| at.plus(LATE_RETRY)));
    }
    let ahead = calendar::sessions(now.date(), now.date() + Days::new(14));
    let next = ahead
        .filter_map(calendar::session)
        .find_map(|session| {
            let end = calendar::final_at(session.date);
            if end <= now {
                return None;
            }
            let next_look = || match fetched_at {
                Some(at) if at >= session.open => {
                    Millis(at.0 - at.0.rem_euclid(MINUTE)).plus(intraday)
                }
                Some(_) | None => session.open.plus(intraday),
            };
            Some(if intraday == 0 {
                end
            } else {
                next_look().min(end)
            })
        })
        .unwrap_or_else(|| now.plus(MAX_BACKOFF));
    (from, next)
}

/// How long to wait after so many failures in a row, milliseconds.
fn backoff(failures: u32) -> i64 {
    (MINUTE << failures.saturating_sub(1).min(10)).min(MAX_BACKOFF)
}

/// The watchlist and whose it is.
pub(super) fn watched(
    configured: &[Symbol],
    sql: &dyn Sql,
) -> Result<(Vec<Symbol>, WatchlistSource), SqlError> {
    Ok(match watchlist::own(sql)? {
        Some(own) => (own, WatchlistSource::Desk),
        None => {
            let unique: BTreeSet<&Symbol> = configured.iter().collect();
            let all = unique.into_iter().cloned().collect();
            (all, WatchlistSource::Config)
        }
    })
}

fn state(symbol: &Symbol, sql: &dyn Sql) -> Result<Option<RoomState>, SqlError> {
    let source = feed::source(&RoomName::Symbol(symbol.clone()), sql)?;
    Ok(source.map(|source| source.state))
}

/// Hands out what is to be fetched, with a claim on it.
pub(super) fn hand_out(
    planning: &Planning,
    watchlist: &[Symbol],
    plan: &mut Plan,
    now: Millis,
    sql: &dyn Sql,
    fx: &mut Effects,
) -> Result<(), SqlError> {
    let Some(means) = &planning.means else {
        return Ok(());
    };
    let mut budget = means.subrequests.saturating_sub(Means::OVERHEAD);
    let has = |target: &Target| match target {
        Target::Symbol(_) => means.providers.iter().any(|it| it.has_bars()),
        Target::Series(series) => means
            .providers
            .iter()
            .any(|it| series.providers().contains(it)),
    };
    let candidates = match &planning.only {
        Some(only) => standings(only.iter().cloned().map(Target::Symbol), sql)?,
        None => due(watchlist, has, now, sql, fx)?,
    };
    let mut symbols = Vec::new();
    let mut requests = 0;
    for standing in candidates {
        match standing.target.clone() {
            Target::Series(series) => {
                // Symbols come first: a file a day takes no more than a quarter.
                let days = usize::try_from(budget / 4).unwrap_or(usize::MAX);
                let errand = series_errand(series, &standing, days.max(1), now, sql)?;
                let cost = u32::try_from(errand.days.len().max(1)).unwrap_or(u32::MAX);
                if series.is_by_day() && errand.days.is_empty() {
                    let due_at = now.plus(SERIES_EVERY);
                    fx.write(Standing { due_at, ..standing }.save());
                } else if cost <= budget {
                    budget -= cost;
                    requests += cost;
                    plan.series.push(errand);
                    claim(standing, now, fx);
                }
            }
            Target::Symbol(symbol) => {
                let state = state(&symbol, sql)?;
                let intraday = i64::from(means.intraday_minutes) * MINUTE;
                // The clock may have been set back since.
                let fetched_at = standing.fetched_at.filter(|at| *at <= now);
                let (from, at) = wanted(state.as_ref(), fetched_at, intraday, now);
                if planning.only.is_none() && at > now {
                    let due_at = at;
                    fx.write(Standing { due_at, ..standing }.save());
                    continue;
                }
                let from = if planning.backfill {
                    HISTORY_START
                } else {
                    from
                };
                let dirty = state.as_ref().is_some_and(|state| state.dirty);
                let unconditional = planning.backfill || !may_be_unchanged(state.as_ref(), now);
                let validator = standing.validator.clone().filter(|_| !unconditional);
                let errand = Errand {
                    symbol,
                    from,
                    dirty,
                    validator,
                    anew: planning.backfill,
                };
                symbols.push((errand, standing));
            }
        }
    }
    // Whatever is to be fetched is computed then.
    let fetching: BTreeSet<&Symbol> = symbols.iter().map(|(errand, _)| &errand.symbol).collect();
    let (joined, mut alone): (Vec<Symbol>, Vec<Symbol>) = std::mem::take(&mut plan.dirty)
        .into_iter()
        .partition(|it| fetching.contains(it));
    let calls = usize::try_from(budget).unwrap_or(usize::MAX);
    // Neither leaves nothing for the others.
    alone.truncate(calls - calls / 4);
    plan.look.truncate((calls - alone.len()) / 2);
    let computing = u32::try_from(alone.len() + plan.look.len()).unwrap_or(u32::MAX);
    // Two of each: what is fetched, and the room that gets it.
    let affordable = budget.saturating_sub(computing) / 2;
    let wanted = u32::try_from(symbols.len()).unwrap_or(u32::MAX);
    plan.grants = grants(means, wanted.min(affordable), requests, now, sql, fx)?;
    let granted = plan
        .grants
        .iter()
        .filter(|grant| grant.provider.has_bars())
        .map(|grant| grant.requests)
        .fold(0, u32::saturating_add);
    let most = usize::try_from(affordable.min(granted)).unwrap_or(usize::MAX);
    let most = most.min(MAX_FETCHED).min(symbols.len());
    plan.deferred = symbols.len() - most;
    // What was sent is computed all the same, as far as this run's calls go.
    let late = symbols.iter().skip(most);
    let late: BTreeSet<&Symbol> = late.map(|(errand, _)| &errand.symbol).collect();
    let spare = usize::try_from(affordable).unwrap_or(usize::MAX) - most;
    let joined = joined.into_iter().filter(|it| late.contains(it));
    alone.extend(joined.take(spare));
    alone.sort();
    plan.dirty = alone;
    symbols.truncate(most);
    for (errand, standing) in symbols {
        plan.fetch.push(errand);
        claim(standing, now, fx);
    }
    Ok(())
}

/// Whether somebody works at it. No claim is longer, unless the clock was set back.
fn is_claimed(standing: &Standing, now: Millis) -> bool {
    now < standing.claimed_until && standing.claimed_until <= now.plus(CLAIM)
}

/// Whether the answer that nothing changed is of use: what is held is whole, and nothing becomes
/// final by being seen once more.
fn may_be_unchanged(state: Option<&RoomState>, now: Millis) -> bool {
    let confirms = |state: &RoomState| {
        let is_final = |last| calendar::final_at(last) <= now;
        state.provisional && state.last_bar.is_some_and(is_final)
    };
    state.is_some_and(|state| state.filled && state.missing.is_none() && !confirms(state))
}

fn claim(standing: Standing, now: Millis, fx: &mut Effects) {
    let claimed_until = now.plus(CLAIM);
    fx.write(
        Standing {
            claimed_until,
            ..standing
        }
        .save(),
    );
}

/// How these stand, what was never tried included.
fn standings(
    targets: impl IntoIterator<Item = Target>,
    sql: &dyn Sql,
) -> Result<Vec<Standing>, SqlError> {
    let unique: BTreeSet<Target> = targets.into_iter().collect();
    let targets: Vec<Target> = unique.into_iter().collect();
    let mut all = errands::of(&targets, sql)?;
    let known: BTreeSet<Target> = all.iter().map(|it| it.target.clone()).collect();
    let new = targets.into_iter().filter(|it| !known.contains(it));
    all.extend(new.map(Standing::new));
    Ok(all)
}

/// What may be tried now and nobody works at, what waits longest first.
fn due(
    watchlist: &[Symbol],
    has: impl Fn(&Target) -> bool,
    now: Millis,
    sql: &dyn Sql,
    fx: &mut Effects,
) -> Result<Vec<Standing>, SqlError> {
    let symbols = watchlist.iter().cloned().map(Target::Symbol);
    let series = Series::ALL.into_iter().map(Target::Series);
    let targets: Vec<Target> = series.chain(symbols).filter(has).collect();
    let others = errands::others(&targets, now, sql)?;
    if !others.is_empty() {
        fx.write(errands::drop(&others));
    }
    let mut all = standings(targets, sql)?;
    // Nothing waits so long, unless the clock was set back.
    let waits = |it: &Standing| it.due_at > now && it.due_at <= now.plus(LONGEST_WAIT);
    all.retain(|it| !waits(it) && !is_claimed(it, now));
    all.sort_by(|a, b| (a.due_at, &a.target).cmp(&(b.due_at, &b.target)));
    Ok(all)
}

fn series_errand(
    series: Series,
    standing: &Standing,
    most_days: usize,
    now: Millis,
    sql: &dyn Sql,
) -> Result<SeriesErrand, SqlError> {
    let held = market::one(series, sql)?;
    let newest = held.last().map(|(date, _)| *date - OVERLAP);
    let from = newest.unwrap_or(now.date() - Days::new(SERIES_DAYS));
    let mut days = match series.is_by_day() {
        true => lacking(&held, now),
        false => Vec::new(),
    };
    days.truncate(DAYS_AT_ONCE.min(most_days));
    Ok(SeriesErrand {
        series,
        from,
        days,
        validator: standing.validator.clone(),
    })
}

/// The sessions of a year and some more that a series has no value of, the newest first.
fn lacking(held: &[Observation], now: Millis) -> Vec<NaiveDate> {
    let held: BTreeSet<NaiveDate> = held.iter().map(|(date, _)| *date).collect();
    let newest = calendar::newest_due(now);
    calendar::sessions(newest - Days::new(BY_DAY), newest)
        .rev()
        .filter(|date| !held.contains(date))
        .collect()
}

/// How often each provider may be asked now; what is granted is taken from its rate.
fn grants(
    means: &Means,
    symbols: u32,
    series: u32,
    now: Millis,
    sql: &dyn Sql,
    fx: &mut Effects,
) -> Result<Vec<Grant>, SqlError> {
    let mut grants = Vec::new();
    for (provider, rate) in means.providers.iter().zip(&means.rates) {
        let mut standing = errands::provider(*provider, sql)?;
        // No block is longer, unless the clock was set back.
        if standing.blocked_until > now && standing.blocked_until <= now.plus(LONGEST_BLOCK) {
            continue;
        }
        // A history that has to be fetched anew takes a second request.
        let wanted = if provider.has_bars() {
            symbols.saturating_mul(2)
        } else {
            series
        };
        let requests = match rate {
            None => wanted,
            Some(per_minute) => {
                let rate = Rate::per_minute(*per_minute);
                let mut taken = 0;
                while taken < wanted
                    && let Ok(bucket) = rate.take(standing.bucket, now)
                {
                    standing.bucket = bucket;
                    taken += 1;
                }
                fx.write(errands::save_provider(*provider, &standing));
                taken
            }
        };
        if requests > 0 {
            grants.push(Grant {
                provider: *provider,
                requests,
            });
        }
    }
    Ok(grants)
}

/// Keeps what a run tells of what it fetched.
pub(super) fn settle(
    finished: &Finished,
    now: Millis,
    sql: &dyn Sql,
    fx: &mut Effects,
) -> Result<(), SqlError> {
    let Some(means) = &finished.means else {
        return Ok(());
    };
    let intraday = i64::from(means.intraday_minutes) * MINUTE;
    let fetched = finished.report.outcomes.iter().filter(|it| it.fetched);
    // A run that took too long has lost its claims, and somebody else may have them now.
    let own_until = finished.report.started_at.plus(CLAIM + MINUTE);
    let freed = |claimed: Millis| Some(claimed).filter(|at| *at > own_until);
    for outcome in fetched {
        let target = Target::Symbol(outcome.symbol.clone());
        let standing = errands::of(std::slice::from_ref(&target), sql)?.pop();
        let standing = standing.unwrap_or_else(|| Standing::new(target));
        let claimed_until = freed(standing.claimed_until).unwrap_or_default();
        let mut after = settled(standing, &told_of_symbol(outcome), claimed_until, now);
        if after.failures == 0 && after.fetched_at == Some(now) {
            let state = state(&outcome.symbol, sql)?;
            after.due_at = wanted(state.as_ref(), Some(now), intraday, now).1;
        }
        fx.write(after.save());
    }
    for outcome in &finished.report.series {
        let target = Target::Series(outcome.series);
        let standing = errands::of(std::slice::from_ref(&target), sql)?.pop();
        let standing = standing.unwrap_or_else(|| Standing::new(target));
        let claimed_until = freed(standing.claimed_until).unwrap_or_default();
        let mut after = settled(standing, &told_of_series(outcome), claimed_until, now);
        let mut again = SERIES_EVERY;
        if !outcome.values.is_empty() {
            let held = market::one(outcome.series, sql)?;
            let all = merged(held, &outcome.values);
            fx.write(market::save(outcome.series, &all));
            if outcome.series.is_by_day() && !lacking(&all, now).is_empty() {
                again = MINUTE;
            }
        }
        if after.failures == 0 && after.fetched_at == Some(now) {
            after.due_at = now.plus(again);
        }
        fx.write(after.save());
    }
    for report in &finished.providers {
        let standing = judged(report, now, sql)?;
        fx.write(errands::save_provider(report.provider, &standing));
    }
    if let Some(closes) = &finished.benchmark {
        fx.write(market::save_benchmark(closes));
    }
    Ok(())
}

/// What an outcome means for the next try.
struct Told<'a> {
    outcome: Outcome,
    provider: Option<Provider>,
    error: Option<&'a str>,
    validator: Option<&'a Validator>,
}

fn told_of_symbol(outcome: &SymbolOutcome) -> Told<'_> {
    Told {
        outcome: outcome.outcome,
        provider: outcome.provider,
        error: outcome.error.as_deref(),
        validator: outcome.validator.as_ref(),
    }
}

fn told_of_series(outcome: &SeriesOutcome) -> Told<'_> {
    Told {
        outcome: outcome.outcome,
        provider: outcome.provider,
        error: outcome.error.as_deref(),
        validator: outcome.validator.as_ref(),
    }
}

fn settled(standing: Standing, told: &Told<'_>, claimed_until: Millis, now: Millis) -> Standing {
    // Nobody was asked; what was sent may have been computed all the same.
    let unasked = told.provider.is_none() && told.error.is_none();
    if unasked || told.outcome == Outcome::Deferred {
        return Standing {
            claimed_until,
            ..standing
        };
    }
    // Who had nothing of use is not named; its bars may have been computed all the same.
    let Some(provider) = told.provider else {
        let failures = standing.failures.saturating_add(1);
        return Standing {
            claimed_until,
            failures,
            due_at: now.plus(backoff(failures)),
            error: told.error.map(str::to_owned),
            ..standing
        };
    };
    Standing {
        claimed_until,
        failures: 0,
        error: None,
        provider: Some(provider),
        fetched_at: Some(now),
        validator: told.validator.cloned(),
        ..standing
    }
}

/// Those held and those that came; of a date that is in both, what came.
pub(super) fn merged(held: Vec<Observation>, came: &[Observation]) -> Vec<Observation> {
    let mut all: std::collections::BTreeMap<NaiveDate, f64> = held.into_iter().collect();
    all.extend(came.iter().copied());
    let skip = all.len().saturating_sub(SERIES_KEPT);
    all.into_iter().skip(skip).collect()
}

fn judged(
    report: &ProviderReport,
    now: Millis,
    sql: &dyn Sql,
) -> Result<errands::ProviderStanding, SqlError> {
    let mut standing = errands::provider(report.provider, sql)?;
    if report.outage {
        standing.failures = standing.failures.saturating_add(1);
        let wait = report.retry_after.unwrap_or(backoff(standing.failures));
        standing.blocked_until = standing.blocked_until.max(now.plus(wait));
    } else if report.answered {
        // What another run was told to leave alone stays so.
        standing.failures = 0;
    }
    Ok(standing)
}

/// What is known of symbols' data, by name.
pub(super) fn list(
    configured: &[Symbol],
    fetching: bool,
    page: Page,
    now: Millis,
    sql: &dyn Sql,
) -> Result<(Slice<SymbolSupply>, WatchlistSource), SqlError> {
    let (watchlist, source) = watched(configured, sql)?;
    let watched: BTreeSet<&Symbol> = watchlist.iter().collect();
    let known = feed::sources_after(None, u32::MAX, sql)?;
    let all: BTreeSet<&Symbol> = known.iter().chain(&watchlist).collect();
    let shown = usize::try_from(page.cursor.unwrap_or(0)).unwrap_or(usize::MAX);
    let limit = page.limit as usize;
    let mut items = Vec::new();
    for symbol in all.iter().skip(shown).take(limit) {
        let fetched = fetching && watched.contains(*symbol);
        let target = Target::Symbol((*symbol).clone());
        let standing = errands::of(std::slice::from_ref(&target), sql)?.pop();
        let standing = standing.unwrap_or_else(|| Standing::new(target));
        let state = state(symbol, sql)?.unwrap_or_default();
        items.push(supply(
            symbol,
            watched.contains(*symbol),
            fetched,
            &state,
            standing,
            now,
        ));
    }
    let end = shown.saturating_add(items.len());
    let next = (end < all.len()).then(|| i64::try_from(end).unwrap_or(i64::MAX));
    Ok((Slice { items, next }, source))
}

fn supply(
    symbol: &Symbol,
    watched: bool,
    fetched: bool,
    state: &RoomState,
    standing: Standing,
    now: Millis,
) -> SymbolSupply {
    let due = calendar::newest_due(now);
    let age = |last: NaiveDate| (now.0 - calendar::final_at(last).0).max(0) / 1000;
    let start = (fetched && !state.filled).then_some(HISTORY_START);
    SymbolSupply {
        symbol: symbol.clone(),
        watched,
        first_bar: state.first_bar,
        last_bar: state.last_bar,
        provisional: state.provisional,
        due,
        stale: state.last_bar.is_none_or(|last| last < due),
        data_age: state.last_bar.map(age),
        provider: standing.provider,
        fetched_at: standing.fetched_at,
        next_fetch_at: fetched.then(|| standing.due_at.max(standing.claimed_until).max(now)),
        failures: standing.failures,
        error: standing.error,
        missing_from: state.missing.or(start),
    }
}

#[cfg(test)]
mod tests;
