//! From `POST …/approve` to the last of 1,000 clients, and where the time went on the server.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use signalroom_tests::client::Reply;
use signalroom_tests::load::{Load, now};
use signalroom_tests::target::{Kind, harness, root};

use crate::place::{Bare, Desk, LOAD, check, cpu, settle};
use crate::results::{Results, Series, millis, quantile};
use crate::setting::Effort;
use crate::workerd;

const CLIENTS: usize = 1000;
/// Decisions that nobody hears of: what they cost the server alone.
const ALONE: usize = 100;
/// A notification is about so long, bytes.
const LENGTH: usize = 550;
/// Before those that count.
const WARM_UP: usize = 10;

pub(crate) async fn run(effort: Effort, results: &mut Results) -> Result<()> {
    check()?;
    harness::binary().await?;
    settle()?;
    ideal(effort, results).await?;
    measure(Kind::Harness, effort, results).await?;
    if root().join("build/worker/index.js").exists() {
        minimal(effort, results).await?;
        return measure(Kind::Plain, effort, results).await;
    }
    results
        .notes
        .push("The Worker is not built, so workerd was left out.".to_owned());
    Ok(())
}

/// How many decisions are measured.
fn approvals(effort: Effort) -> usize {
    let usual = if effort.quick { 50 } else { 200 };
    usual * effort.rounds(1)
}

/// What a broadcast alone takes of the ideal writer.
async fn ideal(effort: Effort, results: &mut Results) -> Result<()> {
    let mut bare = Bare::ideal(LENGTH)?;
    let mut load = Load::start(Some(LOAD))?;
    load.connect(&bare.plan, CLIENTS).await?;
    let all = timed(effort, async || {
        let started = now();
        bare.publish()?;
        Ok(load.next().await?.last.saturating_duration_since(started))
    });
    note(results, "ideal writer, a broadcast alone", &all.await?)?;
    load.close().await
}

/// What a broadcast alone takes of the least that does it on workerd.
async fn minimal(effort: Effort, results: &mut Results) -> Result<()> {
    let mut side = workerd::minimal(CLIENTS, LENGTH).await?;
    let all = timed(effort, async || side.message().await).await?;
    note(results, "minimal object, a broadcast alone", &all)?;
    workerd::stop(side).await
}

/// As many broadcasts as decisions, milliseconds each; the first ones do not count.
async fn timed(
    effort: Effort,
    mut broadcast: impl AsyncFnMut() -> Result<Duration>,
) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    for number in 0..WARM_UP + approvals(effort) {
        let took = broadcast().await?;
        if number >= WARM_UP {
            all.push(millis(took));
        }
    }
    Ok(all)
}

/// Keeps how long the last client waited.
fn note(results: &mut Results, candidate: &str, all: &[f64]) -> Result<()> {
    for (name, rank) in [("p50", 0.5), ("p99", 0.99)] {
        let found = quantile(all, rank).context("approvals")?;
        let what = format!("{name} from the request to the last client");
        let of = Series::new(&what, "ms", "clients");
        results.add(candidate, &of, CLIENTS, vec![found]);
    }
    Ok(())
}

async fn measure(kind: Kind, effort: Effort, results: &mut Results) -> Result<()> {
    let candidate = match kind {
        Kind::Plain => "signalroom, workerd",
        _ => "signalroom, native",
    };
    let approvals = approvals(effort);
    let desk = Desk::start(kind, ALONE + WARM_UP + approvals).await?;
    let body = json!({"status": "BUY"});
    let path = |number| format!("/api/v1/signals/{}/approve", desk.symbol(number));
    let before = cpu(desk.pid)?;
    for number in 0..ALONE {
        let number = WARM_UP + approvals + number;
        desk.rest.post(&path(number), &body).await?.ok()?;
    }
    let each = (cpu(desk.pid)? - before) * 1e3 / ALONE as f64;
    let of = Series::new("processor time of a decision to nobody", "ms", "clients");
    results.add(candidate, &of, 0_u32, vec![each]);

    let mut load = Load::start(Some(LOAD))?;
    let plan = desk.plan("approval_notification")?;
    load.connect(&plan, CLIENTS).await?;
    let mut all = Vec::new();
    let mut parts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for number in 0..WARM_UP + approvals {
        let path = path(number);
        let started = now();
        let (reply, arrival) = tokio::join!(desk.rest.post(&path, &body), load.next());
        let reply = reply?;
        reply.ok()?;
        let took = arrival?.last.saturating_duration_since(started);
        if number >= WARM_UP {
            all.push(millis(took));
            for (part, took) in timing(&reply) {
                parts.entry(part).or_default().push(took);
            }
        }
    }
    note(results, candidate, &all)?;
    for (part, took) in parts {
        let what = format!("p50 of Server-Timing, {part}");
        results.add(
            candidate,
            &Series::new(&what, "ms", "clients"),
            CLIENTS,
            took,
        );
    }
    load.close().await?;
    desk.stop().await
}

/// The header `Server-Timing`, milliseconds by name; what has no duration is left out.
fn timing(reply: &Reply) -> Vec<(String, f64)> {
    let metrics = reply.header("server-timing").split(',');
    let found = metrics.filter_map(|metric| {
        let (name, took) = metric.trim().split_once(";dur=")?;
        Some((name.to_owned(), took.parse().ok()?))
    });
    found.collect()
}
