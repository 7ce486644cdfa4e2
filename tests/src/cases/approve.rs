//! Approving: one decision per signal, seen by everybody.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::{approve, compute, pending, read};
use crate::bars::{self, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::rest::send;
use crate::client::{Reply, Role};

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared("approve/each status is kept with who, when and note", happy),
        Case::shared("approve/a note is optional", no_note),
        Case::shared(
            "approve/a decided signal is 409 already-decided with the signal",
            decided,
        ),
        Case::shared(
            "approve/another signal_id is 409 stale-signal with the signal",
            stale_id,
        ),
        Case::shared(
            "approve/another If-Match is 409 stale-signal with the signal",
            stale_match,
        ),
        Case::shared("approve/the ETag works as If-Match, weak too", matching),
        Case::shared("approve/two racing approvals: one 200, one 409", race),
        Case::shared("approve/two sockets see one approval", two_sockets),
        Case::shared(
            "approve/the positions it answers are reached by the streams",
            positions,
        ),
        Case::shared("approve/every socket sees it, narrowed ones too", everybody),
        Case::shared(
            "approve/a retry under its Idempotency-Key gets the first answer",
            retried,
        ),
        Case::shared("approve/a note is kept as plain text", plain),
        Case::shared("approve/Server-Timing says where the time went", timing),
    ]
}

async fn post(ctx: &Ctx, sub: &str, symbol: &str, body: Value) -> Result<Reply> {
    ctx.rest_as(sub, Role::Approver)?
        .post(&format!("/api/v1/signals/{symbol}/approve"), &body)
        .await
}

async fn happy(ctx: Ctx) -> Result<()> {
    for (name, status) in [("A", "BUY"), ("B", "NEUTRAL"), ("C", "RISK")] {
        let (symbol, signal) = pending(&ctx, name, Shape::Neutral).await?;
        let ann = ctx.user("ann");
        let body = json!({"status": status, "note": "seen \"it\" – ✓", "signal_id": signal["id"]});
        let answer = post(&ctx, &ann, &symbol, body).await?.ok()?;
        check::members("the answer", &answer, &["approval", "room", "feed"])?;
        let approval = &answer["approval"];
        check::text(approval, "symbol", &symbol)?;
        check::text(approval, "approved_status", status)?;
        check::text(approval, "approved_by", &ann)?;
        check::text(approval, "note", "seen \"it\" – ✓")?;
        check::equal("signal_id", &approval["signal_id"], &signal["id"])?;
        check::time("approved_at", &approval["approved_at"])?;
        check::members("room", &answer["room"], &["epoch", "seq"])?;
        check::members("feed", &answer["feed"], &["epoch", "seq"])?;

        let now = read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
        check::equal("the id", &now["id"], &signal["id"])?;
        check::text(&now, "status", &format!("APPROVED_{status}"))?;
        check::equal(
            "awaiting_approval",
            &now["awaiting_approval"],
            &json!(false),
        )?;
        check::text(&now["approval"], "approved_by", &ann)?;
    }
    Ok(())
}

async fn no_note(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let answer = post(&ctx, "ann", &symbol, json!({"status": "BUY"}))
        .await?
        .ok()?;
    check::equal("note", &answer["approval"]["note"], &Value::Null)?;
    let (symbol, _) = pending(&ctx, "B", Shape::Buy).await?;
    let answer = post(&ctx, "ann", &symbol, json!({"status": "BUY", "note": null}))
        .await?
        .ok()?;
    check::equal("note", &answer["approval"]["note"], &Value::Null)
}

/// The problem carries the current signal.
fn carries(reply: &Reply, slug: &str, id: &Value, status: &str) -> Result<()> {
    let problem = reply.problem(409, slug)?;
    ensure!(
        &problem["signal"]["id"] == id && problem["signal"]["status"] == status,
        "expected the member signal to be {id} with {status}, got {reply}"
    );
    Ok(())
}

async fn decided(ctx: Ctx) -> Result<()> {
    let (symbol, signal) = pending(&ctx, "A", Shape::Buy).await?;
    let ann = ctx.user("ann");
    approve(&ctx, &ann, &symbol, "BUY").await?.ok()?;
    for (sub, status) in [(ctx.user("bob"), "RISK"), (ann.clone(), "BUY")] {
        let reply = approve(&ctx, &sub, &symbol, status).await?;
        carries(&reply, "already-decided", &signal["id"], "APPROVED_BUY")?;
    }
    let now = read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
    check::text(&now["approval"], "approved_by", &ann)?;
    let approvals = read(&ctx, &format!("/api/v1/signals/{symbol}/approvals")).await?;
    check::equal(
        "approvals",
        &check::array(&approvals, "approvals")?.len(),
        &1,
    )
}

/// A symbol with a first, superseded and a second, pending signal.
async fn two_revisions(ctx: &Ctx) -> Result<(String, Value, Value)> {
    let (symbol, first) = pending(ctx, "A", Shape::Buy).await?;
    let mut bars = bars::series(Shape::Buy, 1);
    bars[399].volume = 1_100_000.0;
    let second = compute(ctx, &symbol, &bars).await?;
    Ok((symbol, first["id"].clone(), second["id"].clone()))
}

async fn stale_id(ctx: Ctx) -> Result<()> {
    let (symbol, first, second) = two_revisions(&ctx).await?;
    for id in [first, json!("NOBODY:2020-01-01:1"), json!("")] {
        let reply = post(
            &ctx,
            "ann",
            &symbol,
            json!({"status": "BUY", "signal_id": id}),
        )
        .await?;
        carries(&reply, "stale-signal", &second, "PENDING_REVIEW")?;
    }
    let body = json!({"status": "BUY", "signal_id": second});
    post(&ctx, "ann", &symbol, body).await?.ok()?;
    Ok(())
}

async fn if_match(ctx: &Ctx, symbol: &str, tag: &str) -> Result<Reply> {
    let request = ctx
        .rest(Role::Approver)?
        .request(Method::POST, &format!("/api/v1/signals/{symbol}/approve"))
        .header("content-type", "application/json")
        .header("if-match", tag)
        .body(r#"{"status":"BUY"}"#);
    send(request).await
}

async fn stale_match(ctx: Ctx) -> Result<()> {
    let (symbol, first, second) = two_revisions(&ctx).await?;
    let first = first.as_str().context("an id")?.to_owned();
    for tag in [
        format!("\"{first};PENDING_REVIEW\""),
        format!("W/\"{first};PENDING_REVIEW\""),
        "\"nonsense\"".to_owned(),
    ] {
        let reply = if_match(&ctx, &symbol, &tag).await?;
        carries(&reply, "stale-signal", &second, "PENDING_REVIEW").context(tag)?;
    }
    Ok(())
}

async fn matching(ctx: Ctx) -> Result<()> {
    for (name, prefix) in [("A", ""), ("B", "W/")] {
        let (symbol, _) = pending(&ctx, name, Shape::Buy).await?;
        let rest = ctx.rest(Role::Viewer)?;
        let reply = rest.get(&format!("/api/v1/signals/{symbol}")).await?;
        let tag = format!("{prefix}{}", reply.header("etag").trim_start_matches("W/"));
        if_match(&ctx, &symbol, &tag).await?.ok().context(tag)?;
    }
    Ok(())
}

async fn race(ctx: Ctx) -> Result<()> {
    for round in 0..4 {
        let (symbol, signal) = pending(&ctx, &format!("R{round}"), Shape::Buy).await?;
        let mut socket = ctx.dial(&format!("/ws/{symbol}")).open().await?.socket;
        let (ann, bob) = (ctx.user("ann"), ctx.user("bob"));
        let (first, second) = tokio::try_join!(
            approve(&ctx, &ann, &symbol, "BUY"),
            approve(&ctx, &bob, &symbol, "RISK")
        )?;
        let (winner, loser, status) = match (first.status, second.status) {
            (200, 409) => (ann, second, "APPROVED_BUY"),
            (409, 200) => (bob, first, "APPROVED_RISK"),
            _ => anyhow::bail!("expected one 200 and one 409, got {first} and {second}"),
        };
        carries(&loser, "already-decided", &signal["id"], status)?;
        let now = read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
        check::text(&now, "status", status)?;
        check::text(&now["approval"], "approved_by", &winner)?;
        let (seen, _) = socket.barrier().await?;
        check::equal("approvals sent", &seen.len(), &1)?;
        check::text(&seen[0]["data"], "approved_by", &winner)?;
    }
    Ok(())
}

async fn two_sockets(ctx: Ctx) -> Result<()> {
    let (symbol, signal) = pending(&ctx, "A", Shape::Buy).await?;
    let mut feed = ctx.dial("/ws").open().await?.socket;
    let mut room = ctx.dial(&format!("/ws/{symbol}")).open().await?.socket;
    let ann = ctx.user("ann");
    let answer = post(&ctx, &ann, &symbol, json!({"status": "BUY", "note": "go"}))
        .await?
        .ok()?;
    for socket in [&mut feed, &mut room] {
        let event = socket.event("approval_notification", &symbol).await?;
        check::equal(
            "the notification",
            &event["data"],
            &json!({"symbol": symbol, "approved_status": "BUY", "approved_by": ann,
                "approved_at": answer["approval"]["approved_at"], "note": "go",
                "signal_id": signal["id"]}),
        )?;
    }
    Ok(())
}

async fn positions(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let mut feed = ctx.dial("/ws").open().await?;
    let mut room = ctx.dial(&format!("/ws/{symbol}")).open().await?;
    let answer = approve(&ctx, "ann", &symbol, "BUY").await?.ok()?;
    for (name, opened) in [("feed", &mut feed), ("room", &mut room)] {
        let position = &answer[name];
        check::equal(name, &position["epoch"], &opened.welcome["epoch"])?;
        let seq = check::integer(position, "seq")?;
        let seen = opened.socket.reach(seq).await?;
        let mine = crate::client::socket::about(&seen, "approval_notification", &symbol);
        check::equal(
            &format!("notifications up to the {name}'s position"),
            &mine.len(),
            &1,
        )?;
        let sent = check::integer(mine[0], "seq")?;
        ensure!(
            sent <= seq,
            "expected {name}'s position to hold the approval ({sent}), got {seq}"
        );
        if name == "room" {
            check::equal("the room's position", &seq, &sent)?;
        }
    }
    Ok(())
}

async fn everybody(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let other = ctx.symbol("OTHER");
    let mut narrow = ctx
        .dial("/ws")
        .query("symbols", &other)
        .open()
        .await?
        .socket;
    let mut none = ctx
        .dial("/ws")
        .query("symbols", &other)
        .open()
        .await?
        .socket;
    none.send("unsubscribe_symbol", json!({"symbol": other}))
        .await?;
    none.kind("unsubscription_confirmed").await?;
    let answer = approve(&ctx, "ann", &symbol, "BUY").await?.ok()?;
    for socket in [&mut narrow, &mut none] {
        let event = socket.event("approval_notification", &symbol).await?;
        check::equal(
            "signal_id",
            &event["data"]["signal_id"],
            &answer["approval"]["signal_id"],
        )?;
    }
    Ok(())
}

async fn retried(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let mut room = ctx.dial(&format!("/ws/{symbol}")).open().await?.socket;
    let ann = ctx.user("ann");
    let send_with = async |sub: &str, key: &str, body: Value| {
        let rest = ctx.rest_as(sub, Role::Approver)?;
        let path = format!("/api/v1/signals/{symbol}/approve");
        let request = rest.request(Method::POST, &path);
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        send(request.header("idempotency-key", key)).await
    };
    let body = json!({"status": "BUY", "note": "once"});
    let first = send_with(&ann, "k-1", body.clone()).await?.ok()?;
    let again = send_with(&ann, "k-1", body.clone()).await?.ok()?;
    for part in ["approval", "room"] {
        check::equal(part, &again[part], &first[part])?;
    }
    // Others publish meanwhile: the feed's position may have moved, never back.
    check::equal(
        "the feed's epoch",
        &again["feed"]["epoch"],
        &first["feed"]["epoch"],
    )?;
    ensure!(
        check::integer(&again["feed"], "seq")? >= check::integer(&first["feed"], "seq")?,
        "expected the feed's position again, got {again}"
    );
    let other = json!({"status": "BUY", "note": "twice"});
    send_with(&ann, "k-1", other)
        .await?
        .problem(422, "invalid")?;
    let bob = ctx.user("bob");
    for (sub, key) in [(&ann, "k-2"), (&bob, "k-1")] {
        let reply = send_with(sub, key, body.clone()).await?;
        reply.problem(409, "already-decided")?;
    }
    for key in ["", "x".repeat(256).as_str()] {
        let reply = send_with(&ann, key, body.clone()).await?;
        reply
            .problem(422, "invalid")
            .with_context(|| format!("key {key:?}"))?;
    }
    let (seen, _) = room.barrier().await?;
    check::equal("decisions told", &seen.len(), &1)
}

async fn plain(ctx: Ctx) -> Result<()> {
    for (name, sent, kept) in [
        ("A", "\u{202E}gpj.exe\u{2066}\0\u{7}", json!("gpj.exe")),
        (
            "B",
            "cafe\u{301}\r\n<img src=x onerror=alert(1)>",
            json!("café\n<img src=x onerror=alert(1)>"),
        ),
        ("C", "\u{202E}\u{FEFF}", Value::Null),
    ] {
        let (symbol, _) = pending(&ctx, name, Shape::Buy).await?;
        let mut room = ctx.dial(&format!("/ws/{symbol}")).open().await?.socket;
        let body = json!({"status": "BUY", "note": sent});
        let answer = post(&ctx, "ann", &symbol, body).await?.ok()?;
        check::equal("the note answered", &answer["approval"]["note"], &kept)?;
        let event = room.event("approval_notification", &symbol).await?;
        check::equal("the note told", &event["data"]["note"], &kept)?;
    }
    // What does not count is not counted.
    let (symbol, _) = pending(&ctx, "D", Shape::Buy).await?;
    let note = format!("{}{}", "\u{202E}".repeat(10), "e\u{301}".repeat(2000));
    let answer = post(&ctx, "ann", &symbol, json!({"status": "BUY", "note": note})).await?;
    check::text(&answer.ok()?["approval"], "note", &"é".repeat(2000))
}

/// The metrics of a `Server-Timing` header, in milliseconds.
fn metrics(reply: &Reply) -> Result<Vec<(String, f64)>> {
    let header = reply.header("server-timing");
    let metric = |metric: &str| {
        let (name, duration) = metric.trim().split_once(";dur=")?;
        Some((name.to_owned(), duration.parse().ok()?))
    };
    let metrics: Option<Vec<_>> = header.split(',').map(metric).collect();
    metrics.with_context(|| format!("expected name;dur=number, …, got {header:?}"))
}

async fn timing(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let ann = ctx.user("ann");
    for (times, names) in [
        (1, &["auth", "body", "room", "feed", "total"][..]),
        // Refused, it is owed to nobody.
        (2, &["auth", "body", "room", "total"]),
    ] {
        let metrics = metrics(&approve(&ctx, &ann, &symbol, "BUY").await?)?;
        let got: Vec<_> = metrics.iter().map(|(name, _)| name.as_str()).collect();
        ensure!(got == names, "expected {names:?} the {times}., got {got:?}");
        let parts = metrics.split_last().context("a total")?;
        let sum: f64 = parts.1.iter().map(|(_, took)| took).sum();
        ensure!(
            metrics.iter().all(|(_, took)| *took >= 0.0) && (parts.0.1 - sum).abs() <= 2.0,
            "expected the total of its parts, got {metrics:?}"
        );
    }
    // Nobody is told of what they may not do, nor of what is no decision.
    let viewer = ctx.rest_as(&ann, Role::Viewer)?;
    let path = format!("/api/v1/signals/{symbol}");
    for reply in [
        viewer
            .post(&format!("{path}/approve"), &json!({"status": "BUY"}))
            .await?,
        viewer.get(&path).await?,
    ] {
        check::equal("Server-Timing", &reply.header("server-timing"), &"")?;
    }
    Ok(())
}
