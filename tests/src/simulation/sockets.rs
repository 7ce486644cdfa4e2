//! Connections: two queues and two ends, each of which may be gone without the other knowing.

use std::collections::VecDeque;

use signalroom_core::auth::Role;
use signalroom_core::room::Event;
use signalroom_core::room::socket::{ConnId, Hello, ResumeFrom};
use signalroom_core::time::Millis;
use signalroom_core::wire::limits;
use signalroom_harness::follow::{Failed, Input, Output, Position};

use super::world::World;
use crate::bench::brief;
use crate::bench::sockets::Done;

/// When the simulated tokens expire: long after every run.
pub(super) const EXPIRES_AT: Millis = Millis(1_900_000_000_000);

/// Something on its way to a client.
#[derive(Debug)]
pub(super) enum Item {
    /// A frame, and where the log stood when it was sent.
    Frame { text: String, top: i64 },
    /// The end, with the code if a close frame came.
    End(Option<u16>),
}

/// A connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) room: usize,
    /// Who holds the other end; none once that has left.
    pub(super) client: Option<usize>,
    /// Whether the network still carries anything.
    pub(super) whole: bool,
    /// On its way to the client.
    pub(super) inbox: VecDeque<Item>,
    /// On its way to the room.
    pub(super) outbox: VecDeque<String>,
}

impl World {
    /// Whether the room holds the connection's other end.
    pub(super) fn is_held(&self, conn: u64) -> bool {
        let room = self.conns[&conn].room;
        self.places[room].sockets.is_open(conn)
    }

    /// Puts what a room said on its way.
    pub(super) fn route(&mut self, room: usize) {
        let top = self.places[room].top();
        for done in self.places[room].sockets.take() {
            let (conn, item) = match done {
                Done::Sent { to, text } => {
                    self.trace.borrow_mut().count(&text);
                    (to, Item::Frame { text, top })
                }
                Done::Closed { conn, code } => (conn, Item::End(Some(code))),
                Done::Attached { .. } | Done::AutoResponse(_) => continue,
            };
            let conn = self.conns.get_mut(&conn).expect("it was accepted");
            if conn.whole {
                conn.inbox.push_back(item);
            }
        }
    }

    /// The network under a connection breaks: of what is on its way to the client the first part
    /// arrives. `seen` says whether the client will notice by itself.
    pub(super) fn break_off(&mut self, id: u64, seen: bool) {
        let seen = seen && !self.rng.one_in(4);
        let arrives = self.conns[&id].inbox.len() + 1;
        let arrives = self.rng.below(arrives);
        let conn = self.conns.get_mut(&id).expect("it is there");
        if !conn.whole {
            return;
        }
        conn.whole = false;
        conn.outbox.clear();
        conn.inbox.truncate(arrives);
        if seen {
            conn.inbox.push_back(Item::End(None));
        }
        self.trace.borrow_mut().faults.cuts += 1;
        self.bury(id);
    }

    /// The room notices that a socket is gone.
    pub(super) fn notice(&mut self, id: u64) {
        let room = self.conns[&id].room;
        self.places[room].sockets.remove(id);
        let conn = ConnId(id);
        if let Err(error) = self.event(room, Event::Closed { conn }) {
            self.note(format!("  {error}"));
        }
        self.bury(id);
    }

    /// The client leaves its connection behind.
    fn leave(&mut self, client: usize) {
        if let Some(id) = self.clients[client].conn.take() {
            let conn = self.conns.get_mut(&id).expect("it is there");
            conn.client = None;
            conn.whole = false;
            conn.inbox.clear();
            conn.outbox.clear();
            self.bury(id);
        }
    }

    /// Forgets a connection that nobody holds any more.
    pub(super) fn bury(&mut self, id: u64) {
        let conn = &self.conns[&id];
        if conn.client.is_none() && !self.is_held(id) {
            self.conns.remove(&id);
        }
    }

    /// A client reads one item.
    pub(super) fn read(&mut self, id: u64) {
        let conn = self.conns.get_mut(&id).expect("it is there");
        let (Some(client), Some(item)) = (conn.client, conn.inbox.pop_front()) else {
            return;
        };
        match item {
            Item::Frame { text, top } => {
                self.note(format!("  client {client} reads {}", brief::frame(&text)));
                self.clients[client].look(&text, top);
                self.tell(client, Input::Text(&text), top);
            }
            Item::End(code) => {
                self.note(format!("  client {client} reads the end {code:?}"));
                self.leave(client);
                self.tell(client, Input::Closed(code), 0);
            }
        }
    }

    /// A room takes one text of a client.
    pub(super) fn hear(&mut self, id: u64) {
        let conn = self.conns.get_mut(&id).expect("it is there");
        let Some(text) = conn.outbox.pop_front() else {
            return;
        };
        let room = conn.room;
        if !self.is_held(id) {
            return;
        }
        self.note(format!("  {} hears {text}", self.places[room].name));
        let pong = self.places[room].sockets.pong().map(str::to_owned);
        if let (limits::PING, Some(text)) = (text.as_str(), pong) {
            // The platform itself answers.
            let top = self.places[room].top();
            let conn = self.conns.get_mut(&id).expect("it is there");
            conn.inbox.push_back(Item::Frame { text, top });
            return;
        }
        let conn = ConnId(id);
        if let Err(error) = self.event(room, Event::Text { conn, text }) {
            self.note(format!("  {error}"));
        }
    }

    /// A client's own clock.
    pub(super) fn tick(&mut self, client: usize) {
        self.tell(client, Input::Tick, 0);
    }

    /// Something happened to a client; does what it wants done.
    fn tell(&mut self, client: usize, input: Input<'_>, top: i64) {
        let (now, random) = (self.now, self.rng.fraction());
        let outputs = self.clients[client].follower.handle(input, now, random);
        let mut connect = None;
        for output in outputs {
            let room = self.clients[client].room;
            let (it, place) = (&mut self.clients[client], &self.places[room]);
            match output {
                Output::Connect { resume } => connect = Some(resume),
                Output::Send(text) => {
                    let conn = it.conn.and_then(|id| self.conns.get_mut(&id));
                    if let Some(conn) = conn.filter(|conn| conn.whole) {
                        conn.outbox.push_back(text);
                    }
                }
                Output::Deliver(message) => it.deliver(&message, top, place),
                Output::Reached(position) => it.reached(&position, place),
                Output::Close => self.leave(client),
                Output::WaitUntil(at) => it.wake = at,
                Output::Lost { cause, .. } => self.note(format!("  client {client}: {cause}")),
                Output::FreshToken | Output::CheckToken | Output::Stop(_) => {
                    panic!("client {client} gives up: {output:?}")
                }
            }
        }
        if let Some(resume) = connect {
            self.connect(client, resume);
        }
    }

    /// Opens a connection, or not.
    fn connect(&mut self, client: usize, resume: Option<Position>) {
        let room = self.clients[client].room;
        let from = resume.as_ref().map_or(0, |from| from.seq);
        self.note(format!(
            "  client {client} connects to {} at {from}",
            self.places[room].name
        ));
        if !self.calm && self.rng.one_in(8) {
            return self.tell(client, Input::Failed(Failed::Unreachable), 0);
        }
        let id = self.fresh_id();
        let retention = self.retention;
        let it = &mut self.clients[client];
        it.connects(resume.as_ref(), &self.places[room], retention);
        it.conn = Some(id);
        let hello = Hello {
            sub: format!("client {client}"),
            role: Role::Viewer,
            expires_at: EXPIRES_AT,
            batch: it.batch,
            symbols: it.symbols(),
            city: it.city,
            resume: resume.map(|from| ResumeFrom {
                epoch: from.epoch,
                since: from.seq,
            }),
        };
        let conn = Conn {
            room,
            client: Some(client),
            whole: true,
            inbox: VecDeque::new(),
            outbox: VecDeque::new(),
        };
        self.conns.insert(id, conn);
        self.places[room].sockets.accept(id);
        let hello = Box::new(hello);
        let conn = ConnId(id);
        let connected = self.event(room, Event::Connected { conn, hello });
        if connected.is_err() && self.is_held(id) {
            // As the harness does: without a welcome it would wait for ever.
            self.places[room].sockets.remove(id);
            let conn = self.conns.get_mut(&id).expect("it is there");
            conn.inbox.push_back(Item::End(Some(1012)));
        }
        self.tell(client, Input::Opened, 0);
    }
}
