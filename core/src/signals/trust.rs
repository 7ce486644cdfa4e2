//! Decides what the scores together suggest, and says why in one sentence.
//!
//! Invariant: the suggestion follows from the unrounded scores; the sentence names the very limits
//! that decided it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

const BUY_UNSLUG: f64 = 0.6;
const BUY_FEAR: f64 = 0.5;
const RISK_UNSLUG: f64 = 0.4;
const RISK_FEAR: f64 = 0.3;

/// What to do, as suggested by the machine and as approved by a person.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Suggestion {
    /// Near the crisis low while the market is not afraid.
    Buy,
    /// Neither of the others.
    Neutral,
    /// Far from the low, or in fear.
    Risk,
}

impl Suggestion {
    /// The name as it travels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Suggestion::Buy => "BUY",
            Suggestion::Neutral => "NEUTRAL",
            Suggestion::Risk => "RISK",
        }
    }
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no [`Suggestion`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be BUY, NEUTRAL or RISK")]
pub struct UnknownSuggestion;

impl FromStr for Suggestion {
    type Err = UnknownSuggestion;

    fn from_str(text: &str) -> Result<Self, UnknownSuggestion> {
        match text {
            "BUY" => Ok(Suggestion::Buy),
            "NEUTRAL" => Ok(Suggestion::Neutral),
            "RISK" => Ok(Suggestion::Risk),
            _ => Err(UnknownSuggestion),
        }
    }
}

/// The geometric mean of the unslug score and the fear score (both 0..1): 0 if either is 0.
pub fn combined_trust(unslug: f64, fear: f64) -> f64 {
    (unslug * fear).sqrt()
}

/// What the unslug score and the fear score (both 0..1) suggest.
pub fn suggest(unslug: f64, fear: f64) -> Suggestion {
    if unslug >= BUY_UNSLUG && fear >= BUY_FEAR {
        Suggestion::Buy
    } else if unslug < RISK_UNSLUG || fear < RISK_FEAR {
        Suggestion::Risk
    } else {
        Suggestion::Neutral
    }
}

/// Why [`suggest`] suggests what it does, with the scores rounded to three decimals:
/// `unslug 0.812 ≥ 0.6 and fear 0.634 ≥ 0.5: BUY`.
pub fn logic(unslug: f64, fear: f64) -> String {
    let suggestion = suggest(unslug, fear);
    match suggestion {
        Suggestion::Buy => format!(
            "unslug {unslug:.3} ≥ {BUY_UNSLUG} and fear {fear:.3} ≥ {BUY_FEAR}: {suggestion}"
        ),
        Suggestion::Risk if unslug < RISK_UNSLUG && fear < RISK_FEAR => format!(
            "unslug {unslug:.3} < {RISK_UNSLUG} and fear {fear:.3} < {RISK_FEAR}: {suggestion}"
        ),
        Suggestion::Risk if unslug < RISK_UNSLUG => {
            format!("unslug {unslug:.3} < {RISK_UNSLUG}: {suggestion}")
        }
        Suggestion::Risk => format!("fear {fear:.3} < {RISK_FEAR}: {suggestion}"),
        Suggestion::Neutral if unslug < BUY_UNSLUG => format!(
            "unslug {unslug:.3} < {BUY_UNSLUG} but ≥ {RISK_UNSLUG}, and fear {fear:.3} ≥ {RISK_FEAR}: {suggestion}"
        ),
        Suggestion::Neutral => format!(
            "unslug {unslug:.3} ≥ {BUY_UNSLUG}, but fear {fear:.3} < {BUY_FEAR} and ≥ {RISK_FEAR}: {suggestion}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Suggestion, combined_trust, logic, suggest};

    #[test]
    fn limits_are_inclusive_for_buy_and_exclusive_for_risk() {
        let cases = [
            (
                0.6,
                0.5,
                Suggestion::Buy,
                "unslug 0.600 ≥ 0.6 and fear 0.500 ≥ 0.5: BUY",
            ),
            (
                0.8124,
                0.6336,
                Suggestion::Buy,
                "unslug 0.812 ≥ 0.6 and fear 0.634 ≥ 0.5: BUY",
            ),
            (
                0.59,
                0.9,
                Suggestion::Neutral,
                "unslug 0.590 < 0.6 but ≥ 0.4, and fear 0.900 ≥ 0.3: NEUTRAL",
            ),
            (
                0.4,
                0.3,
                Suggestion::Neutral,
                "unslug 0.400 < 0.6 but ≥ 0.4, and fear 0.300 ≥ 0.3: NEUTRAL",
            ),
            (
                0.7,
                0.49,
                Suggestion::Neutral,
                "unslug 0.700 ≥ 0.6, but fear 0.490 < 0.5 and ≥ 0.3: NEUTRAL",
            ),
            (0.9, 0.29, Suggestion::Risk, "fear 0.290 < 0.3: RISK"),
            (0.39, 0.9, Suggestion::Risk, "unslug 0.390 < 0.4: RISK"),
            (
                0.39,
                0.29,
                Suggestion::Risk,
                "unslug 0.390 < 0.4 and fear 0.290 < 0.3: RISK",
            ),
        ];
        for (unslug, fear, expected, sentence) in cases {
            assert_eq!(suggest(unslug, fear), expected, "{unslug} {fear}");
            assert_eq!(logic(unslug, fear), sentence);
        }
    }

    #[test]
    fn names_round_trip() {
        for suggestion in [Suggestion::Buy, Suggestion::Neutral, Suggestion::Risk] {
            assert_eq!(suggestion.as_str().parse(), Ok(suggestion));
            let json = serde_json::to_string(&suggestion).unwrap();
            assert_eq!(json, format!("\"{suggestion}\""));
            assert_eq!(
                serde_json::from_str::<Suggestion>(&json).unwrap(),
                suggestion
            );
        }
        for other in ["", "buy", "BUY ", "HOLD"] {
            assert!(other.parse::<Suggestion>().is_err(), "{other}");
        }
    }

    #[test]
    fn trust_is_zero_if_either_score_is() {
        assert_eq!(combined_trust(0.0, 0.7), 0.0);
        assert_eq!(combined_trust(0.7, 0.0), 0.0);
        assert_eq!(combined_trust(0.25, 1.0), 0.5);
    }
}
