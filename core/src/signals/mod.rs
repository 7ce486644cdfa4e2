//! Decides what daily bars say: three engines, what they suggest together, and why not where they
//! cannot say.
//!
//! Invariant: pure functions of bars that ascend by date, each date once, each passed by
//! [`Bar::check`]. What is missing is missing: no engine makes up a value, and none panics.

pub mod bar;
pub mod city;
pub mod fear_greed;
pub mod market_flow;
pub mod parse;
pub mod past;
pub mod published;
pub mod trust;
pub mod unslug;

pub use bar::{Bar, BarError};
pub use city::{CityMood, desk};
pub use fear_greed::{Component, FearGreed, Gap, Label};
pub use market_flow::MarketFlow;
pub use parse::{ParseError, Parsed, Rejected, parse_csv, parse_json};
pub use past::Past;
pub use published::{Explain, Factor, Missing, Published, Recommendation};
pub use trust::{Suggestion, UnknownSuggestion};
pub use unslug::{Anchor, AnchorWindow, Band, Insufficient, Unslug};

/// How many of the newest bars the engines look at one by one.
pub const RECENT: usize = fear_greed::WINDOW;

/// Everything that is computed from a symbol's bars, at its last one.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// How near the price is to its crisis low.
    pub unslug: Result<Unslug, Insufficient>,
    /// How greedy the market is.
    pub fear: FearGreed,
    /// What the last volume says.
    pub market_flow: Result<MarketFlow, Insufficient>,
    /// Geometric mean of the unslug and the fear score, 0..1; `None` where either is missing.
    pub combined_trust: Option<f64>,
    /// What the scores suggest; `None` is `INSUFFICIENT_HISTORY`.
    pub suggestion: Option<Suggestion>,
    /// The symbol's part in the city; `None` where one of the three trusts is missing.
    pub city: Option<SymbolCity>,
}

/// One symbol's mean trust and mood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SymbolCity {
    /// Mean of the unslug score, the fear score and the flow's trust, 0..1.
    pub mean_trust: f64,
    /// What that mean is called.
    pub state: CityMood,
}

impl Evaluation {
    /// The fear score as it travels, 0..1.
    pub fn fear_score(&self) -> Option<f64> {
        self.fear.score.map(|score| score / 100.0)
    }
}

/// Evaluates bars that ascend by date, each date once, against the crash of March 2020.
pub fn evaluate(bars: &[Bar]) -> Evaluation {
    evaluate_with(bars, &AnchorWindow::default())
}

/// Evaluates bars that ascend by date, each date once, against the crisis in `window`.
pub fn evaluate_with(bars: &[Bar], window: &AnchorWindow) -> Evaluation {
    evaluate_after(None, bars, window)
}

/// Evaluates the bars after `past`, at least [`RECENT`] if there is one: as all bars would be.
pub fn evaluate_after(past: Option<&Past>, recent: &[Bar], window: &AnchorWindow) -> Evaluation {
    let unslug = unslug::unslug(past, recent, window);
    let fear = fear_greed::fear_greed(recent);
    let market_flow = market_flow::market_flow(recent);
    let scores = unslug
        .ok()
        .zip(fear.score)
        .map(|(unslug, fear)| (unslug.score, fear / 100.0));
    let city = scores.zip(market_flow.ok()).map(|((unslug, fear), flow)| {
        let mean_trust = city::mean_trust(unslug, fear, flow.trust);
        SymbolCity {
            mean_trust,
            state: CityMood::of(mean_trust),
        }
    });
    Evaluation {
        unslug,
        fear,
        market_flow,
        combined_trust: scores.map(|(unslug, fear)| trust::combined_trust(unslug, fear)),
        suggestion: scores.map(|(unslug, fear)| trust::suggest(unslug, fear)),
        city,
    }
}

#[cfg(test)]
mod tests;
