//! All scores of one symbol, native and in workerd.

use anyhow::{Context, Result, ensure};
use signalroom_core::signals::{evaluate, parse_csv};
use signalroom_tests::bars::{self, Shape};
use signalroom_tests::client::Rest;
use signalroom_tests::load::now;
use signalroom_tests::target::{Kind, Server, Stop};

use crate::results::{Results, Series};
use crate::setting::{Effort, folder_start};

/// Bars of one evaluation.
const EVALUATED: usize = 600;
/// Evaluations in one request.
const MANY: u32 = 2000;

pub(crate) async fn run(effort: Effort, results: &mut Results) -> Result<()> {
    let csv = bars::csv(&bars::series_of(Shape::Buy, 7, EVALUATED));
    let today = "2030-01-01".parse().context("a date")?;
    let parsed = parse_csv(csv.as_bytes(), today)?.bars;
    let of = Series::new("scores of one symbol", "µs", "bars");
    let mut native = Vec::new();
    for _ in 0..effort.rounds(7) {
        let started = now();
        for _ in 0..1000 {
            std::hint::black_box(evaluate(std::hint::black_box(&parsed)).published());
        }
        native.push(started.elapsed().as_secs_f64() * 1e6 / 1000.0);
    }
    results.add("native", &of, EVALUATED, native);

    let (folder, start) = folder_start(&[("DEV_ROUTES", "1")])?;
    let mut server = Server::start(Kind::Workerd, &start).await?;
    let rest = Rest::new(server.url(), None)?;
    // The runtime's clock stands still while it computes, so the time is taken from outside:
    // many evaluations in one request less none in one request.
    let mut times = Vec::new();
    for _ in 0..=effort.rounds(7) {
        let mut both = [0.0; 2];
        for (time, n) in both.iter_mut().zip([0, MANY]) {
            let started = now();
            let reply = rest
                .post_text(&format!("/dev/evaluate/bench?n={n}"), csv.clone())
                .await?;
            ensure!(reply.status == 200, "expected 200, got {reply}");
            *time = started.elapsed().as_secs_f64();
        }
        times.push((both[1] - both[0]).max(0.0) * 1e6 / f64::from(MANY));
    }
    results.add("workerd", &of, EVALUATED, times);
    server.stop(Stop::Gently).await?;
    drop(folder);
    Ok(())
}
