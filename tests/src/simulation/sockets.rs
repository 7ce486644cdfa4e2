//! Connections: two queues and two ends, each of which may be gone without the other knowing. The
//! queue to a client is bounded: who does not read is cut off.

use std::collections::VecDeque;

use serde_json::Value as Json;
use signalroom_core::room::Event;
use signalroom_core::room::socket::{ConnId, Hello, ResumeFrom};
use signalroom_core::time::Millis;
use signalroom_core::wire::close::Close;
use signalroom_core::wire::limits;
use signalroom_harness::follow::{Failed, Input, Output, Position};

use super::world::World;
use crate::bench::brief;
use crate::bench::sockets::Done;

/// Something on its way to a client.
#[derive(Debug)]
pub(super) enum Item {
    /// A frame, where the log stood when it was sent, and whether it waits in the socket's queue.
    Frame {
        text: String,
        top: i64,
        queued: bool,
    },
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
    /// When its token expires.
    pub(super) expires_at: Millis,
    /// When the token expires that it is being renewed with.
    renewal: Option<Millis>,
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

    /// Whether the room was not told yet that the connection was cut off.
    pub(super) fn is_cut(&self, conn: u64) -> bool {
        let room = self.conns[&conn].room;
        self.places[room].sockets.is_cut(conn)
    }

    /// Puts what a room said on its way.
    pub(super) fn route(&mut self, room: usize) {
        for done in self.places[room].sockets.take() {
            match done {
                Done::Sent { to, text } => self.carry_to(to, text),
                Done::Closed { conn, code } => self.close(conn, code),
                Done::Attached { .. } | Done::AutoResponse(_) => {}
            }
        }
    }

    fn carry_to(&mut self, id: u64, text: String) {
        self.trace.borrow_mut().count(&text);
        let now = self.now;
        let top = self.places[self.conns[&id].room].top();
        let conn = self.conns.get_mut(&id).expect("it was accepted");
        // However much a resume brings, it counts as little.
        let queued = self.connecting != Some(id);
        if text.starts_with(r#"{"type":"authenticated""#) {
            conn.expires_at = conn.renewal.take().expect("nobody asked for it");
            let told = serde_json::to_string(&conn.expires_at).expect("JSON");
            assert!(text.contains(&told), "{text}, but it is {told}");
            self.trace.borrow_mut().faults.renewals += 1;
        }
        assert!(
            conn.expires_at > now || !queued,
            "sent after the token had expired: {text}"
        );
        if !conn.whole {
            return;
        }
        let waits = |item: &&Item| matches!(item, Item::Frame { queued: true, .. });
        if queued && conn.inbox.iter().filter(waits).count() >= self.bound {
            return self.cut_off(id);
        }
        conn.inbox.push_back(Item::Frame { text, top, queued });
    }

    fn close(&mut self, id: u64, code: u16) {
        let conn = self.conns.get_mut(&id).expect("it was accepted");
        if code == Close::TokenExpired.code() {
            assert!(conn.expires_at <= self.now, "closed before it had expired");
            self.trace.borrow_mut().faults.expiries += 1;
        }
        if conn.whole {
            conn.inbox.push_back(Item::End(Some(code)));
        }
    }

    /// The platform gives up on a client that does not read: what waits is dropped, the room
    /// hears of it later.
    fn cut_off(&mut self, id: u64) {
        let conn = self.conns.get_mut(&id).expect("it is there");
        let arrives = self.rng.below(conn.inbox.len() + 1);
        conn.whole = false;
        conn.outbox.clear();
        conn.inbox.truncate(arrives);
        let code = (!self.rng.one_in(4)).then(|| Close::SlowReader.code());
        conn.inbox.push_back(Item::End(code));
        let (room, client) = (conn.room, conn.client);
        self.places[room].sockets.cut(id);
        self.note(format!("  client {client:?} reads too slowly"));
        self.trace.borrow_mut().faults.slow += 1;
    }

    /// The network under a connection breaks: of what is on its way to the client the first part
    /// arrives. `seen` says whether the client will notice by itself.
    pub(super) fn break_off(&mut self, id: u64, seen: bool) {
        let seen = seen && !self.rng.one_in(4);
        let arrives = self.conns[&id].inbox.len() + 1;
        let arrives = self.rng.below(arrives);
        let conn = self.conns.get_mut(&id).expect("it is there");
        if !conn.whole {
            return self.bury(id);
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
        let left = self.conns.get(&id).is_some_and(|it| it.client.is_none());
        if left && !self.is_held(id) && !self.is_cut(id) {
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
            Item::Frame { text, top, .. } => {
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
            // The platform itself answers: the newest, or what came before all that was gathered.
            let mut top = self.places[room].top();
            if self.places[room].gathers {
                let told: Json = serde_json::from_str(&text).expect("frames are JSON");
                let seq = told["data"]["seq"].as_i64().expect("a position");
                assert!(seq <= top, "{text}, but the log ends at {top}");
                top = seq;
            }
            let conn = self.conns.get_mut(&id).expect("it is there");
            let queued = false;
            conn.inbox.push_back(Item::Frame { text, top, queued });
            return;
        }
        let token = serde_json::from_str::<Json>(&text).ok();
        let token = token.and_then(|it| it["data"]["token"].as_str().map(str::to_owned));
        let claims = token.and_then(|token| self.claims(&token));
        let conn = self.conns.get_mut(&id).expect("it is there");
        conn.renewal = claims.map(|claims| claims.expires_at);
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
    pub(super) fn tell(&mut self, client: usize, input: Input<'_>, top: i64) {
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
                Output::FreshToken => it.wallet.wanted = true,
                Output::CheckToken | Output::Stop(_) => {
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
        let Some(claims) = self.shown(client) else {
            self.note(format!("  client {client} shows an expired token"));
            return self.tell(client, Input::Failed(Failed::Status(401)), 0);
        };
        let id = self.fresh_id();
        let retention = self.retention;
        let it = &mut self.clients[client];
        it.connects(resume.as_ref(), &self.places[room], retention);
        it.conn = Some(id);
        let hello = Hello {
            sub: claims.sub,
            role: claims.role,
            expires_at: claims.expires_at,
            issued_at: claims.issued_at,
            batch: it.batch,
            symbols: it.symbols(),
            city: it.city,
            market: false,
            resume: resume.map(|from| ResumeFrom {
                epoch: from.epoch,
                since: from.seq,
            }),
        };
        let conn = Conn {
            room,
            client: Some(client),
            whole: true,
            expires_at: claims.expires_at,
            renewal: None,
            inbox: VecDeque::new(),
            outbox: VecDeque::new(),
        };
        self.conns.insert(id, conn);
        self.places[room].sockets.accept(id);
        let hello = Box::new(hello);
        let conn = ConnId(id);
        self.connecting = Some(id);
        let connected = self.event(room, Event::Connected { conn, hello });
        self.connecting = None;
        if connected.is_err() && self.is_held(id) {
            // As the harness does: without a welcome it would wait for ever.
            self.places[room].sockets.remove(id);
            let conn = self.conns.get_mut(&id).expect("it is there");
            conn.inbox.push_back(Item::End(Some(1012)));
        }
        self.tell(client, Input::Opened, 0);
    }
}
