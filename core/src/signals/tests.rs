//! What must hold for any bars: ranges, invariances, explanations that add up, and reasons where
//! there is nothing to explain. Values are compared in `tests/golden.rs`.

use super::{
    AnchorWindow, Bar, Component, Evaluation, Factor, Gap, Insufficient, Published, Suggestion,
    evaluate, evaluate_with,
};
use chrono::{Days, NaiveDate};
use proptest::prelude::*;
use std::ops::Range;

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn bar(date: NaiveDate, close: f64, volume: f64) -> Bar {
    Bar {
        date,
        open: close,
        high: close * 1.01,
        low: close * 0.99,
        close,
        volume,
    }
}

/// Daily bars from 1 October 2019 on, so that 154 of them reach the anchor window.
fn dated(days: impl IntoIterator<Item = (f64, f64)>) -> Vec<Bar> {
    let start = date(2019, 10, 1);
    let bars = days.into_iter().zip(0_u64..);
    bars.map(|((close, volume), day)| bar(start + Days::new(day), close, volume))
        .collect()
}

/// A walk as a market would take it, now and then standing still.
fn walk(len: Range<usize>) -> impl Strategy<Value = Vec<Bar>> {
    let step = prop_oneof![4 => -0.05..0.05, 1 => Just(0.0)];
    let volume = prop_oneof![9 => (1_u32..1_000_000).prop_map(f64::from), 1 => Just(0.0)];
    proptest::collection::vec((step, volume), len).prop_map(|days| {
        let mut close = 100.0;
        dated(days.into_iter().map(move |(step, volume)| {
            close *= 1.0 + step;
            (close, volume)
        }))
    })
}

/// Bars that pass the check and have nothing else to do with a market.
fn absurd() -> impl Strategy<Value = Vec<Bar>> {
    let positive = || {
        prop_oneof![
            proptest::num::f64::POSITIVE
                | proptest::num::f64::NORMAL
                | proptest::num::f64::SUBNORMAL,
            Just(f64::MAX),
            Just(f64::MIN_POSITIVE),
            Just(1.0),
            Just(1.0 + f64::EPSILON),
        ]
        .prop_filter("positive", |price| *price > 0.0)
    };
    let volume = prop_oneof![positive(), Just(0.0)];
    let day = ([positive(), positive(), positive(), positive()], volume);
    proptest::collection::vec(day, 0..400).prop_map(|days| {
        let mut bars = dated(days.iter().map(|_| (1.0, 0.0)));
        for (bar, (mut prices, volume)) in bars.iter_mut().zip(days) {
            prices.sort_by(f64::total_cmp);
            let [low, open, close, high] = prices;
            *bar = Bar {
                open,
                high,
                low,
                close,
                volume,
                ..*bar
            };
            bar.check(date(2030, 1, 1)).unwrap();
        }
        bars
    })
}

fn contributions(factors: &[Factor]) -> f64 {
    factors
        .iter()
        .filter_map(|factor| factor.contribution)
        .sum()
}

fn is_share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

/// Everything but the prices themselves, which scaling does change.
fn unscaled(evaluation: Evaluation) -> impl PartialEq + std::fmt::Debug {
    (
        evaluation
            .unslug
            .map(|unslug| (unslug.score, unslug.band, unslug.hits, unslug.first_hit)),
        evaluation.fear,
        evaluation.market_flow,
        evaluation.suggestion,
        evaluation.city,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_valid_bars_give_scores_in_range_and_json(bars in absurd()) {
        let evaluation = evaluate(&bars);
        for value in evaluation.fear.components.into_iter().flatten().chain(evaluation.fear.score) {
            prop_assert!((0.0..=100.0).contains(&value), "{evaluation:?}");
        }
        if let Ok(unslug) = evaluation.unslug {
            prop_assert!((0.4..=1.0).contains(&unslug.score), "{unslug:?}");
        }
        let Some(published) = evaluation.published() else {
            prop_assert_eq!(evaluation.suggestion, None);
            prop_assert!(!evaluation.missing().is_empty());
            return Ok(());
        };
        let scores = [published.unslug_score, published.fear_score, published.combined_trust];
        prop_assert!(scores.into_iter().all(is_share), "{scores:?}");
        let json = serde_json::to_string(&published).unwrap();
        prop_assert_eq!(serde_json::from_str::<Published>(&json).unwrap(), published);
    }

    #[test]
    fn only_the_last_324_bars_matter_for_fear(recent in walk(324..326), past in absurd()) {
        let recent = &recent[recent.len() - 324..];
        let past = past.iter().rev().zip(1..);
        let mut bars: Vec<Bar> = past
            .map(|(bar, days)| Bar { date: recent[0].date - Days::new(days), ..*bar })
            .collect();
        bars.reverse();
        bars.extend(recent);
        prop_assert_eq!(evaluate(&bars).fear, evaluate(recent).fear);
    }

    #[test]
    fn scale_does_not_matter(bars in walk(150..400), prices in -9..10_i32, volumes in -9..10_i32) {
        // Powers of two, because with them the scaled numbers are exact.
        let (price, volume) = (2_f64.powi(prices), 2_f64.powi(volumes));
        let scaled: Vec<Bar> = bars
            .iter()
            .map(|bar| Bar {
                date: bar.date,
                open: bar.open * price,
                high: bar.high * price,
                low: bar.low * price,
                close: bar.close * price,
                volume: bar.volume * volume,
            })
            .collect();
        prop_assert_eq!(unscaled(evaluate(&scaled)), unscaled(evaluate(&bars)));
    }

    #[test]
    fn published_adds_up_and_survives_json(bars in walk(272..400)) {
        let published = evaluate(&bars).published().unwrap();
        let explain = &published.explain;
        prop_assert_eq!(contributions(&explain.unslug).clamp(0.0, 1.0), published.unslug_score);
        prop_assert!((contributions(&explain.fear) - published.fear_score).abs() < 1e-12);
        prop_assert_eq!(Some(contributions(&explain.market_flow)), published.flow_trust);

        let json = serde_json::to_string(&published).unwrap();
        let back: Published = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(serde_json::to_string(&back).unwrap(), json);
        prop_assert_eq!(back, published);
    }
}

#[test]
fn published_has_the_names_that_others_read() {
    let days = (0..340).map(|day| (100.0 + f64::from(day % 7), f64::from(1000 + day % 5)));
    let published = evaluate(&dated(days)).published().unwrap();
    let names = |factors: &[Factor]| -> Vec<String> {
        factors
            .iter()
            .map(|factor| factor.name.to_string())
            .collect()
    };
    assert_eq!(
        names(&published.explain.unslug),
        [
            "anchor_low",
            "anchor_low_date",
            "anchor_high",
            "anchor_high_date",
            "fib_23_6",
            "fib_38_2",
            "current_price",
            "band",
            "base",
            "hits",
            "first_hit"
        ]
    );
    assert_eq!(
        names(&published.explain.fear),
        [
            "momentum",
            "strength",
            "volatility",
            "breadth",
            "safe_haven",
            "credit",
            "short_sentiment"
        ]
    );
    assert_eq!(
        names(&published.explain.market_flow),
        ["volume_ratio", "signal", "trust"]
    );

    let json = serde_json::to_value(&published).unwrap();
    assert_eq!(
        json["recommendation"]["suggested"],
        published.recommendation.suggested.as_str()
    );
    assert_eq!(json["recommendation"]["unslug"], json["unslug_score"]);
    assert_eq!(json["recommendation"]["fear"], json["fear_score"]);
    assert_eq!(json["explain"]["unslug"][1]["value"], "2020-03-03");
    assert_eq!(
        json["explain"]["unslug"][1]["contribution"],
        serde_json::Value::Null
    );
    assert_eq!(json["explain"]["unslug"][9]["value"], 13);
    assert_eq!(json["explain"]["unslug"][9]["contribution"], 0.1);
    assert_eq!(
        json["explain"]["market_flow"][2]["contribution"],
        json["flow_trust"]
    );
}

#[test]
fn what_is_missing_is_said() {
    let missing = |bars: &[Bar]| -> Vec<(String, String)> {
        let missing = evaluate(bars).missing().into_iter();
        missing
            .map(|missing| (missing.what.to_string(), missing.reason.to_string()))
            .collect()
    };
    let days = |count: u32| dated((0..count).map(|day| (100.0 + f64::from(day % 9), 1000.0)));
    let expected = [
        ("unslug", "fewer_than_20_bars"),
        ("fear", "needs 4 of 7 components, has 0"),
        ("momentum", "needs 324 bars, has 9"),
        ("strength", "needs 252 bars, has 9"),
        ("volatility", "needs 302 bars, has 9"),
        ("breadth", "needs 272 bars, has 9"),
        ("safe_haven", "needs 272 bars, has 9"),
        ("credit", "needs 200 bars, has 9"),
        ("short_sentiment", "needs 252 bars, has 9"),
        ("market_flow", "fewer_than_10_bars"),
    ];
    assert_eq!(
        missing(&days(9)),
        expected.map(|(what, why)| (what.to_owned(), why.to_owned()))
    );
    assert_eq!(missing(&[]).len(), 10);
    assert_eq!(
        missing(&days(302)),
        [("momentum".to_owned(), "needs 324 bars, has 302".to_owned())]
    );
    assert_eq!(missing(&days(324)), []);

    // A price that never moves: bars enough, but two formulas divide by zero.
    let still = dated((0..400).map(|_| (101.37, 1000.0)));
    let evaluation = evaluate(&still);
    let undefined = Gap::Undefined;
    assert_eq!(
        evaluation.fear.missing,
        [
            (Component::Strength, undefined),
            (Component::Volatility, undefined)
        ]
    );
    // The mean of equal closes is not above them, not even in the last digit.
    assert_eq!(evaluation.fear.components[5], Some(30.0));
}

#[test]
fn steady_growth_has_no_volatility() {
    // The returns of each series are equal to the last digit, though their sums are rounded.
    for rate in [1.0409, 1.1177, 1.1908] {
        let mut close = 100.0;
        let bars = dated((0..324_u32).map(|day| {
            close *= if day < 264 {
                0.98 + 0.01 * f64::from(day % 5)
            } else {
                rate
            };
            (close, 1000.0)
        }));
        let returns = bars[270..]
            .windows(2)
            .map(|pair| pair[1].close / pair[0].close);
        assert!(
            returns
                .clone()
                .all(|ratio| ratio == returns.clone().next().unwrap()),
            "{rate}"
        );
        let missing = evaluate(&bars).fear.missing;
        assert_eq!(missing, [(Component::Volatility, Gap::Undefined)], "{rate}");
    }
}

#[test]
fn four_components_make_a_score_and_three_do_not() {
    let still = evaluate(&dated((0..280).map(|_| (100.0, 1000.0))));
    assert_eq!(
        (still.fear.available(), still.fear.score.is_some()),
        (4, true)
    );

    let bars = dated((0..271).map(|day| (100.0 + f64::from(day), 1000.0)));
    let evaluation = evaluate(&bars);
    assert_eq!(evaluation.fear.available(), 3);
    assert_eq!((evaluation.fear.score, evaluation.suggestion), (None, None));
    assert!(evaluation.unslug.is_ok() && evaluation.published().is_none());
}

#[test]
fn another_crisis_is_another_window() {
    // 1 October 2022 is a Saturday: the first session is Monday, the 3rd.
    let window = AnchorWindow {
        from: date(2022, 10, 1),
        to: date(2022, 10, 31),
        fallback_from: date(2022, 9, 15),
        fallback_to: date(2022, 11, 15),
    };
    let from = |first: NaiveDate| -> Vec<Bar> {
        (0..40_u32)
            .map(|day| {
                let close = 100.0 + f64::from(day.abs_diff(20));
                bar(first + Days::new(day.into()), close, 1.0)
            })
            .collect()
    };
    let unslug = |first| evaluate_with(&from(first), &window).unslug;
    assert_eq!(
        unslug(date(2022, 10, 3)).unwrap().low.date,
        date(2022, 10, 23)
    );
    assert_eq!(
        unslug(date(2022, 10, 4)),
        Err(Insufficient::AnchorWindowNotCovered)
    );
    assert_eq!(
        unslug(date(2022, 8, 1)),
        Err(Insufficient::AnchorWindowNotReached)
    );

    // Without a bar in the window, the wider one counts.
    let mut gap = from(date(2022, 9, 1));
    gap.retain(|bar| bar.date < window.from);
    gap.push(bar(date(2022, 11, 10), 100.5, 1.0));
    let found = evaluate_with(&gap, &window).unslug.unwrap();
    assert_eq!(found.low.date, date(2022, 9, 21));
}

#[test]
fn prices_one_digit_apart_divide_by_nothing() {
    let mut bars = dated((0..200).map(|_| (1.0, 1.0)));
    for bar in &mut bars {
        (bar.high, bar.low) = (1.0, 1.0);
    }
    bars[190].high = 1.0 + f64::EPSILON;
    let unslug = evaluate(&bars).unslug.unwrap();
    assert_eq!(
        (unslug.fib_38_2, unslug.base, unslug.score),
        (1.0, 0.9, 1.0)
    );
}

#[test]
fn absurd_bars_can_be_published() {
    // The property above is only worth something if some absurd bars are published.
    let leaps = dated((0..330_u32).map(|day| (if day % 2 == 0 { 1e300 } else { 1e-300 }, 1e308)));
    let evaluation = evaluate(&leaps);
    assert!(matches!(
        evaluation.suggestion,
        Some(Suggestion::Neutral | Suggestion::Risk)
    ));
    // Returns of 1e600 are beyond a number: what has no order has no rank.
    assert_eq!(
        evaluation.fear.missing,
        [(Component::Volatility, Gap::Undefined)]
    );
}
