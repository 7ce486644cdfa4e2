//! How providers are asked: no more than they want, and not for what has not changed.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::FutureExt as _;
use serde_json::json;
use signalroom_core::market::provider::Provider;

use super::{is_outcome, outcome, supplied};
use crate::case::{Case, Ctx};
use crate::check;
use crate::market::{Fault, Order, RetryAfter, Rule};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::starting(
            "market/who asks to be left alone is, from one run to the next",
            left_alone,
        ),
        Case::starting("market/and is asked again when the time is over", again),
        Case::starting("market/what has not changed is not sent again", conditional),
        Case::starting("market/two runs at once ask for each symbol once", at_once),
        Case::starting("market/a key is sent to whom it belongs alone", keys),
    ]
}

async fn left_alone(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "AAA,BBB,CCC")], |desk| {
        async move {
            let after = RetryAfter::Seconds(3600);
            let rule = Rule::new(Fault::RateLimited(after)).of(Provider::Yahoo);
            desk.market.misbehave(rule);
            let report = desk.run(json!({})).await?;
            for symbol in ["AAA", "BBB", "CCC"] {
                is_outcome(&report, symbol, "new", Some("stooq"))?;
            }
            desk.market.heal();
            desk.market.forget();
            for _ in 0..2 {
                let report = desk.run_for(&["AAA", "BBB", "CCC"]).await?;
                is_outcome(&report, "AAA", "unchanged", Some("stooq"))?;
            }
            let asked = desk.market.requests_of(Provider::Yahoo, None);
            check::equal("requests within the hour", &asked, &0)?;

            // Stooq says it in words.
            let rule = Rule::new(Fault::DailyLimit).of(Provider::Stooq);
            desk.market.misbehave(rule);
            let report = desk.run_for(&["AAA"]).await?;
            let error = check::string(outcome(&report, "AAA")?, "error")?;
            ensure!(error.contains("left alone"), "got {error:?}");
            desk.market.forget();
            desk.run_for(&["AAA"]).await?;
            check::equal("requests", &desk.market.requests(), &0)
        }
        .boxed()
    })
    .await
}

async fn again(ctx: Ctx) -> Result<()> {
    let vars = [("WATCHLIST", "AAA"), ("PROVIDERS", "yahoo")];
    supplied(&ctx, &vars, |desk| {
        async move {
            // A date is rounded down to its second.
            for (after, least) in [
                (RetryAfter::Seconds(2), Duration::from_secs(2)),
                (RetryAfter::Date(3), Duration::from_secs(2)),
            ] {
                let rule = Rule::new(Fault::RateLimited(after)).times(1);
                desk.market.forget();
                desk.market.misbehave(rule);
                desk.run_for(&["AAA"]).await?;
                check::equal("requests", &desk.market.requests(), &1)?;
                let mut runs = 0;
                while desk.market.requests() < 2 {
                    runs += 1;
                    ensure!(runs < 400, "expected to be asked again after {after:?}");
                    desk.run_for(&["AAA"]).await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                let asked = desk.market.asked();
                let waited = asked[1].at.0 - asked[0].at.0;
                ensure!(
                    waited >= i64::try_from(least.as_millis())?,
                    "{after:?}: expected {least:?}, got {waited} ms"
                );
            }
            desk.holds_what_the_market_has("AAA").await
        }
        .boxed()
    })
    .await
}

async fn conditional(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "AAA")], |desk| {
        async move {
            desk.market.tell(Order::Conditional { on: true })?;
            desk.run(json!({})).await?;
            // Another address, and so another version.
            desk.run_for(&["AAA"]).await?;
            desk.market.forget();
            let report = desk.run_for(&["AAA"]).await?;
            is_outcome(&report, "AAA", "unchanged", Some("yahoo"))?;
            let asked = desk.market.asked();
            let last = asked.last().context("a request")?;
            ensure!(
                last.header("if-none-match").is_some(),
                "expected the version to be named, got {:?}",
                last.headers
            );
            check::equal("the status", &last.status, &Some(304))?;
            // What has changed is sent.
            desk.market.tell(Order::Correct {
                symbol: "AAA".to_owned(),
                date: super::newest(),
                times: 1.01,
            })?;
            let report = desk.run_for(&["AAA"]).await?;
            is_outcome(&report, "AAA", "new", Some("yahoo"))?;
            desk.holds_what_the_market_has("AAA").await
        }
        .boxed()
    })
    .await
}

async fn at_once(ctx: Ctx) -> Result<()> {
    let vars = [
        ("WATCHLIST", "AAA,BBB,CCC,DDD"),
        ("PROVIDERS", "yahoo,fred"),
    ];
    supplied(&ctx, &vars, |desk| {
        async move {
            desk.market.misbehave(Rule::new(Fault::Slow(100)));
            let run = || desk.run(json!({}));
            let reports = tokio::try_join!(run(), run(), run())?;
            let reports = [reports.0, reports.1, reports.2];
            let fetched = reports.iter().map(|it| it["fetched"].as_u64());
            check::equal("fetched", &fetched.sum::<Option<u64>>(), &Some(4))?;
            let asked = desk.market.asked();
            let mut names: Vec<_> = asked.iter().map(|it| it.what.as_str()).collect();
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            check::equal("what was asked for once", &names.len(), &all)
        }
        .boxed()
    })
    .await
}

async fn keys(ctx: Ctx) -> Result<()> {
    let vars = [
        ("WATCHLIST", "AAA"),
        ("PROVIDERS", "tiingo,yahoo,fred"),
        ("TIINGO_KEY", "tiingo-key-of-this-desk"),
        ("FRED_API_KEY", "fred-key-of-this-desk"),
    ];
    supplied(&ctx, &vars, |desk| {
        async move {
            let report = desk.run(json!({})).await?;
            is_outcome(&report, "AAA", "new", Some("tiingo"))?;
            desk.holds_what_the_market_has("AAA").await?;
            for asked in desk.market.asked() {
                let whole = format!("{} {:?}", asked.target, asked.headers);
                for (provider, key) in [
                    (Provider::Tiingo, "tiingo-key-of-this-desk"),
                    (Provider::Fred, "fred-key-of-this-desk"),
                ] {
                    check::equal(
                        &format!("whether {} is told {key}", asked.provider),
                        &whole.contains(key),
                        &(asked.provider == provider),
                    )?;
                }
            }
            // Refused, it is said of the key, without it.
            let refused = Rule::new(Fault::Status(401)).of(Provider::Tiingo);
            desk.market.misbehave(refused);
            let report = desk.run_for(&["AAA"]).await?;
            is_outcome(&report, "AAA", "unchanged", Some("yahoo"))?;
            let error = check::string(outcome(&report, "AAA")?, "error")?;
            check::equal("the error", &error.as_str(), &"tiingo: it refuses the key")?;
            let runs = desk.read("/api/v1/runs").await?.to_string();
            ensure!(!runs.contains("of-this-desk"), "got a key in {runs}");
            Ok(())
        }
        .boxed()
    })
    .await
}
