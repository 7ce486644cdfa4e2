//! Bars for rooms: a long series that is the same for every symbol, and days after it that make
//! the computation suggest what a test wants.

use std::sync::LazyLock;

use signalroom_core::signals::bar::Bar;

use crate::bars::{Shape, series_of};

/// Sessions before day 0: enough for every score but the momentum's.
const BEFORE: usize = 300;
/// Days that tests may use.
const DAYS: usize = 20;

static ALL: LazyLock<Vec<Bar>> = LazyLock::new(|| {
    let read = |bar: &crate::bars::Bar| Bar {
        date: bar.date.parse().expect("a date"),
        open: bar.open,
        high: bar.high,
        low: bar.low,
        close: bar.close,
        volume: bar.volume,
    };
    let all = series_of(Shape::Buy, 1, BEFORE + DAYS);
    all.iter().map(read).collect()
});

/// The history before day 0.
pub fn history() -> &'static [Bar] {
    &ALL[..BEFORE]
}

/// The bar of a day. On day 0 it suggests what `shape` says; with a `2` it has other numbers and
/// suggests the same.
///
/// # Panics
/// When there is no such shape.
pub fn day(day: u32, shape: &str) -> Bar {
    let (close, volume) = match shape {
        "BUY" => (85.0, 10_000_000.0),
        "BUY2" => (85.5, 11_000_000.0),
        "NEUTRAL" => (100.0, 1_000_000.0),
        "NEUTRAL2" => (110.0, 1_100_000.0),
        "RISK" => (60.0, 100_000.0),
        "RISK2" => (65.0, 110_000.0),
        _ => panic!("no such shape: {shape}"),
    };
    // Later days rise a little, so that they look alike.
    let close = close * (1.0 + 0.005 * f64::from(day));
    Bar {
        date: ALL[BEFORE + day as usize].date,
        open: close,
        high: close * 1.01,
        low: close * 0.99,
        close,
        volume: volume * f64::from(day + 1),
    }
}
