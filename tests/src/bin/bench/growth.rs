//! How costs grow: of an event with sockets and with known symbols, of a resume with what was
//! missed. An exponent of 1 is linear.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use signalroom_tests::bars;
use signalroom_tests::client::{Dial, Minter, Role};
use signalroom_tests::load::{Load, now};
use signalroom_tests::runner::SECRET;
use signalroom_tests::target::{Kind, harness};
use tokio::time::sleep;

use crate::place::{Desk, LOAD, check, cpu, settle};
use crate::results::{Results, Series, millis};
use crate::setting::Effort;

/// The candidate's name in results.
const OURS: &str = "signalroom, native";
const SOCKETS: [usize; 5] = [100, 300, 1000, 3000, 10_000];
const SYMBOLS: [usize; 4] = [10, 100, 1000, 10_000];
const MISSED: [u64; 5] = [10, 50, 250, 1000, 5000];
/// Bars that make a symbol known, and no more.
const FEW_BARS: usize = 25;
/// After so long a room that is not in use hibernates, and a little more.
const HIBERNATES: Duration = Duration::from_secs(12);
/// Clients while symbols grow.
const FEW_CLIENTS: usize = 10;

pub(crate) async fn run(effort: Effort, results: &mut Results) -> Result<()> {
    check()?;
    harness::binary().await?;
    settle()?;
    sockets(effort, results).await?;
    symbols(effort, results).await?;
    missed(effort, results).await
}

async fn sockets(effort: Effort, results: &mut Results) -> Result<()> {
    let mut desk = Desk::start(Kind::Harness, 1).await?;
    let mut load = Load::start(Some(LOAD))?;
    let plan = desk.plan("new_signal")?;
    for sockets in SOCKETS {
        load.connect(&plan, sockets).await?;
        // Enough for the ticks in which the system counts processor time.
        let least = if effort.quick { 20 } else { 60 };
        let events = (40_000 / sockets).max(least);
        let found = events_of(&mut desk, &mut load, events).await?;
        note(
            results,
            "an event to the last socket",
            "sockets",
            sockets,
            found,
        );
    }
    load.close().await?;
    desk.stop().await
}

/// Keeps what [`events_of`] found at one size.
fn note(results: &mut Results, what: &str, over: &str, at: usize, (times, used): (Vec<f64>, f64)) {
    results.add(OURS, &Series::new(what, "ms", over), at, times);
    let cpu = Series::new("CPU of the server per event", "µs", over);
    results.add(OURS, &cpu, at, vec![used]);
}

/// Events one after another: how long each took to the last client, milliseconds, and the CPU of
/// the server for one, microseconds.
async fn events_of(desk: &mut Desk, load: &mut Load, events: usize) -> Result<(Vec<f64>, f64)> {
    for _ in 0..10 {
        let (put, arrival) = tokio::join!(desk.publish(), load.next());
        put?;
        arrival?;
    }
    let before = cpu(desk.pid)?;
    let mut times = Vec::new();
    for _ in 0..events {
        let started = now();
        let (put, arrival) = tokio::join!(desk.publish(), load.next());
        put?;
        times.push(millis(arrival?.last.saturating_duration_since(started)));
    }
    let used = (cpu(desk.pid)? - before) * 1e6 / events as f64;
    Ok((times, used))
}

async fn symbols(effort: Effort, results: &mut Results) -> Result<()> {
    let mut desk = Desk::start(Kind::Harness, 1).await?;
    let mut load = Load::start(Some(LOAD))?;
    let plan = desk.plan("new_signal")?;
    let mut known = 1;
    let csv = bars::csv(&bars::plain("2024-01-02", FEW_BARS, 7));
    let sizes = if effort.quick {
        &SYMBOLS[..3]
    } else {
        &SYMBOLS[..]
    };
    for &symbols in sizes {
        let rest = &desk.rest;
        let csv = &csv;
        let puts = (known..symbols).map(|number| async move {
            let put = rest.put_csv(&format!("K{number}"), "", csv.clone()).await?;
            put.ok().map(|_| ())
        });
        stream::iter(puts)
            .buffer_unordered(8)
            .try_collect::<Vec<()>>()
            .await?;
        known = symbols;
        rest_of(&desk).await?;
        load.connect(&plan, FEW_CLIENTS).await?;
        let events = if effort.quick { 100 } else { 400 };
        let found = events_of(&mut desk, &mut load, events).await?;
        note(
            results,
            "an event to the last of 10 sockets",
            "symbols",
            symbols,
            found,
        );
    }
    load.close().await?;
    desk.stop().await
}

/// Waits until the rooms that were in use hibernate: each then closes its database, and a thousand
/// of them keep the disk busy.
async fn rest_of(desk: &Desk) -> Result<()> {
    let mut before = cpu(desk.pid)?;
    sleep(HIBERNATES).await;
    loop {
        sleep(Duration::from_secs(1)).await;
        let used = cpu(desk.pid)?;
        if used - before < 0.05 {
            return Ok(());
        }
        before = used;
    }
}

async fn missed(effort: Effort, results: &mut Results) -> Result<()> {
    let mut desk = Desk::start(Kind::Harness, 16).await?;
    let sizes = if effort.quick {
        &MISSED[..4]
    } else {
        &MISSED[..]
    };
    let most = sizes.iter().copied().max().unwrap_or_default();
    for _ in 0..most {
        desk.publish().await?;
    }
    let token = Minter::new(SECRET).token("bench", Role::Viewer);
    let dial = Dial::new(desk.url(), "/ws").bearer(&token);
    let welcome = dial.open().await?.welcome;
    let top = welcome["seq"].as_u64().unwrap_or_default();
    ensure!(top >= most, "expected {most} events, got {welcome}");
    for &missed in sizes {
        let dial = dial.clone().resume(&welcome["epoch"], top - missed);
        let least = if effort.quick { 5 } else { 20 };
        let times_each = (20_000 / missed).clamp(least, 400);
        let before = cpu(desk.pid)?;
        let mut times = Vec::new();
        for _ in 0..times_each {
            let started = now();
            let back = dial.resumed().await?;
            times.push(millis(started.elapsed()));
            ensure!(
                back.resumed["count"] == missed,
                "expected {missed} events, got {}",
                back.resumed
            );
        }
        let used = (cpu(desk.pid)? - before) * 1e6 / times_each as f64;
        let of = |what, unit| Series::new(what, unit, "missed events");
        results.add(OURS, &of("a resume", "ms"), missed, times);
        let what = "CPU of the server per resume";
        results.add(OURS, &of(what, "µs"), missed, vec![used]);
    }
    desk.stop().await
}
