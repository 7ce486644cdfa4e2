//! What a symbol's daily closes say about the whole market, one character a session: whether it
//! rose or fell, and whether that was a new high or low of its year.
//!
//! Breadth and strength need nothing else of a symbol, so that a thousand of them are a thousand
//! short texts and not a thousand histories.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::calendar;
use crate::signals::Bar;
use crate::time::parse_date;

/// How many sessions are marked at most: breadth looks at 20 + 251 of them and strength at 10 + 251;
/// the rest is for symbols that are some sessions behind the others.
pub const SESSIONS: usize = 282;

/// How many closes a new high or low is one of: a year's.
const YEAR: usize = 252;

/// Days that hold [`SESSIONS`] sessions in any case: there are more than 240 in every 365 days.
pub(super) const DAYS: u64 = 450;

/// The first of the characters; a session's is `FIRST + 4 * Move + Level`.
const FIRST: u8 = b'a';

/// The close of a session against the one of the session before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Move {
    /// Higher.
    Up = 0,
    /// Lower.
    Down = 1,
    /// The same.
    Flat = 2,
    /// There is no bar, or none of the session before.
    None = 3,
}

/// The close of a session among the symbol's last 252, itself included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// It equals their highest.
    High = 0,
    /// It equals their lowest.
    Low = 1,
    /// Neither, or they are all equal.
    Between = 2,
    /// There is no bar, or there are fewer than 252.
    Unknown = 3,
}

const MOVES: [Move; 4] = [Move::Up, Move::Down, Move::Flat, Move::None];
const LEVELS: [Level; 4] = [Level::High, Level::Low, Level::Between, Level::Unknown];

/// A symbol's last sessions, at most [`SESSIONS`], the newest being the last one it has a bar of.
///
/// As text `2026-11-20:pbfa…`: that session's date and a character a session, oldest first, `a` to
/// `p` for `4 * Move + Level`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Marks {
    end: NaiveDate,
    /// Each is `a` to `p`; there is at least one.
    marks: String,
}

/// The text is none of [`Marks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("marks are a date, a colon and 1 to {SESSIONS} of the letters a to p")]
pub struct InvalidMarks;

impl Marks {
    /// Marks bars that ascend by date, each date once. Bars of days without a session are left out;
    /// none if there are no others.
    pub fn of(bars: &[Bar]) -> Option<Self> {
        let held = recent(bars);
        let end = held.last()?.0;
        let first = end.checked_sub_days(Days::new(DAYS))?;
        let mut sessions: Vec<NaiveDate> = calendar::sessions(first, end)
            .rev()
            .take(SESSIONS + 1)
            .collect();
        sessions.reverse();

        let mut marks = String::with_capacity(SESSIONS);
        // `next` is where in `held` the first bar is that is not before the session.
        let mut next = held.partition_point(|(date, _)| *date < sessions[0]);
        let mut before = None;
        for session in sessions {
            let close = held.get(next).filter(|(date, _)| *date == session);
            let close = close.map(|(_, close)| *close);
            let level = match close {
                Some(_) => level(&held[..=next]),
                None => Level::Unknown,
            };
            let letter = 4 * (direction(before, close) as u8) + level as u8;
            // A symbol's history begins with its first bar.
            if close.is_some() || !marks.is_empty() {
                marks.push(char::from(FIRST + letter));
            }
            next += usize::from(close.is_some());
            before = close;
        }
        // The session before the first one is only there to compare with.
        let surplus = marks.len().saturating_sub(SESSIONS);
        marks.drain(..surplus);
        Some(Self { end, marks })
    }

    /// How many of the newest bars matter; none where all of them do.
    pub fn reach(bars: &[Bar]) -> Option<usize> {
        let mut matter = bars
            .iter()
            .rev()
            .enumerate()
            .filter(|(_, bar)| matters(bar));
        let (oldest, _) = matter.nth(SESSIONS + YEAR - 1)?;
        Some(oldest + 1)
    }

    /// The last session.
    pub fn end(&self) -> NaiveDate {
        self.end
    }

    /// How many sessions are marked, at least one.
    pub fn sessions(&self) -> usize {
        self.marks.len()
    }

    /// What there is of each session, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = (Move, Level)> + '_ {
        self.marks.bytes().rev().map(|letter| {
            let index = usize::from(letter - FIRST);
            (MOVES[index / 4 % 4], LEVELS[index % 4])
        })
    }
}

/// Whether it is a bar of a session. Those of other centuries are no bars of this market; leaving
/// them out keeps dates within what can be counted.
fn matters(bar: &Bar) -> bool {
    (1900..2200).contains(&bar.date.year()) && calendar::is_session(bar.date)
}

/// Date and close of the newest bars on sessions, ascending, as many as may matter.
fn recent(bars: &[Bar]) -> Vec<(NaiveDate, f64)> {
    let mut held: Vec<(NaiveDate, f64)> = bars
        .iter()
        .rev()
        .filter(|bar| matters(bar))
        .take(SESSIONS + YEAR)
        .map(|bar| (bar.date, bar.close))
        .collect();
    held.reverse();
    held
}

fn direction(before: Option<f64>, close: Option<f64>) -> Move {
    let (Some(before), Some(close)) = (before, close) else {
        return Move::None;
    };
    if close > before {
        Move::Up
    } else if close < before {
        Move::Down
    } else {
        Move::Flat
    }
}

/// The level of the last of the closes.
fn level(held: &[(NaiveDate, f64)]) -> Level {
    let Some(year) = held.last_chunk::<YEAR>() else {
        return Level::Unknown;
    };
    let (_, close) = year[YEAR - 1];
    let (mut higher, mut lower) = (false, false);
    for (_, other) in year.iter().rev() {
        higher |= *other > close;
        lower |= *other < close;
        if higher && lower {
            return Level::Between;
        }
    }
    match (higher, lower) {
        (false, true) => Level::High,
        (true, false) => Level::Low,
        // They are all the same, or it was found above.
        (false, false) | (true, true) => Level::Between,
    }
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.end, self.marks)
    }
}

impl FromStr for Marks {
    type Err = InvalidMarks;

    fn from_str(text: &str) -> Result<Self, InvalidMarks> {
        let (end, marks) = text.split_once(':').ok_or(InvalidMarks)?;
        let end = parse_date(end).ok_or(InvalidMarks)?;
        let known = (1900..2200).contains(&end.year());
        let counted = (1..=SESSIONS).contains(&marks.len());
        let lettered = marks.bytes().all(|it| (FIRST..FIRST + 16).contains(&it));
        if known && counted && lettered {
            Ok(Self {
                end,
                marks: marks.into(),
            })
        } else {
            Err(InvalidMarks)
        }
    }
}

impl TryFrom<String> for Marks {
    type Error = InvalidMarks;

    fn try_from(text: String) -> Result<Self, InvalidMarks> {
        text.parse()
    }
}

impl From<Marks> for String {
    fn from(marks: Marks) -> Self {
        marks.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn date(text: &str) -> NaiveDate {
        parse_date(text).unwrap()
    }

    fn bar(date: NaiveDate, close: f64) -> Bar {
        Bar {
            date,
            open: close,
            high: close,
            low: close,
            close,
            volume: 1.0,
        }
    }

    /// Bars on the last sessions up to `end`.
    fn bars(end: NaiveDate, closes: &[f64]) -> Vec<Bar> {
        let mut sessions: Vec<NaiveDate> = calendar::sessions(end - Days::new(3_000), end)
            .rev()
            .take(closes.len())
            .collect();
        sessions.reverse();
        sessions
            .into_iter()
            .zip(closes)
            .map(|(date, close)| bar(date, *close))
            .collect()
    }

    #[test]
    fn the_first_weeks_of_a_symbol() {
        // Monday to Friday, without Wednesday; Saturday is no session.
        let week = [
            bar(date("2024-03-04"), 10.0),
            bar(date("2024-03-05"), 11.0),
            bar(date("2024-03-07"), 9.0),
            bar(date("2024-03-08"), 9.0),
            bar(date("2024-03-09"), 99.0),
            bar(date("2024-03-11"), 8.0),
        ];
        assert_eq!(
            Marks::of(&week).unwrap().to_string(),
            "2024-03-11:pdpplh",
            "first, up, no bar, none before, flat, down"
        );
        assert_eq!(Marks::of(&week[..5]).unwrap().end(), date("2024-03-08"));
        assert_eq!(Marks::of(&[]), None);
        assert_eq!(Marks::of(&week[4..5]), None);
    }

    #[test]
    fn highs_and_lows_are_of_252_closes() {
        let friday = date("2024-03-08");
        let level = |closes: &[f64]| {
            let marks = Marks::of(&bars(friday, closes)).unwrap();
            marks.newest_first().next().unwrap().1
        };
        let mut closes: Vec<f64> = (0..252).map(|at| f64::from(100 + at % 7)).collect();
        assert_eq!(level(&closes[..251]), Level::Unknown);
        for (close, expected) in [
            (106.0, Level::High),
            (100.0, Level::Low),
            (103.0, Level::Between),
            (120.0, Level::High),
            (1.0, Level::Low),
        ] {
            closes[251] = close;
            assert_eq!(level(&closes), expected, "{close}");
        }
        assert_eq!(level(&[5.0; 252]), Level::Between);
        // The 253rd close counts no more.
        closes[251] = 106.0;
        closes.insert(0, 1_000.0);
        assert_eq!(level(&closes), Level::High);
    }

    #[test]
    fn no_more_is_marked_than_is_needed_and_that_in_full() {
        let closes: Vec<f64> = (0..2_000).map(f64::from).map(|it| it + 1.0).collect();
        let marks = Marks::of(&bars(date("2026-11-20"), &closes)).unwrap();
        assert_eq!(marks.to_string(), format!("2026-11-20:{}", "a".repeat(282)));
        // So many bars are enough for that, and one less is not.
        let enough = &closes[..282 + 251];
        let marks = Marks::of(&bars(date("2026-11-20"), enough)).unwrap();
        assert_eq!(marks.to_string(), format!("2026-11-20:{}", "a".repeat(282)));
        let short = &closes[..282 + 250];
        let marks = Marks::of(&bars(date("2026-11-20"), short)).unwrap();
        assert_eq!(
            marks.to_string(),
            format!("2026-11-20:d{}", "a".repeat(281))
        );
    }

    #[test]
    fn other_texts_are_refused() {
        let long = format!("2026-11-20:{}", "a".repeat(283));
        for text in [
            "",
            "2026-11-20",
            "2026-11-20:",
            ":a",
            "2026-11-20:q",
            "2026-11-20:A",
            "2026-11-20:a\n",
            "2026-11-20:ä",
            "2026-02-30:a",
            "9999-11-20:a",
            "0026-11-20:a",
            &long,
        ] {
            assert_eq!(text.parse::<Marks>(), Err(InvalidMarks), "{text:?}");
        }
        assert!(serde_json::from_str::<Marks>("\"a\"").is_err());
    }

    #[test]
    fn dates_beyond_all_calendars_are_no_bars() {
        let far = [bar(NaiveDate::MIN, 1.0), bar(NaiveDate::MAX, 1.0)];
        assert_eq!(Marks::of(&far), None);
    }

    proptest! {
        #[test]
        fn there_and_back(
            end in 0_u64..20_000,
            days in prop::collection::vec((0_u8..4, 1_u8..9), 0..700),
        ) {
            let end = date("1970-01-02") + Days::new(end);
            // Any days, some of them missing, some at weekends.
            let bars: Vec<Bar> = days
                .iter()
                .zip(0_u64..)
                .filter(|((kept, _), _)| *kept > 0)
                .map(|((_, close), at)| bar(end + Days::new(at), f64::from(*close)))
                .collect();
            let Some(marks) = Marks::of(&bars) else {
                return Ok(());
            };
            prop_assert!(bars.iter().any(|bar| bar.date == marks.end()));
            prop_assert_eq!(marks.newest_first().count(), marks.sessions());
            prop_assert_eq!(marks.to_string().parse(), Ok(marks.clone()));
            let json = serde_json::to_string(&marks).unwrap();
            prop_assert_eq!(serde_json::from_str::<Marks>(&json).unwrap(), marks);
        }
    }
}
