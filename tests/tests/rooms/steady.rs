//! Whatever becomes of runs: no watched symbol is lost, and none is handed to two runs at once.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use signalroom_core::calendar;
use signalroom_core::room::call::{Plan, Reply};
use signalroom_core::time::Millis;

use crate::support::bars;
use crate::support::world::World;

const WATCHED: [&str; 3] = ["A", "B", "C"];
const MEANS: &str = "watchlist=A,B,C providers=yahoo,stooq";
/// Days that a provider has bars of, the first on 2021-02-25.
const DAYS: u32 = 20;
/// How long a claim holds, milliseconds.
const CLAIM: i64 = 300_000;

/// Something that happens.
#[derive(Debug, Clone)]
enum Act {
    /// Time passes, milliseconds; or the clock is set back.
    Wait(i64),
    /// A run begins, with so many requests and so much of a rate.
    Plan { subrequests: u32, rate: u32 },
    /// The run that began longest ago ends: of each symbol the fetch worked, failed, was left, or its
    /// outcome is not told.
    Finish([u8; 3]),
    /// It dies.
    Die,
    /// Somebody sends a bar.
    Put(usize),
    /// A provider wants to be left alone, milliseconds.
    Block(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let wait = prop_oneof![
        8 => 1_000..600_000_i64,
        3 => 600_000..90_000_000_i64,
        1 => -7_200_000..-1_000_i64,
    ];
    let act = prop_oneof![
        4 => wait.prop_map(Act::Wait),
        4 => (4..20_u32, 1..20_u32).prop_map(|(subrequests, rate)| Act::Plan { subrequests, rate }),
        4 => [0..4_u8, 0..4_u8, 0..4_u8].prop_map(Act::Finish),
        1 => Just(Act::Die),
        1 => (0..3_usize).prop_map(Act::Put),
        1 => (1_000..7_200_000_i64).prop_map(Act::Block),
    ];
    vec(act, 1..60)
}

struct Steady {
    world: World,
    /// Runs under way: when each began, and what it was handed.
    runs: Vec<(Millis, Vec<String>)>,
    /// Until when a symbol is somebody's.
    claims: BTreeMap<String, Millis>,
    /// How far the clock was set back in all, milliseconds.
    back: i64,
}

impl Steady {
    fn new() -> Self {
        let mut world = World::new(100);
        world.command("at 2021-02-25T12:00:00Z");
        Self {
            world,
            runs: Vec::new(),
            claims: BTreeMap::new(),
            back: 0,
        }
    }

    fn plan(&mut self, subrequests: u32, rate: u32) -> Plan {
        let planning = format!("plan feed {MEANS} subrequests={subrequests} rate={rate}");
        match self.world.ask_of("feed", &planning) {
            Ok(Reply::Planned(plan)) => plan,
            answer => panic!("{answer:?}"),
        }
    }

    /// A run's symbols, none of which is somebody else's.
    fn begin(&mut self, subrequests: u32, rate: u32) {
        let plan = self.plan(subrequests, rate);
        let now = self.world.now;
        let names: Vec<String> = plan.fetch.iter().map(|it| it.symbol.to_string()).collect();
        for name in &names {
            let held = self.claims.insert(name.clone(), now.plus(CLAIM));
            assert!(held.is_none_or(|until| until <= now), "{name} twice");
        }
        let work = plan.dirty.len() + plan.look.len() + 2 * names.len();
        assert!(work <= subrequests as usize, "{plan:?}");
        for symbol in &plan.dirty {
            self.world.command(&format!("compute {symbol}"));
            self.world.command(&format!("deliver {symbol}"));
        }
        self.runs.push((now, names));
    }

    /// The room of a symbol gets whatever there is.
    fn supply(&mut self, name: &str) {
        let due = calendar::newest_due(self.world.now);
        let days = (0..DAYS).filter(|day| bars::day(*day, "BUY").date <= due);
        let days: Vec<String> = days.map(|day| format!("{day}:BUY")).collect();
        let days = days.join(" ");
        self.world
            .command(&format!("ingest {name} yahoo 2018-01-02 history {days}"));
        self.world.command(&format!("deliver {name}"));
    }

    fn end(&mut self, fates: [u8; 3]) {
        if self.runs.is_empty() {
            return;
        }
        let (began, names) = self.runs.remove(0);
        let now = self.world.now;
        let mut told = String::new();
        for (name, fate) in names.iter().zip(fates) {
            match fate {
                0 => {
                    self.supply(name);
                    told += &format!(" {name}:new@yahoo#etag");
                }
                1 => told += &format!(" {name}:failed!why"),
                2 => told += &format!(" {name}:deferred"),
                _ => continue,
            }
            // What was somebody else's by then stays so.
            if self.claims.get(name) == Some(&began.plus(CLAIM)) {
                self.claims.remove(name);
            }
        }
        let ago = now.0 - began.0;
        self.world
            .command(&format!("finish feed ago={ago} {MEANS}{told}"));
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Wait(millis) => {
                self.world.now = self.world.now.plus(*millis);
                if *millis < 0 {
                    self.back -= millis;
                    // Whose a symbol is cannot be told then.
                    self.claims.clear();
                    self.runs.clear();
                }
            }
            Act::Plan { subrequests, rate } => self.begin(*subrequests, *rate),
            Act::Finish(fates) => self.end(*fates),
            Act::Die => drop(self.runs.pop()),
            Act::Put(which) => {
                let name = WATCHED[*which];
                self.world.command(&format!("bars {name} 0 BUY"));
                self.world.command(&format!("deliver {name}"));
            }
            Act::Block(millis) => {
                let blocked = format!("finish feed {MEANS} trouble=yahoo:{millis}");
                self.world.command(&blocked);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_watched_symbol_is_lost_and_none_is_handed_out_twice(acts in acts()) {
        let mut steady = Steady::new();
        for act in &acts {
            steady.act(act);
        }
        // Claims lapse, blocks and waits end, as late as the clock was set back; then one run after
        // the other works.
        steady.world.now = steady.world.now.plus(3 * 3_600_000 + steady.back);
        steady.runs.clear();
        for _ in 0..12 {
            steady.begin(20, 20);
            steady.end([0; 3]);
            steady.world.now = steady.world.now.plus(60_000);
        }
        for name in WATCHED {
            let state = steady.world.command(&format!("says {name}"));
            let said = state.said.expect("an answer");
            // As of the last run.
            let due = calendar::newest_due(steady.world.now.plus(-60_000)).to_string();
            let newest = bars::day(DAYS - 1, "BUY").date.to_string();
            let expected = due.min(newest);
            prop_assert!(said.contains(name) && said.split(':').nth(1) >= Some(&expected), "{said}");
        }
        // Everybody's next turn is known, and comes.
        let supply = steady.world.command("supply feed watchlist=A,B,C").said.expect("an answer");
        prop_assert_eq!(supply.matches(" next ").count(), 3);
        steady.world.now = steady.world.now.plus(8 * 24 * 3_600_000);
        let plan = steady.plan(100, 100);
        prop_assert_eq!(plan.fetch.len(), 3);
    }
}
