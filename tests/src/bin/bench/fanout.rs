//! Fan-out over loopback: the server on one core, all clients on another, closed loop. Candidates
//! take turns, so that what the machine does meanwhile meets all of them alike.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::stream::{FuturesUnordered, StreamExt};
use signalroom_tests::client::{Dial, Minter, Role};
use signalroom_tests::load::{Histogram, Load, Plan, now};
use signalroom_tests::runner::SECRET;
use signalroom_tests::target::{Kind, harness};
use tokio::time::{MissedTickBehavior, interval};

use crate::place::{Bare, Desk, LOAD, check, cpu, resident, settle};
use crate::results::{Results, Series, median, millis};
use crate::setting::Effort;

/// Who is compared with whom; results have these names.
pub(crate) const IDEAL: &str = "ideal writer";
pub(crate) const OURS: &str = "signalroom";
pub(crate) const NATS: &str = "nats-server";

/// Sockets.
const SIZES: [usize; 3] = [100, 1000, 10_000];
/// Publications under way.
pub(crate) const FLIGHTS: [usize; 2] = [1, 8];
/// What latencies are measured with.
pub(crate) const LISTENERS: usize = 1000;
pub(crate) const PER_SECOND: u64 = 20;

/// What the rounds found, by candidate, quantity and sockets.
type Found = BTreeMap<(usize, usize, &'static str), (Series, Vec<f64>)>;

pub(crate) enum Candidate {
    Bare(Box<Bare>),
    Desk(Box<Desk>),
}

impl Candidate {
    fn pid(&self) -> u32 {
        match self {
            Self::Bare(bare) => bare.pid(),
            Self::Desk(desk) => desk.pid,
        }
    }

    fn plan(&self) -> Result<Plan> {
        match self {
            Self::Bare(bare) => Ok(bare.plan.clone()),
            Self::Desk(desk) => desk.plan("new_signal"),
        }
    }

    pub(crate) async fn stop(self) -> Result<()> {
        match self {
            Self::Bare(_) => Ok(()),
            Self::Desk(desk) => desk.stop().await,
        }
    }
}

pub(crate) async fn run(effort: Effort, results: &mut Results) -> Result<()> {
    check()?;
    // Built before this process is kept on a core.
    harness::binary().await?;
    settle()?;
    let length = message_length().await?;
    results.baseline = Some(IDEAL.to_owned());
    results.notes.push(format!(
        "A message is a new signal of {length} bytes; the server has core 0, the load and whoever publishes core {LOAD}."
    ));
    let mut names = vec![IDEAL, OURS];
    if Bare::nats(length).await?.is_some() {
        names.push(NATS);
    } else {
        results
            .notes
            .push("nats-server is not installed, so it was left out.".to_owned());
    }
    let mut found = Found::new();
    for round in 0..effort.rounds(5) {
        for (order, size) in SIZES.into_iter().enumerate() {
            for turn in 0..names.len() {
                // Another candidate begins each time.
                let which = (turn + round) % names.len();
                let mut candidate = start(names[which], length).await?;
                let one = Round {
                    which: (which, order),
                    size,
                    effort,
                };
                one.run(&mut candidate, &mut found)
                    .await
                    .with_context(|| format!("{} with {size} sockets", names[which]))?;
                candidate.stop().await?;
            }
        }
        println!("round {} is over", round + 1);
    }
    for ((which, order, _), (of, rounds)) in found {
        results.add(names[which], &of, SIZES[order], rounds);
    }
    Ok(())
}

async fn start(name: &str, length: usize) -> Result<Candidate> {
    Ok(match name {
        OURS => Candidate::Desk(Box::new(Desk::start(Kind::Harness, 16).await?)),
        NATS => Candidate::Bare(Box::new(Bare::nats(length).await?.context("nats-server")?)),
        _ => Candidate::Bare(Box::new(Bare::ideal(length)?)),
    })
}

/// How long our own message is, bytes: what the others send too.
async fn message_length() -> Result<usize> {
    let mut desk = Desk::start(Kind::Harness, 1).await?;
    let token = Minter::new(SECRET).token("bench", Role::Viewer);
    let mut socket = Dial::new(desk.url(), "/ws").bearer(&token).open().await?;
    desk.publish().await?;
    let message = socket.socket.expect("new_signal").await?;
    desk.stop().await?;
    Ok(message.to_string().len())
}

/// One candidate with so many sockets.
struct Round {
    which: (usize, usize),
    size: usize,
    effort: Effort,
}

impl Round {
    async fn run(&self, candidate: &mut Candidate, found: &mut Found) -> Result<()> {
        let pid = candidate.pid();
        let mut load = Load::start(Some(LOAD))?;
        let before = resident(pid)?;
        let took = load.connect(&candidate.plan()?, self.size).await?;
        self.keep(found, "d", "time to connect all", "ms", millis(took));
        // What a server does once a socket is open may come after its first words.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let each = (resident(pid)? - before) / self.size as f64;
        self.keep(found, "e", "resident memory per idle socket", "KB", each);

        let seconds = if self.effort.quick { 1.0 } else { 2.5 };
        for flight in FLIGHTS {
            let (key, cpu_key) = if flight == 1 { ("a", "c") } else { ("b", "cc") };
            closed_loop(candidate, &mut load, flight, seconds / 4.0).await?;
            let used = cpu(pid)?;
            let looped = closed_loop(candidate, &mut load, flight, seconds).await?;
            let deliveries = looped.messages as f64 * self.size as f64;
            let used = cpu(pid)? - used;
            let what = format!("deliveries, {flight} in flight");
            self.keep(found, key, &what, "1/s", looped.rate(self.size));
            if flight == 1
                && let Some(spread) = median(&looped.spreads)
            {
                let what = "deliveries from the first client to the last, 1 in flight";
                self.keep(found, "ab", what, "1/s", self.size as f64 / spread);
            }
            let what = format!("CPU of the server per delivery, {flight} in flight");
            self.keep(found, cpu_key, &what, "µs", used * 1e6 / deliveries);
        }
        if self.size == LISTENERS {
            let seconds = if self.effort.quick { 2 } else { 6 };
            let histogram = paced(candidate, &mut load, seconds).await?;
            for (key, name, quantile) in [("f", "p50", 0.5), ("g", "p99", 0.99)] {
                let took = histogram.quantile(quantile).context("deliveries")?;
                let what = format!("{name} from publication to a client, {PER_SECOND} messages/s");
                self.keep(found, key, &what, "ms", millis(took));
            }
        }
        load.close().await
    }

    fn keep(&self, found: &mut Found, key: &'static str, what: &str, unit: &str, value: f64) {
        let (which, order) = self.which;
        let place = found.entry((which, order, key));
        let entry = place.or_insert_with(|| (Series::new(what, unit, "sockets"), Vec::new()));
        entry.1.push(value);
    }
}

/// What a closed loop found.
pub(crate) struct Looped {
    pub(crate) messages: u64,
    pub(crate) took: Duration,
    /// From the first client to the last, of each message, seconds.
    spreads: Vec<f64>,
}

impl Looped {
    /// Deliveries a second to so many sockets.
    pub(crate) fn rate(&self, sockets: usize) -> f64 {
        self.messages as f64 * sockets as f64 / self.took.as_secs_f64()
    }
}

/// Publishes anew whenever a message has reached all clients, with `flight` under way, for about
/// so many seconds.
pub(crate) async fn closed_loop(
    candidate: &mut Candidate,
    load: &mut Load,
    flight: usize,
    seconds: f64,
) -> Result<Looped> {
    let mut puts = FuturesUnordered::new();
    let started = now();
    let end = started + Duration::from_secs_f64(seconds);
    let (mut under_way, mut last, mut spreads) = (0, started, Vec::new());
    loop {
        while under_way < flight && now() < end {
            under_way += 1;
            match candidate {
                Candidate::Bare(bare) => bare.publish()?,
                Candidate::Desk(desk) => puts.push(desk.publish()),
            }
        }
        if under_way == 0 && puts.is_empty() {
            return Ok(Looped {
                messages: spreads.len() as u64,
                took: last.saturating_duration_since(started),
                spreads,
            });
        }
        let answered = async {
            match puts.next().await {
                Some(put) => put,
                None => pending().await,
            }
        };
        tokio::select! {
            put = answered => put?,
            arrival = load.next(), if under_way > 0 => {
                let arrival = arrival?;
                last = arrival.last;
                under_way -= 1;
                let spread = arrival.last.saturating_duration_since(arrival.first);
                spreads.push(spread.as_secs_f64());
            }
        }
    }
}

/// Messages to so many listeners at a steady pace, whatever becomes of those before.
pub(crate) async fn paced(
    candidate: &mut Candidate,
    load: &mut Load,
    seconds: u64,
) -> Result<Histogram> {
    // A load tells latencies of messages since its clients are there.
    load.connect(&candidate.plan()?, LISTENERS).await?;
    let messages = PER_SECOND * seconds;
    let mut ticks = interval(Duration::from_secs(1) / PER_SECOND as u32);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut puts = FuturesUnordered::new();
    let (mut sent, mut arrived) = (0, 0);
    while arrived < messages || !puts.is_empty() {
        tokio::select! {
            _ = ticks.tick(), if sent < messages => {
                load.publishing(now());
                sent += 1;
                match candidate {
                    Candidate::Bare(bare) => bare.publish()?,
                    Candidate::Desk(desk) => puts.push(desk.publish()),
                }
            }
            Some(put) = puts.next() => put?,
            arrival = load.next(), if arrived < messages => {
                arrival?;
                arrived += 1;
            }
        }
    }
    load.latencies().await
}
