//! How a symbol's room takes bars that a provider had.
//!
//! Prices are adjusted for splits and dividends, so that every new one changes all bars before it.
//! A provider is therefore asked again for some days that are held: when the oldest of them is
//! another, all of them are, and nothing is kept until the whole history has come. So a split never
//! looks like a crash, and bars of two adjustments are never mixed: what the answer lacks is scaled
//! like the bars around it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days, NaiveDate, TimeDelta, Weekday};

use super::call::{BarCounts, BarRevision, Caller, Computed, Ingest, Ingested, Reply, RoomState};
use super::record::Act;
use super::symbol_room::{SymbolRoom, Turn};
use crate::auth::Role;
use crate::calendar::{self, HISTORY_START};
use crate::signals::{Bar, Past};
use crate::store::{SqlError, bars, history};
use crate::time::Millis;

/// Prices and volumes of one provider that differ by less are the same, relatively: some send
/// single-precision numbers.
const SAME: f64 = 1e-6;

/// Closes of two providers that differ by less are adjusted alike, relatively: they are rounded
/// differently, and dividends are more.
const ALIKE: f64 = 3e-4;

/// How much the ratio of what came to what is held changes from one session to the next, relatively
/// and in the middle of all, if it is another symbol's. An adjustment changes it on a few days, a
/// correction on one; two symbols' ways differ by more than a per cent a day.
const STRANGE: f64 = 5e-3;

/// Changes of that ratio that are looked at, at least.
const MIN_CHANGES: usize = 4;

/// Corrections that are kept one by one, of one answer.
const MAX_CORRECTIONS: usize = 1_000;

/// For how many days a session that a provider lacks is asked for again.
const PATIENCE: Days = Days::new(7);

/// Who is on record for what was fetched.
const FETCHER: &str = "cron";

impl SymbolRoom {
    /// Keeps what a provider had and computes, or asks for the whole history.
    pub(super) fn ingest(
        &mut self,
        ingest: &Ingest,
        turn: &mut Turn<'_>,
    ) -> Result<Reply, SqlError> {
        let now = turn.now;
        let oldest = ingest.bars.iter().map(|bar| bar.date).min();
        let since = oldest.map_or(ingest.from, |oldest| oldest.min(ingest.from));
        let (past, mut held) = self.held(since, turn.sql)?;
        let first = past.map(|past| past.first);
        let first = first.or_else(|| held.keys().next().copied());
        let provisional = self.history.provisional;
        let same_provider = self.history.provider == Some(ingest.provider);
        let settled = |date: &NaiveDate| provisional != Some(*date);
        let is_final = |date: NaiveDate| calendar::final_at(date) <= now;

        // What is final here is not replaced by what is not.
        let came = ingest.bars.iter().filter(|bar| {
            is_final(bar.date) || !held.contains_key(&bar.date) || !settled(&bar.date)
        });
        let came: Vec<Bar> = came.copied().collect();
        let both = came
            .iter()
            .filter_map(|bar| Some((bar, held.get(&bar.date).filter(|it| settled(&it.date))?)));
        // Who sent bars by hand may have sent anything.
        let fetched = self.history.provider.is_some();
        if fetched && !ingest.anew && is_strange(both.map(|(new, old)| new.close / old.close)) {
            return Ok(Reply::Ingested(Ingested {
                stranger: true,
                ..Ingested::default()
            }));
        }
        let overlap = came
            .iter()
            .find_map(|bar| Some((bar, held.get(&bar.date).filter(|it| settled(&it.date))?)));
        let ratio = overlap.map_or(1.0, |(new, old)| new.close / old.close);
        let whole = first.is_none_or(|first| ingest.from <= first);
        let tolerance = if same_provider { SAME } else { ALIKE };
        let adjusted = (ratio - 1.0).abs() > tolerance;
        if adjusted && !whole {
            let first = first.unwrap_or(HISTORY_START);
            return Ok(Reply::Ingested(Ingested {
                refetch: Some(first.min(HISTORY_START)),
                ..Ingested::default()
            }));
        }

        let mut counts = BarCounts::default();
        let mut changed = Vec::new();
        let mut corrected = Vec::new();
        for bar in &came {
            match held.get(&bar.date) {
                None => counts.accepted += 1,
                Some(old) if same(old, bar) => {
                    counts.unchanged += 1;
                    continue;
                }
                // Two providers never agree to the last digit.
                Some(old) if settled(&old.date) && !same_provider && !adjusted && !whole => {
                    counts.unchanged += 1;
                    continue;
                }
                Some(old) => {
                    counts.replaced += 1;
                    if settled(&old.date) {
                        corrected.push((*old, *bar));
                    }
                }
            }
            changed.push(*bar);
        }
        let dates: BTreeSet<NaiveDate> = came.iter().map(|bar| bar.date).collect();
        if adjusted {
            let left = scaled(&held, &came, |date| settled(date) && !dates.contains(date));
            counts.replaced += u32::try_from(left.len()).unwrap_or(u32::MAX);
            changed.extend(left.iter().map(|(_, new)| *new));
            corrected.extend(left);
            changed.sort_by_key(|bar| bar.date);
            corrected.sort_by_key(|(old, _)| old.date);
        }
        turn.fx.writes.extend(bars::upsert(&changed));
        held.extend(changed.iter().map(|bar| (bar.date, *bar)));
        let withdrawn: Vec<Bar> = held
            .extract_if(ingest.from..=ingest.to, |date, _| {
                // It never became final.
                let unfit = !settled(date) && is_final(*date);
                let passed = dates.last().is_some_and(|last| date < last);
                unfit && passed && !dates.contains(date)
            })
            .map(|(_, bar)| bar)
            .collect();
        for bar in &withdrawn {
            turn.fx.write(history::withdraw(bar.date));
        }
        // What changes most bars is another history, not corrections of this one.
        let ratio = (whole && counts.replaced > counts.unchanged).then_some(ratio);
        self.put_revisions_on_record(ingest, ratio, &corrected, &withdrawn, turn);

        let before = self.history;
        // Who stands in for another has not become the one whose history it is.
        if whole || before.provider.is_none() {
            self.history.provider = Some(ingest.provider);
        }
        let asked = before
            .asked_from
            .map_or(ingest.from, |it| it.min(ingest.from));
        self.history.asked_from = Some(asked);
        let unfinished = came.last().filter(|bar| !is_final(bar.date));
        self.history.provisional = match unfinished {
            Some(bar) => Some(bar.date),
            None => provisional.filter(|date| !dates.contains(date) && held.contains_key(date)),
        };
        if self.history != before {
            turn.fx.write(self.history.save());
        }
        let new_absent = absent(ingest, &held, now);
        if !new_absent.is_empty() {
            turn.fx.write(history::note_absent(&new_absent));
        }

        let settled_bars: Vec<Bar> = changed.into_iter().filter(|it| is_final(it.date)).collect();
        if !settled_bars.is_empty() || ingest.rejected > 0 {
            let act = Act::BarsFetch {
                provider: ingest.provider,
                counts,
                rejected: ingest.rejected,
                bars: &settled_bars,
            };
            let by = Caller::new(FETCHER, Role::Service);
            turn.audit.record(&by, &act, now, turn.fx);
        }
        let touched = counts.accepted + counts.replaced > 0 || !withdrawn.is_empty();
        let stands = before == self.history && new_absent.is_empty();
        let computed = if touched || !stands || self.is_dirty() {
            let recent: Vec<Bar> = held.into_values().collect();
            let mut absent = history::absent(turn.sql)?;
            absent.extend(new_absent);
            (!recent.is_empty()).then(|| self.publish_if_new(past, &recent, &absent, turn))
        } else {
            Some(Computed::Unchanged)
        };
        Ok(Reply::Ingested(Ingested {
            counts,
            computed,
            refetch: None,
            stranger: false,
        }))
    }

    fn put_revisions_on_record(
        &self,
        ingest: &Ingest,
        adjusted: Option<f64>,
        corrected: &[(Bar, Bar)],
        withdrawn: &[Bar],
        turn: &mut Turn<'_>,
    ) {
        let (at, provider) = (turn.now, ingest.provider);
        let corrections = corrected.iter().map(|(old, new)| (*old, Some(*new)));
        let withdrawn = withdrawn.iter().map(|old| (*old, None));
        if let (Some(ratio), Some((first, _)), Some((last, _))) =
            (adjusted, corrected.first(), corrected.last())
        {
            turn.fx.write(history::revised(&BarRevision::Adjustment {
                at,
                provider,
                from: first.date,
                to: last.date,
                bars: u32::try_from(corrected.len()).unwrap_or(u32::MAX),
                ratio,
            }));
        }
        let corrections = corrections.filter(|_| adjusted.is_none());
        for (before, after) in corrections.chain(withdrawn).take(MAX_CORRECTIONS) {
            turn.fx.write(history::revised(&BarRevision::Correction {
                at,
                provider,
                before,
                after,
            }));
        }
    }

    /// What the feed is to know of the bars held.
    pub(super) fn supplied(
        &self,
        past: Option<&Past>,
        recent: &[Bar],
        absent: &BTreeSet<NaiveDate>,
        state: RoomState,
    ) -> RoomState {
        let first = past.map(|past| past.first);
        let last = recent.last().map(|bar| bar.date);
        RoomState {
            first_bar: first.or_else(|| recent.first().map(|bar| bar.date)),
            last_bar: last,
            provisional: last.is_some() && last == self.history.provisional,
            filled: self
                .history
                .asked_from
                .is_some_and(|from| from <= HISTORY_START),
            missing: missing(past, recent, absent),
            marks: crate::market::marks::Marks::of(recent),
            ..state
        }
    }
}

/// The bars of `held` that are `left`, each before and after it is adjusted like the nearest one
/// that came: the next if there is one. What is newer than all that came is adjusted like that.
fn scaled(
    held: &BTreeMap<NaiveDate, Bar>,
    came: &[Bar],
    left: impl Fn(&NaiveDate) -> bool,
) -> Vec<(Bar, Bar)> {
    let pair = |new: &Bar| Some((new.date, (*held.get(&new.date)?, *new)));
    let pairs: BTreeMap<NaiveDate, (Bar, Bar)> = came.iter().filter_map(pair).collect();
    let Some(last) = came.last() else {
        return Vec::new();
    };
    let left = held.range(..last.date).filter(|(date, _)| left(date));
    left.filter_map(|(date, bar)| {
        let next = pairs.range(date..).next();
        let (_, (old, new)) = next.or_else(|| pairs.range(..date).next_back())?;
        let price = new.close / old.close;
        let traded = old.volume > 0.0 && new.volume > 0.0;
        let volume = if traded { new.volume / old.volume } else { 1.0 };
        let after = Bar {
            open: bar.open * price,
            high: bar.high * price,
            low: bar.low * price,
            close: bar.close * price,
            volume: bar.volume * volume,
            ..*bar
        };
        Some((*bar, after))
    })
    .collect()
}

/// Whether closes of the same days, those that came over those that are held, are of two symbols.
/// Not every format names its symbol.
fn is_strange(ratios: impl Iterator<Item = f64>) -> bool {
    let ratios: Vec<f64> = ratios.collect();
    let mut changes: Vec<f64> = ratios
        .windows(2)
        .map(|pair| (pair[1] / pair[0] - 1.0).abs())
        .collect();
    changes.sort_by(f64::total_cmp);
    changes.len() >= MIN_CHANGES && changes[changes.len() / 2] > STRANGE
}

/// Whether two bars say the same.
fn same(a: &Bar, b: &Bar) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= SAME * a.abs().max(b.abs());
    near(a.open, b.open)
        && near(a.high, b.high)
        && near(a.low, b.low)
        && near(a.close, b.close)
        && near(a.volume, b.volume)
}

/// The earliest session between the first and the last bar that is not held and was not asked for
/// in vain; none is missing in the past.
fn missing(past: Option<&Past>, recent: &[Bar], absent: &BTreeSet<NaiveDate>) -> Option<NaiveDate> {
    let mut next = match past {
        Some(past) => past.through + Days::new(1),
        None => recent.first()?.date.max(HISTORY_START),
    };
    for Bar { date, .. } in recent {
        // Most bars follow the one before on the next day, or after the weekend.
        let weekend = next.weekday() == Weekday::Sat && *date - next == TimeDelta::days(2);
        if next < *date && !weekend {
            let between = calendar::sessions(next, *date - Days::new(1));
            let gap = { between }.find(|session| !absent.contains(session));
            if gap.is_some() {
                return gap;
            }
        }
        next = next.max(*date + Days::new(1));
    }
    None
}

/// The sessions that were asked for and neither came nor are held, but for the newest ones, which
/// may come late, and those before the first bar.
fn absent(ingest: &Ingest, held: &BTreeMap<NaiveDate, Bar>, now: Millis) -> Vec<NaiveDate> {
    let Some(first) = held.keys().next() else {
        return Vec::new();
    };
    let from = ingest.from.max(*first);
    let to = ingest.to.min(now.date() - PATIENCE);
    calendar::sessions(from, to)
        .filter(|session| !held.contains_key(session))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// As the definition has it, session by session.
        #[test]
        fn a_gap_is_found_wherever_it_is(
            start in -40..40_i64,
            held in prop::collection::vec(prop::bool::weighted(0.9), 0..120),
            excused in prop::collection::vec(prop::bool::weighted(0.2), 120),
        ) {
            let day = |n: usize| HISTORY_START + TimeDelta::days(start + n as i64);
            let days = held.iter().enumerate().filter(|(_, held)| **held);
            let days: Vec<NaiveDate> = days.map(|(n, _)| day(n)).collect();
            let bar = |date: &NaiveDate| Bar {
                date: *date, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 1.0,
            };
            let all: Vec<Bar> = days.iter().map(bar).collect();
            let absent = excused.iter().enumerate().filter(|(_, absent)| **absent);
            let absent: BTreeSet<NaiveDate> = absent.map(|(n, _)| day(n)).collect();
            let defined = days.first().zip(days.last()).and_then(|(first, last)| {
                calendar::sessions((*first).max(HISTORY_START), *last)
                    .find(|session| !days.contains(session) && !absent.contains(session))
            });
            prop_assert_eq!(missing(None, &all, &absent), defined);
        }
    }

    #[test]
    fn adjustments_and_corrections_are_not_strange_and_another_symbol_is() {
        let strange = |ratios: &[f64]| is_strange(ratios.iter().copied());
        // A split and a dividend within the days, and one wrong close.
        assert!(!strange(&[1.0; 8]));
        assert!(!strange(&[0.1, 0.1, 0.1, 0.099, 0.099, 1.0, 1.0]));
        assert!(!strange(&[1.0, 1.0, 1.4, 1.0, 1.0, 1.0, 1.0]));
        assert!(strange(&[2.1, 2.15, 2.08, 2.11, 2.2, 2.17, 2.09]));
        // Too few days to tell.
        assert!(!strange(&[2.1, 2.2, 2.0, 2.1]));
        assert!(!strange(&[]));
    }
}
