//! What may happen next: anything.

use signalroom_core::auth::Role;
use signalroom_core::host::HostError;
use signalroom_core::room::Event;
use signalroom_core::room::call::{Call, Caller, Planning, Proposal, Reject, Reply};
use signalroom_core::room::name::RoomName;
use signalroom_core::room::signal::SignalId;
use signalroom_core::room::socket::ConnId;
use signalroom_core::signals::Suggestion;
use signalroom_core::signals::bar::Bar;
use signalroom_core::symbol::Symbol;

use super::world::{FEED, Packet, Run, World};
use crate::bench::bars;
use crate::bench::sql::Fault;

const SHAPES: [&str; 6] = ["BUY", "BUY2", "NEUTRAL", "NEUTRAL2", "RISK", "RISK2"];

const SAID: [&str; 6] = [
    r#"{"type":"subscribe_symbol","data":{"symbol":"A"}}"#,
    r#"{"type":"subscribe_symbol","data":{"symbols":["B","C"]}}"#,
    r#"{"type":"unsubscribe_symbol","data":{"symbol":"A"}}"#,
    r#"{"type":"subscribe_all","data":{}}"#,
    r#"{"type":"subscribe_city_state","data":{}}"#,
    r#"{"type":"ping","data":{"timestamp":7}}"#,
];

/// Faults, as often as they come.
const FAULTS: [Fault; 11] = [
    Fault::Begin,
    Fault::Begin,
    Fault::Middle,
    Fault::Middle,
    Fault::Commit,
    Fault::Commit,
    Fault::Crash,
    Fault::Read(0),
    Fault::Read(1),
    Fault::Read(2),
    Fault::Read(5),
];

/// Something that can happen, and how often it does.
type Step = (usize, fn(&mut World));

const STEPS: [Step; 18] = [
    (16, World::bring_bars),
    (9, World::decide),
    (4, World::compute),
    (3, World::plan),
    (8, World::go_on_with_a_run),
    (16, World::carry),
    (5, World::forget_any),
    (1, World::kill_any),
    (6, World::fire_any),
    (8, World::pass_time),
    (24, World::read_any),
    (14, World::hear_any),
    (12, World::tick_any),
    (5, World::say_any),
    (6, World::cut_any),
    (1, World::give_up_any),
    (4, World::answer_any),
    (3, World::release_any),
];

impl World {
    /// Most rooms have a history from the start.
    pub(super) fn begin(&mut self) {
        if self.past {
            self.remember();
        }
        for room in 1..self.places.len() {
            if !self.rng.one_in(3) {
                self.import(room, bars::history().to_vec(), true);
            }
        }
    }

    /// One step: something happens, perhaps while a database fails.
    pub(super) fn step(&mut self) {
        if self.rng.one_in(150) {
            return self.restart();
        }
        if self.lose_one() {
            return;
        }
        if self.rng.one_in(10) {
            self.fault = Some(self.rng.pick(&FAULTS));
        }
        let all = STEPS.iter().map(|(weight, _)| weight).sum();
        let mut at = self.rng.below(all);
        for (weight, step) in STEPS {
            if at < weight {
                step(self);
                break;
            }
            at -= weight;
        }
        self.fault = None;
    }

    fn release_any(&mut self) {
        let gathering = self.places.iter().enumerate();
        let gathering = gathering.filter(|(_, place)| place.gathers);
        let rooms: Vec<usize> = gathering.map(|(room, _)| room).collect();
        if !rooms.is_empty() {
            let room = self.rng.pick(&rooms);
            self.note(format!("{} has gathered", self.places[room].name));
            self.release(room);
        }
    }

    fn any_room(&mut self) -> usize {
        self.rng.below(self.places.len())
    }

    fn any_symbol_room(&mut self) -> usize {
        1 + self.rng.below(self.places.len() - 1)
    }

    /// Bars as they are, changed, or newer; the first time a whole history.
    fn bring_bars(&mut self) {
        let room = self.any_symbol_room();
        let fresh = if self.books.bars.keys().any(|(held_by, _)| *held_by == room) {
            let day = u32::try_from(self.rng.below(3)).expect("small");
            let day = if self.rng.one_in(6) { day + 3 } else { day };
            vec![bars::day(day, self.rng.pick(&SHAPES))]
        } else if self.rng.one_in(6) {
            bars::history()[..25].to_vec()
        } else {
            bars::history().to_vec()
        };
        let compute = !self.rng.one_in(3);
        self.note(format!(
            "{} bars up to {} for {}, compute {compute}",
            fresh.len(),
            fresh.last().expect("one").date,
            self.places[room].name
        ));
        self.import(room, fresh, compute);
    }

    pub(super) fn import(&mut self, room: usize, fresh: Vec<Bar>, compute: bool) {
        let call = Call::PutBars {
            bars: fresh.clone(),
            compute,
            rejected: 0,
            by: Caller::new("importer", Role::Service),
        };
        match self.call(room, call) {
            Ok(_) => {
                let books = fresh.into_iter().map(|bar| ((room, bar.date), bar));
                self.books.bars.extend(books);
            }
            Err(HostError::Fault(_)) => {
                // They may be stored or not: the caller does not know.
                for bar in fresh {
                    self.books.bars.remove(&(room, bar.date));
                }
                self.note("  the answer is lost");
            }
            Err(HostError::Reject(reject)) => panic!("bars were refused: {reject:?}"),
        }
    }

    /// One or two people decide, perhaps on what they saw.
    fn decide(&mut self) {
        let room = self.any_symbol_room();
        let seen = self.places[room].log.iter().map(|event| event.signal().0);
        let seen: Vec<String> = seen.collect();
        let conditions = if seen.is_empty() || self.rng.one_in(2) {
            Vec::new()
        } else {
            vec![vec![SignalId(self.rng.pick(&seen))]]
        };
        let people = if self.rng.one_in(2) {
            &["alice"][..]
        } else {
            &["alice", "bob"]
        };
        for by in people {
            let status = self
                .rng
                .pick(&[Suggestion::Buy, Suggestion::Neutral, Suggestion::Risk]);
            let proposal = Proposal {
                status,
                note: None,
                conditions: conditions.clone(),
                by: Caller::new(*by, Role::Approver),
                retry: None,
            };
            self.propose(room, proposal);
        }
    }

    fn propose(&mut self, room: usize, proposal: Proposal) {
        let name = self.places[room].name.clone();
        self.note(format!(
            "{} decides {} on {name}",
            proposal.by.sub, proposal.status
        ));
        match self.call(room, Call::Approve(proposal)) {
            Ok(Reply::Approved {
                approval, room: at, ..
            }) => {
                let decision = serde_json::to_string(&approval).expect("JSON");
                self.note(format!("  decided: {}", approval.signal_id));
                self.book_decision(room, &approval.signal_id.0, decision, at.seq);
            }
            Ok(other) => panic!("a decision was answered {other:?}"),
            Err(HostError::Reject(Reject::AlreadyDecided(signal, _))) => {
                let log = &self.places[room].log;
                let decision = log.iter().find(|event| {
                    event.kind == "approval_notification" && event.signal().0 == signal.id.0
                });
                assert!(decision.is_some(), "{} is not decided at all", signal.id);
            }
            Err(_) => self.note("  refused, or the answer is lost"),
        }
    }

    fn compute(&mut self) {
        let room = self.any_symbol_room();
        self.note(format!("{} computes", self.places[room].name));
        // A room without bars refuses.
        let _ = self.call(room, Call::Compute);
    }

    /// A scheduled run begins.
    pub(super) fn plan(&mut self) {
        let named = self.places.iter().filter_map(|place| match &place.name {
            RoomName::Symbol(symbol) => Some(symbol.clone()),
            RoomName::Feed => None,
        });
        let watchlist: Vec<Symbol> = named.collect();
        let rooms = watchlist.clone();
        let planning = Planning {
            watchlist,
            ..Planning::default()
        };
        if let Ok(Reply::Planned(plan)) = self.call(FEED, Call::Plan(Box::new(planning))) {
            let (dirty, look) = (plan.dirty.len(), plan.look.len());
            self.note(format!("a run plans {dirty} symbols and looks at {look}"));
            let look = plan.look.into_iter().filter(|it| rooms.contains(it));
            let dirty = plan.dirty.into_iter().map(|it| (it, Call::Compute));
            let asked = dirty.chain(look.map(|it| (it, Call::Look)));
            if !self.runs.is_empty() {
                self.trace.borrow_mut().faults.overlaps += 1;
            }
            self.runs.push(Run(asked.collect()));
        }
    }

    /// A run computes a symbol, or ends.
    pub(super) fn go_on_with_a_run(&mut self) {
        if self.runs.is_empty() {
            return;
        }
        let at = self.rng.below(self.runs.len());
        let Some((symbol, call)) = self.runs[at].0.pop() else {
            self.runs.remove(at);
            self.note("a run ends");
            let _ = self.call(FEED, Call::Finish(Box::default()));
            return;
        };
        let name = RoomName::Symbol(symbol);
        let room = self.places.iter().position(|place| place.name == name);
        let room = room.expect("only rooms are dirty");
        self.note(format!("a run asks {name}: {call:?}"));
        let answer = self.call(room, call);
        let refused = matches!(answer, Err(HostError::Reject(_)));
        let lost = self.places[room].era() > 0;
        assert!(!refused || lost, "{name} was planned, but has no bars");
    }

    /// Something on its way between rooms arrives, gets lost, or arrives twice.
    fn carry(&mut self) {
        if self.net.is_empty() {
            return;
        }
        let at = self.rng.below(self.net.len());
        let packet = self.net.swap_remove(at);
        let what = match &packet {
            Packet::Push { id, push, .. } => format!(
                "batch {id} of {} with {} events, v{}",
                push.source,
                push.entries.len(),
                push.state.version
            ),
            Packet::Answer { id, ack, .. } => {
                format!(
                    "answer {id}, {:?}",
                    ack.as_ref().map(|ack| (ack.seq, ack.version))
                )
            }
        };
        match self.rng.below(6) {
            0 => {
                self.note(format!("{what} is lost"));
                self.trace.borrow_mut().faults.packets += 1;
                let (Packet::Push { id, from: to, .. } | Packet::Answer { id, to, .. }) = packet;
                self.net.push(Packet::Answer { id, to, ack: None });
            }
            1 => {
                self.note(format!("{what} arrives, and will again"));
                self.trace.borrow_mut().faults.packets += 1;
                self.net.push(packet.clone());
                self.arrive(packet);
            }
            _ => {
                self.note(format!("{what} arrives"));
                self.arrive(packet);
            }
        }
    }

    fn forget_any(&mut self) {
        let room = self.any_room();
        self.note(format!("{} is evicted", self.places[room].name));
        self.forget(room);
    }

    fn kill_any(&mut self) {
        let room = self.any_room();
        self.note(format!("{} dies", self.places[room].name));
        self.trace.borrow_mut().faults.restarts += 1;
        self.kill(room);
    }

    /// An alarm comes, early, late, in time or without reason.
    fn fire_any(&mut self) {
        let room = self.any_room();
        self.note(format!("{} is woken", self.places[room].name));
        self.trace.borrow_mut().faults.alarms += 1;
        let alarm = self.places[room].alarm;
        self.alarm(room);
        if alarm.is_some() && self.rng.one_in(4) {
            self.note("  twice");
            self.alarm(room);
        }
    }

    fn pass_time(&mut self) {
        let most = self.rng.pick(&[50, 1_000, 5_000, 20_000]);
        let wait = 1 + self.rng.millis(most);
        self.now = self.now.plus(wait);
        self.note(format!("{wait} ms pass"));
    }

    fn any_conn(&mut self) -> Option<u64> {
        let all: Vec<u64> = self.conns.keys().copied().collect();
        (!all.is_empty()).then(|| self.rng.pick(&all))
    }

    fn read_any(&mut self) {
        for _ in 0..=self.rng.below(4) {
            if let Some(conn) = self.any_conn()
                && self.reads_now(conn)
            {
                self.read(conn);
            }
        }
    }

    /// Whether the client at its other end reads: some do so seldom.
    fn reads_now(&mut self, conn: u64) -> bool {
        let client = self.conns[&conn].client;
        !client.is_some_and(|client| self.clients[client].slow) || self.rng.one_in(6)
    }

    fn hear_any(&mut self) {
        if let Some(conn) = self.any_conn() {
            self.hear(conn);
        }
    }

    fn tick_any(&mut self) {
        let client = self.rng.below(self.clients.len());
        if self.clients[client].wake <= self.now {
            self.note(format!("client {client} looks at its clock"));
            self.tick(client);
        }
    }

    /// A client asks for something; what a symbol's own socket refuses is not asked for there.
    fn say_any(&mut self) {
        let Some(id) = self.any_conn() else { return };
        let text = self.rng.pick(&SAID);
        let conn = self.conns.get_mut(&id).expect("it is there");
        let fits = conn.room == FEED || text.contains("ping");
        if conn.whole && conn.client.is_some() && fits {
            conn.outbox.push_back(text.to_owned());
            self.note(format!("client {:?} says {text}", self.conns[&id].client));
        }
    }

    /// A connection breaks, or a room notices that one did.
    fn cut_any(&mut self) {
        let Some(conn) = self.any_conn() else { return };
        if self.conns[&conn].whole {
            if self.rng.one_in(2) {
                self.note(format!(
                    "the connection of client {:?} breaks",
                    self.conns[&conn].client
                ));
                self.break_off(conn, true);
            }
        } else if self.is_held(conn) || self.is_cut(conn) {
            self.note(format!(
                "{} notices",
                self.places[self.conns[&conn].room].name
            ));
            self.notice(conn);
        }
    }

    /// The platform has heard nothing from a socket for too long.
    fn give_up_any(&mut self) {
        let Some(id) = self.any_conn() else { return };
        if self.is_held(id) {
            let room = self.conns[&id].room;
            self.note(format!("{} hears nothing any more", self.places[room].name));
            let conn = ConnId(id);
            if let Err(error) = self.event(room, Event::Silent { conn }) {
                self.note(format!("  {error}"));
            }
            self.bury(id);
        }
    }
}
