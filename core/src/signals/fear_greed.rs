//! Decides how greedy the market is: `fear_score`, 0..100, high = greed, low = fear.
//!
//! Invariant: the score is the mean of the components that can be computed, and needs four of the
//! seven; a component that cannot is missing with its reason and never a made-up 50. Only the last
//! [`WINDOW`] bars matter.
//!
//! Numerics: a rank turns a last-digit difference into a whole step, so every window is summed
//! plainly, in the order of its bars, and no sum is carried from one window to the next: equal
//! windows give equal values whatever came before them. The loops run over the position inside the
//! window first and over the windows second, which keeps that order and still lets the compiler
//! add several windows at once.

use super::bar::Bar;
use serde::{Deserialize, Serialize};
use std::array;
use std::fmt;
use thiserror::Error;

/// How many bars matter: the last 200 ratios to a mean over 125.
pub const WINDOW: usize = 324;

/// With fewer components there is no score.
pub(crate) const MIN_COMPONENTS: usize = 4;

/// The parts of the fear score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// Rank of the close's ratio to its 125-bar mean among the last 200.
    Momentum,
    /// Place of the close between the lowest and the highest of 252.
    Strength,
    /// 100 − rank of the ratio of 20-bar to 50-bar volatility among the last 252.
    Volatility,
    /// Rank of the 20-bar change of on-balance volume among the last 252.
    Breadth,
    /// Rank of the 20-bar return among the last 252.
    SafeHaven,
    /// 100 above the 200-bar mean, else 30.
    Credit,
    /// Rank of the volume among the last 252.
    ShortSentiment,
}

impl Component {
    /// All components, in the order in which they are shown and kept.
    pub const ALL: [Component; 7] = [
        Component::Momentum,
        Component::Strength,
        Component::Volatility,
        Component::Breadth,
        Component::SafeHaven,
        Component::Credit,
        Component::ShortSentiment,
    ];

    /// The name as it travels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Component::Momentum => "momentum",
            Component::Strength => "strength",
            Component::Volatility => "volatility",
            Component::Breadth => "breadth",
            Component::SafeHaven => "safe_haven",
            Component::Credit => "credit",
            Component::ShortSentiment => "short_sentiment",
        }
    }

    /// How many bars the component needs.
    pub const fn bars_needed(self) -> usize {
        match self {
            Component::Momentum => WINDOW,
            Component::Strength | Component::ShortSentiment => 252,
            Component::Volatility => 302,
            Component::Breadth | Component::SafeHaven => 272,
            Component::Credit => 200,
        }
    }

    /// The component at the last bar, 0..100; `None` where its formula is undefined.
    fn value(self, closes: &[f64], volumes: &[f64]) -> Option<f64> {
        match self {
            Component::Momentum => momentum(closes),
            Component::Strength => strength(closes),
            Component::Volatility => volatility(closes),
            Component::Breadth => breadth(closes, volumes),
            Component::SafeHaven => safe_haven(closes),
            Component::Credit => Some(credit(closes)),
            Component::ShortSentiment => percentile_of_last(tail::<252>(volumes)),
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a component is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Gap {
    /// The history is too short.
    #[error("needs {needs} bars, has {has}")]
    TooFewBars {
        /// Bars needed.
        needs: usize,
        /// Bars given.
        has: usize,
    },
    /// There are bars enough, but they do not vary (or vary beyond what a number can hold), so
    /// that the formula divides by zero.
    #[error("undefined: the bars do not vary")]
    Undefined,
}

/// What the score is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Label {
    /// 30 or less.
    Fear,
    /// Between the others.
    Neutral,
    /// 70 or more.
    Greed,
}

impl Label {
    /// The name as it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Label::Fear => "Fear",
            Label::Neutral => "Neutral",
            Label::Greed => "Greed",
        }
    }

    /// The label of a score, 0..100.
    pub(crate) fn of(score: f64) -> Self {
        if score >= 70.0 {
            Label::Greed
        } else if score <= 30.0 {
            Label::Fear
        } else {
            Label::Neutral
        }
    }
}

/// The result of the fear-and-greed engine.
#[derive(Debug, Clone, PartialEq)]
pub struct FearGreed {
    /// 0..100; `None` with fewer than four components.
    pub score: Option<f64>,
    /// The score's label.
    pub label: Option<Label>,
    /// Each 0..100, in the order of [`Component::ALL`].
    pub components: [Option<f64>; 7],
    /// The components without a value, in the same order, and why.
    pub missing: Vec<(Component, Gap)>,
}

impl FearGreed {
    /// How many components have a value, 0..=7.
    pub fn available(&self) -> usize {
        Component::ALL.len() - self.missing.len()
    }
}

/// Computes the fear score of bars that ascend by date.
pub fn fear_greed(bars: &[Bar]) -> FearGreed {
    let recent = &bars[bars.len().saturating_sub(WINDOW)..];
    let mut closes = [0.0; WINDOW];
    let mut volumes = [0.0; WINDOW];
    for ((close, volume), bar) in closes.iter_mut().zip(&mut volumes).zip(recent) {
        *close = bar.close;
        *volume = bar.volume;
    }
    let (closes, volumes) = (&closes[..recent.len()], &volumes[..recent.len()]);

    let mut missing = Vec::new();
    let mut sum = 0.0;
    let components = Component::ALL.map(|component| {
        let needs = component.bars_needed();
        let value = if bars.len() < needs {
            Err(Gap::TooFewBars {
                needs,
                has: bars.len(),
            })
        } else {
            component.value(closes, volumes).ok_or(Gap::Undefined)
        };
        match value {
            Ok(value) => {
                sum += value;
                Some(value)
            }
            Err(gap) => {
                missing.push((component, gap));
                None
            }
        }
    });
    let available = components.len() - missing.len();
    let score = (available >= MIN_COMPONENTS).then(|| (sum / available as f64).clamp(0.0, 100.0));
    FearGreed {
        score,
        label: score.map(Label::of),
        components,
        missing,
    }
}

/// The last `N` values; the caller has checked that there are as many.
fn tail<const N: usize>(values: &[f64]) -> &[f64; N] {
    values
        .last_chunk()
        .expect("components are only computed with the bars they need")
}

/// Percentile rank of the last value among all, average rank for ties, 0..100; `None` if a value
/// is not a number.
pub(crate) fn percentile_of_last<const N: usize>(values: &[f64; N]) -> Option<f64> {
    let last = values[N - 1];
    let mut below = 0_u32;
    let mut equal = 0_u32;
    let mut above = 0_u32;
    for &value in values {
        below += u32::from(value < last);
        equal += u32::from(value == last);
        above += u32::from(value > last);
    }
    let count = N as u32;
    (below + equal + above == count)
        .then(|| 100.0 * (f64::from(below) + (f64::from(equal) + 1.0) / 2.0) / f64::from(count))
}

/// The sums of `term` over the last `N` windows of `width` values; `term` also gets the window's index.
fn window_sums<const N: usize>(
    values: &[f64],
    width: usize,
    term: impl Fn(f64, usize) -> f64,
) -> [f64; N] {
    let mut sums = [0.0; N];
    let first = values.len() - (N + width - 1);
    for offset in 0..width {
        let start = first + offset;
        let column = &values[start..start + N];
        for (index, (sum, &value)) in sums.iter_mut().zip(column).enumerate() {
            *sum += term(value, index);
        }
    }
    sums
}

fn momentum(closes: &[f64]) -> Option<f64> {
    let sums = window_sums::<200>(closes, 125, |close, _| close);
    let last: &[f64; 200] = tail(closes);
    percentile_of_last::<200>(&array::from_fn(|t| last[t] / (sums[t] / 125.0)))
}

fn strength(closes: &[f64]) -> Option<f64> {
    let year = tail::<252>(closes);
    let lowest = year.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = year.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let close = year[year.len() - 1];
    (highest > lowest).then(|| 100.0 * ((close - lowest) / (highest - lowest)))
}

fn volatility(closes: &[f64]) -> Option<f64> {
    let recent = tail::<302>(closes);
    let returns: [f64; 301] = array::from_fn(|t| recent[t + 1] / recent[t] - 1.0);
    let fast = deviations::<252>(&returns, 20);
    let slow = deviations::<252>(&returns, 50);
    // Where the 50 returns of a window are equal, so are the last 20 of them: 0/0 has no rank. Nor
    // has a price that leaps beyond what a number holds.
    percentile_of_last::<252>(&array::from_fn(|t| fast[t] / slow[t])).map(|rank| 100.0 - rank)
}

/// Population standard deviations of the last `N` windows of `width` values, in two passes: a
/// running sum of squares would lose to cancellation what the rank then needs. Values are taken
/// from the window's first one, so that equal values deviate by exactly nothing.
fn deviations<const N: usize>(values: &[f64], width: usize) -> [f64; N] {
    let count = width as f64;
    let first = &values[values.len() - (N + width - 1)..];
    let means = window_sums::<N>(values, width, |value, t| value - first[t]).map(|sum| sum / count);
    window_sums::<N>(values, width, |value, t| {
        let deviation = value - first[t] - means[t];
        deviation * deviation
    })
    .map(|squares| (squares / count).sqrt())
}

/// The change of on-balance volume over 20 bars is the sum of 20 signed volumes. Adding just these
/// keeps older bars out of it to the last digit.
fn breadth(closes: &[f64], volumes: &[f64]) -> Option<f64> {
    let closes = tail::<272>(closes);
    let volumes = tail::<272>(volumes);
    let signed: [f64; 271] = array::from_fn(|t| {
        let (before, now) = (closes[t], closes[t + 1]);
        if now > before {
            volumes[t + 1]
        } else if now < before {
            -volumes[t + 1]
        } else {
            0.0
        }
    });
    percentile_of_last(&window_sums::<252>(&signed, 20, |volume, _| volume))
}

fn safe_haven(closes: &[f64]) -> Option<f64> {
    let recent = tail::<272>(closes);
    percentile_of_last::<252>(&array::from_fn(|t| recent[t + 20] / recent[t] - 1.0))
}

/// Whether the close is above the mean is the sign of the sum of the distances, which is exactly
/// zero where the price stands still; the mean itself would be off by its rounding.
fn credit(closes: &[f64]) -> f64 {
    let recent = tail::<200>(closes);
    let close = recent[recent.len() - 1];
    let distance: f64 = recent.iter().map(|other| close - other).sum();
    if distance > 0.0 { 100.0 } else { 30.0 }
}
