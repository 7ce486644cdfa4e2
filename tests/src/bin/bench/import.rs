//! 80 symbols of 1,440 bars over REST, their first run, and a start with that data.

use anyhow::{Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use signalroom_tests::bars::{self, Shape};
use signalroom_tests::client::{Minter, Rest, Role};
use signalroom_tests::load::now;
use signalroom_tests::runner::SECRET;
use signalroom_tests::target::{Kind, Server, Stop};

use crate::results::{Results, Series, millis};
use crate::setting::{Effort, folder_start};

/// Symbols of an import.
const SYMBOLS: u32 = 80;
/// Bars of each.
const BARS: usize = 1440;

pub(crate) async fn run(effort: Effort, results: &mut Results) -> Result<()> {
    import(Kind::Harness, effort, results).await?;
    import(Kind::Workerd, effort, results).await
}

async fn import(kind: Kind, effort: Effort, results: &mut Results) -> Result<()> {
    let candidate = format!("{kind:?}").to_lowercase();
    let (_folder, settings) = folder_start(&[])?;
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
    let of = Series::new("import of 1,440 bars each", "ms", "symbols");
    results.add(&candidate, &of, SYMBOLS, vec![millis(started.elapsed())]);

    let started = now();
    let run = rest.post("/api/v1/runs", &json!({})).await?.ok()?;
    ensure!(run["new"] == SYMBOLS, "expected 80 new signals, got {run}");
    let of = Series::new("the run that computes them", "ms", "symbols");
    results.add(&candidate, &of, SYMBOLS, vec![millis(started.elapsed())]);

    if kind == Kind::Harness {
        server.stop(Stop::Gently).await?;
        let mut times = Vec::new();
        for _ in 0..effort.rounds(7) {
            let started = now();
            let mut server = Server::start(kind, &settings).await?;
            let rest = Rest::new(server.url(), Some(token.clone()))?;
            rest.get("/api/v1/signals").await?.ok()?;
            times.push(millis(started.elapsed()));
            server.stop(Stop::Gently).await?;
        }
        let of = Series::new("start to the first answer with that data", "ms", "symbols");
        results.add(&candidate, &of, SYMBOLS, times);
        return Ok(());
    }
    server.stop(Stop::Gently).await
}
