//! Decides what the last volume says: far more than usual is trust, far less is risk.
//!
//! Invariant: `trust` is one of 0.7, 0.5 and 0.3, and says the same as `signal`.

use super::bar::Bar;
use super::trust::Suggestion;
use super::unslug::Insufficient;

const MIN_BARS: usize = 10;

/// The result of the market-flow engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarketFlow {
    /// The last volume over the mean of the nine before it; 1 where that mean is zero.
    pub volume_ratio: f64,
    /// What the ratio suggests.
    pub signal: Suggestion,
    /// 0.7, 0.5 or 0.3.
    pub trust: f64,
}

/// Compares the last volume of bars that ascend by date with the nine before it.
///
/// # Errors
/// [`Insufficient::FewerThan10Bars`].
pub fn market_flow(bars: &[Bar]) -> Result<MarketFlow, Insufficient> {
    let Some((last, before)) = bars
        .last_chunk::<MIN_BARS>()
        .and_then(|recent| recent.split_last())
    else {
        return Err(Insufficient::FewerThan10Bars);
    };
    let mean = before.iter().map(|bar| bar.volume).sum::<f64>() / before.len() as f64;
    let volume_ratio = if mean == 0.0 { 1.0 } else { last.volume / mean };
    let (trust, signal) = if volume_ratio > 1.5 {
        (0.7, Suggestion::Buy)
    } else if volume_ratio < 0.5 {
        (0.3, Suggestion::Risk)
    } else {
        (0.5, Suggestion::Neutral)
    };
    Ok(MarketFlow {
        volume_ratio,
        signal,
        trust,
    })
}
