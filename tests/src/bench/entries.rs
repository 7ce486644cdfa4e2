//! Events of rooms that are not there: as little of a signal as the feed looks at.

use serde_json::json;
use serde_json::value::RawValue;
use signalroom_core::room::call::{Entry, EventKind};

/// A new signal of `symbol`, as its room would send it to the feed.
pub fn entry(symbol: &str, seq: i64) -> Entry {
    let signal = json!({
        "id": format!("{symbol}:{seq}"),
        "status": "PENDING_REVIEW",
        "combined_trust": 0.5,
        "recommendation": {"suggested": "BUY"},
    });
    let signal = RawValue::from_string(signal.to_string()).expect("JSON");
    Entry {
        seq,
        kind: EventKind::NewSignal,
        data: signal.clone(),
        signal,
    }
}
