//! Socket tickets: the feed hands them out and takes them back, once.

use super::call::{Holder, Reply};
use super::effects::Effects;
use super::{Failure, Room};
use crate::audit::Hash;
use crate::revocation::is_revoked;
use crate::store::{Sql, access, tickets};
use crate::symbol::Symbol;
use crate::time::Millis;

/// How long a ticket is good, milliseconds.
const TICKET_MS: i64 = 30_000;

impl Room {
    /// Feed: keeps a ticket, known by its hash, for whoever shows it.
    pub(super) fn keep_ticket(
        &self,
        ticket: Hash,
        holder: &Holder,
        now: Millis,
        fx: &mut Effects,
    ) -> Result<Reply, Failure> {
        self.only_feed()?;
        let until = now.plus(TICKET_MS);
        fx.writes.extend(tickets::keep(ticket, holder, until, now));
        Ok(Reply::TicketKept { until })
    }

    /// Feed: takes a ticket for a socket in that symbol's room, or in the feed. It is used up
    /// whatever comes of it.
    pub(super) fn redeem(
        &self,
        ticket: Hash,
        opens: Option<&Symbol>,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<Reply, Failure> {
        self.only_feed()?;
        let Some(holder) = tickets::find(ticket, now, sql)? else {
            return Ok(Reply::Redeemed(None));
        };
        fx.write(tickets::take(ticket));
        let before = access::revoked_before(&holder.sub, sql)?;
        if is_revoked(holder.issued_at, before) {
            return Ok(Reply::Redeemed(None));
        }
        self.note_visit(&holder.sub, opens, sql, fx)?;
        Ok(Reply::Redeemed(Some(holder)))
    }
}
