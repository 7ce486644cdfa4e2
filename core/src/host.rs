//! Drives a room: decide, commit, emit. The one place where that order is written.
//!
//! A room decides in memory, its writes become durable in one transaction, and only then does
//! anybody hear of them. When the commit fails, the memory is dropped and nobody hears anything;
//! the next event restores the room from the database.

use std::sync::Arc;

use crate::auth::Verifier;
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
    announced: Option<Position>,
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
            announced: None,
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
        let mut fx = Effects::default();
        let mut room = self.restored(sockets)?;
        room.handle(event, now, &self.sql, &mut fx)?;
        self.commit(&mut room, &fx, now)?;
        self.emit(room, fx, sockets);
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
        self.emit(room, fx, sockets);
        outcome
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
                Err(_) => sockets.close(conn, Close::Restarting),
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

    fn emit(&mut self, room: Room, fx: Effects, sockets: &mut impl Sockets) {
        for output in fx.outputs {
            match output {
                Output::Send { to, frame } => sockets.send(&to, &frame),
                Output::Burst { conn, frames } => sockets.burst(conn, &frames),
                Output::Attach { conn, attachment } => sockets.attach(conn, &attachment),
                Output::Close { conn, close } => sockets.close(conn, close),
            }
        }
        let position = room.position();
        if room.created() && self.announced.as_ref() != Some(&position) {
            sockets.auto_respond(&server::bare_pong(&position.epoch, position.seq));
            self.announced = Some(position);
        }
        self.room = Some(room);
    }
}
