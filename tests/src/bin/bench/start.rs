//! How much the Worker weighs, and how long the first answers of a cold one take: of the Worker,
//! and of an object that holds a symbol, against the same question asked again.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use signalroom_tests::bars::{self, Shape};
use signalroom_tests::client::{Minter, Rest, Role};
use signalroom_tests::load::now;
use signalroom_tests::runner::SECRET;
use signalroom_tests::target::plain::Script;
use signalroom_tests::target::{Stop, root};

use crate::results::{Results, Series, median, millis};
use crate::setting::{Effort, folder_start};

/// Symbols, each in an object of its own.
const SYMBOLS: usize = 20;
const NAME: &str = "signalroom";

pub(crate) async fn run(effort: Effort, results: &mut Results) -> Result<()> {
    let kib = |bytes: usize| bytes as f64 / 1024.0;
    let size = Series::new("the Worker, gzipped", "KiB", "modules");
    let packed = ["index_bg.wasm", "index.js"].map(gzipped);
    let [wasm, script] = packed;
    let (wasm, script) = (wasm?, script?);
    results.add(NAME, &size, 1_u32, vec![kib(wasm)]);
    results.add(NAME, &size, 2_u32, vec![kib(wasm + script)]);

    let (folder, start) = folder_start(&[("PROVIDERS", "")])?;
    let minimal = Script::fixture("minimal", folder.path()).await?;
    let ours = Script::ours()?;
    let token = Minter::new(SECRET).token("bench", Role::Admin);
    let mut server = ours.start(&start).await?;
    let rest = Rest::new(server.url(), Some(token.clone()))?;
    for number in 0..SYMBOLS {
        let bars = bars::series(Shape::Buy, number as u64);
        let path = format!("S{number}");
        rest.put_bars(&path, "?compute=now", &bars).await?.ok()?;
    }
    server.stop(Stop::Gently).await?;

    let (mut listening, mut first, mut again) = (Vec::new(), Vec::new(), Vec::new());
    let (mut cold, mut warm, mut least) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.rounds(7) {
        let started = now();
        let mut server = ours.start(&start).await?;
        listening.push(millis(started.elapsed()));
        let rest = Rest::new(server.url(), Some(token.clone()))?;
        first.push(asked(&rest, "/healthz").await?);
        again.push(asked(&rest, "/healthz").await?);
        // What all objects share is loaded with the first one.
        asked(&rest, "/api/v1/symbols/S0/revisions").await?;
        for times in [&mut cold, &mut warm] {
            let mut each = Vec::new();
            for number in 1..SYMBOLS {
                each.push(asked(&rest, &format!("/api/v1/symbols/S{number}/revisions")).await?);
            }
            times.extend(median(&each));
        }
        server.stop(Stop::Gently).await?;

        let started = now();
        let mut server = minimal.start(&start).await?;
        least.push(millis(started.elapsed()));
        server.stop(Stop::Kill).await?;
    }
    let of = |what: &str| Series::new(what, "ms", "servers");
    results.add(NAME, &of("a process until it listens"), 1_u32, listening);
    let what = "a process until it listens";
    results.add("minimal object", &of(what), 1_u32, least);
    results.add(NAME, &of("the first answer of a cold Worker"), 1_u32, first);
    results.add(NAME, &of("the second answer"), 1_u32, again);
    results.add(NAME, &of("the first answer of a cold object"), 1_u32, cold);
    results.add(NAME, &of("an answer of a warm object"), 1_u32, warm);
    Ok(())
}

/// How long an answer takes, milliseconds.
async fn asked(rest: &Rest, path: &str) -> Result<f64> {
    let started = now();
    let reply = rest.get(path).await?;
    let took = millis(started.elapsed());
    ensure!(reply.status == 200, "expected 200, got {reply}");
    Ok(took)
}

/// The size of a module of the Worker as it is sent, bytes.
fn gzipped(module: &str) -> Result<usize> {
    let packed = Command::new("gzip")
        .args(["--best", "--stdout"])
        .arg(root().join("build/worker").join(module))
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(packed.status.success(), "gzip ended with {}", packed.status);
    Ok(packed.stdout.len())
}
