//! What the engines need to know of bars that are not at hand: so that a new bar costs what the
//! newest bars cost, however long the history.
//!
//! Invariant: nothing is added up. What is kept are dates and prices of single bars, so that an
//! evaluation from the past and the recent bars equals that from all bars to the last digit.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::bar::Bar;
use super::unslug::{Anchor, AnchorWindow, Swing, swing};

/// A symbol's bars up to a day, from before the crisis until after it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// The first bar's day.
    pub first: NaiveDate,
    /// The last bar's day.
    pub through: NaiveDate,
    low: Anchor,
    high: Anchor,
}

impl Past {
    /// What is to be known of bars that ascend by date; none where they do not reach from before
    /// the crisis until after it.
    pub fn of(bars: &[Bar], window: &AnchorWindow) -> Option<Self> {
        let [first, .., last] = bars else {
            return None;
        };
        let over = window.to.max(window.fallback_to);
        let Swing { low, high } = swing(bars, window).ok().filter(|_| last.date >= over)?;
        Some(Self {
            first: first.date,
            through: last.date,
            low,
            high,
        })
    }

    /// The same with the bars after it, which ascend by date.
    #[must_use]
    pub fn with(&self, more: &[Bar]) -> Self {
        let mut past = *self;
        for bar in more {
            past.through = bar.date;
            past.high = past.high.max(bar);
        }
        past
    }

    /// The crisis low and the high since, with the bars after this.
    pub(super) fn swing(&self, more: &[Bar]) -> Swing {
        let Self { low, high, .. } = self.with(more);
        Swing { low, high }
    }
}
