//! Stooq's daily CSV: `stooq.com/q/d/l/?s={symbol}&i=d`, the "Download data in csv file" of
//! <https://stooq.com/q/d/?s=aapl.us>.
//!
//! Since 2026 it wants a key, which is free after a captcha (`&get_apikey` on that page), and since
//! the middle of that year it sends programs a page with a proof of work to do, status 200, with or
//! without a key. That page is a [`ProviderError::WebPage`] here: a check against programs is not
//! worked around.
//!
//! Prices are adjusted for splits and dividends (its parameter `o` would leave adjustments out). Its
//! own words: `No data` for a symbol it does not know as for dates without any, `Exceeded the daily
//! hits limit`, `Get your apikey`. The CSV does not name the symbol.
//!
//! Volume: indices that have none lack the column, and nobody trades an index, so theirs is zero. A
//! missing volume in a column, or a share without the column, is refused.

use chrono::NaiveDate;

use super::http::{Address, Agent, content, escaped, said};
use super::provider::{Bars, Endpoints, Need, Provider, ProviderError, Told, Validator, us_share};
use super::rows::{Quote, Row, Rows, table};
use crate::fetch::{Answer, Request};
use crate::signals::Bar;
use crate::signals::parse::iso_date;
use crate::time::Millis;

/// Its name for a share listed in the United States, or an index.
fn name(need: &Need) -> Option<String> {
    let symbol = need.symbol.as_str();
    match symbol.strip_prefix('^') {
        Some(index) => index
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric())
            .then(|| symbol.to_ascii_lowercase()),
        None => us_share(symbol).then(|| format!("{}.us", symbol.to_ascii_lowercase())),
    }
}

fn address(need: &Need, endpoints: &Endpoints) -> Result<Address, ProviderError> {
    let name = name(need).ok_or(ProviderError::Unsupported("it has no such kind of symbol"))?;
    let path = format!(
        "/q/d/l/?s={}&i=d&d1={}&d2={}",
        escaped(&name),
        need.from.format("%Y%m%d"),
        need.to.format("%Y%m%d"),
    );
    let address = Address::new(
        Provider::Stooq,
        endpoints,
        "stooq.com",
        &path,
        Agent::Browser,
    );
    Ok(match &endpoints.stooq {
        Some(key) => address.keyed("apikey", key),
        None => address,
    })
}

pub(super) fn plan(
    need: &Need,
    endpoints: &Endpoints,
    known: Option<&Validator>,
) -> Result<Request, ProviderError> {
    Ok(address(need, endpoints)?.request(known))
}

pub(super) fn parse(
    need: &Need,
    endpoints: &Endpoints,
    answer: &Answer,
    now: Millis,
) -> Result<Told<Bars>, ProviderError> {
    let address = address(need, endpoints)?;
    let keyed = endpoints.stooq.is_some();
    let Some(text) = content(answer, keyed, now)? else {
        return Ok(Told::Unchanged);
    };
    let words = text.trim();
    if words.is_empty() {
        return Err(ProviderError::Malformed("it is empty"));
    }
    if words.starts_with("No data") {
        return Err(ProviderError::Empty);
    }
    if words.starts_with("Exceeded the daily hits limit") {
        return Err(ProviderError::RateLimited { retry_after: None });
    }
    if words.starts_with("Get your apikey") {
        return Err(ProviderError::Unauthorized);
    }
    let mut rows = Rows::new(need.from, need.to, now);
    if let Some(table) = table(text, ["date", "open", "high", "low", "close", "volume"]) {
        for row in table {
            rows.add(row.map_or(Row::Unreadable, |[date, cells @ ..]| {
                bar(date, Quote::of_cells(cells))
            }))?;
        }
    } else if need.symbol.as_str().starts_with('^')
        && let Some(table) = table(text, ["date", "open", "high", "low", "close"])
    {
        for row in table {
            rows.add(
                row.map_or(Row::Unreadable, |[date, open, high, low, close]| {
                    bar(date, Quote::of_cells([open, high, low, close, b"0"]))
                }),
            )?;
        }
    } else if words.len() < 200 && !words.contains(['\n', ',']) {
        return Err(said(words, endpoints));
    } else {
        return Err(ProviderError::Malformed("it lacks a column"));
    }
    let (bars, rejected) = rows.finish()?;
    Ok(Told::New(Bars {
        bars,
        rejected,
        validator: address.validator(answer),
    }))
}

fn bar(date: &[u8], quote: Quote) -> Row<Bar> {
    let date: Option<NaiveDate> = iso_date(date);
    date.map_or(Row::Unreadable, |date| quote.bar(date))
}
