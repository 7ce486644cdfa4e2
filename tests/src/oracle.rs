//! What a long series must score: the golden README's formulas, written plainly and without any
//! code of the product. Only for series that have all of it (every component available).

use crate::bars::Bar;

/// The published numbers of a series' last bar.
#[derive(Debug, Clone)]
pub struct Scores {
    /// `unslug_score`.
    pub unslug: f64,
    /// `fear_score` as it travels, 0..1.
    pub fear: f64,
    /// The market flow's trust.
    pub flow: f64,
    /// `combined_trust`.
    pub combined: f64,
    /// `recommendation.suggested`.
    pub suggestion: &'static str,
}

impl Scores {
    /// The city state of a desk that holds only this symbol.
    pub fn city(&self) -> &'static str {
        let mean = (self.unslug + self.fear + self.flow) / 3.0;
        if mean >= 0.7 {
            "thriving"
        } else if mean >= 0.4 {
            "stable"
        } else {
            "dim"
        }
    }
}

/// Scores of `bars`, which are ascending, reach back before 2020-03-02 and number at least 324.
pub fn scores(bars: &[Bar]) -> Scores {
    let unslug = unslug(bars);
    let fear = fear(bars) / 100.0;
    let combined = if unslug == 0.0 || fear == 0.0 {
        0.0
    } else {
        (unslug * fear).sqrt()
    };
    let suggestion = if unslug >= 0.6 && fear >= 0.5 {
        "BUY"
    } else if unslug < 0.4 || fear < 0.3 {
        "RISK"
    } else {
        "NEUTRAL"
    };
    Scores {
        unslug,
        fear,
        flow: flow(bars),
        combined,
        suggestion,
    }
}

fn unslug(bars: &[Bar]) -> f64 {
    let mut anchor: Option<usize> = None;
    for (index, bar) in bars.iter().enumerate() {
        let inside = ("2020-03-01"..="2020-03-31").contains(&bar.date.as_str());
        if inside && anchor.is_none_or(|best| bar.low < bars[best].low) {
            anchor = Some(index);
        }
    }
    let anchor = anchor.expect("the series covers the anchor window");
    let low = bars[anchor].low;
    let high = bars[anchor..]
        .iter()
        .map(|bar| bar.high)
        .fold(f64::MIN, f64::max);
    let level = low + (high - low) * 0.382;
    let last = bars[bars.len() - 1].close;
    let hits = bars[bars.len() - 30..]
        .iter()
        .filter(|bar| low <= bar.close && bar.close <= level)
        .count();
    let base = if last < low {
        0.9
    } else if last <= level {
        0.9 - 0.3 * (last - low) / (level - low)
    } else {
        0.4
    };
    (base + (0.05 * hits as f64).min(0.1)).clamp(0.0, 1.0)
}

fn fear(bars: &[Bar]) -> f64 {
    let bars = &bars[bars.len().saturating_sub(600)..];
    let closes: Vec<f64> = bars.iter().map(|bar| bar.close).collect();
    let volumes: Vec<f64> = bars.iter().map(|bar| bar.volume).collect();
    let n = closes.len();
    let last = closes[n - 1];

    let momentum: Vec<f64> = (n - 200..n)
        .map(|t| closes[t] / mean(&closes[t - 124..=t]))
        .collect();
    let year = &closes[n - 252..];
    let lowest = year.iter().copied().fold(f64::MAX, f64::min);
    let highest = year.iter().copied().fold(f64::MIN, f64::max);
    let returns: Vec<f64> = (0..n)
        .map(|t| {
            if t == 0 {
                f64::NAN
            } else {
                closes[t] / closes[t - 1] - 1.0
            }
        })
        .collect();
    let volatility: Vec<f64> = (n - 252..n)
        .map(|t| deviation(&returns[t - 19..=t]) / deviation(&returns[t - 49..=t]))
        .collect();
    let mut balance = vec![0.0];
    for t in 1..n {
        let change = closes[t] - closes[t - 1];
        let sign = if change == 0.0 { 0.0 } else { change.signum() };
        balance.push(balance[t - 1] + sign * volumes[t]);
    }
    let breadth: Vec<f64> = (n - 252..n).map(|t| balance[t] - balance[t - 20]).collect();
    let haven: Vec<f64> = (n - 252..n)
        .map(|t| closes[t] / closes[t - 20] - 1.0)
        .collect();

    mean(&[
        percentile(&momentum),
        100.0 * (last - lowest) / (highest - lowest),
        100.0 - percentile(&volatility),
        percentile(&breadth),
        percentile(&haven),
        if last > mean(&closes[n - 200..]) {
            100.0
        } else {
            30.0
        },
        percentile(&volumes[n - 252..]),
    ])
    .clamp(0.0, 100.0)
}

fn flow(bars: &[Bar]) -> f64 {
    let n = bars.len();
    let before: Vec<f64> = bars[n - 10..n - 1].iter().map(|bar| bar.volume).collect();
    let average = mean(&before);
    let ratio = if average == 0.0 {
        1.0
    } else {
        bars[n - 1].volume / average
    };
    if ratio > 1.5 {
        0.7
    } else if ratio < 0.5 {
        0.3
    } else {
        0.5
    }
}

/// The percentile of the last value, ties at their average rank.
fn percentile(values: &[f64]) -> f64 {
    let last = values[values.len() - 1];
    let below = values.iter().filter(|value| **value < last).count() as f64;
    let equal = values.iter().filter(|value| **value == last).count() as f64;
    100.0 * (below + (equal + 1.0) / 2.0) / values.len() as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values);
    mean(
        &values
            .iter()
            .map(|value| (value - middle).powi(2))
            .collect::<Vec<_>>(),
    )
    .sqrt()
}
