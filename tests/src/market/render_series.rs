//! Series as FRED and Cboe write them.

use std::fmt::Write as _;

use chrono::{Datelike, NaiveDate};
use serde_json::json;

use super::answer::{Answer, Shown, damaged};
use super::fault::Fault;
use super::series::Value;

/// Days as they are shown.
pub(super) type Days = Vec<(Value, Shown)>;

/// The values from `from` on, damaged as asked for.
pub(super) fn pick(values: Vec<Value>, from: NaiveDate, fault: Option<Fault>) -> Days {
    let within = values.into_iter().filter(|(date, _)| *date >= from);
    damaged(within.collect(), fault, |row: &mut Value| {
        row.1 = Some(-1e9);
    })
}

/// A value as FRED writes it: a full stop on a holiday, and nothing at all on some (its CSV has
/// had both).
fn fred_value((date, value): &Value, shown: Shown, blank: bool) -> String {
    match (shown, value) {
        (Shown::Nan, _) => "NaN".to_owned(),
        // Only what `Absurd` made.
        (Shown::Numbers, Some(value)) if *value < -1e6 => "n/a".to_owned(),
        (Shown::Numbers, Some(value)) => format!("{value:.2}"),
        (Shown::Nulls, _) | (_, None) if blank && date.day() % 2 == 1 => String::new(),
        (Shown::Nulls, _) | (_, None) => ".".to_owned(),
    }
}

/// FRED's `series/observations`.
pub(super) fn fred_json(days: &Days, from: NaiveDate, today: NaiveDate) -> Answer {
    let observations: Vec<_> = days
        .iter()
        .map(|(day, shown)| {
            json!({"realtime_start": today, "realtime_end": today, "date": day.0,
                "value": fred_value(day, *shown, false)})
        })
        .collect();
    let told = json!({"realtime_start": today, "realtime_end": today,
        "observation_start": from, "observation_end": "9999-12-31", "units": "lin",
        "output_type": 1, "file_type": "json", "order_by": "observation_date",
        "sort_order": "asc", "count": observations.len(), "offset": 0, "limit": 100_000,
        "observations": observations});
    Answer::json(200, told.to_string())
}

/// FRED's own errors.
pub(super) fn fred_error(message: &str) -> Answer {
    let told = json!({"error_code": 400, "error_message": format!("Bad Request.  {message}")});
    Answer::json(400, told.to_string())
}

/// FRED's `fredgraph.csv`.
pub(super) fn fred_csv(id: &str, days: &Days) -> Answer {
    let mut body = format!("observation_date,{id}\n");
    for (day, shown) in days {
        let _ = writeln!(body, "{},{}", day.0, fred_value(day, *shown, true));
    }
    Answer::csv(body)
}

/// Cboe's history of an index.
pub(super) fn cboe_index(days: &Days) -> Answer {
    let mut body = "DATE,OPEN,HIGH,LOW,CLOSE\n".to_owned();
    let mut before = None;
    for ((date, value), shown) in days {
        let Some(close) = *value else { continue };
        let open: f64 = before.replace(close).unwrap_or(close);
        let (high, low) = (open.max(close) * 1.03, open.min(close) * 0.97);
        let _ = write!(body, "{}", date.format("%m/%d/%Y"));
        for number in [open, high, low, close] {
            let _ = match shown {
                Shown::Numbers => write!(body, ",{number:.6}"),
                Shown::Nulls => write!(body, ","),
                Shown::Nan => write!(body, ",NaN"),
            };
        }
        body.push('\n');
    }
    Answer::csv(body)
}

/// Where Cboe's file of put/call ratios begins, and where it ends: it has not been continued.
pub(super) const RATIOS: (NaiveDate, NaiveDate) = (
    NaiveDate::from_ymd_opt(2006, 11, 1).expect("a date"),
    NaiveDate::from_ymd_opt(2019, 10, 4).expect("a date"),
);

/// Calls, puts and both of a day with that ratio.
fn volumes(date: NaiveDate, ratio: f64) -> (u64, u64, u64) {
    let calls = 1_400_000 + 1_000 * u64::from(date.ordinal());
    let puts = (calls as f64 * ratio).round().max(0.0) as u64;
    (calls, puts, calls + puts)
}

/// Cboe's `totalpc.csv`: two lines about it, and spaces after commas in the later rows.
pub(super) fn cboe_ratios(product: &str, days: &Days) -> Answer {
    let mut body = format!(
        "Cboe Volume and Put/Call Ratio data is furnished without responsibility for accuracy.,,,,\r\n\
         , PRODUCT: {product},,EXCHANGE: Cboe,\r\nDATE,CALLS,PUTS,TOTAL,P/C Ratio\r\n"
    );
    for ((date, value), shown) in days {
        let Some(ratio) = *value else { continue };
        let (calls, puts, total) = volumes(*date, ratio);
        let _ = match shown {
            Shown::Nulls => write!(body, "{},,,,", date.format("%-m/%-d/%Y")),
            Shown::Nan => write!(body, "{},NaN,NaN,NaN,NaN", date.format("%-m/%-d/%Y")),
            Shown::Numbers if date.year() < 2012 => {
                let date = date.format("%-m/%-d/%Y");
                write!(body, "{date},{calls},{puts},{total},{ratio:.2}")
            }
            Shown::Numbers => {
                let date = date.format("%m/%d/%Y");
                write!(body, "{date}, {calls}, {puts}, {total}, {ratio:.2}")
            }
        };
        body.push_str("\r\n");
    }
    Answer::csv(body)
}

/// Cboe's statistics of one day, since the file ended.
pub(super) fn cboe_day(date: NaiveDate, ratio: f64) -> Answer {
    let (calls, puts, total) = volumes(date, ratio);
    let told = json!({
        "ratios": [
            {"name": "TOTAL PUT/CALL RATIO", "value": format!("{ratio:.2}")},
            {"name": "INDEX PUT/CALL RATIO", "value": format!("{:.2}", ratio * 1.2)},
            {"name": "EQUITY PUT/CALL RATIO", "value": format!("{:.2}", ratio * 0.7)},
        ],
        "SUM OF ALL PRODUCTS": [
            {"name": "VOLUME", "call": calls, "put": puts, "total": total},
            {"name": "OPEN INTEREST", "call": 40 * calls, "put": 40 * puts, "total": 40 * total},
        ],
    });
    Answer::json(200, told.to_string())
}

/// What Cboe's file server says of a file that is not there.
pub(super) fn cboe_denied() -> Answer {
    let mut answer = Answer::text(
        403,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
    );
    answer.headers = vec![("content-type", "application/xml".to_owned())];
    answer
}
