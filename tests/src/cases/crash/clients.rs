//! Twenty clients that resume: the follower over real sockets, and what each has heard.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail};
use reqwest::Url;
use serde_json::Value;
use signalroom_harness::follow::drive::{Host, drive};
use signalroom_harness::follow::{Cause, Follower, Message, Pace, Position};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::PATIENCE;
use crate::case::Ctx;
use crate::client::{Dial, Role};

/// Clients in all.
pub(super) const ALL: usize = 20;

/// Those of them, the first, that follow all symbols on `/ws`.
pub(super) const WIDE: usize = 12;

/// Those on `/ws` in all; the others are on the sockets of single symbols.
const ON_FEED: usize = 16;

/// What a client has heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) epoch: Option<String>,
    pub(super) events: Vec<Value>,
    pub(super) snapshots: usize,
    pub(super) resumes: usize,
    /// Resumes that did not recover.
    pub(super) lapses: usize,
    failed: Option<String>,
}

/// One client.
pub(super) struct Client {
    path: String,
    /// The symbol whose signals it follows, if not all.
    only: Option<String>,
    /// Whether it is on that symbol's own socket.
    own: bool,
    heard: Arc<Mutex<Heard>>,
}

impl Client {
    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Path and query: clients with the same one hear the same.
    pub(super) fn address(&self) -> String {
        match &self.only {
            Some(symbol) if !self.own => format!("{}?symbols={symbol}", self.path),
            Some(_) | None => self.path.clone(),
        }
    }

    /// A fresh client of the same address.
    pub(super) fn dial(&self, ctx: &Ctx) -> Dial {
        match &self.only {
            Some(symbol) if !self.own => ctx.dial(&self.path).query("symbols", symbol),
            Some(_) | None => ctx.dial(&self.path),
        }
    }

    /// Whether it hears this symbol's approvals.
    pub(super) fn hears(&self, symbol: &str) -> bool {
        !self.own || self.only.as_deref() == Some(symbol)
    }
}

/// All clients, running until this is dropped.
pub(super) struct Clients {
    pub(super) all: Vec<Client>,
    news: Arc<Notify>,
    _running: JoinSet<()>,
}

impl Clients {
    /// Starts them.
    pub(super) fn start(ctx: &Ctx, symbols: &[String]) -> Self {
        let news = Arc::new(Notify::new());
        let mut running = JoinSet::new();
        let all = (0..ALL)
            .map(|number| {
                let symbol = &symbols[number % symbols.len()];
                let own = number >= ON_FEED;
                let client = Client {
                    path: if own {
                        format!("/ws/{symbol}")
                    } else {
                        "/ws".to_owned()
                    },
                    only: (number >= WIDE).then(|| symbol.clone()),
                    own,
                    heard: Arc::default(),
                };
                let mut ear = Ear {
                    ctx: ctx.clone(),
                    address: client.address(),
                    token: ctx.minter().token(&ctx.user("viewer"), Role::Viewer),
                    heard: Arc::clone(&client.heard),
                    news: Arc::clone(&news),
                };
                running.spawn(async move {
                    let ended = drive(&mut Follower::paced(None, pace()), &mut ear).await;
                    let why = match ended {
                        Ok(reason) => reason.to_string(),
                        Err(error) => format!("{error:#}"),
                    };
                    ear.note(|heard| heard.failed = Some(why));
                });
                client
            })
            .collect();
        Self {
            all,
            news,
            _running: running,
        }
    }

    /// How often each has resumed.
    pub(super) fn resumes(&self) -> Vec<usize> {
        self.all.iter().map(|it| it.heard().resumes).collect()
    }

    /// Waits until `wanted` holds for every client.
    pub(super) async fn until(&self, what: &str, wanted: impl Fn(&Heard) -> bool) -> Result<()> {
        let all = || self.all.iter().all(|client| wanted(&client.heard()));
        timeout(PATIENCE, self.when(all)).await.with_context(|| {
            let count = self.all.iter().filter(|it| wanted(&it.heard())).count();
            format!("expected {what}, only {count} clients have it")
        })?
    }

    /// Waits until `wanted` holds; looks again whenever a client has heard something.
    pub(super) async fn when(&self, wanted: impl Fn() -> bool) -> Result<()> {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            for client in &self.all {
                if let Some(why) = &client.heard().failed {
                    bail!("a client of {} ended: {why}", client.address());
                }
            }
            if wanted() {
                return Ok(());
            }
            news.await;
        }
    }
}

/// Faster than a client in the field, so that kills follow each other fast.
fn pace() -> Pace {
    Pace {
        window: Duration::from_millis(100),
        least: Duration::from_millis(20),
        most: Duration::from_millis(200),
        well: Duration::ZERO,
        ..Pace::default()
    }
}

/// A client's surroundings.
struct Ear {
    ctx: Ctx,
    address: String,
    token: String,
    heard: Arc<Mutex<Heard>>,
    news: Arc<Notify>,
}

impl Ear {
    fn note(&self, note: impl FnOnce(&mut Heard)) {
        note(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        self.news.notify_waiters();
    }
}

impl Host for Ear {
    type Error = Error;

    fn dial(&mut self) -> Result<(Url, String)> {
        let url = format!(
            "{}{}",
            self.ctx.url().replacen("http", "ws", 1),
            self.address
        );
        Ok((url.parse()?, self.token.clone()))
    }

    fn fresh_token(&mut self) -> Option<String> {
        None
    }

    fn deliver(&mut self, message: Message) -> Result<()> {
        let recovered = message.data["recovered"] == true;
        let text: Option<Value> = match message.seq {
            Some(_) => Some(serde_json::from_str(&message.text)?),
            None => None,
        };
        self.note(|heard| match message.kind.as_str() {
            "welcome" => heard.epoch = message.epoch,
            "snapshot" => heard.snapshots += 1,
            "resumed" if recovered => heard.resumes += 1,
            "resumed" => heard.lapses += 1,
            _ => heard.events.extend(text),
        });
        Ok(())
    }

    fn reached(&mut self, _: &Position) -> Result<()> {
        Ok(())
    }

    fn lost(&mut self, _: Cause, _: &str, _: Duration) -> Result<()> {
        Ok(())
    }
}
