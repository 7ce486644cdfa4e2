//! Whom a room shuts out: subjects whose tokens were revoked.
//!
//! The feed keeps every revocation and closes its own sockets at once. It knows in which symbols'
//! rooms a subject opens sockets, since every upgrade asks it first; those rooms are told, keep it
//! too, and refuse what comes later under an old token.

use super::call::{Caller, Page, Reject, Reply};
use super::effects::Effects;
use super::name::RoomName;
use super::record::Act;
use super::socket::ConnId;
use super::{Failure, Room};
use crate::revocation::is_revoked;
use crate::store::{Sql, SqlError, access, tickets};
use crate::symbol::Symbol;
use crate::time::Millis;
use crate::wire::close::Close;

impl Room {
    /// Feed: what is revoked of `sub`, who is about to open a socket in that symbol's room if one
    /// is named.
    pub(super) fn admit(
        &self,
        sub: &str,
        opens: Option<&Symbol>,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<Reply, Failure> {
        self.only_feed()?;
        self.note_visit(sub, opens, sql, fx)?;
        Ok(Reply::Admitted {
            revoked_before: access::revoked_before(sub, sql)?,
        })
    }

    /// Remembers in whose room `sub` is about to open a socket, to tell it of a revocation.
    pub(super) fn note_visit(
        &self,
        sub: &str,
        opens: Option<&Symbol>,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<(), SqlError> {
        if let Some(symbol) = opens
            && !access::visits(sub, symbol, sql)?
        {
            fx.write(access::visit(sub, symbol));
        }
        Ok(())
    }

    /// Feed: refuses whatever was issued to `sub` until now.
    pub(super) fn revoke(
        &mut self,
        sub: &str,
        by: &Caller,
        reason: Option<&str>,
        now: Millis,
        fx: &mut Effects,
    ) -> Result<Reply, Failure> {
        self.only_feed()?;
        self.shut_out(sub, now, fx);
        fx.write(tickets::drop_of(sub));
        let act = Act::Revocation {
            sub,
            before: now,
            reason,
        };
        self.audit.record(by, &act, now, fx);
        Ok(Reply::Revoked { before: now })
    }

    /// Symbol room: refuses what was issued to `sub` before that moment. It keeps that even if it
    /// does not exist yet: a socket with such a token may be on its way.
    pub(super) fn dismiss(
        &mut self,
        sub: &str,
        before: Millis,
        fx: &mut Effects,
    ) -> Result<Reply, Failure> {
        if self.name == RoomName::Feed {
            return Err(Reject::Misdirected.into());
        }
        self.shut_out(sub, before, fx);
        Ok(Reply::Dismissed)
    }

    /// Feed: in which symbols' rooms `sub` ever opened a socket.
    pub(super) fn visited(&self, sub: &str, page: Page, sql: &dyn Sql) -> Result<Reply, Failure> {
        self.only_feed()?;
        Ok(Reply::Visited(access::visited(sub, page, sql)?))
    }

    /// Whether a token of `sub` that was issued then was revoked, as far as this room knows.
    pub(super) fn shuts_out(
        sub: &str,
        issued_at: Option<Millis>,
        sql: &dyn Sql,
    ) -> Result<bool, SqlError> {
        Ok(is_revoked(issued_at, access::revoked_before(sub, sql)?))
    }

    fn shut_out(&mut self, sub: &str, before: Millis, fx: &mut Effects) {
        fx.write(access::revoke(sub, before));
        let of_sub = self.sockets.of(sub);
        let revoked: Vec<ConnId> = of_sub
            .filter(|(_, socket)| is_revoked(socket.issued_at, Some(before)))
            .map(|(conn, _)| conn)
            .collect();
        for conn in revoked {
            self.close(conn, Close::Revoked, fx);
        }
    }

    pub(super) fn only_feed(&self) -> Result<(), Reject> {
        match self.name {
            RoomName::Feed => Ok(()),
            RoomName::Symbol(_) => Err(Reject::Misdirected),
        }
    }
}
