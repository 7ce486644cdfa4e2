//! Sockets: who is let in, what comes first, pings and frames that are no messages.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{approve, compute, pending};
use crate::bars::{self, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::{Role, Socket};
use crate::runner::ALLOWED_ORIGIN;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared("sockets/no token is 401 before the upgrade", no_token),
        Case::shared(
            "sockets/a bad or expired token is 401 before the upgrade",
            bad_tokens,
        ),
        Case::shared(
            "sockets/a foreign Origin is 403, an allowed or absent one opens",
            origins,
        ),
        Case::shared("sockets/a symbol outside the pattern is 422", bad_symbol),
        Case::shared("sockets/a plain GET is no upgrade", plain_get),
        Case::shared(
            "sockets/signalroom.v1 is answered, the token never",
            subprotocol,
        ),
        Case::shared("sockets/?token= opens without a subprotocol", query_token),
        Case::shared("sockets/every role may listen", roles),
        Case::shared("sockets/welcome comes first, then the snapshot", welcome),
        Case::shared(
            "sockets/the feed's snapshot has the latest signals, newest first",
            feed_snapshot,
        ),
        Case::shared(
            "sockets/a room's snapshot has its signal and no city",
            room_snapshot,
        ),
        Case::shared(
            "sockets/new_signal and approval_notification have the contract's data",
            events,
        ),
        Case::shared("sockets/an unfiltered socket's seq has no gap", gap_free),
        Case::shared(
            "sockets/one object per frame without signalroom.v1",
            unbatched,
        ),
        Case::shared("sockets/a JSON ping is echoed in the stream", json_ping),
        Case::shared(
            "sockets/a bare ping is answered with the newest seq",
            bare_ping,
        ),
        Case::shared(
            "sockets/an unknown frame is an error and the socket stays",
            unknown_frames,
        ),
        Case::shared(
            "sockets/a binary frame is an error and the socket stays",
            binary,
        ),
        Case::shared("sockets/ten bad messages close 4500", ten_bad),
        Case::shared(
            "sockets/a frame over 16 KiB closes 1009, one of 16 KiB does not",
            too_large,
        ),
        Case::own(
            "sockets/the snapshot has at most HISTORY_LIMIT signals",
            &[("HISTORY_LIMIT", "2")],
            history_limit,
        ),
    ]
}

/// Both kinds of socket.
fn paths(ctx: &Ctx) -> [String; 2] {
    ["/ws".to_owned(), format!("/ws/{}", ctx.symbol("A"))]
}

async fn no_token(ctx: Ctx) -> Result<()> {
    for path in paths(&ctx) {
        ctx.dial_bare(&path).refused(401).await?;
    }
    Ok(())
}

async fn bad_tokens(ctx: Ctx) -> Result<()> {
    let expired = ctx.minter().lasting("late", Role::Viewer, -600);
    let foreign = crate::client::Minter::new("another-secret-that-is-long-enough-too");
    let foreign = foreign.token("eve", Role::Admin);
    for path in paths(&ctx) {
        for token in [&expired, &foreign, "garbage"] {
            ctx.dial_bare(&path).bearer(token).refused(401).await?;
            ctx.dial_bare(&path)
                .query("token", token)
                .refused(401)
                .await?;
        }
    }
    Ok(())
}

async fn origins(ctx: Ctx) -> Result<()> {
    let own = ctx.url();
    for path in paths(&ctx) {
        for foreign in [
            "https://evil.example",
            "null",
            "https://desk.example.evil.example",
        ] {
            ctx.dial(&path)
                .origin(foreign)
                .refused(403)
                .await
                .context(foreign)?;
        }
        for origin in [ALLOWED_ORIGIN, own.as_str()] {
            let opened = ctx
                .dial(&path)
                .origin(origin)
                .open()
                .await
                .context(origin.to_owned())?;
            opened.socket.close().await?;
        }
    }
    Ok(())
}

async fn bad_symbol(ctx: Ctx) -> Result<()> {
    for symbol in ["SIXTEEN-LETTERS-", "A_B", "%C3%84"] {
        ctx.dial(&format!("/ws/{symbol}")).refused(422).await?;
    }
    ctx.dial("/ws")
        .query("symbols", "GOOD,A_B")
        .refused(422)
        .await
}

async fn plain_get(ctx: Ctx) -> Result<()> {
    for path in paths(&ctx) {
        let reply = ctx.rest(Role::Viewer)?.get(&path).await?;
        ensure!(
            [400, 422, 426].contains(&reply.status),
            "expected a plain GET to be refused, got {reply}"
        );
        reply.any_problem(reply.status)?;
    }
    Ok(())
}

async fn subprotocol(ctx: Ctx) -> Result<()> {
    for path in paths(&ctx) {
        let socket = ctx.dial(&path).connect().await?;
        check::equal(
            "subprotocol",
            &socket.protocol.as_deref(),
            &Some("signalroom.v1"),
        )?;
    }
    Ok(())
}

fn by_query(ctx: &Ctx, path: &str, role: Role) -> crate::client::Dial {
    ctx.dial_bare(path)
        .query("token", &ctx.minter().token(&ctx.user("q"), role))
}

async fn query_token(ctx: Ctx) -> Result<()> {
    for path in paths(&ctx) {
        let opened = by_query(&ctx, &path, Role::Viewer).open().await?;
        check::equal("subprotocol", &opened.socket.protocol, &None)?;
    }
    Ok(())
}

async fn roles(ctx: Ctx) -> Result<()> {
    for role in Role::ALL {
        by_query(&ctx, "/ws", role)
            .open()
            .await
            .context(role.name())?;
    }
    Ok(())
}

async fn welcome(ctx: Ctx) -> Result<()> {
    let mut ids = Vec::new();
    for path in paths(&ctx).iter().chain(&paths(&ctx)) {
        let opened = ctx.dial(path).open().await?;
        let welcome = &opened.welcome;
        check::members(
            "welcome",
            welcome,
            &[
                "connection_id",
                "epoch",
                "seq",
                "expires_at",
                "ping_interval_ms",
                "reconnect_window_ms",
            ],
        )?;
        check::time("expires_at", &welcome["expires_at"])?;
        let expires = check::string(welcome, "expires_at")?;
        let expires = chrono::DateTime::parse_from_rfc3339(&expires)?.timestamp();
        let expected = crate::client::token::now() + 3600;
        ensure!(
            (expires - expected).abs() < 60,
            "expected expires_at to be the token's, about {expected}, got {expires}"
        );
        ensure!(
            check::integer(welcome, "ping_interval_ms")? > 0,
            "expected an interval"
        );
        check::integer(welcome, "reconnect_window_ms")?;
        check::integer(welcome, "seq")?;
        ids.push(check::string(welcome, "connection_id")?);
        check::members("snapshot", &opened.snapshot, &["signals", "city", "market"])?;
    }
    ids.sort();
    ids.dedup();
    check::equal("different connection ids", &ids.len(), &4)
}

async fn feed_snapshot(ctx: Ctx) -> Result<()> {
    let mut listener = ctx.dial("/ws").open().await?.socket;
    let mut wanted = Vec::new();
    for name in ["A", "B", "C"] {
        let (symbol, _) = pending(&ctx, name, Shape::Neutral).await?;
        listener.event("new_signal", &symbol).await?;
        wanted.insert(0, symbol);
    }
    let opened = ctx.dial("/ws").open().await?;
    let signals = check::array(&opened.snapshot, "signals")?;
    ensure!(
        signals.len() <= 100,
        "expected at most HISTORY_LIMIT, got {}",
        signals.len()
    );
    for signal in signals {
        super::signals::is_signal(signal)?;
    }
    let got: Vec<&str> = signals
        .iter()
        .filter_map(|signal| signal["symbol"].as_str())
        .filter(|symbol| wanted.iter().any(|it| it == symbol))
        .collect();
    check::equal(
        "the snapshot, newest first",
        &got,
        &wanted.iter().map(String::as_str).collect(),
    )?;
    ensure!(
        opened.snapshot["city"].is_object() || opened.snapshot["city"].is_null(),
        "expected a city or null, got {}",
        opened.snapshot["city"]
    );
    Ok(())
}

async fn room_snapshot(ctx: Ctx) -> Result<()> {
    let empty = ctx
        .dial(&format!("/ws/{}", ctx.symbol("EMPTY")))
        .open()
        .await?;
    check::equal(
        "an empty room",
        &empty.snapshot,
        &json!({"signals": [], "city": null, "market": null}),
    )?;
    let (symbol, signal) = pending(&ctx, "A", Shape::Neutral).await?;
    compute(&ctx, &ctx.symbol("B"), &bars::series(Shape::Buy, 1)).await?;
    let opened = ctx
        .dial(&format!("/ws/{}", symbol.to_lowercase()))
        .open()
        .await?;
    let signals = check::array(&opened.snapshot, "signals")?;
    check::equal("signals", &signals.len(), &1)?;
    super::signals::is_signal(&signals[0])?;
    check::equal("the signal", &signals[0]["id"], &signal["id"])?;
    check::equal("city", &opened.snapshot["city"], &Value::Null)
}

async fn events(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let mut feed = ctx.dial("/ws").open().await?.socket;
    let mut room = ctx.dial(&format!("/ws/{symbol}")).open().await?.socket;
    let signal = compute(&ctx, &symbol, &bars::series(Shape::Buy, 1)).await?;
    approve(&ctx, "ann", &symbol, "BUY").await?.ok()?;
    for socket in [&mut feed, &mut room] {
        let event = socket.event("new_signal", &symbol).await?;
        check::members("an event", &event, &["type", "data", "timestamp", "seq"])?;
        super::signals::is_signal(&event["data"])?;
        check::equal("the id", &event["data"]["id"], &signal["id"])?;
        check::text(&event["data"], "status", "PENDING_REVIEW")?;
        let event = socket.event("approval_notification", &symbol).await?;
        check::members("an event", &event, &["type", "data", "timestamp", "seq"])?;
        check::members(
            "an approval_notification",
            &event["data"],
            &[
                "symbol",
                "approved_status",
                "approved_by",
                "approved_at",
                "note",
                "signal_id",
            ],
        )?;
    }
    Ok(())
}

/// The seqs of `messages` follow `last` without a gap; the last of them.
fn without_gap(messages: &[Value], mut last: u64) -> Result<u64> {
    for message in messages {
        if let Some(seq) = message.get("seq").and_then(Value::as_u64) {
            check::equal("the next seq", &seq, &(last + 1))?;
            last = seq;
        }
    }
    Ok(last)
}

async fn gap_free(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    for path in ["/ws".to_owned(), format!("/ws/{symbol}")] {
        let mut opened = ctx.dial(&path).open().await?;
        let mut last = check::integer(&opened.welcome, "seq")?;
        for round in 0..3 {
            let count = if path == "/ws" { 398 } else { 403 } + round;
            compute(&ctx, &symbol, &bars::series_of(Shape::Buy, 1, count)).await?;
            let answer = approve(&ctx, "ann", &symbol, "BUY").await?.ok()?;
            let position = if path == "/ws" {
                &answer["feed"]
            } else {
                &answer["room"]
            };
            let seen = opened
                .socket
                .reach(check::integer(position, "seq")?)
                .await?;
            last = without_gap(&seen, last).context(path.clone())?;
            ensure!(
                seen.len() >= 2,
                "expected at least a signal and an approval, got {seen:?}"
            );
        }
    }
    Ok(())
}

async fn unbatched(ctx: Ctx) -> Result<()> {
    // The socket itself refuses arrays where `signalroom.v1` was not negotiated.
    let symbol = ctx.symbol("A");
    for count in 398..401 {
        compute(&ctx, &symbol, &bars::series_of(Shape::Buy, 1, count)).await?;
    }
    let path = format!("/ws/{symbol}");
    let epoch = ctx.dial(&path).open().await?.welcome["epoch"].take();
    let back = by_query(&ctx, &path, Role::Viewer)
        .resume(&epoch, 0)
        .resumed()
        .await?;
    check::equal("events missed", &back.missed.len(), &3)?;
    let back = ctx.dial(&path).resume(&epoch, 0).resumed().await?;
    check::equal("events missed, batched or not", &back.missed.len(), &3)
}

async fn json_ping(ctx: Ctx) -> Result<()> {
    for path in paths(&ctx) {
        let mut opened = ctx.dial(&path).open().await?;
        for echo in [json!(7), json!("2024-01-02T03:04:05Z"), json!(1.5)] {
            opened
                .socket
                .send("ping", json!({"timestamp": echo}))
                .await?;
            let pong = opened.socket.kind("pong").await?;
            check::members(
                "pong",
                &pong["data"],
                &["timestamp", "echo", "epoch", "seq"],
            )?;
            check::equal("the echo", &pong["data"]["echo"], &echo)?;
            check::time("the server's time", &pong["data"]["timestamp"])?;
            check::equal("epoch", &pong["data"]["epoch"], &opened.welcome["epoch"])?;
            check::integer(&pong["data"], "seq")?;
        }
        opened.socket.send("ping", json!({})).await?;
        let pong = opened.socket.kind("pong").await?;
        let echo = &pong["data"]["echo"];
        ensure!(echo.is_null(), "expected no echo of nothing, got {echo}");
    }
    Ok(())
}

async fn bare_ping(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    // All are there before anything happens, one of them with a filter that hides it.
    let mut room = ctx.dial(&format!("/ws/{symbol}")).open().await?;
    let mut feed = ctx.dial("/ws").open().await?;
    let elsewhere = ctx.symbol("B");
    let mut deaf = ctx.dial("/ws").query("symbols", &elsewhere).open().await?;
    for count in 399..402 {
        compute(&ctx, &symbol, &bars::series_of(Shape::Buy, 1, count)).await?;
        let in_room = room.socket.event("new_signal", &symbol).await?["seq"].take();
        let in_feed = feed.socket.event("new_signal", &symbol).await?["seq"].take();
        for (opened, newest) in [
            (&mut room, &in_room),
            (&mut feed, &in_feed),
            (&mut deaf, &in_feed),
        ] {
            let pong = opened.socket.heartbeat().await?;
            check::members("the bare pong", &pong, &["epoch", "seq"])?;
            check::equal("epoch", &pong["epoch"], &opened.welcome["epoch"])?;
            ensure!(
                pong["seq"].as_u64() >= newest.as_u64(),
                "expected the newest seq, at least {newest}, got {pong}"
            );
        }
        // Nobody else publishes there.
        let pong = room.socket.heartbeat().await?;
        check::equal("the room's newest seq", &pong["seq"], &in_room)?;
    }
    Ok(())
}

/// The next message is an error with a code and a text.
async fn is_error(socket: &mut Socket, what: &str) -> Result<()> {
    let error = socket
        .kind("error")
        .await
        .with_context(|| what.to_owned())?;
    check::members("error", &error["data"], &["code", "message"])?;
    for field in ["code", "message"] {
        ensure!(
            error["data"][field]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "expected a text in {field}, got {error}"
        );
    }
    Ok(())
}

async fn unknown_frames(ctx: Ctx) -> Result<()> {
    for path in paths(&ctx) {
        let mut socket = ctx.dial(&path).open().await?.socket;
        for text in [
            r#"{"type":"dance","data":{}}"#,
            "not json",
            "[]",
            r#"{"data":{}}"#,
            r#"{"type":7,"data":{}}"#,
            r#"{"type":"subscribe_symbol","data":{"symbol":"A_B"}}"#,
            r#"{"type":"subscribe_symbol","data":{}}"#,
            r#"{"type":"subscribe_symbol","data":7}"#,
        ] {
            socket.send_text(text).await?;
            is_error(&mut socket, text).await?;
        }
        socket.position().await.context("the socket stays open")?;
    }
    Ok(())
}

async fn binary(ctx: Ctx) -> Result<()> {
    for path in paths(&ctx) {
        let mut socket = ctx.dial(&path).open().await?.socket;
        socket.send_binary(br#"{"type":"ping","data":{}}"#).await?;
        is_error(&mut socket, "a binary frame").await?;
        socket.position().await?;
    }
    Ok(())
}

async fn ten_bad(ctx: Ctx) -> Result<()> {
    for path in paths(&ctx) {
        let mut socket = ctx.dial(&path).open().await?.socket;
        for _ in 0..9 {
            socket.send_text("nonsense").await?;
            is_error(&mut socket, "bad message").await?;
        }
        // Good messages do not matter, and pings are none of the ten.
        socket.position().await?;
        for _ in 0..2 {
            // The tenth or the one after it: "up to 10 bad messages, then closes".
            socket.send_text("nonsense").await.ok();
        }
        check::equal("the close code", &socket.closed().await?, &4500)?;
    }
    Ok(())
}

async fn too_large(ctx: Ctx) -> Result<()> {
    for path in paths(&ctx) {
        let mut socket = ctx.dial(&path).open().await?.socket;
        let frame = |size: usize| {
            let empty = json!({"type": "ping", "data": {"timestamp": ""}})
                .to_string()
                .len();
            json!({"type": "ping", "data": {"timestamp": "x".repeat(size - empty)}}).to_string()
        };
        socket.send_text(&frame(16 * 1024)).await?;
        socket
            .kind("pong")
            .await
            .context("a frame of exactly 16 KiB")?;
        socket.send_text(&frame(17 * 1024)).await?;
        check::equal("the close code", &socket.closed().await?, &1009)?;
    }
    Ok(())
}

async fn history_limit(ctx: Ctx) -> Result<()> {
    let mut listener = ctx.dial("/ws").open().await?.socket;
    let mut symbols = Vec::new();
    for name in ["A", "B", "C"] {
        let (symbol, _) = pending(&ctx, name, Shape::Neutral).await?;
        listener.event("new_signal", &symbol).await?;
        symbols.insert(0, symbol);
    }
    let opened = ctx.dial("/ws").open().await?;
    let got: Vec<&str> = check::array(&opened.snapshot, "signals")?
        .iter()
        .filter_map(|signal| signal["symbol"].as_str())
        .collect();
    check::equal(
        "the snapshot",
        &got,
        &vec![symbols[0].as_str(), symbols[1].as_str()],
    )
}
