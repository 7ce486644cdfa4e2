//! Decides the mood of the city: of one symbol, and of the desk that watches many.
//!
//! Invariant: a mood exists only where all three trusts do; the desk's comes from the means over
//! the symbols that have all three, not from counting moods.

use serde::{Deserialize, Serialize};

const THRIVING: f64 = 0.7;
const STABLE: f64 = 0.4;

/// How much trust there is, all engines together.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum CityMood {
    /// A mean trust under 0.4.
    Dim,
    /// A mean trust from 0.4 to under 0.7.
    Stable,
    /// A mean trust of 0.7 or more.
    Thriving,
}

impl CityMood {
    /// The name as it travels.
    pub const fn as_str(self) -> &'static str {
        match self {
            CityMood::Dim => "dim",
            CityMood::Stable => "stable",
            CityMood::Thriving => "thriving",
        }
    }

    /// The mood of a mean trust, 0..1.
    pub fn of(mean_trust: f64) -> Self {
        if mean_trust >= THRIVING {
            CityMood::Thriving
        } else if mean_trust >= STABLE {
            CityMood::Stable
        } else {
            CityMood::Dim
        }
    }
}

/// The mean of the three trusts (each 0..1): the unslug score, the fear score and the flow's trust.
pub fn mean_trust(unslug: f64, fear: f64, flow: f64) -> f64 {
    (unslug + fear + flow) / 3.0
}

/// The desk's mean unslug, fear and flow trusts and its mood, from their sums over the `count`
/// symbols that have all three; `None` while there is no such symbol.
pub fn desk(unslug: f64, fear: f64, flow: f64, count: usize) -> Option<(f64, f64, f64, CityMood)> {
    if count == 0 {
        return None;
    }
    let mean = |sum: f64| sum / count as f64;
    let (unslug, fear, flow) = (mean(unslug), mean(fear), mean(flow));
    Some((
        unslug,
        fear,
        flow,
        CityMood::of(mean_trust(unslug, fear, flow)),
    ))
}

#[cfg(test)]
mod tests {
    use super::{CityMood, desk};

    #[test]
    fn limits_belong_to_the_better_mood() {
        let cases = [
            (0.0, CityMood::Dim, "dim"),
            (0.3999, CityMood::Dim, "dim"),
            (0.4, CityMood::Stable, "stable"),
            (0.6999, CityMood::Stable, "stable"),
            (0.7, CityMood::Thriving, "thriving"),
        ];
        for (mean, mood, name) in cases {
            assert_eq!(CityMood::of(mean), mood, "{mean}");
            assert_eq!(mood.as_str(), name);
            assert_eq!(serde_json::to_string(&mood).unwrap(), format!("\"{name}\""));
        }
    }

    #[test]
    fn the_desk_takes_means_over_symbols() {
        assert_eq!(desk(0.0, 0.0, 0.0, 0), None);
        assert_eq!(
            desk(1.5, 1.0, 1.0, 2),
            Some((0.75, 0.5, 0.5, CityMood::Stable))
        );
        assert_eq!(
            desk(0.75, 0.75, 0.75, 1),
            Some((0.75, 0.75, 0.75, CityMood::Thriving))
        );
    }
}
