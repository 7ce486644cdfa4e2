//! A client that does not read: it is cut off at the bound, comes back, and nobody else waits.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::compute;
use crate::bars::{self, SESSIONS, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::Role;
use crate::client::socket::{Frame, Socket};
use crate::target::Kind;

/// Frames that may wait for one socket.
const BOUND: usize = 1024;

/// Signals, each with its decision, that are published a round, and the rounds: the kernel takes
/// some before the first has to wait.
const SIGNALS: usize = 16;
const ROUNDS: usize = 72;

/// How soon a reader that reads has what was published.
const SOON: Duration = Duration::from_secs(60);

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::own(
            "slow/a client that does not read is cut off with 4008, nobody else waits",
            super::UNLIMITED,
            cut_off,
        )
        // A Durable Object cannot see how much waits for a socket.
        .only(&[Kind::Harness]),
    ]
}

/// Publishes a signal of `symbol` and a decision with a long note on it.
async fn publish(ctx: &Ctx, symbol: &str, count: usize) -> Result<()> {
    let series = bars::series_of(Shape::Buy, 1, count);
    // The first time a whole series, later the day that is new.
    let fresh = if count == SESSIONS { 0 } else { count - 1 };
    compute(ctx, symbol, &series[fresh..]).await?;
    let note = "𝄞".repeat(2000);
    let approver = ctx.rest_as(&ctx.user("ann"), Role::Approver)?;
    let path = format!("/api/v1/signals/{symbol}/approve");
    let body = json!({"status": "BUY", "note": note});
    approver.post(&path, &body).await?.ok()?;
    Ok(())
}

/// Reads what still comes, up to the end of the connection.
async fn backlog(slow: &mut Socket) -> Result<(Vec<Value>, Option<u16>)> {
    let mut backlog = Vec::new();
    loop {
        match slow
            .frame()
            .await
            .with_context(|| format!("expected to be cut off, {} events came", backlog.len()))?
        {
            Frame::Text(_, messages) => backlog.extend(messages),
            Frame::Closed(code) => return Ok((backlog, Some(code))),
            Frame::Broke(_) => return Ok((backlog, None)),
        }
    }
}

async fn cut_off(ctx: Ctx) -> Result<()> {
    let names: Vec<String> = (0..SIGNALS).map(|n| ctx.symbol(&format!("S{n}"))).collect();
    let mut slow = ctx.dial("/ws").window(4096).open().await?;
    let mut quick = ctx.dial("/ws").open().await?.socket;
    let mut heard = Vec::new();
    for round in 0..ROUNDS {
        let all = names.iter().map(|it| publish(&ctx, it, SESSIONS + round));
        try_join_all(all).await?;
        let reads = async {
            while heard.len() < 2 * SIGNALS * (round + 1) {
                let message = quick.next().await?;
                heard.extend(message.get("seq").is_some().then_some(message));
            }
            anyhow::Ok(())
        };
        let read = timeout(SOON, reads).await;
        read.with_context(|| format!("round {round} came too late"))??;
    }

    let (mut had, code) = backlog(&mut slow.socket).await?;
    // The close waits behind what the kernel had taken; a server does not wait for that for long.
    ensure!(
        code.is_none_or(|code| code == 4008),
        "expected 4008, got {code:?}"
    );
    ensure!(
        had.len() + BOUND <= heard.len(),
        "expected at least {BOUND} events of {} to have waited, {} came",
        heard.len(),
        had.len()
    );
    let last = had.last().and_then(|it| it["seq"].as_u64());
    let epoch = &slow.welcome["epoch"];
    let back = ctx.dial("/ws").resume(epoch, last.unwrap_or_default());
    let back = back.resumed().await?;
    check::equal("recovered", &back.resumed["recovered"], &json!(true))?;
    had.extend(back.missed);
    check::equal("everything, once and in order", &had, &heard)
}
