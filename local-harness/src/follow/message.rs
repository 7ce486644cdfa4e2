//! What a text frame holds: one message, or several as an array.

use serde_json::Value;
use serde_json::value::RawValue;
use signalroom_core::room::call::Position;

/// A message of the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its `type`.
    pub kind: String,
    /// Its `data`.
    pub data: Value,
    /// When it was committed, as the server wrote it.
    pub timestamp: Option<String>,
    /// The log it belongs to; none before the `welcome` is known.
    pub epoch: Option<String>,
    /// Its place in the log, if it is an event.
    pub seq: Option<i64>,
    /// The message as it came.
    pub text: String,
}

impl Message {
    fn read(text: &str) -> Option<Self> {
        let mut value: Value = serde_json::from_str(text).ok()?;
        let part = |name: &str| value[name].as_str().map(str::to_owned);
        Some(Self {
            kind: part("type")?,
            timestamp: part("timestamp"),
            epoch: None,
            seq: value["seq"].as_i64(),
            data: value["data"].take(),
            text: text.to_owned(),
        })
    }

    /// The place in a log that `data` names.
    pub(super) fn position(&self) -> Option<Position> {
        Some(Position {
            epoch: self.data["epoch"].as_str()?.to_owned(),
            seq: self.data["seq"].as_i64()?,
        })
    }
}

/// The messages of a frame, in order; none when it is not understood.
pub(super) fn messages(frame: &str) -> Option<Vec<Message>> {
    if !frame.trim_start().starts_with('[') {
        return Some(vec![Message::read(frame)?]);
    }
    let parts: Vec<&RawValue> = serde_json::from_str(frame).ok()?;
    parts
        .into_iter()
        .map(|part| Message::read(part.get()))
        .collect()
}
