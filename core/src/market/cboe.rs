//! Cboe's files of daily values.
//!
//! - The volatility index: `VIX_History.csv` of
//!   <https://www.cboe.com/tradable_products/vix/vix_historical_data/>, `DATE,OPEN,HIGH,LOW,CLOSE`
//!   since 1990, dates as `MM/DD/YYYY`. The close is taken.
//! - Puts per call on all of its options: `totalpc.csv` of
//!   <https://www.cboe.com/us/options/market_statistics/historical_data/>, two lines about it (the
//!   second names the product), then `DATE,CALLS,PUTS,TOTAL,P/C Ratio`, dates as `M/D/YYYY`. It
//!   begins on 2006-11-01 and was not continued after 2019-10-04.
//! - Since 2019-10-07 there is a file a day, behind
//!   <https://www.cboe.com/us/options/market_statistics/daily/>: JSON with `ratios`, whose values are
//!   texts of two decimals. A day without one (a holiday, or one that is not over) is a 403 with an
//!   XML error of the file server. So after 2019-10-04 an answer has one day: the first session from
//!   the date that was asked for.
//!
//! The ratio is taken as published in both.

use chrono::{Days, NaiveDate};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::http::{Address, Agent, content, json};
use super::provider::{Endpoints, Provider, ProviderError, Told, Validator};
use super::rows::{Row, Rows, table};
use super::series::{Observation, Observations, Series};
use crate::calendar;
use crate::fetch::{Answer, Request};
use crate::signals::parse::{lines, number};
use crate::time::Millis;

/// The last date of `totalpc.csv`.
const RATIOS_END: NaiveDate = NaiveDate::from_ymd_opt(2019, 10, 4).expect("a date");

const HOST: &str = "cdn.cboe.com";

/// A file it has.
enum File {
    VixHistory,
    Ratios,
    /// The statistics of a session.
    Daily(NaiveDate),
}

impl File {
    fn of(series: Series, from: NaiveDate) -> Result<Self, ProviderError> {
        match series {
            Series::Vix => Ok(Self::VixHistory),
            Series::PutCall if from <= RATIOS_END => Ok(Self::Ratios),
            Series::PutCall => {
                let until = from.checked_add_days(Days::new(14)).unwrap_or(from);
                let session = calendar::sessions(from, until).next();
                Ok(Self::Daily(session.unwrap_or(from)))
            }
            Series::HighYieldSpread | Series::YieldCurve | Series::TenYear => {
                Err(ProviderError::Unsupported("it has no such series"))
            }
        }
    }

    fn address(&self, endpoints: &Endpoints) -> Address {
        let path = match self {
            Self::VixHistory => "/api/global/us_indices/daily_prices/VIX_History.csv".to_owned(),
            Self::Ratios => "/resources/options/volume_and_call_put_ratios/totalpc.csv".to_owned(),
            Self::Daily(date) => {
                format!("/data/us/options/market_statistics/daily/{date}_daily_options")
            }
        };
        Address::new(Provider::Cboe, endpoints, HOST, &path, Agent::Program)
    }
}

pub(super) fn plan(
    series: Series,
    from: NaiveDate,
    endpoints: &Endpoints,
    known: Option<&Validator>,
) -> Result<Request, ProviderError> {
    Ok(File::of(series, from)?.address(endpoints).request(known))
}

pub(super) fn parse(
    series: Series,
    from: NaiveDate,
    endpoints: &Endpoints,
    answer: &Answer,
    now: Millis,
) -> Result<Told<Observations>, ProviderError> {
    let file = File::of(series, from)?;
    if matches!(file, File::Daily(_)) && is_absent(answer) {
        return Err(ProviderError::Empty);
    }
    let Some(text) = content(answer, false, now)? else {
        return Ok(Told::Unchanged);
    };
    let mut rows = Rows::new(from, NaiveDate::MAX, now);
    match file {
        File::VixHistory => columns(&mut rows, series, text, "close")?,
        File::Ratios => {
            of_all_products(text)?;
            columns(&mut rows, series, text, "p/c ratio")?;
        }
        File::Daily(date) => rows.add(series.row(date, daily(text)?))?,
    }
    let (values, rejected) = rows.finish()?;
    Ok(Told::New(Observations {
        values,
        rejected,
        validator: file.address(endpoints).validator(answer),
    }))
}

/// Whether the file server has no such file.
fn is_absent(answer: &Answer) -> bool {
    let denied = b"AccessDenied";
    let is_denied = || answer.body.windows(denied.len()).any(|part| part == denied);
    answer.status == 404 || answer.status == 403 && is_denied()
}

fn columns(
    rows: &mut Rows<Observation>,
    series: Series,
    text: &str,
    name: &str,
) -> Result<(), ProviderError> {
    let table = table(text, ["date", name]);
    for row in table.ok_or(ProviderError::Malformed("it has no header"))? {
        rows.add(match row.map(|[date, text]| (american_date(date), text)) {
            Some((Some(_), b"")) => Row::Nothing,
            Some((Some(date), text)) => series.row(date, number(text)),
            _ => Row::Unreadable,
        })?;
    }
    Ok(())
}

/// Refuses a file of another product: the line before the header names it.
fn of_all_products(text: &str) -> Result<(), ProviderError> {
    let about = |(_, line): (u64, &[u8])| {
        let line = String::from_utf8_lossy(line).to_ascii_uppercase();
        let (_, product) = line.split_once("PRODUCT:")?;
        Some(product.trim_start().starts_with("TOTAL"))
    };
    match lines(text.as_bytes()).take(3).find_map(about) {
        Some(false) => Err(ProviderError::WrongSymbol),
        _ => Ok(()),
    }
}

/// `MM/DD/YYYY`, in older rows without leading zeros.
fn american_date(text: &[u8]) -> Option<NaiveDate> {
    let mut parts = text.split(|byte| *byte == b'/');
    let mut next = |digits: std::ops::RangeInclusive<usize>| {
        let part = parts.next().filter(|part| digits.contains(&part.len()))?;
        let digit = |sum: u32, byte: &u8| {
            let digit = char::from(*byte).to_digit(10)?;
            Some(sum * 10 + digit)
        };
        part.iter().try_fold(0, digit)
    };
    let (month, day, year) = (next(1..=2)?, next(1..=2)?, next(4..=4)?);
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day);
    date.filter(|_| parts.next().is_none())
}

#[derive(Deserialize)]
struct Day<'a> {
    #[serde(borrow)]
    ratios: Vec<Ratio<'a>>,
}

#[derive(Deserialize)]
struct Ratio<'a> {
    name: String,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// The ratio of a day's file; none where it is no number.
fn daily(text: &str) -> Result<Option<f64>, ProviderError> {
    let day: Day = json(text)?;
    let total = |ratio: &&Ratio| ratio.name == "TOTAL PUT/CALL RATIO";
    let total = day.ratios.iter().find(total).and_then(|it| it.value);
    let total = total.ok_or(ProviderError::Malformed("it has no ratio of all products"))?;
    Ok(number(total.get().trim_matches('"').as_bytes()))
}
