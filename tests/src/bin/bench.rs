//! `bench`: times what the product promises about speed, on the release build and on workerd.
//!
//! Timings belong here, never in a test. Every figure is a median; run it on a quiet machine.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use signalroom_core::signals::{evaluate, parse_csv};
use signalroom_tests::bars::{self, Shape};
use signalroom_tests::client::{Dial, Minter, Rest, Role};
use signalroom_tests::market::Market;
use signalroom_tests::runner::SECRET;
use signalroom_tests::target::{Kind, Server, Start, Stop, harness};

/// Bars of one evaluation.
const EVALUATED: usize = 600;
/// Symbols of an import.
const SYMBOLS: u32 = 80;
/// Bars of each.
const BARS: usize = 1440;
/// Clients that resume at once.
const CLIENTS: usize = 1000;
/// Clients that hear of what was fetched.
const LISTENERS: usize = 50;
/// Symbols of a large desk.
const MANY_SYMBOLS: u32 = 1000;
/// Events each of them missed.
const MISSED: u64 = 500;
/// Repetitions a median is taken of.
const ROUNDS: usize = 7;

/// Signalroom's benchmarks.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which; all of them without one.
    #[arg(value_enum)]
    name: Option<Name>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// All scores of one symbol, native and in workerd.
    Scores,
    /// 80 symbols of 1,440 bars over REST, their first run, and a start with that data.
    Import,
    /// 80 symbols from a provider on this machine to the last of 50 clients, and 1,000 symbols.
    Fetch,
    /// 1,000 clients that each missed 500 events, all back at once.
    Resume,
}

#[tokio::main]
async fn main() -> Result<()> {
    let wanted = Arguments::parse().name;
    harness::release();
    if wanted.is_none_or(|name| name == Name::Scores) {
        scores().await?;
    }
    if wanted.is_none_or(|name| name == Name::Import) {
        import(Kind::Harness).await?;
        import(Kind::Workerd).await?;
    }
    if wanted.is_none_or(|name| name == Name::Fetch) {
        fetch().await?;
    }
    if wanted.is_none_or(|name| name == Name::Resume) {
        resume().await?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn report(what: &str, took: Duration) {
    println!("{what:<64} {:>10.3} ms", took.as_secs_f64() * 1000.0);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn scores() -> Result<()> {
    let csv = bars::csv(&bars::series_of(Shape::Buy, 7, EVALUATED));
    let today = "2030-01-01".parse().context("a date")?;
    let parsed = parse_csv(csv.as_bytes(), today)?.bars;
    let mut native = Vec::new();
    for _ in 0..ROUNDS {
        let started = now();
        for _ in 0..1000 {
            std::hint::black_box(evaluate(std::hint::black_box(&parsed)).published());
        }
        native.push(started.elapsed() / 1000);
    }
    report("scores of one symbol, 600 bars, native", median(native));

    let folder = tempfile::tempdir()?;
    let mut server = Server::start(Kind::Workerd, &start(&folder, &[("DEV_ROUTES", "1")])).await?;
    let rest = Rest::new(server.url(), None)?;
    // The runtime's clock stands still while it computes, so the time is taken from outside:
    // many evaluations in one request less none in one request.
    let mut times = [Vec::new(), Vec::new()];
    const MANY: u32 = 2000;
    for _ in 0..=ROUNDS {
        for (times, n) in times.iter_mut().zip([0, MANY]) {
            let started = now();
            let reply = rest
                .post_text(&format!("/dev/evaluate/bench?n={n}"), csv.clone())
                .await?;
            ensure!(reply.status == 200, "expected 200, got {reply}");
            times.push(started.elapsed());
        }
    }
    let [none, many] = times.map(median);
    report(
        "scores of one symbol, 600 bars, workerd",
        many.saturating_sub(none) / MANY,
    );
    server.stop(Stop::Gently).await
}

/// One user stands for all of them, so limits of a user are out of the way.
fn start(folder: &tempfile::TempDir, more: &[(&str, &str)]) -> Start {
    let usual = [
        ("JWT_SECRET", SECRET),
        ("BARS_RATE", "1000000"),
        ("MAX_CONNECTIONS_PER_USER", "32768"),
        ("READ_RATE", "1000000"),
    ];
    let vars = usual.into_iter().chain(more.iter().copied());
    Start {
        vars: vars
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        data: folder.path().join("data"),
    }
}

async fn import(kind: Kind) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let settings = start(&folder, &[]);
    let mut server = Server::start(kind, &settings).await?;
    let token = Minter::new(SECRET).token("bench", Role::Admin);
    let rest = Rest::new(server.url(), Some(token.clone()))?;

    let started = now();
    let symbols = (0..SYMBOLS).map(|seed| {
        let rest = &rest;
        async move {
            let bars = bars::series_of(Shape::Neutral, seed.into(), BARS);
            let reply = rest.put_bars(&format!("SYM{seed}"), "", &bars).await?;
            ensure!(
                reply.ok()?["accepted"] == BARS,
                "expected all accepted, got {reply}"
            );
            Ok(())
        }
    });
    stream::iter(symbols)
        .buffer_unordered(4)
        .try_collect::<Vec<()>>()
        .await?;
    report(
        &format!("import of 80 symbols, 1,440 bars each, {kind:?}"),
        started.elapsed(),
    );

    let started = now();
    let run = rest.post("/api/v1/runs", &json!({})).await?.ok()?;
    ensure!(run["new"] == SYMBOLS, "expected 80 new signals, got {run}");
    report(
        &format!("the run that computes them, {kind:?}"),
        started.elapsed(),
    );

    if kind == Kind::Harness {
        server.stop(Stop::Gently).await?;
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let started = now();
            let mut server = Server::start(kind, &settings).await?;
            let rest = Rest::new(server.url(), Some(token.clone()))?;
            rest.get("/api/v1/signals").await?.ok()?;
            times.push(started.elapsed());
            server.stop(Stop::Gently).await?;
        }
        report(
            "start to first answer with that data, native",
            median(times),
        );
        return Ok(());
    }
    server.stop(Stop::Gently).await
}

async fn fetch() -> Result<()> {
    let market = Market::start().await?;
    // The first desk is not timed: the provider generates and renders for it.
    for (kind, symbols, timed) in [
        (Kind::Harness, MANY_SYMBOLS, false),
        (Kind::Harness, SYMBOLS, true),
        (Kind::Harness, MANY_SYMBOLS, true),
        (Kind::Workerd, SYMBOLS, true),
    ] {
        let rounds = if timed { ROUNDS.min(3) } else { 1 };
        let mut times = Vec::new();
        let mut memory = None;
        for _ in 0..rounds {
            let (took, peak) = fetched(kind, symbols, &market).await?;
            times.push(took);
            memory = memory.max(peak);
        }
        if !timed {
            continue;
        }
        report(
            &format!("{symbols} symbols fetched, to the last of {LISTENERS} clients, {kind:?}"),
            median(times),
        );
        if let Some(bytes) = memory {
            println!("{:<64} {:>10} MB", "  its peak memory", bytes >> 20);
        }
    }
    Ok(())
}

/// A desk without data: how long its first runs take, and the memory of the server.
async fn fetched(kind: Kind, symbols: u32, market: &Market) -> Result<(Duration, Option<u64>)> {
    let folder = tempfile::tempdir()?;
    let names: Vec<_> = (0..symbols).map(|number| format!("S{number:04}")).collect();
    let (watchlist, url) = (names.join(","), market.url());
    let more = [
        ("WATCHLIST", watchlist.as_str()),
        ("PROVIDER_URL", &url),
        ("PROVIDERS", "yahoo"),
    ];
    let mut server = Server::start(kind, &start(&folder, &more)).await?;
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

async fn resume() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::start(Kind::Harness, &start(&folder, &[])).await?;
    let token = Minter::new(SECRET).token("bench", Role::Admin);
    let rest = Rest::new(server.url(), Some(token.clone()))?;
    let mut bars = bars::series(Shape::Buy, 7);
    rest.put_bars("SYM", "", &bars).await?.ok()?;
    let last = bars.split_off(bars.len() - 1);
    for event in 1..=MISSED {
        // Another volume is another revision of the pending signal.
        let mut bar = last.clone();
        bar[0].volume += event as f64;
        rest.put_bars("SYM", "?compute=now", &bar).await?.ok()?;
    }
    let dial = Dial::new(server.url(), "/ws").bearer(&token);
    let welcome = dial.open().await?.welcome;
    ensure!(
        welcome["seq"] == MISSED,
        "expected {MISSED} events, got {welcome}"
    );
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let started = now();
        let clients = (0..CLIENTS).map(|_| async {
            let back = dial.clone().resume(&welcome["epoch"], 0).resumed().await?;
            ensure!(
                back.resumed["count"] == MISSED,
                "expected {MISSED} events, got {}",
                back.resumed
            );
            Ok(back.socket)
        });
        let sockets: Vec<_> = stream::iter(clients)
            .buffer_unordered(CLIENTS)
            .try_collect()
            .await?;
        times.push(started.elapsed());
        drop(sockets);
    }
    report(
        "1,000 clients resume 500 events each, harness",
        median(times),
    );
    server.stop(Stop::Gently).await
}
