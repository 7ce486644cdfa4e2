//! Days on which the exchange is closed, or closes early, by the rules in force since 2018.
//!
//! <https://www.nyse.com/markets/hours-calendars> has the current tables. NYSE Rule 7.2 moves a
//! holiday on a Saturday to the Friday before and one on a Sunday to the Monday after, but not where
//! that Friday ends a month or a year: New Year's Day on a Saturday is not made up for.

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// Days of mourning, which follow no rule: for George H. W. Bush and for Jimmy Carter.
const MOURNING: [NaiveDate; 2] = [
    NaiveDate::from_ymd_opt(2018, 12, 5).expect("a date"),
    NaiveDate::from_ymd_opt(2025, 1, 9).expect("a date"),
];

/// Whether the exchange is closed on a day from Monday to Friday.
pub(super) fn is_holiday(date: NaiveDate) -> bool {
    let (day, weekday) = (date.day(), date.weekday());
    let monday = weekday == Weekday::Mon;
    let regular = match date.month() {
        // New Year's Day, and Martin Luther King's: the third Monday.
        1 => day == 1 || day == 2 && monday || monday && (15..=21).contains(&day),
        // Washington's Birthday: the third Monday.
        2 => monday && (15..=21).contains(&day),
        3 | 4 => is_good_friday(date),
        // Memorial Day: the last Monday.
        5 => monday && day >= 25,
        // Juneteenth, a holiday of the exchange since 2022.
        6 => date.year() >= 2022 && observes(date, 19),
        // Independence Day.
        7 => observes(date, 4),
        // Labor Day: the first Monday.
        9 => monday && day <= 7,
        // Thanksgiving: the fourth Thursday.
        11 => weekday == Weekday::Thu && (22..=28).contains(&day),
        12 => observes(date, 25),
        _ => false,
    };
    regular || MOURNING.contains(&date)
}

/// Whether that session ends at 13:00 in New York.
pub(super) fn closes_early(session: NaiveDate) -> bool {
    let (day, weekday) = (session.day(), session.weekday());
    match session.month() {
        // Before Independence Day, where that is a day of the same week.
        7 => day == 3 && weekday != Weekday::Fri,
        // The day after Thanksgiving.
        11 => weekday == Weekday::Fri && (23..=29).contains(&day),
        // Christmas Eve; a Friday is Christmas observed.
        12 => day == 24,
        _ => false,
    }
}

/// Whether the holiday on that day of the date's month, or what makes up for it, is on `date`.
fn observes(date: NaiveDate, holiday: u32) -> bool {
    match date.weekday() {
        Weekday::Mon => (holiday..=holiday + 1).contains(&date.day()),
        Weekday::Fri => (holiday - 1..=holiday).contains(&date.day()),
        _ => date.day() == holiday,
    }
}

fn is_good_friday(date: NaiveDate) -> bool {
    date.weekday() == Weekday::Fri
        && date
            .checked_add_days(Days::new(2))
            .is_some_and(|sunday| (sunday.month(), sunday.day()) == easter(date.year()))
}

/// Month and day of Easter Sunday, by the Gregorian computus (Meeus, Jones, Butcher).
fn easter(year: i32) -> (u32, u32) {
    let golden = year.rem_euclid(19);
    let century = year.div_euclid(100);
    let of_century = year.rem_euclid(100);
    let skipped = (century - (century + 8).div_euclid(25) + 1).div_euclid(3);
    let epact = (19 * golden + century - century.div_euclid(4) - skipped + 15).rem_euclid(30);
    let to_sunday =
        (32 + 2 * century.rem_euclid(4) + 2 * (of_century / 4) - epact - of_century % 4)
            .rem_euclid(7);
    let late = (golden + 11 * epact + 22 * to_sunday) / 451;
    let days = (epact + to_sunday - 7 * late + 114).unsigned_abs();
    (days / 31, days % 31 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_is_where_the_church_has_it() {
        let known = [
            (1818, 3, 22),
            (1943, 4, 25),
            (1961, 4, 2),
            (2000, 4, 23),
            (2008, 3, 23),
            (2018, 4, 1),
            (2019, 4, 21),
            (2024, 3, 31),
            (2038, 4, 25),
            (2049, 4, 18),
            (2076, 4, 19),
        ];
        for (year, month, day) in known {
            assert_eq!(easter(year), (month, day), "{year}");
        }
        for year in 1900..2300 {
            let (month, day) = easter(year);
            let sunday = NaiveDate::from_ymd_opt(year, month, day).unwrap();
            assert_eq!(sunday.weekday(), Weekday::Sun, "{sunday}");
        }
    }
}
