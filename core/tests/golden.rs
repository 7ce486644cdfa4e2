//! Compares the signals with values computed by independent implementations.
//!
//! `fixtures` are small artificial series that come with the clone, with values computed in exact
//! fractions wherever something is ranked or compared; the shared goldens (real bars)
//! lie in a folder beside the checkout and are skipped where it is absent.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Map, Value};
use signalroom_core::signals::{Bar, Component, Evaluation, evaluate, parse_csv};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const TOLERANCE: f64 = 1e-9;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {} is absent", folder.display());
    None
}

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2030, 1, 1).unwrap()
}

fn read_json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn read_bars(path: &Path) -> Vec<Bar> {
    let body = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let parsed = parse_csv(&body, today()).unwrap();
    assert_eq!(parsed.rejected, [], "{}", path.display());
    parsed.bars
}

/// Bars by series name, each file read once.
struct Series {
    folder: PathBuf,
    read: BTreeMap<String, Vec<Bar>>,
}

impl Series {
    fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            read: BTreeMap::new(),
        }
    }

    fn upto(&mut self, name: &str, first: Option<NaiveDate>, last: NaiveDate) -> &[Bar] {
        let bars = self
            .read
            .entry(name.to_owned())
            .or_insert_with(|| read_bars(&self.folder.join(format!("{name}.csv"))));
        let start = first.map_or(0, |first| bars.partition_point(|bar| bar.date < first));
        &bars[start..bars.partition_point(|bar| bar.date <= last)]
    }
}

/// The evaluation in the shape of the golden files.
fn shown(evaluation: &Evaluation) -> Value {
    let insufficient = "insufficient_history";
    let mut fear = Map::new();
    match evaluation.fear.score {
        Some(score) => {
            fear.insert("score".into(), score.into());
            fear.insert(
                "label".into(),
                evaluation.fear.label.unwrap().as_str().into(),
            );
        }
        None => {
            assert_eq!(evaluation.fear.label, None);
            fear.insert("outcome".into(), insufficient.into());
        }
    }
    let components = Component::ALL.iter().zip(evaluation.fear.components);
    let components: Map<String, Value> = components
        .map(|(component, value)| (component.as_str().into(), value.into()))
        .collect();
    fear.insert("components".into(), components.into());
    let missing = evaluation.fear.missing.iter();
    let missing: Vec<&str> = missing.map(|(component, _)| component.as_str()).collect();
    fear.insert("missing".into(), missing.into());

    serde_json::json!({
        "unslug": match &evaluation.unslug {
            Ok(unslug) => serde_json::json!({
                "score": unslug.score,
                "band": unslug.band.as_str(),
                "current_price": unslug.current_price,
                "low": {"date": unslug.low.date, "value": unslug.low.value},
                "high": {"date": unslug.high.date, "value": unslug.high.value},
                "fib_23_6": unslug.fib_23_6,
                "fib_38_2": unslug.fib_38_2,
                "hits": unslug.hits,
                "first_hit": unslug.first_hit,
            }),
            Err(reason) => serde_json::json!({"outcome": insufficient, "reason": reason.as_str()}),
        },
        "fear": fear,
        "market_flow": match &evaluation.market_flow {
            Ok(flow) => serde_json::json!({
                "trust": flow.trust,
                "signal": flow.signal.as_str(),
                "volume_ratio": flow.volume_ratio,
            }),
            Err(_) => serde_json::json!({"outcome": insufficient}),
        },
        "combined_trust": evaluation.combined_trust,
        "recommendation":
            evaluation.suggestion.map_or("INSUFFICIENT_HISTORY", |suggestion| suggestion.as_str()),
        "city": {
            "mean_trust": evaluation.city.map(|city| city.mean_trust),
            "state": evaluation.city.map_or(insufficient, |city| city.state.as_str()),
        },
    })
}

/// Numbers within the tolerance, everything else exactly, no key more or less.
fn assert_same(expected: &Value, actual: &Value, place: &str) {
    match (expected, actual) {
        (Value::Number(expected), Value::Number(actual)) => {
            let (expected, actual) = (expected.as_f64().unwrap(), actual.as_f64().unwrap());
            assert!(
                (expected - actual).abs() <= TOLERANCE,
                "{place}: expected {expected}, got {actual}"
            );
        }
        (Value::Object(expected), Value::Object(actual)) => {
            let keys = |map: &Map<String, Value>| -> Vec<String> {
                let mut keys: Vec<String> = map.keys().cloned().collect();
                keys.sort();
                keys
            };
            assert_eq!(keys(expected), keys(actual), "{place}");
            for (key, expected) in expected {
                assert_same(expected, &actual[key], &format!("{place} {key}"));
            }
        }
        _ => assert_eq!(expected, actual, "{place}"),
    }
}

fn date_of(value: &Value) -> NaiveDate {
    value.as_str().unwrap().parse().unwrap()
}

/// Checks every case of a golden file: rows `first` (or the beginning) to `last` (or `date`) of the
/// series `symbol`.
fn check_cases(cases: &Value, series: &mut Series) -> usize {
    let cases = cases.as_array().unwrap();
    for case in cases {
        let name = case["symbol"].as_str().unwrap();
        let first = case.get("first").map(date_of);
        let last = date_of(case.get("date").unwrap_or(&case["last"]));
        let place = format!("{name} {first:?}..{last}");
        let bars = series.upto(name, first, last);
        assert_eq!(case["bars"], bars.len(), "{place}");
        assert_same(&case["expected"], &shown(&evaluate(bars)), &place);
    }
    cases.len()
}

#[test]
fn artificial_series() {
    let expected = read_json(&fixtures().join("expected.json"));
    let count = check_cases(&expected["cases"], &mut Series::new(fixtures()));
    assert_eq!(count, 39);
}

#[test]
fn real_bars() {
    let Some(shared) = shared() else { return };
    let golden = read_json(&shared.join("golden/signals.json"));
    let mut series = Series::new(shared.join("market"));
    assert_eq!(check_cases(&golden["cases"], &mut series), 88);
    assert_eq!(check_cases(&golden["short_history"], &mut series), 64);
}

#[test]
fn edge_cases() {
    let Some(shared) = shared() else { return };
    let golden = read_json(&shared.join("golden/edge_cases.json"));
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let columns = ["date", "open", "high", "low", "close", "volume"];
        assert_eq!(case["columns"], serde_json::json!(columns));
        let rows = case["input"].as_array().unwrap().iter();
        let bars: Vec<Bar> = rows
            .map(|row| Bar {
                date: date_of(&row[0]),
                open: row[1].as_f64().unwrap(),
                high: row[2].as_f64().unwrap(),
                low: row[3].as_f64().unwrap(),
                close: row[4].as_f64().unwrap(),
                volume: row[5].as_f64().unwrap(),
            })
            .collect();
        assert_same(
            &case["expected"],
            &shown(&evaluate(&bars)),
            case["name"].as_str().unwrap(),
        );
    }
}

/// One row of `daily.csv`; an empty cell is a missing value.
#[derive(Deserialize)]
struct Day {
    symbol: String,
    date: NaiveDate,
    unslug_score: Option<f64>,
    band: String,
    hits: Option<u32>,
    fear_score: Option<f64>,
    momentum: Option<f64>,
    strength: Option<f64>,
    volatility: Option<f64>,
    breadth: Option<f64>,
    safe_haven: Option<f64>,
    credit: Option<f64>,
    short_sentiment: Option<f64>,
    label: String,
    flow_signal: String,
    combined_trust: Option<f64>,
    recommendation: String,
    city_state: String,
}

#[test]
fn daily_sweep() {
    let Some(shared) = shared() else { return };
    let mut series = Series::new(shared.join("market"));
    let mut reader = csv::Reader::from_path(shared.join("golden/daily.csv")).unwrap();
    let mut count = 0;
    for day in reader.deserialize() {
        let day: Day = day.unwrap();
        let evaluation = evaluate(series.upto(&day.symbol, None, day.date));
        let place = format!("{} {}", day.symbol, day.date);
        let unslug = evaluation.unslug.unwrap();
        let expected = serde_json::json!([
            day.unslug_score,
            day.band,
            day.hits,
            day.fear_score,
            day.momentum,
            day.strength,
            day.volatility,
            day.breadth,
            day.safe_haven,
            day.credit,
            day.short_sentiment,
            day.label,
            day.flow_signal,
            day.combined_trust,
            day.recommendation,
            day.city_state,
        ]);
        let mut actual = serde_json::json!([
            unslug.score,
            unslug.band.as_str(),
            unslug.hits,
            evaluation.fear.score
        ]);
        let cells = actual.as_array_mut().unwrap();
        cells.extend(evaluation.fear.components.map(Value::from));
        cells.extend([
            evaluation.fear.label.unwrap().as_str().into(),
            evaluation.market_flow.unwrap().signal.as_str().into(),
            evaluation.combined_trust.into(),
            evaluation.suggestion.unwrap().as_str().into(),
            evaluation.city.unwrap().state.as_str().into(),
        ]);
        let pairs = expected.as_array().unwrap().iter().zip(cells.iter());
        for (column, (expected, actual)) in pairs.enumerate() {
            assert_same(expected, actual, &format!("{place} column {}", column + 3));
        }
        assert_eq!(cells.len(), expected.as_array().unwrap().len());
        count += 1;
    }
    assert_eq!(count, 740);
}
