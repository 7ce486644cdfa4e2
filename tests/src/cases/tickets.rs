//! Socket tickets: a socket for clients that can send neither a header nor a subprotocol.

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::json;

use crate::case::{Case, Ctx};
use crate::check;
use crate::client::rest::send;
use crate::client::{Role, token};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared("tickets/a ticket opens one socket, in any room", once),
        Case::shared("tickets/what is no ticket is 401", bad),
        Case::shared("tickets/of one ticket shown at once, one opens", race),
        Case::shared(
            "tickets/a ticket is bound to its token's end and user",
            bound,
        ),
        Case::shared("tickets/a revoked user's ticket is 401", revoked),
    ]
}

/// A ticket for this token.
async fn ticket_of(ctx: &Ctx, token: &str) -> Result<String> {
    let reply = ctx
        .rest_with(token)?
        .post("/api/v1/ws/ticket", &json!({}))
        .await?;
    ensure!(reply.status == 201, "expected 201, got {reply}");
    let answer = reply.json()?;
    check::time("expires_at", &answer["expires_at"])?;
    let ticket = answer["ticket"].as_str().unwrap_or_default();
    ensure!(
        ticket.len() == 32 && ticket.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "expected a ticket of 32 hexadecimal digits, got {answer}"
    );
    Ok(ticket.to_owned())
}

async fn once(ctx: Ctx) -> Result<()> {
    let token = ctx.minter().token(&ctx.user("ann"), Role::Viewer);
    let mut seen = Vec::new();
    for path in ["/ws".to_owned(), format!("/ws/{}", ctx.symbol("T"))] {
        let ticket = ticket_of(&ctx, &token).await?;
        ensure!(!seen.contains(&ticket), "the ticket {ticket} came twice");
        let dial = ctx.dial_bare(&path).query("ticket", &ticket);
        let mut opened = dial.open().await?;
        check::time("expires_at", &opened.welcome["expires_at"])?;
        opened.socket.position().await?;
        dial.refused(401).await?;
        seen.push(ticket);
    }
    Ok(())
}

async fn bad(ctx: Ctx) -> Result<()> {
    let unknown = "0".repeat(32);
    for ticket in [unknown.as_str(), "x", "%00", "%F0%9F%8E%AB"] {
        let dial = ctx.dial_bare("/ws").query("ticket", ticket);
        dial.refused(401).await?;
        let upgrade = ctx
            .anonymous()?
            .request(Method::GET, &format!("/ws?ticket={ticket}"))
            .header("upgrade", "websocket");
        send(upgrade).await?.problem(401, "unauthorized")?;
    }
    // It is for sockets alone.
    let token = ctx.minter().token(&ctx.user("ann"), Role::Viewer);
    let ticket = ticket_of(&ctx, &token).await?;
    ctx.anonymous()?
        .get(&format!("/api/v1/city?ticket={ticket}"))
        .await?
        .problem(401, "unauthorized")?;
    // A good one beside a bad token does not help.
    let dial = ctx.dial_bare("/ws").query("ticket", &ticket);
    dial.bearer("x.y.z").refused(401).await
}

async fn race(ctx: Ctx) -> Result<()> {
    let token = ctx.minter().token(&ctx.user("ann"), Role::Viewer);
    let ticket = ticket_of(&ctx, &token).await?;
    let dials: Vec<_> = (0..4)
        .map(|_| ctx.dial_bare("/ws").query("ticket", &ticket))
        .collect();
    let attempts = futures_util::future::join_all(dials.iter().map(|dial| dial.attempt())).await;
    let mut opened = 0;
    for attempt in attempts {
        match attempt? {
            Ok(_) => opened += 1,
            Err(refusal) => check::equal("the status", &refusal.status, &401)?,
        }
    }
    check::equal("sockets opened", &opened, &1)
}

async fn bound(ctx: Ctx) -> Result<()> {
    let sub = ctx.user("brief");
    let token = ctx.minter().lasting(&sub, Role::Viewer, 4);
    let ticket = ticket_of(&ctx, &token).await?;
    let dial = ctx.dial_bare("/ws").query("ticket", &ticket);
    let mut socket = dial.open().await?.socket;
    let theirs = ctx.minter().token(&ctx.user("mallory"), Role::Admin);
    socket
        .send("authenticate", json!({"token": theirs}))
        .await?;
    let error = socket.kind("error").await?;
    check::equal("code", &error["data"]["code"], &json!("unauthorized"))?;
    check::equal("the close code", &socket.closed().await?, &4001)
}

async fn revoked(ctx: Ctx) -> Result<()> {
    let sub = ctx.user("mallory");
    let now = token::now();
    let claims = json!({"sub": sub, "role": "viewer", "iat": now - 1, "exp": now + 600});
    let ticket = ticket_of(&ctx, &ctx.minter().sign(&claims)).await?;
    ctx.rest(Role::Admin)?
        .post(&format!("/api/v1/users/{sub}/revoke"), &json!({}))
        .await?
        .ok()?;
    let dial = ctx.dial_bare("/ws").query("ticket", &ticket);
    dial.refused(401).await
}
