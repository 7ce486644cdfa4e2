//! Limits of the protocol and of the platform, in one place and enforced on both runtimes.

/// Largest inbound message, bytes; a larger one closes with 1009.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// Largest serialised attachment of a hibernating socket, bytes (a Durable Object's limit).
pub const MAX_ATTACHMENT_BYTES: usize = 16_384;

/// Symbols one socket may follow or shut out; keeps its attachment within the limit.
pub const MAX_SUBSCRIPTIONS: usize = 500;

/// Bad messages a socket may send before it is closed with 4500.
pub const MAX_BAD_MESSAGES: u8 = 10;

/// How often clients send the bare text `ping`, milliseconds.
pub const PING_INTERVAL_MS: u32 = 15_000;

/// How long a client may be silent before it is closed with 4012, milliseconds: three pings.
pub const SILENCE_MS: i64 = 3 * PING_INTERVAL_MS as i64;

/// How long before its token expires a socket is told, milliseconds; half of what is left if that
/// is less.
pub const TOKEN_WARNING_MS: i64 = 60_000;

/// Over how long clients spread a first reconnect at least, milliseconds.
pub const RECONNECT_WINDOW_MS: u32 = 5_000;

/// Over how long clients spread a first reconnect, milliseconds: a room takes about 500 new
/// sockets a second, whatever the number that lost it at once.
pub fn reconnect_window_ms(sockets: usize) -> u32 {
    u32::try_from(sockets.saturating_mul(2))
        .unwrap_or(u32::MAX)
        .clamp(RECONNECT_WINDOW_MS, 60_000)
}

/// How long messages are gathered behind a broadcast, at most, milliseconds.
pub const MAX_HOLD_MS: i64 = 1_000;

/// Messages in one array frame, at most.
pub const MAX_BATCH: usize = 100;

/// Longest path and query of a request, bytes; a longer one is 414.
pub const MAX_URL_BYTES: usize = 8 * 1024;

/// Headers of a request at most; more are 431.
pub const MAX_HEADERS: usize = 64;

/// Largest headers of a request, names and values together, bytes; larger ones are 431.
pub const MAX_HEADER_BYTES: usize = 32 * 1024;

/// How deep arrays and objects may be nested in what a client sends. What we read ourselves is
/// three deep; serde_json would stop at 128.
pub const MAX_JSON_DEPTH: usize = 32;

/// Largest JSON body of a request, bytes.
pub const MAX_JSON_BODY: usize = 1024 * 1024;

/// Largest body of bars, bytes.
pub const MAX_BARS_BODY: usize = 16 * 1024 * 1024;

/// Longest note on a decision, characters.
pub const MAX_NOTE_CHARS: usize = 2000;

/// Items of a list without `?limit=`.
pub const DEFAULT_LIMIT: u32 = 50;

/// Items of a list at most.
pub const MAX_LIMIT: u32 = 500;

/// Symbols on a watchlist, at most.
pub const MAX_WATCHED: usize = 10_000;

/// Rows of a record that are checked in one turn of its room.
pub const MAX_CHECKED: i64 = 1000;

/// Rows of one record that the feed tells of at once.
pub const MAX_WITNESSED: i64 = 500;

/// Events in one batch between rooms.
pub const MAX_PUSH_ENTRIES: i64 = 200;

/// The WebSocket subprotocol; a socket that negotiated it may get array frames.
pub const SUBPROTOCOL: &str = "signalroom.v1";

/// The bare heartbeat, answered by the runtime without waking a room.
pub const PING: &str = "ping";
