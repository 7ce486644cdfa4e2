//! Bars that change afterwards: corrections, splits and dividends.

use anyhow::{Context as _, Result, ensure};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{Desk, back, is_outcome, newest, outcome, plainly, supplied};
use crate::case::{Case, Ctx};
use crate::check;
use crate::market::Order;
use crate::oracle;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::starting(
            "market/a correction of an old bar is a revision, and on record",
            correction,
        ),
        Case::starting("market/a split is no crash", split),
        Case::starting("market/nor is a dividend", dividend),
    ]
}

async fn revisions(desk: &Desk<'_>, symbol: &str) -> Result<Vec<Value>> {
    let path = format!("/api/v1/symbols/{symbol}/revisions");
    Ok(check::array(&desk.read(&path).await?, "revisions")?.clone())
}

async fn correction(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "FIX")], |desk| {
        async move {
            desk.run(json!({})).await?;
            let before = desk.market.bars("FIX");
            check::equal("revisions", &revisions(&desk, "FIX").await?.len(), &0)?;
            let mut socket = desk.ctx.dial("/ws/FIX").open().await?.socket;
            let day = back(2);
            desk.market.tell(Order::Correct {
                symbol: "FIX".to_owned(),
                date: day,
                times: 1.05,
            })?;
            let report = desk.run_for(&["FIX"]).await?;
            is_outcome(&report, "FIX", "new", Some("yahoo"))?;
            let bars = &outcome(&report, "FIX")?["bars"];
            check::equal("replaced", &bars["replaced"], &json!(1))?;
            let event = socket.event("new_signal", "FIX").await?;
            check::equal("revision", &event["data"]["revision"], &json!(2))?;
            desk.holds_what_the_market_has("FIX").await?;

            let told = revisions(&desk, "FIX").await?;
            check::equal("revisions", &told.len(), &1)?;
            check::text(&told[0], "kind", "correction")?;
            check::text(&told[0], "provider", "yahoo")?;
            check::time("at", &told[0]["at"])?;
            let was = before.iter().find(|bar| bar.date == day);
            let was = was.context("the day")?.close;
            for (member, close) in [("before", was), ("after", was * 1.05)] {
                let bar = &told[0][member];
                check::equal("the day", &bar["date"], &json!(day))?;
                let told = bar["close"].as_f64().unwrap_or_default();
                ensure!((told / close - 1.0).abs() < 1e-6, "{member}: got {bar}");
            }
            let history = desk.read("/api/v1/signals/FIX/history").await?;
            check::equal("signals", &check::array(&history, "signals")?.len(), &2)
        }
        .boxed()
    })
    .await
}

/// The scores are those of `bars`, whose prices may all be some times as large.
async fn scores_like(desk: &Desk<'_>, symbol: &str, bars: &[super::Bar]) -> Result<()> {
    let signal = desk.read(&format!("/api/v1/signals/{symbol}")).await?;
    check::text(&signal, "ts", &format!("{}T00:00:00Z", newest()))?;
    let wanted = oracle::scores(&plainly(bars));
    for (member, wanted) in [
        ("unslug_score", wanted.unslug),
        ("fear_score", wanted.fear),
        ("combined_trust", wanted.combined),
    ] {
        let got = signal[member].as_f64().unwrap_or(f64::NAN);
        // Single precision, and percentiles of it.
        ensure!(
            (got - wanted).abs() < 1e-3,
            "{member}: expected {wanted}, got {got}"
        );
    }
    Ok(())
}

async fn split(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "TEN")], |desk| {
        async move {
            let unsplit = desk.market.bars("TEN");
            desk.market.publish_through(back(1));
            desk.run(json!({})).await?;
            desk.market.tell(Order::Split {
                symbol: "TEN".to_owned(),
                date: newest(),
                ratio: 10.0,
            })?;
            desk.market.publish_through(newest());
            let report = desk.run_for(&["TEN"]).await?;
            is_outcome(&report, "TEN", "new", Some("yahoo"))?;
            desk.holds_what_the_market_has("TEN").await?;
            let held = desk.held("TEN").await?;
            for pair in held.windows(2) {
                let change = pair[1].close / pair[0].close;
                ensure!(
                    (0.75..1.3).contains(&change),
                    "expected no crash, got {change} on {}",
                    pair[1].date
                );
            }
            scores_like(&desk, "TEN", &unsplit).await?;
            let told = revisions(&desk, "TEN").await?;
            check::equal("revisions", &told.len(), &1)?;
            check::text(&told[0], "kind", "adjustment")?;
            check::equal("bars", &told[0]["bars"], &json!(held.len() - 1))?;
            let ratio = told[0]["ratio"].as_f64().unwrap_or_default();
            ensure!((ratio - 0.1).abs() < 1e-6, "expected a tenth, got {ratio}");
            Ok(())
        }
        .boxed()
    })
    .await
}

async fn dividend(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "PAYS")], |desk| {
        async move {
            desk.market.publish_through(back(1));
            desk.run(json!({})).await?;
            desk.market.tell(Order::Dividend {
                symbol: "PAYS".to_owned(),
                date: newest(),
                cash: 1.5,
            })?;
            desk.market.publish_through(newest());
            let report = desk.run_for(&["PAYS"]).await?;
            is_outcome(&report, "PAYS", "new", Some("yahoo"))?;
            desk.holds_what_the_market_has("PAYS").await?;
            scores_like(&desk, "PAYS", &desk.market.bars("PAYS")).await
        }
        .boxed()
    })
    .await
}
