//! Twenty clients that resume: the follower over real sockets, and what each has heard.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use signalroom_harness::follow::Message;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::PATIENCE;
use super::follow::follow;
use crate::case::Ctx;
use crate::client::Dial;

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
    /// The events of all frames of all its sockets, as they came.
    pub(super) events: Vec<Value>,
    /// The numbers of those that the follower handed on.
    pub(super) delivered: Vec<i64>,
    pub(super) snapshots: usize,
    pub(super) resumes: usize,
    /// Resumes that did not recover.
    pub(super) lapses: usize,
    failed: Option<String>,
}

/// What a client listens to.
#[derive(Debug, Clone)]
struct Address {
    path: String,
    /// The symbol whose signals it follows, if not all.
    only: Option<String>,
    /// Whether it is on that symbol's own socket.
    own: bool,
}

impl Address {
    fn dial(&self, ctx: &Ctx) -> Dial {
        match &self.only {
            Some(symbol) if !self.own => ctx.dial(&self.path).query("symbols", symbol),
            Some(_) | None => ctx.dial(&self.path),
        }
    }
}

/// One client.
pub(super) struct Client {
    address: Address,
    heard: Arc<Mutex<Heard>>,
}

impl Client {
    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Path and query: clients with the same one hear the same.
    pub(super) fn address(&self) -> String {
        let Address { path, only, own } = &self.address;
        match only {
            Some(symbol) if !own => format!("{path}?symbols={symbol}"),
            Some(_) | None => path.clone(),
        }
    }

    /// A fresh client of the same address.
    pub(super) fn dial(&self, ctx: &Ctx) -> Dial {
        self.address.dial(ctx)
    }

    /// Whether it hears this symbol's approvals.
    pub(super) fn hears(&self, symbol: &str) -> bool {
        !self.address.own || self.address.only.as_deref() == Some(symbol)
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
                let address = Address {
                    path: if own {
                        format!("/ws/{symbol}")
                    } else {
                        "/ws".to_owned()
                    },
                    only: (number >= WIDE).then(|| symbol.clone()),
                    own,
                };
                let client = Client {
                    address,
                    heard: Arc::default(),
                };
                let ear = Ear {
                    ctx: ctx.clone(),
                    address: client.address.clone(),
                    heard: Arc::clone(&client.heard),
                    news: Arc::clone(&news),
                };
                running.spawn(async move {
                    if let Err(error) = follow(&ear, number).await {
                        ear.note(|heard| heard.failed = Some(format!("{error:#}")));
                    }
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

/// A client's surroundings.
pub(super) struct Ear {
    ctx: Ctx,
    address: Address,
    heard: Arc<Mutex<Heard>>,
    news: Arc<Notify>,
}

impl Ear {
    fn note(&self, note: impl FnOnce(&mut Heard)) {
        note(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        self.news.notify_waiters();
    }

    /// Its address, where the server is now.
    pub(super) fn dial(&self) -> Dial {
        self.address.dial(&self.ctx)
    }

    /// These messages came.
    pub(super) fn came(&self, messages: Vec<Value>) {
        self.note(|heard| {
            for message in messages {
                let data = &message["data"];
                match message["type"].as_str().unwrap_or_default() {
                    "welcome" => heard.epoch = data["epoch"].as_str().map(str::to_owned),
                    "snapshot" => heard.snapshots += 1,
                    "resumed" if data["recovered"] == true => heard.resumes += 1,
                    "resumed" => heard.lapses += 1,
                    _ if message["seq"].is_null() => {}
                    _ => heard.events.push(message),
                }
            }
        });
    }

    /// The follower handed this on.
    pub(super) fn delivered(&self, message: &Message) {
        self.note(|heard| heard.delivered.extend(message.seq));
    }
}
