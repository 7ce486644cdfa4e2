//! A deterministic simulation of everything that can go wrong with delivery.
//!
//! Rooms, the feed, clients and cron live in one thread under a clock of their own. A scheduler
//! that is nothing but a seed picks what happens next: bars come, people decide, runs compute,
//! and all the while batches between rooms are lost, late or doubled, rooms are evicted, commits
//! and reads fail, alarms come at any time, sockets break with frames on their way or are read
//! too slowly, tokens expire, the runtime dies, and databases are lost.
//! After every step the rules of `rules` and of each client's judge must hold; in the end the
//! faults stop, and everything must converge. Equal seeds give equal runs: a failure is replayed
//! by its seed.

mod calm;
mod chaos;
mod client;
mod loss;
mod past;
mod place;
mod record;
mod rng;
mod rules;
mod sockets;
mod tokens;
mod trace;
mod world;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use trace::Trace;
use world::World;

/// How often things went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CountedFaults {
    /// Transactions that were to fail.
    pub commits: u64,
    /// Reads that were to fail.
    pub reads: u64,
    /// Rooms that were dropped from memory.
    pub evictions: u64,
    /// How often several messages, or one, left after they were gathered.
    pub gathered: u64,
    /// Deaths of a room or of the runtime.
    pub restarts: u64,
    /// Batches and answers that were lost or doubled.
    pub packets: u64,
    /// Connections that broke.
    pub cuts: u64,
    /// Alarms out of their time.
    pub alarms: u64,
    /// Sockets that were closed because nobody read them.
    pub slow: u64,
    /// Sockets that were closed because their tokens had expired.
    pub expiries: u64,
    /// Sockets whose tokens were replaced in time.
    pub renewals: u64,
    /// Runs that began while another was under way.
    pub overlaps: u64,
    /// Databases that were lost for ever.
    pub losses: u64,
}

impl std::ops::AddAssign for CountedFaults {
    fn add_assign(&mut self, other: Self) {
        self.commits += other.commits;
        self.reads += other.reads;
        self.evictions += other.evictions;
        self.gathered += other.gathered;
        self.restarts += other.restarts;
        self.packets += other.packets;
        self.cuts += other.cuts;
        self.alarms += other.alarms;
        self.slow += other.slow;
        self.expiries += other.expiries;
        self.renewals += other.renewals;
        self.overlaps += other.overlaps;
        self.losses += other.losses;
    }
}

/// What became of a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Steps taken.
    pub steps: usize,
    /// A number over everything that was seen: equal runs have equal numbers.
    pub hash: u64,
    /// What went wrong on purpose.
    pub faults: CountedFaults,
    /// Which rule was broken, if one was.
    pub broken: Option<String>,
    /// The newest steps, or all of them if they were asked for.
    pub lines: Vec<String>,
}

/// Runs one seed. A panic, wherever it comes from, is a broken rule.
pub fn run(seed: u64, whole_trace: bool) -> Outcome {
    let trace = Rc::new(RefCell::new(Trace::new(whole_trace)));
    let seen = Rc::clone(&trace);
    let done = catch_unwind(AssertUnwindSafe(move || {
        let mut world = World::new(seed, Rc::clone(&seen));
        world.begin();
        for _ in 0..world.steps {
            seen.borrow_mut().step += 1;
            world.step();
        }
        world.calm_down();
    }));
    let broken = done.err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
            .unwrap_or_else(|| "a panic without a message".to_owned())
    });
    let trace = trace.borrow();
    Outcome {
        seed,
        steps: trace.step,
        hash: trace.hash(),
        faults: trace.faults,
        broken,
        lines: trace.lines(),
    }
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn equal_seeds_give_equal_runs() {
        for seed in 1..=5 {
            let (once, again) = (run(seed, true), run(seed, true));
            assert_eq!(once.broken, None, "seed {seed}");
            assert_eq!(once, again, "seed {seed}");
        }
    }

    #[test]
    fn other_seeds_give_other_runs() {
        assert_ne!(run(1, false).hash, run(2, false).hash);
    }
}
