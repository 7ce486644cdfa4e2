//! What survives: a power cut, an orderly restart, hibernation.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::revoke::{issued, revoke};
use super::{approve, compute, import, pending, read};
use crate::bars::{self, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::Role;
use crate::client::socket::about;
use crate::target::{Kind, Stop};

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::own(
            "durable/kill -9 and restart keep everything, resume works across",
            &[],
            killed,
        ),
        Case::own(
            "durable/what was dirty before kill -9 is computed after it",
            &[],
            dirty,
        ),
        Case::own(
            "durable/an orderly stop closes with a code that means come back",
            &[],
            drained,
        )
        .only(&[Kind::Inproc, Kind::Harness]),
        Case::own(
            "durable/hibernation keeps sockets, subscriptions and the heartbeat",
            &[("DEV_ROUTES", "1")],
            asleep,
        ),
        // The harness runs the same list on its own SQLite, in its unit tests.
        Case::own(
            "durable/the database keeps the rules both runtimes share",
            &[("DEV_ROUTES", "1")],
            database,
        )
        .only(&[Kind::Workerd]),
    ]
}

async fn database(ctx: Ctx) -> Result<()> {
    let reply = ctx.anonymous()?.get("/dev/sql/cases").await?;
    ensure!(reply.status == 200, "expected the outcomes, got {reply}");
    let failed: Vec<&str> = reply
        .body
        .lines()
        .filter(|line| !line.starts_with("ok "))
        .collect();
    ensure!(
        failed.is_empty(),
        "expected every case to hold, got {failed:#?}"
    );
    ensure!(
        reply.body.lines().count() > 5,
        "expected the whole list, got {reply}"
    );
    Ok(())
}

/// Everything REST says about two symbols.
async fn everything(ctx: &Ctx, symbols: &[&str]) -> Result<Vec<(String, Value)>> {
    let mut paths: Vec<String> = ["signals", "approvals", "scan/top", "city"]
        .map(|it| format!("/api/v1/{it}"))
        .into();
    for symbol in symbols {
        paths.push(format!("/api/v1/signals/{symbol}"));
        paths.push(format!("/api/v1/signals/{symbol}/history"));
        paths.push(format!("/api/v1/signals/{symbol}/approvals"));
        paths.push(format!("/api/v1/symbols/{symbol}/bars?limit=500"));
    }
    let mut all = Vec::new();
    for path in paths {
        let value = read(ctx, &path).await?;
        all.push((path, value));
    }
    Ok(all)
}

async fn killed(ctx: Ctx) -> Result<()> {
    let mut feed = ctx.dial("/ws").open().await?;
    let (a, _) = pending(&ctx, "A", Shape::Buy).await?;
    let (b, _) = pending(&ctx, "B", Shape::Risk).await?;
    feed.socket.events("new_signal", &[&a, &b]).await?;
    let mut room = ctx.dial(&format!("/ws/{a}")).open().await?;
    let (feed_since, room_since) = (feed.socket.position().await?, room.socket.position().await?);
    let answer = approve(&ctx, "ann", &a, "BUY").await?.ok()?;
    compute(&ctx, &a, &bars::series_of(Shape::Buy, 1, 401)).await?;
    // The feed has all: the city and the lists may be compared.
    feed.socket.event("approval_notification", &a).await?;
    feed.socket.event("new_signal", &a).await?;
    let reply = ctx
        .rest(Role::Service)?
        .post("/api/v1/runs", &json!({"cron": "* * * * *"}))
        .await?;
    ensure!(reply.status < 300, "expected a run, got {reply}");
    let feed_top = feed.socket.position().await?;
    let room_top = room.socket.position().await?;
    let before = everything(&ctx, &[&a, &b]).await?;

    ctx.restart(Stop::Kill).await?;

    let after = everything(&ctx, &[&a, &b]).await?;
    for ((path, before), (_, after)) in before.iter().zip(&after) {
        check::equal(path, after, before)?;
    }
    for (path, opened, since, top) in [
        ("/ws".to_owned(), &feed, feed_since, feed_top),
        (format!("/ws/{a}"), &room, room_since, room_top),
    ] {
        let epoch = &opened.welcome["epoch"];
        let back = ctx
            .dial(&path)
            .resume(epoch, since)
            .resumed()
            .await
            .context(path.clone())?;
        check::equal("epoch", &back.welcome["epoch"], epoch)?;
        check::equal("the log's newest seq", &back.welcome["seq"], &json!(top))?;
        check::equal(
            "resumed",
            &back.resumed,
            &json!({"recovered": true, "count": 2}),
        )?;
        let approvals = about(&back.missed, "approval_notification", &a);
        check::equal("approvals missed", &approvals.len(), &1)?;
        check::equal(
            "the approval missed",
            &approvals[0]["data"]["approved_at"],
            &answer["approval"]["approved_at"],
        )?;
        check::equal(
            "signals missed",
            &about(&back.missed, "new_signal", &a).len(),
            &1,
        )?;
    }
    // And life goes on from there.
    let mut live = ctx.dial("/ws").open().await?;
    approve(&ctx, "bob", &b, "RISK").await?.ok()?;
    let event = live.socket.event("approval_notification", &b).await?;
    check::equal("the next seq", &event["seq"], &json!(feed_top + 1))
}

async fn dirty(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    import(&ctx, &symbol, &bars::series(Shape::Buy, 1)).await?;
    ctx.restart(Stop::Kill).await?;
    let mut feed = ctx.dial("/ws").open().await?.socket;
    let reply = ctx
        .rest(Role::Service)?
        .post("/api/v1/runs", &json!({}))
        .await?;
    ensure!(reply.status < 300, "expected a run, got {reply}");
    feed.event("new_signal", &symbol).await?;
    read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
    Ok(())
}

async fn drained(ctx: Ctx) -> Result<()> {
    let mut opened = ctx.dial("/ws").open().await?;
    let stop = async { ctx.restart(Stop::Gently).await };
    let (code, stopped) = tokio::join!(opened.socket.closed(), stop);
    stopped?;
    check::equal("the close code of a restart", &code?, &1012)?;
    let back = ctx
        .dial("/ws")
        .resume(&opened.welcome["epoch"], 0)
        .resumed()
        .await?;
    check::equal("recovered", &back.resumed["recovered"], &json!(true))
}

/// Longer than the ten seconds after which both runtimes put an idle room to sleep.
const IDLE: Duration = Duration::from_secs(13);

/// Which instance of each room answers, by the development-only route of the Worker. Asking wakes
/// a room. The harness has no such route: there the list is empty.
async fn instances(ctx: &Ctx, rooms: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    if ctx.kind() == Kind::Workerd {
        for room in rooms {
            let reply = ctx
                .anonymous()?
                .get(&format!("/dev/instance/{room}"))
                .await?;
            ensure!(
                reply.status == 200 && !reply.body.is_empty(),
                "expected an id, got {reply}"
            );
            found.push(reply.body);
        }
    }
    Ok(found)
}

async fn asleep(ctx: Ctx) -> Result<()> {
    let (a, b) = (ctx.symbol("A"), ctx.symbol("B"));
    let mut narrow = ctx.dial("/ws").query("symbols", &a).open().await?;
    let mut wide = ctx.dial_bare("/ws");
    wide = wide.query("token", &ctx.minter().token("tool", Role::Viewer));
    let mut wide = wide.open().await?;
    let mut room = ctx.dial(&format!("/ws/{a}")).open().await?;
    let leaver = ctx.user("leaver");
    let theirs = issued(&ctx, &leaver, Role::Viewer, -1);
    let theirs = ctx.dial_bare(&format!("/ws/{a}")).bearer(&theirs);
    let mut theirs = theirs.open().await?.socket;
    compute(&ctx, &a, &bars::series(Shape::Buy, 1)).await?;
    for opened in [&mut narrow, &mut wide, &mut room] {
        opened.socket.event("new_signal", &a).await?;
    }
    let top = wide.socket.position().await?;
    let room_top = room.socket.position().await?;

    let sleepers = ["feed".to_owned(), format!("symbol/{a}")];
    let before = instances(&ctx, &sleepers).await?;
    for round in 0..2 {
        if ctx.kind() != Kind::Inproc {
            // Real idle time: nothing but this makes the runtime evict a room. In process it is
            // forced after every event.
            tokio::time::sleep(IDLE).await;
        }
        // The heartbeat is answered by the runtime, with the newest seq, for every socket.
        for (opened, top) in [(&mut narrow, top), (&mut wide, top), (&mut room, room_top)] {
            let pong = opened.socket.heartbeat().await.context("asleep")?;
            let want = json!({"epoch": opened.welcome["epoch"], "seq": top});
            check::equal(&format!("the bare pong in round {round}"), &pong, &want)?;
        }
    }

    // It wakes for whom it has to let go.
    revoke(&ctx, &leaver).await?;
    let code = theirs.closed().await?;
    check::equal("the close code of a revoked token", &code, &4501)?;

    // Awake again: another instance, with the same sockets and subscriptions.
    for ((room, before), after) in sleepers
        .iter()
        .zip(before)
        .zip(instances(&ctx, &sleepers).await?)
    {
        ensure!(
            before != after,
            "expected another instance of {room}, it is still {after}"
        );
    }
    compute(&ctx, &b, &bars::series(Shape::Risk, 1)).await?;
    approve(&ctx, "ann", &b, "RISK").await?.ok()?;
    compute(&ctx, &a, &bars::series_of(Shape::Buy, 1, 401)).await?;
    approve(&ctx, "ann", &a, "BUY").await?.ok()?;
    for (opened, sees_b) in [(&mut narrow, 0), (&mut wide, 1)] {
        let what = |it: &Value| it["type"] == "approval_notification" && it["data"]["symbol"] == a;
        let (before, _) = opened.socket.until("the approval of A", what).await?;
        check::equal("signals of A", &about(&before, "new_signal", &a).len(), &1)?;
        check::equal(
            "signals of B",
            &about(&before, "new_signal", &b).len(),
            &sees_b,
        )?;
        let approvals = about(&before, "approval_notification", &b).len();
        check::equal("approvals of B", &approvals, &1)?;
        let pong = opened.socket.heartbeat().await?;
        check::equal("the bare pong awake", &pong["seq"], &json!(top + 4))?;
    }
    room.socket.event("new_signal", &a).await?;
    room.socket.event("approval_notification", &a).await?;
    let pong = room.socket.heartbeat().await?;
    check::equal(
        "the room's bare pong awake",
        &pong["seq"],
        &json!(room_top + 2),
    )
}
