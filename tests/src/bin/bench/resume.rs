//! 1,000 clients that each missed 500 events, all back at once.

use anyhow::{Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use signalroom_tests::bars::{self, Shape};
use signalroom_tests::client::{Dial, Minter, Rest, Role};
use signalroom_tests::load::now;
use signalroom_tests::runner::SECRET;
use signalroom_tests::target::{Kind, Server, Stop};

use crate::results::{Results, Series, millis};
use crate::setting::{Effort, folder_start};

/// Clients that resume at once.
const CLIENTS: usize = 1000;
/// Events each of them missed.
const MISSED: u64 = 500;

pub(crate) async fn run(effort: Effort, results: &mut Results) -> Result<()> {
    let (_folder, start) = folder_start(&[])?;
    let mut server = Server::start(Kind::Harness, &start).await?;
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
    for _ in 0..effort.rounds(7) {
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
        times.push(millis(started.elapsed()));
        drop(sockets);
    }
    let of = Series::new("all of them resume 500 events each", "ms", "clients");
    results.add("harness", &of, CLIENTS, times);
    server.stop(Stop::Gently).await
}
