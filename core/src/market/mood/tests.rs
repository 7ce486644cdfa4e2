//! The market's mood against small cases by hand, against a plain implementation of the definitions
//! that shares no code with this one, and what must hold of any input.

mod plainly;

use proptest::prelude::*;

use super::*;
use crate::signals::Bar;
use crate::time::parse_date;

fn date(text: &str) -> NaiveDate {
    parse_date(text).unwrap()
}

const DUE: &str = "2026-11-20";

/// The last `count` sessions up to [`DUE`].
fn sessions(count: usize) -> Vec<NaiveDate> {
    let due = date(DUE);
    let all: Vec<NaiveDate> = calendar::sessions(due - Days::new(2_000), due).collect();
    all[all.len() - count..].to_vec()
}

/// Those values on the last sessions up to [`DUE`].
fn dated(values: &[f64]) -> Vec<Observation> {
    let days = sessions(values.len());
    days.into_iter().zip(values.iter().copied()).collect()
}

fn bars(closes: &[Observation]) -> Vec<Bar> {
    let bar = |(date, close): &Observation| Bar {
        date: *date,
        open: *close,
        high: *close,
        low: *close,
        close: *close,
        volume: 1.0,
    };
    closes.iter().map(bar).collect()
}

#[derive(Debug, Clone, Default)]
struct World {
    series: BTreeMap<Series, Vec<Observation>>,
    benchmark: Vec<Observation>,
    symbols: Vec<Vec<Bar>>,
}

impl World {
    fn with(series: Series, values: &[f64]) -> Self {
        Self {
            series: BTreeMap::from([(series, dated(values))]),
            ..Self::default()
        }
    }

    fn marks(&self) -> Vec<Marks> {
        self.symbols.iter().filter_map(|it| Marks::of(it)).collect()
    }

    fn mood(&self) -> Mood {
        mood(&Inputs {
            series: &self.series,
            benchmark: &self.benchmark,
            marks: &self.marks(),
            due: date(DUE),
        })
    }

    fn component(&self, name: Name) -> Component {
        let mut found = self.mood().components.into_iter();
        found.find(|it| it.name == name).unwrap()
    }

    fn missing(&self, name: Name) -> String {
        let component = self.component(name);
        assert_eq!((component.score, component.value), (None, None));
        component.missing.unwrap()
    }
}

fn near(left: Option<f64>, right: f64) {
    let left = left.expect("it is there");
    assert!((left - right).abs() < 1e-9, "{left} {right}");
}

/// A series that walks, the same for the same seed.
fn walk(seed: u64, count: usize, start: f64, step: f64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut value = start;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let part = (state >> 11) as f64 / (1_u64 << 53) as f64;
            value = (value * (1.0 + step * (part - 0.5))).clamp(start / 50.0, start * 50.0);
            // Two decimals, as prices and spreads have: ties happen.
            (value * 100.0).round() / 100.0
        })
        .collect()
}

/// All there can be.
fn full(seed: u64, symbols: usize) -> World {
    let series = [
        (Series::Vix, 18.0, 0.15),
        (Series::HighYieldSpread, 3.5, 0.03),
        (Series::TenYear, 4.2, 0.03),
        (Series::PutCall, 0.9, 0.3),
    ];
    World {
        series: series
            .into_iter()
            .zip(seed..)
            .map(|((series, start, step), seed)| (series, dated(&walk(seed, 400, start, step))))
            .collect(),
        benchmark: dated(&walk(seed + 4, 500, 450.0, 0.02)),
        symbols: (0..symbols)
            .zip(seed + 5..)
            .map(|(_, seed)| bars(&dated(&walk(seed, 560, 80.0, 0.04))))
            .collect(),
    }
}

#[test]
fn a_leap_of_the_vix_is_fear_and_a_fall_is_greed() {
    let mut values = vec![20.0; 301];
    values[300] = 30.0;
    let component = World::with(Series::Vix, &values).component(Name::Volatility);
    // 30 / ((49 * 20 + 30) / 50), above the other 251.
    near(component.value, 30.0 / 20.2);
    near(component.score, 0.0);
    assert_eq!(component.as_of, Some(date(DUE)));
    assert_eq!(component.missing, None);

    values[300] = 10.0;
    let component = World::with(Series::Vix, &values).component(Name::Volatility);
    // The lowest of 252: 100 - 100 / 252.
    near(component.score, 100.0 - 100.0 / 252.0);

    values[300] = 20.0;
    let component = World::with(Series::Vix, &values).component(Name::Volatility);
    // All 252 alike: the rank in their middle is 126.5.
    near(component.score, 100.0 - 126.5 / 2.52);

    let missing = World::with(Series::Vix, &values[..300]).missing(Name::Volatility);
    assert_eq!(missing, "needs 301 closes of the VIX, has 300");
}

#[test]
fn spreads_and_puts_are_fear() {
    let rising: Vec<f64> = (0..300).map(f64::from).collect();
    let spreads = World::with(Series::HighYieldSpread, &rising).component(Name::JunkBondDemand);
    near(spreads.value, 299.0);
    near(spreads.score, 0.0);
    let missing = World::with(Series::HighYieldSpread, &rising[..251]);
    assert_eq!(
        missing.missing(Name::JunkBondDemand),
        "needs 252 spreads, has 251"
    );

    let puts = World::with(Series::PutCall, &rising).component(Name::PutCall);
    near(puts.value, 297.0);
    near(puts.score, 0.0);
    // The same five ratios in another order are the same mean.
    let turning: Vec<f64> = (0..256)
        .map(|at| [0.1, 0.2, 0.3, 0.7, 1.1][at % 5])
        .collect();
    let puts = World::with(Series::PutCall, &turning).component(Name::PutCall);
    near(puts.score, 100.0 - 126.5 / 2.52);
    near(puts.value, 0.48);
}

#[test]
fn spy_above_its_mean_is_greed() {
    let mut closes = vec![100.0; 376];
    closes[375] = 110.0;
    let mut world = World {
        benchmark: dated(&closes),
        ..World::default()
    };
    let component = world.component(Name::Momentum);
    near(component.value, 110.0 / 100.08);
    near(component.score, 100.0);
    assert_eq!(
        world.missing(Name::SafeHaven),
        "there are no days with SPY and the 10-year yield yet"
    );

    // A treasury at 0 % earns nothing while its yield stays: what is left is SPY's return.
    world.series = BTreeMap::from([(Series::TenYear, dated(&[0.0; 400]))]);
    let component = world.component(Name::SafeHaven);
    near(component.value, 0.1);
    near(component.score, 100.0);
    // And of 4 % it earns the carry of 28 days.
    world.series = BTreeMap::from([(Series::TenYear, dated(&[4.0; 300]))]);
    let days = (date(DUE) - sessions(21)[0]).num_days() as f64;
    let carry = 1.04_f64.powf(days / 365.0) - 1.0;
    near(world.component(Name::SafeHaven).value, 0.1 - carry);

    // Days without a yield count for neither.
    let yields = world.series.get_mut(&Series::TenYear).unwrap();
    let known = sessions(300).into_iter().step_by(7).collect::<Vec<_>>();
    yields.retain(|(date, _)| !known.contains(date));
    assert_eq!(
        world.missing(Name::SafeHaven),
        "needs 272 days with SPY and the 10-year yield, has 257"
    );
}

#[test]
fn breadth_is_the_sum_of_net_advances() {
    // Three rise and one falls, each day; on the last day all rise.
    let rising: Vec<f64> = (0..272).map(|at| f64::from(100 + at)).collect();
    let mut falling: Vec<f64> = rising.iter().map(|close| 1_000.0 - close).collect();
    falling[271] = 999.0;
    let mut world = World::default();
    for closes in [&rising, &rising, &rising, &falling] {
        world.symbols.push(bars(&dated(closes)));
    }
    let component = world.component(Name::Breadth);
    near(component.value, 19.0 * 0.5 + 1.0);
    near(component.score, 100.0);

    // One that stands still is neither.
    world.symbols.push(bars(&dated(&[5.0; 272])));
    assert_eq!(world.component(Name::Breadth), component);

    for symbol in &mut world.symbols {
        symbol.remove(0);
    }
    assert_eq!(world.missing(Name::Breadth), "needs 271 sessions, has 270");
    // Nobody rises or falls: no net advances, and no way to rank them but in the middle.
    world.symbols = vec![bars(&dated(&[5.0; 272]))];
    let component = world.component(Name::Breadth);
    near(component.value, 0.0);
    near(component.score, 126.5 / 2.52);
}

#[test]
fn strength_is_new_highs_less_new_lows() {
    // Both between their limits but on the last day, when one has a new high.
    let mut closes: Vec<f64> = (0..520).map(|at| [100.0, 90.0, 95.0][at % 3]).collect();
    for (at, close) in closes.iter_mut().enumerate() {
        if at % 97 != 0 {
            *close = close.clamp(91.0, 99.0);
        }
    }
    let quiet = World {
        symbols: vec![bars(&dated(&closes)); 2],
        ..World::default()
    };
    let before = quiet.component(Name::Strength);
    let mut world = quiet.clone();
    let last = world.symbols[0].last_mut().unwrap();
    last.close = 120.0;
    let component = world.component(Name::Strength);
    near(component.value, before.value.unwrap() + 0.05);
    // Without a year of closes there are neither highs nor lows.
    let world = World {
        symbols: vec![bars(&dated(&closes[..251]))],
        ..World::default()
    };
    assert_eq!(
        world.missing(Name::Strength),
        "there are no sessions of symbols with a year of closes yet"
    );
}

#[test]
fn the_first_few_bars_of_a_day_are_not_the_market() {
    let mut world = full(7, 10);
    let newest = world.component(Name::Breadth);
    for symbol in &mut world.symbols[..6] {
        symbol.pop();
    }
    let days = sessions(2);
    for name in [Name::Breadth, Name::Strength] {
        assert_eq!(world.component(name).as_of, Some(days[0]), "{name:?}");
    }
    world.symbols[0] = full(7, 10).symbols[0].clone();
    assert_eq!(world.component(Name::Breadth).as_of, Some(days[1]));
    assert_eq!(newest.as_of, Some(days[1]));
}

#[test]
fn what_is_too_old_is_missing() {
    let mut world = full(3, 3);
    let values = world.series.get_mut(&Series::PutCall).unwrap();
    for (day, _) in values.iter_mut() {
        *day = *day - Days::new(11);
    }
    let component = world.component(Name::PutCall);
    assert_eq!(
        component.missing.as_deref(),
        Some("its newest value is of 2026-11-09, which is too old")
    );
    assert_eq!(component.as_of, Some(date("2026-11-09")));
    assert_eq!((component.score, component.value), (None, None));

    let inputs = Inputs {
        series: &world.series,
        benchmark: &world.benchmark,
        marks: &world.marks(),
        due: date(DUE),
    };
    let later = mood_within(&inputs, 11);
    assert!(later.components.iter().all(|it| it.missing.is_none()));
    // A day later for all.
    let due = date("2026-11-21");
    let tomorrow = mood(&Inputs { due, ..inputs });
    assert_eq!(tomorrow, mood(&inputs));
}

#[test]
fn four_of_seven_make_a_score() {
    let mut world = full(11, 3);
    world.symbols.clear();
    world.series.remove(&Series::PutCall);
    let mood = world.mood();
    let scores: Vec<f64> = mood.components.iter().filter_map(|it| it.score).collect();
    assert_eq!(scores.len(), 4);
    near(mood.score, scores.iter().sum::<f64>() / 4.0);
    assert_eq!(mood.label, Some(Label::of(mood.score.unwrap())));
    assert_eq!(mood.as_of, Some(date(DUE)));

    world.series.remove(&Series::TenYear);
    let mood = world.mood();
    assert_eq!((mood.score, mood.label, mood.as_of), (None, None, None));
    assert_eq!(mood.components.len(), 7);
}

#[test]
fn nothing_is_known_of_nothing() {
    let mood = World::default().mood();
    assert_eq!((mood.score, mood.label, mood.as_of), (None, None, None));
    let reasons: Vec<&str> = mood
        .components
        .iter()
        .filter_map(|it| it.missing.as_deref())
        .collect();
    assert_eq!(
        reasons,
        [
            "there are no closes of SPY yet",
            "there are no sessions of symbols with a year of closes yet",
            "there are no sessions yet",
            "there are no put/call ratios yet",
            "there are no spreads yet",
            "there are no closes of the VIX yet",
            "there are no days with SPY and the 10-year yield yet",
        ]
    );
}

#[test]
fn travels_as_documented() {
    let mut world = World::with(Series::HighYieldSpread, &[3.0; 252]);
    world.benchmark = dated(&[1.0]);
    let json = serde_json::to_value(world.mood()).unwrap();
    assert_eq!(json["score"], serde_json::Value::Null);
    assert_eq!(json["label"], serde_json::Value::Null);
    assert_eq!(json["as_of"], serde_json::Value::Null);
    assert_eq!(
        json["components"][4],
        serde_json::json!({
            "name": "junk_bond_demand",
            "score": 100.0 - 126.5 / 2.52,
            "value": 3.0,
            "as_of": DUE,
            "source": "FRED BAMLH0A0HYM2 (ICE BofA)",
            "missing": null,
        })
    );
    let names: Vec<&str> = json["components"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "momentum",
            "strength",
            "breadth",
            "put_call",
            "junk_bond_demand",
            "volatility",
            "safe_haven"
        ]
    );
    let mood = full(1, 2).mood();
    let text = serde_json::to_string(&mood).unwrap();
    assert_eq!(serde_json::from_str::<Mood>(&text).unwrap(), mood);
    let label = serde_json::to_value(mood.label).unwrap();
    assert!(["Fear", "Neutral", "Greed"].contains(&label.as_str().unwrap()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn it_is_what_the_definitions_say(
        seed in 1_u64..1_000_000,
        symbols in 1_usize..9,
        missing in prop::collection::vec((0_usize..9, 1_usize..560), 0..60),
        yields in 0_usize..120,
        young in 0_usize..560,
    ) {
        let mut world = full(seed, symbols);
        // Bars and yields are missing here and there, but for bars of the newest days, and one symbol
        // is younger.
        for (symbol, at) in missing {
            let bars = &mut world.symbols[symbol % symbols];
            bars.remove(at % (bars.len() - 25));
        }
        if symbols > 1 {
            let kept = world.symbols[0].len().saturating_sub(young).max(2);
            let bars = &mut world.symbols[0];
            bars.drain(..bars.len() - kept);
        }
        let known = world.series.get_mut(&Series::TenYear).unwrap();
        if yields > 2 {
            let mut at = 0_usize;
            known.retain(|_| {
                at += 1;
                !at.is_multiple_of(yields)
            });
        }
        let expected = plainly::mood(&world);
        let mood = world.mood();
        for (component, (score, value)) in mood.components.iter().zip(expected) {
            let name = component.name;
            prop_assert_eq!(component.score.is_some(), score.is_some(), "{:?}", component);
            prop_assert_eq!(component.score.is_some(), component.missing.is_none());
            let near = |left: Option<f64>, right: Option<f64>| {
                (left.unwrap_or(0.0) - right.unwrap_or(0.0)).abs() < 1e-8
            };
            prop_assert!(near(component.score, score), "{name:?} {component:?} {score:?}");
            prop_assert!(near(component.value, value), "{name:?} {component:?} {value:?}");
        }
    }

    #[test]
    fn order_and_scale_change_nothing(seed in 1_u64..1_000_000, scale in 0.01_f64..100.0) {
        let world = full(seed, 6);
        let mut other = world.clone();
        other.symbols.reverse();
        other.symbols.swap(0, 2);
        for (_, close) in &mut other.benchmark {
            *close *= scale;
        }
        for bar in &mut other.symbols[1] {
            bar.close *= 4.0;
        }
        let (one, two) = (world.mood(), other.mood());
        for (left, right) in one.components.iter().zip(&two.components) {
            let (left, right) = (left.score.unwrap(), right.score.unwrap());
            // A ratio at the edge of the ninth decimal may be rounded the other way: two ranks.
            prop_assert!((left - right).abs() < 0.8, "{left} {right}");
        }
        prop_assert_eq!(&one.components[1..3], &two.components[1..3]);
    }

    #[test]
    fn whatever_comes_there_is_no_panic_and_no_made_up_number(
        values in prop::collection::vec(
            prop_oneof![
                -200.0_f64..200.0,
                Just(0.0),
                Just(-200.0),
                Just(f64::MAX),
                Just(f64::MIN_POSITIVE),
                Just(f64::NAN),
                Just(f64::NEG_INFINITY),
            ],
            0..420,
        ),
        due in prop_oneof![Just(NaiveDate::MIN), Just(NaiveDate::MAX), Just(date(DUE))],
        days in prop_oneof![Just(0), Just(10), Just(u64::MAX)],
        marks in prop::collection::vec("(19|20|21)[0-9]{2}-0[1-9]-1[0-9]:[a-p]{1,282}", 0..6),
    ) {
        let marks: Vec<Marks> = marks.iter().filter_map(|it| it.parse().ok()).collect();
        let values = dated(&values);
        let series: BTreeMap<_, _> = Series::ALL.map(|it| (it, values.clone())).into();
        let mood = mood_within(
            &Inputs { series: &series, benchmark: &values, marks: &marks, due },
            days,
        );
        prop_assert_eq!(mood.components.len(), 7);
        for component in &mood.components {
            prop_assert_eq!(component.score.is_some(), component.missing.is_none());
            prop_assert_eq!(component.score.is_some(), component.value.is_some());
            let score = component.score.unwrap_or(50.0);
            prop_assert!((0.0..=100.0).contains(&score));
            prop_assert!(component.value.unwrap_or(0.0).is_finite());
        }
        let known = mood.components.iter().filter(|it| it.score.is_some()).count();
        prop_assert_eq!(mood.score.is_some(), known >= 4);
    }
}
