//! Databases that are lost for ever: a log of another epoch begins, and what is left goes on.

use std::mem;

use signalroom_core::store::Columns;
use signalroom_core::time::Millis;

use super::place::{Logged, Place};
use super::world::{FEED, World};
use crate::bench::bars;
use crate::bench::sql::Disk;

/// Once in so many steps a database is lost, in the runs in which that happens at all.
const OFTEN: usize = 90;

/// A run looks at unknown rooms at the beginning of each, milliseconds.
const HOUR: i64 = 60 * 60_000;

/// A log that was lost.
#[derive(Debug)]
pub(super) struct Lost {
    epoch: Option<String>,
    log: Vec<Logged>,
    floor: usize,
}

impl Place {
    /// How many logs it had before this one.
    pub(super) fn era(&self) -> usize {
        self.lost.len()
    }

    /// The log of an era, trimmed or not.
    pub(super) fn log_of(&self, era: usize) -> &[Logged] {
        self.lost.get(era).map_or(&self.log, |lost| &lost.log)
    }

    pub(super) fn epoch_of(&self, era: usize) -> Option<&str> {
        let lost = self.lost.get(era);
        lost.map_or(&self.epoch, |lost| &lost.epoch).as_deref()
    }

    /// Which era an epoch is of, if it ever was one.
    pub(super) fn era_of(&self, epoch: &str) -> Option<usize> {
        (0..=self.era()).find(|era| self.epoch_of(*era) == Some(epoch))
    }

    /// How many events of an era had been trimmed at its end, or by now.
    pub(super) fn trimmed(&self, era: usize) -> usize {
        if let Some(lost) = self.lost.get(era) {
            return lost.floor;
        }
        let rows = self.rows("SELECT COALESCE(MIN(seq), 1) - 1 FROM events", &[]);
        let floor = rows
            .first()
            .map_or(0, |row| row.integer(0).expect("a number"));
        usize::try_from(floor).expect("positive")
    }

    /// Its database is gone, with all that it held.
    fn wipe(&mut self) {
        let floor = self.trimmed(self.era());
        self.lost.push(Lost {
            epoch: self.epoch.take(),
            log: mem::take(&mut self.log),
            floor,
        });
        self.disk = Disk::new(":memory:".into());
        self.alarm = None;
        self.die();
    }
}

impl World {
    /// Perhaps a database is lost; true when one was.
    pub(super) fn lose_one(&mut self) -> bool {
        let lost = self.loses && self.rng.one_in(OFTEN);
        if lost {
            let room = self.rng.below(self.places.len());
            self.lose(room);
        }
        lost
    }

    /// The runtime is stopped, a folder is empty, the runtime is started.
    fn lose(&mut self, room: usize) {
        self.restart();
        self.note(format!(
            "  the database of {} is lost",
            self.places[room].name
        ));
        self.trace.borrow_mut().faults.losses += 1;
        self.places[room].wipe();
        // Two logs of a room never begin at the same moment.
        self.now = self.now.plus(1);
        if room == FEED {
            self.books.received.clear();
            self.books.taken = 0;
            // What rooms think that the feed has, it has no more.
            (self.places.iter_mut()).for_each(|place| place.heard = false);
        } else {
            self.places[room].heard = true;
            self.books.bars.retain(|(held_by, _), _| *held_by != room);
            let decisions = &mut self.books.decisions;
            decisions.retain(|_, (held_by, _)| *held_by != room);
        }
    }

    /// What follows a loss: people bring the bars again, and a run looks at the rooms that a feed
    /// without data should know.
    pub(super) fn recover(&mut self) {
        for room in 1..self.places.len() {
            if self.places[room].era() > 0 {
                self.note(format!("{} gets its bars again", self.places[room].name));
                self.import(room, bars::history().to_vec(), true);
            }
        }
        if self.places[FEED].era() > 0 {
            self.now = Millis((self.now.0 / HOUR + 1) * HOUR);
            self.note("the hour is full");
            self.plan();
        }
    }
}
