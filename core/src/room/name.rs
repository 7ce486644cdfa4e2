//! Names of rooms: what a Durable Object is addressed by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::symbol::Symbol;

/// The name of a room, `symbol/AAPL` or `feed`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RoomName {
    /// Keeps one symbol's bars, signals and approvals.
    Symbol(Symbol),
    /// Keeps all rooms' events in one order, and what lists are read from.
    Feed,
}

/// The text names no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a room")]
pub struct InvalidRoomName;

impl RoomName {
    /// Where the room should live, as a Cloudflare location hint: near its symbol's exchange.
    /// The feed sits with the majority of symbols.
    /// <https://developers.cloudflare.com/durable-objects/reference/data-location/>
    pub fn location_hint(&self) -> &'static str {
        let Self::Symbol(symbol) = self else {
            return "enam";
        };
        match symbol
            .as_str()
            .rsplit_once('.')
            .map(|(_, exchange)| exchange)
        {
            Some("L" | "PA" | "DE" | "AS" | "MI" | "SW" | "MC" | "BR" | "ST") => "weur",
            Some("T" | "HK" | "SS" | "SZ" | "KS" | "NS" | "BO" | "SI" | "TW") => "apac",
            Some("AX" | "NZ") => "oc",
            Some("SA" | "BA") => "sam",
            Some(_) | None => "enam",
        }
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symbol(symbol) => write!(f, "symbol/{symbol}"),
            Self::Feed => f.write_str("feed"),
        }
    }
}

impl FromStr for RoomName {
    type Err = InvalidRoomName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some(("symbol", symbol)) => symbol
                .parse()
                .map(Self::Symbol)
                .map_err(|_| InvalidRoomName),
            None if text == "feed" => Ok(Self::Feed),
            Some(_) | None => Err(InvalidRoomName),
        }
    }
}

impl TryFrom<String> for RoomName {
    type Error = InvalidRoomName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RoomName> for String {
    fn from(name: RoomName) -> Self {
        name.to_string()
    }
}
