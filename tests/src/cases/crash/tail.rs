//! `tail --state` itself is killed: its lines, put together, are the log.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use super::writer::{Desk, Writer};
use super::{Dice, PATIENCE, WRITES, setting};
use crate::bars::{self, Shape};
use crate::case::Ctx;
use crate::cases::command_line::signalroom;
use crate::cases::import;
use crate::check;
use crate::client::Role;

/// A running `tail`.
struct Tail {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Tail {
    async fn start(ctx: &Ctx) -> Result<Self> {
        let (url, state) = (ctx.url(), ctx.scratch().join("state"));
        let token = ctx.minter().token(&ctx.user("tail"), Role::Viewer);
        let arguments = [
            "tail", "--json", "--url", &url, "--token", &token, "--state",
        ];
        let mut command = signalroom(ctx, &arguments).await?;
        command.arg(state).stdout(Stdio::piped());
        let mut child = command.spawn().context("tail")?;
        let lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        Ok(Self { child, lines })
    }

    async fn next(&mut self) -> Result<Option<Value>> {
        match timeout(PATIENCE, self.lines.next_line())
            .await
            .context("tail says nothing")??
        {
            Some(line) => {
                let message = serde_json::from_str(&line);
                Ok(Some(
                    message.with_context(|| format!("not JSON: {line:?}"))?,
                ))
            }
            None => Ok(None),
        }
    }

    /// Kills it; what it had still printed.
    async fn kill(mut self) -> Result<Vec<Value>> {
        self.child.kill().await.context("killing tail")?;
        let mut rest = Vec::new();
        while let Ok(Some(message)) = self.next().await {
            rest.push(message);
        }
        Ok(rest)
    }
}

/// Kills it ten times under load.
pub(super) async fn killed(ctx: Ctx) -> Result<()> {
    let symbols = ["A", "B"].map(|name| ctx.symbol(name));
    for symbol in &symbols {
        import(&ctx, symbol, &bars::series(Shape::Buy, 1)).await?;
    }
    let rounds = setting("CRASH_ROUNDS", 10);
    let mut dice = Dice::new(setting("CRASH_SEED", 7));
    let desk = Desk::open();
    let mut tail = Tail::start(&ctx).await?;
    while let Some(message) = tail.next().await? {
        if message["type"] == "snapshot" {
            break;
        }
    }
    desk.allow(rounds * WRITES);
    let writer = tokio::spawn(Writer::new(&ctx, &desk, &symbols).run());

    let mut told = Told::default();
    for _ in 0..rounds {
        // With the second event, the place of the first is kept: it resumes ever after.
        let target = told.events.len() + 2 + dice.roll(WRITES / 2);
        while told.events.len() < target {
            told.take(tail.next().await?.context("tail ended")?)?;
        }
        for message in tail.kill().await? {
            told.take(message)?;
        }
        told.restarted = true;
        tail = Tail::start(&ctx).await?;
    }
    desk.close();
    timeout(PATIENCE, writer)
        .await
        .context("the writer does not end")???;

    let epoch = told.events[0]["epoch"].clone();
    let symbols: Vec<&String> = symbols.iter().collect();
    let mut log = super::log(ctx.dial("/ws"), &epoch, &desk, &symbols).await?;
    while told.events.len() < log.len() {
        told.take(tail.next().await?.context("tail ended")?)?;
    }
    tail.kill().await?;
    for event in &mut log {
        event["epoch"].clone_from(&epoch);
    }
    for (told, logged) in told.events.iter().zip(&log) {
        check::equal("an event told", told, logged)?;
    }
    check::equal("events told", &told.events.len(), &log.len())?;
    println!(
        "      {} events, {} repeated at a start",
        log.len(),
        told.repeated
    );
    Ok(())
}

/// The events of all lines so far.
#[derive(Default)]
struct Told {
    events: Vec<Value>,
    /// Whether no event has come since the last start.
    restarted: bool,
    repeated: usize,
}

impl Told {
    fn take(&mut self, message: Value) -> Result<()> {
        ensure!(
            message["type"] != "snapshot",
            "expected it to resume, got {message}"
        );
        if message.get("seq").is_none() {
            return Ok(());
        }
        // Killed between the line and the file: the one event that may come again.
        if std::mem::take(&mut self.restarted) && self.events.last() == Some(&message) {
            self.repeated += 1;
        } else {
            self.events.push(message);
        }
        Ok(())
    }
}
