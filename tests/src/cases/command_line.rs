//! The native binary's commands against a server: the API from a terminal.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::revoke::issued;
use super::{import, pending, read};
use crate::bars::{self, HEADER, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::Role;
use crate::target::{Kind, harness};

const ONLY: &[Kind] = &[Kind::Harness];

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared(
            "command line/token prints a token that the server takes",
            token,
        )
        .only(ONLY),
        Case::shared("command line/import sends a file and counts", imports).only(ONLY),
        Case::shared(
            "command line/import of a bad file names lines, of none fails",
            bad_import,
        )
        .only(ONLY),
        Case::shared("command line/cron starts a run", cron).only(ONLY),
        Case::shared("command line/approve and signals", approve).only(ONLY),
        Case::shared(
            "command line/audit verifies, exports, and verifies the export",
            audit,
        )
        .only(ONLY),
        Case::shared("command line/revoke shuts a user out", revoke).only(ONLY),
        Case::shared("command line/tail shows a signal and its approval", tail).only(ONLY),
    ]
}

/// What a command printed, and how it ended.
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// The binary with the run's vars.
pub(super) async fn signalroom(ctx: &Ctx, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(harness::binary().await?);
    command
        .args(arguments)
        .envs(&ctx.start().vars)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

/// Runs a command to its end.
pub(super) async fn ended(mut command: Command) -> Result<Ended> {
    let output = tokio::time::timeout(Duration::from_secs(60), command.output())
        .await
        .with_context(|| format!("expected {command:?} to end"))??;
    Ok(Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

impl Ended {
    pub(super) fn ok(self) -> Result<String> {
        ensure!(
            self.code == Some(0),
            "expected exit 0, got {:?}: {} {}",
            self.code,
            self.stdout,
            self.stderr
        );
        Ok(self.stdout)
    }
}

/// Runs a command of an admin's against the run's server.
pub(super) async fn run(ctx: &Ctx, arguments: &[&str]) -> Result<Ended> {
    let url = ctx.url();
    let token = ctx.minter().token(&ctx.user("cli"), Role::Admin);
    let mut command = signalroom(ctx, arguments).await?;
    command.args(["--url", &url, "--token", &token]);
    ended(command).await
}

async fn audit(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    run(&ctx, &["approve", &symbol, "BUY", "--note", "so"])
        .await?
        .ok()?;
    let other = ctx.symbol("B");
    import(&ctx, &other, &bars::series(Shape::Buy, 1)).await?;
    let printed = run(&ctx, &["audit", "verify", &symbol, &other])
        .await?
        .ok()?;
    for (symbol, rows) in [(&symbol, "2 rows"), (&other, "1 row")] {
        let line = printed.lines().find(|line| line.contains(symbol.as_str()));
        let line = line.with_context(|| format!("{symbol} in {printed}"))?;
        ensure!(
            line.contains(&format!("{rows}, whole")),
            "expected {rows}, whole, got {line}"
        );
    }
    let printed = run(&ctx, &["audit", "verify"]).await?.ok()?;
    ensure!(
        printed.contains(&symbol) && printed.contains(&other) && printed.contains("feed"),
        "expected every room, got {printed}"
    );
    let nobody = run(&ctx, &["audit", "verify", &ctx.symbol("NONE")]).await?;
    ensure!(
        nobody.code == Some(1) && !nobody.stderr.is_empty(),
        "expected an unknown symbol to fail, got {:?}: {}",
        nobody.code,
        nobody.stdout
    );

    let file = ctx.scratch().with_extension("jsonl");
    let path = file.to_string_lossy().into_owned();
    let printed = run(&ctx, &["audit", "export", &symbol, "--out", &path])
        .await?
        .ok()?;
    check::equal("what it printed", &printed.trim(), &"2 rows")?;
    let text = std::fs::read_to_string(&file)?;
    ensure!(
        text.contains("\"user_agent\":\"signalroom/"),
        "expected the terminal to be named, got {text}"
    );
    let all = run(&ctx, &["audit", "export"]).await?.ok()?;
    ensure!(all.contains(&text), "expected {text} among {all}");
    let verify = |text: String| {
        let (ctx, path, written) = (ctx.clone(), path.clone(), std::fs::write(&path, text));
        async move {
            written?;
            ended(signalroom(&ctx, &["audit", "verify", "--file", &path]).await?).await
        }
    };
    let printed = verify(all).await?.ok()?;
    ensure!(
        printed.contains(&symbol) && printed.contains(&other),
        "expected both rooms, got {printed}"
    );
    let first = text.lines().next().unwrap_or_default();
    for (changed, said) in [
        (
            text.replace("\"so\"", "\"no\""),
            "BROKEN at row 2: it was changed",
        ),
        (
            text.replacen(&format!("{first}\n"), "", 1),
            "BROKEN at row 1: it was removed",
        ),
        (
            text.replace("\"v\":1}", "\"v\":1 }"),
            "line 1: not a row as it is exported",
        ),
    ] {
        let ended = verify(changed).await?;
        check::equal("the exit code", &ended.code, &Some(1))?;
        ensure!(
            ended.stdout.contains(said),
            "expected {said:?}, got {}",
            ended.stdout
        );
    }
    Ok(())
}

async fn token(ctx: Ctx) -> Result<()> {
    let command = signalroom(&ctx, &["token", "--sub", "alice", "--role", "viewer"]).await?;
    let token = ended(command).await?.ok()?;
    ctx.rest_with(token.trim())?
        .get("/api/v1/signals")
        .await?
        .ok()?;
    ctx.rest_with(token.trim())?
        .post("/api/v1/runs", &json!({}))
        .await?
        .problem(403, "forbidden")?;
    let command = signalroom(&ctx, &["token", "--sub", "alice", "--role", "king"]).await?;
    ensure!(
        ended(command).await?.code != Some(0),
        "expected an unknown role to fail"
    );
    Ok(())
}

async fn imports(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let file = ctx.scratch().with_extension("csv");
    std::fs::write(&file, bars::csv(&bars::series(Shape::Buy, 1)))?;
    let path = file.to_string_lossy().into_owned();
    let printed = run(&ctx, &["import", &symbol, &path]).await?.ok()?;
    ensure!(
        printed.contains("400") && printed.contains("accepted"),
        "expected 400 accepted, got {printed}"
    );
    let page = read(&ctx, &format!("/api/v1/symbols/{symbol}/bars?limit=500")).await?;
    check::equal("bars held", &check::array(&page, "bars")?.len(), &400)?;
    let printed = run(&ctx, &["import", &symbol, &path]).await?.ok()?;
    ensure!(
        printed.contains("unchanged"),
        "expected unchanged, got {printed}"
    );
    Ok(())
}

async fn bad_import(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let file = ctx.scratch().with_extension("csv");
    std::fs::write(
        &file,
        format!("{HEADER}\n2024-01-02,1,2,1,2,5\n2024-01-03,1,x,1,2,5\n"),
    )?;
    let path = file.to_string_lossy().into_owned();
    let ended = run(&ctx, &["import", &symbol, &path]).await?;
    let printed = format!("{}{}", ended.stdout, ended.stderr);
    ensure!(
        printed.contains('3'),
        "expected line 3 to be named, got {printed}"
    );
    let ended = run(&ctx, &["import", &symbol, "/nowhere/at/all.csv"]).await?;
    ensure!(
        ended.code != Some(0),
        "expected an absent file to fail, got {}",
        ended.stdout
    );
    ensure!(
        ended.stderr.contains("all.csv") && !ended.stderr.contains("panicked"),
        "expected a clear line, got {}",
        ended.stderr
    );
    Ok(())
}

async fn cron(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    import(&ctx, &symbol, &bars::series(Shape::Buy, 1)).await?;
    run(&ctx, &["cron", "*/5 * * * *"]).await?.ok()?;
    let path = format!("/api/v1/signals/{symbol}");
    ctx.rest(Role::Viewer)?
        .poll("a signal", &path, |reply| reply.status == 200)
        .await?;
    Ok(())
}

async fn approve(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    run(
        &ctx,
        &["approve", &symbol, "BUY", "--note", "from a terminal"],
    )
    .await?
    .ok()?;
    let signal = read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
    check::text(&signal["approval"], "note", "from a terminal")?;
    let again = run(&ctx, &["approve", &symbol, "RISK"]).await?;
    ensure!(
        again.code != Some(0),
        "expected a second approval to fail, got {}",
        again.stdout
    );
    let path = "/api/v1/signals?limit=500";
    ctx.rest(Role::Viewer)?
        .poll(&symbol, path, |reply| reply.body.contains(&symbol))
        .await?;
    let printed = run(&ctx, &["signals"]).await?.ok()?;
    ensure!(
        printed.contains(&symbol),
        "expected {symbol} in the list, got {printed}"
    );
    Ok(())
}

async fn revoke(ctx: Ctx) -> Result<()> {
    let sub = ctx.user("mallory");
    let token = issued(&ctx, &sub, Role::Approver, -1);
    ctx.rest_with(&token)?.get("/api/v1/city").await?.ok()?;
    let printed = run(&ctx, &["revoke", &sub, "--reason", "left the desk"])
        .await?
        .ok()?;
    ensure!(
        printed.contains(&sub),
        "expected {sub} to be named, got {printed}"
    );
    let refused = ctx.rest_with(&token)?.get("/api/v1/city").await?;
    refused.problem(401, "unauthorized")?;
    Ok(())
}

async fn tail(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let url = ctx.url();
    let token = ctx.minter().token(&ctx.user("cli"), Role::Viewer);
    let mut command =
        signalroom(&ctx, &["tail", &symbol, "--url", &url, "--token", &token]).await?;
    let mut child = command.stdout(Stdio::piped()).spawn().context("tail")?;
    let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
    let mut next = async |what: &str, wanted: &str| -> Result<()> {
        let found = async {
            while let Some(line) = lines.next_line().await? {
                if line.contains(&symbol) && line.contains(wanted) {
                    return anyhow::Ok(true);
                }
            }
            Ok(false)
        };
        let found = tokio::time::timeout(Duration::from_secs(60), found).await;
        ensure!(
            matches!(found, Ok(Ok(true))),
            "expected tail to show {what}, got {found:?}"
        );
        Ok(())
    };
    // The snapshot shows that it listens.
    next("the pending signal", "BUY").await?;
    super::approve(&ctx, "someone", &symbol, "RISK")
        .await?
        .ok()?;
    next("the approval", "RISK").await?;
    child.kill().await.context("ending tail")
}
