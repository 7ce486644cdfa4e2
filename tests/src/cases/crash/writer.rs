//! Writers that go on across crashes: bars in, decisions, and what was acknowledged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};

use crate::bars::{self, Bar, SESSIONS, Shape};
use crate::case::Ctx;
use crate::client::{Reply, Role};

/// What the server has acknowledged.
#[derive(Debug, Clone, Default)]
pub(super) struct Acked {
    /// The approvals.
    pub(super) approvals: Vec<Value>,
    /// Ids of signals.
    pub(super) signals: Vec<String>,
    /// The last approved signal per symbol, by the last write of all on it.
    pub(super) last: BTreeMap<String, String>,
}

/// What writers share with the one who kills.
pub(super) struct Desk {
    permits: Semaphore,
    begins: watch::Sender<usize>,
    starts: watch::Sender<usize>,
    acked: Mutex<Acked>,
}

impl Desk {
    pub(super) fn open() -> Arc<Self> {
        Arc::new(Self {
            permits: Semaphore::new(0),
            begins: watch::Sender::new(0),
            starts: watch::Sender::new(0),
            acked: Mutex::default(),
        })
    }

    /// Allows so many more writes.
    pub(super) fn allow(&self, writes: usize) {
        self.permits.add_permits(writes);
    }

    /// No more writes but the last ones.
    pub(super) fn close(&self) {
        self.permits.close();
    }

    /// Writes begun so far.
    pub(super) fn begins(&self) -> usize {
        *self.begins.borrow()
    }

    /// Waits until so many writes have begun.
    pub(super) async fn begun(&self, target: usize) -> Result<()> {
        self.begins
            .subscribe()
            .wait_for(|begins| *begins >= target)
            .await?;
        Ok(())
    }

    /// The server is there again.
    pub(super) fn restarted(&self) {
        self.starts.send_modify(|starts| *starts += 1);
    }

    pub(super) fn acked(&self) -> Acked {
        self.ledger().clone()
    }

    fn ledger(&self) -> MutexGuard<'_, Acked> {
        self.acked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes on its own symbols: a bar that brings a signal, a decision on it, the next.
pub(super) struct Writer {
    ctx: Ctx,
    desk: Arc<Desk>,
    symbols: Vec<String>,
}

impl Writer {
    pub(super) fn new(ctx: &Ctx, desk: &Arc<Desk>, symbols: &[String]) -> Self {
        Self {
            ctx: ctx.clone(),
            desk: Arc::clone(desk),
            symbols: symbols.to_vec(),
        }
    }

    /// Writes what is allowed; in the end, one last decision per symbol that is acknowledged.
    pub(super) async fn run(self) -> Result<()> {
        let mut count = SESSIONS;
        while let Ok(permit) = self.desk.permits.acquire_many(4).await {
            permit.forget();
            count += 1;
            for symbol in &self.symbols {
                self.write(symbol, count).await?;
            }
        }
        for symbol in &self.symbols {
            self.write(symbol, count + 1).await?;
        }
        Ok(())
    }

    async fn write(&self, symbol: &str, count: usize) -> Result<()> {
        let series = bars::series_of(Shape::Buy, 1, count);
        let (reply, _) = self
            .persist(symbol, &Write::Bar(&series[count - 1..]))
            .await?;
        let signal = reply.ok()?["signal"].take();
        let Some(id) = signal["id"].as_str() else {
            bail!("expected a signal of {symbol}, got {signal}");
        };
        self.desk.ledger().signals.push(id.to_owned());
        self.desk
            .ledger()
            .last
            .insert(symbol.to_owned(), id.to_owned());

        let (reply, tries) = self.persist(symbol, &Write::Approval(id)).await?;
        if reply.status == 409 {
            // The server had decided when it was killed, and could not say so any more.
            ensure!(tries > 1, "expected it to be undecided, got {reply}");
            return Ok(());
        }
        let approval = reply.ok()?["approval"].take();
        self.desk.ledger().approvals.push(approval);
        Ok(())
    }

    /// Writes until there is an answer, after each failure once the server is there again; the
    /// answer and the number of tries.
    async fn persist(&self, symbol: &str, write: &Write<'_>) -> Result<(Reply, usize)> {
        let mut starts = self.desk.starts.subscribe();
        let mut tries = 0;
        loop {
            tries += 1;
            let asked_of = *starts.borrow_and_update();
            self.desk.begins.send_modify(|begins| *begins += 1);
            match write.send(&self.ctx, symbol).await {
                Ok(reply) if reply.status < 500 => return Ok((reply, tries)),
                Ok(_) | Err(_) => {
                    starts.wait_for(|starts| *starts > asked_of).await?;
                }
            }
        }
    }
}

/// One request.
enum Write<'a> {
    /// The next bar, and what comes of it.
    Bar(&'a [Bar]),
    /// A decision on this signal.
    Approval(&'a str),
}

impl Write<'_> {
    async fn send(&self, ctx: &Ctx, symbol: &str) -> Result<Reply> {
        match self {
            Self::Bar(bar) => {
                let rest = ctx.rest(Role::Service)?;
                rest.put_bars(symbol, "?compute=now", bar).await
            }
            Self::Approval(id) => {
                let path = format!("/api/v1/signals/{symbol}/approve");
                let body = json!({"status": "BUY", "signal_id": id});
                ctx.rest(Role::Approver)?.post(&path, &body).await
            }
        }
    }
}
