//! Signals: shape, values, ETag, history, and when one is new.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{approve, compute, pending, read};
use crate::bars::{self, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::{Role, Socket};
use crate::oracle;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared("signals/a signal has the contract's members", shape),
        Case::shared("signals/explain gives numbers for every engine", explain),
        Case::shared("signals/scores are the golden README's, to 1e-9", values),
        Case::shared("signals/every suggestion occurs", suggestions),
        Case::shared("signals/ETag is the id and the status", etag),
        Case::shared(
            "signals/the same bars again change and send nothing",
            same_bars,
        ),
        Case::shared(
            "signals/a changed bar without other content changes nothing",
            same_content,
        ),
        Case::shared(
            "signals/other content for a pending date is its next revision",
            revision,
        ),
        Case::shared(
            "signals/a decided one stays decided while the suggestion stays",
            decided,
        ),
        Case::shared(
            "signals/another suggestion reopens a decided date",
            reopened,
        ),
        Case::shared("signals/a newer date supersedes a pending one", superseded),
        Case::shared(
            "signals/a newer date leaves a decided one decided",
            newer_after_decided,
        ),
        Case::shared(
            "signals/history has every revision, newest first, in pages",
            history,
        ),
    ]
}

/// The members of a signal without `explain`.
pub(super) const MEMBERS: [&str; 14] = [
    "id",
    "symbol",
    "ts",
    "computed_at",
    "provisional",
    "stale",
    "revision",
    "unslug_score",
    "fear_score",
    "combined_trust",
    "status",
    "recommendation",
    "awaiting_approval",
    "approval",
];

/// `signal` has the contract's shape, without `explain`.
pub(super) fn is_signal(signal: &Value) -> Result<()> {
    check::members("a signal", signal, &MEMBERS)?;
    let symbol = check::string(signal, "symbol")?;
    let ts = check::string(signal, "ts")?;
    let date = ts
        .strip_suffix("T00:00:00Z")
        .with_context(|| format!("expected ts to be the last bar's date at 00:00:00Z, got {ts}"))?;
    let revision = check::integer(signal, "revision")?;
    check::text(signal, "id", &format!("{symbol}:{date}:{revision}"))?;
    check::time("computed_at", &signal["computed_at"])?;
    for flag in ["provisional", "stale"] {
        ensure!(signal[flag].is_boolean(), "expected {flag} in {signal}");
    }
    for field in ["unslug_score", "fear_score", "combined_trust"] {
        let score = signal[field]
            .as_f64()
            .with_context(|| format!("{field} of {signal}"))?;
        ensure!(
            (0.0..=1.0).contains(&score),
            "expected {field} in [0,1], got {score}"
        );
    }
    let recommendation = &signal["recommendation"];
    check::members(
        "a recommendation",
        recommendation,
        &["suggested", "unslug", "fear", "logic"],
    )?;
    ensure!(
        recommendation["logic"]
            .as_str()
            .is_some_and(|logic| !logic.is_empty()),
        "expected a logic in words, got {recommendation}"
    );
    let awaiting = signal["status"] == "PENDING_REVIEW";
    check::equal(
        "awaiting_approval",
        &signal["awaiting_approval"],
        &json!(awaiting),
    )
}

async fn shape(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let mut signal = read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
    let explain = signal
        .as_object_mut()
        .and_then(|signal| signal.remove("explain"));
    ensure!(explain.is_some(), "expected explain, got {signal}");
    is_signal(&signal)?;
    let last = bars::series(Shape::Buy, 1)
        .pop()
        .context("a last bar")?
        .date;
    check::text(&signal, "ts", &format!("{last}T00:00:00Z"))?;
    check::text(&signal, "id", &format!("{symbol}:{last}:1"))?;
    check::text(&signal, "status", "PENDING_REVIEW")?;
    check::equal("approval", &signal["approval"], &Value::Null)
}

async fn explain(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let signal = read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
    check::members(
        "explain",
        &signal["explain"],
        &["unslug", "fear", "market_flow"],
    )?;
    for engine in ["unslug", "fear", "market_flow"] {
        let entries = check::array(&signal["explain"], engine)?;
        ensure!(!entries.is_empty(), "expected entries of {engine}");
        for entry in entries {
            check::members("an entry", entry, &["name", "value", "contribution"])?;
        }
    }
    let names: Vec<&str> = check::array(&signal["explain"], "fear")?
        .iter()
        .filter_map(|entry| entry["name"].as_str())
        .collect();
    for component in [
        "momentum",
        "strength",
        "volatility",
        "breadth",
        "safe_haven",
        "credit",
        "short_sentiment",
    ] {
        ensure!(
            names.contains(&component),
            "expected {component} in explain, got {names:?}"
        );
    }
    Ok(())
}

/// The scores of `signal` are those of `bars`.
fn scored(signal: &Value, bars: &[bars::Bar]) -> Result<()> {
    let want = oracle::scores(bars);
    check::near("unslug_score", &signal["unslug_score"], want.unslug)?;
    check::near("fear_score", &signal["fear_score"], want.fear)?;
    check::near("combined_trust", &signal["combined_trust"], want.combined)?;
    check::text(&signal["recommendation"], "suggested", want.suggestion)
}

async fn values(ctx: Ctx) -> Result<()> {
    for (name, shape, seed, count) in [
        ("A", Shape::Buy, 11, 400),
        ("B", Shape::Neutral, 12, 324),
        ("C", Shape::Risk, 13, 420),
        ("D", Shape::Buy, 14, 700),
    ] {
        let symbol = ctx.symbol(name);
        let bars = bars::series_of(shape, seed, count);
        compute(&ctx, &symbol, &bars).await?;
        let signal = read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
        scored(&signal, &bars).with_context(|| format!("{shape:?}, {count} bars"))?;
    }
    Ok(())
}

async fn suggestions(ctx: Ctx) -> Result<()> {
    for shape in [Shape::Buy, Shape::Neutral, Shape::Risk] {
        let (_, signal) = pending(&ctx, shape.suggestion(), shape).await?;
        check::text(&signal["recommendation"], "suggested", shape.suggestion())?;
    }
    Ok(())
}

async fn etag(ctx: Ctx) -> Result<()> {
    let (symbol, signal) = pending(&ctx, "A", Shape::Buy).await?;
    let rest = ctx.rest(Role::Viewer)?;
    let path = format!("/api/v1/signals/{symbol}");
    let id = check::string(&signal, "id")?;
    let tag = rest.get(&path).await?.header("etag").to_owned();
    check::equal("ETag", &tag, &format!("\"{id};PENDING_REVIEW\""))?;
    approve(&ctx, "ann", &symbol, "NEUTRAL").await?.ok()?;
    let tag = rest.get(&path).await?.header("etag").to_owned();
    check::equal("ETag", &tag, &format!("\"{id};APPROVED_NEUTRAL\""))
}

/// The room's position, by the shortest path to it.
async fn position(ctx: &Ctx, symbol: &str) -> Result<(Socket, u64)> {
    let mut socket = ctx.dial(&format!("/ws/{symbol}")).open().await?.socket;
    let seq = socket.position().await?;
    Ok((socket, seq))
}

async fn same_bars(ctx: Ctx) -> Result<()> {
    let (symbol, signal) = pending(&ctx, "A", Shape::Buy).await?;
    let (mut socket, seq) = position(&ctx, &symbol).await?;
    let again = compute(&ctx, &symbol, &bars::series(Shape::Buy, 1)).await?;
    check::equal("the id", &again["id"], &signal["id"])?;
    check::equal("computed_at", &again["computed_at"], &signal["computed_at"])?;
    check::equal("the room's seq", &socket.position().await?, &seq)
}

async fn same_content(ctx: Ctx) -> Result<()> {
    let (symbol, signal) = pending(&ctx, "A", Shape::Buy).await?;
    let (mut socket, seq) = position(&ctx, &symbol).await?;
    // Before the anchor window and older than every component looks.
    let mut old = bars::series(Shape::Buy, 1)[4].clone();
    old.volume += 5.0;
    let answer = ctx
        .rest(Role::Service)?
        .put_bars(&symbol, "?compute=now", &[old])
        .await?
        .ok()?;
    check::equal("replaced", &answer["replaced"], &json!(1))?;
    check::equal("the id", &answer["signal"]["id"], &signal["id"])?;
    check::equal("the room's seq", &socket.position().await?, &seq)
}

/// The statuses of a symbol's revisions, newest first, as (id without symbol, status).
async fn statuses(ctx: &Ctx, symbol: &str) -> Result<Vec<(String, String)>> {
    let history = read(ctx, &format!("/api/v1/signals/{symbol}/history")).await?;
    check::array(&history, "signals")?
        .iter()
        .map(|signal| {
            let id = check::string(signal, "id")?;
            let id = id
                .strip_prefix(&format!("{symbol}:"))
                .unwrap_or(&id)
                .to_owned();
            Ok((id, check::string(signal, "status")?))
        })
        .collect()
}

fn pairs(wanted: &[(&str, &str, &str)]) -> Vec<(String, String)> {
    wanted
        .iter()
        .map(|(date, rev, status)| (format!("{date}:{rev}"), (*status).into()))
        .collect()
}

async fn revision(ctx: Ctx) -> Result<()> {
    let (symbol, first) = pending(&ctx, "A", Shape::Buy).await?;
    let (mut socket, seq) = position(&ctx, &symbol).await?;
    let mut bars = bars::series(Shape::Buy, 1);
    bars[399].volume = 1_200_000.0;
    let second = compute(&ctx, &symbol, &bars).await?;
    check::equal("the revision", &second["revision"], &json!(2))?;
    check::equal("ts", &second["ts"], &first["ts"])?;
    scored(&second, &bars)?;
    let event = socket.event("new_signal", &symbol).await?;
    check::equal("the signal sent", &event["data"]["id"], &second["id"])?;
    check::equal("the event's seq", &event["seq"], &json!(seq + 1))?;
    let date = &bars[399].date;
    check::equal(
        "the history",
        &statuses(&ctx, &symbol).await?,
        &pairs(&[(date, "2", "PENDING_REVIEW"), (date, "1", "SUPERSEDED")]),
    )
}

async fn decided(ctx: Ctx) -> Result<()> {
    let (symbol, first) = pending(&ctx, "A", Shape::Buy).await?;
    approve(&ctx, "ann", &symbol, "BUY").await?.ok()?;
    let (mut socket, seq) = position(&ctx, &symbol).await?;
    let mut bars = bars::series(Shape::Buy, 1);
    bars[399].volume = 2_300_000.0;
    bars[399].high += 0.01;
    bars[398].volume += 400_000.0;
    check::equal(
        "the oracle's suggestion",
        &oracle::scores(&bars).suggestion,
        &"BUY",
    )?;
    let after = compute(&ctx, &symbol, &bars).await?;
    check::equal("the id", &after["id"], &first["id"])?;
    check::text(&after, "status", "APPROVED_BUY")?;
    check::equal("the room's seq", &socket.position().await?, &seq)
}

async fn reopened(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    approve(&ctx, "ann", &symbol, "BUY").await?.ok()?;
    let mut socket = ctx.dial(&format!("/ws/{symbol}")).open().await?.socket;
    let bars = bars::series(Shape::Risk, 1);
    let second = compute(&ctx, &symbol, &bars).await?;
    check::equal("the revision", &second["revision"], &json!(2))?;
    check::text(&second, "status", "PENDING_REVIEW")?;
    check::text(&second["recommendation"], "suggested", "RISK")?;
    check::equal("approval", &second["approval"], &Value::Null)?;
    let event = socket.event("new_signal", &symbol).await?;
    check::equal("the signal sent", &event["data"]["id"], &second["id"])?;
    let date = &bars[399].date;
    check::equal(
        "the history",
        &statuses(&ctx, &symbol).await?,
        &pairs(&[(date, "2", "PENDING_REVIEW"), (date, "1", "APPROVED_BUY")]),
    )?;
    approve(&ctx, "bob", &symbol, "RISK").await?.ok()?;
    Ok(())
}

async fn superseded(ctx: Ctx) -> Result<()> {
    let (symbol, first) = pending(&ctx, "A", Shape::Buy).await?;
    let bars = bars::series_of(Shape::Buy, 1, 401);
    let next = compute(&ctx, &symbol, &bars).await?;
    check::text(&next, "ts", &format!("{}T00:00:00Z", bars[400].date))?;
    check::equal("the revision", &next["revision"], &json!(1))?;
    check::equal(
        "the history",
        &statuses(&ctx, &symbol).await?,
        &pairs(&[
            (&bars[400].date, "1", "PENDING_REVIEW"),
            (&bars[399].date, "1", "SUPERSEDED"),
        ]),
    )?;
    let stale = ctx
        .rest(Role::Approver)?
        .post(
            &format!("/api/v1/signals/{symbol}/approve"),
            &json!({"status": "BUY", "signal_id": first["id"]}),
        )
        .await?;
    stale.problem(409, "stale-signal")?;
    Ok(())
}

async fn newer_after_decided(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    approve(&ctx, "ann", &symbol, "NEUTRAL").await?.ok()?;
    let bars = bars::series_of(Shape::Buy, 1, 401);
    compute(&ctx, &symbol, &bars).await?;
    check::equal(
        "the history",
        &statuses(&ctx, &symbol).await?,
        &pairs(&[
            (&bars[400].date, "1", "PENDING_REVIEW"),
            (&bars[399].date, "1", "APPROVED_NEUTRAL"),
        ]),
    )
}

async fn history(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let mut ids = Vec::new();
    for count in 398..=402 {
        let signal = compute(&ctx, &symbol, &bars::series_of(Shape::Neutral, 2, count)).await?;
        ids.push(check::string(&signal, "id")?);
    }
    ids.reverse();
    let path = format!("/api/v1/signals/{symbol}/history");
    let mut got = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = read(&ctx, &format!("{path}{query}")).await?;
        check::members("a page", &page, &["signals", "next_cursor"])?;
        let signals = check::array(&page, "signals")?;
        ensure!(
            signals.len() <= 2,
            "expected at most two in a page, got {}",
            signals.len()
        );
        for signal in signals {
            got.push(check::string(signal, "id")?);
            check::members(
                "explain",
                &signal["explain"],
                &["unslug", "fear", "market_flow"],
            )?;
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
            None => break,
        }
        ensure!(
            got.len() < 10,
            "expected five revisions, got {got:?} and more"
        );
    }
    check::equal("the history, newest first", &got, &ids)?;
    for query in ["limit=0", "limit=501", "limit=x"] {
        let reply = ctx
            .rest(Role::Viewer)?
            .get(&format!("{path}?{query}"))
            .await?;
        reply.problem(422, "invalid")?;
    }
    Ok(())
}
