//! A room that computes from what it knows of the past and the newest bars finds what it would
//! find from all bars.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use proptest::prelude::*;
use signalroom_core::auth::Role;
use signalroom_core::market::marks::Marks;
use signalroom_core::market::provider::Provider;
use signalroom_core::room::call::{Call, Caller, Ingest, Reply};
use signalroom_core::signals::{Bar, evaluate};
use signalroom_core::store::Columns;
use signalroom_core::time::Millis;
use signalroom_harness::generated::Walk;

use crate::support::world::World;

/// Sessions of the series: until the middle of 2026.
const SESSIONS: usize = 2_120;
/// Those that a room has from the start: long enough for a past to be worth it.
const START: usize = 1_500;

/// What happens to a room's bars.
#[derive(Debug, Clone)]
enum Step {
    /// The next so many come.
    Send { many: usize, compute: bool },
    /// They come from a provider, with the last ten again.
    Fetch { many: usize },
    /// One that is held is another now, as far back as this of all.
    Correct { back: f64, compute: bool },
    /// The room's memory goes.
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..4_usize, any::<bool>()).prop_map(|(many, compute)| Step::Send { many, compute }),
        1 => (100..300_usize, any::<bool>())
            .prop_map(|(many, compute)| Step::Send { many, compute }),
        4 => (1..4_usize).prop_map(|many| Step::Fetch { many }),
        2 => (0.0..0.01, any::<bool>()).prop_map(|(back, compute)| Step::Correct { back, compute }),
        1 => (0.0..1.0, any::<bool>()).prop_map(|(back, compute)| Step::Correct { back, compute }),
        1 => Just(Step::Forget),
    ]
}

struct Desk {
    world: World,
    series: Vec<Bar>,
    held: BTreeMap<NaiveDate, Bar>,
    next: usize,
}

impl Desk {
    fn new(seed: u64) -> Self {
        let mut world = World::new(10_000);
        world.now = Millis::parse("2026-11-01T12:00:00Z").expect("a time");
        let series: Vec<Bar> = Walk::of(&format!("S{seed}")).take(SESSIONS).collect();
        let mut desk = Self {
            world,
            series,
            held: BTreeMap::new(),
            next: 0,
        };
        desk.send(START, true);
        desk
    }

    fn more(&mut self, many: usize) -> Vec<Bar> {
        let from = self.next;
        self.next = (from + many).min(self.series.len());
        self.series[from..self.next].to_vec()
    }

    fn put(&mut self, bars: Vec<Bar>, compute: bool) {
        self.held.extend(bars.iter().map(|bar| (bar.date, *bar)));
        let put = Call::PutBars {
            bars,
            compute,
            rejected: 0,
            by: Caller::new("bench", Role::Admin),
        };
        self.world.call("A", put).expect("they are kept");
    }

    fn send(&mut self, many: usize, compute: bool) {
        let bars = self.more(many);
        self.put(bars, compute);
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Send { many, compute } => self.send(*many, *compute),
            Step::Fetch { many } => self.fetch(*many),
            Step::Correct { back, compute } => {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let at = (self.next as f64 * (1.0 - back)) as usize;
                let at = at.min(self.next - 1);
                let mut bar = self.held[&self.series[at].date];
                bar.high *= 1.5;
                bar.volume += 1000.0;
                self.put(vec![bar], *compute);
            }
            Step::Forget => self.world.forget("A"),
        }
    }

    fn fetch(&mut self, many: usize) {
        let again = self.series[self.next - 10..self.next].iter();
        let mut bars: Vec<Bar> = again.map(|bar| self.held[&bar.date]).collect();
        bars.extend(self.more(many));
        let ingest = Ingest {
            provider: Provider::Yahoo,
            from: bars[0].date,
            to: bars[bars.len() - 1].date,
            bars: bars.clone(),
            rejected: 0,
            anew: false,
        };
        self.held.extend(bars.iter().map(|bar| (bar.date, *bar)));
        let reply = self.world.call("A", Call::Ingest(ingest));
        let Ok(Reply::Ingested(ingested)) = reply else {
            panic!("they are kept: {reply:?}");
        };
        assert!(!ingested.stranger && ingested.refetch.is_none());
    }

    /// Computes if that is still to be done, and compares with all bars.
    fn check(&mut self) {
        self.world.call("A", Call::Compute).expect("there are bars");
        let all: Vec<Bar> = self.held.values().copied().collect();
        let evaluation = evaluate(&all);
        let Ok(Reply::Latest(latest)) = self.world.call("A", Call::Latest) else {
            panic!("there is no signal");
        };
        assert_eq!(Some(latest.date), all.last().map(|bar| bar.date));
        assert_eq!(Some(&latest.content), evaluation.published().as_ref());
        let push = self.world.next_push("A").expect("the feed is owed that");
        assert_eq!(push.state.first_bar, all.first().map(|bar| bar.date));
        assert_eq!(push.state.last_bar, all.last().map(|bar| bar.date));
        assert_eq!(push.state.missing, None);
        assert_eq!(push.state.marks, Marks::of(&all));
        let trusts = push.state.trusts.expect("all three scores");
        assert_eq!(Some(trusts.fear), evaluation.fear_score());
    }

    /// Up to which day the room has bars of which it keeps no more than it needs.
    fn through(&mut self) -> Option<String> {
        let sql = "SELECT json_extract(past, '$.through') FROM history";
        let rows = self.world.room("A").disk.look(sql, &[]).expect("answers");
        let row = rows.first().filter(|row| !row.is_null(0))?;
        Some(row.text(0).expect("text").to_owned())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_found_is_what_all_bars_say(
        seed in 0..50_u64,
        steps in prop::collection::vec(step(), 1..12),
    ) {
        let mut desk = Desk::new(seed);
        desk.check();
        prop_assert!(desk.through().is_some());
        for step in &steps {
            desk.play(step);
            if !matches!(step, Step::Correct { compute: false, .. } | Step::Send { compute: false, .. }) {
                desk.check();
            }
        }
        desk.check();
        prop_assert!(desk.through().is_some());
    }
}

#[test]
fn the_past_moves_on_with_the_bars_and_is_read_anew_where_it_changed() {
    let mut desk = Desk::new(7);
    let before = desk.through();
    desk.send(20, true);
    assert_eq!(desk.through(), before, "not for every bar");
    desk.send(20, true);
    desk.check();
    let moved = desk.through();
    assert!(moved > before, "{moved:?} after {before:?}");

    desk.play(&Step::Correct {
        back: 0.5,
        compute: false,
    });
    assert_eq!(desk.through(), None);
    desk.check();
    assert_eq!(desk.through(), moved);
}
