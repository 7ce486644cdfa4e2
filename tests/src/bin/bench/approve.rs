//! From `POST …/approve` to the last of 1,000 clients, and where the time went on the server.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::json;
use signalroom_tests::client::Reply;
use signalroom_tests::load::{Load, now};
use signalroom_tests::target::{Kind, harness, root};

use crate::place::{Desk, LOAD, check, settle};
use crate::results::{Results, Series, millis, quantile};
use crate::setting::Effort;

const CLIENTS: usize = 1000;
/// Before those that count.
const WARM_UP: usize = 10;

pub(crate) async fn run(effort: Effort, results: &mut Results) -> Result<()> {
    check()?;
    harness::binary().await?;
    settle()?;
    measure(Kind::Harness, effort, results).await?;
    if root().join("build/worker/index.js").exists() {
        return measure(Kind::Plain, effort, results).await;
    }
    results
        .notes
        .push("The Worker is not built, so workerd was left out.".to_owned());
    Ok(())
}

async fn measure(kind: Kind, effort: Effort, results: &mut Results) -> Result<()> {
    let approvals = if effort.quick { 50 } else { 200 } * effort.rounds(1);
    let desk = Desk::start(kind, WARM_UP + approvals).await?;
    let mut load = Load::start(Some(LOAD))?;
    let plan = desk.plan("approval_notification")?;
    load.connect(&plan, CLIENTS).await?;
    let mut all = Vec::new();
    let mut parts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for number in 0..WARM_UP + approvals {
        let path = format!("/api/v1/signals/{}/approve", desk.symbol(number));
        let started = now();
        let body = json!({"status": "BUY"});
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
    let candidate = match kind {
        Kind::Plain => "signalroom, workerd",
        _ => "signalroom, native",
    };
    for (name, rank) in [("p50", 0.5), ("p99", 0.99)] {
        let found = quantile(&all, rank).context("approvals")?;
        let what = format!("{name} from the request to the last client");
        results.add(
            candidate,
            &Series::new(&what, "ms", "clients"),
            CLIENTS,
            vec![found],
        );
    }
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
