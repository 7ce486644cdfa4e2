//! `signalroom revoke`: shut a user out.

use anyhow::{Context, Result};
use clap::Args;
use reqwest::Method;
use serde_json::json;
use signalroom_core::auth::Role;

use super::client::Remote;
use super::say;

/// Whose tokens are refused.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The user, as in the token's `sub`; what is issued to them afterwards is good again
    #[arg(value_parser = super::subject)]
    sub: String,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Revoke {
    /// False when a room could not be told.
    pub(crate) async fn run(self) -> Result<bool> {
        let client = self.remote.client(Role::Admin)?;
        let request = client
            .request(Method::POST, &["users", &self.sub, "revoke"])?
            .header("content-type", "application/json")
            .body(json!({"reason": self.reason}).to_string());
        let answer = client.send(request).await?;
        let before = answer["before"]
            .as_str()
            .context("the answer has no time")?;
        say(format_args!(
            "{}: everything issued before {before} is refused",
            self.sub
        ))?;
        let failed = answer["failed"].as_array();
        let failed = failed.context("the answer has no list \"failed\"")?;
        for room in failed {
            let room = room.as_str().unwrap_or("?");
            say(format_args!("not told: {room}; revoke again"))?;
        }
        Ok(failed.is_empty())
    }
}
