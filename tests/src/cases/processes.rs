//! The native server as a process: what stops it from starting, and how it ends.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::command_line::{Ended, ended, signalroom};
use super::pending;
use crate::bars::Shape;
use crate::case::{Case, Ctx};
use crate::check;
use crate::target::{Kind, Server, Stop, process};

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::command_line("process/SIGTERM exits 0 with sockets open", sigterm),
        Case::command_line("process/a port in use is one clear line", port_in_use),
        Case::command_line(
            "process/a data folder in use is one clear line",
            folder_in_use,
        ),
        Case::command_line(
            "process/a data folder that cannot be is one clear line",
            no_folder,
        ),
        Case::command_line(
            "process/a corrupt database is one clear line, and kept",
            corrupt,
        ),
        Case::command_line(
            "process/a short or empty JWT_SECRET is one clear line",
            secret,
        ),
        Case::command_line("process/a bad var is one clear line", bad_var),
    ]
}

/// `serve` that must fail.
async fn serve(ctx: &Ctx, listen: &str, data: &Path) -> Result<Ended> {
    let mut command = signalroom(ctx, &["serve", "--listen", listen, "--data"]).await?;
    command.arg(data).current_dir(ctx.scratch());
    ended(command).await
}

/// It failed with one line that names `what`.
fn one_clear_line(ended: &Ended, what: &str) -> Result<()> {
    ensure!(
        ended.code.is_some_and(|code| code != 0),
        "expected a non-zero exit, got {:?}: {} {}",
        ended.code,
        ended.stdout,
        ended.stderr
    );
    let lines: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    ensure!(
        lines.len() == 1 && lines[0].contains(what) && !lines[0].contains("panicked"),
        "expected one clear line about {what} on stderr, got {:?}",
        ended.stderr
    );
    ensure!(
        !ended.stdout.contains("listening on"),
        "expected it not to listen, got {}",
        ended.stdout
    );
    Ok(())
}

async fn start(ctx: &Ctx) -> Result<Server> {
    Server::start(Kind::Harness, ctx.start()).await
}

async fn sigterm(ctx: Ctx) -> Result<()> {
    let mut server = start(&ctx).await?;
    let inside = ctx.at(server.url());
    let mut feed = inside.dial("/ws").open().await?.socket;
    pending(&inside, "A", Shape::Buy).await?;
    // `stop` fails unless it exits with 0.
    let (stopped, code) = tokio::join!(server.stop(Stop::Gently), feed.closed());
    stopped?;
    check::equal("the close code", &code?, &1012)
}

async fn port_in_use(ctx: Ctx) -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    let ended = serve(
        &ctx,
        &format!("127.0.0.1:{port}"),
        &ctx.scratch().join("other"),
    )
    .await?;
    one_clear_line(&ended, &port)
}

async fn folder_in_use(ctx: Ctx) -> Result<()> {
    let mut server = start(&ctx).await?;
    let data = ctx.start().data.clone();
    let listen = format!("127.0.0.1:{}", process::free_port()?);
    let ended = serve(&ctx, &listen, &data).await?;
    one_clear_line(&ended, "in use")?;
    pending(&ctx.at(server.url()), "A", Shape::Buy)
        .await
        .context("the first goes on")?;
    server.stop(Stop::Gently).await
}

async fn no_folder(ctx: Ctx) -> Result<()> {
    // Not writable for anybody, root included: below a file.
    let file = ctx.scratch().join("file");
    std::fs::write(&file, "kept")?;
    let ended = serve(&ctx, "127.0.0.1:0", &file.join("data")).await?;
    one_clear_line(&ended, "file")?;
    let ended = serve(&ctx, "127.0.0.1:0", &file).await?;
    one_clear_line(&ended, "file")?;
    check::equal(
        "the file",
        &std::fs::read_to_string(&file)?.as_str(),
        &"kept",
    )
}

/// Every SQLite database below `folder`.
fn databases(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            databases(&path, found)?;
        } else if std::fs::read(&path)?.starts_with(b"SQLite format 3") {
            found.push(path);
        }
    }
    Ok(())
}

async fn corrupt(ctx: Ctx) -> Result<()> {
    let mut server = start(&ctx).await?;
    pending(&ctx.at(server.url()), "A", Shape::Buy).await?;
    server.stop(Stop::Gently).await?;
    let mut files = Vec::new();
    databases(&ctx.start().data, &mut files)?;
    ensure!(!files.is_empty(), "expected databases in the data folder");
    let garbage = "not a database at all\n".repeat(400);
    for file in &files {
        std::fs::write(file, &garbage)?;
    }
    let ended = serve(&ctx, "127.0.0.1:0", &ctx.start().data).await?;
    one_clear_line(&ended, "database")?;
    for file in &files {
        let kept = std::fs::read_to_string(file).unwrap_or_default();
        ensure!(
            kept == garbage,
            "expected {} to be left as it was",
            file.display()
        );
    }
    Ok(())
}

/// `serve` with one var changed.
async fn with_var(ctx: &Ctx, name: &str, value: &str) -> Result<Ended> {
    let data = ctx.scratch().join("fresh");
    let mut command = signalroom(ctx, &["serve", "--listen", "127.0.0.1:0", "--data"]).await?;
    command.arg(&data).current_dir(ctx.scratch());
    command.env(name, value);
    let ended = ended(command).await?;
    ensure!(!data.exists(), "expected no data folder to be made");
    Ok(ended)
}

async fn secret(ctx: Ctx) -> Result<()> {
    for value in ["", "too-short", "thirty-one-bytes-are-not-enough"] {
        let ended = with_var(&ctx, "JWT_SECRET", value).await?;
        one_clear_line(&ended, "JWT_SECRET").with_context(|| format!("{value:?}"))?;
        ensure!(
            value.is_empty() || !ended.stderr.contains(value),
            "expected the secret not to be printed"
        );
    }
    Ok(())
}

async fn bad_var(ctx: Ctx) -> Result<()> {
    for (name, value) in [
        ("HISTORY_LIMIT", "many"),
        ("MESSAGE_RETENTION", "-1"),
        ("WATCHLIST", "GOOD,B_D"),
        ("JWKS_URL", "http://id.example/certs"),
        ("JWT_SECRET_PREVIOUS", "thirty-one-bytes-are-not-enough"),
    ] {
        let ended = with_var(&ctx, name, value).await?;
        one_clear_line(&ended, name).with_context(|| format!("{name}={value}"))?;
    }
    Ok(())
}
