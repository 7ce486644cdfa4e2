//! Requests that any client can send and no honest one does, on every runtime: each is a 4xx with
//! a problem, and the server serves on.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::json;

use super::{pending, read};
use crate::bars::Shape;
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::rest::{Reply, send};
use crate::client::{Rest, Role};

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared("hostile requests/JSON over 32 levels deep is 400", deep),
        Case::shared("hostile requests/deep frames are bad messages", deep_frames),
        Case::shared("hostile requests/JSON that is no UTF-8 is 400", not_utf8),
        Case::shared("hostile requests/NUL in a text is nowhere kept", nul),
        Case::shared("hostile requests/paths and queries of any bytes", any_bytes),
        Case::shared("hostile requests/an encoded body is 415", encoded),
        Case::shared(
            "hostile requests/addresses and headers are bounded",
            bounded,
        ),
    ]
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

async fn approve(ctx: &Ctx, symbol: &str, body: impl Into<reqwest::Body>) -> Result<Reply> {
    let path = format!("/api/v1/signals/{symbol}/approve");
    let request = ctx.rest(Role::Approver)?.request(Method::POST, &path);
    let kind = request.header("content-type", "application/json");
    send(kind.body(body)).await
}

async fn deep(ctx: Ctx) -> Result<()> {
    let unknown = ctx.symbol("A");
    // Within the limit: 31 levels in the object that is the body.
    let body = format!("{{\"status\":\"BUY\",\"more\":{}}}", nested(31));
    approve(&ctx, &unknown, body).await?.any_problem(404)?;
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    for depth in [32, 33, 127, 128, 129, 10_000, 100_000] {
        for inner in [nested(depth), objects(depth), "[".repeat(depth)] {
            let body = format!("{{\"status\":\"BUY\",\"more\":{inner}}}");
            let reply = approve(&ctx, &unknown, body).await?;
            reply
                .problem(400, "invalid")
                .with_context(|| format!("depth {depth}"))?;
        }
    }
    // Bars are named one by one, whatever is in them.
    let rest = ctx.rest(Role::Service)?;
    for body in [
        nested(100_000),
        objects(100_000),
        format!("[{}]", nested(200_000)),
    ] {
        let reply = rest.put(&unknown, "", "application/json", body).await?;
        ensure!(reply.status < 500, "expected no failure, got {reply}");
        if reply.status == 200 {
            check::equal("accepted", &reply.ok()?["accepted"], &json!(0))?;
        }
    }
    Ok(())
}

async fn deep_frames(ctx: Ctx) -> Result<()> {
    for path in ["/ws".to_owned(), format!("/ws/{}", ctx.symbol("A"))] {
        let mut socket = ctx.dial(&path).open().await?.socket;
        for (open, end) in [("[", "]"), ("{\"a\":", "}")] {
            for depth in [31, 128, 1_500] {
                let inner = format!("{}1{}", open.repeat(depth), end.repeat(depth));
                let text = format!("{{\"type\":\"ping\",\"data\":{{\"timestamp\":{inner}}}}}");
                socket.send_text(&text).await?;
                let error = socket.kind("error").await?;
                check::equal("code", &error["data"]["code"], &json!("malformed"))?;
            }
        }
        let echo = json!([[[{"a": [1]}]]]);
        socket.send("ping", json!({"timestamp": echo})).await?;
        let pong = socket.kind("pong").await?;
        check::equal("the echo", &pong["data"]["echo"], &echo)?;
    }
    Ok(())
}

async fn not_utf8(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    for bad in [
        &b"\xff"[..],
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
    ] {
        let note = [b"{\"status\":\"BUY\",\"note\":\"", bad, b"\"}"].concat();
        approve(&ctx, &symbol, note)
            .await?
            .problem(400, "invalid")?;
        let name = [b"{\"status\":\"BUY\",\"", bad, b"\":1}"].concat();
        approve(&ctx, &symbol, name)
            .await?
            .problem(400, "invalid")?;
        let path = format!("/api/v1/symbols/{symbol}/bars");
        for kind in ["application/json", "text/csv"] {
            let put = ctx.rest(Role::Service)?.request(Method::PUT, &path);
            let body = [b"{\"bars\":[\"", bad, b"\"]}"].concat();
            let reply = send(put.header("content-type", kind).body(body)).await?;
            ensure!(reply.status < 500, "expected no failure, got {reply}");
        }
    }
    // A lone surrogate is no character either.
    let body = "{\"status\":\"BUY\",\"note\":\"\\ud800\"}";
    approve(&ctx, &symbol, body)
        .await?
        .problem(400, "invalid")?;
    let signal = read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
    check::text(&signal, "status", "PENDING_REVIEW")
}

async fn nul(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    for body in [
        json!({"status": "BUY\0"}),
        json!({"status": "BUY", "signal_id": "\0"}),
        json!({"stat\0us": "BUY"}),
    ] {
        let reply = approve(&ctx, &symbol, body.to_string()).await?;
        ensure!(
            (400..500).contains(&reply.status),
            "expected a 4xx, got {reply}"
        );
        reply.any_problem(reply.status)?;
    }
    let mut socket = ctx.dial("/ws").open().await?.socket;
    for data in [json!({"symbol": "A\0"}), json!({"symbols": ["\0"]})] {
        socket.send("subscribe_symbol", data).await?;
        let error = socket.kind("error").await?;
        check::equal("code", &error["data"]["code"], &json!("invalid"))?;
    }
    let body = json!({"status": "BUY", "note": "a\0b\u{1b}[2Jc\u{202e}d"}).to_string();
    let answer = approve(&ctx, &symbol, body).await?.ok()?;
    let note = check::string(&answer["approval"], "note")?;
    ensure!(
        !note.chars().any(|it| it.is_control() || it == '\u{202e}'),
        "expected plain text, got {note:?}"
    );
    Ok(())
}

async fn any_bytes(ctx: Ctx) -> Result<()> {
    let rest = ctx.rest(Role::Admin)?;
    for path in [
        "/api/v1/signals/%ff",
        "/api/v1/signals/%00",
        "/api/v1/signals/A%00",
        "/api/v1/signals/%c0%ae%c0%ae",
        "/api/v1/signals/%",
        "/api/v1/signals/%zz",
        "/api/v1/signals/%2e%2e%2f%2e%2e",
        "/api/v1/signals/A%0d%0aX-Evil:%20yes",
        "/api/v1/signals/%f0%9d%84%9e",
        "/api/v1/%ff",
        "/api/v1/signals/A/%ff",
        "/api/v1/symbols/%ff/bars",
        "/ws/%ff",
        "/ws/%00",
        "/api/v1/approvals?symbol=%ff",
        "/api/v1/approvals?symbol=%00",
        "/api/v1/approvals?from=%ff",
        "/api/v1/approvals?cursor=%ff%00",
        "/api/v1/signals?limit=%00",
        "/api/v1/signals?limit=%ff",
        "/api/v1/signals?status=%ff",
        "/api/v1/scan/top?n=%ff",
    ] {
        let reply = rest.get(path).await?;
        ensure!(
            (400..500).contains(&reply.status),
            "{path}: expected a 4xx, got {reply}"
        );
        reply.any_problem(reply.status).context(path)?;
        ensure!(reply.header("x-evil").is_empty(), "{path} made a header");
    }
    for path in [
        "/api/v1/signals?%ff=%ff",
        "/healthz?%00=%zz%",
        "/healthz?&&==&%",
    ] {
        rest.get(path).await?.ok().context(path)?;
    }
    Ok(())
}

async fn encoded(ctx: Ctx) -> Result<()> {
    // Not one byte of it is unpacked: what it is made of does not matter.
    let bomb = [
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec(),
        vec![0; 1000],
    ]
    .concat();
    let path = format!("/api/v1/symbols/{}/bars", ctx.symbol("A"));
    for coding in [
        "gzip",
        "GZIP",
        "deflate",
        "br",
        "zstd",
        "gzip, gzip",
        "nonsense",
    ] {
        let put = ctx.rest(Role::Service)?.request(Method::PUT, &path);
        let put = put.header("content-encoding", coding).body(bomb.clone());
        let reply = send(put).await?;
        reply
            .problem(415, "unsupported-media-type")
            .context(coding)?;
    }
    Ok(())
}

async fn bounded(ctx: Ctx) -> Result<()> {
    let rest: Rest = ctx.rest(Role::Viewer)?;
    let long = "x".repeat(9000);
    for path in [
        format!("/api/v1/{long}"),
        format!("/api/v1/signals?x={long}"),
    ] {
        rest.get(&path).await?.problem(414, "too-large")?;
    }
    let mut many = rest.request(Method::GET, "/api/v1/signals");
    for number in 0..70 {
        many = many.header(format!("x-{number}"), "y");
    }
    send(many).await?.problem(431, "too-large")?;
    let large = rest.request(Method::GET, "/api/v1/signals");
    let reply = send(large.header("x-large", "x".repeat(33 * 1024))).await?;
    ensure!(
        reply.status == 431,
        "expected 431 from us or from what is before us, got {reply}"
    );
    rest.get("/api/v1/signals").await?.ok()?;
    Ok(())
}
