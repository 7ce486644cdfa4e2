//! A token's life in a socket: the warning, the fresh token, the close.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::case::{Case, Ctx};
use crate::check;
use crate::client::{Role, Socket};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared("tokens/a socket is warned, then closed with 4001", expires),
        Case::shared("tokens/a fresh token keeps the socket open", renewed),
        Case::shared(
            "tokens/only its subject's own valid token is taken",
            refused,
        ),
    ]
}

/// Seconds the tokens of these cases live; the warning comes half-way. Who renews in time depends
/// on the machine: one that stood still for so long gets another try with a longer life.
const LIVES: [i64; 3] = [6, 24, 60];

async fn lasting(ctx: &Ctx, path: &str, sub: &str, life: i64) -> Result<Socket> {
    let token = ctx.minter().lasting(sub, Role::Viewer, life);
    Ok(ctx.dial_bare(path).bearer(&token).open().await?.socket)
}

/// The first good outcome of `attempt` with each life, or the last bad one.
async fn in_time<F>(attempt: impl Fn(i64) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let [tries @ .., last] = LIVES;
    for life in tries {
        if attempt(life).await.is_ok() {
            return Ok(());
        }
    }
    attempt(last).await
}

async fn expires(ctx: Ctx) -> Result<()> {
    for path in ["/ws".to_owned(), format!("/ws/{}", ctx.symbol("A"))] {
        in_time(|life| expires_on(&ctx, &path, life)).await?;
    }
    Ok(())
}

async fn expires_on(ctx: &Ctx, path: &str, life: i64) -> Result<()> {
    let mut socket = lasting(ctx, path, &ctx.user("brief"), life).await?;
    let warning = socket.kind("token_expiring").await?;
    check::time("expires_at", &warning["data"]["expires_at"])?;
    check::equal("the close code", &socket.closed().await?, &4001)
}

async fn renewed(ctx: Ctx) -> Result<()> {
    in_time(|life| renewed_within(&ctx, life)).await
}

async fn renewed_within(ctx: &Ctx, life: i64) -> Result<()> {
    let sub = ctx.user("lasting");
    let mut renewed = lasting(ctx, "/ws", &sub, life).await?;
    let mut witness = lasting(ctx, "/ws", &sub, life).await?;
    let warning = renewed.kind("token_expiring").await?;
    let token = ctx.minter().token(&sub, Role::Viewer);
    renewed
        .send("authenticate", json!({"token": token}))
        .await?;
    let answer = renewed.kind("authenticated").await?;
    ensure!(
        answer["data"]["expires_at"].as_str() > warning["data"]["expires_at"].as_str(),
        "expected a later expiry than {warning}, got {answer}"
    );
    check::equal("the witness's close code", &witness.closed().await?, &4001)?;
    renewed
        .position()
        .await
        .context("expected the renewed socket to outlive the old token")?;
    Ok(())
}

async fn refused(ctx: Ctx) -> Result<()> {
    let mut socket = ctx.dial("/ws").open().await?.socket;
    let somebody_else = ctx.minter().token(&ctx.user("mallory"), Role::Admin);
    let late = ctx
        .minter()
        .lasting(&ctx.user("viewer"), Role::Viewer, -3600);
    for token in [somebody_else.as_str(), late.as_str(), "not.a.token", ""] {
        socket.send("authenticate", json!({"token": token})).await?;
        let error = socket.kind("error").await?;
        check::equal("code", &error["data"]["code"], &json!("unauthorized"))?;
    }
    socket.position().await.context("the socket stays open")?;
    Ok(())
}
