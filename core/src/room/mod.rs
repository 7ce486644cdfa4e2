//! Rooms: a durable, ordered log with listeners. A listener is a socket or another room.
//!
//! A room is plain data. `handle` takes an event, `call` a request; both decide, change memory
//! and say in [`Effects`] what is to be written and sent. Reads are synchronous, writes are not
//! done here. [`Room::restore`] is the only constructor: a crash, a failed commit and a
//! hibernation are all "drop and restore". A refused call changes nothing; that it was refused
//! may be put on record.

mod answer;
pub mod call;
mod caller;
mod connect;
pub mod effects;
mod feed;
mod ingest;
mod inspect;
mod limit;
mod listeners;
pub mod log;
pub mod name;
mod proposal;
mod record;
mod reject;
mod run;
mod shut;
pub mod signal;
pub mod socket;
mod supply;
mod symbol_room;
mod talk;
mod ticket;

use std::sync::Arc;

use crate::auth::Verifier;
use crate::config::RoomConfig;
use crate::store::schema::Epoch;
use crate::store::{Blank, Sql, SqlError, schema};
use crate::symbol::Symbol;
use crate::time::Millis;
use crate::wire::client::BadMessage;
use crate::wire::close::Close;
use crate::wire::frame::Frame;
use crate::wire::{limits, server};
use call::{Ack, City, EventKind, Finished, Market, Position, Push, Reject};
use effects::Effects;
use feed::Feed;
use listeners::Listeners;
use log::Log;
use name::RoomName;
use record::Chain;
use socket::{Attachment, ConnId, Hello};
use symbol_room::{SymbolRoom, Turn};

/// Something that happened to a room.
#[derive(Debug)]
pub enum Event {
    /// A socket was accepted.
    Connected {
        /// Its identity.
        conn: ConnId,
        /// Who it is and what it wants.
        hello: Box<Hello>,
    },
    /// A socket sent text.
    Text {
        /// Which socket.
        conn: ConnId,
        /// What it sent.
        text: String,
    },
    /// A socket sent bytes.
    Binary {
        /// Which socket.
        conn: ConnId,
        /// How many.
        bytes: usize,
    },
    /// A socket is gone.
    Closed {
        /// Which socket.
        conn: ConnId,
    },
    /// Nothing was heard from a socket for [`limits::SILENCE_MS`].
    Silent {
        /// Which socket.
        conn: ConnId,
    },
    /// The deadline came, or the runtime thinks so.
    Alarm,
    /// The downstream answered a push.
    Acked(Ack),
    /// The downstream could not be reached.
    PushFailed,
}

/// Why a call did not happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The caller can mend it.
    Reject(Reject),
    /// The database failed.
    Sql(SqlError),
}

impl From<Reject> for Failure {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

/// An event of the log, encoded, on its way to those who want it.
#[derive(Debug)]
struct Published {
    kind: EventKind,
    symbol: Symbol,
    frame: Frame,
}

#[derive(Debug)]
enum Kind {
    Symbol(Box<SymbolRoom>),
    Feed(Box<Feed>),
}

/// One room's state in memory.
#[derive(Debug)]
pub struct Room {
    name: RoomName,
    config: RoomConfig,
    fresh_epoch: String,
    created: bool,
    log: Log,
    audit: Chain,
    sockets: Listeners,
    kind: Kind,
    verifier: Option<Arc<Verifier>>,
}

impl Room {
    /// Reads a room's state from its database and its sockets' attachments. `fresh_epoch`, random,
    /// names the log should the room not exist yet, or get another epoch.
    ///
    /// # Errors
    /// [`SqlError`] from the database.
    pub fn restore(
        name: &RoomName,
        config: RoomConfig,
        fresh_epoch: &str,
        sockets: impl IntoIterator<Item = (ConnId, Attachment)>,
        sql: &dyn Sql,
    ) -> Result<Self, SqlError> {
        let epoch = schema::open(name, sql)?;
        let unborn = Epoch {
            name: fresh_epoch.to_owned(),
            born: Millis(0),
        };
        let created = epoch.is_some();
        let (log, audit, kind) = match epoch {
            None => (
                Log::empty(unborn, config.message_retention),
                Chain::empty(name),
                match name {
                    RoomName::Symbol(symbol) => {
                        Kind::Symbol(Box::new(SymbolRoom::empty(symbol.clone())))
                    }
                    RoomName::Feed => Kind::Feed(Box::new(Feed::empty())),
                },
            ),
            Some(epoch) => (
                Log::restore(epoch, config.message_retention, sql)?,
                Chain::restore(name, sql)?,
                match name {
                    RoomName::Symbol(symbol) => {
                        Kind::Symbol(Box::new(SymbolRoom::restore(symbol.clone(), sql)?))
                    }
                    RoomName::Feed => Kind::Feed(Box::new(Feed::restore(sql)?)),
                },
            ),
        };
        let sockets = sockets.into_iter().collect();
        Ok(Self {
            name: name.clone(),
            config,
            fresh_epoch: fresh_epoch.to_owned(),
            created,
            log,
            audit,
            sockets,
            kind,
            verifier: None,
        })
    }

    /// Lets sockets replace their tokens by what `verifier` accepts.
    pub(crate) fn trust(&mut self, verifier: Option<Arc<Verifier>>) {
        self.verifier = verifier;
    }

    /// Whether the room exists in its database.
    pub fn created(&self) -> bool {
        self.created
    }

    /// The identity of a log that becomes durable now.
    pub(crate) fn begin(&mut self, now: Millis) -> &Epoch {
        self.log.begin(now);
        self.log.identity()
    }

    /// Tells the room that its tables were made.
    pub(crate) fn mark_created(&mut self) {
        self.created = true;
    }

    /// The newest position of the room's log.
    pub fn position(&self) -> Position {
        self.log.position()
    }

    /// The room's name.
    pub fn name(&self) -> &RoomName {
        &self.name
    }

    /// The earliest moment the room wants to be woken.
    pub fn next_deadline(&self) -> Option<Millis> {
        let own = match &self.kind {
            Kind::Symbol(room) => room.next_deadline(&self.log),
            Kind::Feed(feed) => feed.next_deadline(),
        };
        own.into_iter().chain(self.sockets.next_due()).min()
    }

    /// Whether a run is under way, whose signals come one after the other.
    pub fn has_run(&self, now: Millis) -> bool {
        match &self.kind {
            Kind::Feed(feed) => feed.has_run(now),
            Kind::Symbol(_) => false,
        }
    }

    /// The next batch owed to the downstream, if one may be sent now.
    ///
    /// # Errors
    /// [`SqlError`] from the database.
    pub fn next_push(&self, now: Millis, sql: &dyn Sql) -> Result<Option<Push>, SqlError> {
        match &self.kind {
            Kind::Symbol(room) => room.next_push(&self.log, self.audit.tip(), now, sql),
            Kind::Feed(_) => Ok(None),
        }
    }

    /// Takes an event.
    ///
    /// # Errors
    /// [`SqlError`] from the database; the room must then be dropped.
    pub fn handle(
        &mut self,
        event: Event,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<(), SqlError> {
        let sql = self.readable(sql);
        match event {
            Event::Connected { conn, hello } => self.connect(conn, &hello, now, sql, fx)?,
            Event::Text { conn, .. } | Event::Binary { conn, .. }
                if !self.may_speak(conn, now, fx) => {}
            Event::Text { conn, text } => self.receive_text(conn, &text, now, sql, fx)?,
            Event::Binary { conn, bytes } => {
                if bytes > limits::MAX_MESSAGE_BYTES {
                    self.close(conn, Close::TooBig, fx);
                } else if self.may_send(conn, now, fx) {
                    self.refuse(conn, &BadMessage::Binary, now, fx);
                }
            }
            Event::Closed { conn } => self.sockets.remove(conn),
            Event::Silent { conn } => {
                if self.sockets.get(conn).is_some() {
                    self.close(conn, Close::NoHeartbeat, fx);
                }
            }
            Event::Alarm => {
                self.tell_expiry(now, fx);
                self.refresh_city(now, sql, fx)?;
            }
            Event::Acked(ack) => self.on_delivery(Some(ack), now, sql, fx),
            Event::PushFailed => self.on_delivery(None, now, sql, fx),
        }
        Ok(())
    }

    /// The database, or an empty one while there are no tables: asking about a symbol nobody has
    /// heard of must not create its room.
    fn readable<'a>(&self, sql: &'a dyn Sql) -> &'a dyn Sql {
        if self.created { sql } else { &Blank }
    }

    fn on_delivery(&mut self, ack: Option<Ack>, now: Millis, sql: &dyn Sql, fx: &mut Effects) {
        let Kind::Symbol(room) = &mut self.kind else {
            return;
        };
        let mut published = Vec::new();
        let mut turn = Turn {
            log: &mut self.log,
            audit: &mut self.audit,
            now,
            sql,
            fx,
            published: &mut published,
        };
        match ack {
            Some(ack) => room.on_ack(&ack, &mut turn),
            None => room.on_push_failed(&mut turn),
        }
    }

    fn fan_out(&self, event: Published, fx: &mut Effects) {
        let Published {
            kind,
            symbol,
            frame,
        } = event;
        // Somebody may be waiting for a decision to show.
        let patient = kind == EventKind::NewSignal;
        fx.publish(frame, patient, self.sockets.iter(), |socket| {
            socket.wants(kind, &symbol)
        });
    }

    /// The city state; only the feed has one.
    fn city(&self) -> Option<&City> {
        match &self.kind {
            Kind::Feed(feed) => Some(feed.city()),
            Kind::Symbol(_) => None,
        }
    }

    /// The market's mood; only the feed has one.
    fn market(&self) -> Option<&Market> {
        match &self.kind {
            Kind::Feed(feed) => feed.market(),
            Kind::Symbol(_) => None,
        }
    }

    fn refresh_market(
        &mut self,
        finished: &Finished,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<(), SqlError> {
        let Kind::Feed(feed) = &mut self.kind else {
            return Ok(());
        };
        if feed.refresh_market(finished, now, sql, fx)? {
            let frame = server::encode("market_update", feed.market(), now);
            self.tell_topic(frame, |socket| socket.market, now, fx);
        }
        Ok(())
    }

    /// Sends a topic's value to those who follow it and whose token is still good.
    fn tell_topic(
        &mut self,
        frame: Frame,
        follows: impl Fn(&Attachment) -> bool,
        now: Millis,
        fx: &mut Effects,
    ) {
        self.tell_expiry(now, fx);
        fx.publish(frame, true, self.sockets.iter(), follows);
    }

    fn refresh_city(
        &mut self,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<(), SqlError> {
        let Kind::Feed(feed) = &mut self.kind else {
            return Ok(());
        };
        if feed.refresh_city(sql, fx)? {
            let frame = server::encode("city_state_update", feed.city(), now);
            self.tell_topic(frame, |socket| socket.city, now, fx);
        }
        Ok(())
    }
}
