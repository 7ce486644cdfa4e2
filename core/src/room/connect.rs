//! What a socket gets when it opens: a welcome, then what it missed or a snapshot.

use serde_json::value::RawValue;

use super::effects::{Effects, Output};
use super::log::{self, json};
use super::signal::shown;
use super::socket::{Attachment, ConnId, Hello, ResumeFrom};
use super::{Kind, Room};
use crate::store::{Sql, SqlError, feed as feed_store};
use crate::time::Millis;
use crate::wire::close::Close;
use crate::wire::frame::Frame;
use crate::wire::{limits, server};

impl Room {
    pub(super) fn connect(
        &mut self,
        conn: ConnId,
        hello: &Hello,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<(), SqlError> {
        let socket = Attachment::new(hello, now);
        let Ok(attachment) = socket.encode() else {
            self.close(conn, Close::TooBig, fx);
            return Ok(());
        };
        if Self::shuts_out(&hello.sub, hello.issued_at, sql)? {
            self.close(conn, Close::Revoked, fx);
            return Ok(());
        }
        if !self.has_seat(&hello.sub) {
            self.close(conn, Close::TooManyConnections, fx);
            return Ok(());
        }
        // Whoever is told an epoch may resume with it, so it lasts from now on.
        fx.durable = true;
        fx.outputs.push(Output::Attach { conn, attachment });
        let welcome = server::Welcome {
            connection_id: &conn.to_string(),
            epoch: self.log.epoch(),
            seq: self.log.top(),
            expires_at: hello.expires_at,
            ping_interval_ms: limits::PING_INTERVAL_MS,
            reconnect_window_ms: limits::reconnect_window_ms(self.sockets.len() + 1),
        };
        fx.send(conn, server::encode("welcome", welcome, now));
        let recovered = match &hello.resume {
            Some(from) => self.resume(conn, &socket, from, now, sql, fx)?,
            None => false,
        };
        if !recovered {
            let frame = self.snapshot(&socket, now, sql)?;
            fx.send(conn, frame);
        }
        self.sockets.insert(conn, socket);
        Ok(())
    }

    /// Brings what was missed, all of it or nothing; says which.
    fn resume(
        &self,
        conn: ConnId,
        socket: &Attachment,
        from: &ResumeFrom,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<bool, SqlError> {
        let limit = self.config.resume_limit;
        let reachable = self.log.top().saturating_sub(from.since) <= limit;
        let recovered = reachable && self.log.reaches(from);
        let mut missed = Vec::new();
        if recovered {
            missed = self.log.after(from.since, limit, sql)?;
            missed.retain(|event| socket.wants(event.kind, &event.symbol));
        }
        let count = missed.len();
        let mut frames: Vec<Frame> = missed.iter().map(log::Logged::frame).collect();
        if socket.batch {
            let batches = frames.chunks(limits::MAX_BATCH);
            frames = batches.map(Frame::together).collect();
        }
        if !frames.is_empty() {
            fx.outputs.push(Output::Burst { conn, frames });
        }
        fx.send(
            conn,
            server::encode("resumed", server::Resumed { recovered, count }, now),
        );
        Ok(recovered)
    }

    fn snapshot(&self, socket: &Attachment, now: Millis, sql: &dyn Sql) -> Result<Frame, SqlError> {
        let (signals, city): (Vec<Box<RawValue>>, _) = match &self.kind {
            Kind::Symbol(room) => (
                room.latest()
                    .iter()
                    .map(|signal| json(&signal.view(now)))
                    .collect(),
                None,
            ),
            Kind::Feed(feed) => {
                let limit = self.config.history_limit;
                let kept = feed_store::snapshot(&socket.filter, limit, sql)?;
                let signals = kept.iter().map(|signal| shown(signal, now)).collect();
                (signals, Some(feed.city()))
            }
        };
        Ok(server::encode(
            "snapshot",
            server::Snapshot {
                signals: &signals,
                city,
                market: self.market(),
            },
            now,
        ))
    }
}
