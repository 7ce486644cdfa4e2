//! After a backup was restored: new epochs, and nobody resumes across them.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{approve, compute, pending, read};
use crate::bars::{self, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::Role;
use crate::client::socket::about;
use crate::target::Stop;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::own(
            "epochs/renewed: sockets come back to a snapshot, no event is told twice",
            &[],
            renewed,
        ),
        Case::own(
            "resume/after a restore: not recovered, then a snapshot of what is there",
            &[],
            restored,
        ),
        Case::own("epochs/only what is named is renewed", &[], named),
        Case::shared(
            "epochs/only an admin renews, and a bad body is a problem",
            refused,
        ),
    ]
}

/// `POST /epochs`; the rooms that were renewed, by name, with their epochs.
async fn renew(ctx: &Ctx, body: &Value) -> Result<Vec<(String, Value)>> {
    let answer = ctx
        .rest(Role::Admin)?
        .post("/api/v1/epochs", body)
        .await?
        .ok()?;
    check::equal("rooms that failed", &answer["failed"], &json!([]))?;
    check::equal("the next page", &answer["next_cursor"], &Value::Null)?;
    check::array(&answer, "epochs")?
        .iter()
        .map(|it| {
            let room = it["room"].as_str().context("a room's name")?;
            Ok((room.to_owned(), it["epoch"].clone()))
        })
        .collect()
}

fn epoch_of<'a>(epochs: &'a [(String, Value)], room: &str) -> Result<&'a Value> {
    let found = epochs.iter().find(|(name, _)| name == room);
    let (_, epoch) = found.with_context(|| format!("{room} in {epochs:?}"))?;
    Ok(epoch)
}

/// A resume with a position of an epoch that has ended; the signal of `symbol` in the snapshot.
async fn anew(ctx: &Ctx, path: &str, old: &Value, since: u64, symbol: &str) -> Result<Value> {
    let mut back = ctx.dial(path).resume(old, since).resumed().await?;
    ensure!(
        &back.welcome["epoch"] != old,
        "expected another epoch than {old} on {path}"
    );
    check::equal("what came before", &back.missed.len(), &0)?;
    check::equal(
        "resumed",
        &back.resumed,
        &json!({"recovered": false, "count": 0}),
    )?;
    let snapshot = back.socket.expect("snapshot").await?;
    let signals = check::array(&snapshot["data"], "signals")?.clone();
    let signal = signals.into_iter().find(|it| it["symbol"] == symbol);
    signal.with_context(|| format!("{symbol} in the snapshot of {path}"))
}

async fn renewed(ctx: Ctx) -> Result<()> {
    let (symbol, signal) = pending(&ctx, "A", Shape::Buy).await?;
    approve(&ctx, "ann", &symbol, "BUY").await?.ok()?;
    let room = format!("/ws/{symbol}");
    let mut feed = ctx.dial("/ws").open().await?;
    let mut own = ctx.dial(&room).open().await?;
    let since = feed.socket.position().await?;
    check::equal("both logs", &own.socket.position().await?, &since)?;

    let epochs = renew(&ctx, &json!({})).await?;
    for (opened, name) in [(&mut feed, "feed"), (&mut own, &format!("symbol/{symbol}"))] {
        check::equal("the close code", &opened.socket.closed().await?, &1012)?;
        ensure!(
            epoch_of(&epochs, name)? != &opened.welcome["epoch"],
            "expected a new epoch of {name}"
        );
    }
    for (path, old) in [
        ("/ws", &feed.welcome["epoch"]),
        (room.as_str(), &own.welcome["epoch"]),
    ] {
        let shown = anew(&ctx, path, old, since, &symbol).await?;
        check::equal("its status", &shown["status"], &json!("APPROVED_BUY"))?;
        check::equal("its id", &shown["id"], &signal["id"])?;
    }

    // In the new epoch a client resumes as ever: what holds was told again, once.
    let epoch = epoch_of(&epochs, "feed")?;
    let back = ctx.dial("/ws").resume(epoch, since).resumed().await?;
    check::equal("what was told again", &back.missed.len(), &1)?;
    check::equal(
        "the signal",
        &about(&back.missed, "new_signal", &symbol).len(),
        &1,
    )?;
    let decisions = read(&ctx, "/api/v1/approvals").await?;
    check::equal(
        "decisions",
        &check::array(&decisions, "approvals")?.len(),
        &1,
    )?;

    // And life goes on from there, without a second telling of anything.
    let mut live = ctx.dial("/ws").resume(epoch, since + 1).resumed().await?;
    compute(&ctx, &symbol, &bars::series_of(Shape::Buy, 1, 401)).await?;
    let event = live.socket.event("new_signal", &symbol).await?;
    check::equal("the next seq", &event["seq"], &json!(since + 2))?;
    let (more, _) = live.socket.barrier().await?;
    check::equal("what else came", &more, &vec![])
}

async fn restored(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    ctx.dial("/ws").open().await?.socket.reach(1).await?;
    let data = ctx.start().data.clone();
    let backup = ctx.scratch().join("backup");
    ctx.restart_after(Stop::Gently, || copy(&data, &backup))
        .await?;

    // What the backup will not have.
    let mut feed = ctx.dial("/ws").open().await?;
    let own = ctx.dial(&format!("/ws/{symbol}")).open().await?;
    let epochs = [feed.welcome["epoch"].clone(), own.welcome["epoch"].clone()];
    approve(&ctx, "ann", &symbol, "RISK").await?.ok()?;
    feed.socket.event("approval_notification", &symbol).await?;
    let since = feed.socket.position().await?;

    ctx.restart_after(Stop::Gently, || {
        std::fs::remove_dir_all(&data)?;
        copy(&backup, &data)
    })
    .await?;
    renew(&ctx, &json!({})).await?;
    // New events get numbers that were given before: no position of then may count.
    approve(&ctx, "bob", &symbol, "BUY").await?.ok()?;
    for (path, old) in ["/ws".to_owned(), format!("/ws/{symbol}")]
        .iter()
        .zip(&epochs)
    {
        for since in [0, 1, since] {
            let shown = anew(&ctx, path, old, since, &symbol)
                .await
                .with_context(|| format!("{path} since {since}"))?;
            check::equal("its status", &shown["status"], &json!("APPROVED_BUY"))?;
            check::equal("by whom", &shown["approval"]["approved_by"], &json!("bob"))?;
        }
    }
    let decisions = read(&ctx, "/api/v1/approvals").await?;
    check::equal(
        "decisions",
        &check::array(&decisions, "approvals")?.len(),
        &1,
    )
}

async fn named(ctx: Ctx) -> Result<()> {
    let (a, _) = pending(&ctx, "A", Shape::Buy).await?;
    let (b, _) = pending(&ctx, "B", Shape::Risk).await?;
    let mut feed = ctx.dial("/ws").open().await?;
    let mut other = ctx.dial(&format!("/ws/{b}")).open().await?;
    let mut own = ctx.dial(&format!("/ws/{a}")).open().await?;
    let epochs = renew(&ctx, &json!({"symbols": [a]})).await?;
    check::equal("rooms renewed", &epochs.len(), &1)?;
    check::equal("the close code", &own.socket.closed().await?, &1012)?;
    // The feed hears it as an event like any other.
    let event = feed.socket.event("new_signal", &a).await?;
    check::equal(
        "its status",
        &event["data"]["status"],
        &json!("PENDING_REVIEW"),
    )?;
    let (came, _) = other.socket.barrier().await?;
    check::equal("what came to the other room", &came, &vec![])?;
    let answer = ctx
        .rest(Role::Admin)?
        .post("/api/v1/epochs", &json!({"symbols": [ctx.symbol("NONE")]}))
        .await?
        .ok()?;
    check::equal(
        "what has no room",
        &answer["failed"],
        &json!([format!("symbol/{}", ctx.symbol("NONE"))]),
    )
}

async fn refused(ctx: Ctx) -> Result<()> {
    for role in [Role::Viewer, Role::Approver, Role::Service] {
        ctx.rest(role)?
            .post("/api/v1/epochs", &json!({"symbols": []}))
            .await?
            .problem(403, "forbidden")?;
    }
    let admin = ctx.rest(Role::Admin)?;
    for body in [
        json!({"symbols": "A"}),
        json!({"symbols": ["A B"]}),
        json!({"symbols": [7]}),
        json!({"symbols": vec!["A"; 501]}),
        json!([]),
    ] {
        admin
            .post("/api/v1/epochs", &body)
            .await?
            .problem(422, "invalid")
            .with_context(|| body.to_string())?;
    }
    admin
        .post_text("/api/v1/epochs", "{".to_owned())
        .await?
        .problem(400, "invalid")?;
    Ok(())
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
