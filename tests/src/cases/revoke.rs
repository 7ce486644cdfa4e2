//! Revocation: what was issued before is refused everywhere, open sockets are closed.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::pending;
use crate::bars::Shape;
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::{Reply, Role, Socket, token};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared(
            "revoke/older tokens are refused, newer ones are not",
            tokens,
        ),
        Case::shared(
            "revoke/open sockets are closed 4501 in every room, others' are not",
            sockets,
        ),
        Case::shared("revoke/a revoked user decides nothing", decisions),
        Case::shared("revoke/a revoked token renews no socket", renewal),
        Case::shared("revoke/a later revocation reaches further", twice),
        Case::shared("revoke/only an admin revokes", admins_only),
        Case::shared("revoke/what is no user or reason is refused", bad_input),
        Case::shared("revoke/a user of any name, on record", any_name),
    ]
}

/// Revokes as the case's admin.
pub(super) async fn revoke(ctx: &Ctx, sub: &str) -> Result<Value> {
    let path = format!("/api/v1/users/{sub}/revoke");
    let answer = ctx
        .rest(Role::Admin)?
        .post(&path, &json!({"reason": "left the desk"}))
        .await?
        .ok()?;
    check::equal("sub", &answer["sub"], &json!(sub))?;
    check::time("before", &answer["before"])?;
    check::equal("failed", &answer["failed"], &json!([]))?;
    Ok(answer)
}

/// A viewer's token issued so many seconds from now.
pub(super) fn issued(ctx: &Ctx, sub: &str, role: Role, seconds: i64) -> String {
    let now = token::now();
    let claims = json!({
        "sub": sub, "role": role.name(), "iat": now + seconds, "exp": now + 3600,
    });
    ctx.minter().sign(&claims)
}

async fn city(ctx: &Ctx, token: &str) -> Result<Reply> {
    ctx.rest_with(token)?.get("/api/v1/city").await
}

async fn tokens(ctx: Ctx) -> Result<()> {
    let (sub, other) = (ctx.user("mallory"), ctx.user("ann"));
    let now = token::now();
    let dateless = json!({"sub": sub, "role": "viewer", "exp": now + 3600});
    let old = [
        issued(&ctx, &sub, Role::Viewer, -1),
        issued(&ctx, &sub, Role::Admin, -3000),
        ctx.minter().sign(&dateless),
    ];
    for token in &old {
        city(&ctx, token).await?.ok().context("before")?;
    }
    revoke(&ctx, &sub).await?;
    for token in &old {
        let refused = city(&ctx, token).await?;
        refused.problem(401, "unauthorized")?;
        // It does not say why.
        let bad = ctx.rest_with("x.y.z")?.get("/api/v1/city").await?;
        check::equal("the problem", &refused.body, &bad.body)?;
        for path in ["/ws".to_owned(), format!("/ws/{}", ctx.symbol("A"))] {
            ctx.dial_bare(&path).bearer(token).refused(401).await?;
        }
    }
    let fresh = issued(&ctx, &sub, Role::Viewer, 2);
    city(&ctx, &fresh).await?.ok().context("a newer token")?;
    ctx.dial_bare("/ws").bearer(&fresh).open().await?;
    let theirs = issued(&ctx, &other, Role::Viewer, -1);
    city(&ctx, &theirs).await?.ok().context("somebody else's")?;
    Ok(())
}

async fn sockets(ctx: Ctx) -> Result<()> {
    let (sub, other) = (ctx.user("mallory"), ctx.user("ann"));
    let (known, _) = pending(&ctx, "K", Shape::Buy).await?;
    let unknown = ctx.symbol("U");
    let mut theirs = Vec::new();
    let mut others = Vec::new();
    for path in [
        "/ws".to_owned(),
        format!("/ws/{known}"),
        format!("/ws/{unknown}"),
    ] {
        let dial = |who: &str| {
            let token = issued(&ctx, who, Role::Viewer, -1);
            ctx.dial_bare(&path).bearer(&token)
        };
        theirs.push(dial(&sub).open().await?.socket);
        others.push(dial(&other).open().await?.socket);
    }
    revoke(&ctx, &sub).await?;
    for socket in &mut theirs {
        check::equal("the close code", &socket.closed().await?, &4501)?;
    }
    for socket in &mut others {
        socket.position().await.context("another user's socket")?;
    }
    Ok(())
}

async fn decisions(ctx: Ctx) -> Result<()> {
    let sub = ctx.user("mallory");
    let (symbol, signal) = pending(&ctx, "D", Shape::Buy).await?;
    let token = issued(&ctx, &sub, Role::Approver, -1);
    // The edge knows the token as good by now.
    city(&ctx, &token).await?.ok()?;
    revoke(&ctx, &sub).await?;
    let path = format!("/api/v1/signals/{symbol}/approve");
    ctx.rest_with(&token)?
        .post(&path, &json!({"status": "BUY"}))
        .await?
        .problem(401, "unauthorized")?;
    let held = super::read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
    check::equal("id", &held["id"], &signal["id"])?;
    check::equal("status", &held["status"], &json!("PENDING_REVIEW"))
}

async fn renewal(ctx: Ctx) -> Result<()> {
    let sub = ctx.user("mallory");
    let old = issued(&ctx, &sub, Role::Viewer, -1);
    let symbol = ctx.symbol("R");
    // The symbol's room hears of it, since it holds a socket.
    let path = format!("/ws/{symbol}");
    let mut before = ctx.dial_bare(&path).bearer(&old).open().await?.socket;
    revoke(&ctx, &sub).await?;
    check::equal("the close code", &before.closed().await?, &4501)?;
    for path in ["/ws", &path] {
        let fresh = issued(&ctx, &sub, Role::Viewer, 2);
        let mut socket: Socket = ctx.dial_bare(path).bearer(&fresh).open().await?.socket;
        socket.send("authenticate", json!({"token": old})).await?;
        let error = socket.kind("error").await?;
        check::equal("code", &error["data"]["code"], &json!("unauthorized"))?;
        socket.send("authenticate", json!({"token": fresh})).await?;
        socket.kind("authenticated").await?;
    }
    Ok(())
}

async fn twice(ctx: Ctx) -> Result<()> {
    let sub = ctx.user("mallory");
    let first = revoke(&ctx, &sub).await?;
    let between = issued(&ctx, &sub, Role::Viewer, 1);
    city(&ctx, &between).await?.ok().context("in between")?;
    let rest = ctx.rest_with(&between)?;
    // Until the clock has passed the token's time of issue, nothing revokes it.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let again = revoke(&ctx, &sub).await?;
        ensure!(
            again["before"].as_str() > first["before"].as_str(),
            "expected a later moment than {first}, got {again}"
        );
        let reply = rest.get("/api/v1/city").await?;
        if reply.status == 401 {
            return Ok(());
        }
        ensure!(
            tokio::time::Instant::now() < deadline,
            "expected the second revocation to reach the token, got {reply}"
        );
    }
}

async fn admins_only(ctx: Ctx) -> Result<()> {
    let path = format!("/api/v1/users/{}/revoke", ctx.user("ann"));
    for role in [Role::Viewer, Role::Approver, Role::Service] {
        let reply = ctx.rest(role)?.post(&path, &json!({})).await?;
        reply.problem(403, "forbidden")?;
    }
    ctx.anonymous()?
        .post(&path, &json!({}))
        .await?
        .problem(401, "unauthorized")?;
    // The body may be absent.
    ctx.rest(Role::Admin)?
        .post_text(&path, String::new())
        .await?
        .ok()?;
    Ok(())
}

async fn bad_input(ctx: Ctx) -> Result<()> {
    let rest = ctx.rest(Role::Admin)?;
    for sub in ["%00", "%FF", &"x".repeat(257)] {
        let path = format!("/api/v1/users/{sub}/revoke");
        rest.post(&path, &json!({})).await?.invalid_at("sub")?;
    }
    let path = format!("/api/v1/users/{}/revoke", ctx.user("ann"));
    for reason in [json!(7), json!("x".repeat(501))] {
        let reply = rest.post(&path, &json!({"reason": reason})).await?;
        reply.invalid_at("reason")?;
    }
    Ok(())
}

async fn any_name(ctx: Ctx) -> Result<()> {
    let sub = format!("ユーザー|{}", ctx.user("x"));
    let path = "/api/v1/users/%E3%83%A6%E3%83%BC%E3%82%B6%E3%83%BC%7C".to_owned();
    let path = format!("{path}{}/revoke", ctx.user("x"));
    let answer = ctx
        .rest(Role::Admin)?
        .post(&path, &json!({"reason": "left"}))
        .await?
        .ok()?;
    check::equal("sub", &answer["sub"], &json!(sub))?;
    let page = ctx
        .rest(Role::Admin)?
        .get("/api/v1/audit?limit=500")
        .await?
        .ok()?;
    let entries = page["entries"].as_array().context("entries")?;
    let found = entries.iter().find(|entry| entry["details"]["user"] == sub);
    let found = found.with_context(|| format!("no entry about {sub}"))?;
    check::equal("action", &found["action"], &json!("revocation"))?;
    check::equal("by", &found["sub"], &json!(ctx.user("admin")))?;
    check::equal("reason", &found["details"]["reason"], &json!("left"))
}
