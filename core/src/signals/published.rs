//! Decides what of an [`Evaluation`] is published, and what is said where there is nothing to publish.
//!
//! Invariant: a [`Published`] holds no NaN, the contributions of an engine sum to its score before
//! clamping, and equal evaluations give equal JSON: whether a signal is new is decided by it.

use super::Evaluation;
use super::fear_greed::{Component, FearGreed};
use super::market_flow::MarketFlow;
use super::trust::{self, Suggestion};
use super::unslug::Unslug;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// The published content of a signal, without its identity and its approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// 0..1, high = near the crisis low.
    pub unslug_score: f64,
    /// 0..1, high = greed.
    pub fear_score: f64,
    /// Geometric mean of the two, 0..1.
    pub combined_trust: f64,
    /// Trust of the market flow: 0.3, 0.5 or 0.7.
    pub flow_trust: Option<f64>,
    /// What follows from the scores.
    pub recommendation: Recommendation,
    /// How the scores came about.
    pub explain: Explain,
}

/// What the scores suggest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recommendation {
    /// The suggestion.
    pub suggested: Suggestion,
    /// The unslug score it rests on, 0..1.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub unslug: f64,
    /// The fear score it rests on, 0..1.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub fear: f64,
    /// Why, in one sentence.
    pub logic: String,
}

/// The factors of each engine, in a fixed order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explain {
    /// What made the unslug score.
    pub unslug: Vec<Factor>,
    /// What made the fear score.
    pub fear: Vec<Factor>,
    /// What made the flow's trust.
    pub market_flow: Vec<Factor>,
}

/// One line of an explanation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Factor {
    /// What it is, in snake case.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: Cow<'static, str>,
    /// A number, a text, or null where it is missing.
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::api::openapi::scalar))]
    pub value: Value,
    /// Its share of the engine's score (0..1); null where it has none.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub contribution: Option<f64>,
}

/// An engine or a component without a value, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Missing {
    /// `unslug`, `fear`, `market_flow` or the name of a fear component.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub what: Cow<'static, str>,
    /// The reason: a slug of an engine, or a short text.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub reason: Cow<'static, str>,
}

impl Evaluation {
    /// What is published of it; `None` where there is no suggestion.
    pub fn published(&self) -> Option<Published> {
        let (unslug, fear_score) = (self.unslug.as_ref().ok()?, self.fear_score()?);
        let flow = self.market_flow.as_ref().ok();
        Some(Published {
            unslug_score: unslug.score,
            fear_score,
            combined_trust: self.combined_trust?,
            flow_trust: flow.map(|flow| flow.trust),
            recommendation: Recommendation {
                suggested: self.suggestion?,
                unslug: unslug.score,
                fear: fear_score,
                logic: trust::logic(unslug.score, fear_score),
            },
            explain: Explain {
                unslug: explain_unslug(unslug),
                fear: explain_fear(&self.fear),
                market_flow: flow.map(explain_flow).unwrap_or_default(),
            },
        })
    }

    /// What could not be computed: engines first by their order, the fear score before its components.
    pub fn missing(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        if let Err(reason) = self.unslug {
            missing.push(Missing {
                what: "unslug".into(),
                reason: reason.as_str().into(),
            });
        }
        if self.fear.score.is_none() {
            let reason = format!("needs 4 of 7 components, has {}", self.fear.available());
            missing.push(Missing {
                what: "fear".into(),
                reason: reason.into(),
            });
        }
        for (component, gap) in &self.fear.missing {
            missing.push(Missing {
                what: component.as_str().into(),
                reason: gap.to_string().into(),
            });
        }
        if let Err(reason) = self.market_flow {
            missing.push(Missing {
                what: "market_flow".into(),
                reason: reason.as_str().into(),
            });
        }
        missing
    }
}

fn factor(name: &'static str, value: impl Into<Value>, contribution: Option<f64>) -> Factor {
    Factor {
        name: name.into(),
        value: value.into(),
        contribution,
    }
}

fn explain_unslug(unslug: &Unslug) -> Vec<Factor> {
    vec![
        factor("anchor_low", unslug.low.value, None),
        factor("anchor_low_date", unslug.low.date.to_string(), None),
        factor("anchor_high", unslug.high.value, None),
        factor("anchor_high_date", unslug.high.date.to_string(), None),
        factor("fib_23_6", unslug.fib_23_6, None),
        factor("fib_38_2", unslug.fib_38_2, None),
        factor("current_price", unslug.current_price, None),
        factor("band", unslug.band.as_str(), None),
        factor("base", unslug.base, Some(unslug.base)),
        factor("hits", unslug.hits, Some(unslug.bonus())),
        factor(
            "first_hit",
            unslug.first_hit.map(|date| date.to_string()),
            None,
        ),
    ]
}

fn explain_fear(fear: &FearGreed) -> Vec<Factor> {
    let available = fear.available() as f64;
    Component::ALL
        .into_iter()
        .zip(fear.components)
        .map(|(component, value)| {
            factor(
                component.as_str(),
                value,
                value.map(|value| value / 100.0 / available),
            )
        })
        .collect()
}

fn explain_flow(flow: &MarketFlow) -> Vec<Factor> {
    vec![
        factor("volume_ratio", flow.volume_ratio, None),
        factor("signal", flow.signal.as_str(), None),
        factor("trust", flow.trust, Some(flow.trust)),
    ]
}
