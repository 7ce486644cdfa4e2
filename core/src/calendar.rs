//! The trading calendar of the New York Stock Exchange: which days are sessions, when they end, and
//! which daily bar is due.

use chrono::{Datelike, NaiveDate, Weekday};

use crate::time::Millis;

/// Where history begins, when it is fetched: the first session of 2018.
pub const HISTORY_START: NaiveDate = NaiveDate::from_ymd_opt(2018, 1, 2).expect("a date");

/// One day of trading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Its date in New York.
    pub date: NaiveDate,
    /// When trading begins.
    pub open: Millis,
    /// When it ends; early on a few days.
    pub close: Millis,
}

/// The session of that date, if it is one.
pub fn session(date: NaiveDate) -> Option<Session> {
    let weekend = matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
    let midnight = Millis::at_midnight(date);
    (!weekend).then(|| Session {
        date,
        open: midnight.plus(52_200_000),
        close: midnight.plus(75_600_000),
    })
}

/// The dates of the sessions from `from` to `to`, both included, ascending.
pub fn sessions(from: NaiveDate, to: NaiveDate) -> impl DoubleEndedIterator<Item = NaiveDate> {
    let days = (to - from).num_days().max(-1) + 1;
    (0..days)
        .map(move |day| from + chrono::Days::new(day.unsigned_abs()))
        .filter(|date| session(*date).is_some())
}

/// When the bar of a session is final: 22:00 UTC of its day, when the daily batch runs. It is due
/// from then on; fetched before, it is provisional.
pub fn final_at(date: NaiveDate) -> Millis {
    Millis::at_midnight(date).plus(22 * 3_600_000)
}

/// The newest session whose bar is final.
pub fn newest_due(now: Millis) -> NaiveDate {
    let today = now.date();
    let week = today - chrono::Days::new(14);
    sessions(week, today)
        .rev()
        .find(|date| final_at(*date) <= now)
        .unwrap_or(week)
}

/// The session whose bar can be had, but is not final yet.
pub fn unfinished(now: Millis) -> Option<NaiveDate> {
    let session = session(now.date())?;
    (session.open <= now && now < final_at(session.date)).then_some(session.date)
}
