//! Market data that the product fetches for itself, from a provider on this machine.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chrono::NaiveDate;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use signalroom_core::calendar;
use signalroom_core::signals::Bar;
use signalroom_harness::clock;

use super::read;
use crate::bars;
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::Role;
use crate::market::Market;
use crate::target::{Kind, Server, Start, Stop};

mod fill;
mod manners;
mod revisions;
mod trouble;
mod watchlist;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [
        fill::cases(),
        trouble::cases(),
        manners::cases(),
        revisions::cases(),
        watchlist::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A desk whose data come from `market`, as `body` sees it.
struct Desk<'a> {
    ctx: Ctx,
    market: &'a Market,
}

/// Starts the product with `market` as its provider and these vars, and runs `body` against it.
/// The market shows finished sessions alone, whatever the time is.
async fn supplied(
    ctx: &Ctx,
    vars: &[(&str, &str)],
    body: impl for<'a> FnOnce(Desk<'a>) -> BoxFuture<'a, Result<()>>,
) -> Result<()> {
    between_crons(ctx.kind()).await;
    let market = Market::start().await?;
    market.publish_through(newest());
    let mut start = Start::clone(ctx.start());
    // Other cases ask nobody.
    start.vars.remove("PROVIDERS");
    let url = market.url();
    for (name, value) in vars.iter().chain(&[("PROVIDER_URL", url.as_str())]) {
        start.vars.insert((*name).to_owned(), (*value).to_owned());
    }
    let mut server = Server::start(ctx.kind(), &start).await?;
    let desk = Desk {
        ctx: ctx.at(server.url()),
        market: &market,
    };
    let outcome = body(desk).await;
    // Who waits for an answer that never comes would hold up the stop.
    market.heal();
    let log = server.log();
    let outcome = outcome.with_context(|| format!("the server said:\n{log}"));
    server.stop(Stop::Gently).await?;
    outcome?;
    for (name, key) in vars.iter().filter(|(name, _)| name.contains("KEY")) {
        ensure!(!log.contains(key), "expected no {name} in the log:\n{log}");
    }
    Ok(())
}

/// How long a case may take in which no run but its own is to be seen.
const QUIET: Duration = Duration::from_secs(20);

/// The native binary's own clock starts runs too, by the minute, and nothing but time ends one: a
/// case that counts requests begins when there is time enough before the next.
async fn between_crons(kind: Kind) {
    let minute = 60_000;
    let left = minute - clock::now().0.rem_euclid(minute);
    if kind == Kind::Harness && left < i64::try_from(QUIET.as_millis()).unwrap_or(minute) {
        let left = Duration::from_millis(left.unsigned_abs());
        tokio::time::sleep(left + Duration::from_secs(1)).await;
    }
}

/// The newest session whose bar is final.
fn newest() -> NaiveDate {
    calendar::newest_due(clock::now())
}

/// The session so many before the newest.
fn back(sessions: usize) -> NaiveDate {
    let newest = newest();
    let mut all = calendar::sessions(newest - chrono::Days::new(60), newest).rev();
    all.nth(sessions).unwrap_or(newest)
}

impl Desk<'_> {
    /// A run; its report.
    async fn run(&self, wanted: Value) -> Result<Value> {
        let reply = self
            .ctx
            .rest(Role::Service)?
            .post("/api/v1/runs", &wanted)
            .await?;
        ensure!(
            (200..300).contains(&reply.status),
            "expected a run, got {reply}"
        );
        reply.json()
    }

    /// A run for these symbols, due or not; its report.
    async fn run_for(&self, symbols: &[&str]) -> Result<Value> {
        self.run(json!({ "symbols": symbols })).await
    }

    async fn read(&self, path: &str) -> Result<Value> {
        read(&self.ctx, path).await
    }

    /// What the desk knows of a symbol's data.
    async fn known(&self, symbol: &str) -> Result<Value> {
        let list = self.read("/api/v1/symbols?limit=500").await?;
        let found = check::array(&list, "symbols")?.iter();
        let mut found = found.filter(|it| it["symbol"] == symbol);
        let found = found.next().cloned();
        found.with_context(|| format!("expected {symbol} in {list}"))
    }

    /// The bars held.
    async fn held(&self, symbol: &str) -> Result<Vec<Bar>> {
        let mut all = Vec::new();
        let mut path = format!("/api/v1/symbols/{symbol}/bars?limit=500");
        loop {
            let page = self.read(&path).await?;
            for bar in check::array(&page, "bars")? {
                all.push(serde_json::from_value(bar.clone()).context("a bar")?);
            }
            let Some(cursor) = page["next_cursor"].as_str() else {
                break;
            };
            path = format!("/api/v1/symbols/{symbol}/bars?limit=500&cursor={cursor}");
        }
        all.sort_by_key(|bar: &Bar| bar.date);
        Ok(all)
    }

    /// The bars held are the market's.
    async fn holds_what_the_market_has(&self, symbol: &str) -> Result<()> {
        let (held, wanted) = (self.held(symbol).await?, self.market.bars(symbol));
        same_bars(symbol, &held, &wanted)
    }

    /// Nothing is held of the symbol.
    async fn holds_nothing(&self, symbol: &str) -> Result<()> {
        let path = format!("/api/v1/symbols/{symbol}/bars");
        let reply = self.ctx.rest(Role::Viewer)?.get(&path).await?;
        let empty = reply.status == 200 && reply.ok()?["bars"] == json!([]);
        ensure!(
            empty || reply.status == 404,
            "expected no bars of {symbol}, got {reply}"
        );
        Ok(())
    }
}

/// Prices and volumes agree to a millionth: some providers send single precision.
fn same_bars(what: &str, held: &[Bar], wanted: &[Bar]) -> Result<()> {
    check::equal(&format!("bars of {what}"), &held.len(), &wanted.len())?;
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs();
    for (held, wanted) in held.iter().zip(wanted) {
        ensure!(
            held.date == wanted.date
                && near(held.open, wanted.open)
                && near(held.high, wanted.high)
                && near(held.low, wanted.low)
                && near(held.close, wanted.close)
                && near(held.volume, wanted.volume),
            "{what}: expected {wanted:?}, got {held:?}"
        );
    }
    Ok(())
}

/// The line about `symbol` in a run's report.
fn outcome<'a>(report: &'a Value, symbol: &str) -> Result<&'a Value> {
    let found = check::array(report, "outcomes")?.iter();
    let mut found = found.filter(|it| it["symbol"] == symbol);
    found
        .next()
        .with_context(|| format!("expected an outcome of {symbol} in {report}"))
}

/// The outcome is `kind`, from `provider`.
fn is_outcome(report: &Value, symbol: &str, kind: &str, provider: Option<&str>) -> Result<()> {
    let line = outcome(report, symbol)?;
    check::text(line, "outcome", kind)?;
    check::equal("its provider", &line["provider"], &json!(provider))
        .with_context(|| line.to_string())
}

/// The bars as the oracle wants them.
fn plainly(bars: &[Bar]) -> Vec<bars::Bar> {
    let plain = bars.iter().map(|bar| bars::Bar {
        date: bar.date.to_string(),
        open: bar.open,
        high: bar.high,
        low: bar.low,
        close: bar.close,
        volume: bar.volume,
    });
    plain.collect()
}
