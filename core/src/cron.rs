//! Cron expressions as Cloudflare reads them: five fields, UTC, weekdays from 1 = Sunday.
//!
//! `*`, lists, ranges (which may wrap around), steps and names; of the special forms `L`, `LW` and
//! `15W` for days of the month, and `L`, `FRIL` and `FRI#2` for weekdays. Where days of the month
//! and weekdays are both given, either suffices.
//! <https://developers.cloudflare.com/workers/configuration/cron-triggers/>

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, NaiveDate, Timelike};

use crate::time::Millis;

/// A leap day that falls on a given weekday comes back within 40 years; nothing takes longer.
const HORIZON_DAYS: u64 = 40 * 366;

const MINUTE: i64 = 60_000;

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// When something is to be done: whole minutes, UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    minutes: u64,
    hours: u64,
    days: MonthDays,
    months: u64,
    weekdays: Weekdays,
}

/// Which days of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MonthDays {
    Any,
    These(u64),
    Last,
    LastWorkday,
    /// The workday nearest to a day, within the month.
    WorkdayNearest(u32),
}

/// Which weekdays, 1 = Sunday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weekdays {
    Any,
    These(u64),
    /// The last one of a month.
    LastOf(u32),
    /// The n-th one of a month.
    Nth(u32, u32),
}

/// The text is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not five fields.
    #[error("a cron expression has five fields, this has {0}")]
    Fields(usize),
    /// A field that cannot be read.
    #[error("{text:?} is not a {field} of a cron expression")]
    Field {
        /// What it stands for.
        field: &'static str,
        /// What it says.
        text: String,
    },
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(CronError::Fields(fields.len()));
        };
        Ok(Self {
            text: fields.join(" "),
            minutes: field("minute", minutes, |text| mask(text, 0, 59, &[]))?,
            hours: field("hour", hours, |text| mask(text, 0, 23, &[]))?,
            days: field("day of the month", days, month_days)?,
            months: field("month", months, |text| mask(text, 1, 12, &MONTHS))?,
            weekdays: field("day of the week", weekdays, weekdays_of)?,
        })
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Cron {
    /// Whether it fires in the minute of `at`.
    pub fn matches(&self, at: Millis) -> bool {
        let time = at.to_utc();
        has(self.minutes, time.minute()) && has(self.hours, time.hour()) && self.on(at.date())
    }

    /// The first minute after that of `at` in which it fires; none if it never does.
    pub fn next_after(&self, at: Millis) -> Option<Millis> {
        let from = Millis(at.0.div_euclid(MINUTE) * MINUTE).plus(MINUTE);
        let first = from.date();
        (0..HORIZON_DAYS)
            .filter_map(|days| first.checked_add_days(Days::new(days)))
            .filter(|date| self.on(*date))
            .find_map(|date| self.first_on(date, from))
    }

    fn first_on(&self, date: NaiveDate, from: Millis) -> Option<Millis> {
        let midnight = Millis::at_midnight(date);
        let hours = (0..24).filter(|hour| has(self.hours, *hour));
        hours
            .flat_map(|hour| (0..60).map(move |minute| (hour, minute)))
            .filter(|(_, minute)| has(self.minutes, *minute))
            .map(|(hour, minute)| midnight.plus(i64::from(hour * 60 + minute) * MINUTE))
            .find(|time| *time >= from)
    }

    fn on(&self, date: NaiveDate) -> bool {
        let by_day = self.days.contain(date);
        let by_weekday = self.weekdays.contain(date);
        let either = self.days != MonthDays::Any && self.weekdays != Weekdays::Any;
        has(self.months, date.month())
            && if either {
                by_day || by_weekday
            } else {
                by_day && by_weekday
            }
    }
}

impl MonthDays {
    fn contain(self, date: NaiveDate) -> bool {
        let last = u32::from(date.num_days_in_month());
        match self {
            Self::Any => true,
            Self::These(days) => has(days, date.day()),
            Self::Last => date.day() == last,
            Self::LastWorkday => Some(date) == nearest_workday(date, last),
            Self::WorkdayNearest(day) => Some(date) == nearest_workday(date, day),
        }
    }
}

impl Weekdays {
    fn contain(self, date: NaiveDate) -> bool {
        let weekday = date.weekday().number_from_sunday();
        match self {
            Self::Any => true,
            Self::These(days) => has(days, weekday),
            Self::LastOf(day) => {
                weekday == day && date.day() + 7 > u32::from(date.num_days_in_month())
            }
            Self::Nth(day, n) => weekday == day && (date.day() - 1) / 7 + 1 == n,
        }
    }
}

/// The workday nearest to `day` of the month of `date`, in that month.
fn nearest_workday(date: NaiveDate, day: u32) -> Option<NaiveDate> {
    let wanted = date.with_day(day)?;
    let last = u32::from(date.num_days_in_month());
    let moved = match wanted.weekday().number_from_sunday() {
        1 if day == last => day - 2,
        1 => day + 1,
        7 if day == 1 => day + 2,
        7 => day - 1,
        _ => day,
    };
    date.with_day(moved)
}

fn field<T>(
    name: &'static str,
    text: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, CronError> {
    read(text).ok_or_else(|| CronError::Field {
        field: name,
        text: text.to_owned(),
    })
}

fn month_days(text: &str) -> Option<MonthDays> {
    match text {
        "*" => Some(MonthDays::Any),
        "L" => Some(MonthDays::Last),
        "LW" => Some(MonthDays::LastWorkday),
        _ => match text.strip_suffix('W') {
            Some(day) => value(day, 1, 31, &[]).map(MonthDays::WorkdayNearest),
            None => mask(text, 1, 31, &[]).map(MonthDays::These),
        },
    }
}

fn weekdays_of(text: &str) -> Option<Weekdays> {
    let day = |text| value(text, 1, 7, &WEEKDAYS);
    if text == "*" {
        return Some(Weekdays::Any);
    }
    if text == "L" {
        return Some(Weekdays::These(1 << 7));
    }
    if let Some((weekday, n)) = text.split_once('#') {
        return Some(Weekdays::Nth(day(weekday)?, value(n, 1, 5, &[])?));
    }
    match text.strip_suffix('L') {
        Some(weekday) => day(weekday).map(Weekdays::LastOf),
        None => mask(text, 1, 7, &WEEKDAYS).map(Weekdays::These),
    }
}

/// The values of a list of ranges, as bits.
fn mask(text: &str, min: u32, max: u32, names: &[&str]) -> Option<u64> {
    let mut bits = 0;
    for item in text.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(value(step, 1, max, &[])?)),
            None => (item, None),
        };
        let (from, to) = if range == "*" {
            (min, max)
        } else if let Some((from, to)) = range.split_once('-') {
            (value(from, min, max, names)?, value(to, min, max, names)?)
        } else {
            let one = value(range, min, max, names)?;
            (one, if step.is_some() { max } else { one })
        };
        let all: Vec<u32> = if from <= to {
            (from..=to).collect()
        } else {
            (from..=max).chain(min..=to).collect()
        };
        let chosen = all.into_iter().step_by(step.unwrap_or(1) as usize);
        bits |= chosen.fold(0, |bits, n| bits | 1 << n);
    }
    Some(bits)
}

/// A number or a name; the first name is `min`.
fn value(text: &str, min: u32, max: u32, names: &[&str]) -> Option<u32> {
    if let Some(place) = names
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text))
    {
        return u32::try_from(place).ok().map(|place| min + place);
    }
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits)?;
    (min..=max).contains(&number).then_some(number)
}

fn has(bits: u64, n: u32) -> bool {
    bits & 1 << n != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Millis {
        Millis::parse(text).expect("a time")
    }

    fn cron(text: &str) -> Cron {
        text.parse().expect(text)
    }

    fn next(text: &str, after: &str) -> String {
        let next = cron(text).next_after(at(after)).expect("fires");
        next.to_utc().format("%Y-%m-%d %H:%M %a").to_string()
    }

    #[test]
    fn weekdays_count_from_sunday() {
        let friday = "2026-11-20T22:00:00Z";
        assert!(cron("0 22 * * MON-FRI").matches(at(friday)));
        assert!(cron("0 22 * * 2-6").matches(at(friday)));
        assert!(!cron("0 22 * * 1-5").matches(at(friday)));
        assert!(cron("0 22 * * 1-5").matches(at("2026-11-22T22:00:59Z")));
        assert_eq!(next("0 22 * * MON-FRI", friday), "2026-11-23 22:00 Mon");
        assert!("* * * * 0".parse::<Cron>().is_err());
        assert_eq!(next("0 0 * * FRI-SUN", friday), "2026-11-21 00:00 Sat");
    }

    #[test]
    fn lists_ranges_and_steps() {
        let every_five = cron("*/5 * * * *");
        assert!(every_five.matches(at("2026-11-20T00:05:30Z")));
        assert!(!every_five.matches(at("2026-11-20T00:06:00Z")));
        assert_eq!(
            next("*/5 * * * *", "2026-11-20T23:55:00Z"),
            "2026-11-21 00:00 Sat"
        );
        assert_eq!(
            next("* * * * *", "2026-11-20T23:55:59Z"),
            "2026-11-20 23:56 Fri"
        );
        assert_eq!(
            next("7/20 3,5 * * *", "2026-11-20T03:47:00Z"),
            "2026-11-20 05:07 Fri"
        );
        assert_eq!(
            next("0 22-1/2 * * *", "2026-11-20T22:00:00Z"),
            "2026-11-21 00:00 Sat"
        );
        assert_eq!(
            next("0 0 1 jan,Jul *", "2026-11-20"),
            "2027-01-01 00:00 Fri"
        );
        assert_eq!(next("0 0 29 2 *", "2096-03-01"), "2104-02-29 00:00 Fri");
        assert_eq!(cron("0 0 31 11 *").next_after(at("2026-11-20")), None);
    }

    #[test]
    fn either_kind_of_day_suffices_where_both_are_given() {
        let both = cron("0 0 13 * FRI");
        assert!(both.matches(at("2026-11-13")) && both.matches(at("2026-11-20")));
        assert!(cron("0 0 13 * *").matches(at("2026-12-13")) && both.matches(at("2026-12-13")));
        assert!(!both.matches(at("2026-11-19")));
    }

    #[test]
    fn special_days() {
        assert_eq!(next("0 0 L * *", "2028-02-01"), "2028-02-29 00:00 Tue");
        assert_eq!(next("0 0 LW * *", "2026-10-31"), "2026-11-30 00:00 Mon");
        assert_eq!(next("0 0 LW 1 *", "2026-11-01"), "2027-01-29 00:00 Fri");
        assert_eq!(next("0 0 15W 11 *", "2026-11-01"), "2026-11-16 00:00 Mon");
        assert_eq!(next("0 0 1W 8 *", "2026-07-31"), "2026-08-03 00:00 Mon");
        assert_eq!(next("0 0 * * FRI#2", "2026-11-01"), "2026-11-13 00:00 Fri");
        assert_eq!(next("0 0 * * 6L", "2026-11-01"), "2026-11-27 00:00 Fri");
        assert_eq!(next("0 0 * * L", "2026-11-01"), "2026-11-07 00:00 Sat");
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        assert_eq!("* * * *".parse::<Cron>(), Err(CronError::Fields(4)));
        for bad in [
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * 32 * *",
            "* * * 13 *",
            "* * * * 8",
            "a * * * *",
            "*/0 * * * *",
            "1- * * * *",
            ", * * * *",
            "+1 * * * *",
            "* * L-3 * *",
            "* * * * MON#6",
            "* * * * MONDAY",
            "*-5 * * * *",
            "99999999999 * * * *",
        ] {
            assert!(
                matches!(bad.parse::<Cron>(), Err(CronError::Field { .. })),
                "{bad}"
            );
        }
        assert_eq!(cron(" 0  1 * * mon ").to_string(), "0 1 * * mon");
    }
}
