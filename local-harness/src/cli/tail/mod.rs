//! `signalroom tail`: what happens, line by line, across reconnects and, with `--state`, restarts.

mod print;
mod state;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Error, Result, bail};
use clap::Args;
use reqwest::Url;
use signalroom_core::auth::Role;
use signalroom_core::symbol::Symbol;
use signalroom_harness::follow::drive::{Host, drive};
use signalroom_harness::follow::{Cause, Follower, Message, Position};

use self::state::State;
use super::client::Remote;
use super::say;

/// Whom to follow.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// Symbols to follow; all without any
    symbols: Vec<Symbol>,
    /// Print messages as they come, each with the epoch of its log
    #[arg(long)]
    json: bool,
    /// File that keeps where it stopped: the next start continues there
    ///
    /// It is replaced after each event, once the line is printed and flushed. A crash between the
    /// two repeats the last event at the next start and loses none; with --json its line has the
    /// same epoch and seq as before, so that a reader can drop it.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

impl Tail {
    pub(crate) async fn run(self) -> Result<bool> {
        let state = self.state.as_deref().map(State::at);
        let position = match &state {
            Some(state) => state.load()?,
            None => None,
        };
        let client = self.remote.client(Role::Viewer)?;
        let mut terminal = Terminal {
            token: client.token().to_owned(),
            address: self.address(client.url(&["ws"])?)?,
            seen: position.is_some(),
            state,
            tail: self,
        };
        let reason = drive(&mut Follower::new(position), &mut terminal).await?;
        bail!("{reason}")
    }

    /// The socket's address, with filters.
    fn address(&self, mut url: Url) -> Result<Url> {
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        if url.set_scheme(scheme).is_err() {
            bail!("{url} cannot be a WebSocket's address");
        }
        if self.symbols.is_empty() {
            url.query_pairs_mut().append_pair("topics", "city");
        } else {
            let symbols: Vec<&str> = self.symbols.iter().map(Symbol::as_str).collect();
            url.query_pairs_mut()
                .append_pair("symbols", &symbols.join(","));
        }
        Ok(url)
    }
}

/// Where messages go.
struct Terminal {
    tail: Tail,
    address: Url,
    token: String,
    state: Option<State>,
    /// Whether the server has ever been there.
    seen: bool,
}

impl Host for Terminal {
    type Error = Error;

    fn dial(&mut self) -> Result<(Url, String)> {
        Ok((self.address.clone(), self.token.clone()))
    }

    fn fresh_token(&mut self) -> Option<String> {
        let client = self.tail.remote.client(Role::Viewer).ok()?;
        let fresh = client.token();
        if fresh == self.token {
            return None;
        }
        fresh.clone_into(&mut self.token);
        Some(self.token.clone())
    }

    fn deliver(&mut self, message: Message) -> Result<()> {
        self.seen = true;
        if self.tail.json {
            return say(format_args!("{}", print::json(&message)));
        }
        print::lines(&message)
            .iter()
            .try_for_each(|line| say(format_args!("{line}")))
    }

    fn reached(&mut self, position: &Position) -> Result<()> {
        match &self.state {
            Some(state) => state.store(position),
            None => Ok(()),
        }
    }

    fn lost(&mut self, cause: Cause, why: &str, wait: Duration) -> Result<()> {
        // Another token is looked for; without one, that is the end.
        if cause == Cause::Status(401) {
            return Ok(());
        }
        // Nobody waits for a server that was never there.
        if !self.seen {
            let server = self.address.origin().ascii_serialization();
            bail!("{server}: {why}");
        }
        eprintln!("{why}; trying again in {:.1} s", wait.as_secs_f64());
        Ok(())
    }
}
