//! The Worker on plain workerd against the least that fans out there: single messages to 100,
//! 1,000 and 10,000 sockets, a run over 80 symbols, compression, and memory per socket.
//!
//! All servers are on one core, the clients and this thread on another.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use signalroom_tests::bars::{self, Bar, Shape};
use signalroom_tests::client::socket::{Frame, Socket};
use signalroom_tests::client::{Dial, Minter, Rest, Role};
use signalroom_tests::load::{Count, Load, Needle, Plan, Ready, Watch, now, pin};
use signalroom_tests::runner::SECRET;
use signalroom_tests::target::plain::Script;
use signalroom_tests::target::process::Running;
use signalroom_tests::target::{Start, Stop};
use tempfile::TempDir;

use crate::results::{Results, Series, median, millis};
use crate::setting::{Effort, folder_start};

/// The core that servers run on.
const SERVERS: usize = 0;
/// The core that clients run on.
const CLIENTS: usize = 1;
/// Sockets that this process can hold at once: below the usual limit of 20,000 files.
const AT_ONCE: usize = 16_000;
/// As many sockets as workerd can hold then: it takes two files for each, and some for each object.
pub(crate) const MOST: usize = 9500;
/// Messages to nobody at first: so many are published before the runtime has compiled what is hot.
const WARM_UP: usize = 300;
/// Symbols of a run.
const SYMBOLS: usize = 80;
/// Their socket's messages.
const SIGNAL: &str = "\"type\":\"new_signal\"";
const SNAPSHOT: &str = "\"type\":\"snapshot\"";

pub(crate) const MINIMAL: &str = "minimal object";
pub(crate) const ROOM: &str = "signalroom, /ws/X";
pub(crate) const FEED: &str = "signalroom, /ws";
pub(crate) const PARTY: &str = "partyserver";

pub(crate) async fn run(effort: Effort, results: &mut Results) -> Result<()> {
    results.baseline = Some(MINIMAL.to_owned());
    results.notes.push(format!(
        "workerd takes two files for each socket, and some for each object: {MOST} sockets fit under the usual limit of 20,000."
    ));
    let sizes: &[usize] = if effort.quick {
        &[100, 1000]
    } else {
        &[100, 1000, MOST]
    };
    alone(effort, results).await?;
    let mut least = None;
    for &sockets in sizes {
        least = single(sockets, effort, results).await?;
    }
    let sockets = sizes.last().copied().unwrap_or_default();
    gathered(sockets, least, effort, results).await?;
    for compressed in [false, true] {
        compression(compressed, effort, results).await?;
    }
    Ok(())
}

/// What a publication costs by itself: a request of the Worker, a room's turn and the feed's.
async fn alone(effort: Effort, results: &mut Results) -> Result<()> {
    const PUBLICATIONS: u32 = 100;
    let (mut side, _) = ours(ROOM, &Script::ours()?, "/ws/X").await?;
    let mut rounds = Vec::new();
    for _ in 0..effort.rounds(5) {
        let before = side.server.cpu()?;
        for _ in 0..PUBLICATIONS {
            side.source.publish().await?;
        }
        rounds.push(millis((side.server.cpu()? - before) / PUBLICATIONS));
    }
    let of = Series::new("processor time of a publication to nobody", "ms", "sockets");
    results.add("signalroom", &of, 0_u32, rounds);
    stop(side).await
}

/// A server, its clients, and how to make it send them a message.
pub(crate) struct Side {
    name: &'static str,
    server: Running,
    load: Load,
    plan: Plan,
    source: Source,
    /// Messages since the clients are there.
    sent: u64,
    /// The folder goes with the server.
    _folder: TempDir,
}

/// Where a message comes from.
enum Source {
    /// Another volume of the last bar is another revision of a pending signal.
    Bars { rest: Rest, last: Bar, number: u32 },
    /// Whatever is posted.
    Text { rest: Rest, text: String },
}

impl Source {
    async fn warm_up(&mut self) -> Result<()> {
        for _ in 0..WARM_UP {
            self.publish().await?;
        }
        Ok(())
    }

    async fn publish(&mut self) -> Result<()> {
        match self {
            Self::Bars { rest, last, number } => {
                *number += 1;
                let bar = revised(last, *number);
                rest.put_bars("X", "?compute=now", &[bar]).await?.ok()?;
            }
            Self::Text { rest, text } => {
                let reply = rest.post_text("/publish", text.clone()).await?;
                ensure!(reply.status == 200, "expected 200, got {reply}");
            }
        }
        Ok(())
    }
}

/// What was sent over the loopback device so far, bytes.
fn loopback() -> Result<u64> {
    let bytes = "/sys/class/net/lo/statistics/tx_bytes";
    let text = std::fs::read_to_string(bytes).context(bytes)?;
    Ok(text.trim().parse()?)
}

fn revised(bar: &Bar, number: u32) -> Bar {
    Bar {
        volume: bar.volume + f64::from(number),
        ..bar.clone()
    }
}

/// Starts it on the servers' core.
async fn start_on_core(script: &Script, start: &Start) -> Result<Running> {
    pin(&[SERVERS])?;
    let spawned = script.spawn(start);
    pin(&[CLIENTS])?;
    spawned?.listening().await
}

fn plan(server: &Running, path: &str, token: Option<String>) -> Result<Plan> {
    let address = server.url().trim_start_matches("http://");
    let ours = token.is_some();
    let ready = if ours {
        Ready::Text(Needle::new(SNAPSHOT))
    } else {
        Ready::Handshake
    };
    Ok(Plan {
        address: address.parse().context("the server's address")?,
        path: path.to_owned(),
        token,
        protocol: ours.then_some("signalroom.v1"),
        deflate: false,
        greeting: None,
        watch: Watch {
            ready,
            count: Count::Text(Needle::new(SIGNAL)),
        },
    })
}

/// Ours with one symbol; clients on `path`. Beside it a frame as they get them.
async fn ours(name: &'static str, script: &Script, path: &str) -> Result<(Side, String)> {
    let (folder, start) = folder_start(&[("PROVIDERS", "")])?;
    let server = start_on_core(script, &start).await?;
    let token = Minter::new(SECRET).token("bench", Role::Admin);
    let rest = Rest::new(server.url(), Some(token.clone()))?;
    let mut bars = bars::series(Shape::Buy, 7);
    rest.put_bars("X", "?compute=now", &bars).await?.ok()?;
    let last = bars.pop().context("a series has bars")?;
    let mut source = Source::Bars {
        rest,
        last,
        number: 0,
    };
    let mut socket = Dial::new(server.url(), path).bearer(&token).open().await?;
    source.publish().await?;
    let Frame::Text(frame, _) = socket.socket.frame().await? else {
        anyhow::bail!("expected a signal, the socket was closed");
    };
    socket.socket.close().await?;
    source.warm_up().await?;
    let side = Side {
        name,
        plan: plan(&server, path, Some(token))?,
        server,
        load: Load::start(Some(CLIENTS))?,
        source,
        sent: 0,
        _folder: folder,
    };
    Ok((side, frame.to_string()))
}

/// A fixture that sends `text` to its clients.
async fn fixture(name: &'static str, file: &str, path: &str, text: &str) -> Result<Side> {
    let (folder, start) = folder_start(&[])?;
    let script = Script::fixture(file, folder.path()).await?;
    let server = start_on_core(&script, &start).await?;
    let mut source = Source::Text {
        rest: Rest::new(server.url(), None)?,
        text: text.to_owned(),
    };
    source.warm_up().await?;
    Ok(Side {
        name,
        plan: plan(&server, path, None)?,
        source,
        server,
        load: Load::start(Some(CLIENTS))?,
        sent: 0,
        _folder: folder,
    })
}

/// The minimal object with so many clients, warm; its messages have `length` bytes.
pub(crate) async fn minimal(sockets: usize, length: usize) -> Result<Side> {
    let text = format!("{SIGNAL:x<length$}");
    let mut side = fixture(MINIMAL, "minimal", "/", &text).await?;
    side.connect(sockets).await?;
    Ok(side)
}

/// What a number of messages took.
#[derive(Debug, Clone, Copy)]
struct Took {
    /// From the request to the last client.
    each: Duration,
    /// The server's processor time.
    cpu: Duration,
    /// What passed over the loopback device, everybody's, with what TCP adds.
    bytes: f64,
}

impl Side {
    async fn connect(&mut self, sockets: usize) -> Result<()> {
        self.sent = 0;
        self.load.connect(&self.plan, sockets).await?;
        Ok(())
    }

    /// One message to all clients, and the time until the last one has it.
    pub(crate) async fn message(&mut self) -> Result<Duration> {
        self.sent += 1;
        let started = now();
        let reached = self.load.reached(self.sent);
        let ((), arrival) = tokio::try_join!(self.source.publish(), reached)?;
        Ok(arrival.last.saturating_duration_since(started))
    }

    /// Messages one after the other; the first ones are not measured.
    async fn turn(&mut self, messages: u32) -> Result<Took> {
        for _ in 0..messages.div_ceil(4) {
            self.message().await?;
        }
        let (cpu, bytes) = (self.server.cpu()?, loopback()?);
        let mut took = Duration::ZERO;
        for _ in 0..messages {
            took += self.message().await?;
        }
        let bytes = loopback()? - bytes;
        Ok(Took {
            each: took / messages,
            cpu: (self.server.cpu()? - cpu) / messages,
            bytes: bytes as f64 / f64::from(messages),
        })
    }
}

/// Single messages, each once the one before has reached all: all sides in turn, round by round.
/// The deliveries per second of the minimal object.
async fn single(sockets: usize, effort: Effort, results: &mut Results) -> Result<Option<f64>> {
    let script = Script::ours()?;
    let (room, frame) = ours(ROOM, &script, "/ws/X").await?;
    let (feed, _) = ours(FEED, &script, "/ws").await?;
    let mut sides = vec![
        fixture(MINIMAL, "minimal", "/", &frame).await?,
        room,
        feed,
        fixture(PARTY, "party", "/", &frame).await?,
    ];
    let memory = sides.iter().map(|side| side.server.memory());
    let before = memory.collect::<Result<Vec<_>>>()?;
    let keep = sockets * sides.len() <= AT_ONCE;
    let messages = (20_000 / sockets).clamp(4, 100);
    let messages = u32::try_from(messages)?;
    let mut took = vec![Vec::new(); sides.len()];
    let mut held = vec![None; sides.len()];
    for round in 0..effort.rounds(10) {
        for (number, side) in sides.iter_mut().enumerate() {
            // A few rounds do for what ours is not held against.
            if side.name == PARTY && round >= 3 {
                continue;
            }
            if round == 0 || !keep {
                side.connect(sockets).await?;
            }
            if keep && matches!(side.source, Source::Bars { .. }) {
                // Who is silent for too long is sent away.
                side.load.send("ping")?;
            }
            if round == 0 {
                held[number] = Some(side.server.memory()?);
            }
            took[number].push(side.turn(messages).await?);
            if !keep {
                side.load.close().await?;
            }
        }
    }
    let rate = |took: &Took| sockets as f64 / took.each.as_secs_f64();
    let least: Vec<f64> = took[0].iter().map(rate).collect();
    for (number, side) in sides.into_iter().enumerate() {
        let name = side.name;
        let rates: Vec<f64> = took[number].iter().map(rate).collect();
        let ratios = rates.iter().zip(&least).map(|(ours, least)| ours / least);
        let ratios = ratios.collect();
        results.add(
            name,
            &Series::new("single messages", "1/s", "sockets"),
            sockets,
            rates,
        );
        let of = Series::new("single messages, of the minimal object's", "×", "sockets");
        results.add(name, &of, sockets, ratios);
        let times = took[number].iter().map(|took| millis(took.each)).collect();
        results.add(
            name,
            &Series::new("a single message", "ms", "sockets"),
            sockets,
            times,
        );
        let cpu = took[number]
            .iter()
            .map(|took| millis(took.cpu) * 1000.0 / sockets as f64);
        let of = Series::new("processor time of a delivery", "µs", "sockets");
        results.add(name, &of, sockets, cpu.collect());
        if let Some(held) = held[number] {
            let each = held.saturating_sub(before[number]) as f64 / 1024.0 / sockets as f64;
            let of = Series::new("memory of an idle socket", "KiB", "sockets");
            results.add(name, &of, sockets, vec![each]);
        }
        stop(side).await?;
    }
    Ok(median(&least))
}

pub(crate) async fn stop(mut side: Side) -> Result<()> {
    side.load.close().await?;
    // Its data is gone with it.
    side.server.stop(Stop::Kill).await?;
    Ok(())
}

/// A run over 80 symbols that all have news, to clients that take several messages a frame.
async fn gathered(
    sockets: usize,
    least: Option<f64>,
    effort: Effort,
    results: &mut Results,
) -> Result<()> {
    let (mut side, _) = ours(FEED, &Script::ours()?, "/ws").await?;
    let token = side.plan.token.clone().context("ours has a token")?;
    let rest = Rest::new(side.server.url(), Some(token.clone()))?;
    let mut last = Vec::new();
    for number in 0..SYMBOLS {
        let mut bars = bars::series(Shape::Buy, number as u64);
        rest.put_bars(&format!("S{number}"), "", &bars)
            .await?
            .ok()?;
        last.push(bars.pop().context("a series has bars")?);
    }
    run_all(&rest).await?;
    side.connect(sockets).await?;
    let mut probe = Dial::new(side.server.url(), "/ws")
        .bearer(&token)
        .open()
        .await?;
    let mut rates = Vec::new();
    let mut frames = Vec::new();
    let mut times = Vec::new();
    let mut cpu = Vec::new();
    // The first one only tells the room what a broadcast takes.
    for round in 0..=effort.rounds(5) {
        // Answered while the bars come, long before the run.
        side.load.send("ping")?;
        for (number, bar) in last.iter().enumerate() {
            let bar = revised(bar, u32::try_from(round)? + 1);
            rest.put_bars(&format!("S{number}"), "", &[bar])
                .await?
                .ok()?;
        }
        side.sent += SYMBOLS as u64;
        let before = side.server.cpu()?;
        let started = now();
        let (arrival, seen, ()) = tokio::try_join!(
            side.load.reached(side.sent),
            frames_of(&mut probe.socket),
            run_all(&rest)
        )?;
        if round == 0 {
            continue;
        }
        let took = arrival.last.saturating_duration_since(started);
        cpu.push(millis(side.server.cpu()? - before));
        rates.push((SYMBOLS * sockets) as f64 / took.as_secs_f64());
        times.push(millis(took));
        frames.push(seen as f64);
    }
    let ratios = rates
        .iter()
        .filter_map(|rate| Some(rate / least?))
        .collect();
    let of = |what: &str, unit: &str| Series::new(what, unit, "sockets");
    results.add(FEED, &of("a run over 80 symbols", "1/s"), sockets, rates);
    let what = "a run over 80 symbols, of the minimal object's";
    results.add(FEED, &of(what, "×"), sockets, ratios);
    results.add(FEED, &of("a run to the last socket", "ms"), sockets, times);
    results.add(
        FEED,
        &of("a run's frames of a socket", "frames"),
        sockets,
        frames,
    );
    results.add(FEED, &of("a run's processor time", "ms"), sockets, cpu);
    probe.socket.close().await?;
    stop(side).await
}

/// Runs until nothing is left for another run.
async fn run_all(rest: &Rest) -> Result<()> {
    loop {
        let run = rest.post("/api/v1/runs", &json!({})).await?.ok()?;
        if run["deferred"] == 0 {
            return Ok(());
        }
    }
}

/// In how many frames all signals of a run came.
async fn frames_of(socket: &mut Socket) -> Result<u32> {
    let (mut frames, mut signals) = (0, 0);
    while signals < SYMBOLS {
        let Frame::Text(_, messages) = socket.frame().await? else {
            anyhow::bail!("expected signals, the socket was closed");
        };
        frames += 1;
        signals += messages
            .iter()
            .filter(|it| it["type"] == "new_signal")
            .count();
    }
    Ok(frames)
}

/// Single messages with `permessage-deflate`, or without.
async fn compression(compressed: bool, effort: Effort, results: &mut Results) -> Result<()> {
    const SOCKETS: usize = 1000;
    let script = Script::ours()?;
    let (name, script) = if compressed {
        ("signalroom, deflate", script.flags(&[]))
    } else {
        ("signalroom, no deflate", script)
    };
    let (mut side, _) = ours(name, &script, "/ws").await?;
    side.plan.deflate = compressed;
    // What is compressed cannot be searched: a welcome and a snapshot, then messages.
    side.plan.watch = Watch {
        ready: Ready::Frames(2),
        count: Count::Frames,
    };
    let before = side.server.memory()?;
    side.connect(SOCKETS).await?;
    let idle = side.server.memory()?;
    let mut took = Vec::new();
    for _ in 0..effort.rounds(5) {
        took.push(side.turn(10).await?);
    }
    let busy = side.server.memory()?;
    let of = |what: &str, unit: &str| Series::new(what, unit, "sockets");
    let each = |value: &dyn Fn(&Took) -> f64| took.iter().map(value).collect::<Vec<_>>();
    let sockets = SOCKETS as f64;
    let rates = each(&|took| sockets / took.each.as_secs_f64());
    results.add(name, &of("single messages", "1/s"), SOCKETS, rates);
    let cpu = each(&|took| millis(took.cpu) * 1000.0 / sockets);
    results.add(
        name,
        &of("processor time of a delivery", "µs"),
        SOCKETS,
        cpu,
    );
    let bytes = each(&|took| took.bytes / sockets);
    results.add(
        name,
        &of("on the loopback device for a delivery", "bytes"),
        SOCKETS,
        bytes,
    );
    for (what, memory) in [("idle", idle), ("used", busy)] {
        let each = memory.saturating_sub(before) as f64 / 1024.0 / sockets;
        let what = format!("memory of a socket, {what}");
        results.add(name, &of(&what, "KiB"), SOCKETS, vec![each]);
    }
    stop(side).await
}
