//! Drives a room: decide, commit, emit. The one place where that order is written.
//!
//! A room decides in memory, its writes become durable in one transaction, and only then does
//! anybody hear of them. When the commit fails, the memory is dropped and nobody hears anything;
//! the next event restores the room from the database.

use std::sync::Arc;

use crate::auth::Verifier;
use crate::broadcast::Broadcasts;
use crate::config::RoomConfig;
use crate::room::call::{Call, Position, Push, Reject, Reply};
use crate::room::effects::{Effects, Output};
use crate::room::name::RoomName;
use crate::room::socket::{Attachment, ConnId};
use crate::room::{Event, Failure, Room};
use crate::store::{Sql, SqlError, schema};
use crate::time::Millis;
use crate::wire::close::Close;
use crate::wire::frame::Frame;
use crate::wire::server;

/// The sockets of a room, as the platform holds them. No default methods: a new output stops
/// both builds until it is handled.
pub trait Sockets {
    /// Every open socket with what was attached to it; not one that is just being accepted.
    fn attached(&self) -> Vec<(ConnId, String)>;
    /// Writes one frame to these sockets, skipping those that are not open.
    fn send(&mut self, to: &[ConnId], frame: &Frame);
    /// Writes several frames to one socket, in order. However many they are, a socket that reads
    /// them is no slow reader.
    fn burst(&mut self, conn: ConnId, frames: &[Frame]);
    /// Keeps `attachment` with the socket across hibernation.
    fn attach(&mut self, conn: ConnId, attachment: &str);
    /// Closes the socket, after what was sent to it.
    fn close(&mut self, conn: ConnId, close: Close);
    /// Sets what a bare `ping` is answered with.
    fn auto_respond(&mut self, pong: &str);
}

/// Why messages are being gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// A broadcast has just left.
    Sent,
    /// A run brings more, for which it is worth to wait so many milliseconds.
    Wait(i64),
}

/// Why a call has no reply, inside the host.
#[derive(Debug, Clone, PartialEq)]
pub enum HostError {
    /// The caller can mend it; nothing changed.
    Reject(Reject),
    /// Ours: to be logged where it is seen.
    Fault(SqlError),
}

/// A room with its database.
#[derive(Debug)]
pub struct Host<S> {
    name: RoomName,
    config: RoomConfig,
    fresh_epoch: String,
    sql: S,
    room: Option<Room>,
    /// Where the log stood after the last event.
    reached: Option<Position>,
    /// What a bare ping is answered with.
    announced: Option<Position>,
    broadcasts: Broadcasts,
    /// Whether a run is under way.
    run: bool,
    verifier: Option<Arc<Verifier>>,
}

impl<S: Sql> Host<S> {
    /// A host whose room is restored at the first event. `fresh_epoch` is random and names the
    /// room's log if the room does not exist yet.
    pub fn new(name: RoomName, config: RoomConfig, fresh_epoch: String, sql: S) -> Self {
        Self {
            name,
            config,
            fresh_epoch,
            sql,
            room: None,
            reached: None,
            announced: None,
            broadcasts: Broadcasts::default(),
            run: false,
            verifier: None,
        }
    }

    /// Lets sockets replace their tokens by what `verifier` accepts; without it `authenticate`
    /// is refused.
    #[must_use]
    pub fn trusting(mut self, verifier: Arc<Verifier>) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// The room's database.
    pub fn sql(&self) -> &S {
        &self.sql
    }

    /// Forgets the room's memory, as hibernation does.
    pub fn hibernate(&mut self) {
        self.room = None;
    }

    /// Takes an event: decides, commits, emits.
    ///
    /// # Errors
    /// [`SqlError`] when nothing was done because the database failed.
    pub fn on_event(
        &mut self,
        event: Event,
        now: Millis,
        sockets: &mut impl Sockets,
    ) -> Result<(), SqlError> {
        if let Event::Closed { conn } = event {
            self.broadcasts.forget(conn);
        }
        let mut fx = Effects::default();
        let mut room = self.restored(sockets)?;
        room.handle(event, now, &self.sql, &mut fx)?;
        self.commit(&mut room, &fx, now)?;
        self.emit(room, fx, now, sockets);
        Ok(())
    }

    /// Answers a call: decides, commits, emits, replies.
    ///
    /// # Errors
    /// [`HostError::Reject`] when the caller is at fault, [`HostError::Fault`] when the database
    /// is; in both cases nothing changed and nobody was told anything. A refused decision is on
    /// record before it is answered.
    pub fn on_call(
        &mut self,
        call: Call,
        now: Millis,
        sockets: &mut impl Sockets,
    ) -> Result<Reply, HostError> {
        let mut fx = Effects::default();
        let mut room = self.restored(sockets).map_err(HostError::Fault)?;
        let proposal = match &call {
            Call::Approve(proposal) => Some(proposal.clone()),
            _ => None,
        };
        let outcome = match room.call(call, now, &self.sql, &mut fx) {
            Ok(reply) => Ok(reply),
            Err(Failure::Reject(reject)) => {
                fx = Effects::default();
                if let Some(proposal) = proposal {
                    room.note_refusal(&proposal, &reject, now, &self.sql, &mut fx)
                        .map_err(HostError::Fault)?;
                }
                Err(HostError::Reject(reject))
            }
            Err(Failure::Sql(error)) => return Err(HostError::Fault(error)),
        };
        self.commit(&mut room, &fx, now).map_err(HostError::Fault)?;
        self.emit(room, fx, now, sockets);
        outcome
    }

    /// Begins to gather messages, if there is a reason to: to be called after every turn by an
    /// adapter for which a broadcast is one long step. It then waits for as long as it is told,
    /// or until the broadcast that has left is over and then as long as [`Host::rest`] says;
    /// calls [`Host::release`], and goes on in the same way while that lets something out. One
    /// whose sockets gather by themselves calls none of these, and nothing is ever kept.
    pub fn hold(&mut self) -> Option<Hold> {
        self.broadcasts.hold()
    }

    /// How long to gather after a broadcast that took `took` milliseconds, milliseconds.
    pub fn rest(&mut self, took: i64) -> i64 {
        self.broadcasts.rest(took, self.run)
    }

    /// Lets out what was gathered. True when that was something, and gathering goes on.
    ///
    /// # Errors
    /// [`SqlError`] from the database: what was gathered still waits.
    pub fn release(&mut self, now: Millis, sockets: &mut impl Sockets) -> Result<bool, SqlError> {
        let mut fx = Effects::default();
        let mut room = self.restored(sockets)?;
        room.tell_expiry(now, &mut fx);
        self.emit(room, fx, now, sockets);
        let sent = self.broadcasts.release(sockets);
        self.announce(sockets);
        Ok(sent)
    }

    /// The next batch owed to the downstream, if one may be sent now. The adapter delivers it
    /// and reports back with [`Event::Acked`] or [`Event::PushFailed`], until there is none.
    ///
    /// # Errors
    /// [`SqlError`] from the database.
    pub fn next_push(
        &mut self,
        now: Millis,
        sockets: &mut impl Sockets,
    ) -> Result<Option<Push>, SqlError> {
        let room = self.restored(sockets)?;
        let push = room.next_push(now, &self.sql);
        self.room = Some(room);
        push
    }

    /// The earliest moment the room wants an [`Event::Alarm`]. One alarm serves every purpose.
    ///
    /// # Errors
    /// [`SqlError`] from the database.
    pub fn next_deadline(
        &mut self,
        sockets: &mut impl Sockets,
    ) -> Result<Option<Millis>, SqlError> {
        let room = self.restored(sockets)?;
        let deadline = room.next_deadline();
        self.room = Some(room);
        Ok(deadline)
    }

    /// Takes the room out of the host: a failure on the way drops it.
    fn restored(&mut self, sockets: &mut impl Sockets) -> Result<Room, SqlError> {
        if let Some(room) = self.room.take() {
            return Ok(room);
        }
        // A socket whose attachment cannot be read would be deaf for ever: it comes back.
        let mut attached = Vec::new();
        for (conn, text) in sockets.attached() {
            match Attachment::decode(&text) {
                Ok(attachment) => attached.push((conn, attachment)),
                Err(_) => {
                    self.broadcasts.forget(conn);
                    sockets.close(conn, Close::Restarting);
                }
            }
        }
        let mut room = Room::restore(
            &self.name,
            self.config,
            &self.fresh_epoch,
            attached,
            &self.sql,
        )?;
        room.trust(self.verifier.clone());
        Ok(room)
    }

    fn commit(&self, room: &mut Room, fx: &Effects, now: Millis) -> Result<(), SqlError> {
        let creates = !room.created() && (fx.durable || !fx.writes.is_empty());
        if !creates && fx.writes.is_empty() {
            return Ok(());
        }
        let tables = if creates {
            schema::create(&self.name, room.begin(now))
        } else {
            Vec::new()
        };
        self.sql.atomically(&mut || {
            tables
                .iter()
                .chain(&fx.writes)
                .try_for_each(|write| self.sql.run(write.sql, &write.args))
        })?;
        if creates {
            room.mark_created();
        }
        Ok(())
    }

    fn emit(&mut self, room: Room, fx: Effects, now: Millis, sockets: &mut impl Sockets) {
        for output in &fx.outputs {
            if let Output::Close { conn, .. } = output {
                // Its token may have expired: what waits is not for it any more.
                self.broadcasts.forget(*conn);
            }
        }
        for output in fx.outputs {
            match output {
                Output::Publish(publication) => self.broadcasts.push(publication),
                Output::Send { conn, frame } => {
                    self.make_way(conn, sockets);
                    sockets.send(&[conn], &frame);
                }
                Output::Burst { conn, frames } => {
                    self.make_way(conn, sockets);
                    sockets.burst(conn, &frames);
                }
                Output::Attach { conn, attachment } => sockets.attach(conn, &attachment),
                Output::Close { conn, close } => sockets.close(conn, close),
            }
        }
        let run = room.has_run(now);
        if self.run && !run {
            self.broadcasts.let_out(sockets);
        }
        self.run = run;
        self.broadcasts.settle(run, sockets);
        self.reached = room.created().then(|| room.position());
        self.announce(sockets);
        self.room = Some(room);
    }

    /// What a socket hears alone comes after what it was to hear with others.
    fn make_way(&mut self, conn: ConnId, sockets: &mut impl Sockets) {
        if self.broadcasts.holds_for(conn) {
            self.broadcasts.let_out(sockets);
        }
    }

    /// Tells clients that ask how far the log goes, once they have been sent all of it.
    fn announce(&mut self, sockets: &mut impl Sockets) {
        if !self.broadcasts.is_empty() || self.announced == self.reached {
            return;
        }
        if let Some(position) = &self.reached {
            sockets.auto_respond(&server::bare_pong(&position.epoch, position.seq));
            self.announced.clone_from(&self.reached);
        }
    }
}
