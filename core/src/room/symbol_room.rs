//! A symbol's room: keeps its bars, computes its signal, takes decisions on it, and hands its
//! events to the feed.
//!
//! Invariant: what the downstream is owed is derived from the outbox's cursor and the log, so
//! that a crash at any point neither loses nor doubles an event.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};

use super::call::{
    Ack, BarCounts, Caller, Computed, Entry, EventKind, Page, Proposal, Push, Reject, Reply,
    RoomState, Slice, Trusts,
};
use super::effects::Effects;
use super::log::{Fresh, Log, json};
use super::name::RoomName;
use super::record::{Act, Chain};
use super::signal::{Approval, Signal, SignalId, Status, Verdict, judge};
use super::{Failure, Published as PublishedEvent};
use crate::market::marks::Marks;
use crate::signals::bar::Bar;
use crate::signals::{self, AnchorWindow, Evaluation, Past, evaluate, evaluate_after};
use crate::store::audit::Tip;
use crate::store::history::{self, History};
use crate::store::signals::Outbox;
use crate::store::{Sql, SqlError, answers, bars, signals as signal_store};
use crate::symbol::Symbol;
use crate::time::Millis;
use crate::wire::limits::MAX_PUSH_ENTRIES;

/// First wait before a delivery is tried again, milliseconds; doubles up to [`MAX_BACKOFF`].
const MIN_BACKOFF: i64 = 1_000;
/// Longest wait before a delivery is tried again, milliseconds.
const MAX_BACKOFF: i64 = 60_000;

/// When a delivery that is not known to have failed is made again, milliseconds: who made it may
/// have been lost. Most are acknowledged long before, and a room still in memory is not woken.
const LOST: i64 = 5_000;

/// How many bars are read again for each new one before they are counted among the past.
const MANY_BARS: usize = 32;

/// What a symbol room holds in memory.
#[derive(Debug)]
pub(super) struct SymbolRoom {
    symbol: Symbol,
    latest: Option<Signal>,
    outbox: Outbox,
    pub(super) history: History,
}

impl SymbolRoom {
    pub(super) fn empty(symbol: Symbol) -> Self {
        Self {
            symbol,
            latest: None,
            outbox: Outbox::empty(),
            history: History::default(),
        }
    }

    pub(super) fn restore(symbol: Symbol, sql: &dyn Sql) -> Result<Self, SqlError> {
        Ok(Self {
            latest: signal_store::latest(&symbol, sql)?,
            outbox: Outbox::restore(sql)?,
            history: History::restore(sql)?,
            symbol,
        })
    }

    pub(super) fn latest(&self) -> Option<&Signal> {
        self.latest.as_ref()
    }

    /// Whether bars came that were not computed.
    pub(super) fn is_dirty(&self) -> bool {
        self.outbox.state.dirty
    }

    /// Stores checked bars; computes in the same turn if asked.
    fn put_bars(
        &mut self,
        fresh: &[Bar],
        compute: bool,
        turn: &mut Turn<'_>,
    ) -> Result<(BarCounts, Option<Box<Signal>>), SqlError> {
        let mut counts = BarCounts::default();
        let mut past = None;
        let mut held = BTreeMap::new();
        if compute {
            let since = fresh.first().map_or(NaiveDate::MAX, |bar| bar.date);
            (past, held) = self.held(since, turn.sql)?;
        } else if let (Some(first), Some(last)) = (fresh.first(), fresh.last()) {
            held = by_date(bars::between(Some(first.date), Some(last.date), turn.sql)?);
        }
        let mut changed = Vec::new();
        let mut confirmed = false;
        for bar in fresh {
            match held.insert(bar.date, *bar) {
                None => counts.accepted += 1,
                Some(old) if old == *bar => {
                    counts.unchanged += 1;
                    continue;
                }
                Some(_) => counts.replaced += 1,
            }
            changed.push(*bar);
        }
        turn.fx.writes.extend(bars::upsert(&changed));
        // What is sent counts as final.
        if let Some(date) = self.history.provisional
            && fresh.iter().any(|bar| bar.date == date)
        {
            self.history.provisional = None;
            turn.fx.write(self.history.save());
            confirmed = true;
        }
        if let (Some(past), Some(oldest)) = (self.history.past, changed.first())
            && oldest.date <= past.through
        {
            self.history.past = None;
            turn.fx.write(self.history.save());
        }
        // Ascending; a date that was held already is not beyond the newest.
        let last_bar = self
            .outbox
            .state
            .last_bar
            .max(changed.last().map(|bar| bar.date));
        let dirty = self.outbox.state.dirty || !changed.is_empty() || confirmed;
        if compute && dirty {
            let recent: Vec<Bar> = held.into_values().collect();
            self.publish_if_new(past, &recent, &history::absent(turn.sql)?, turn);
        } else if !changed.is_empty() || confirmed {
            let old = &self.outbox.state;
            let first = changed.first().map(|bar| bar.date);
            let state = RoomState {
                dirty,
                last_bar,
                first_bar: old.first_bar.into_iter().chain(first).min(),
                provisional: last_bar.is_some() && last_bar == self.history.provisional,
                ..old.clone()
            };
            self.owe_state(state, turn);
        }
        let signal = if compute {
            self.latest.clone().map(Box::new)
        } else {
            None
        };
        Ok((counts, signal))
    }

    /// Stores bars and puts that on record, unless all of them were held: a feeder repeats itself.
    pub(super) fn import(
        &mut self,
        bars: &[Bar],
        compute: bool,
        rejected: u32,
        by: &Caller,
        turn: &mut Turn<'_>,
    ) -> Result<Reply, SqlError> {
        let (counts, signal) = self.put_bars(bars, compute, turn)?;
        if counts.accepted + counts.replaced + rejected > 0 {
            let act = Act::BarsImport {
                counts,
                rejected,
                bars,
            };
            turn.audit.record(by, &act, turn.now, turn.fx);
        }
        Ok(Reply::BarsStored { counts, signal })
    }

    /// Computes the signal of the bars held.
    pub(super) fn compute(&mut self, turn: &mut Turn<'_>) -> Result<Reply, Failure> {
        let (past, held) = self.held(NaiveDate::MAX, turn.sql)?;
        if held.is_empty() {
            return Err(Reject::UnknownSymbol.into());
        }
        let recent: Vec<Bar> = held.into_values().collect();
        let absent = history::absent(turn.sql)?;
        let computed = self.publish_if_new(past, &recent, &absent, turn);
        Ok(Reply::Computed(computed))
    }

    /// The bars held, or the newest of them and what is known of those before, where these are
    /// older than all from `since` on.
    pub(super) fn held(
        &self,
        since: NaiveDate,
        sql: &dyn Sql,
    ) -> Result<(Option<Past>, BTreeMap<NaiveDate, Bar>), SqlError> {
        let past = self.history.past.filter(|past| past.through < since);
        let from = past.map(|past| past.through + Days::new(1));
        Ok((past, by_date(bars::between(from, None, sql)?)))
    }

    /// Keeps what is to be known of all but the newest bars, while nothing is `missing`.
    fn remember(
        &mut self,
        past: Option<Past>,
        recent: &[Bar],
        missing: Option<NaiveDate>,
        turn: &mut Turn<'_>,
    ) {
        let needed = Marks::reach(recent).map(|needed| needed.max(signals::RECENT));
        let older = needed.and_then(|needed| recent.len().checked_sub(needed));
        let past = match (past, older) {
            (None, Some(older @ 1..)) if missing.is_none() => {
                Past::of(&recent[..older], &AnchorWindow::default())
            }
            (Some(past), Some(older @ MANY_BARS..)) if missing.is_none() => {
                Some(past.with(&recent[..older]))
            }
            (past, _) => past,
        };
        if self.history.past != past {
            self.history.past = past;
            turn.fx.write(self.history.save());
        }
    }

    /// Computes the signal of the bars held: `recent` ones, ascending, after `past`.
    pub(super) fn publish_if_new(
        &mut self,
        past: Option<Past>,
        recent: &[Bar],
        absent: &BTreeSet<NaiveDate>,
        turn: &mut Turn<'_>,
    ) -> Computed {
        let evaluation = evaluate_after(past.as_ref(), recent, &AnchorWindow::default());
        let state = RoomState {
            dirty: false,
            trusts: trusts(&evaluation),
            ..self.outbox.state.clone()
        };
        let state = self.supplied(past.as_ref(), recent, absent, state);
        self.remember(past, recent, state.missing, turn);
        let provisional = state.provisional;
        self.owe_state(state, turn);
        let (Some(content), Some(last)) = (evaluation.published(), recent.last()) else {
            return Computed::InsufficientHistory;
        };
        let Verdict::New {
            revision,
            supersedes,
        } = judge(self.latest.as_ref(), last.date, &content, provisional)
        else {
            return Computed::Unchanged;
        };
        if let Some(old) = self.latest.as_ref().filter(|_| supersedes) {
            turn.fx
                .write(signal_store::set_status(&old.id, Status::Superseded));
        }
        let signal = Signal {
            id: SignalId::new(&self.symbol, last.date, revision),
            symbol: self.symbol.clone(),
            date: last.date,
            revision,
            computed_at: turn.now,
            provisional,
            status: Status::PendingReview,
            content,
            approval: None,
        };
        turn.fx.write(signal_store::insert(&signal));
        let view = json(&signal.view(turn.now));
        self.publish(EventKind::NewSignal, &view, &view, turn);
        self.latest = Some(signal);
        Computed::New
    }

    /// Why there is no signal to show.
    pub(super) fn why_none(&self, sql: &dyn Sql) -> Result<Reject, SqlError> {
        let all = bars::between(None, None, sql)?;
        if all.is_empty() {
            return Ok(Reject::UnknownSymbol);
        }
        let evaluation = evaluate(&all);
        Ok(match evaluation.suggestion {
            Some(_) => Reject::NoSignal,
            None => Reject::InsufficientHistory(evaluation.missing()),
        })
    }

    /// Decides on the current signal: compare-and-set in one turn.
    pub(super) fn approve(
        &mut self,
        proposal: Proposal,
        turn: &mut Turn<'_>,
    ) -> Result<Reply, Failure> {
        if let Some(retry) = &proposal.retry
            && let Some(held) = answers::find(&proposal.by.sub, &retry.key, turn.now, turn.sql)?
        {
            if held.request != retry.request {
                return Err(Reject::KeyReused.into());
            }
            // So that the feed's position is known again.
            self.say_again(turn);
            return Ok(Reply::Approved {
                approval: held.approval,
                room: held.room,
                feed: None,
                waited: None,
            });
        }
        let Some(current) = &mut self.latest else {
            let known = bars::any(turn.sql)?;
            return Err(if known {
                Reject::NoSignal
            } else {
                Reject::UnknownSymbol
            }
            .into());
        };
        if proposal
            .conditions
            .iter()
            .any(|ids| !ids.contains(&current.id))
        {
            return Err(Reject::StaleSignal(Box::new(current.clone()), turn.now).into());
        }
        if current.status != Status::PendingReview {
            return Err(Reject::AlreadyDecided(Box::new(current.clone()), turn.now).into());
        }
        let approval = Approval {
            symbol: self.symbol.clone(),
            approved_status: proposal.status,
            approved_by: proposal.by.sub.clone(),
            approved_at: turn.now,
            note: proposal.note.clone(),
            signal_id: current.id.clone(),
        };
        current.status = Status::approved(proposal.status);
        current.approval = Some(approval.clone());
        turn.fx
            .write(signal_store::set_status(&current.id, current.status));
        turn.fx.write(signal_store::insert_approval(&approval));
        let view = json(&current.view(turn.now));
        self.publish(
            EventKind::ApprovalNotification,
            &json(&approval),
            &view,
            turn,
        );
        turn.audit
            .record(&proposal.by, &Act::Approval(&approval), turn.now, turn.fx);
        let room = turn.log.position();
        if let Some(retry) = &proposal.retry {
            let kept = answers::keep(retry, &approval, &room);
            turn.fx.writes.extend(kept);
        }
        Ok(Reply::Approved {
            approval,
            room,
            feed: None,
            waited: None,
        })
    }

    /// The bars held, a page at a time; the cursor is the day number of the last date shown.
    pub(super) fn bars(
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
        page: Page,
        sql: &dyn Sql,
    ) -> Result<Reply, Failure> {
        use chrono::Datelike;
        let day_after = |day: i64| {
            let last = NaiveDate::from_num_days_from_ce_opt(i32::try_from(day).ok()?)?;
            last.succ_opt()
        };
        // A cursor that is no day was not ours; nothing comes after it.
        let after = page
            .cursor
            .map(|day| day_after(day).unwrap_or(NaiveDate::MAX));
        let start = from.max(after);
        let limit = i64::from(page.limit);
        let mut items = bars::slice(start, to, limit + 1, sql)?;
        if items.is_empty() && !bars::any(sql)? {
            return Err(Reject::UnknownSymbol.into());
        }
        let more = items.len() > page.limit as usize;
        items.truncate(page.limit as usize);
        let last = items.last().filter(|_| more);
        let next = last.map(|bar| i64::from(bar.date.num_days_from_ce()));
        Ok(Reply::Bars(Slice { items, next }))
    }

    fn publish(
        &mut self,
        kind: EventKind,
        data: &serde_json::value::RawValue,
        signal: &serde_json::value::RawValue,
        turn: &mut Turn<'_>,
    ) {
        let owed = self.owes(turn.log);
        let event = Fresh {
            kind,
            symbol: &self.symbol,
            data,
            signal: Some(signal),
        };
        let frame = turn
            .log
            .append(&event, self.outbox.acked_seq, turn.now, turn.fx);
        turn.published.push(PublishedEvent {
            kind,
            symbol: self.symbol.clone(),
            frame,
        });
        self.note_debt(owed, turn);
    }

    fn owe_state(&mut self, state: RoomState, turn: &mut Turn<'_>) {
        let old = &self.outbox.state;
        if old.version > 0 && !state.dirty && *old == state {
            return;
        }
        let version = old.version + 1;
        let owed = self.owes(turn.log);
        self.outbox.state = RoomState { version, ..state };
        self.note_debt(owed, turn);
    }

    /// Owes its state once more, should the downstream have lost it.
    pub(super) fn say_again(&mut self, turn: &mut Turn<'_>) {
        if self.outbox.acked_version == 0 {
            return;
        }
        let owed = self.owes(turn.log);
        self.outbox.acked_version = 0;
        self.note_debt(owed, turn);
    }

    /// Begins another epoch, and tells everybody again what holds now: whoever heard of more than
    /// the backup has, hears what is true.
    pub(super) fn renew(&mut self, fresh: &str, turn: &mut Turn<'_>) {
        turn.log
            .renew(fresh, self.outbox.acked_seq, turn.now, turn.fx);
        if let Some(signal) = &self.latest {
            let view = json(&signal.view(turn.now));
            self.publish(EventKind::NewSignal, &view, &view, turn);
        }
        let owed = self.owes(turn.log);
        self.outbox.state.version += 1;
        self.note_debt(owed, turn);
    }

    /// Schedules a retry should the delivery that follows this turn not happen.
    fn note_debt(&mut self, owed_before: bool, turn: &mut Turn<'_>) {
        if !owed_before {
            self.outbox.attempt = 0;
            self.outbox.retry_at = turn.now.plus(LOST);
        }
        turn.fx.write(self.outbox.save());
    }

    fn owes(&self, log: &Log) -> bool {
        self.outbox.acked_seq < log.top() || self.outbox.acked_version < self.outbox.state.version
    }

    /// When to try a delivery again.
    pub(super) fn next_deadline(&self, log: &Log) -> Option<Millis> {
        self.owes(log).then_some(self.outbox.retry_at)
    }

    /// The next batch for the feed, unless there is none or a failed one has to wait.
    pub(super) fn next_push(
        &self,
        log: &Log,
        audit: Option<Tip>,
        now: Millis,
        sql: &dyn Sql,
    ) -> Result<Option<Push>, SqlError> {
        let waiting = self.outbox.attempt > 0 && now < self.outbox.retry_at;
        if !self.owes(log) || waiting {
            return Ok(None);
        }
        let entries = log
            .after(self.outbox.acked_seq, MAX_PUSH_ENTRIES, sql)?
            .into_iter()
            .map(|event| {
                Ok(Entry {
                    seq: event.seq,
                    kind: event.kind,
                    data: event.data,
                    signal: event.signal.ok_or(SqlError::Decode {
                        column: 4,
                        expected: "a signal",
                    })?,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Some(Push {
            source: RoomName::Symbol(self.symbol.clone()),
            epoch: log.epoch().to_owned(),
            born: log.identity().born,
            lineage: log.lineage().to_vec(),
            floor: log.oldest(),
            state: self.outbox.state.clone(),
            audit,
            entries,
        }))
    }

    /// Moves the cursor to what the feed has; the feed may have less than was thought.
    pub(super) fn on_ack(&mut self, ack: &Ack, turn: &mut Turn<'_>) {
        // It has more than there is: this log came from a backup and awaits a new epoch.
        if ack.seq > turn.log.top() {
            return self.on_push_failed(turn);
        }
        let seq = ack.seq;
        let version = ack.version.min(self.outbox.state.version);
        if (seq, version) == (self.outbox.acked_seq, self.outbox.acked_version) {
            // An answer to an older batch may come late; one that refuses its own is a failure.
            if ack.seq < ack.carried.seq || ack.version < ack.carried.version {
                self.on_push_failed(turn);
            }
            return;
        }
        self.outbox.acked_seq = seq;
        self.outbox.acked_version = version;
        self.outbox.attempt = 0;
        self.outbox.retry_at = turn.now.plus(LOST);
        turn.fx.write(self.outbox.save());
    }

    /// Waits longer before the next try.
    pub(super) fn on_push_failed(&mut self, turn: &mut Turn<'_>) {
        let doublings = u32::try_from(self.outbox.attempt.clamp(0, 16)).unwrap_or(16);
        let wait = (MIN_BACKOFF << doublings).min(MAX_BACKOFF);
        self.outbox.attempt += 1;
        self.outbox.retry_at = turn.now.plus(wait);
        turn.fx.write(self.outbox.save());
    }
}

/// What one turn of a symbol room reads and writes.
pub(super) struct Turn<'a> {
    pub(super) log: &'a mut Log,
    pub(super) audit: &'a mut Chain,
    pub(super) now: Millis,
    pub(super) sql: &'a dyn Sql,
    pub(super) fx: &'a mut Effects,
    pub(super) published: &'a mut Vec<PublishedEvent>,
}

pub(super) fn by_date(bars: Vec<Bar>) -> BTreeMap<NaiveDate, Bar> {
    bars.into_iter().map(|bar| (bar.date, bar)).collect()
}

fn trusts(evaluation: &Evaluation) -> Option<Trusts> {
    let unslug = evaluation.unslug.as_ref().ok()?.score;
    let fear = evaluation.fear.score? / 100.0;
    let flow = evaluation.market_flow.as_ref().ok()?.trust;
    Some(Trusts { unslug, fear, flow })
}
