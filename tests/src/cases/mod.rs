//! The one list of cases, and the steps that several of them take.

use serde_json::{Value, json};

use anyhow::{Context as _, Result};

use crate::bars::{self, Bar, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::{Reply, Role};

mod access;
mod approve;
mod audit;
mod bad_input;
mod command_line;
mod crash;
mod durable;
mod epochs;
mod filters;
mod frames;
mod golden;
mod hostile;
mod hostile_http;
mod hostile_requests;
mod identity;
mod import;
mod limits;
mod lists;
mod market;
mod page;
mod processes;
mod reading;
mod resume;
mod revoke;
mod schema;
mod secrets;
mod signals;
mod slow;
mod sockets;
mod tickets;
mod tokens;

/// Vars for cases that do more than one user may: limits have cases of their own. (On Workers the
/// binding's number of requests stays.)
const UNLIMITED: &[(&str, &str)] = &[
    ("APPROVE_RATE", "1000000"),
    ("BARS_RATE", "1000000"),
    ("MAX_CONNECTIONS_PER_USER", "1000"),
    ("READ_RATE", "1000000"),
];

/// Every case, in the order of the contract.
pub fn cases() -> Vec<Case> {
    [
        access::cases(),
        identity::cases(),
        import::cases(),
        bad_input::cases(),
        reading::cases(),
        signals::cases(),
        golden::cases(),
        lists::cases(),
        market::cases(),
        approve::cases(),
        audit::cases(),
        sockets::cases(),
        schema::cases(),
        slow::cases(),
        tokens::cases(),
        revoke::cases(),
        tickets::cases(),
        limits::cases(),
        filters::cases(),
        frames::cases(),
        hostile_http::cases(),
        hostile_requests::cases(),
        resume::cases(),
        durable::cases(),
        epochs::cases(),
        crash::cases(),
        command_line::cases(),
        processes::cases(),
        page::cases(),
        secrets::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Sends `bars` without computing; the answer.
async fn import(ctx: &Ctx, symbol: &str, bars: &[Bar]) -> Result<Value> {
    ctx.rest(Role::Service)?
        .put_bars(symbol, "", bars)
        .await?
        .ok()
}

/// Sends `bars` and computes at once; the signal.
async fn compute(ctx: &Ctx, symbol: &str, bars: &[Bar]) -> Result<Value> {
    let answer = ctx
        .rest(Role::Service)?
        .put_bars(symbol, "?compute=now", bars)
        .await?
        .ok()?;
    answer
        .get("signal")
        .filter(|signal| signal.is_object())
        .cloned()
        .with_context(|| format!("expected a signal from ?compute=now, got {answer}"))
}

/// A symbol of this name with a pending signal of this shape; the symbol and the signal.
async fn pending(ctx: &Ctx, name: &str, shape: Shape) -> Result<(String, Value)> {
    let symbol = ctx.symbol(name);
    let signal = compute(ctx, &symbol, &bars::series(shape, 1)).await?;
    Ok((symbol, signal))
}

/// `GET path` as a viewer, which must be 200.
async fn read(ctx: &Ctx, path: &str) -> Result<Value> {
    ctx.rest(Role::Viewer)?.get(path).await?.ok()
}

/// Every item of the list at `path`, page by page; `member` has the items.
async fn read_all(ctx: &Ctx, path: &str, member: &str) -> Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut query = "?limit=500".to_owned();
    loop {
        let page = read(ctx, &format!("{path}{query}")).await?;
        items.extend(check::array(&page, member)?.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=500&cursor={cursor}"),
            None => return Ok(items),
        }
    }
}

/// Approves as `sub`; whatever comes.
async fn approve(ctx: &Ctx, sub: &str, symbol: &str, status: &str) -> Result<Reply> {
    ctx.rest_as(sub, Role::Approver)?
        .post(
            &format!("/api/v1/signals/{symbol}/approve"),
            &json!({"status": status}),
        )
        .await
}
