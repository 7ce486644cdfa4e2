//! Tiingo's end-of-day prices: <https://www.tiingo.com/documentation/end-of-day>,
//! `api.tiingo.com/tiingo/daily/{ticker}/prices`, with a key as `Authorization: Token …`.
//!
//! Prices: beside the raw ones it has `adjOpen`, `adjHigh`, `adjLow` and `adjClose`, adjusted for
//! splits and dividends (the method of CRSP), and `adjVolume`, adjusted for splits. Those are taken;
//! the raw ones fall by 90% on a 10:1 split. A date is written as midnight UTC of the session's day.
//!
//! It knows the shares and funds of the United States and writes a class as `BRK-B`; the answer does
//! not name the ticker. Its errors are `{"detail": "…"}`, mostly but not always with their status.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::http::{Address, Agent, content, escaped, json, said};
use super::provider::{Bars, Endpoints, Need, Provider, ProviderError, Told, Validator, us_share};
use super::rows::{Quote, Row, Rows, json_number};
use crate::fetch::{Answer, Request};
use crate::signals::Bar;
use crate::signals::parse::iso_date;
use crate::time::Millis;

fn address(need: &Need, endpoints: &Endpoints) -> Result<Address, ProviderError> {
    let key = endpoints.tiingo.as_ref();
    let key = key.ok_or(ProviderError::Unsupported("it wants a key"))?;
    if !key.0.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ProviderError::Unsupported("its key is no key"));
    }
    let symbol = need.symbol.as_str();
    if !us_share(symbol) {
        return Err(ProviderError::Unsupported("it has no such kind of symbol"));
    }
    let path = format!(
        "/tiingo/daily/{}/prices?startDate={}&endDate={}&format=json&resampleFreq=daily",
        escaped(symbol),
        need.from,
        need.to,
    );
    let host = "api.tiingo.com";
    Ok(
        Address::new(Provider::Tiingo, endpoints, host, &path, Agent::Program)
            .header("accept", "application/json".to_owned())
            .header("authorization", format!("Token {}", key.0)),
    )
}

pub(super) fn plan(
    need: &Need,
    endpoints: &Endpoints,
    known: Option<&Validator>,
) -> Result<Request, ProviderError> {
    Ok(address(need, endpoints)?.request(known))
}

#[derive(Deserialize)]
struct Refusal {
    detail: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Day<'a> {
    date: String,
    #[serde(borrow)]
    adj_open: Option<&'a RawValue>,
    adj_high: Option<&'a RawValue>,
    adj_low: Option<&'a RawValue>,
    adj_close: Option<&'a RawValue>,
    adj_volume: Option<&'a RawValue>,
}

pub(super) fn parse(
    need: &Need,
    endpoints: &Endpoints,
    answer: &Answer,
    now: Millis,
) -> Result<Told<Bars>, ProviderError> {
    let address = address(need, endpoints)?;
    if matches!(answer.status, 200 | 400)
        && let Ok(text) = std::str::from_utf8(&answer.body)
        && let Some(words) = refusal(text)
    {
        return Err(told(&words, endpoints));
    }
    let Some(text) = content(answer, true, now)? else {
        return Ok(Told::Unchanged);
    };
    let days: Vec<&RawValue> = json(text)?;
    let mut rows = Rows::new(need.from, need.to, now);
    for day in days {
        rows.add(bar(day))?;
    }
    let (bars, rejected) = rows.finish()?;
    Ok(Told::New(Bars {
        bars,
        rejected,
        validator: address.validator(answer),
    }))
}

/// What it says in place of data: JSON, or a bare sentence.
fn refusal(text: &str) -> Option<String> {
    if text.trim_start().starts_with('{') {
        let refusal: Refusal = serde_json::from_str(text).ok()?;
        return Some(refusal.detail);
    }
    text.starts_with("Error:").then(|| text.to_owned())
}

fn told(words: &str, endpoints: &Endpoints) -> ProviderError {
    // "You have run over your hourly request allocation", and likewise for days and symbols.
    if words.contains("run over your") || words.contains("allocation") {
        return ProviderError::RateLimited { retry_after: None };
    }
    if words.contains("not found") {
        return ProviderError::NotFound;
    }
    if words.contains("Invalid token") {
        return ProviderError::Unauthorized;
    }
    said(words, endpoints)
}

fn bar(day: &RawValue) -> Row<Bar> {
    let Ok(day) = serde_json::from_str::<Day>(day.get()) else {
        return Row::Unreadable;
    };
    // `2026-11-20T00:00:00.000Z`.
    let (date, time) = day.date.split_at_checked(10).unwrap_or_default();
    if !time.is_empty() && !time.starts_with("T00:00:00") {
        return Row::Unreadable;
    }
    let cells = [
        day.adj_open,
        day.adj_high,
        day.adj_low,
        day.adj_close,
        day.adj_volume,
    ];
    let quote = Quote(cells.map(|cell| cell.and_then(json_number)));
    iso_date(date.as_bytes()).map_or(Row::Unreadable, |date| quote.bar(date))
}
