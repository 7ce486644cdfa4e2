//! Who gets what: subscriptions narrow and widen, every approval reaches everybody.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{approve, compute, pending};
use crate::bars::{self, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::socket::about;
use crate::client::{Role, Socket};

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared("filters/a socket starts with all symbols", starts_wide),
        Case::shared("filters/the first subscribe_symbol narrows", narrows),
        Case::shared("filters/subscribing to a list confirms each", list),
        Case::shared("filters/?symbols= narrows at once", by_query),
        Case::shared("filters/unsubscribing the last leaves none", none_left),
        Case::shared("filters/subscribe_all widens again", widens),
        Case::shared("filters/a room's socket gets only its symbol", room),
        Case::shared(
            "filters/the city topic brings its value on subscribing",
            city,
        ),
        Case::shared("filters/?topics=city subscribes at once", city_by_query),
    ]
}

/// Two symbols, and an approver that marks the end of a round for every socket.
struct Pair {
    a: String,
    b: String,
    count: usize,
}

impl Pair {
    fn new(ctx: &Ctx) -> Self {
        Self {
            a: ctx.symbol("A"),
            b: ctx.symbol("B"),
            count: 396,
        }
    }

    /// A new signal for each, then an approval of B, which every socket gets. For each symbol,
    /// how many new signals `socket` got before it.
    async fn round(&mut self, ctx: &Ctx, socket: &mut Socket) -> Result<(usize, usize)> {
        for symbol in [&self.a, &self.b] {
            compute(ctx, symbol, &bars::series_of(Shape::Neutral, 1, self.count)).await?;
        }
        self.count += 1;
        // Room A's events reach the feed by their own way: an approval of A marks their end too.
        for symbol in [&self.a, &self.b] {
            approve(ctx, "ann", symbol, "NEUTRAL").await?.ok()?;
        }
        let mut seen = Vec::new();
        let mut marks = [&self.a, &self.b].to_vec();
        while !marks.is_empty() {
            let message = socket.next().await?;
            if message["type"] == "approval_notification" {
                marks.retain(|symbol| message["data"]["symbol"] != symbol.as_str());
            }
            seen.push(message);
        }
        Ok((
            about(&seen, "new_signal", &self.a).len(),
            about(&seen, "new_signal", &self.b).len(),
        ))
    }
}

/// Sends a subscription frame and reads its confirmations, in order.
async fn confirmed(
    socket: &mut Socket,
    kind: &str,
    data: Value,
    answer: &str,
    symbols: &[&str],
) -> Result<()> {
    socket.send(kind, data).await?;
    for symbol in symbols {
        let message = socket.kind(answer).await?;
        check::equal(
            "the confirmation",
            &message["data"],
            &json!({"symbol": symbol}),
        )?;
    }
    Ok(())
}

async fn subscribe(socket: &mut Socket, symbol: &str) -> Result<()> {
    let data = json!({"symbol": symbol});
    confirmed(
        socket,
        "subscribe_symbol",
        data,
        "subscription_confirmed",
        &[symbol],
    )
    .await
}

async fn unsubscribe(socket: &mut Socket, symbol: &str) -> Result<()> {
    let data = json!({"symbol": symbol});
    confirmed(
        socket,
        "unsubscribe_symbol",
        data,
        "unsubscription_confirmed",
        &[symbol],
    )
    .await
}

async fn starts_wide(ctx: Ctx) -> Result<()> {
    let mut pair = Pair::new(&ctx);
    let mut socket = ctx.dial("/ws").open().await?.socket;
    check::equal(
        "signals of (A, B)",
        &pair.round(&ctx, &mut socket).await?,
        &(1, 1),
    )
}

async fn narrows(ctx: Ctx) -> Result<()> {
    let mut pair = Pair::new(&ctx);
    let mut socket = ctx.dial("/ws").open().await?.socket;
    subscribe(&mut socket, &pair.a.clone()).await?;
    check::equal(
        "signals with A",
        &pair.round(&ctx, &mut socket).await?,
        &(1, 0),
    )?;
    let lower = pair.b.to_lowercase();
    let b = pair.b.clone();
    let data = json!({"symbol": lower});
    confirmed(
        &mut socket,
        "subscribe_symbol",
        data,
        "subscription_confirmed",
        &[&b],
    )
    .await?;
    check::equal(
        "signals with A and B",
        &pair.round(&ctx, &mut socket).await?,
        &(1, 1),
    )?;
    subscribe(&mut socket, &b).await?;
    check::equal(
        "signals with B twice",
        &pair.round(&ctx, &mut socket).await?,
        &(1, 1),
    )?;
    unsubscribe(&mut socket, &b).await?;
    check::equal(
        "signals without B",
        &pair.round(&ctx, &mut socket).await?,
        &(1, 0),
    )
}

async fn list(ctx: Ctx) -> Result<()> {
    let mut pair = Pair::new(&ctx);
    let (a, b, c) = (pair.a.clone(), pair.b.clone(), ctx.symbol("C"));
    let mut socket = ctx.dial("/ws").open().await?.socket;
    let data = json!({"symbols": [c, b]});
    confirmed(
        &mut socket,
        "subscribe_symbol",
        data,
        "subscription_confirmed",
        &[&c, &b],
    )
    .await?;
    check::equal(
        "signals with C and B",
        &pair.round(&ctx, &mut socket).await?,
        &(0, 1),
    )?;
    let data = json!({"symbols": [b, c]});
    confirmed(
        &mut socket,
        "unsubscribe_symbol",
        data,
        "unsubscription_confirmed",
        &[&b, &c],
    )
    .await?;
    subscribe(&mut socket, &a).await?;
    check::equal(
        "signals with A",
        &pair.round(&ctx, &mut socket).await?,
        &(1, 0),
    )
}

async fn by_query(ctx: Ctx) -> Result<()> {
    let mut pair = Pair::new(&ctx);
    compute(&ctx, &pair.a, &bars::series_of(Shape::Neutral, 1, 395)).await?;
    let symbols = format!("{},{}", pair.b.to_lowercase(), ctx.symbol("C"));
    let opened = ctx.dial("/ws").query("symbols", &symbols).open().await?;
    ensure!(
        check::array(&opened.snapshot, "signals")?
            .iter()
            .all(|it| it["symbol"] == pair.b),
        "expected a snapshot of the filter only, got {}",
        opened.snapshot
    );
    let mut socket = opened.socket;
    check::equal(
        "signals with B",
        &pair.round(&ctx, &mut socket).await?,
        &(0, 1),
    )?;
    subscribe(&mut socket, &pair.a.clone()).await?;
    check::equal(
        "signals with B and A",
        &pair.round(&ctx, &mut socket).await?,
        &(1, 1),
    )
}

async fn none_left(ctx: Ctx) -> Result<()> {
    let mut pair = Pair::new(&ctx);
    let mut socket = ctx.dial("/ws").open().await?.socket;
    subscribe(&mut socket, &pair.a.clone()).await?;
    unsubscribe(&mut socket, &pair.a.clone()).await?;
    check::equal(
        "signals with none",
        &pair.round(&ctx, &mut socket).await?,
        &(0, 0),
    )
}

async fn widens(ctx: Ctx) -> Result<()> {
    let mut pair = Pair::new(&ctx);
    let mut socket = ctx
        .dial("/ws")
        .query("symbols", &ctx.symbol("C"))
        .open()
        .await?
        .socket;
    check::equal(
        "signals with C",
        &pair.round(&ctx, &mut socket).await?,
        &(0, 0),
    )?;
    let answer = "subscription_confirmed";
    confirmed(&mut socket, "subscribe_all", json!({}), answer, &["*"]).await?;
    check::equal(
        "signals with all",
        &pair.round(&ctx, &mut socket).await?,
        &(1, 1),
    )?;
    subscribe(&mut socket, &pair.b.clone()).await?;
    check::equal(
        "signals narrowed again",
        &pair.round(&ctx, &mut socket).await?,
        &(0, 1),
    )
}

async fn room(ctx: Ctx) -> Result<()> {
    let pair = Pair::new(&ctx);
    let mut socket = ctx.dial(&format!("/ws/{}", pair.a)).open().await?.socket;
    for symbol in [&pair.b, &pair.a] {
        compute(&ctx, symbol, &bars::series(Shape::Buy, 1)).await?;
        approve(&ctx, "ann", symbol, "BUY").await?.ok()?;
    }
    let (seen, _) = socket.barrier().await?;
    let got: Vec<(&str, &str)> = seen
        .iter()
        .map(|it| {
            (
                it["type"].as_str().unwrap_or("?"),
                it["data"]["symbol"].as_str().unwrap_or("?"),
            )
        })
        .collect();
    check::equal(
        "what a room's socket got",
        &got,
        &vec![
            ("new_signal", pair.a.as_str()),
            ("approval_notification", pair.a.as_str()),
        ],
    )
}

const CITY: [&str; 5] = [
    "city_state",
    "unslug_trust",
    "fear_trust",
    "flow_trust",
    "notes",
];

async fn city(ctx: Ctx) -> Result<()> {
    let mut socket = ctx
        .dial("/ws")
        .query("symbols", &ctx.symbol("C"))
        .open()
        .await?
        .socket;
    socket.send("subscribe_city_state", json!({})).await?;
    socket.kind("city_state_subscription_confirmed").await?;
    let update = socket.kind("city_state_update").await?;
    check::members("the city", &update["data"], &CITY)?;
    ensure!(update.get("seq").is_none(), "expected no seq, got {update}");
    socket.send("unsubscribe_city_state", json!({})).await?;
    socket.kind("city_state_unsubscription_confirmed").await?;
    Ok(())
}

async fn city_by_query(ctx: Ctx) -> Result<()> {
    let mut socket = ctx.dial("/ws").query("topics", "city").open().await?.socket;
    // Its scores differ from the desk's means, so its signal moves the city: at once or at the
    // next run for the city, and perhaps before the signal is seen here.
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let of_symbol = |it: &Value| it["type"] == "new_signal" && it["data"]["symbol"] == symbol;
    let (mut seen, _) = socket.until("new_signal", of_symbol).await?;
    let rest = ctx.rest(Role::Service)?;
    rest.post("/api/v1/runs", &json!({"cron": "* * * * *"}))
        .await?;
    if seen.iter().all(|it| it["type"] != "city_state_update") {
        seen.push(socket.kind("city_state_update").await?);
    }
    let update = seen.iter().find(|it| it["type"] == "city_state_update");
    check::members("the city", &update.context("an update")?["data"], &CITY)
}
