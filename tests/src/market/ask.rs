//! What a request asks for, by each provider's own paths and queries.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use percent_encoding::percent_decode_str;
use signalroom_core::market::provider::Provider;
use signalroom_core::time::{Millis, parse_date};

use super::render;

/// The dates that are asked for, both included; without one, from the start or to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dates {
    pub from: NaiveDate,
    pub to: NaiveDate,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    Yahoo(String, Dates),
    Stooq(String, Dates),
    Tiingo(String, Dates),
    FredJson(String, NaiveDate),
    FredCsv(String, NaiveDate),
    CboeIndex,
    CboeRatios,
    CboeDay(NaiveDate),
}

/// A request's target, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub provider: Provider,
    /// None where the provider has nothing of the kind.
    pub ask: Option<Ask>,
    /// A symbol or series in one spelling, else the path.
    pub what: String,
    pub query: BTreeMap<String, String>,
}

/// Reads `/{provider}/{its own path}?{its own query}`.
pub(super) fn read(target: &str) -> Option<Target> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let (provider, path) = path.strip_prefix('/')?.split_once('/')?;
    let provider: Provider = provider.parse().ok()?;
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let ask = ask(provider, &path, &query);
    let what = match &ask {
        Some(Ask::Yahoo(symbol, _) | Ask::Stooq(symbol, _) | Ask::Tiingo(symbol, _)) => {
            super::book::key(symbol)
        }
        Some(Ask::FredJson(id, _) | Ask::FredCsv(id, _)) => id.clone(),
        Some(Ask::CboeIndex) => "VIX_HISTORY".to_owned(),
        Some(Ask::CboeRatios) => "TOTALPC".to_owned(),
        Some(Ask::CboeDay(_)) => "DAILY_OPTIONS".to_owned(),
        None => path.into_owned(),
    };
    Some(Target {
        provider,
        ask,
        what,
        query,
    })
}

const BEGIN: NaiveDate = NaiveDate::from_ymd_opt(1990, 1, 1).expect("a date");
const END: NaiveDate = NaiveDate::from_ymd_opt(9999, 12, 31).expect("a date");

fn ask(provider: Provider, path: &str, query: &BTreeMap<String, String>) -> Option<Ask> {
    let parameter = |name: &str| query.get(name).map(String::as_str);
    let date = |name: &str, otherwise: NaiveDate| match parameter(name) {
        Some(text) => parse_date(text),
        None => Some(otherwise),
    };
    match provider {
        Provider::Yahoo => {
            let symbol = path.strip_prefix("v8/finance/chart/")?;
            (parameter("interval")? == "1d").then_some(())?;
            let dates = Dates {
                from: parameter("period1").map_or(Some(BEGIN), opens_from)?,
                to: match parameter("period2") {
                    Some(text) => opens_from(text)? - Days::new(1),
                    None => END,
                },
            };
            Some(Ask::Yahoo(symbol.to_owned(), dates))
        }
        Provider::Stooq => {
            (path == "q/d/l/" && parameter("i")? == "d").then_some(())?;
            let asked = parameter("s")?.to_ascii_uppercase();
            let symbol = asked.strip_suffix(".US").unwrap_or(&asked);
            let compact = |name: &str, otherwise| match parameter(name) {
                Some(text) => NaiveDate::parse_from_str(text, "%Y%m%d").ok(),
                None => Some(otherwise),
            };
            let dates = Dates {
                from: compact("d1", BEGIN)?,
                to: compact("d2", END)?,
            };
            Some(Ask::Stooq(symbol.to_owned(), dates))
        }
        Provider::Tiingo => {
            let symbol = path
                .strip_prefix("tiingo/daily/")?
                .strip_suffix("/prices")?;
            let dates = Dates {
                from: date("startDate", BEGIN)?,
                to: date("endDate", END)?,
            };
            Some(Ask::Tiingo(symbol.to_owned(), dates))
        }
        Provider::Fred => match path {
            "fred/series/observations" => {
                (parameter("file_type")? == "json").then_some(())?;
                let id = parameter("series_id")?.to_ascii_uppercase();
                Some(Ask::FredJson(id, date("observation_start", BEGIN)?))
            }
            "graph/fredgraph.csv" => {
                let id = parameter("id")?.to_ascii_uppercase();
                Some(Ask::FredCsv(id, date("cosd", BEGIN)?))
            }
            _ => None,
        },
        Provider::Cboe => match path {
            "api/global/us_indices/daily_prices/VIX_History.csv" => Some(Ask::CboeIndex),
            "resources/options/volume_and_call_put_ratios/totalpc.csv" => Some(Ask::CboeRatios),
            _ => {
                let file = path.strip_prefix("data/us/options/market_statistics/daily/")?;
                let date = file.strip_suffix("_daily_options")?;
                Some(Ask::CboeDay(parse_date(date)?))
            }
        },
    }
}

/// The first day whose opening in New York is at that second or later.
fn opens_from(text: &str) -> Option<NaiveDate> {
    let seconds: i64 = text.parse().ok()?;
    let day = Millis(seconds.checked_mul(1000)?).date();
    if render::opening(day) < seconds {
        day.succ_opt()
    } else {
        Some(day)
    }
}
