//! The commands, their arguments, and what they share.

mod audit;
mod backfill;
mod client;
mod cost;
mod desk;
mod import;
mod renew;
mod revoke;
mod serve;
mod tail;
mod token;

use std::fmt::Arguments;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use signalroom_core::auth::{self, Claims, Role, Verifier};
use signalroom_core::config::Config;
use signalroom_harness::clock;
use signalroom_harness::vars::{self, Settings};

/// Trading signals from daily bars, seen and decided on by everyone at once.
#[derive(Debug, Parser)]
#[command(name = "signalroom", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole product on this machine
    Serve(serve::Serve),
    /// Print a token signed with JWT_SECRET
    Token(token::Token),
    /// Send a file of daily bars
    Import(import::Import),
    /// Fetch the history of symbols from the providers
    Backfill(backfill::Backfill),
    /// Start a scheduled run now
    Cron(desk::Cron),
    /// Decide on a symbol's current signal
    Approve(desk::Approve),
    /// List the latest signal of each symbol
    Signals(desk::Signals),
    /// Begin new epochs, after a backup was restored
    Renew(renew::Renew),
    /// Refuse everything issued to a user until now
    Revoke(revoke::Revoke),
    /// Check or export the record of who did what
    Audit(audit::Audit),
    /// Follow what happens
    Tail(tail::Tail),
    /// Tell what a desk costs on Cloudflare Workers
    Cost(cost::Cost),
}

impl Cli {
    /// Does what was asked; false when it was done to no effect.
    pub(crate) async fn run(self) -> Result<bool> {
        match self.command {
            Command::Serve(serve) => serve.run().await,
            Command::Token(token) => token.run(),
            Command::Import(import) => import.run().await,
            Command::Backfill(backfill) => backfill.run().await,
            Command::Cron(cron) => cron.run().await,
            Command::Approve(approve) => approve.run().await,
            Command::Signals(signals) => signals.run().await,
            Command::Renew(renew) => renew.run().await,
            Command::Revoke(revoke) => revoke.run().await,
            Command::Audit(audit) => audit.run().await,
            Command::Tail(tail) => tail.run().await,
            Command::Cost(cost) => cost.run(),
        }
    }
}

/// The configuration of the current folder, with a secret made for it if it has none.
fn settings() -> Result<Settings> {
    let folder = Path::new(".");
    let environment = |name: &str| std::env::var(name).ok();
    let settings = vars::read(folder, environment)?;
    if settings.vars.contains_key("JWT_SECRET") || !vars::create_secret(folder)? {
        return Ok(settings);
    }
    Ok(vars::read(folder, environment)?)
}

fn verifier(settings: &Settings) -> Result<Verifier> {
    Ok(Config::from_vars(|name| settings.vars.get(name).cloned())?.verifier)
}

/// A token that is valid for so many milliseconds.
fn sign(verifier: &Verifier, sub: &str, role: Role, millis: i64) -> Result<String> {
    let now = clock::now();
    let claims = Claims {
        sub: sub.to_owned(),
        role,
        expires_at: now.plus(millis),
        issued_at: Some(now),
    };
    verifier.sign(&claims).context("the token cannot be signed")
}

/// A user's name on the command line.
fn subject(text: &str) -> Result<String, String> {
    if auth::is_subject(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("a user is {}", auth::SUBJECT_RULE))
    }
}

/// Whom a token is made for here: who is logged in.
fn user() -> String {
    let name = std::env::var("USER").ok();
    name.filter(|name| auth::is_subject(name))
        .unwrap_or_else(|| "local".to_owned())
}

/// Prints a line. An error, unlike a panic, ends the command quietly when nobody reads on.
fn say(line: Arguments<'_>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
