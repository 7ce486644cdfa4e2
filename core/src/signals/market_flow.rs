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

#[cfg(test)]
mod tests {
    use super::{MarketFlow, market_flow};
    use crate::signals::{Bar, Insufficient, Suggestion};
    use chrono::{Days, NaiveDate};

    fn bars(volumes: &[f64]) -> Vec<Bar> {
        let start = NaiveDate::from_ymd_opt(2020, 3, 2).unwrap();
        let bar = |(&volume, day)| Bar {
            date: start + Days::new(day),
            open: 1.0,
            high: 1.0,
            low: 1.0,
            close: 1.0,
            volume,
        };
        volumes.iter().zip(0..).map(bar).collect()
    }

    #[test]
    fn limits_are_strict_and_no_volume_is_no_news() {
        let cases = [
            (100.0, 151.0, 1.51, Suggestion::Buy, 0.7),
            (100.0, 150.0, 1.5, Suggestion::Neutral, 0.5),
            (100.0, 50.0, 0.5, Suggestion::Neutral, 0.5),
            (100.0, 49.0, 0.49, Suggestion::Risk, 0.3),
            (100.0, 0.0, 0.0, Suggestion::Risk, 0.3),
            (0.0, 0.0, 1.0, Suggestion::Neutral, 0.5),
            (0.0, 500.0, 1.0, Suggestion::Neutral, 0.5),
        ];
        for (before, last, volume_ratio, signal, trust) in cases {
            // The eleventh volume from the end is none of the nine.
            let mut volumes = [before; 11];
            (volumes[0], volumes[10]) = (1e9, last);
            let expected = MarketFlow {
                volume_ratio,
                signal,
                trust,
            };
            assert_eq!(market_flow(&bars(&volumes)), Ok(expected));
        }
        assert!(market_flow(&bars(&[1.0; 10])).is_ok());
        assert_eq!(
            market_flow(&bars(&[1.0; 9])),
            Err(Insufficient::FewerThan10Bars)
        );
    }
}
