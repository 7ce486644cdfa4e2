//! After the storm: no more faults, the clock runs on, and everything has to come together.

use std::collections::BTreeSet;

use signalroom_core::room::call::{Call, Computed, Reply};
use signalroom_core::store::Columns;
use signalroom_core::time::Millis;

use super::tokens::EXPIRES_AT;
use super::world::{FEED, World};

/// How long it may take on the world's clock, milliseconds.
const PATIENCE: i64 = 10 * 60_000;

/// How often cron plans, milliseconds.
const CRON: i64 = 5 * 60_000;

/// An hour, milliseconds.
const HOUR: i64 = 60 * 60_000;

/// More rounds than anything that ends can take.
const ROUNDS: usize = 10_000;

impl World {
    /// Lets everything converge, and looks at what it came to.
    pub(super) fn calm_down(&mut self) {
        self.calm = true;
        self.note("the faults stop");
        self.recover();
        let start = self.now;
        let mut cron = start.plus(self.rng.millis(60_000));
        for _ in 0..ROUNDS {
            self.trace.borrow_mut().step += 1;
            self.flow();
            let open = self.unfinished();
            if open.is_empty() {
                return self.settled();
            }
            assert!(
                self.now <= start.plus(PATIENCE),
                "never finished: {}",
                open.join("; ")
            );
            let alarms = self.places.iter().filter_map(|place| place.alarm);
            let clients = self.clients.iter().map(|client| client.wake);
            let next = alarms.chain(clients).chain([cron]).min().expect("cron");
            self.now = self.now.max(next);
            if cron <= self.now {
                cron = self.now.plus(CRON);
                self.plan();
            }
            self.wake();
        }
        panic!("it goes round and round: {}", self.unfinished().join("; "));
    }

    /// Wakes whoever wanted to be woken by now.
    fn wake(&mut self) {
        for room in 0..self.places.len() {
            if self.places[room].alarm.is_some_and(|at| at <= self.now) {
                self.note(format!("{} is woken in time", self.places[room].name));
                self.alarm(room);
            }
        }
        for client in 0..self.clients.len() {
            if self.clients[client].wake <= self.now {
                self.tick(client);
            }
        }
    }

    /// Lets everything arrive that is on its way.
    fn flow(&mut self) {
        for _ in 0..ROUNDS {
            for room in 0..self.places.len() {
                while self.places[room].gathers {
                    self.release(room);
                }
            }
            let conns: Vec<u64> = self.conns.keys().copied().collect();
            let mut moved = !self.net.is_empty() || !self.runs.is_empty();
            if !self.net.is_empty() {
                let packet = self.net.remove(0);
                self.arrive(packet);
            }
            self.go_on_with_a_run();
            for client in 0..self.clients.len() {
                if self.clients[client].wallet.wanted {
                    self.answer(client);
                    moved = true;
                }
            }
            for id in conns {
                if self
                    .conns
                    .get(&id)
                    .is_some_and(|conn| !conn.outbox.is_empty())
                {
                    self.hear(id);
                    moved = true;
                }
                if self
                    .conns
                    .get(&id)
                    .is_some_and(|conn| !conn.inbox.is_empty())
                {
                    self.read(id);
                    moved = true;
                }
                if self.conns.get(&id).is_some_and(|conn| !conn.whole)
                    && (self.is_held(id) || self.is_cut(id))
                {
                    self.notice(id);
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
        panic!("what is on its way never ends");
    }

    /// What is still to be done, in words.
    fn unfinished(&self) -> Vec<String> {
        let mut open = Vec::new();
        for (room, place) in self.places.iter().enumerate() {
            let name = &place.name;
            // Tokens expire long after.
            if let Some(Millis(at)) = place.alarm
                && at < EXPIRES_AT.0 - HOUR
            {
                open.push(format!("{name} wants to be woken in {}", at - self.now.0));
            }
            if room == FEED {
                continue;
            }
            if place.flight.is_some() || self.owes(room) {
                open.push(format!("{name} owes something to the feed"));
            }
            let had = self.had(room);
            if had != place.log.len() {
                open.push(format!("the feed has {had} events of {name}"));
            }
        }
        let dirty = "SELECT name FROM sources WHERE dirty = 1";
        for row in self.places[FEED].rows(dirty, &[]) {
            open.push(format!("{} is dirty", row.text(0).expect("text")));
        }
        for (index, client) in self.clients.iter().enumerate() {
            let place = &self.places[client.room];
            if !client.is_at_top(place) {
                let at = client.follower.position();
                open.push(format!("client {index} is at {at:?} of {}", place.top()));
            }
        }
        open
    }

    /// What must be true in the end.
    fn settled(&mut self) {
        self.city_is_right();
        self.records_are_whole();
        let feed = self.places[FEED].rows("SELECT data FROM approvals", &[]);
        let feed: BTreeSet<String> = feed
            .iter()
            .map(|row| row.text(0).expect("text").to_owned())
            .collect();
        for (id, (room, decision)) in &self.books.decisions {
            let place = &self.places[*room];
            let told = place
                .log
                .iter()
                .position(|event| event.kind == "approval_notification" && event.signal().0 == *id);
            // A feed that lost its data is told no more than what the rooms still hold.
            let gone = self.places[FEED].era() > 0 && told < Some(place.trimmed(place.era()));
            assert!(
                gone || feed.contains(decision),
                "the feed lacks the decision on {id}"
            );
        }
        for ((room, date), bar) in &self.books.bars {
            let sql = "SELECT open, close, volume FROM bars WHERE date = ?";
            let rows = self.places[*room].rows(sql, &[date.to_string().into()]);
            let number = |column| rows.first().and_then(|row| row.real(column).ok());
            let held = (number(0), number(1), number(2));
            assert_eq!(
                held,
                (Some(bar.open), Some(bar.close), Some(bar.volume)),
                "the bar of {date} in {}",
                self.places[*room].name
            );
        }
        for room in 1..self.places.len() {
            let name = self.places[room].name.clone();
            let dirty = self.places[room].rows("SELECT dirty FROM outbox", &[]);
            let dirty = dirty.first().map(|row| row.integer(0).expect("a number"));
            assert_ne!(dirty, Some(1), "{name} is dirty, and nobody knows");
            if let Ok(Reply::Computed(computed)) = self.call(room, Call::Compute) {
                assert_ne!(computed, Computed::New, "{name} was left uncomputed");
            }
        }
    }

    /// The city state is that of the newest scores.
    fn city_is_right(&mut self) {
        let sql = "SELECT AVG(unslug) FROM sources WHERE unslug IS NOT NULL";
        let rows = self.places[FEED].rows(sql, &[]);
        let mean = rows.first().and_then(|row| row.real(0).ok());
        let Ok(Reply::City(city)) = self.call(FEED, Call::City) else {
            panic!("the feed does not answer");
        };
        let near = match (mean, city.unslug_trust) {
            (Some(mean), Some(told)) => (mean - told).abs() < 1e-9,
            (mean, told) => mean == told,
        };
        assert!(near, "the city state is {city:?}, the mean is {mean:?}");
    }
}
