//! How much a room takes of one user: sockets, messages, decisions, bars.

use super::Room;
use super::call::{Call, Caller};
use super::effects::Effects;
use super::socket::ConnId;
use crate::rate::Empty;
use crate::store::{Sql, SqlError, Statement, buckets};
use crate::time::Millis;
use crate::wire::close::Close;
use crate::wire::server;

/// What a call takes of its caller's rate, to be kept with what the call writes.
pub(super) type Charge = [Statement; 2];

/// Which rate a call counts for, and whose.
pub(super) fn rated(call: &Call) -> Option<(Rated, &Caller)> {
    match call {
        Call::Approve(proposal) => Some((Rated::Approve, &proposal.by)),
        Call::PutBars { by, .. } => Some((Rated::Bars, by)),
        _ => None,
    }
}

/// What is rated per user and room.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rated {
    Approve,
    Bars,
}

impl Room {
    /// Takes from the caller's bucket, if there is anything in it.
    pub(super) fn charge(
        &self,
        rated: Rated,
        by: &Caller,
        now: Millis,
        sql: &dyn Sql,
    ) -> Result<Result<Charge, Empty>, SqlError> {
        let (kind, rate) = match rated {
            Rated::Approve => ("approve", self.config.approvals),
            Rated::Bars => ("bars", self.config.bars),
        };
        let bucket = buckets::find(kind, &by.sub, sql)?;
        let taken = rate.take(bucket, now);
        Ok(taken.map(|bucket| buckets::keep(kind, &by.sub, bucket, now)))
    }

    /// Whether the user may hold one more socket here.
    pub(super) fn has_seat(&self, sub: &str) -> bool {
        self.sockets.count_of(sub) < self.config.max_connections_per_user as usize
    }

    /// Counts a message. One that is too many is not taken: the first is answered with a warning,
    /// the next ends the socket.
    pub(super) fn may_send(&mut self, conn: ConnId, now: Millis, fx: &mut Effects) -> bool {
        let Some(socket) = self.sockets.get(conn) else {
            return false;
        };
        let mut counted = socket.clone();
        match self.config.messages.take(socket.messages, now) {
            Ok(messages) => {
                counted.too_many &= !socket.messages.is_full(now);
                counted.messages = messages;
                self.keep(conn, counted, fx);
                true
            }
            Err(_) if socket.too_many => {
                self.close(conn, Close::TooManyMessages, fx);
                false
            }
            Err(Empty { wait }) => {
                counted.too_many = true;
                let text = format!("too many messages, wait {} s", (wait + 999) / 1000);
                fx.send(conn, server::error("rate_limited", &text, now));
                self.keep(conn, counted, fx);
                false
            }
        }
    }
}
