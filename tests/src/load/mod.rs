//! Many WebSocket clients in one thread, which can be kept on one core: what the benchmarks put
//! on a server. The clients count the messages that come and tell when all have got the same one.
//!
//! Nothing is allocated or parsed per frame beyond its header, so that the server is the slower
//! side of any measurement.

mod clients;
mod dial;
mod frames;
mod histogram;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Poll, Waker};
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

pub use dial::{Plan, Refused};
pub use frames::{Broken, Count, Needle, Ready, Watch};
pub use histogram::Histogram;

use clients::{Clients, Event, WAKER};

/// How long anything may take that is waited for.
const DEADLINE: Duration = Duration::from_secs(60);

/// The time, where a measurement wants it.
#[expect(clippy::disallowed_methods, reason = "a measurement is of real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Keeps the calling thread, and threads and processes that it starts from now on, on these cores.
///
/// # Errors
/// When there is none of them.
pub fn pin(cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        set.set(core);
    }
    sched_setaffinity(None, &set).with_context(|| format!("no cores {cores:?} to run on"))
}

/// One message, once all clients have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The how many-eth message since the clients were ready, from 1 on.
    pub number: u64,
    /// When the first client had it.
    pub first: Instant,
    /// When the last client had it.
    pub last: Instant,
}

/// What the thread is told to do.
enum Command {
    /// Opens clients; those there are go.
    Connect(Box<Plan>, usize),
    /// Every client sends this text.
    Send(String),
    /// What was recorded since the last time.
    Latencies,
    /// All clients go.
    Close,
}

/// When messages were published, by number less 1; as far as it is known.
type Published = Arc<Mutex<Vec<Instant>>>;

fn locked(published: &Published) -> MutexGuard<'_, Vec<Instant>> {
    // Nothing panics while the lock is held.
    published.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Clients in a thread of their own. Dropping it ends them and the thread.
#[derive(Debug)]
pub struct Load {
    commands: Option<mpsc::Sender<Command>>,
    waker: Arc<Waker>,
    events: UnboundedReceiver<Event>,
    published: Published,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    /// Starts the thread, on this core alone if one is given; there are no clients yet.
    ///
    /// # Errors
    /// When there is no such core, or the system gives no thread.
    pub fn start(core: Option<usize>) -> Result<Self> {
        let poll = Poll::new().context("epoll")?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).context("a waker")?);
        let (commands, inbox) = mpsc::channel();
        let (outbox, events) = unbounded_channel();
        let published = Published::default();
        let clients = Clients::new(poll, inbox, outbox, Arc::clone(&published));
        let (pinned, pinning) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || {
                let done = core.map_or(Ok(()), |core| pin(&[core]));
                let runs = done.is_ok();
                // Whoever starts it waits for this.
                let _ = pinned.send(done);
                if runs {
                    clients.run();
                }
            })
            .context("a thread")?;
        pinning.recv().context("the thread ended")??;
        Ok(Self {
            commands: Some(commands),
            waker,
            events,
            published,
            thread: Some(thread),
        })
    }

    /// Opens `count` clients in place of those there are, and waits until all are ready; how long
    /// that took.
    ///
    /// # Errors
    /// What the first client that failed met.
    pub async fn connect(&mut self, plan: &Plan, count: usize) -> Result<Duration> {
        locked(&self.published).clear();
        let started = now();
        self.tell(Command::Connect(Box::new(plan.clone()), count))?;
        loop {
            match self.event("all clients to be ready").await? {
                Event::Ready(at) => return Ok(at.saturating_duration_since(started)),
                // Of clients that were there before.
                Event::Arrived(_) => {}
                other => bail!("expected the clients to be ready, got {other:?}"),
            }
        }
    }

    /// Tells when the next message is published, before it is: latencies count from here. Without
    /// it none are recorded. Messages must arrive in the order in which this is told.
    pub fn publishing(&self, at: Instant) {
        locked(&self.published).push(at);
    }

    /// Waits for the next message that all clients have. Can be cancelled.
    ///
    /// # Errors
    /// When it does not come within a minute, or a client was closed.
    pub async fn next(&mut self) -> Result<Arrival> {
        match self.event("a message to reach all clients").await? {
            Event::Arrived(arrival) => Ok(arrival),
            other => bail!("expected a message, got {other:?}"),
        }
    }

    /// Waits until all clients have the `number`-th message.
    ///
    /// # Errors
    /// As [`Load::next`]; also when it was told before.
    pub async fn reached(&mut self, number: u64) -> Result<Arrival> {
        loop {
            let arrival = self.next().await?;
            if arrival.number >= number {
                anyhow::ensure!(arrival.number == number, "message {number} came before");
                return Ok(arrival);
            }
        }
    }

    /// How long messages took to each client, since the last time this was asked. All that was
    /// published must have arrived.
    ///
    /// # Errors
    /// When a client was closed.
    pub async fn latencies(&mut self) -> Result<Histogram> {
        self.tell(Command::Latencies)?;
        match self.event("the latencies").await? {
            Event::Latencies(histogram) => Ok(histogram),
            other => bail!("expected latencies, got {other:?}"),
        }
    }

    /// Every client sends `text`, such as the ping that keeps a socket open.
    ///
    /// # Errors
    /// When the thread has ended.
    pub fn send(&self, text: &str) -> Result<()> {
        self.tell(Command::Send(text.to_owned()))
    }

    /// Ends all clients at once, without a word.
    ///
    /// # Errors
    /// When a client was closed before.
    pub async fn close(&mut self) -> Result<()> {
        self.tell(Command::Close)?;
        loop {
            match self.event("the clients to be gone").await? {
                Event::Closed => return Ok(()),
                Event::Arrived(_) => {}
                other => bail!("expected the clients to be gone, got {other:?}"),
            }
        }
    }

    fn tell(&self, command: Command) -> Result<()> {
        let commands = self.commands.as_ref().context("the load has ended")?;
        commands.send(command).ok().context("the load has ended")?;
        self.waker.wake().context("the load's waker")
    }

    async fn event(&mut self, what: &str) -> Result<Event> {
        let event = timeout(DEADLINE, self.events.recv())
            .await
            .with_context(|| format!("waited {DEADLINE:?} for {what}"))?;
        match event.context("the load has ended")? {
            Event::Failed(error) => Err(error.context(format!("waiting for {what}"))),
            event => Ok(event),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.commands = None;
        // Without a wake the thread would not notice; it has ended if there is nobody to wake.
        if self.waker.wake().is_ok()
            && let Some(thread) = self.thread.take()
        {
            // A panic of it was reported where it happened.
            let _ = thread.join();
        }
    }
}
