//! `signalroom signals`, `approve` and `cron`: the API from a terminal.

use anyhow::{Context, Result};
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};
use signalroom_core::auth::Role;
use signalroom_core::signals::Suggestion;
use signalroom_core::symbol::Symbol;

use super::client::Remote;
use super::say;

/// Where to read signals.
#[derive(Debug, Args)]
pub(crate) struct Signals {
    #[command(flatten)]
    remote: Remote,
}

impl Signals {
    pub(crate) async fn run(self) -> Result<bool> {
        let client = self.remote.client(Role::Viewer)?;
        let mut cursor = None;
        loop {
            let mut request = client
                .request(Method::GET, &["signals"])?
                .query(&[("limit", "500")]);
            if let Some(cursor) = &cursor {
                request = request.query(&[("cursor", cursor)]);
            }
            let page = client.send(request).await?;
            if cursor.is_none() {
                say(format_args!(
                    "{:<15} {:<10} {:<17} {:<9} {:>6} {:>6} {:>6}",
                    "SYMBOL", "DATE", "STATUS", "SUGGESTED", "TRUST", "UNSLUG", "FEAR"
                ))?;
            }
            for signal in page["signals"].as_array().into_iter().flatten() {
                say(format_args!("{}", row(signal)))?;
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(true);
            }
        }
    }
}

fn row(signal: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let score = |name: &str| {
        signal[name]
            .as_f64()
            .map_or("-".to_owned(), |score| format!("{score:.3}"))
    };
    let date: String = text(&signal["ts"]).chars().take(10).collect();
    format!(
        "{:<15} {:<10} {:<17} {:<9} {:>6} {:>6} {:>6}",
        text(&signal["symbol"]),
        date,
        text(&signal["status"]),
        text(&signal["recommendation"]["suggested"]),
        score("combined_trust"),
        score("unslug_score"),
        score("fear_score"),
    )
}

/// A decision.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// Symbol whose current signal is decided on
    symbol: Symbol,
    /// BUY, NEUTRAL or RISK
    #[arg(value_parser = |text: &str| text.to_ascii_uppercase().parse::<Suggestion>())]
    status: Suggestion,
    /// Why, for everyone to read
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Approve {
    pub(crate) async fn run(self) -> Result<bool> {
        let client = self.remote.client(Role::Approver)?;
        let mut body = json!({"status": self.status.as_str()});
        if let Some(note) = self.note {
            body["note"] = note.into();
        }
        let request = client
            .request(Method::POST, &["signals", self.symbol.as_str(), "approve"])?
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = client.send(request).await?;
        let part = |name: &str| answer["approval"][name].as_str().unwrap_or("?").to_owned();
        say(format_args!(
            "{} approved as {} by {}",
            part("signal_id"),
            part("approved_status"),
            part("approved_by")
        ))?;
        Ok(true)
    }
}

/// A scheduled run now.
#[derive(Debug, Args)]
pub(crate) struct Cron {
    /// The expression to run as
    #[arg(default_value = "*/5 * * * *")]
    cron: signalroom_core::cron::Cron,
    #[command(flatten)]
    remote: Remote,
}

impl Cron {
    pub(crate) async fn run(self) -> Result<bool> {
        let client = self.remote.client(Role::Service)?;
        let request = client
            .request(Method::POST, &["runs"])?
            .header("content-type", "application/json")
            .body(json!({"cron": self.cron.to_string()}).to_string());
        let report = client.send(request).await?;
        let count = |name: &str| report[name].as_u64().unwrap_or_default();
        let failed: Vec<&str> = report["failed"]
            .as_array()
            .context("the report has no list of failures")?
            .iter()
            .filter_map(Value::as_str)
            .collect();
        say(format_args!(
            "{} symbols looked at: {} new, {} unchanged, {} with too little history, {} failed",
            count("planned"),
            count("new"),
            count("unchanged"),
            count("insufficient_history"),
            failed.len()
        ))?;
        if count("fetched") + count("unfetched") + count("deferred") > 0 {
            say(format_args!(
                "{} symbols fetched, {} in vain, {} left for the next run",
                count("fetched"),
                count("unfetched"),
                count("deferred"),
            ))?;
        }
        if !failed.is_empty() {
            say(format_args!("failed: {}", failed.join(", ")))?;
        }
        for list in ["outcomes", "series"] {
            for outcome in report[list].as_array().into_iter().flatten() {
                let name = outcome["symbol"].as_str().or(outcome["series"].as_str());
                if let (Some(name), Some(error)) = (name, outcome["error"].as_str()) {
                    say(format_args!("{name}: {error}"))?;
                }
            }
        }
        for (list, said) in [("overdue", "late, sent now"), ("stale", "stale")] {
            let rooms: Vec<&str> = report[list]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|it| it.as_str().or_else(|| it["symbol"].as_str()))
                .collect();
            if !rooms.is_empty() {
                say(format_args!("{said}: {}", rooms.join(", ")))?;
            }
        }
        if let Some(notes) = report["city"]["notes"].as_str() {
            let city = report["city"]["city_state"].as_str().unwrap_or("unknown");
            say(format_args!("city {city}: {notes}"))?;
        }
        Ok(failed.is_empty())
    }
}
