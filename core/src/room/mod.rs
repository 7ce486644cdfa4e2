//! Rooms: a durable, ordered log with listeners. A listener is a socket or another room.
//!
//! A room is plain data. `handle` takes an event, `call` a request; both decide, change memory
//! and say in [`Effects`] what is to be written and sent. Reads are synchronous, writes are not
//! done here. [`Room::restore`] is the only constructor: a crash, a failed commit and a
//! hibernation are all "drop and restore". A refused call changes nothing.

pub mod call;
pub mod effects;
mod feed;
mod listeners;
pub mod log;
pub mod name;
pub mod signal;
pub mod socket;
mod symbol_room;
mod talk;

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::auth::Verifier;
use crate::config::RoomConfig;
use crate::store::schema::Epoch;
use crate::store::{Blank, Sql, SqlError, feed as feed_store, schema, signals as signal_store};
use crate::symbol::Symbol;
use crate::time::Millis;
use crate::wire::client::BadMessage;
use crate::wire::close::Close;
use crate::wire::frame::Frame;
use crate::wire::{limits, server};
use call::{Ack, Call, City, EventKind, Position, Push, Reject, Reply, Slice};
use effects::{Effects, Output};
use feed::Feed;
use listeners::Listeners;
use log::{Log, json};
use name::RoomName;
use socket::{Attachment, ConnId, Hello, ResumeFrom};
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
        let (log, kind) = match epoch {
            None => (
                Log::empty(unborn, config.message_retention),
                match name {
                    RoomName::Symbol(symbol) => {
                        Kind::Symbol(Box::new(SymbolRoom::empty(symbol.clone())))
                    }
                    RoomName::Feed => Kind::Feed(Box::new(Feed::empty())),
                },
            ),
            Some(epoch) => (
                Log::restore(epoch, config.message_retention, sql)?,
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

    /// The next batch owed to the downstream, if one may be sent now.
    ///
    /// # Errors
    /// [`SqlError`] from the database.
    pub fn next_push(&self, now: Millis, sql: &dyn Sql) -> Result<Option<Push>, SqlError> {
        match &self.kind {
            Kind::Symbol(room) => room.next_push(&self.log, now, sql),
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
            Event::Text { conn, text } => self.receive_text(conn, &text, now, fx),
            Event::Binary { conn, bytes } => {
                if bytes > limits::MAX_MESSAGE_BYTES {
                    self.close(conn, Close::TooBig, fx);
                } else {
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
            Call::Renew => return self.renew(now, sql, fx),
            _ => {}
        }
        let sql = self.readable(sql);
        let mut published = Vec::new();
        let reply = match &mut self.kind {
            Kind::Symbol(room) => {
                let mut turn = Turn {
                    log: &mut self.log,
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
                    Reply::Signals(feed_store::signals(status, page, sql)?)
                }
                Call::Top { n } => Reply::Signals(Slice {
                    items: feed_store::top(n, sql)?,
                    next: None,
                }),
                Call::Approvals { filter, page } => {
                    Reply::Approvals(feed_store::approvals(&filter, page, sql)?)
                }
                Call::Plan { watchlist } => Reply::Planned(feed.plan(&watchlist, now, sql, fx)?),
                Call::Sources { page } => Reply::Sources(feed_store::sources(page, sql)?),
                Call::City | Call::Finish => {
                    self.refresh_city(now, sql, fx)?;
                    let city = self.city().ok_or(Reject::Misdirected)?;
                    Reply::City(city.clone())
                }
                Call::PutBars { .. }
                | Call::Bars { .. }
                | Call::Compute
                | Call::Latest
                | Call::History { .. }
                | Call::Look
                | Call::Renew
                | Call::Approve(_) => return Err(Reject::Misdirected.into()),
            },
        };
        if !published.is_empty() {
            self.tell_expiry(now, fx);
        }
        for event in published {
            self.fan_out(event, fx);
        }
        Ok(reply)
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
                now,
                sql,
                fx,
                published: &mut Vec::new(),
            });
        }
        Ok(Reply::Looked { overdue })
    }

    /// Begins another epoch: nobody who followed the old one may resume with it.
    fn renew(&mut self, now: Millis, sql: &dyn Sql, fx: &mut Effects) -> Result<Reply, Failure> {
        if !self.created {
            return Err(Reject::UnknownSymbol.into());
        }
        let listening: Vec<ConnId> = self.sockets.iter().map(|(conn, _)| conn).collect();
        for conn in listening {
            self.close(conn, Close::Restarting, fx);
        }
        match &mut self.kind {
            Kind::Symbol(room) => room.renew(
                &self.fresh_epoch,
                &mut Turn {
                    log: &mut self.log,
                    now,
                    sql,
                    fx,
                    // Nobody listens any more.
                    published: &mut Vec::new(),
                },
            ),
            Kind::Feed(_) => self.log.renew(&self.fresh_epoch, self.log.top(), now, fx),
        }
        Ok(Reply::Renewed(self.log.position()))
    }

    fn fan_out(&self, event: Published, fx: &mut Effects) {
        let wanted = |(conn, socket): (ConnId, &Attachment)| {
            socket.wants(event.kind, &event.symbol).then_some(conn)
        };
        fx.broadcast(
            self.sockets.iter().filter_map(wanted).collect(),
            event.frame,
        );
    }

    /// The city state; only the feed has one.
    fn city(&self) -> Option<&City> {
        match &self.kind {
            Kind::Feed(feed) => Some(feed.city()),
            Kind::Symbol(_) => None,
        }
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
            self.tell_expiry(now, fx);
            let followers = self
                .sockets
                .iter()
                .filter(|(_, socket)| socket.city)
                .map(|(conn, _)| conn);
            fx.broadcast(followers.collect(), frame);
        }
        Ok(())
    }

    fn connect(
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
                    .map(|signal| json(&signal.view()))
                    .collect(),
                None,
            ),
            Kind::Feed(feed) => {
                let limit = self.config.history_limit;
                (
                    feed_store::snapshot(&socket.filter, limit, sql)?,
                    Some(feed.city()),
                )
            }
        };
        Ok(server::encode(
            "snapshot",
            server::Snapshot {
                signals: &signals,
                city,
            },
            now,
        ))
    }
}

fn call_symbol(room: &mut SymbolRoom, call: Call, turn: &mut Turn<'_>) -> Result<Reply, Failure> {
    match call {
        Call::PutBars { bars, compute, .. } => Ok(room.put_bars(&bars, compute, turn)?),
        Call::Bars { from, to, page } => SymbolRoom::bars(from, to, page, turn.sql),
        Call::Compute => room.compute(turn),
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
        | Call::Plan { .. }
        | Call::Sources { .. }
        | Call::Look
        | Call::Renew
        | Call::Finish => Err(Reject::Misdirected.into()),
    }
}
