//! A client, and what it must have heard.
//!
//! The client itself is the product's own, [`Follower`]; beside it stands a judge who knows the
//! room's log, and looks at what the socket brought and at what the follower made of it.

use serde_json::Value as Json;
use signalroom_core::room::socket::Filter;
use signalroom_core::symbol::Symbol;
use signalroom_core::time::Millis;
use signalroom_harness::follow::{Follower, Message, Position};

use super::place::Place;
use super::tokens::Wallet;

/// A client of one room.
#[derive(Debug)]
pub(super) struct Client {
    /// Which room it follows.
    pub(super) room: usize,
    /// Whether it negotiated array frames.
    pub(super) batch: bool,
    /// Whether it follows the city state.
    pub(super) city: bool,
    /// What it follows.
    pub(super) filter: Filter,
    /// Whether it reads seldom.
    pub(super) slow: bool,
    pub(super) wallet: Wallet,
    pub(super) follower: Follower,
    /// When it wants to be woken.
    pub(super) wake: Millis,
    /// Its connection.
    pub(super) conn: Option<u64>,
    judge: Judge,
}

/// What is known of one client's stream.
#[derive(Debug, Default)]
struct Judge {
    /// Which of the room's logs this socket is about.
    era: usize,
    /// Everything up to here that the client wants has reached it.
    verified: i64,
    /// The newest number on this socket.
    raw: i64,
    /// Whether the last resume must have succeeded; none when there was none.
    recovers: Option<bool>,
    welcome: Option<i64>,
    /// Events between `welcome` and `resumed`.
    missed: u64,
    placed: bool,
}

impl Client {
    pub(super) fn new(
        room: usize,
        batch: bool,
        city: bool,
        filter: Filter,
        slow: bool,
        wallet: Wallet,
    ) -> Self {
        Self {
            room,
            batch,
            city,
            filter,
            slow,
            wallet,
            follower: Follower::new(None),
            wake: Millis(0),
            conn: None,
            judge: Judge::default(),
        }
    }

    /// The symbols it names when it connects.
    pub(super) fn symbols(&self) -> Option<Vec<Symbol>> {
        match &self.filter {
            Filter::Only(symbols) => Some(symbols.iter().cloned().collect()),
            Filter::AllBut(_) => None,
        }
    }

    /// It is about to connect.
    pub(super) fn connects(&mut self, resume: Option<&Position>, place: &Place, retention: i64) {
        if let Filter::AllBut(_) = self.filter {
            self.filter = Filter::all();
        }
        let (top, era) = (place.top(), place.era());
        let told = resume.map(|from| {
            let told = place.era_of(&from.epoch).expect("an epoch of this room");
            let known = place.log_of(told).len();
            let was = usize::try_from(from.seq).is_ok_and(|seq| seq <= known);
            assert!(was, "a position that never was: {}", from.seq);
            told
        });
        let since = resume.filter(|_| told == Some(era)).map(|from| from.seq);
        self.judge = Judge {
            era,
            verified: since.unwrap_or(0),
            raw: since.unwrap_or(0),
            recovers: resume.map(|_| since.is_some_and(|since| since >= top - retention)),
            ..Judge::default()
        };
    }

    /// Looks at a frame before the follower does; the log stood at `top` when it was sent.
    pub(super) fn look(&mut self, frame: &str, top: i64) {
        let frame: Json = serde_json::from_str(frame).expect("frames are JSON");
        assert!(
            self.batch || frame.is_object(),
            "an array nobody asked for: {frame}"
        );
        let single = std::slice::from_ref(&frame);
        for message in frame.as_array().map_or(single, Vec::as_slice) {
            if let Some(seq) = message["seq"].as_i64() {
                let raw = self.judge.raw;
                assert!(seq > raw, "{seq} after {raw} on one socket");
                self.judge.raw = seq;
            }
            if matches!(message["type"].as_str(), Some("welcome" | "pong")) {
                assert_eq!(message["data"]["seq"], top, "not the newest: {message}");
            }
        }
    }

    /// The follower hands a message on.
    pub(super) fn deliver(&mut self, message: &Message, top: i64, place: &Place) {
        if let Some(seq) = message.seq {
            return self.event(seq, message, place);
        }
        let symbol = || message.data["symbol"].as_str().expect("text").to_owned();
        let named = |symbol: String| [symbol.parse::<Symbol>().expect("a symbol")];
        match message.kind.as_str() {
            "welcome" => self.judge.welcome = message.data["seq"].as_i64(),
            "resumed" => {
                let recovered = message.data["recovered"].as_bool();
                assert_eq!(recovered, self.judge.recovers, "a resume");
                let count = message.data["count"].as_u64();
                assert_eq!(count, Some(self.judge.missed), "events of a resume");
                if recovered == Some(true) {
                    self.placed(place);
                }
            }
            "snapshot" => {
                let signals = message.data["signals"].as_array().expect("a list");
                let text = |signal: &Json, name: &str| signal[name].as_str().map(str::to_owned);
                let shown: Vec<_> = signals
                    .iter()
                    .filter_map(|signal| Some((text(signal, "id")?, text(signal, "status")?)))
                    .collect();
                assert_ne!(
                    self.judge.recovers,
                    Some(true),
                    "a snapshot in place of events"
                );
                assert_eq!(self.judge.missed, 0, "a partial recovery");
                // Nothing is published between the welcome and the snapshot.
                assert_eq!(
                    self.judge.welcome,
                    Some(top),
                    "a snapshot of another moment"
                );
                self.judge.verified = top;
                self.judge.placed = true;
                if self.judge.era == place.era() && top == place.top() {
                    assert_eq!(shown, place.snapshot(&self.filter), "a snapshot");
                }
            }
            "subscription_confirmed" => {
                self.verify(top, place, "a subscription");
                self.filter = match symbol().as_str() {
                    "*" => Filter::all(),
                    name => self.filter.with(&named(name.to_owned())),
                };
            }
            "unsubscription_confirmed" => {
                self.verify(top, place, "an unsubscription");
                self.filter = self.filter.without(&named(symbol()));
            }
            _ => {}
        }
    }

    /// All that was missed has come.
    fn placed(&mut self, place: &Place) {
        let welcome = self.judge.welcome.expect("the welcome comes first");
        self.verify(welcome, place, "a resume");
        self.judge.placed = true;
    }

    fn event(&mut self, seq: i64, message: &Message, place: &Place) {
        assert!(seq > self.judge.verified, "#{seq} came twice");
        self.verify(seq - 1, place, "an event");
        let log = place.log_of(self.judge.era);
        let event = &log[usize::try_from(seq - 1).expect("positive")];
        assert_eq!(message.kind, event.kind, "#{seq}");
        assert_eq!(message.data, event.data, "#{seq}");
        assert!(event.wanted(&self.filter), "#{seq} is not for this client");
        self.judge.verified = seq;
        if !self.judge.placed {
            self.judge.missed += 1;
        }
    }

    /// The follower says that everything up to here has come.
    pub(super) fn reached(&mut self, position: &Position, place: &Place) {
        let era = self.judge.era;
        let epoch = place.epoch_of(era);
        assert_eq!(Some(position.epoch.as_str()), epoch, "the epoch");
        let seq = usize::try_from(position.seq).expect("positive");
        assert!(seq <= place.log_of(era).len(), "beyond the log");
        self.verify(position.seq, place, "a position");
    }

    /// Nothing that the client wants is left out up to `seq`.
    fn verify(&mut self, seq: i64, place: &Place, at: &str) {
        for missed in self.judge.verified + 1..=seq {
            let log = place.log_of(self.judge.era);
            let event = &log[usize::try_from(missed - 1).expect("positive")];
            assert!(
                !event.wanted(&self.filter),
                "#{missed} was missed, seen at {at} up to #{seq}"
            );
        }
        self.judge.verified = self.judge.verified.max(seq);
    }

    /// Whether it is connected and has everything.
    pub(super) fn is_at_top(&self, place: &Place) -> bool {
        let position = self.follower.position();
        self.conn.is_some()
            && self.judge.placed
            && position
                .is_some_and(|at| at.seq == place.top() && Some(&at.epoch) == place.epoch.as_ref())
    }
}
