//! The trading calendar of the New York Stock Exchange: which days are sessions, when they end, and
//! which daily bar is due.
//!
//! By rules, right from 2018 on; what the exchange decides on short notice (a day of mourning) is in
//! a list.

mod holidays;
pub mod zone;

use chrono::{Datelike, Days, NaiveDate, Weekday};

use crate::time::Millis;

/// Where history begins, when it is fetched: the first session of 2018.
pub const HISTORY_START: NaiveDate = NaiveDate::from_ymd_opt(2018, 1, 2).expect("a date");

const MINUTE: i64 = 60_000;

/// One day of trading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Its date in New York.
    pub date: NaiveDate,
    /// When trading begins: 9:30 in New York.
    pub open: Millis,
    /// When it ends: 16:00 in New York, 13:00 on a few days.
    pub close: Millis,
}

/// The session of that date, if it is one.
pub fn session(date: NaiveDate) -> Option<Session> {
    if !is_session(date) {
        return None;
    }
    // Clocks are changed on Sundays: one offset holds for a session's whole day.
    let noon = Millis::at_midnight(date).plus(12 * 60 * MINUTE);
    let midnight = Millis::at_midnight(date).plus(-1000 * zone::new_york_offset(noon));
    let closes = if holidays::closes_early(date) { 13 } else { 16 };
    Some(Session {
        date,
        open: midnight.plus((9 * 60 + 30) * MINUTE),
        close: midnight.plus(closes * 60 * MINUTE),
    })
}

/// Whether the exchange is open on that day.
pub fn is_session(date: NaiveDate) -> bool {
    let weekend = matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
    !weekend && !holidays::is_holiday(date)
}

/// The dates of the sessions from `from` to `to`, both included, ascending.
pub fn sessions(from: NaiveDate, to: NaiveDate) -> impl DoubleEndedIterator<Item = NaiveDate> {
    let days = (to - from).num_days().max(-1) + 1;
    (0..days)
        .map(move |day| from + Days::new(day.unsigned_abs()))
        .filter(|date| is_session(*date))
}

/// When the bar of a session is final: 22:00 UTC of its day, when the daily batch runs. It is due
/// from then on; fetched before, it is provisional.
pub fn final_at(date: NaiveDate) -> Millis {
    Millis::at_midnight(date).plus(22 * 60 * MINUTE)
}

/// The newest session whose bar is final.
pub fn newest_due(now: Millis) -> NaiveDate {
    let today = now.date();
    // No closure since 1933 was longer than a week.
    let earliest = today.checked_sub_days(Days::new(14)).unwrap_or(today);
    sessions(earliest, today)
        .rev()
        .find(|date| final_at(*date) <= now)
        .unwrap_or(earliest)
}

/// The session whose bar can be had, but is not final yet.
pub fn unfinished(now: Millis) -> Option<NaiveDate> {
    let session = session(now.date())?;
    (session.open <= now && now < final_at(session.date)).then_some(session.date)
}

#[cfg(test)]
mod tests;
