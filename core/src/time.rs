//! Instants as data: core never reads a clock, it is handed `now`.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since the Unix epoch, UTC. Travels as RFC 3339 with milliseconds and `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "openapi",
    schema(
        as = Time,
        description = "An instant: RFC 3339, UTC, with milliseconds and `Z`.",
        value_type = String,
        format = DateTime,
        example = "2026-05-04T21:15:47.123Z",
    )
)]
pub struct Millis(pub i64);

impl Millis {
    /// This instant plus `millis` milliseconds.
    #[must_use]
    pub fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The UTC calendar date of this instant.
    pub fn date(self) -> NaiveDate {
        self.to_utc().date_naive()
    }

    /// Parses RFC 3339, or a bare `YYYY-MM-DD` as midnight UTC. Years are 0 to 9999, also where
    /// an offset is taken off.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
            let year = instant.to_utc().year();
            return (0..=9999)
                .contains(&year)
                .then(|| Self(instant.timestamp_millis()));
        }
        parse_date(text).map(Self::at_midnight)
    }

    /// Midnight UTC of `date`.
    pub fn at_midnight(date: NaiveDate) -> Self {
        Self(
            date.and_time(chrono::NaiveTime::MIN)
                .and_utc()
                .timestamp_millis(),
        )
    }

    /// As a chrono instant; out-of-range values clamp to chrono's own limits.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(if self.0 < 0 {
            DateTime::<Utc>::MIN_UTC
        } else {
            DateTime::<Utc>::MAX_UTC
        })
    }
}

/// Parses exactly `YYYY-MM-DD`.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text.as_bytes() else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
            Some(10 * number + u32::from(digit))
        })
    };
    let year = i32::try_from(number(&[*y0, *y1, *y2, *y3])?).ok()?;
    NaiveDate::from_ymd_opt(year, number(&[*m0, *m1])?, number(&[*d0, *d1])?)
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn travels_as_rfc3339_with_z() {
        let instant = Millis(1_700_000_000_123);
        assert_eq!(instant.to_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!(Millis::parse("2023-11-14T22:13:20.123Z"), Some(instant));
        assert_eq!(Millis::parse("2023-11-14"), Some(Millis(1_699_920_000_000)));
        assert_eq!(Millis::parse("yesterday"), None);
        for text in ["2023-1-04", "-026-01-11", "+026-01-11", " 026-01-11"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        assert_eq!(Millis::parse("0000-01-01T00:00:00+23:59"), None);
    }
}
