//! `signalroom backfill`: has the server fetch the history of symbols, a few at a time.
//!
//! What it has is asked of the server at the start, so that an interrupted one goes on where it was.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};
use signalroom_core::auth::Role;
use signalroom_core::symbol::Symbol;
use tokio::time::sleep;

use super::client::{Client, Remote};
use super::say;

/// Symbols in one request: as many as a run fetches at once.
const CHUNK: usize = 6;

/// How long to wait when providers want to be left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// How often in a row to wait for them.
const MAX_PAUSES: u32 = 24;

/// Whose history to fetch.
#[derive(Debug, Args)]
pub(crate) struct Backfill {
    /// Symbols to fetch; without any, those of the watchlist that lack something
    symbols: Vec<Symbol>,
    /// Fetch everything again, whether or not something is lacking
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Backfill {
    pub(crate) async fn run(self) -> Result<bool> {
        let client = self.remote.client(Role::Admin)?;
        let (mut left, complete) = self.wanted(&client).await?;
        if complete > 0 {
            say(format_args!("{complete} symbols have all their history"))?;
        }
        let bar = progress(left.len());
        let mut failed = 0_usize;
        let mut pauses = 0;
        while !left.is_empty() && pauses < MAX_PAUSES {
            let chunk: Vec<String> = left.drain(..left.len().min(CHUNK)).collect();
            bar.set_message(chunk.join(" "));
            let report = backfill(&client, &chunk).await;
            let report = report.inspect_err(|_| bar.finish_and_clear())?;
            let outcomes = report["outcomes"].as_array();
            let outcomes = outcomes.context("the report has no list of outcomes")?;
            let settled: Vec<&Value> = outcomes
                .iter()
                .filter(|it| it["outcome"] != "deferred")
                .collect();
            for outcome in &settled {
                let fetched = !outcome["provider"].is_null();
                failed += usize::from(!fetched);
                let line = line(outcome);
                bar.suspend(|| say(format_args!("{line}")))?;
            }
            bar.inc(settled.len() as u64);
            let names: Vec<&str> = settled
                .iter()
                .filter_map(|it| it["symbol"].as_str())
                .collect();
            let again = chunk.into_iter().filter(|it| !names.contains(&it.as_str()));
            left.extend(again);
            if settled.is_empty() {
                pauses += 1;
                bar.set_message("providers want to be left alone for a while");
                sleep(PAUSE).await;
            } else {
                pauses = 0;
            }
        }
        bar.finish_and_clear();
        let done = failed == 0 && left.is_empty();
        if !left.is_empty() {
            let left: Vec<String> = left.into();
            say(format_args!(
                "not asked for yet: {}; run this again later",
                left.join(", ")
            ))?;
        }
        Ok(done)
    }

    /// The symbols to fetch, and how many of those asked for lack nothing.
    async fn wanted(&self, client: &Client) -> Result<(VecDeque<String>, usize)> {
        let known = known(client).await?;
        let lacks = |it: &Value| {
            it["watched"] != true || !it["missing_from"].is_null() || it["stale"] == true
        };
        let of = |symbol: &Symbol| known.iter().find(|it| it["symbol"] == symbol.as_str());
        let asked: Vec<(String, bool)> = if self.symbols.is_empty() {
            let watched = known.iter().filter(|it| it["watched"] == true);
            watched
                .map(|it| {
                    (
                        it["symbol"].as_str().unwrap_or_default().to_owned(),
                        lacks(it),
                    )
                })
                .collect()
        } else {
            let lacking = |it: &Symbol| (it.to_string(), of(it).is_none_or(lacks));
            self.symbols.iter().map(lacking).collect()
        };
        let all = asked.len();
        let wanted = asked.into_iter().filter(|(_, lacks)| *lacks || self.again);
        let wanted: VecDeque<String> = wanted.map(|(symbol, _)| symbol).collect();
        let complete = all - wanted.len();
        Ok((wanted, complete))
    }
}

/// What the server knows of symbols' data.
async fn known(client: &Client) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut request = client.request(Method::GET, &["symbols"])?;
        request = request.query(&[("limit", "500")]);
        if let Some(cursor) = &cursor {
            request = request.query(&[("cursor", cursor)]);
        }
        let page = client.send(request).await?;
        let symbols = page["symbols"].as_array();
        all.extend_from_slice(symbols.context("the answer has no list of symbols")?);
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

async fn backfill(client: &Client, symbols: &[String]) -> Result<Value> {
    let body = json!({"cron": "backfill", "symbols": symbols, "backfill": true});
    let request = client
        .request(Method::POST, &["runs"])?
        .header("content-type", "application/json")
        .body(body.to_string());
    client.send(request).await
}

/// One symbol's outcome, for people.
fn line(outcome: &Value) -> String {
    let symbol = outcome["symbol"].as_str().unwrap_or("?");
    let error = outcome["error"].as_str();
    let Some(provider) = outcome["provider"].as_str() else {
        return format!("{symbol}: failed: {}", error.unwrap_or("nobody was asked"));
    };
    let count = |name: &str| outcome["bars"][name].as_u64().unwrap_or_default();
    let mut said = format!(
        "{symbol}: {} accepted, {} replaced, {} unchanged, from {provider}",
        count("accepted"),
        count("replaced"),
        count("unchanged"),
    );
    if let Some(error) = error {
        said += &format!(" ({error})");
    }
    said
}

fn progress(symbols: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(symbols as u64).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_in_one_line() {
        let good = json!({"symbol": "SPY", "provider": "stooq", "error": "yahoo: it answered 500",
            "bars": {"accepted": 7, "replaced": 0, "unchanged": 1}});
        assert_eq!(
            line(&good),
            "SPY: 7 accepted, 0 replaced, 1 unchanged, from stooq (yahoo: it answered 500)"
        );
        let bad = json!({"symbol": "X", "provider": null, "error": "yahoo: it does not know it"});
        assert_eq!(line(&bad), "X: failed: yahoo: it does not know it");
    }
}
