//! One worker thread against two, where the server may use both cores; the load has the second
//! one as well.

use anyhow::{Context, Result};
use signalroom_tests::load::Load;
use signalroom_tests::target::{Kind, harness};

use crate::fanout::{Candidate, FLIGHTS, LISTENERS, PER_SECOND, closed_loop, paced};
use crate::place::{Desk, LOAD, SERVER, check, settle};
use crate::results::{Results, Series, millis};
use crate::setting::Effort;

const SIZES: [usize; 2] = [1000, 10_000];
const ONE: &str = "one thread";
const THREADS: [(&str, &str); 2] = [(ONE, "1"), ("two threads", "2")];

pub(crate) async fn run(effort: Effort, results: &mut Results) -> Result<()> {
    check()?;
    harness::binary().await?;
    settle()?;
    results.baseline = Some(ONE.to_owned());
    let seconds = if effort.quick { 1.0 } else { 2.5 };
    let mut waits = vec![Vec::new(); THREADS.len() * 2];
    for size in SIZES {
        let mut found = vec![Vec::new(); THREADS.len() * FLIGHTS.len()];
        for round in 0..effort.rounds(5) {
            for turn in 0..THREADS.len() {
                // Another one begins each time.
                let which = (turn + round) % THREADS.len();
                let vars = [("TOKIO_WORKER_THREADS", THREADS[which].1)];
                let desk = Desk::start_on(&[SERVER, LOAD], Kind::Harness, 16, &vars).await?;
                let plan = desk.plan("new_signal")?;
                let mut candidate = Candidate::Desk(Box::new(desk));
                let mut load = Load::start(Some(LOAD))?;
                load.connect(&plan, size).await?;
                for (order, flight) in FLIGHTS.into_iter().enumerate() {
                    closed_loop(&mut candidate, &mut load, flight, seconds / 4.0).await?;
                    let looped = closed_loop(&mut candidate, &mut load, flight, seconds).await?;
                    found[which * FLIGHTS.len() + order].push(looped.rate(size));
                }
                if size == LISTENERS {
                    let seconds = if effort.quick { 2 } else { 6 };
                    let histogram = paced(&mut candidate, &mut load, seconds).await?;
                    for (order, quantile) in [0.5, 0.99].into_iter().enumerate() {
                        let took = histogram.quantile(quantile).context("deliveries")?;
                        waits[which * 2 + order].push(millis(took));
                    }
                }
                load.close().await?;
                candidate.stop().await?;
            }
        }
        for (place, rates) in found.into_iter().enumerate() {
            let (which, order) = (place / FLIGHTS.len(), place % FLIGHTS.len());
            let what = format!("deliveries, {} in flight", FLIGHTS[order]);
            let of = Series::new(&what, "1/s", "sockets");
            results.add(THREADS[which].0, &of, size, rates);
        }
    }
    for (place, waits) in waits.into_iter().enumerate() {
        let name = ["p50", "p99"][place % 2];
        let what = format!("{name} from publication to a client, {PER_SECOND} messages/s");
        let of = Series::new(&what, "ms", "sockets");
        results.add(THREADS[place / 2].0, &of, LISTENERS, waits);
    }
    Ok(())
}
