//! Why a call has no reply.

use serde::{Deserialize, Serialize};

use super::signal::Signal;
use crate::time::Millis;

/// The caller's fault: nothing changed. `detail` is for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reject {
    /// Nobody has heard of the symbol.
    UnknownSymbol,
    /// There is nothing to decide on.
    NoSignal,
    /// Bars, but no score; says what is missing.
    InsufficientHistory(Vec<crate::signals::published::Missing>),
    /// Somebody was faster; carries the current signal, and when that was found.
    AlreadyDecided(Box<Signal>, Millis),
    /// Another signal is current; carries it, and when that was found.
    StaleSignal(Box<Signal>, Millis),
    /// The `Idempotency-Key` was used for another request.
    KeyReused,
    /// More than the caller may ask for in a minute.
    RateLimited {
        /// Milliseconds until the next may be asked for.
        wait: i64,
    },
    /// The symbol is not on the watchlist.
    NotWatched,
    /// More symbols than a watchlist holds.
    TooManyWatched,
    /// A batch from an epoch that has ended: it came late, or its source was restored from a
    /// backup and not renewed.
    RetiredEpoch,
    /// This kind of room does not answer this call.
    Misdirected,
}

/// Why a call has no [`Reply`](super::call::Reply).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallError {
    /// The caller can mend it.
    Reject(Reject),
    /// Ours; logged under this id where it happened.
    Fault {
        /// Id in the log.
        id: String,
    },
}

impl From<Reject> for CallError {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}
