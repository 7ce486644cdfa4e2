//! Decides whether one daily bar is fit to be kept.
//!
//! Invariant: a [`Bar`] that passed [`Bar::check`] has finite, positive prices, a finite volume of at
//! least zero, and a high and a low that enclose open and close. Everything in [`crate::signals`]
//! is written for such bars.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One daily OHLCV row of one symbol.
///
/// Serialised as `{"date":"2020-03-23","open":…,"high":…,"low":…,"close":…,"volume":…}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Bar {
    /// The trading session.
    pub date: NaiveDate,
    /// First price, in the symbol's currency.
    #[cfg_attr(feature = "openapi", schema(exclusive_minimum = 0))]
    pub open: f64,
    /// Highest price, in the symbol's currency.
    #[cfg_attr(feature = "openapi", schema(exclusive_minimum = 0))]
    pub high: f64,
    /// Lowest price, in the symbol's currency.
    #[cfg_attr(feature = "openapi", schema(exclusive_minimum = 0))]
    pub low: f64,
    /// Last price, in the symbol's currency.
    #[cfg_attr(feature = "openapi", schema(exclusive_minimum = 0))]
    pub close: f64,
    /// Units traded; zero is allowed.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub volume: f64,
}

/// What is wrong with a bar's numbers. The messages repeat none of the input but a valid date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BarError {
    /// A number is NaN or infinite.
    #[error("{0} is not finite")]
    NotFinite(Field),
    /// A price is zero or negative.
    #[error("{0} is not positive")]
    NotPositive(Field),
    /// The volume is below zero.
    #[error("volume is negative")]
    NegativeVolume,
    /// The high is below the open or the close.
    #[error("high is below {0}")]
    HighBelow(Field),
    /// The low is above the open or the close.
    #[error("low is above {0}")]
    LowAbove(Field),
    /// The session has not taken place yet.
    #[error("date {0} is in the future")]
    Future(NaiveDate),
}

/// The fields of a [`Bar`], named as in a CSV header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The session's date.
    Date,
    /// The first price.
    Open,
    /// The highest price.
    High,
    /// The lowest price.
    Low,
    /// The last price.
    Close,
    /// The units traded.
    Volume,
}

impl Field {
    /// All fields, in the usual order of columns.
    pub const ALL: [Field; 6] = [
        Field::Date,
        Field::Open,
        Field::High,
        Field::Low,
        Field::Close,
        Field::Volume,
    ];

    /// The column's name, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Field::Date => "date",
            Field::Open => "open",
            Field::High => "high",
            Field::Low => "low",
            Field::Close => "close",
            Field::Volume => "volume",
        }
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Bar {
    /// Checks the bar's numbers against each other and its date against `today` (which is allowed:
    /// a session may be reported on its own day).
    ///
    /// # Errors
    /// The first rule that is broken, in the order of the columns.
    pub fn check(&self, today: NaiveDate) -> Result<(), BarError> {
        if self.date > today {
            return Err(BarError::Future(self.date));
        }
        let prices = [
            (Field::Open, self.open),
            (Field::High, self.high),
            (Field::Low, self.low),
            (Field::Close, self.close),
        ];
        for (field, price) in prices {
            if !price.is_finite() {
                return Err(BarError::NotFinite(field));
            }
            if price <= 0.0 {
                return Err(BarError::NotPositive(field));
            }
        }
        if !self.volume.is_finite() {
            return Err(BarError::NotFinite(Field::Volume));
        }
        if self.volume < 0.0 {
            return Err(BarError::NegativeVolume);
        }
        for (field, price) in [(Field::Open, self.open), (Field::Close, self.close)] {
            if self.high < price {
                return Err(BarError::HighBelow(field));
            }
            if self.low > price {
                return Err(BarError::LowAbove(field));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Bar, BarError, Field};
    use chrono::NaiveDate;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2020, 3, day).unwrap()
    }

    fn good() -> Bar {
        Bar {
            date: day(20),
            open: 10.0,
            high: 12.0,
            low: 9.0,
            close: 11.0,
            volume: 0.0,
        }
    }

    #[test]
    fn names_the_rule_that_is_broken() {
        let cases = [
            (good(), Ok(()), ""),
            (
                Bar {
                    high: 11.0,
                    low: 10.0,
                    ..good()
                },
                Ok(()),
                "",
            ),
            (
                Bar {
                    date: day(21),
                    ..good()
                },
                Err(BarError::Future(day(21))),
                "date 2020-03-21 is in the future",
            ),
            (
                Bar {
                    open: f64::NAN,
                    ..good()
                },
                Err(BarError::NotFinite(Field::Open)),
                "open is not finite",
            ),
            (
                Bar {
                    high: f64::INFINITY,
                    ..good()
                },
                Err(BarError::NotFinite(Field::High)),
                "high is not finite",
            ),
            (
                Bar {
                    volume: f64::NAN,
                    ..good()
                },
                Err(BarError::NotFinite(Field::Volume)),
                "volume is not finite",
            ),
            (
                Bar { low: 0.0, ..good() },
                Err(BarError::NotPositive(Field::Low)),
                "low is not positive",
            ),
            (
                Bar {
                    close: -11.0,
                    ..good()
                },
                Err(BarError::NotPositive(Field::Close)),
                "close is not positive",
            ),
            (
                Bar {
                    volume: -1.0,
                    ..good()
                },
                Err(BarError::NegativeVolume),
                "volume is negative",
            ),
            (
                Bar {
                    high: 10.5,
                    ..good()
                },
                Err(BarError::HighBelow(Field::Close)),
                "high is below close",
            ),
            (
                Bar {
                    high: 9.5,
                    close: 9.2,
                    ..good()
                },
                Err(BarError::HighBelow(Field::Open)),
                "high is below open",
            ),
            (
                Bar {
                    low: 10.5,
                    ..good()
                },
                Err(BarError::LowAbove(Field::Open)),
                "low is above open",
            ),
            (
                Bar {
                    low: 9.9,
                    close: 9.5,
                    ..good()
                },
                Err(BarError::LowAbove(Field::Close)),
                "low is above close",
            ),
        ];
        for (bar, expected, message) in cases {
            assert_eq!(bar.check(day(20)), expected, "{bar:?}");
            if let Err(error) = expected {
                assert_eq!(error.to_string(), message);
            }
        }
    }

    #[test]
    fn serialises_with_a_plain_date() {
        let json = serde_json::to_string(&good()).unwrap();
        assert_eq!(
            json,
            r#"{"date":"2020-03-20","open":10.0,"high":12.0,"low":9.0,"close":11.0,"volume":0.0}"#
        );
        assert_eq!(serde_json::from_str::<Bar>(&json).unwrap(), good());
    }
}
