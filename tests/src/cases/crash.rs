//! Crashes for real: the server is killed at random moments under load, and nobody notices.
//!
//! `CRASH_ROUNDS` sets the number of kills, `CRASH_SEED` their moments.

mod clients;
mod follow;
mod tail;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::clients::Clients;
use self::writer::{Desk, Writer};
use super::import;
use crate::bars::{self, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::Dial;
use crate::target::{Kind, Stop};

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes between two kills, of all writers.
const WRITES: usize = 24;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::own(
            "crash/kill -9 under load: 20 clients lose nothing and hear nothing twice",
            super::UNLIMITED,
            |ctx| killed(ctx, 10),
        )
        .only(&[Kind::Harness]),
        Case::own(
            "crash/kill -9 of workerd: 20 clients lose nothing and hear nothing twice",
            super::UNLIMITED,
            |ctx| killed(ctx, 3),
        )
        .only(&[Kind::Workerd]),
        Case::own(
            "crash/tail --state goes on where kill -9 stopped it",
            super::UNLIMITED,
            tail::killed,
        )
        .only(&[Kind::Harness]),
    ]
}

/// What a kill waits for, so that it comes at a random moment.
enum Moment {
    /// So many more writes have begun: it may be in the middle of any.
    Begun(usize),
    /// This client has heard so many more events.
    Heard(usize, usize),
    /// So many clients are back since the last restart, the others are resuming.
    Back(usize),
}

/// The same numbers on every machine.
struct Dice(u64);

impl Dice {
    /// Equal seeds give equal numbers.
    fn new(seed: usize) -> Self {
        Self(u64::try_from(seed).unwrap_or_default().max(1))
    }

    /// In [0, 1).
    fn fraction(&mut self) -> f64 {
        f64::from(u32::try_from(self.roll(1000)).unwrap_or_default()) / 1000.0
    }

    /// In `0..sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % sides
    }

    fn moment(&mut self) -> Moment {
        match self.roll(3) {
            0 => Moment::Begun(1 + self.roll(WRITES - 4)),
            1 => Moment::Heard(self.roll(clients::WIDE), 1 + self.roll(WRITES / 3)),
            _ => Moment::Back(1 + self.roll(clients::ALL - 1)),
        }
    }
}

fn setting(name: &str, default: usize) -> usize {
    let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
    set.unwrap_or(default)
}

async fn killed(ctx: Ctx, rounds: usize) -> Result<()> {
    let rounds = setting("CRASH_ROUNDS", rounds);
    let seed = setting("CRASH_SEED", 7);
    let outcome = under_load(&ctx, rounds, seed).await;
    outcome.with_context(|| format!("{rounds} rounds with CRASH_SEED={seed}"))
}

async fn under_load(ctx: &Ctx, rounds: usize, seed: usize) -> Result<()> {
    let symbols = ["A", "B", "C", "D"].map(|name| ctx.symbol(name));
    for symbol in &symbols {
        import(ctx, symbol, &bars::series(Shape::Buy, 1)).await?;
    }
    let clients = Clients::start(ctx, &symbols);
    clients
        .until("a snapshot each", |heard| heard.snapshots > 0)
        .await?;

    let desk = Desk::open();
    let mut writers = JoinSet::new();
    for own in symbols.chunks(2) {
        writers.spawn(Writer::new(ctx, &desk, own).run());
    }
    let mut dice = Dice::new(seed);
    // Nobody has a reason to resume before the first kill.
    let mut resumes: Option<Vec<usize>> = None;
    for round in 0..rounds {
        desk.allow(WRITES);
        let moment = async {
            match (dice.moment(), &resumes) {
                (Moment::Heard(client, more), _) => {
                    let client = &clients.all[client];
                    let target = client.heard().events.len() + more;
                    clients.when(|| client.heard().events.len() >= target).await
                }
                (Moment::Back(back), Some(resumes)) => {
                    let is_back = || {
                        let now = clients.resumes().into_iter();
                        now.zip(resumes).filter(|(now, then)| now > then).count()
                    };
                    clients.when(|| is_back() >= back).await
                }
                (Moment::Begun(more) | Moment::Back(more), _) => {
                    desk.begun(desk.begins() + more).await
                }
            }
        };
        timeout(PATIENCE, moment)
            .await
            .with_context(|| format!("the moment of kill {round} did not come"))??;
        resumes = Some(clients.resumes());
        ctx.restart(Stop::Kill).await?;
        desk.restarted();
    }
    desk.close();
    while let Some(writer) = timeout(PATIENCE, writers.join_next())
        .await
        .context("the writers do not end")?
    {
        writer??;
    }
    agree(ctx, &clients, &desk, &symbols).await
}

/// Every client ends with exactly the events of its log, and the log has what was acknowledged.
async fn agree(ctx: &Ctx, clients: &Clients, desk: &Desk, symbols: &[String]) -> Result<()> {
    let mut logs: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (number, client) in clients.all.iter().enumerate() {
        let address = client.address();
        if !logs.contains_key(&address) {
            let epoch = json!(client.heard().epoch);
            let symbols: Vec<&String> = symbols.iter().filter(|it| client.hears(it)).collect();
            let log = log(client.dial(ctx), &epoch, desk, &symbols).await;
            logs.insert(address.clone(), log.with_context(|| address.clone())?);
        }
        let log = &logs[&address];
        let wanted = log.len();
        timeout(
            PATIENCE,
            clients.when(|| client.heard().delivered.len() >= wanted),
        )
        .await
        .with_context(|| {
            let heard = client.heard().delivered.len();
            format!("client {number} of {address} heard {heard} of {wanted} events")
        })??;
        let heard = client.heard();
        let numbers = |events: &[Value]| -> Vec<i64> {
            events.iter().filter_map(|it| it["seq"].as_i64()).collect()
        };
        let came: BTreeSet<i64> = numbers(&heard.events).into_iter().collect();
        let logged = numbers(log);
        let lost = logged.iter().filter(|seq| !came.contains(seq)).count();
        let doubled = heard.events.len() - came.len();
        check::equal(
            &format!("events lost and doubled on the sockets of client {number}"),
            &(lost, doubled),
            &(0, 0),
        )?;
        check::equal(&format!("client {number}'s order"), &heard.events, log)?;
        check::equal("what the follower handed on", &heard.delivered, &logged)?;
        check::equal("snapshots", &heard.snapshots, &1)?;
        check::equal("positions not recovered", &heard.lapses, &0)?;
    }

    let feed = &logs["/ws"];
    let seqs: Vec<Option<usize>> = feed
        .iter()
        .map(|it| it["seq"].as_u64().and_then(|seq| seq.try_into().ok()))
        .collect();
    let gapless: Vec<Option<usize>> = (1..=feed.len()).map(Some).collect();
    check::equal("the feed's seqs", &seqs, &gapless)?;
    let acked = desk.acked();
    for approval in &acked.approvals {
        let told = feed.iter().filter(|it| {
            it["type"] == "approval_notification"
                && it["data"]["signal_id"] == approval["signal_id"]
        });
        let told: Vec<&Value> = told.collect();
        check::equal("times an approval was told", &told.len(), &1)?;
        let at = &approval["approved_at"];
        check::equal("when", &told[0]["data"]["approved_at"], at)?;
    }
    for id in &acked.signals {
        let told = feed
            .iter()
            .filter(|it| it["type"] == "new_signal" && it["data"]["id"] == *id);
        check::equal(&format!("times {id} was told"), &told.count(), &1)?;
    }
    ensure!(!acked.approvals.is_empty(), "expected approvals");
    println!(
        "      {} events, {} approvals and {} signals acknowledged, {} resumes",
        feed.len(),
        acked.approvals.len(),
        acked.signals.len(),
        clients.resumes().iter().sum::<usize>(),
    );
    Ok(())
}

/// The whole log as a client hears it that comes now and resumes from 0. Call it when the last
/// writes on `symbols` have been acknowledged.
async fn log(dial: Dial, epoch: &Value, desk: &Desk, symbols: &[&String]) -> Result<Vec<Value>> {
    let mut fresh = dial.resume(epoch, 0).resumed().await?;
    check::equal("the epoch", &fresh.welcome["epoch"], epoch)?;
    check::equal("recovered", &fresh.resumed["recovered"], &json!(true))?;
    let mut log = fresh.missed;
    // The last thing each symbol's room did was acknowledged: with that, all of it has come.
    let last = desk.acked().last;
    for symbol in symbols {
        let id = last.get(*symbol).context("a last approval")?;
        let is_last =
            |it: &Value| it["type"] == "approval_notification" && it["data"]["signal_id"] == *id;
        if !log.iter().any(is_last) {
            let (before, it) = fresh.socket.until("the last approval", is_last).await?;
            log.extend(before.into_iter().chain([it]));
        }
    }
    let (rest, _) = fresh.socket.barrier().await?;
    log.extend(rest);
    log.retain(|it| it.get("seq").is_some());
    Ok(log)
}
