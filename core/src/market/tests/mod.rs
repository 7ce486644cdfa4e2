//! Providers' answers in their real formats, and every way in which they misbehave.

mod any;
mod cboe;
mod common;
mod fred;
mod stooq;
mod tiingo;
mod yahoo;

use chrono::NaiveDate;

use super::provider::{
    self, ApiKey, Bars, Endpoints, Need, Provider, ProviderError, Told, Validator,
};
use super::series::{self, Observation, Observations, Series};
use crate::fetch::{Answer, Fetched};
use crate::signals::Bar;
use crate::time::{Millis, parse_date};

fn date(text: &str) -> NaiveDate {
    parse_date(text).expect(text)
}

fn at(text: &str) -> Millis {
    Millis::parse(text).expect(text)
}

/// The Monday before Thanksgiving, after the daily batch.
fn now() -> Millis {
    at("2026-11-23T22:30:00Z")
}

fn need(symbol: &str, from: &str, to: &str) -> Need {
    Need {
        symbol: symbol.parse().expect(symbol),
        from: date(from),
        to: date(to),
    }
}

/// A key that has to be escaped in an address.
const KEY: &str = "sec/ret+42";

fn key() -> Option<ApiKey> {
    Some(ApiKey(KEY.to_owned()))
}

fn keys() -> Endpoints {
    Endpoints {
        base: None,
        tiingo: key(),
        fred: key(),
        stooq: key(),
    }
}

/// No keys but Tiingo's, which does without none.
fn free() -> Endpoints {
    Endpoints {
        tiingo: key(),
        ..Endpoints::default()
    }
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> Fetched {
    Ok(Answer {
        status,
        headers: Vec::new(),
        body: body.into(),
    })
}

fn with(fetched: Fetched, name: &str, value: &str) -> Fetched {
    fetched.map(|mut answer| {
        answer.headers.push((name.to_owned(), value.to_owned()));
        answer
    })
}

fn new<T>(told: Result<Told<T>, ProviderError>) -> T {
    match told {
        Ok(Told::New(new)) => new,
        Ok(Told::Unchanged) => panic!("nothing changed"),
        Err(error) => panic!("{error}"),
    }
}

/// A bar's date and numbers, easy to compare.
fn shown(bars: &[Bar]) -> Vec<(String, [f64; 5])> {
    let shown = |bar: &Bar| {
        let numbers = [bar.open, bar.high, bar.low, bar.close, bar.volume];
        (bar.date.to_string(), numbers)
    };
    bars.iter().map(shown).collect()
}

fn dates(bars: &[Bar]) -> Vec<String> {
    bars.iter().map(|bar| bar.date.to_string()).collect()
}

/// No close is far from the one before.
fn assert_no_crash(bars: &[Bar]) {
    for pair in bars.windows(2) {
        let change = pair[1].close / pair[0].close;
        assert!((0.9..1.1).contains(&change), "{pair:?}");
    }
}
