//! Generated daily series of the market's mood. They are no market data.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use signalroom_core::calendar;
use signalroom_harness::generated::Random;

/// A series by the name it has at FRED, and the put/call ratio of all options by Cboe's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mood {
    /// The name.
    pub id: &'static str,
    /// Hundredths: where it is drawn to, how strongly, how it moves, what it never falls below,
    /// and where a crisis draws it.
    mean: i32,
    pull: i32,
    spread: i32,
    floor: i32,
    crisis: i32,
}

const fn mood(
    id: &'static str,
    mean: i32,
    pull: i32,
    spread: i32,
    floor: i32,
    crisis: i32,
) -> Mood {
    Mood {
        id,
        mean,
        pull,
        spread,
        floor,
        crisis,
    }
}

/// The volatility index.
pub(super) const VIX: Mood = mood("VIXCLS", 1800, 5, 100, 900, 6500);
/// Puts per call.
pub(super) const PUT_CALL: Mood = mood("PUT_CALL", 90, 30, 8, 40, 140);
/// What FRED has.
pub(super) const AT_FRED: [Mood; 4] = [
    VIX,
    mood("BAMLH0A0HYM2", 400, 2, 6, 250, 1000),
    mood("T10Y2Y", 50, 1, 4, -200, 50),
    mood("DGS10", 300, 1, 5, 30, 80),
];

const fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a date")
}

/// Where Cboe's file of the volatility index begins, and with it every series here.
const BEGIN: NaiveDate = day(1990, 1, 2);
const CRISIS: (NaiveDate, NaiveDate) = (day(2020, 2, 20), day(2020, 3, 23));

/// Whether there was trading. Before the calendar's time every weekday counts.
fn traded(date: NaiveDate) -> bool {
    date < calendar::HISTORY_START || calendar::session(date).is_some()
}

/// One day of a series; none on a holiday.
pub(super) type Value = (NaiveDate, Option<f64>);

/// What was changed by hand, by series and day.
pub(super) type Revisions = BTreeMap<(String, NaiveDate), Option<f64>>;

impl Mood {
    /// Every weekday from 1990-01-02 to `to`. A later day adds to the series without changing it.
    pub fn values(&self, to: NaiveDate, revised: &Revisions) -> Vec<Value> {
        let share = |hundredths: i32| f64::from(hundredths) / 100.0;
        let mut random = Random::of(self.id);
        let mut value = share(self.mean);
        let weekdays = BEGIN.iter_days().take_while(|date| *date <= to);
        let weekdays = weekdays.filter(|it| !matches!(it.weekday(), Weekday::Sat | Weekday::Sun));
        weekdays
            .map(|date| {
                let crisis = (CRISIS.0..=CRISIS.1).contains(&date);
                let to = share(if crisis { self.crisis } else { self.mean });
                value += share(self.pull) * (to - value) + share(self.spread) * random.normal();
                value = value.max(share(self.floor));
                let usual = traded(date).then_some((value * 100.0).round() / 100.0);
                let by_hand = revised.get(&(self.id.to_owned(), date));
                (date, by_hand.copied().unwrap_or(usual))
            })
            .collect()
    }
}

/// The day before, as FRED shows a day's value on the next.
pub(super) fn day_before(date: NaiveDate) -> NaiveDate {
    date - Days::new(1)
}
