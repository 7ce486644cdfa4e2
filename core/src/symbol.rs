//! Ticker symbols: validated once at the edge, trusted afterwards.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A ticker symbol, upper case, `[A-Z0-9.^=-]{1,15}` with at least one letter or digit. So it is
/// never `.` or `..`, which as a part of an address mean another address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "openapi",
    schema(value_type = String, pattern = "^[.^=-]*[A-Z0-9][A-Z0-9.^=-]*$", max_length = 15, example = "AAPL")
)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol(Box<str>);

/// What a symbol is, for messages.
pub const RULE: &str = "a symbol is 1 to 15 of the characters A-Z, 0-9, '.', '^', '=' and '-', \
     at least one of them a letter or digit";

/// The text is not a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", RULE)]
pub struct InvalidSymbol;

impl Symbol {
    /// The symbol's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A symbol that an event log holds. Earlier versions also took symbols without a letter or
    /// digit, and what is in a log stays there.
    pub(crate) fn logged(text: &str) -> Result<Self, InvalidSymbol> {
        let marks = !text.is_empty() && text.len() <= 15 && text.bytes().all(is_mark);
        if marks {
            Ok(Self(text.into()))
        } else {
            text.parse()
        }
    }
}

/// A character of a symbol that is neither letter nor digit.
fn is_mark(byte: u8) -> bool {
    b".^=-".contains(&byte)
}

impl FromStr for Symbol {
    type Err = InvalidSymbol;

    /// Upper-cases, then checks; `aapl` is `AAPL`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.to_ascii_uppercase();
        let solid = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        let valid = upper.bytes().all(|b| solid(b) || is_mark(b));
        if upper.len() <= 15 && valid && upper.bytes().any(solid) {
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
        for (text, symbol) in [
            ("brk-b", "BRK-B"),
            ("^GSPC", "^GSPC"),
            (".dji", ".DJI"),
            ("BF.B", "BF.B"),
            ("ES=F", "ES=F"),
            ("A..", "A.."),
            ("0", "0"),
        ] {
            assert_eq!(text.parse::<Symbol>().map(String::from), Ok(symbol.into()));
        }
        for bad in ["", "ABCDEFGHIJKLMNOP", "A B", "A/B", "Ä", "ſ", "A\0"] {
            assert_eq!(bad.parse::<Symbol>(), Err(InvalidSymbol), "{bad:?}");
        }
    }

    #[test]
    fn symbol_without_letter_or_digit_is_only_read_from_a_log() {
        for marks in [".", "..", "...", "^", "=-", "..............."] {
            assert_eq!(marks.parse::<Symbol>(), Err(InvalidSymbol), "{marks:?}");
            assert_eq!(Symbol::logged(marks).map(String::from), Ok(marks.into()));
        }
        assert_eq!(Symbol::logged("A"), "A".parse());
        for bad in ["", "................", "./."] {
            assert_eq!(Symbol::logged(bad), Err(InvalidSymbol), "{bad:?}");
        }
    }
}
