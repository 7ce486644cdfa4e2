//! FRED, the data of the Federal Reserve Bank of St. Louis.
//!
//! With a key, the API: <https://fred.stlouisfed.org/docs/api/fred/series_observations.html>. Its
//! value `.` is a day without one; its errors are `{"error_code", "error_message"}`
//! (<https://fred.stlouisfed.org/docs/api/fred/errors.html>). Without one, the CSV that its charts are
//! downloaded as: `fred.stlouisfed.org/graph/fredgraph.csv?id={series}&cosd={from}`, whose header is
//! `observation_date` (until 2024 `DATE`) and the series, with `.` or nothing for a day without a
//! value.
//!
//! Its [`Series::HighYieldSpread`] has gone back three years only since April 2026, as the series'
//! own notes say: asking for more is no error and brings no more.

use std::borrow::Cow;

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::http::{Address, Agent, content, json, said};
use super::provider::{Endpoints, Provider, ProviderError, Told, Validator};
use super::rows::{Row, Rows, table};
use super::series::{Observation, Observations, Series};
use crate::fetch::{Answer, Request};
use crate::signals::parse::{iso_date, lines, number, split};
use crate::time::Millis;

/// Its name for the series.
fn id(series: Series) -> Result<&'static str, ProviderError> {
    match series {
        Series::Vix => Ok("VIXCLS"),
        Series::HighYieldSpread => Ok("BAMLH0A0HYM2"),
        Series::YieldCurve => Ok("T10Y2Y"),
        Series::TenYear => Ok("DGS10"),
        Series::PutCall => Err(ProviderError::Unsupported("it has no such series")),
    }
}

fn address(
    series: Series,
    from: NaiveDate,
    endpoints: &Endpoints,
) -> Result<Address, ProviderError> {
    let id = id(series)?;
    Ok(match &endpoints.fred {
        Some(key) => {
            let path = format!(
                "/fred/series/observations?series_id={id}&file_type=json&observation_start={from}"
            );
            let host = "api.stlouisfed.org";
            Address::new(Provider::Fred, endpoints, host, &path, Agent::Program)
                .header("accept", "application/json".to_owned())
                .keyed("api_key", key)
        }
        None => {
            let path = format!("/graph/fredgraph.csv?id={id}&cosd={from}");
            let host = "fred.stlouisfed.org";
            Address::new(Provider::Fred, endpoints, host, &path, Agent::Program)
        }
    })
}

pub(super) fn plan(
    series: Series,
    from: NaiveDate,
    endpoints: &Endpoints,
    known: Option<&Validator>,
) -> Result<Request, ProviderError> {
    Ok(address(series, from, endpoints)?.request(known))
}

pub(super) fn parse(
    series: Series,
    from: NaiveDate,
    endpoints: &Endpoints,
    answer: &Answer,
    now: Millis,
) -> Result<Told<Observations>, ProviderError> {
    let address = address(series, from, endpoints)?;
    let keyed = endpoints.fred.is_some();
    if keyed
        && answer.status == 400
        && let Ok(text) = std::str::from_utf8(&answer.body)
        && let Ok(Reply {
            error_message: Some(words),
            ..
        }) = json(text)
    {
        return Err(told(&words, endpoints));
    }
    let Some(text) = content(answer, keyed, now)? else {
        return Ok(Told::Unchanged);
    };
    let mut rows = Rows::new(from, NaiveDate::MAX, now);
    if keyed {
        let reply: Reply = json(text)?;
        if let Some(words) = reply.error_message {
            return Err(told(&words, endpoints));
        }
        let items = reply.observations;
        for item in items.ok_or(ProviderError::Malformed("it has no observations"))? {
            rows.add(item_value(series, item))?;
        }
    } else {
        let id = id(series)?;
        let names = ["observation_date", "date"];
        let found = names.iter().find_map(|date| table(text, [*date, id]));
        for row in found.ok_or_else(|| headless(text))? {
            rows.add(row.map_or(Row::Unreadable, |[date, text]| value(series, date, text)))?;
        }
    }
    let (values, rejected) = rows.finish()?;
    Ok(Told::New(Observations {
        values,
        rejected,
        validator: address.validator(answer),
    }))
}

fn told(words: &str, endpoints: &Endpoints) -> ProviderError {
    if words.contains("api_key") {
        ProviderError::Unauthorized
    } else if words.contains("does not exist") {
        ProviderError::NotFound
    } else if words.contains("Too Many Requests") {
        ProviderError::RateLimited { retry_after: None }
    } else {
        said(words, endpoints)
    }
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    observations: Option<Vec<&'a RawValue>>,
    /// In place of them.
    error_message: Option<String>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    date: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

fn item_value(series: Series, item: &RawValue) -> Row<Observation> {
    match serde_json::from_str::<Item>(item.get()) {
        Ok(item) => value(series, item.date.as_bytes(), item.value.as_bytes()),
        Err(_) => Row::Unreadable,
    }
}

fn value(series: Series, date: &[u8], text: &[u8]) -> Row<Observation> {
    let Some(date) = iso_date(date) else {
        return Row::Unreadable;
    };
    match text {
        b"" | b"." => Row::Nothing,
        text => series.row(date, number(text)),
    }
}

/// Why a CSV has no header with the series.
fn headless(text: &str) -> ProviderError {
    let mut fields = Vec::new();
    let header = lines(text.as_bytes()).next();
    let read = header.is_some_and(|(_, line)| split(line, &mut fields).is_ok());
    match fields.as_slice() {
        [date, _] if read && date.to_ascii_lowercase().ends_with(b"date") => {
            ProviderError::WrongSymbol
        }
        _ => ProviderError::Malformed("it has no header"),
    }
}
