//! Everything that there is: rooms, what is on its way between them, clients, a clock. One thing
//! happens at a time, and after each the rules are looked at.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use chrono::NaiveDate;
use signalroom_core::auth::Verifier;
use signalroom_core::config::RoomConfig;
use signalroom_core::host::{Hold, Host, HostError};
use signalroom_core::room::Event;
use signalroom_core::room::call::{Ack, Call, Push, Reply};
use signalroom_core::room::name::RoomName;
use signalroom_core::room::socket::Filter;
use signalroom_core::signals::bar::Bar;
use signalroom_core::store::SqlError;
use signalroom_core::symbol::Symbol;
use signalroom_core::time::Millis;

use super::client::Client;
use super::place::Place;
use super::rng::Rng;
use super::sockets::Conn;
use super::tokens::{Wallet, verifier};
use super::trace::Trace;
use crate::bench::sockets::Recorder;
use crate::bench::sql::{Disk, Fault};

/// 2026-01-05T22:00:00Z.
const START: Millis = Millis(1_767_650_400_000);

/// The feed's place among the rooms; the symbols' rooms come after it.
pub(super) const FEED: usize = 0;

/// Once in so many runs there is one symbol for a long time: its room's log gets long enough to
/// be cut.
const LONG: usize = 20;

/// How long an alarm waits that its turn left where it was, milliseconds.
const ALARM_RETRY: i64 = 10_000;

/// Something on its way between two rooms.
#[derive(Debug, Clone)]
pub(super) enum Packet {
    /// A batch for the feed.
    Push { id: u64, from: usize, push: Push },
    /// What became of a batch; none when it did not get through.
    Answer {
        id: u64,
        to: usize,
        ack: Option<Ack>,
    },
}

/// A scheduled run that has planned: the symbols it still has to ask, and what.
#[derive(Debug)]
pub(super) struct Run(pub(super) Vec<(Symbol, Call)>);

/// What was acknowledged to somebody, and so must never be lost.
#[derive(Debug, Default)]
pub(super) struct Books {
    pub(super) bars: BTreeMap<(usize, NaiveDate), Bar>,
    /// Room and decision by the signal's id.
    pub(super) decisions: BTreeMap<String, (usize, String)>,
    /// What the feed has of each symbol.
    pub(super) received: BTreeMap<String, Received>,
    /// How many events of the feed's log are counted there.
    pub(super) taken: usize,
}

/// What the feed has of a symbol.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Received {
    /// Of which of the symbol's logs.
    pub(super) era: usize,
    /// Up to which event.
    pub(super) up_to: usize,
}

/// The whole world.
#[derive(Debug)]
pub(super) struct World {
    pub(super) rng: Rng,
    /// How long the storm lasts.
    pub(super) steps: usize,
    /// Whether the feed has seen much before.
    pub(super) past: bool,
    /// Whether databases are lost.
    pub(super) loses: bool,
    pub(super) trace: Rc<RefCell<Trace>>,
    pub(super) now: Millis,
    pub(super) retention: i64,
    pub(super) places: Vec<Place>,
    pub(super) net: Vec<Packet>,
    pub(super) runs: Vec<Run>,
    pub(super) clients: Vec<Client>,
    pub(super) conns: BTreeMap<u64, Conn>,
    /// Who is told on connecting, while that lasts.
    pub(super) connecting: Option<u64>,
    /// Frames that may wait for one socket.
    pub(super) bound: usize,
    pub(super) verifier: Arc<Verifier>,
    pub(super) books: Books,
    /// What fails in the next turn.
    pub(super) fault: Option<Fault>,
    /// No faults any more: everything is to converge.
    pub(super) calm: bool,
    ids: u64,
}

impl World {
    pub(super) fn new(seed: u64, trace: Rc<RefCell<Trace>>) -> Self {
        let mut rng = Rng::new(seed);
        let (long, past) = (rng.one_in(LONG), rng.one_in(3));
        // Where logs are cut, more stays than any batch brings.
        let retentions = if long || past {
            [40; 4]
        } else {
            [2, 6, 20, 10_000]
        };
        let retention = rng.pick(&retentions);
        let config = RoomConfig {
            history_limit: 100,
            message_retention: retention,
            ..RoomConfig::default()
        };
        let bound = rng.pick(&[2, 4, 1024]);
        let loses = rng.one_in(3);
        let verifier = verifier();
        let symbols = if long { 1 } else { 2 + rng.below(3) };
        let named = ["A", "B", "C", "D"].iter().take(symbols);
        let rooms = named.map(|name| RoomName::Symbol(name.parse().expect("a symbol")));
        let places = std::iter::once(RoomName::Feed)
            .chain(rooms)
            .map(|name| Place::new(name, config, Arc::clone(&verifier)));
        let places: Vec<Place> = places.collect();
        let mut clients = Vec::new();
        for _ in 0..2 + rng.below(4) {
            let room = if rng.one_in(3) {
                1 + rng.below(symbols)
            } else {
                FEED
            };
            let mut filter = Filter::all();
            if room == FEED && rng.one_in(2) {
                let named: Vec<Symbol> = rng
                    .pick(&["A", "A,B", "B,Z"])
                    .split(',')
                    .map(|name| name.parse().expect("a symbol"))
                    .collect();
                filter = filter.with(&named);
            }
            let city = room == FEED && rng.one_in(3);
            let (batch, slow) = (rng.one_in(2), rng.one_in(3));
            let wallet = Wallet::new(&mut rng);
            clients.push(Client::new(room, batch, city, filter, slow, wallet));
        }
        let steps = if long { 900 } else { 100 + rng.below(200) };
        Self {
            rng,
            steps,
            past,
            loses,
            trace,
            now: START,
            retention,
            places,
            net: Vec::new(),
            runs: Vec::new(),
            clients,
            conns: BTreeMap::new(),
            connecting: None,
            bound,
            verifier,
            books: Books::default(),
            fault: None,
            calm: false,
            ids: 0,
        }
    }

    pub(super) fn note(&self, line: impl Into<String>) {
        self.trace.borrow_mut().note(line.into());
    }

    /// A number that was not there yet.
    pub(super) fn fresh_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// Does one thing with a room, as a platform would: what the room says is sent, what it owes
    /// is put on its way, its alarm is set. Between these it may be forgotten.
    pub(super) fn turn<T>(
        &mut self,
        room: usize,
        act: impl FnOnce(&mut Host<Disk>, Millis, &mut Recorder) -> T,
    ) -> T {
        let (fault, now) = (self.fault.take(), self.now);
        if let Some(fault) = fault {
            self.note(format!(
                "  {fault:?} fails under {}",
                self.places[room].name
            ));
            let faults = &mut self.trace.borrow_mut().faults;
            match fault {
                Fault::Read(_) => faults.reads += 1,
                _ => faults.commits += 1,
            }
        }
        let place = &mut self.places[room];
        place.disk.fail(fault);
        let result = act(&mut place.host, now, &mut place.sockets);
        place.disk.fail(None);
        place.catch_up();
        self.pace(room);
        self.route(room);
        self.account(room);
        if fault == Some(Fault::Crash) {
            self.restart();
            // Platforms keep the alarm with the commit, or wake every room when they start.
            self.set_alarm(room);
            return result;
        }
        self.maybe_forget(room);
        // A database that does not answer may go on like that.
        let fault = fault.filter(|fault| matches!(fault, Fault::Read(_)));
        let fault = fault.filter(|_| self.rng.one_in(2));
        let place = &mut self.places[room];
        if place.flight.is_none() {
            place.disk.fail(fault);
            let push = place.host.next_push(now, &mut place.sockets);
            place.disk.fail(None);
            if let Ok(Some(push)) = push {
                let id = self.fresh_id();
                self.places[room].flight = Some(id);
                self.net.push(Packet::Push {
                    id,
                    from: room,
                    push,
                });
            }
        }
        self.maybe_forget(room);
        self.places[room].disk.fail(fault);
        self.set_alarm(room);
        self.places[room].disk.fail(None);
        self.inspect(room);
        result
    }

    fn set_alarm(&mut self, room: usize) {
        let place = &mut self.places[room];
        let deadline = place.host.next_deadline(&mut place.sockets);
        // As the harness does: a room that cannot say when it wants to be woken is woken.
        place.alarm = deadline.unwrap_or(Some(self.now.plus(ALARM_RETRY)));
    }

    pub(super) fn event(&mut self, room: usize, event: Event) -> Result<(), SqlError> {
        self.turn(room, |host, now, sockets| {
            host.on_event(event, now, sockets)
        })
    }

    pub(super) fn call(&mut self, room: usize, call: Call) -> Result<Reply, HostError> {
        self.turn(room, |host, now, sockets| host.on_call(call, now, sockets))
    }

    fn maybe_forget(&mut self, room: usize) {
        if !self.calm && self.rng.one_in(12) {
            self.forget(room);
        }
    }

    /// Drops a room's memory, one way or the other.
    pub(super) fn forget(&mut self, room: usize) {
        self.trace.borrow_mut().faults.evictions += 1;
        // No platform evicts a room that is in the middle of something.
        if !self.places[room].gathers && self.rng.one_in(2) {
            self.places[room].evict();
        } else {
            self.places[room].host.hibernate();
        }
    }

    /// Some platforms gather what a room says while a broadcast goes out.
    fn pace(&mut self, room: usize) {
        let (wanted, took) = (!self.calm && self.rng.one_in(2), self.rng.millis(300));
        let place = &mut self.places[room];
        if wanted && let Some(hold) = place.host.hold() {
            place.gathers = true;
            if hold == Hold::Sent {
                place.host.rest(took);
            }
        }
    }

    /// The time to gather is over; what was gathered leaves, and takes its time.
    pub(super) fn release(&mut self, room: usize) {
        let (now, took) = (self.now, self.rng.millis(300));
        let place = &mut self.places[room];
        let released = place.host.release(now, &mut place.sockets);
        place.gathers = released.expect("the database answers");
        if place.gathers {
            place.host.rest(took);
            self.trace.borrow_mut().faults.gathered += 1;
        }
        self.route(room);
    }

    /// A room dies: memory, sockets and what it waited for are gone.
    pub(super) fn kill(&mut self, room: usize) {
        self.places[room].die();
        let held = self.conns.iter().filter(|(_, conn)| conn.room == room);
        let held: Vec<u64> = held.map(|(id, _)| *id).collect();
        held.into_iter().for_each(|conn| self.break_off(conn, true));
    }

    /// The whole process dies and comes back: only the databases and alarms are left.
    pub(super) fn restart(&mut self) {
        self.note("  the runtime restarts");
        self.trace.borrow_mut().faults.restarts += 1;
        (0..self.places.len()).for_each(|room| self.kill(room));
        self.runs.clear();
        // What was sent may still arrive; answers have nobody to go to.
        let mut rng = self.rng.clone();
        self.net
            .retain(|packet| matches!(packet, Packet::Push { .. }) && rng.one_in(2));
        self.rng = rng;
    }

    /// A packet arrives.
    pub(super) fn arrive(&mut self, packet: Packet) {
        match packet {
            Packet::Push { id, from, push } => {
                let epoch = push.epoch.clone();
                let text = serde_json::to_string(&Call::Receive(push)).expect("calls are JSON");
                let call = serde_json::from_str(&text).expect("calls are read back");
                let ack = match self.call(FEED, call) {
                    Ok(Reply::Received(ack)) => Some(ack),
                    Ok(other) => panic!("a batch was answered {other:?}"),
                    Err(_) => None,
                };
                // The answer to a room that is no more has nobody to go to.
                if self.places[from].epoch.as_ref() == Some(&epoch) {
                    if let Some(ack) = &ack {
                        self.check_ack(from, ack);
                    }
                    self.net.push(Packet::Answer { id, to: from, ack });
                }
            }
            Packet::Answer { id, to, ack } => {
                let awaited = self.places[to].flight == Some(id);
                if awaited {
                    self.places[to].flight = None;
                }
                let feed = self.places[FEED].epoch.clone();
                let hears = ack
                    .as_ref()
                    .is_some_and(|ack| Some(&ack.position.epoch) == feed.as_ref());
                let event = match ack {
                    Some(ack) => Event::Acked(ack),
                    None if awaited => Event::PushFailed,
                    None => return,
                };
                match self.event(to, event) {
                    Ok(()) => self.places[to].heard |= hears,
                    Err(error) => self.note(format!("  {error}")),
                }
            }
        }
    }

    /// The platform wakes a room, at whatever time.
    pub(super) fn alarm(&mut self, room: usize) {
        self.places[room].alarm = None;
        match self.event(room, Event::Alarm) {
            Ok(()) => self.check_tokens(room),
            Err(error) => self.note(format!("  {error}")),
        }
        let place = &mut self.places[room];
        if place.alarm.is_some_and(|at| at <= self.now) {
            place.alarm = Some(self.now.plus(ALARM_RETRY));
        }
    }
}
