//! Symbols from a provider on this machine to the last of 50 clients.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use signalroom_tests::client::{Dial, Minter, Rest, Role};
use signalroom_tests::load::now;
use signalroom_tests::market::Market;
use signalroom_tests::runner::SECRET;
use signalroom_tests::target::{Kind, Server, Stop};

use crate::results::{Results, Series, millis};
use crate::setting::{Effort, folder_start};

/// Symbols of a usual desk.
const SYMBOLS: u32 = 80;
/// Symbols of a large desk.
const MANY_SYMBOLS: u32 = 1000;
/// Clients that hear of what was fetched.
const LISTENERS: usize = 50;

pub(crate) async fn run(effort: Effort, results: &mut Results) -> Result<()> {
    let market = Market::start().await?;
    // The first desk is not timed: the provider generates and renders for it.
    for (kind, symbols, timed) in [
        (Kind::Harness, MANY_SYMBOLS, false),
        (Kind::Harness, SYMBOLS, true),
        (Kind::Harness, MANY_SYMBOLS, true),
        (Kind::Workerd, SYMBOLS, true),
    ] {
        let rounds = if timed { effort.rounds(3) } else { 1 };
        let mut times = Vec::new();
        let mut memory = None;
        for _ in 0..rounds {
            let (took, peak) = fetched(kind, symbols, &market).await?;
            times.push(millis(took));
            memory = memory.max(peak);
        }
        if !timed {
            continue;
        }
        let candidate = format!("{kind:?}").to_lowercase();
        let of = Series::new("fetched, to the last of 50 clients", "ms", "symbols");
        results.add(&candidate, &of, symbols, times);
        if let Some(bytes) = memory {
            let of = Series::new("peak memory meanwhile", "MB", "symbols");
            results.add(&candidate, &of, symbols, vec![(bytes >> 20) as f64]);
        }
    }
    Ok(())
}

/// A desk without data: how long its first runs take, and the memory of the server.
async fn fetched(kind: Kind, symbols: u32, market: &Market) -> Result<(Duration, Option<u64>)> {
    let names: Vec<_> = (0..symbols).map(|number| format!("S{number:04}")).collect();
    let (watchlist, url) = (names.join(","), market.url());
    let more = [
        ("WATCHLIST", watchlist.as_str()),
        ("PROVIDER_URL", &url),
        ("PROVIDERS", "yahoo"),
    ];
    let (_folder, start) = folder_start(&more)?;
    let mut server = Server::start(kind, &start).await?;
    let token = Minter::new(SECRET).token("bench", Role::Admin);
    let rest = Rest::new(server.url(), Some(token.clone()))?;
    let dial = Dial::new(server.url(), "/ws").bearer(&token);
    let opened = (0..LISTENERS).map(|_| async { anyhow::Ok(dial.open().await?.socket) });
    let sockets: Vec<_> = stream::iter(opened)
        .buffer_unordered(LISTENERS)
        .try_collect()
        .await?;

    let started = now();
    let wanted: Vec<_> = names.iter().map(String::as_str).collect();
    let heard = stream::iter(sockets)
        .map(|mut socket| {
            let wanted = &wanted;
            async move { socket.events("new_signal", wanted).await }
        })
        .buffer_unordered(LISTENERS)
        .try_collect::<Vec<()>>();
    let runs = async {
        loop {
            let run = rest.post("/api/v1/runs", &json!({})).await?.ok()?;
            ensure!(run["unfetched"] == 0, "expected bars, got {run}");
            // The desk's own clock may have had some of them.
            if run["deferred"] == 0 {
                return Ok(());
            }
        }
    };
    tokio::try_join!(heard, runs)?;
    let took = started.elapsed();
    let memory = server.peak_memory();
    server.stop(Stop::Gently).await?;
    Ok((took, memory))
}
