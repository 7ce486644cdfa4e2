//! Ticker symbols: validated once at the edge, trusted afterwards.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A ticker symbol, upper case, `[A-Z0-9.^=-]{1,15}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "openapi",
    schema(value_type = String, pattern = "^[A-Z0-9.^=-]{1,15}$", example = "AAPL")
)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol(Box<str>);

/// The text is not a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a symbol is 1 to 15 of the characters A-Z, 0-9, '.', '^', '=' and '-'")]
pub struct InvalidSymbol;

impl Symbol {
    /// The symbol's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Symbol {
    type Err = InvalidSymbol;

    /// Upper-cases, then checks; `aapl` is `AAPL`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.to_ascii_uppercase();
        let valid = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b".^=-".contains(&b);
        if (1..=15).contains(&upper.len()) && upper.bytes().all(valid) {
            Ok(Self(upper.into()))
        } else {
            Err(InvalidSymbol)
        }
    }
}

impl TryFrom<String> for Symbol {
    type Error = InvalidSymbol;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> Self {
        symbol.0.into()
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_cases_then_checks() {
        assert_eq!(
            "brk-b".parse::<Symbol>().map(String::from),
            Ok("BRK-B".into())
        );
        assert_eq!(
            "^GSPC".parse::<Symbol>().map(String::from),
            Ok("^GSPC".into())
        );
        for bad in ["", "ABCDEFGHIJKLMNOP", "A B", "A/B", "Ä", "ſ", "A\0"] {
            assert_eq!(bad.parse::<Symbol>(), Err(InvalidSymbol), "{bad:?}");
        }
    }
}
