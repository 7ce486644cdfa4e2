//! How a room answers calls.

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use super::call::{
    Call, Caller, Finished, Proposal, Reject, Reply, Slice, Watchlist, WatchlistChange,
    WatchlistSource,
};
use super::effects::Effects;
use super::feed;
use super::inspect;
use super::limit::{Rated, rated};
use super::record::Act;
use super::signal::shown;
use super::socket::ConnId;
use super::supply;
use super::symbol_room::{SymbolRoom, Turn};
use super::{Event, Failure, Kind, Room};
use crate::rate::Empty;
use crate::store::{
    Sql, SqlError, feed as feed_store, history, runs, signals as signal_store, watchlist,
};
use crate::symbol::Symbol;
use crate::time::Millis;
use crate::wire::close::Close;
use crate::wire::limits::MAX_WATCHED;

impl Room {
    /// Answers a request.
    ///
    /// # Errors
    /// [`Failure::Reject`] leaves the room as it was; after [`Failure::Sql`] it must be dropped.
    pub fn call(
        &mut self,
        call: Call,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<Reply, Failure> {
        match call {
            Call::Look => return Ok(self.look(now, sql, fx)?),
            Call::Renew { by } => return self.renew(&by, now, sql, fx),
            Call::Admit { sub, opens } => {
                return self.admit(&sub, opens.as_ref(), self.readable(sql), fx);
            }
            Call::KeepTicket { ticket, holder } => {
                return self.keep_ticket(ticket, &holder, now, fx);
            }
            Call::Redeem { ticket, opens } => {
                return self.redeem(ticket, opens.as_ref(), now, self.readable(sql), fx);
            }
            Call::Revoke { sub, by, reason } => {
                return self.revoke(&sub, &by, reason.as_deref(), now, fx);
            }
            Call::Dismiss { sub, before } => return self.dismiss(&sub, before, fx),
            Call::Visited { sub, page } => return self.visited(&sub, page, self.readable(sql)),
            Call::Finish(finished) => return self.finish(*finished, now, self.readable(sql), fx),
            Call::Watch {
                configured,
                change,
                by,
            } => return self.watch(&configured, change, &by, now, self.readable(sql), fx),
            _ => {}
        }
        let sql = self.readable(sql);
        match &call {
            Call::Audit { oldest_first, page } => return self.audit(*oldest_first, *page, sql),
            Call::CheckAudit {
                from,
                until,
                witnessed,
            } => return self.check_audit(*from, *until, witnessed, sql),
            _ => {}
        }
        let charge = match rated(&call) {
            Some((rated, by)) => {
                let charge = self.charge(rated, by, now, sql)?;
                Some(charge.map_err(|Empty { wait }| Reject::RateLimited { wait })?)
            }
            None => None,
        };
        let mut published = Vec::new();
        let reply = match &mut self.kind {
            Kind::Symbol(room) => {
                let mut turn = Turn {
                    log: &mut self.log,
                    audit: &mut self.audit,
                    now,
                    sql,
                    fx,
                    published: &mut published,
                };
                call_symbol(room, call, &mut turn)?
            }
            Kind::Feed(feed) => match call {
                Call::Receive(push) => {
                    let (ack, news) = feed.receive(&push, &mut self.log, now, sql, fx)?;
                    published = news;
                    Reply::Received(ack)
                }
                Call::Signals { status, page } => {
                    let mut slice = feed_store::signals(status, page, sql)?;
                    show(&mut slice.items, now);
                    Reply::Signals(slice)
                }
                Call::Top { n } => {
                    let mut items = feed_store::top(n, sql)?;
                    show(&mut items, now);
                    Reply::Signals(Slice { items, next: None })
                }
                Call::Approvals { filter, page } => {
                    Reply::Approvals(feed_store::approvals(&filter, page, sql)?)
                }
                Call::Plan(planning) => Reply::Planned(feed.plan(&planning, now, sql, fx)?),
                Call::Supply {
                    watchlist,
                    fetching,
                    page,
                } => {
                    let (symbols, source) = supply::list(&watchlist, fetching, page, now, sql)?;
                    Reply::Supply { symbols, source }
                }
                Call::Runs { page } => Reply::Runs(runs::list(page, sql)?),
                Call::Market => Reply::Market(feed.market().cloned()),
                Call::Sources { page } => Reply::Sources(feed_store::sources(page, sql)?),
                Call::Known { after, limit } => {
                    Reply::Known(feed_store::sources_after(after.as_ref(), limit, sql)?)
                }
                Call::Witnessed { rooms } => Reply::Witnessed(inspect::witnessed(&rooms, sql)?),
                Call::City => {
                    self.refresh_city(now, sql, fx)?;
                    let city = self.city().ok_or(Reject::Misdirected)?;
                    Reply::City(city.clone())
                }
                Call::PutBars { .. }
                | Call::Ingest(_)
                | Call::Closes { .. }
                | Call::BarRevisions { .. }
                | Call::Finish(_)
                | Call::Watch { .. }
                | Call::Bars { .. }
                | Call::Compute
                | Call::Latest
                | Call::History { .. }
                | Call::Look
                | Call::Renew { .. }
                | Call::Audit { .. }
                | Call::CheckAudit { .. }
                | Call::Admit { .. }
                | Call::KeepTicket { .. }
                | Call::Redeem { .. }
                | Call::Revoke { .. }
                | Call::Dismiss { .. }
                | Call::Visited { .. }
                | Call::Approve(_) => return Err(Reject::Misdirected.into()),
            },
        };
        // What brings nothing about does not make a room.
        if self.created || !fx.writes.is_empty() {
            fx.writes.extend(charge.into_iter().flatten());
        }
        if !published.is_empty() {
            self.tell_expiry(now, fx);
        }
        for event in published {
            self.fan_out(event, fx);
        }
        Ok(reply)
    }

    /// Puts on record that a call was refused, where that matters: somebody wanted to decide. It
    /// counts for their rate like any other. A room that does not exist stays so.
    pub(crate) fn note_refusal(
        &mut self,
        proposal: &Proposal,
        reject: &Reject,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<(), SqlError> {
        let (Kind::Symbol(room), true) = (&self.kind, self.created) else {
            return Ok(());
        };
        let reason = match reject {
            Reject::UnknownSymbol | Reject::NoSignal | Reject::InsufficientHistory(_) => {
                "no-signal"
            }
            Reject::AlreadyDecided(..) => "already-decided",
            Reject::StaleSignal(..) => "stale-signal",
            Reject::KeyReused => "key-reused",
            // It would be a way to fill the record.
            Reject::RateLimited { .. } => return Ok(()),
            Reject::RetiredEpoch
            | Reject::NotWatched
            | Reject::TooManyWatched
            | Reject::Misdirected => return Ok(()),
        };
        let act = Act::ApprovalRefused {
            proposal,
            reason,
            current: room.latest().map(|signal| &signal.id),
        };
        self.audit.record(&proposal.by, &act, now, fx);
        if let Ok(charge) = self.charge(Rated::Approve, &proposal.by, now, sql)? {
            fx.writes.extend(charge);
        }
        Ok(())
    }

    /// Does what an alarm would have, should it not have come; says whether it had not. A symbol's
    /// room then tells the downstream where it is, whatever it thinks it owes: a downstream that
    /// lost its data answers so that the rest follows.
    fn look(&mut self, now: Millis, sql: &dyn Sql, fx: &mut Effects) -> Result<Reply, SqlError> {
        let deadline = self.next_deadline();
        let overdue = deadline.is_some_and(|at| at.plus(feed::LATE) < now);
        self.handle(Event::Alarm, now, sql, fx)?;
        if let Kind::Symbol(room) = &mut self.kind {
            room.say_again(&mut Turn {
                log: &mut self.log,
                audit: &mut self.audit,
                now,
                sql,
                fx,
                published: &mut Vec::new(),
            });
        }
        Ok(Reply::Looked { overdue })
    }

    /// Keeps what a run did, and brings derived state up to date.
    fn finish(
        &mut self,
        finished: Finished,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<Reply, Failure> {
        self.refresh_city(now, sql, fx)?;
        self.refresh_market(&finished, now, sql, fx)?;
        // Nothing is to reach an expired token with the last of the run.
        self.tell_expiry(now, fx);
        match &mut self.kind {
            Kind::Feed(feed) => Ok(feed.keep_run(finished, now, sql, fx)?),
            Kind::Symbol(_) => Err(Reject::Misdirected.into()),
        }
    }

    /// Changes the watchlist, and puts that on record.
    fn watch(
        &mut self,
        configured: &[Symbol],
        change: WatchlistChange,
        by: &Caller,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<Reply, Failure> {
        if !matches!(self.kind, Kind::Feed(_)) {
            return Err(Reject::Misdirected.into());
        }
        let (symbols, source) = supply::watched(configured, sql)?;
        let before: BTreeSet<Symbol> = symbols.into_iter().collect();
        let mut after = before.clone();
        let own = change != WatchlistChange::Reset;
        match change {
            WatchlistChange::Set(symbols) => after = symbols.into_iter().collect(),
            WatchlistChange::Add(symbol) => drop(after.insert(symbol)),
            WatchlistChange::Remove(symbol) if after.remove(&symbol) => {}
            WatchlistChange::Remove(_) => return Err(Reject::NotWatched.into()),
            WatchlistChange::Reset => after = configured.iter().cloned().collect(),
        }
        if after.len() > MAX_WATCHED {
            return Err(Reject::TooManyWatched.into());
        }
        let symbols: Vec<Symbol> = after.into_iter().collect();
        let was_own = source == WatchlistSource::Desk;
        if own != was_own || before.iter().ne(&symbols) {
            if own {
                fx.writes.extend(watchlist::set(&symbols));
            } else {
                fx.writes.extend(watchlist::reset());
            }
            let act = Act::WatchlistChange {
                symbols: &symbols,
                own,
            };
            self.audit.record(by, &act, now, fx);
        }
        let source = match own {
            true => WatchlistSource::Desk,
            false => WatchlistSource::Config,
        };
        Ok(Reply::Watching(Watchlist { symbols, source }))
    }

    /// Begins another epoch: nobody who followed the old one may resume with it.
    fn renew(
        &mut self,
        by: &Caller,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<Reply, Failure> {
        if !self.created {
            return Err(Reject::UnknownSymbol.into());
        }
        let listening: Vec<ConnId> = self.sockets.iter().map(|(conn, _)| conn).collect();
        for conn in listening {
            self.close(conn, Close::Restarting, fx);
        }
        let ended = self.log.epoch().to_owned();
        match &mut self.kind {
            Kind::Symbol(room) => room.renew(
                &self.fresh_epoch,
                &mut Turn {
                    log: &mut self.log,
                    audit: &mut self.audit,
                    now,
                    sql,
                    fx,
                    // Nobody listens any more.
                    published: &mut Vec::new(),
                },
            ),
            Kind::Feed(_) => self.log.renew(&self.fresh_epoch, self.log.top(), now, fx),
        }
        let act = Act::EpochRenewed {
            from: &ended,
            to: self.log.epoch(),
        };
        self.audit.record(by, &act, now, fx);
        Ok(Reply::Renewed(self.log.position()))
    }
}

/// Signals as they are shown at `now`.
fn show(signals: &mut [Box<RawValue>], now: Millis) {
    for signal in signals {
        *signal = shown(signal, now);
    }
}

fn call_symbol(room: &mut SymbolRoom, call: Call, turn: &mut Turn<'_>) -> Result<Reply, Failure> {
    match call {
        Call::PutBars {
            bars,
            compute,
            rejected,
            by,
        } => Ok(room.import(&bars, compute, rejected, &by, turn)?),
        Call::Bars { from, to, page } => SymbolRoom::bars(from, to, page, turn.sql),
        Call::Compute => room.compute(turn),
        Call::Ingest(ingest) => Ok(room.ingest(&ingest, turn)?),
        Call::Closes { limit } => Ok(Reply::Closes(history::closes(limit, turn.sql)?)),
        Call::BarRevisions { page } => {
            if !crate::store::bars::any(turn.sql)? {
                return Err(Reject::UnknownSymbol.into());
            }
            Ok(Reply::BarRevisions(history::revisions(page, turn.sql)?))
        }
        Call::Latest => match room.latest() {
            Some(signal) => Ok(Reply::Latest(Box::new(signal.clone()))),
            None => Err(room.why_none(turn.sql)?.into()),
        },
        Call::History { page } => match room.latest() {
            Some(signal) => Ok(Reply::History(signal_store::history(
                &signal.symbol,
                page,
                turn.sql,
            )?)),
            None => Err(room.why_none(turn.sql)?.into()),
        },
        Call::Approve(proposal) => room.approve(proposal, turn),
        Call::Approvals { filter, page } => {
            if room.latest().is_none() && !crate::store::bars::any(turn.sql)? {
                return Err(Reject::UnknownSymbol.into());
            }
            Ok(Reply::Approvals(signal_store::approvals(
                &filter, page, turn.sql,
            )?))
        }
        Call::Receive(_)
        | Call::Signals { .. }
        | Call::Top { .. }
        | Call::City
        | Call::Plan(_)
        | Call::Supply { .. }
        | Call::Watch { .. }
        | Call::Runs { .. }
        | Call::Market
        | Call::Sources { .. }
        | Call::Look
        | Call::Renew { .. }
        | Call::Audit { .. }
        | Call::CheckAudit { .. }
        | Call::Witnessed { .. }
        | Call::Known { .. }
        | Call::Admit { .. }
        | Call::KeepTicket { .. }
        | Call::Redeem { .. }
        | Call::Revoke { .. }
        | Call::Dismiss { .. }
        | Call::Visited { .. }
        | Call::Finish(_) => Err(Reject::Misdirected.into()),
    }
}
