//! `signalroom renew`: new epochs, after a backup was restored.

use anyhow::{Context, Result};
use clap::Args;
use reqwest::Method;
use serde_json::json;
use signalroom_core::auth::Role;
use signalroom_core::symbol::Symbol;

use super::client::Remote;
use super::say;

/// Which rooms came from a backup.
#[derive(Debug, Args)]
pub(crate) struct Renew {
    /// Symbols whose rooms were restored; without any, the feed and everything it knows
    symbols: Vec<Symbol>,
    #[command(flatten)]
    remote: Remote,
}

impl Renew {
    pub(crate) async fn run(self) -> Result<bool> {
        let client = self.remote.client(Role::Admin)?;
        let body = if self.symbols.is_empty() {
            json!({})
        } else {
            json!({"symbols": self.symbols})
        };
        let mut failed = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut request = client
                .request(Method::POST, &["epochs"])?
                .header("content-type", "application/json")
                .body(body.to_string());
            if let Some(cursor) = &cursor {
                request = request.query(&[("cursor", cursor)]);
            }
            let page = client.send(request).await?;
            let rooms = |name: &str| {
                let rooms = page[name].as_array().cloned();
                rooms.with_context(|| format!("the answer has no list {name:?}"))
            };
            for renewed in rooms("epochs")? {
                let text = |name: &str| renewed[name].as_str().unwrap_or("?").to_owned();
                say(format_args!("{:<22} epoch {}", text("room"), text("epoch")))?;
            }
            for room in rooms("failed")? {
                failed.push(room.as_str().unwrap_or("?").to_owned());
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        if !failed.is_empty() {
            say(format_args!("failed: {}", failed.join(", ")))?;
        }
        Ok(failed.is_empty())
    }
}
