//! Limits of one user: connections, messages, decisions, bars, reads.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::pending;
use crate::bars::{self, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::{Reply, Role, Socket};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared(
            "limits/a socket too many is closed 4503, in each room",
            connections,
        ),
        Case::shared(
            "limits/100 messages, a warning, then 4029; others go on",
            messages,
        ),
        Case::shared("limits/bare pings do not count", pings),
        Case::shared("limits/30 decisions, refused ones too, then 429", decisions),
        Case::own(
            "limits/bars over the rate are 429 and not stored",
            &[("BARS_RATE", "5")],
            bars_over,
        ),
        Case::shared("limits/600 requests, then 429", reads),
    ]
}

/// The problem of a request too many; how many seconds to wait.
fn too_many(reply: &Reply) -> Result<u64> {
    reply.problem(429, "rate-limited")?;
    let seconds = reply.header("retry-after");
    let seconds: u64 = seconds
        .parse()
        .with_context(|| format!("expected whole seconds in Retry-After, got {seconds:?}"))?;
    ensure!(
        (1..=60).contains(&seconds),
        "expected 1 to 60 s, got {seconds}"
    );
    Ok(seconds)
}

async fn connections(ctx: Ctx) -> Result<()> {
    let token = ctx.minter().token(&ctx.user("ann"), Role::Viewer);
    for path in ["/ws".to_owned(), format!("/ws/{}", ctx.symbol("C"))] {
        let dial = ctx.dial_bare(&path).bearer(&token);
        let mut open: Vec<Socket> = Vec::new();
        for _ in 0..20 {
            open.push(dial.open().await?.socket);
        }
        let mut over = dial.connect().await?;
        check::equal("the close code", &over.closed().await?, &4503)?;
        ctx.dial(&path).open().await.context("another user")?;
        let left = open.pop().context("twenty are open")?;
        left.close().await?;
        // The room hears of it a little later.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while let Err(error) = dial.open().await {
            if tokio::time::Instant::now() > deadline {
                return Err(error.context("a seat that was left"));
            }
        }
        for socket in &mut open {
            socket.position().await.context("one of the twenty")?;
        }
    }
    Ok(())
}

async fn messages(ctx: Ctx) -> Result<()> {
    let mut witness = ctx.dial("/ws").open().await?.socket;
    let mut socket = ctx.dial("/ws").open().await?.socket;
    // The bucket fills while this goes on: by one in 600 ms.
    for _ in 0..400 {
        socket.send("ping", json!({})).await?;
        let answer = |it: &Value| it["type"] == "pong" || it["type"] == "error";
        let (_, message) = socket.until("an answer", answer).await?;
        if message["type"] == "error" {
            check::equal("code", &message["data"]["code"], &json!("rate_limited"))?;
            for _ in 0..20 {
                // It may be closed before it is written.
                if socket.send("ping", json!({})).await.is_err() {
                    break;
                }
            }
            check::equal("the close code", &socket.closed().await?, &4029)?;
            witness.position().await.context("another socket")?;
            return Ok(());
        }
    }
    bail!("expected a warning after 100 messages in a minute, none came in 400")
}

async fn pings(ctx: Ctx) -> Result<()> {
    let mut socket = ctx.dial("/ws").open().await?.socket;
    for _ in 0..150 {
        socket.heartbeat().await?;
    }
    socket.position().await.map(|_| ())
}

async fn decisions(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "D", Shape::Buy).await?;
    let path = format!("/api/v1/signals/{symbol}/approve");
    let decide = |who: &str| {
        let rest = ctx.rest_as(&ctx.user(who), Role::Approver);
        let path = path.clone();
        async move { rest?.post(&path, &json!({"status": "BUY"})).await }
    };
    decide("ann").await?.ok()?;
    for _ in 0..120 {
        let reply = decide("ann").await?;
        if reply.status == 429 {
            ensure!(too_many(&reply)? <= 2, "expected 2 s at most, got {reply}");
            let others = decide("bob").await?;
            others.problem(409, "already-decided")?;
            return Ok(());
        }
        reply.problem(409, "already-decided")?;
    }
    bail!("expected 429 after 30 decisions in a minute")
}

async fn bars_over(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("B");
    let series = bars::series(Shape::Buy, 1);
    let rest = ctx.rest(Role::Service)?;
    for _ in 0..5 {
        rest.put_bars(&symbol, "", &series[..10]).await?.ok()?;
    }
    let reply = rest.put_bars(&symbol, "", &series).await?;
    ensure!(
        too_many(&reply)? <= 12,
        "expected 12 s at most, got {reply}"
    );
    let held = super::read(&ctx, &format!("/api/v1/symbols/{symbol}/bars")).await?;
    let held = held["bars"].as_array().context("bars")?.len();
    check::equal("bars held", &held, &10)?;
    // Another symbol's room counts for itself.
    let other = ctx.symbol("B2");
    rest.put_bars(&other, "", &series[..10]).await?.ok()?;
    Ok(())
}

async fn reads(ctx: Ctx) -> Result<()> {
    let rest = ctx.rest_as(&ctx.user("eager"), Role::Viewer)?;
    // On Workers a minute of the clock may end in between, and its count with it.
    for _ in 0..1300 {
        let reply = rest.get("/api/v1/city").await?;
        if reply.status == 429 {
            too_many(&reply)?;
            let token = ctx.minter().token(&ctx.user("eager"), Role::Viewer);
            ctx.dial_bare("/ws").bearer(&token).refused(429).await?;
            ctx.rest(Role::Viewer)?.get("/api/v1/city").await?.ok()?;
            return Ok(());
        }
        reply.ok()?;
    }
    bail!("expected 429 after 600 requests in a minute")
}
