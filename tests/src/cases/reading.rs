//! One reader for what tools send: marks and blank lines around a body or message change nothing,
//! and a file that takes several requests is read as one.

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::command_line::{Ended, run};
use super::import::held;
use super::{pending, read, read_all};
use crate::bars::{self, Bar, HEADER, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::{Role, rest::send};
use crate::target::Kind;

const BOM: &str = "\u{feff}";

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let binary = &[Kind::Harness];
    vec![
        Case::shared(
            "reading/a byte-order mark before JSON changes nothing",
            marked_json,
        ),
        Case::shared(
            "reading/white space around a WebSocket text changes nothing",
            padded_text,
        ),
        Case::shared(
            "reading/names without a letter or digit are no symbols",
            bad_names,
        ),
        Case::shared(
            "reading/import takes a file of several requests as one",
            large_file,
        )
        .only(binary),
        Case::shared(
            "reading/import fails when a row is lost, and names it",
            lost_rows,
        )
        .only(binary),
        Case::shared(
            "reading/import sends nothing for a name that is no symbol",
            no_symbol,
        )
        .only(binary),
    ]
}

/// Bars as a JSON array.
fn json(bars: &[Bar]) -> Value {
    bars.iter().map(Bar::json).collect()
}

async fn marked_json(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let body = format!("{BOM}\n{}", json(&bars::plain("2024-01-02", 3, 1)));
    let path = format!("/api/v1/symbols/{symbol}/bars");
    // Without a content type the body says what it is.
    let request = ctx.rest(Role::Service)?.request(Method::PUT, &path);
    let answer = send(request.body(body)).await?.ok()?;
    check::equal("accepted", &answer["accepted"], &json!(3))?;
    let (symbol, _) = pending(&ctx, "B", Shape::Buy).await?;
    let decision = format!("{BOM}{}", json!({"status": "BUY"}));
    let path = format!("/api/v1/signals/{symbol}/approve");
    let answer = ctx.rest(Role::Approver)?.post_text(&path, decision).await?;
    let decided = &answer.ok()?["approval"];
    check::text(decided, "approved_status", "BUY")
}

async fn padded_text(ctx: Ctx) -> Result<()> {
    let mut opened = ctx.dial("/ws").open().await?;
    // More than the ten bad messages that end a socket.
    for text in ["ping\n", "ping\r\n", "\u{feff}ping", " ping "].repeat(4) {
        opened.socket.send_text(text).await?;
        let pong = opened.socket.kind("pong").await?;
        check::equal("epoch", &pong["data"]["epoch"], &opened.welcome["epoch"])?;
        check::integer(&pong["data"], "seq")?;
    }
    let message = format!(
        "{BOM}{}\r\n",
        json!({"type": "ping", "data": {"timestamp": 7}})
    );
    opened.socket.send_text(&message).await?;
    let pong = opened.socket.kind("pong").await?;
    check::equal("the echo", &pong["data"]["echo"], &json!(7))
}

async fn bad_names(ctx: Ctx) -> Result<()> {
    let admin = ctx.rest(Role::Admin)?;
    for name in [".", "..", "...", "^", "=-"] {
        let request = admin.request(Method::PUT, "/api/v1/symbols");
        let body = json!({ "symbols": [name] });
        send(request.body(body.to_string()))
            .await?
            .problem(422, "invalid")?;
    }
    Ok(())
}

/// Writes a file and imports it.
async fn run_import(ctx: &Ctx, symbol: &str, ending: &str, content: &str) -> Result<Ended> {
    let file = ctx.scratch().with_extension(ending);
    std::fs::write(&file, content)?;
    run(ctx, &["import", symbol, &file.to_string_lossy()]).await
}

async fn large_file(ctx: Ctx) -> Result<()> {
    let all = bars::plain("2000-01-03", 6_000, 1);
    // The header is the first line that is not blank, for all requests.
    let symbol = ctx.symbol("A");
    let csv = format!("\n{}", bars::csv(&all));
    let printed = run_import(&ctx, &symbol, "csv", &csv).await?.ok()?;
    ensure!(printed.contains("6000 accepted"), "got {printed}");
    check::equal("bars held", &held(&ctx, &symbol).await?.len(), &6_000)?;
    // The same as JSON, which is over the limit of one request.
    let symbol = ctx.symbol("B");
    let json = format!("{BOM}{}", json!({ "bars": json(&all) }));
    let printed = run_import(&ctx, &symbol, "json", &json).await?.ok()?;
    ensure!(printed.contains("6000 accepted"), "got {printed}");
    check::equal("bars held", &held(&ctx, &symbol).await?.len(), &6_000)
}

async fn lost_rows(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let mut csv = bars::csv(&bars::plain("2000-01-03", 6_000, 1));
    // The first row of a date counts, also when the second is requests away.
    csv.push_str("2000-01-03,900,900,900,900,900\n");
    let ended = run_import(&ctx, &symbol, "csv", &csv).await?;
    check::equal("exit code", &ended.code, &Some(1))?;
    ensure!(
        ended.stdout.contains("6000 accepted") && ended.stdout.contains("line 6002"),
        "expected line 6002 to be named, got {}",
        ended.stdout
    );
    let first = read(&ctx, &format!("/api/v1/symbols/{symbol}/bars?limit=1")).await?;
    check::equal("the open held", &first["bars"][0]["open"], &json!(100.0))
}

async fn no_symbol(ctx: Ctx) -> Result<()> {
    for name in [".", "..", "^"] {
        let csv = format!("{HEADER}\n2024-01-02,1,2,1,2,5\n");
        let ended = run_import(&ctx, name, "csv", &csv).await?;
        check::equal("exit code", &ended.code, &Some(2))?;
        ensure!(
            ended.stderr.contains("letter or digit"),
            "expected what a symbol is, got {}",
            ended.stderr
        );
    }
    // `symbols/../bars` would be the address of a symbol BARS.
    let list = read_all(&ctx, "/api/v1/symbols", "symbols").await?;
    ensure!(!list.is_empty(), "expected the watchlist, got nothing");
    ensure!(
        list.iter().all(|row| row["symbol"] != "BARS"),
        "expected no symbol BARS, got {list:?}"
    );
    Ok(())
}
