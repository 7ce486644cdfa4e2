//! Messages from client to server: decoded strictly, refused with a code.

use std::str::FromStr;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::depth::is_shallow;
use super::limits;
use crate::symbol::{self, Symbol};

/// A decoded message.
#[derive(Debug)]
pub enum Message {
    /// Follow these symbols.
    Subscribe(Vec<Symbol>),
    /// Stop following these symbols.
    Unsubscribe(Vec<Symbol>),
    /// Follow all symbols.
    SubscribeAll,
    /// Follow the city state.
    SubscribeCity,
    /// Stop following the city state.
    UnsubscribeCity,
    /// Follow the market's mood.
    SubscribeMarket,
    /// Stop following the market's mood.
    UnsubscribeMarket,
    /// Replaces the socket's token.
    Authenticate {
        /// A JWT.
        token: String,
    },
    /// The bare text `ping` with something around it: by itself it does not get here.
    Heartbeat,
    /// Asks for the position reached; `timestamp` comes back as `echo`.
    Ping {
        /// Any JSON value.
        timestamp: Option<Box<RawValue>>,
    },
}

/// A message that is not understood; counts as bad.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// Not a JSON object with `type`.
    #[error("not a JSON object with a text \"type\"")]
    Malformed,
    /// A binary frame.
    #[error("messages are text frames")]
    Binary,
    /// A `type` nobody knows.
    #[error("unknown message type")]
    UnknownType,
    /// A token that is not valid, or another subject's.
    #[error("not a valid token of this socket's subject")]
    Unauthorized,
    /// `data` does not have the message's shape.
    #[error("{0}")]
    InvalidData(&'static str),
}

impl BadMessage {
    /// The `code` of the `error` message.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Binary => "binary",
            Self::UnknownType => "unknown_type",
            Self::Unauthorized => "unauthorized",
            Self::InvalidData(_) => "invalid",
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    r#type: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Symbols {
    symbol: Option<String>,
    symbols: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Deserialize)]
struct Ping {
    timestamp: Option<Box<RawValue>>,
}

/// The token of an `authenticate` message, for an adapter to see to its keys before the room takes
/// the message; none for any other text.
pub fn token(text: &str) -> Option<String> {
    let small = text.len() <= limits::MAX_MESSAGE_BYTES;
    // Nearly every message is another: it is not decoded twice.
    if !small || !text.contains("authenticate") {
        return None;
    }
    match decode(text) {
        Ok(Message::Authenticate { token }) => Some(token),
        Ok(_) | Err(_) => None,
    }
}

/// Decodes one text frame. A byte-order mark before it and white space around it are ignored:
/// tools that send lines add them.
///
/// # Errors
/// [`BadMessage`] when it is not a known message of the right shape.
pub fn decode(text: &str) -> Result<Message, BadMessage> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii();
    if text == limits::PING {
        return Ok(Message::Heartbeat);
    }
    // serde would read a struct from an array too.
    if !text.starts_with('{') || !is_shallow(text.as_bytes()) {
        return Err(BadMessage::Malformed);
    }
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|_| BadMessage::Malformed)?;
    let data = envelope.data.map_or("{}", RawValue::get);
    if !data.starts_with('{') {
        return Err(BadMessage::InvalidData("\"data\" is an object"));
    }
    match envelope.r#type.as_str() {
        "subscribe_symbol" => symbols(data).map(Message::Subscribe),
        "unsubscribe_symbol" => symbols(data).map(Message::Unsubscribe),
        "subscribe_all" => Ok(Message::SubscribeAll),
        "subscribe_city_state" => Ok(Message::SubscribeCity),
        "unsubscribe_city_state" => Ok(Message::UnsubscribeCity),
        "subscribe_market" => Ok(Message::SubscribeMarket),
        "unsubscribe_market" => Ok(Message::UnsubscribeMarket),
        "ping" => serde_json::from_str(data)
            .map(|Ping { timestamp }| Message::Ping { timestamp })
            .map_err(|_| BadMessage::InvalidData("\"timestamp\" may come once")),
        "authenticate" => serde_json::from_str(data)
            .map(|Token { token }| Message::Authenticate { token })
            .map_err(|_| BadMessage::InvalidData("\"data\" is {\"token\": text}")),
        _ => Err(BadMessage::UnknownType),
    }
}

fn symbols(data: &str) -> Result<Vec<Symbol>, BadMessage> {
    const SHAPE: BadMessage =
        BadMessage::InvalidData("\"data\" is {\"symbol\": text} or {\"symbols\": [text, …]}");
    let Symbols { symbol, symbols } = serde_json::from_str(data).map_err(|_| SHAPE)?;
    let texts = match (symbol, symbols) {
        (Some(symbol), None) => vec![symbol],
        (None, Some(symbols)) if !symbols.is_empty() => symbols,
        (Some(_), Some(_)) | (None, Some(_) | None) => return Err(SHAPE),
    };
    if texts.len() > limits::MAX_SUBSCRIPTIONS {
        return Err(BadMessage::InvalidData("at most 500 symbols"));
    }
    texts
        .iter()
        .map(|text| Symbol::from_str(text))
        .collect::<Result<_, _>>()
        .map_err(|_| BadMessage::InvalidData(symbol::RULE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> &'static str {
        decode(text).expect_err(text).code()
    }

    #[test]
    fn knows_its_messages() {
        let Ok(Message::Subscribe(symbols)) =
            decode(r#"{"type":"subscribe_symbol","data":{"symbols":["aapl","SPY"]}}"#)
        else {
            panic!("refused");
        };
        assert_eq!(
            symbols.iter().map(Symbol::as_str).collect::<Vec<_>>(),
            ["AAPL", "SPY"]
        );
        assert!(matches!(
            decode(r#"{"type":"subscribe_all"}"#),
            Ok(Message::SubscribeAll)
        ));
        let Ok(Message::Ping {
            timestamp: Some(echo),
        }) = decode(r#"{"type":"ping","data":{"timestamp":1.50}}"#)
        else {
            panic!("refused");
        };
        assert_eq!(echo.get(), "1.50");
    }

    #[test]
    fn ignores_what_tools_put_around_a_message() {
        for text in ["ping", "ping\n", " ping\r\n", "\u{feff}ping", "\tping"] {
            assert!(matches!(decode(text), Ok(Message::Heartbeat)), "{text:?}");
        }
        for text in [
            "\u{feff}{\"type\":\"ping\"}\r\n",
            "\n {\"type\":\"ping\",\"data\":{}}\n",
        ] {
            assert!(matches!(decode(text), Ok(Message::Ping { .. })), "{text:?}");
        }
        let text = "\u{feff}{\"type\":\"authenticate\",\"data\":{\"token\":\"t\"}}\n";
        assert_eq!(token(text).as_deref(), Some("t"));
        for text in [
            "",
            "\u{feff}",
            "PING",
            "ping ping",
            "\"ping\"",
            "pin\ng",
            "\u{a0}ping",
        ] {
            assert_eq!(refused(text), "malformed", "{text:?}");
        }
    }

    #[test]
    fn refuses_everything_else_with_a_code() {
        assert_eq!(refused("hello"), "malformed");
        assert_eq!(refused("[]"), "malformed");
        assert_eq!(refused(r#"["subscribe_all",{}]"#), "malformed");
        assert_eq!(refused(r#"{"type":7}"#), "malformed");
        assert_eq!(refused(r#"{"type":"nope","data":{}}"#), "unknown_type");
        assert_eq!(refused(r#"{"type":"subscribe_all","data":[]}"#), "invalid");
        assert_eq!(
            refused(r#"{"type":"subscribe_symbol","data":{}}"#),
            "invalid"
        );
        assert_eq!(
            refused(r#"{"type":"subscribe_symbol","data":{"symbol":"a b"}}"#),
            "invalid"
        );
        assert_eq!(
            refused(r#"{"type":"subscribe_symbol","data":{"symbol":1}}"#),
            "invalid"
        );
        assert_eq!(
            refused(r#"{"type":"authenticate","data":{"token":7}}"#),
            "invalid"
        );
    }
}
