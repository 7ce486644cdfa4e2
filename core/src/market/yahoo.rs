//! Yahoo Finance's chart API, version 8: `query1.finance.yahoo.com/v8/finance/chart/{symbol}`.
//!
//! It has no published documentation; what is known of it was put together by those who use it
//! (<https://github.com/ranaroussi/yfinance>, <https://github.com/gadicc/yahoo-finance2>). It takes
//! no key and turns programs away with 429, so the request introduces itself as a browser does.
//!
//! Prices: its quotes are adjusted for splits, and `adjclose` is the close adjusted for splits and
//! dividends. Bars are the quotes times `adjclose / close`, so neither a split nor a dividend moves
//! them; the volume is adjusted for splits already. What is not traded in shares (currencies,
//! indices, crypto) comes without `adjclose` and is taken as it is; a share without it is refused.
//!
//! Dates: a row carries the time at which its session began, the newest one that of the last trade.
//! Its date is that of the exchange, and `gmtoffset` is today's offset, not that of the row: for the
//! zones of the Americas and Europe their own rules count. Currencies are stamped at midnight in
//! London, which in summer is 23:00 UTC of the day before.
//!
//! Rows: a row of nulls is a day without a bar; the row of the running session may come twice, with
//! the newest numbers last.

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::http::{Address, Agent, content, escaped, json, said};
use super::provider::{Bars, Endpoints, Need, Provider, ProviderError, Told, Validator};
use super::rows::{Quote, Row, Rows, json_number};
use crate::calendar::zone::{european_summer, new_york_offset};
use crate::fetch::{Answer, Request};
use crate::signals::Bar;
use crate::signals::parse::MAX_ROWS;
use crate::time::Millis;

const HOUR: i64 = 3600;

/// By how much rounding can move an adjusted open or close out of its high and low.
const ROUNDING: f64 = 1e-9;

fn address(need: &Need, endpoints: &Endpoints) -> Address {
    // Whole days, so that the address, and with it the version, is the same all day. One more
    // before: sessions east of Greenwich begin on the day before in UTC.
    let seconds = |at: Millis| at.0 / 1000;
    let begin = seconds(Millis::at_midnight(need.from)) - 24 * HOUR;
    let end = seconds(Millis::at_midnight(need.to)) + 24 * HOUR;
    let path = format!(
        "/v8/finance/chart/{}?period1={begin}&period2={end}&interval=1d\
         &events=div%2Csplit&includeAdjustedClose=true",
        escaped(need.symbol.as_str()),
    );
    let host = "query1.finance.yahoo.com";
    Address::new(Provider::Yahoo, endpoints, host, &path, Agent::Browser)
        .header("accept", "application/json".to_owned())
}

pub(super) fn plan(need: &Need, endpoints: &Endpoints, known: Option<&Validator>) -> Request {
    address(need, endpoints).request(known)
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    chart: Option<Chart<'a>>,
    /// What some of its errors come in.
    finance: Option<Chart<'a>>,
}

#[derive(Deserialize)]
struct Chart<'a> {
    #[serde(borrow)]
    result: Option<Vec<Found<'a>>>,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    code: Option<String>,
    description: Option<String>,
}

#[derive(Deserialize)]
struct Found<'a> {
    meta: Meta,
    timestamp: Option<Vec<i64>>,
    #[serde(borrow)]
    indicators: Indicators<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    symbol: String,
    instrument_type: Option<String>,
    exchange_timezone_name: Option<String>,
    /// Seconds, now.
    #[serde(rename = "gmtoffset")]
    offset: Option<i64>,
    data_granularity: Option<String>,
}

#[derive(Deserialize)]
struct Indicators<'a> {
    #[serde(borrow)]
    quote: Vec<Quotes<'a>>,
    adjclose: Option<Vec<Adjusted<'a>>>,
}

type Column<'a> = Option<Vec<&'a RawValue>>;

#[derive(Deserialize)]
struct Quotes<'a> {
    #[serde(borrow)]
    open: Column<'a>,
    high: Column<'a>,
    low: Column<'a>,
    close: Column<'a>,
    volume: Column<'a>,
}

#[derive(Deserialize)]
struct Adjusted<'a> {
    #[serde(borrow)]
    adjclose: Column<'a>,
}

pub(super) fn parse(
    need: &Need,
    endpoints: &Endpoints,
    answer: &Answer,
    now: Millis,
) -> Result<Told<Bars>, ProviderError> {
    if matches!(answer.status, 400 | 404 | 422)
        && let Ok(text) = std::str::from_utf8(&answer.body)
        && let Ok(reply) = json::<Reply>(text)
        && let Some(error) = reply.chart.or(reply.finance).and_then(|it| it.error)
    {
        return Err(told(&error, endpoints));
    }
    let Some(text) = content(answer, false, now)? else {
        return Ok(Told::Unchanged);
    };
    let reply: Reply = json(text)?;
    let chart = reply.chart.or(reply.finance);
    let chart = chart.ok_or(ProviderError::Malformed("it has no chart"))?;
    if let Some(error) = chart.error {
        return Err(told(&error, endpoints));
    }
    let found = chart.result.and_then(|found| found.into_iter().next());
    let found = found.ok_or(ProviderError::Malformed("its chart is empty"))?;
    let (bars, rejected) = bars(need, &found, now)?;
    Ok(Told::New(Bars {
        bars,
        rejected,
        validator: address(need, endpoints).validator(answer),
    }))
}

fn told(error: &Fault, endpoints: &Endpoints) -> ProviderError {
    let code = error.code.as_deref().unwrap_or_default();
    let description = error.description.as_deref().unwrap_or(code);
    match code {
        "Not Found" => ProviderError::NotFound,
        "Too Many Requests" => ProviderError::RateLimited { retry_after: None },
        // Of dates before the first trade.
        _ if description.starts_with("Data doesn't exist") => ProviderError::Empty,
        _ => said(description, endpoints),
    }
}

fn bars(need: &Need, found: &Found, now: Millis) -> Result<(Vec<Bar>, u32), ProviderError> {
    let meta = &found.meta;
    if !meta.symbol.eq_ignore_ascii_case(need.symbol.as_str()) {
        return Err(ProviderError::WrongSymbol);
    }
    if meta
        .data_granularity
        .as_deref()
        .is_some_and(|it| it != "1d")
    {
        return Err(ProviderError::Malformed("its rows are not days"));
    }
    let times = found.timestamp.as_deref().unwrap_or_default();
    if times.is_empty() {
        return Err(ProviderError::Empty);
    }
    if times.len() > MAX_ROWS {
        return Err(ProviderError::Malformed("it has too many rows"));
    }
    let quotes = found.indicators.quote.first();
    let quotes = quotes.ok_or(ProviderError::Malformed("it has no quotes"))?;
    let columns = [
        &quotes.open,
        &quotes.high,
        &quotes.low,
        &quotes.close,
        &quotes.volume,
    ];
    let columns = columns.map(|column| column.as_deref().unwrap_or_default());
    let zone = Zone::of(meta).ok_or(ProviderError::Malformed("it has no time zone"))?;
    let adjusted = found.indicators.adjclose.as_deref().unwrap_or_default();
    let adjusted = adjusted.first().and_then(|it| it.adjclose.as_deref());
    let is_share = matches!(
        meta.instrument_type.as_deref(),
        Some("EQUITY" | "ETF" | "MUTUALFUND")
    );
    if adjusted.is_none() && is_share {
        return Err(ProviderError::Malformed("it has no adjusted closes"));
    }
    let even = |column: &[&RawValue]| column.len() == times.len();
    if !columns.into_iter().chain(adjusted).all(even) {
        return Err(ProviderError::Malformed("its columns differ in length"));
    }
    // By time, and where that is the same in the order they came, so that the last one counts.
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by_key(|row| times[*row]);
    let mut rows = Rows::new(need.from, need.to, now);
    for row in order {
        let [open, high, low, close, volume] = columns.map(|column| json_number(column[row]));
        let [open, high, low, close] = [open, high, low, close].map(|price| price.map(single));
        let quote = Quote([open, high, low, close, volume]);
        let at = times[row].checked_mul(1000).map(Millis);
        let row = match at.map(|at| quote.bar(zone.date(at))) {
            Some(Row::Has(bar)) => match adjusted.map(|column| json_number(column[row])) {
                None => Row::Has(bar),
                Some(None) => Row::Unreadable,
                Some(Some(close)) => Row::Has(adjust(bar, single(close))),
            },
            Some(other) => other,
            None => Row::Unreadable,
        };
        rows.add(row)?;
    }
    rows.finish()
}

/// Yahoo computes prices in single precision: 149.99 comes as 149.99000549316406. The decimal of
/// seven digits that is the same single is what was meant.
fn single(price: f64) -> f64 {
    if !(1e-9..1e7).contains(&price) {
        return price;
    }
    let scale = 10_f64.powi(6 - price.log10().floor() as i32);
    let short = (price * scale).round() / scale;
    if f64::from(short as f32) == price {
        short
    } else {
        price
    }
}

/// The bar with its close adjusted to `close`, and the other prices with it.
fn adjust(bar: Bar, close: f64) -> Bar {
    if close == bar.close {
        return bar;
    }
    let factor = close / bar.close;
    let open = bar.open * factor;
    let (top, bottom) = (open.max(close), open.min(close));
    let (high, low) = (bar.high * factor, bar.low * factor);
    Bar {
        open,
        // Where more than rounding is at odds, the bar is left as it is, to be refused.
        high: if high < top && high >= top * (1.0 - ROUNDING) {
            top
        } else {
            high
        },
        low: if low > bottom && low <= bottom * (1.0 + ROUNDING) {
            bottom
        } else {
            low
        },
        close,
        ..bar
    }
}

/// How an exchange's clocks are set.
enum Zone {
    /// So many seconds ahead of New York's.
    NewYork(i64),
    /// So many seconds ahead of UTC in winter.
    Europe(i64),
    Fixed(i64),
}

impl Zone {
    fn of(meta: &Meta) -> Option<Self> {
        let name = meta.exchange_timezone_name.as_deref().unwrap_or_default();
        Some(match name {
            "America/New_York" | "America/Toronto" => Self::NewYork(0),
            "America/Chicago" => Self::NewYork(-HOUR),
            "Europe/London" | "Europe/Dublin" | "Europe/Lisbon" => Self::Europe(0),
            "Europe/Athens" | "Europe/Bucharest" | "Europe/Helsinki" | "Europe/Riga"
            | "Europe/Sofia" | "Europe/Tallinn" | "Europe/Vilnius" => Self::Europe(2 * HOUR),
            "Europe/Istanbul" | "Europe/Moscow" => Self::Fixed(3 * HOUR),
            _ if name.starts_with("Europe/") => Self::Europe(HOUR),
            _ => Self::Fixed(meta.offset?.clamp(-15 * HOUR, 15 * HOUR)),
        })
    }

    fn date(&self, at: Millis) -> NaiveDate {
        let seconds = match self {
            Self::NewYork(ahead) => new_york_offset(at) + ahead,
            Self::Europe(winter) => european_summer(at) + winter,
            Self::Fixed(ahead) => *ahead,
        };
        at.plus(1000 * seconds).date()
    }
}
