//! Bars as Yahoo, Stooq and Tiingo write them.

use std::io::Write as _;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use serde_json::{Value, json};
use signalroom_core::calendar;
use signalroom_core::signals::Bar;
use signalroom_core::time::Millis;

use super::answer::{Answer, Shown, damaged};
use super::book::{Row, View};
use super::fault::Fault;

/// Rows as they are shown.
pub(super) type Shows = Vec<(Row, Shown)>;

/// What is asked of a symbol.
pub(super) struct Asks<'a> {
    /// The symbol as it is named in the answer.
    pub symbol: &'a str,
    /// The first date.
    pub from: NaiveDate,
    /// The last date.
    pub to: NaiveDate,
    /// The provider's clock.
    pub view: View,
}

impl Asks<'_> {
    /// The rows within the dates, damaged as asked for.
    pub fn pick(&self, rows: &[Row], fault: Option<Fault>) -> Shows {
        let within = |row: &&Row| (self.from..=self.to).contains(&row.raw.date);
        let rows = rows.iter().filter(within).copied().collect();
        damaged(rows, fault, |row: &mut Row| {
            for bar in [&mut row.raw, &mut row.split_adjusted, &mut row.adjusted] {
                std::mem::swap(&mut bar.high, &mut bar.low);
                bar.high *= 0.9;
            }
        })
    }
}

/// Seconds by which New York is behind UTC, noon of that day: daylight saving is from the second
/// Sunday in March to the first in November (15 U.S.C. 260a). Not the calendar's own rule, so that
/// the two can be compared.
pub(super) fn new_york(date: NaiveDate) -> i64 {
    let sunday = |month, number| {
        NaiveDate::from_weekday_of_month_opt(date.year(), month, Weekday::Sun, number)
            .unwrap_or(date)
    };
    let summer = (sunday(3, 2)..sunday(11, 1)).contains(&date);
    if summer { 4 * 3600 } else { 5 * 3600 }
}

/// 9:30 in New York, seconds since the epoch.
pub(super) fn opening(date: NaiveDate) -> i64 {
    Millis::at_midnight(date).0 / 1000 + 9 * 3600 + 1800 + new_york(date)
}

/// `items` as the elements of a JSON array.
fn array<T>(out: &mut Vec<u8>, items: &[T], mut one: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        one(out, item);
    }
    out.push(b']');
}

fn number(out: &mut Vec<u8>, shown: Shown, value: f64) {
    match shown {
        Shown::Numbers => {
            serde_json::to_writer(&mut *out, &value).expect("writing to memory cannot fail");
        }
        Shown::Nulls => out.extend(b"null"),
        Shown::Nan => out.extend(b"NaN"),
    }
}

/// Yahoo keeps prices in single precision.
fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

fn whole(out: &mut Vec<u8>, value: f64) {
    write!(out, "{value:.0}").expect("writing to memory cannot fail");
}

fn prices(bar: &Bar) -> [f64; 4] {
    [bar.open, bar.high, bar.low, bar.close]
}

/// Yahoo's v8 chart.
pub(super) fn yahoo(asks: &Asks, rows: &Shows, first: NaiveDate, last: Option<Bar>) -> Answer {
    let now = asks.view.now.0 / 1000;
    let offset = -new_york(asks.view.now.date());
    let partial = asks.view.share < 1.0;
    // The day's row carries the time of the last trade until the day is over.
    let stamp = |date: NaiveDate| {
        if partial && date == asks.view.newest {
            now
        } else {
            opening(date)
        }
    };
    let period = |from: i64, to: i64| {
        let zone = if offset == -14_400 { "EDT" } else { "EST" };
        json!({"timezone": zone, "start": from, "end": to, "gmtoffset": offset})
    };
    let opens = opening(asks.view.newest);
    let price = last.map(|bar| single(bar.close));
    let meta = json!({
        "currency": "USD", "symbol": asks.symbol, "exchangeName": "NMS",
        "fullExchangeName": "NasdaqGS", "instrumentType": "EQUITY",
        "firstTradeDate": opening(first), "regularMarketTime": now.min(opens + 23_400),
        "hasPrePostMarketData": true, "gmtoffset": offset,
        "timezone": if offset == -14_400 { "EDT" } else { "EST" },
        "exchangeTimezoneName": "America/New_York", "regularMarketPrice": price,
        "chartPreviousClose": price, "priceHint": 2,
        "currentTradingPeriod": {
            "pre": period(opens - 19_800, opens),
            "regular": period(opens, opens + 23_400),
            "post": period(opens + 23_400, opens + 37_800),
        },
        "dataGranularity": "1d", "range": "",
        "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
    });
    let mut body = Vec::with_capacity(128 * rows.len() + 2048);
    write!(body, "{{\"chart\":{{\"result\":[{{\"meta\":{meta}").expect("memory");
    if rows.is_empty() {
        body.extend(b",\"indicators\":{\"quote\":[{}],\"adjclose\":[{}]}}],\"error\":null}}");
        return Answer::json(200, body);
    }
    body.extend(b",\"timestamp\":");
    array(&mut body, rows, |out, (row, _)| {
        whole(out, stamp(row.raw.date) as f64);
    });
    events(&mut body, rows);
    body.extend(b",\"indicators\":{\"quote\":[{");
    for (at, name) in ["open", "high", "low", "close"].into_iter().enumerate() {
        write!(body, "\"{name}\":").expect("memory");
        array(&mut body, rows, |out, (row, shown)| {
            number(out, *shown, single(prices(&row.split_adjusted)[at]));
        });
        body.push(b',');
    }
    body.extend(b"\"volume\":");
    array(&mut body, rows, |out, (row, shown)| match shown {
        Shown::Numbers => whole(out, row.split_adjusted.volume),
        _ => number(out, *shown, 0.0),
    });
    body.extend(b"}],\"adjclose\":[{\"adjclose\":");
    array(&mut body, rows, |out, (row, shown)| {
        number(out, *shown, single(row.adjusted.close));
    });
    body.extend(b"}]}}],\"error\":null}}");
    Answer::json(200, body)
}

fn events(body: &mut Vec<u8>, rows: &Shows) {
    let mut splits = serde_json::Map::new();
    let mut dividends = serde_json::Map::new();
    for (row, _) in rows {
        let at = opening(row.raw.date);
        if row.split != 1.0 {
            let told = json!({"date": at, "numerator": row.split, "denominator": 1.0,
                "splitRatio": format!("{}:1", row.split)});
            splits.insert(at.to_string(), told);
        }
        if row.dividend > 0.0 {
            dividends.insert(at.to_string(), json!({"amount": row.dividend, "date": at}));
        }
    }
    let mut events = serde_json::Map::new();
    for (name, told) in [("dividends", dividends), ("splits", splits)] {
        if !told.is_empty() {
            events.insert(name.to_owned(), Value::Object(told));
        }
    }
    if !events.is_empty() {
        write!(body, ",\"events\":{}", Value::Object(events)).expect("memory");
    }
}

/// Yahoo's own errors.
pub(super) fn yahoo_error(status: u16, code: &str, description: &str) -> Answer {
    let error = json!({"code": code, "description": description});
    let told = json!({"chart": {"result": null, "error": error}});
    Answer::json(status, told.to_string())
}

/// Stooq's CSV, with the line ends of Windows.
pub(super) fn stooq(rows: &Shows) -> Answer {
    if rows.is_empty() {
        return Answer::csv("No data");
    }
    let mut body = Vec::with_capacity(64 * rows.len() + 64);
    body.extend(b"Date,Open,High,Low,Close,Volume\r\n");
    for (row, shown) in rows {
        let bar = &row.adjusted;
        write!(body, "{}", bar.date).expect("memory");
        for price in prices(bar) {
            match shown {
                Shown::Numbers => write!(body, ",{}", (price * 1e4).round() / 1e4).expect("memory"),
                Shown::Nulls => body.push(b','),
                Shown::Nan => body.extend(b",NaN"),
            }
        }
        match shown {
            Shown::Numbers => write!(body, ",{:.0}", bar.volume).expect("memory"),
            Shown::Nulls => body.push(b','),
            Shown::Nan => body.extend(b",NaN"),
        }
        body.extend(b"\r\n");
    }
    Answer::csv(body)
}

/// Tiingo's end-of-day prices.
pub(super) fn tiingo(rows: &Shows) -> Answer {
    let mut body = Vec::with_capacity(320 * rows.len() + 16);
    array(&mut body, rows, |out, (row, shown)| {
        write!(out, "{{\"date\":\"{}T00:00:00.000Z\"", row.raw.date).expect("memory");
        let (raw, adjusted) = (&row.raw, &row.adjusted);
        for (name, value) in [
            ("close", raw.close),
            ("high", raw.high),
            ("low", raw.low),
            ("open", raw.open),
            ("volume", raw.volume),
            ("adjClose", adjusted.close),
            ("adjHigh", adjusted.high),
            ("adjLow", adjusted.low),
            ("adjOpen", adjusted.open),
            ("adjVolume", row.split_adjusted.volume),
        ] {
            write!(out, ",\"{name}\":").expect("memory");
            if *shown == Shown::Numbers && name.ends_with("olume") {
                whole(out, value);
            } else {
                number(out, *shown, value);
            }
        }
        out.extend(b",\"divCash\":");
        number(out, Shown::Numbers, row.dividend);
        out.extend(b",\"splitFactor\":");
        number(out, Shown::Numbers, row.split);
        out.push(b'}');
    });
    Answer::json(200, body)
}

/// The last day of a version, for `Last-Modified`.
pub(super) fn modified(view: &View) -> Millis {
    let day = view.newest_final();
    calendar::final_at(day).min(Millis::at_midnight(day + Days::new(1)))
}
