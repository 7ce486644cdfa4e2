//! Deterministic daily series from 2020-01-02 on, so that the anchor window (March 2020) is held
//! and every engine has enough history.

use std::fmt::Write as _;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use serde_json::{Value, json};

/// Enough sessions for the slowest component (324) and room to change.
pub const SESSIONS: usize = 400;

/// One daily bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// The session, `YYYY-MM-DD`.
    pub date: String,
    /// Open.
    pub open: f64,
    /// High.
    pub high: f64,
    /// Low.
    pub low: f64,
    /// Close.
    pub close: f64,
    /// Volume.
    pub volume: f64,
}

impl Bar {
    /// The bar as a CSV row, without the line end.
    pub fn row(&self) -> String {
        format!(
            "{},{},{},{},{},{}",
            self.date, self.open, self.high, self.low, self.close, self.volume
        )
    }

    /// The bar as JSON.
    pub fn json(&self) -> Value {
        json!({"date": self.date, "open": self.open, "high": self.high, "low": self.low,
            "close": self.close, "volume": self.volume})
    }
}

/// What the last bar of a series recommends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Near its crisis low and rising on volume.
    Buy,
    /// Far above its crisis low and rising.
    Neutral,
    /// Far above its crisis low and falling.
    Risk,
}

impl Shape {
    /// The suggestion as it travels.
    pub fn suggestion(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Neutral => "NEUTRAL",
            Self::Risk => "RISK",
        }
    }

    /// Prices at session numbers; between them the price moves in a straight line.
    fn knots(self) -> &'static [(usize, f64)] {
        match self {
            Self::Buy => &[
                (0, 100.0),
                (40, 100.0),
                (52, 50.0),
                (160, 150.0),
                (340, 58.0),
                (420, 79.0),
            ],
            Self::Neutral => &[
                (0, 100.0),
                (40, 100.0),
                (52, 50.0),
                (160, 150.0),
                (340, 110.0),
                (420, 125.0),
            ],
            Self::Risk => &[
                (0, 100.0),
                (40, 100.0),
                (52, 50.0),
                (200, 150.0),
                (380, 140.0),
                (420, 80.0),
            ],
        }
    }

    fn last_volume(self) -> f64 {
        match self {
            Self::Buy => 2_400_000.0,
            Self::Neutral => 1_000_000.0,
            Self::Risk => 300_000.0,
        }
    }
}

/// The first `count` weekdays from `start` on.
pub fn sessions(start: &str, count: usize) -> Vec<String> {
    let start: NaiveDate = start.parse().expect("a date literal");
    (0_u64..)
        .filter_map(|days| start.checked_add_days(Days::new(days)))
        .filter(|date| !matches!(date.weekday(), Weekday::Sat | Weekday::Sun))
        .take(count)
        .map(|date| date.to_string())
        .collect()
}

/// The series of `shape`, `SESSIONS` long.
pub fn series(shape: Shape, seed: u64) -> Vec<Bar> {
    series_of(shape, seed, SESSIONS)
}

/// The first `count` bars of the series of `shape`, the last with the shape's volume.
pub fn series_of(shape: Shape, seed: u64, count: usize) -> Vec<Bar> {
    let mut noise = Noise(seed);
    let mut bars: Vec<Bar> = sessions("2020-01-02", count)
        .into_iter()
        .enumerate()
        .map(|(number, date)| {
            let base = price_at(shape.knots(), number);
            let close = round(base * (1.0 + 0.012 * noise.next()));
            let open = round(base * (1.0 + 0.012 * noise.next()));
            let high = round(open.max(close) * (1.0 + 0.012 * noise.next().abs()));
            let low = round(open.min(close) * (1.0 - 0.012 * noise.next().abs()));
            let volume = (1_000_000.0 * (1.0 + 0.6 * noise.next())).round();
            Bar {
                date,
                open,
                high,
                low,
                close,
                volume,
            }
        })
        .collect();
    if let Some(last) = bars.last_mut() {
        last.volume = shape.last_volume();
    }
    bars
}

/// A short series that starts anywhere, flat but for noise.
pub fn plain(start: &str, count: usize, seed: u64) -> Vec<Bar> {
    let mut noise = Noise(seed);
    sessions(start, count)
        .into_iter()
        .map(|date| {
            let close = round(100.0 + noise.next());
            Bar {
                date,
                open: 100.0,
                high: 102.0,
                low: 98.0,
                close,
                volume: 1000.0,
            }
        })
        .collect()
}

/// The header of a CSV of bars.
pub const HEADER: &str = "date,open,high,low,close,volume";

/// `bars` as CSV with its header.
pub fn csv(bars: &[Bar]) -> String {
    let mut text = String::from(HEADER);
    text.push('\n');
    for bar in bars {
        let _ = writeln!(text, "{}", bar.row());
    }
    text
}

fn price_at(knots: &[(usize, f64)], number: usize) -> f64 {
    for pair in knots.windows(2) {
        let ((from, low), (to, high)) = (pair[0], pair[1]);
        if number <= to {
            return low + (high - low) * (number - from) as f64 / (to - from) as f64;
        }
    }
    knots.last().map_or(100.0, |knot| knot.1)
}

fn round(price: f64) -> f64 {
    (price * 10_000.0).round() / 10_000.0
}

/// A linear congruential generator: the same numbers on every machine.
struct Noise(u64);

impl Noise {
    /// In [-0.5, 0.5).
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 31) - 0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle;

    #[test]
    fn every_shape_suggests_what_it_says() {
        for shape in [Shape::Buy, Shape::Neutral, Shape::Risk] {
            for seed in 1..40 {
                for count in [SESSIONS - 1, SESSIONS, SESSIONS + 1, SESSIONS + 5] {
                    let scores = oracle::scores(&series_of(shape, seed, count));
                    assert_eq!(
                        scores.suggestion,
                        shape.suggestion(),
                        "{shape:?} {seed} {count}"
                    );
                }
            }
        }
    }

    #[test]
    fn bars_are_well_formed() {
        for bar in series(Shape::Risk, 3) {
            assert!(bar.high >= bar.open.max(bar.close) && bar.low <= bar.open.min(bar.close));
        }
    }
}
