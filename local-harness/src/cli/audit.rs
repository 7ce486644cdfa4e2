//! `signalroom audit`: the record, to keep elsewhere and to check.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;
use signalroom_core::audit::{Broken, Export};
use signalroom_core::auth::Role;
use signalroom_core::symbol::Symbol;

use super::client::{Client, Remote};
use super::say;

/// Rows asked for at once.
const PAGE: &str = "500";

/// Rooms checked at once: a Worker of the free plan may ask fifty in all.
const ROOMS: &str = "40";

/// What to do with the record.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check that nobody changed it; exit code 1 where somebody did
    Verify(Verify),
    /// Write it as JSON Lines, every room's oldest row first
    Export(ExportTo),
}

#[derive(Debug, Args)]
struct Verify {
    /// Symbols whose rooms are checked; without any, the feed and every room
    symbols: Vec<Symbol>,
    /// Check an export, without any server
    #[arg(long, conflicts_with_all = ["symbols", "url", "token"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct ExportTo {
    /// Only this symbol's room; without one, the feed and every room
    symbol: Option<Symbol>,
    /// Where to write it; else to the standard output
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

impl Audit {
    pub(crate) async fn run(self) -> Result<bool> {
        match self.command {
            Command::Verify(Verify {
                file: Some(file), ..
            }) => verify_file(&file),
            Command::Verify(verify) => verify.run().await,
            Command::Export(export) => export.run().await,
        }
    }
}

impl Verify {
    async fn run(self) -> Result<bool> {
        let client = self.remote.client(Role::Admin)?;
        if self.symbols.is_empty() {
            return verify(&client, None).await;
        }
        let mut whole = true;
        for symbol in &self.symbols {
            whole &= verify(&client, Some(symbol)).await?;
        }
        Ok(whole)
    }
}

/// Has the server check one symbol's room, or all rooms page by page.
async fn verify(client: &Client, symbol: Option<&Symbol>) -> Result<bool> {
    let mut whole = true;
    let mut cursor: Option<String> = None;
    loop {
        let mut request = client
            .request(Method::GET, &["audit", "verify"])?
            .query(&[("limit", ROOMS)]);
        if let Some(symbol) = symbol {
            request = request.query(&[("symbol", symbol.as_str())]);
        }
        if let Some(cursor) = &cursor {
            request = request.query(&[("cursor", cursor)]);
        }
        let report = client.send(request).await?;
        let list = |name: &str| {
            let list = report[name].as_array().cloned();
            list.with_context(|| format!("the answer has no list {name:?}"))
        };
        for room in list("rooms")? {
            let broken: Option<Broken> = serde_json::from_value(room["broken"].clone())
                .context("the answer has an unknown reason")?;
            let text = |name: &str| room[name].as_str().unwrap_or("?").to_owned();
            let rows = room["entries"].as_i64().unwrap_or_default();
            show(&text("room"), rows, &text("head"), broken)?;
        }
        for room in list("failed")? {
            say(format_args!(
                "{:<22} not checked",
                room.as_str().unwrap_or("?")
            ))?;
        }
        whole &= report["ok"] == Value::Bool(true);
        cursor = report["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(whole);
        }
    }
}

fn show(room: &str, rows: i64, head: &str, broken: Option<Broken>) -> Result<()> {
    match broken {
        None => {
            let plural = if rows == 1 { "" } else { "s" };
            say(format_args!(
                "{room:<22} {rows} row{plural}, whole, head {head}"
            ))
        }
        Some(Broken { n, reason }) => say(format_args!("{room:<22} BROKEN at row {n}: {reason}")),
    }
}

fn verify_file(path: &Path) -> Result<bool> {
    let name = path.display();
    let file = File::open(path).with_context(|| name.to_string())?;
    let mut export = Export::default();
    let mut whole = true;
    for (n, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(|| name.to_string())?;
        if let Err(error) = export.line(&line) {
            say(format_args!("{name}: line {}: {error}", n + 1))?;
            whole = false;
            break;
        }
    }
    for (room, exported) in export.rooms() {
        let head = exported.head;
        show(
            &room.to_string(),
            head.n,
            &head.hash.to_string(),
            exported.broken,
        )?;
        whole &= exported.broken.is_none();
    }
    Ok(whole)
}

impl ExportTo {
    async fn run(self) -> Result<bool> {
        let client = self.remote.client(Role::Admin)?;
        let Some(path) = &self.out else {
            let mut out = std::io::stdout().lock();
            export(&client, self.symbol.as_ref(), &mut out).await?;
            return Ok(true);
        };
        // Half an export looks like a whole one: it gets its name at the end.
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let mut file = File::create(&part).with_context(|| part.display().to_string())?;
        let rows = export(&client, self.symbol.as_ref(), &mut file).await?;
        file.sync_all()?;
        std::fs::rename(&part, path).with_context(|| path.display().to_string())?;
        say(format_args!("{rows} rows"))?;
        Ok(true)
    }
}

/// Writes what the server has, page by page; how many rows that is.
async fn export(client: &Client, symbol: Option<&Symbol>, out: &mut impl Write) -> Result<usize> {
    let mut rows = 0;
    let mut cursor: Option<String> = None;
    loop {
        let mut request = client
            .request(Method::GET, &["audit"])?
            .query(&[("format", "jsonl"), ("limit", PAGE)]);
        if let Some(symbol) = symbol {
            request = request.query(&[("symbol", symbol.as_str())]);
        }
        if let Some(cursor) = &cursor {
            request = request.query(&[("cursor", cursor)]);
        }
        let page = client.fetch(request).await?;
        out.write_all(page.text.as_bytes())?;
        out.flush()?;
        rows += page.text.lines().count();
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(rows);
        }
    }
}
