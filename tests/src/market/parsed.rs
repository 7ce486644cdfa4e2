//! What core makes of what the provider says: the same bars and values in every format, and the
//! documented error for each misbehaviour.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chrono::NaiveDate;
use signalroom_core::fetch::{Answer, FetchError, Fetched, Request};
use signalroom_core::market::provider::{
    self, ApiKey, Bars, Endpoints, Need, Provider, ProviderError, Told,
};
use signalroom_core::market::series::{self, Observations, Series};
use signalroom_core::signals::Bar;
use signalroom_core::time::Millis;

use super::series::{AT_FRED, Mood, PUT_CALL, Revisions, VIX};
use super::{Fault, Market, Order, RetryAfter, Rule};
use crate::client::rest::http;

const WITH_BARS: [Provider; 3] = [Provider::Yahoo, Provider::Stooq, Provider::Tiingo];

fn now() -> Millis {
    Millis::parse("2026-11-23T07:00:00Z").expect("a time")
}

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

async fn market() -> Result<(Market, Endpoints)> {
    let market = Market::start().await?;
    market.set_now(now());
    let endpoints = Endpoints {
        base: Some(market.url()),
        tiingo: Some(ApiKey("token".to_owned())),
        fred: None,
        stooq: None,
    };
    Ok((market, endpoints))
}

fn need(from: &str) -> Need {
    Need {
        symbol: "AAPL".parse().expect("a symbol"),
        from: date(from),
        to: date("2026-11-23"),
    }
}

/// What an adapter does.
async fn fetched(request: Request) -> Fetched {
    let client = http().expect("a client");
    let mut asked = client.get(request.url).timeout(Duration::from_millis(500));
    for (name, value) in request.headers {
        asked = asked.header(name, value);
    }
    let failed = |error: reqwest::Error| match error.is_timeout() {
        true => FetchError::TooSlow,
        false => FetchError::Unreachable,
    };
    let reply = asked.send().await.map_err(failed)?;
    let status = reply.status().as_u16();
    let headers = reply.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), value.into_owned())
    });
    let headers = headers.collect();
    let body = reply.bytes().await.map_err(failed)?.to_vec();
    ensured(body.len() <= request.max_bytes)?;
    Ok(Answer {
        status,
        headers,
        body,
    })
}

fn ensured(small: bool) -> Result<(), FetchError> {
    if small {
        Ok(())
    } else {
        Err(FetchError::TooLarge)
    }
}

type Heard<T> = Result<Told<T>, ProviderError>;

async fn bars_of(provider: Provider, need: &Need, endpoints: &Endpoints) -> Heard<Bars> {
    let request = provider::plan(provider, need, endpoints, None)?;
    let fetched = fetched(request).await;
    provider::parse(provider, need, endpoints, fetched, now())
}

async fn values_of(
    provider: Provider,
    (series, from): (Series, &str),
    endpoints: &Endpoints,
) -> Heard<Observations> {
    let from = date(from);
    let request = series::plan(provider, series, from, endpoints, None)?;
    let fetched = fetched(request).await;
    series::parse(provider, series, from, endpoints, fetched, now())
}

fn new<T: std::fmt::Debug>(told: Heard<T>) -> Result<T> {
    match told? {
        Told::New(new) => Ok(new),
        told @ Told::Unchanged => anyhow::bail!("expected something new, got {told:?}"),
    }
}

fn same(provider: Provider, got: &[Bar], wanted: &[Bar]) -> Result<()> {
    ensure!(
        got.len() == wanted.len(),
        "{provider}: expected {} bars, got {}",
        wanted.len(),
        got.len()
    );
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs();
    for (got, wanted) in got.iter().zip(wanted) {
        ensure!(
            got.date == wanted.date
                && near(got.open, wanted.open)
                && near(got.high, wanted.high)
                && near(got.low, wanted.low)
                && near(got.close, wanted.close)
                && (provider != Provider::Tiingo || near(got.volume, wanted.volume)),
            "{provider}: expected {wanted:?}, got {got:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn every_format_is_read_back() -> Result<()> {
    let (market, endpoints) = market().await?;
    for from in ["2018-01-02", "2026-03-02"] {
        let need = need(from);
        let mut wanted = market.bars("AAPL");
        wanted.retain(|bar| bar.date >= need.from);
        for provider in WITH_BARS {
            let told = new(bars_of(provider, &need, &endpoints).await)?;
            same(provider, &told.bars, &wanted)?;
            assert_eq!(told.rejected, 0, "{provider}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn splits_and_dividends_are_adjusted_for() -> Result<()> {
    let (market, endpoints) = market().await?;
    let (symbol, day) = (|| "AAPL".to_owned(), date("2024-06-10"));
    market.tell(Order::Split {
        symbol: symbol(),
        date: day,
        ratio: 10.0,
    })?;
    for (day, cash) in [("2025-02-10", 0.25), ("2023-08-11", 2.4)] {
        market.tell(Order::Dividend {
            symbol: symbol(),
            date: date(day),
            cash,
        })?;
    }
    let wanted = market.bars("AAPL");
    for provider in WITH_BARS {
        let told = new(bars_of(provider, &need("2018-01-02"), &endpoints).await)?;
        // Four decimals of a price below ten.
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 2e-4;
        assert_eq!(told.bars.len(), wanted.len(), "{provider}");
        for (got, wanted) in told.bars.iter().zip(&wanted) {
            ensure!(
                near(got.close, wanted.close) && near(got.high, wanted.high),
                "{provider}: expected {wanted:?}, got {got:?}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_day_under_way_is_today_s() -> Result<()> {
    let (market, endpoints) = market().await?;
    for (time, day) in [
        ("2026-11-23T14:31:00Z", "2026-11-23"),
        ("2026-11-23T20:59:00Z", "2026-11-23"),
        ("2026-11-23T21:30:00Z", "2026-11-23"),
        // New York's summer time began on the 8th of March.
        ("2026-03-09T13:31:00Z", "2026-03-09"),
        ("2026-03-06T14:31:00Z", "2026-03-06"),
    ] {
        let now = Millis::parse(time).context("a time")?;
        market.set_now(now);
        let need = Need {
            to: now.date(),
            ..need("2026-02-02")
        };
        let mut wanted = market.bars("AAPL");
        wanted.retain(|bar| bar.date >= need.from);
        let request = provider::plan(Provider::Yahoo, &need, &endpoints, None)?;
        let fetched = fetched(request).await;
        let told = provider::parse(Provider::Yahoo, &need, &endpoints, fetched, now);
        let told = new(told)?;
        same(Provider::Yahoo, &told.bars, &wanted).context(time)?;
        assert_eq!(told.bars.last().map(|bar| bar.date), Some(date(day)));
    }
    Ok(())
}

#[tokio::test]
async fn every_series_is_read_back() -> Result<()> {
    let (market, endpoints) = market().await?;
    let keyed = Endpoints {
        fred: Some(ApiKey("key".to_owned())),
        ..endpoints.clone()
    };
    let from = "2024-01-02";
    let wanted = |mood: &Mood, to: &str| -> Vec<_> {
        let all = mood.values(date(to), &Revisions::new()).into_iter();
        let there = all.filter_map(|(day, value)| Some((day, value?)));
        there.filter(|(day, _)| *day >= date(from)).collect()
    };
    let named = [
        Series::Vix,
        Series::HighYieldSpread,
        Series::YieldCurve,
        Series::TenYear,
    ];
    for (series, mood) in named.into_iter().zip(&AT_FRED) {
        for endpoints in [&endpoints, &keyed] {
            let told = new(values_of(Provider::Fred, (series, from), endpoints).await)?;
            assert_eq!(told.values, wanted(mood, "2026-11-20"), "{series}");
            assert_eq!(told.rejected, 0, "{series}");
        }
    }
    let told = new(values_of(Provider::Cboe, (Series::Vix, from), &endpoints).await)?;
    assert_eq!(told.values, wanted(&VIX, "2026-11-20"));
    let put_call =
        new(values_of(Provider::Cboe, (Series::PutCall, "2019-01-02"), &endpoints).await)?;
    assert_eq!(
        put_call.values.last().map(|it| it.0),
        Some(date("2019-10-04"))
    );
    // Since then a day at a time.
    let told = new(values_of(Provider::Cboe, (Series::PutCall, "2026-11-20"), &endpoints).await)?;
    let ratios = wanted(&PUT_CALL, "2026-11-20");
    assert_eq!(told.values, ratios[ratios.len() - 1..]);
    drop(market);
    Ok(())
}

#[tokio::test]
async fn a_version_that_is_known_is_not_read_again() -> Result<()> {
    let (market, endpoints) = market().await?;
    market.tell(Order::Conditional { on: true })?;
    let need = need("2026-03-02");
    let told = new(bars_of(Provider::Yahoo, &need, &endpoints).await)?;
    let validator = told.validator.context("a validator")?;
    let request = provider::plan(Provider::Yahoo, &need, &endpoints, Some(&validator))?;
    let answer = fetched(request).await;
    assert_eq!(answer.as_ref().map(|it| it.status), Ok(304));
    let told = provider::parse(Provider::Yahoo, &need, &endpoints, answer, now());
    assert_eq!(told, Ok(Told::Unchanged));

    let (vix, from) = (Series::Vix, date("2024-01-02"));
    for provider in [Provider::Fred, Provider::Cboe] {
        let told = new(values_of(provider, (vix, "2024-01-02"), &endpoints).await)?;
        let validator = told.validator.context("a validator")?;
        let request = series::plan(provider, vix, from, &endpoints, Some(&validator))?;
        let answer = fetched(request).await;
        let told = series::parse(provider, vix, from, &endpoints, answer, now());
        assert_eq!(told, Ok(Told::Unchanged), "{provider}");
    }
    Ok(())
}

/// What an error is, without its details.
fn kind(error: &ProviderError) -> &'static str {
    match error {
        ProviderError::Fetch(FetchError::TooSlow) => "slow",
        ProviderError::Fetch(_) => "unreachable",
        ProviderError::RateLimited { .. } => "rate limited",
        ProviderError::Unauthorized => "unauthorized",
        ProviderError::NotFound => "not found",
        ProviderError::Status(_) => "status",
        ProviderError::WebPage => "web page",
        ProviderError::Malformed(_) => "malformed",
        ProviderError::WrongSymbol => "wrong symbol",
        ProviderError::Empty => "empty",
        ProviderError::Said(_) => "said",
        ProviderError::Unsupported(_) => "unsupported",
    }
}

const FAILURES: [(Fault, &str); 11] = [
    (Fault::Status(500), "status"),
    // There is no key to refuse.
    (Fault::Status(401), "status"),
    (Fault::Status(404), "not found"),
    (Fault::RateLimited(RetryAfter::Unsaid), "rate limited"),
    (Fault::WebPage, "web page"),
    (Fault::Reset, "unreachable"),
    (Fault::CutOff, "unreachable"),
    (Fault::Silent, "slow"),
    (Fault::Stalled, "slow"),
    (Fault::Redirect, "status"),
    (Fault::Empty, "empty"),
];

#[tokio::test]
async fn each_misbehaviour_is_its_error() -> Result<()> {
    let (market, endpoints) = market().await?;
    let need = need("2025-01-02");
    for provider in WITH_BARS {
        let named = [
            (Fault::DailyLimit, "rate limited"),
            (Fault::WrongSymbol, "wrong symbol"),
            (Fault::Truncated, "malformed"),
            (Fault::Nan, "malformed"),
        ];
        for (fault, wanted) in FAILURES.into_iter().chain(named) {
            // CSV has no end, nor a name, and its rows are read one by one.
            let unseen = match fault {
                Fault::WrongSymbol => provider != Provider::Yahoo,
                Fault::Truncated | Fault::Nan => provider == Provider::Stooq,
                _ => false,
            };
            if unseen {
                continue;
            }
            let wanted = match (provider, fault) {
                (Provider::Tiingo, Fault::Status(401)) => "unauthorized",
                _ => wanted,
            };
            market.misbehave(Rule::new(fault));
            let told = bars_of(provider, &need, &endpoints).await;
            market.heal();
            let got = told.as_ref().err().map(kind);
            ensure!(
                got == Some(wanted),
                "{provider}, {fault:?}: expected {wanted}, got {got:?}"
            );
        }
    }
    for (after, wanted) in [
        (RetryAfter::Unsaid, None),
        (RetryAfter::Seconds(60), Some(60_000)),
        (RetryAfter::Date(60), Some(60_000)),
    ] {
        market.misbehave(Rule::new(Fault::RateLimited(after)).times(1));
        let told = bars_of(Provider::Yahoo, &need, &endpoints).await;
        let retry_after = wanted;
        assert_eq!(told, Err(ProviderError::RateLimited { retry_after }));
    }
    market.tell(Order::Delist {
        symbol: "AAPL".to_owned(),
    })?;
    for provider in WITH_BARS {
        let told = bars_of(provider, &need, &endpoints).await;
        let got = told.as_ref().err().map(kind);
        // Stooq says the same of what it does not know and of what it has nothing of.
        let wanted = match provider {
            Provider::Stooq => "empty",
            _ => "not found",
        };
        assert_eq!(got, Some(wanted), "{provider}");
    }
    Ok(())
}

#[tokio::test]
async fn rows_that_are_no_bars_cost_nobody_the_others() -> Result<()> {
    let (market, endpoints) = market().await?;
    let need = need("2025-01-02");
    let mut all = market.bars("AAPL");
    all.retain(|bar| bar.date >= need.from);
    let mut without = all.clone();
    without.remove(all.len() / 2);
    for provider in WITH_BARS {
        for (fault, wanted, rejected) in [
            (Fault::Duplicated, &all, None),
            (Fault::Unordered, &all, Some(0)),
            (Fault::Nulls, &without, Some(0)),
            (Fault::Absurd, &without, Some(1)),
            (Fault::Slow(20), &all, Some(0)),
        ] {
            market.misbehave(Rule::new(fault).times(1));
            let told = bars_of(provider, &need, &endpoints).await;
            let told = new(told).with_context(|| format!("{provider}, {fault:?}"))?;
            same(provider, &told.bars, wanted).with_context(|| format!("{fault:?}"))?;
            if let Some(rejected) = rejected {
                assert_eq!(told.rejected, rejected, "{provider}, {fault:?}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_series_misbehaves_in_the_same_words() -> Result<()> {
    let (market, endpoints) = market().await?;
    let asked = (Series::Vix, "2025-01-02");
    for provider in [Provider::Fred, Provider::Cboe] {
        for (fault, wanted) in FAILURES {
            market.misbehave(Rule::new(fault));
            let told = values_of(provider, asked, &endpoints).await;
            market.heal();
            let got = told.as_ref().err().map(kind);
            ensure!(
                got == Some(wanted),
                "{provider}, {fault:?}: expected {wanted}, got {got:?}"
            );
        }
        let whole = new(values_of(provider, asked, &endpoints).await)?.values;
        for fault in [
            Fault::Nan,
            Fault::Absurd,
            Fault::Nulls,
            Fault::Unordered,
            Fault::Duplicated,
        ] {
            market.misbehave(Rule::new(fault).times(1));
            let told = new(values_of(provider, asked, &endpoints).await);
            let told = told.with_context(|| format!("{provider}, {fault:?}"))?;
            let fewer = usize::from(matches!(fault, Fault::Nan | Fault::Absurd | Fault::Nulls));
            // Cboe's file begins before what is asked for, and so does its damaged row.
            ensure!(
                told.values.len() == whole.len() - fewer || provider == Provider::Cboe,
                "{provider}, {fault:?}: got {} of {}",
                told.values.len(),
                whole.len()
            );
        }
    }
    market.misbehave(Rule::new(Fault::WrongSymbol));
    let told = values_of(Provider::Fred, asked, &endpoints).await;
    assert_eq!(told, Err(ProviderError::WrongSymbol));
    Ok(())
}
