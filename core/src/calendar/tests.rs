//! The calendar against the tables that the exchange published.

use super::*;

/// Full holidays from Monday to Friday: <https://www.nyse.com/markets/hours-calendars> and the
/// exchange's announcements of each year ("NYSE Group Announces 2018, 2019 and 2020 Holiday and Early
/// Closings Calendar" up to that of 2026, 2027 and 2028), with the two days of mourning.
const HOLIDAYS: [(i32, &str); 11] = [
    (
        2018,
        "01-01 01-15 02-19 03-30 05-28 07-04 09-03 11-22 12-05 12-25",
    ),
    (
        2019,
        "01-01 01-21 02-18 04-19 05-27 07-04 09-02 11-28 12-25",
    ),
    (
        2020,
        "01-01 01-20 02-17 04-10 05-25 07-03 09-07 11-26 12-25",
    ),
    (
        2021,
        "01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24",
    ),
    (
        2022,
        "01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26",
    ),
    (
        2023,
        "01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 11-23 12-25",
    ),
    (
        2024,
        "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25",
    ),
    (
        2025,
        "01-01 01-09 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25",
    ),
    (
        2026,
        "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25",
    ),
    (
        2027,
        "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24",
    ),
    (
        2028,
        "01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25",
    ),
];

/// Sessions that end at 13:00, from the same tables.
const EARLY: [(i32, &str); 11] = [
    (2018, "07-03 11-23 12-24"),
    (2019, "07-03 11-29 12-24"),
    (2020, "11-27 12-24"),
    (2021, "11-26"),
    (2022, "11-25"),
    (2023, "07-03 11-24"),
    (2024, "07-03 11-29 12-24"),
    (2025, "07-03 11-28 12-24"),
    (2026, "11-27 12-24"),
    (2027, "11-26"),
    (2028, "07-03 11-24"),
];

fn date(text: &str) -> NaiveDate {
    crate::time::parse_date(text).expect(text)
}

fn at(text: &str) -> Millis {
    Millis::parse(text).expect(text)
}

fn days(year: i32) -> impl Iterator<Item = NaiveDate> {
    let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
    first.iter_days().take_while(move |day| day.year() == year)
}

fn shown(days: impl Iterator<Item = NaiveDate>) -> String {
    let days: Vec<String> = days.map(|day| day.format("%m-%d").to_string()).collect();
    days.join(" ")
}

#[test]
fn holidays_are_those_that_the_exchange_published() {
    for (year, published) in HOLIDAYS {
        let weekdays = days(year).filter(|day| day.weekday().num_days_from_monday() < 5);
        let closed = weekdays.filter(|day| session(*day).is_none());
        assert_eq!(shown(closed), published, "{year}");
        let weekends = days(year).filter(|day| day.weekday().num_days_from_monday() >= 5);
        assert_eq!(weekends.filter(|day| session(*day).is_some()).count(), 0);
    }
}

#[test]
fn early_closes_are_those_that_the_exchange_published() {
    for (year, published) in EARLY {
        let early = days(year).filter(|day| {
            session(*day).is_some_and(|held| held.close.0 - held.open.0 != 390 * MINUTE)
        });
        assert_eq!(shown(early), published, "{year}");
    }
}

#[test]
fn every_year_to_come_has_nine_or_ten_holidays() {
    for year in 2029..=2050 {
        let new_year = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
        let lost = usize::from(new_year.weekday() == Weekday::Sat);
        let weekdays = days(year).filter(|day| day.weekday().num_days_from_monday() < 5);
        let closed = weekdays.filter(|day| session(*day).is_none()).count();
        assert_eq!(closed, 10 - lost, "{year}");
    }
}

#[test]
fn a_session_is_in_new_york_time() {
    let times = [
        // Winter; the Friday before summer time begins, and the Monday after.
        ("2026-01-15", "14:30", "21:00"),
        ("2026-03-06", "14:30", "21:00"),
        ("2026-03-09", "13:30", "20:00"),
        // The Friday before it ends, and the Monday after.
        ("2026-10-30", "13:30", "20:00"),
        ("2026-11-02", "14:30", "21:00"),
        // Early closes of summer and winter.
        ("2025-07-03", "13:30", "17:00"),
        ("2026-11-27", "14:30", "18:00"),
    ];
    for (day, open, close) in times {
        let held = session(date(day)).expect(day);
        assert_eq!(held.date, date(day));
        assert_eq!(held.open, at(&format!("{day}T{open}:00Z")), "{day}");
        assert_eq!(held.close, at(&format!("{day}T{close}:00Z")), "{day}");
        assert!(held.close <= final_at(held.date), "{day}");
    }
}

#[test]
fn sessions_are_those_between_two_dates() {
    let of = |from: &str, to: &str| shown(sessions(date(from), date(to)));
    assert_eq!(of("2026-11-25", "2026-11-30"), "11-25 11-27 11-30");
    assert_eq!(of("2026-11-26", "2026-11-26"), "");
    assert_eq!(of("2026-11-27", "2026-11-27"), "11-27");
    assert_eq!(of("2026-11-27", "2026-11-25"), "");
    assert_eq!(sessions(HISTORY_START, HISTORY_START).count(), 1);
}

#[test]
fn a_bar_is_due_from_the_daily_batch_on() {
    let due = |now: &str| newest_due(at(now)).to_string();
    assert_eq!(due("2026-11-25T21:59:59.999Z"), "2026-11-24");
    assert_eq!(due("2026-11-25T22:00:00Z"), "2026-11-25");
    // Over Thanksgiving, then over a weekend.
    assert_eq!(due("2026-11-26T23:00:00Z"), "2026-11-25");
    assert_eq!(due("2026-11-27T21:59:00Z"), "2026-11-25");
    assert_eq!(due("2026-11-27T22:00:00Z"), "2026-11-27");
    assert_eq!(due("2026-11-30T12:00:00Z"), "2026-11-27");
    for far in [i64::MIN, i64::MAX] {
        let _ = newest_due(Millis(far));
    }
}

#[test]
fn a_bar_is_unfinished_from_the_opening_to_the_daily_batch() {
    let bar = |now: &str| unfinished(at(now)).map(|date| date.to_string());
    assert_eq!(bar("2026-11-25T14:29:59.999Z"), None);
    assert_eq!(bar("2026-11-25T14:30:00Z"), Some("2026-11-25".into()));
    assert_eq!(bar("2026-11-25T21:59:59.999Z"), Some("2026-11-25".into()));
    assert_eq!(bar("2026-11-25T22:00:00Z"), None);
    assert_eq!(bar("2026-11-26T15:00:00Z"), None);
    assert_eq!(bar("2026-11-28T15:00:00Z"), None);
}
