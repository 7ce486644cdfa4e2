//! Decides how near the price is to its crisis low: `unslug_score`, 0..1, high = near or below it.
//!
//! Invariant: a result exists only where the bars reach back to the anchor window and the price has
//! risen from its low since; `base` + the hits' bonus, clamped to 0..1, is the score.

use super::bar::Bar;
use super::past::Past;
use chrono::{Datelike, Days, NaiveDate, Weekday};
use serde::{Deserialize, Serialize};

const MIN_BARS: usize = 20;
const HIT_BARS: usize = 30;
const BONUS_PER_HIT: f64 = 0.05;
const MAX_BONUS: f64 = 0.1;

/// The days in which the crisis low is looked for; all limits inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnchorWindow {
    /// First day of the window.
    pub from: NaiveDate,
    /// Last day of the window.
    pub to: NaiveDate,
    /// First day of the wider window that is used when there is no bar in the window.
    pub fallback_from: NaiveDate,
    /// Last day of that wider window.
    pub fallback_to: NaiveDate,
}

impl Default for AnchorWindow {
    /// The crash of March 2020, with half a month more on both sides to fall back on.
    fn default() -> Self {
        let day = |month, day| NaiveDate::from_ymd_opt(2020, month, day).expect("a real date");
        Self {
            from: day(3, 1),
            to: day(3, 31),
            fallback_from: day(2, 15),
            fallback_to: day(4, 15),
        }
    }
}

impl AnchorWindow {
    /// The first weekday of the window: a history that starts later may have missed the low.
    fn first_session(&self) -> NaiveDate {
        let weekend = match self.from.weekday() {
            Weekday::Sat => 2,
            Weekday::Sun => 1,
            Weekday::Mon | Weekday::Tue | Weekday::Wed | Weekday::Thu | Weekday::Fri => 0,
        };
        // Only the calendar's very last days have no successor; then there is no later bar either.
        self.from
            .checked_add_days(Days::new(weekend))
            .unwrap_or(self.from)
    }
}

/// A price and the session it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Anchor {
    /// The session.
    pub date: NaiveDate,
    /// The price, in the symbol's currency.
    pub value: f64,
}

impl Anchor {
    /// The bar's high if that is larger; of equals the earlier stays.
    pub(super) fn max(self, bar: &Bar) -> Self {
        if bar.high > self.value {
            Self {
                date: bar.date,
                value: bar.high,
            }
        } else {
            self
        }
    }
}

/// The crisis low, and the largest high from its bar on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Swing {
    pub(super) low: Anchor,
    pub(super) high: Anchor,
}

/// Where the last close lies between the crisis low (0 %) and the high since (100 %).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Band {
    /// Under the crisis low.
    Below0,
    /// From the low to the 23.6 % retracement, both included.
    To23_6,
    /// Above that, up to and including the 38.2 % retracement.
    To38_2,
    /// Above the 38.2 % retracement.
    Above38_2,
}

impl Band {
    /// The band's name as it is shown (with an en dash).
    pub const fn as_str(self) -> &'static str {
        match self {
            Band::Below0 => "Below 0%",
            Band::To23_6 => "0–23.6%",
            Band::To38_2 => "23.6–38.2%",
            Band::Above38_2 => "Above 38.2%",
        }
    }
}

/// Why an engine has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insufficient {
    /// Unslug needs 20 bars.
    FewerThan20Bars,
    /// The last bar is older than the anchor window.
    AnchorWindowNotReached,
    /// The bars start after the window's first session, or have a gap where both windows lie.
    AnchorWindowNotCovered,
    /// The high since the crisis low is not above it.
    HighNotAboveLow,
    /// Market flow needs 10 bars.
    FewerThan10Bars,
}

impl Insufficient {
    /// The reason as it travels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Insufficient::FewerThan20Bars => "fewer_than_20_bars",
            Insufficient::AnchorWindowNotReached => "anchor_window_not_reached",
            Insufficient::AnchorWindowNotCovered => "anchor_window_not_covered",
            Insufficient::HighNotAboveLow => "high_not_above_low",
            Insufficient::FewerThan10Bars => "fewer_than_10_bars",
        }
    }
}

/// The result of the unslug engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unslug {
    /// 0..1; 1 = below the crisis low, and there for a while.
    pub score: f64,
    /// Where the last close lies.
    pub band: Band,
    /// The last close, in the symbol's currency.
    pub current_price: f64,
    /// The smallest low of the anchor window, the earliest of equals.
    pub low: Anchor,
    /// The largest high from the low's bar on, the earliest of equals.
    pub high: Anchor,
    /// The 23.6 % retracement, a price.
    pub fib_23_6: f64,
    /// The 38.2 % retracement, a price.
    pub fib_38_2: f64,
    /// The share of the score that comes from the last close alone, 0.4..0.9.
    pub base: f64,
    /// How many of the last 30 closes lie between the low and the 38.2 % retracement, 0..30.
    pub hits: u32,
    /// The earliest of them.
    pub first_hit: Option<NaiveDate>,
}

impl Unslug {
    /// What the hits add to [`Unslug::base`], 0..0.1.
    pub fn bonus(&self) -> f64 {
        bonus(self.hits)
    }
}

fn bonus(hits: u32) -> f64 {
    (BONUS_PER_HIT * f64::from(hits)).min(MAX_BONUS)
}

/// Computes the unslug score at the last of `recent`, which ascend by date and come after `past`;
/// at least 30 where there is one.
///
/// # Errors
/// The first reason why there is none, in the order of [`Insufficient`].
pub fn unslug(
    past: Option<&Past>,
    recent: &[Bar],
    window: &AnchorWindow,
) -> Result<Unslug, Insufficient> {
    let [.., last] = recent else {
        return Err(Insufficient::FewerThan20Bars);
    };
    let Swing { low, high } = match past {
        Some(past) => past.swing(recent),
        None => swing(recent, window)?,
    };
    if high.value <= low.value {
        return Err(Insufficient::HighNotAboveLow);
    }

    let retracement = |percent: f64| low.value + (high.value - low.value) * (percent / 100.0);
    let fib_23_6 = retracement(23.6);
    let fib_38_2 = retracement(38.2);
    let price = last.close;
    let band = if price < low.value {
        Band::Below0
    } else if price <= fib_23_6 {
        Band::To23_6
    } else if price <= fib_38_2 {
        Band::To38_2
    } else {
        Band::Above38_2
    };
    let base = match band {
        Band::Below0 => 0.9,
        Band::To23_6 | Band::To38_2 => {
            // High and low may differ so little that the retracement rounds to the low itself.
            let span = fib_38_2 - low.value;
            let position = if span > 0.0 {
                (price - low.value) / span
            } else {
                0.0
            };
            0.9 - 0.3 * position
        }
        Band::Above38_2 => 0.4,
    };

    let recent = &recent[recent.len().saturating_sub(HIT_BARS)..];
    let mut hits = 0;
    let mut first_hit = None;
    for bar in recent
        .iter()
        .filter(|bar| low.value <= bar.close && bar.close <= fib_38_2)
    {
        hits += 1;
        first_hit = first_hit.or(Some(bar.date));
    }
    let score = (base + bonus(hits)).clamp(0.0, 1.0);
    Ok(Unslug {
        score,
        band,
        current_price: price,
        low,
        high,
        fib_23_6,
        fib_38_2,
        base,
        hits,
        first_hit,
    })
}

/// The index of the smallest low dated `from..=to`, the earliest of equals.
fn lowest_between(bars: &[Bar], from: NaiveDate, to: NaiveDate) -> Option<usize> {
    let start = bars.partition_point(|bar| bar.date < from);
    let end = bars.partition_point(|bar| bar.date <= to);
    // `min_by` keeps the first of equals.
    (start..end).min_by(|&a, &b| bars[a].low.total_cmp(&bars[b].low))
}

/// The crisis low and the high since, of bars that ascend by date.
pub(super) fn swing(bars: &[Bar], window: &AnchorWindow) -> Result<Swing, Insufficient> {
    let [first, .., last] = bars else {
        return Err(Insufficient::FewerThan20Bars);
    };
    if bars.len() < MIN_BARS {
        return Err(Insufficient::FewerThan20Bars);
    }
    if last.date < window.from {
        return Err(Insufficient::AnchorWindowNotReached);
    }
    if first.date > window.first_session() {
        return Err(Insufficient::AnchorWindowNotCovered);
    }
    let lowest = lowest_between(bars, window.from, window.to)
        .or_else(|| lowest_between(bars, window.fallback_from, window.fallback_to))
        .ok_or(Insufficient::AnchorWindowNotCovered)?;
    let bar = &bars[lowest];
    let first = Anchor {
        date: bar.date,
        value: bar.high,
    };
    Ok(Swing {
        low: Anchor {
            date: bar.date,
            value: bar.low,
        },
        high: bars[lowest..].iter().fold(first, Anchor::max),
    })
}
