//! Offsets from UTC by the rules in force, for the two zones that daily bars come from: New York's
//! and Europe's.

use chrono::{Datelike, NaiveDate, Weekday};

use crate::time::Millis;

const HOUR: i64 = 3600;

/// Seconds that clocks in New York are ahead of UTC: -4 hours in summer, -5 otherwise.
///
/// Summer time since 2007: from 2:00 on the second Sunday of March to 2:00 on the first of November
/// (15 U.S.C. 260a).
pub fn new_york_offset(at: Millis) -> i64 {
    let year = at.date().year();
    let begins = instant(nth_sunday(year, 3, 2), 7);
    let ends = instant(nth_sunday(year, 11, 1), 6);
    match (begins, ends) {
        (Some(begins), Some(ends)) if begins <= at && at < ends => -4 * HOUR,
        _ => -5 * HOUR,
    }
}

/// Seconds of summer time that clocks in Europe have at that instant: an hour or none.
///
/// From 1:00 UTC on the last Sunday of March to 1:00 UTC on the last of October, in the United
/// Kingdom and the European Union alike (Directive 2000/84/EC).
pub fn european_summer(at: Millis) -> i64 {
    let year = at.date().year();
    let begins = instant(last_sunday_of_31(year, 3), 1);
    let ends = instant(last_sunday_of_31(year, 10), 1);
    match (begins, ends) {
        (Some(begins), Some(ends)) if begins <= at && at < ends => HOUR,
        _ => 0,
    }
}

fn instant(date: Option<NaiveDate>, hour: i64) -> Option<Millis> {
    date.map(|date| Millis::at_midnight(date).plus(hour * HOUR * 1000))
}

fn nth_sunday(year: i32, month: u32, nth: u8) -> Option<NaiveDate> {
    NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Sun, nth)
}

/// The last Sunday of a month with 31 days.
fn last_sunday_of_31(year: i32, month: u32) -> Option<NaiveDate> {
    let last = NaiveDate::from_ymd_opt(year, month, 31)?;
    last.with_day(31 - last.weekday().num_days_from_sunday())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Millis {
        Millis::parse(text).expect(text)
    }

    #[test]
    fn new_york_changes_its_clocks_to_the_second() {
        let switches = [
            ("2018-03-11T07:00:00Z", -4),
            ("2018-11-04T06:00:00Z", -5),
            ("2020-03-08T07:00:00Z", -4),
            ("2020-11-01T06:00:00Z", -5),
            ("2026-03-08T07:00:00Z", -4),
            ("2026-11-01T06:00:00Z", -5),
        ];
        for (switch, hours) in switches {
            let before = if hours == -4 { -5 } else { -4 };
            assert_eq!(new_york_offset(at(switch)), hours * HOUR, "{switch}");
            assert_eq!(new_york_offset(at(switch).plus(-1)), before * HOUR);
        }
        for far in [i64::MIN, i64::MAX] {
            let _ = (new_york_offset(Millis(far)), european_summer(Millis(far)));
        }
    }

    #[test]
    fn europe_changes_its_clocks_to_the_second() {
        let switches = [
            ("2018-03-25T01:00:00Z", 1),
            ("2018-10-28T01:00:00Z", 0),
            ("2024-03-31T01:00:00Z", 1),
            ("2024-10-27T01:00:00Z", 0),
            ("2026-03-29T01:00:00Z", 1),
            ("2026-10-25T01:00:00Z", 0),
        ];
        for (switch, hours) in switches {
            assert_eq!(european_summer(at(switch)), hours * HOUR, "{switch}");
            assert_eq!(european_summer(at(switch).plus(-1)), (1 - hours) * HOUR);
        }
    }
}
