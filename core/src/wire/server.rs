//! Messages from server to client, encoded to frames.

use serde::Serialize;
use serde_json::value::RawValue;

use super::frame::Frame;
use crate::room::call::{City, Market};
use crate::time::Millis;

/// `{"type","data","timestamp","seq"?}`; `timestamp` is the time of commit.
#[derive(Serialize)]
struct Envelope<'a, D: Serialize> {
    r#type: &'a str,
    data: D,
    timestamp: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
}

/// The first message on a socket.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Welcome<'a> {
    /// Server-made id of the connection.
    pub connection_id: &'a str,
    /// The log's epoch.
    pub epoch: &'a str,
    /// The log's newest sequence number.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub seq: i64,
    /// When the socket's token expires.
    pub expires_at: Millis,
    /// How often to send the bare `ping`.
    pub ping_interval_ms: u32,
    /// Over how long to spread a first reconnect.
    pub reconnect_window_ms: u32,
}

/// What a socket starts from when it does not resume.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Snapshot<'a> {
    /// Latest signal per symbol, newest first.
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Vec<crate::room::signal::SignalView<'static>>)
    )]
    pub signals: &'a [Box<RawValue>],
    /// The city state; null on a symbol's own socket.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<City>, required))]
    pub city: Option<&'a City>,
    /// The market's mood; null on a symbol's own socket, and while there are no data.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Market>, required))]
    pub market: Option<&'a Market>,
}

/// The end of a resume.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Resumed {
    /// Whether everything missed came before this message.
    pub recovered: bool,
    /// How many events came.
    pub count: usize,
}

/// The answer to a JSON ping.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pong<'a> {
    /// The server's time.
    pub timestamp: Millis,
    /// What the client sent as `timestamp`.
    #[cfg_attr(feature = "openapi", schema(value_type = serde_json::Value, required))]
    pub echo: Option<&'a RawValue>,
    /// The log's epoch.
    pub epoch: &'a str,
    /// Everything up to here has been sent on this socket.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub seq: i64,
}

/// When a socket's token expires: `token_expiring` and `authenticated`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Expiry {
    /// The moment.
    pub expires_at: Millis,
}

/// Why a message was refused.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct ErrorData<'a> {
    /// For programs.
    code: &'a str,
    /// For people.
    message: &'a str,
}

/// What a confirmation is about.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(crate) struct SymbolData<'a> {
    /// A symbol, or `*` for all.
    symbol: &'a str,
}

/// Encodes a message without a sequence number.
pub fn encode(kind: &str, data: impl Serialize, now: Millis) -> Frame {
    envelope(kind, data, now, None)
}

/// Encodes an event of the log.
pub fn event(kind: &str, data: &RawValue, at: Millis, seq: i64) -> Frame {
    envelope(kind, data, at, Some(seq))
}

/// The `error` message.
pub fn error(code: &str, message: &str, now: Millis) -> Frame {
    encode("error", ErrorData { code, message }, now)
}

/// `subscription_confirmed` or `unsubscription_confirmed` of a symbol, or of all as `*`.
pub fn confirmation(kind: &str, symbol: &str, now: Millis) -> Frame {
    encode(kind, SymbolData { symbol }, now)
}

/// What the runtime answers the bare text `ping` with, without waking the room.
pub fn bare_pong(epoch: &str, seq: i64) -> String {
    format!(r#"{{"type":"pong","data":{{"epoch":"{epoch}","seq":{seq}}}}}"#)
}

fn envelope(kind: &str, data: impl Serialize, timestamp: Millis, seq: Option<i64>) -> Frame {
    let message = Envelope {
        r#type: kind,
        data,
        timestamp,
        seq,
    };
    serde_json::to_string(&message)
        .expect("plain data with string keys always serialises")
        .into()
}
