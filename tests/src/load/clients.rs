//! The thread of a load: all clients' sockets, and what has reached how many of them.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::event::Event as Readiness;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;
use tokio::sync::mpsc::UnboundedSender;

use super::dial::{Handshake, Plan, frame};
use super::frames::{Control, Frames};
use super::histogram::Histogram;
use super::{Arrival, Command, Published, locked, now};

/// Wakes the thread for a command.
pub(super) const WAKER: Token = Token(usize::MAX);
/// Handshakes under way at a time: fewer than any server's backlog.
const DIALLING: usize = 256;
/// What one read takes at most, bytes.
const READ: usize = 256 * 1024;
/// Readiness taken at a time.
const TURN: usize = 4096;

/// What a load tells.
#[derive(Debug)]
pub(super) enum Event {
    /// All clients are open; since when.
    Ready(Instant),
    /// All clients have one more message.
    Arrived(Arrival),
    Latencies(Histogram),
    /// All clients are gone.
    Closed,
    /// A client met this; all are gone.
    Failed(anyhow::Error),
}

/// A message that some clients have, and not all.
#[derive(Debug)]
struct Message {
    clients: usize,
    first: Instant,
}

struct Client {
    stream: TcpStream,
    phase: Phase,
    /// Messages that are accounted for.
    seen: u64,
}

enum Phase {
    Connecting,
    Shaking(Box<Handshake>),
    Open(Frames),
}

/// All clients.
pub(super) struct Clients {
    poll: Poll,
    commands: Receiver<Command>,
    events: UnboundedSender<Event>,
    published: Published,
    /// What is known of it here, so that the lock is not taken per message.
    known: Vec<Instant>,
    plan: Option<Box<Plan>>,
    wanted: usize,
    ready: usize,
    clients: Vec<Client>,
    /// From the first on that not all clients have.
    messages: VecDeque<Message>,
    /// Messages that all clients have.
    complete: u64,
    latencies: Histogram,
    buffer: Vec<u8>,
}

impl Clients {
    pub(super) fn new(
        poll: Poll,
        commands: Receiver<Command>,
        events: UnboundedSender<Event>,
        published: Published,
    ) -> Self {
        Self {
            poll,
            commands,
            events,
            published,
            known: Vec::new(),
            plan: None,
            wanted: 0,
            ready: 0,
            clients: Vec::new(),
            messages: VecDeque::new(),
            complete: 0,
            latencies: Histogram::default(),
            buffer: vec![0; READ],
        }
    }

    /// Until the load is dropped.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(TURN);
        loop {
            let turned = self.turn(&mut events);
            match turned {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    self.clear();
                    self.tell(Event::Failed(error));
                }
            }
        }
    }

    /// One wait and what came of it; whether there is more to come.
    fn turn(&mut self, events: &mut Events) -> Result<bool> {
        match self.poll.poll(events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            other => other.context("epoll")?,
        }
        // Sockets first: a command may replace them, and then this readiness is of none.
        for event in events.iter().filter(|event| event.token() != WAKER) {
            self.stir(event)?;
        }
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.obey(command)?,
                Err(TryRecvError::Empty) => return Ok(true),
                Err(TryRecvError::Disconnected) => return Ok(false),
            }
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens once the load is dropped, and then this thread ends too.
        let _ = self.events.send(event);
    }

    fn clear(&mut self) {
        for client in self.clients.drain(..) {
            // A reset in place of a goodbye leaves no port in TIME_WAIT; without it the thousands
            // of a next round would find none. Where it fails there is no connection any more.
            let _ = SockRef::from(&client.stream).set_linger(Some(Duration::ZERO));
        }
        self.plan = None;
        self.wanted = 0;
        self.ready = 0;
        self.messages.clear();
        self.complete = 0;
        self.known.clear();
        self.latencies = Histogram::default();
    }

    fn obey(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Connect(plan, count) => {
                self.clear();
                self.plan = Some(plan);
                self.wanted = count;
                self.clients.reserve(count);
                if count == 0 {
                    self.tell(Event::Ready(now()));
                }
                for _ in 0..count.min(DIALLING) {
                    self.dial()?;
                }
            }
            Command::Send(text) => {
                let frame = frame(1, text.as_bytes());
                for client in &mut self.clients {
                    client.write(&frame)?;
                }
            }
            Command::Latencies => {
                let latencies = std::mem::take(&mut self.latencies);
                self.tell(Event::Latencies(latencies));
            }
            Command::Close => {
                self.clear();
                self.tell(Event::Closed);
            }
        }
        Ok(())
    }

    /// One client more, if one is missing.
    fn dial(&mut self) -> Result<()> {
        let Some(plan) = &self.plan else {
            return Ok(());
        };
        if self.clients.len() == self.wanted {
            return Ok(());
        }
        let mut stream = TcpStream::connect(plan.address).context("a socket")?;
        let token = Token(self.clients.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut stream, token, interest)?;
        self.clients.push(Client {
            stream,
            phase: Phase::Connecting,
            seen: 0,
        });
        Ok(())
    }

    /// Does what a socket is ready for.
    fn stir(&mut self, event: &Readiness) -> Result<()> {
        let number = event.token().0;
        let Self {
            plan: Some(plan),
            clients,
            buffer,
            poll,
            ..
        } = self
        else {
            return Ok(());
        };
        let Some(client) = clients.get_mut(number) else {
            return Ok(());
        };
        if matches!(client.phase, Phase::Connecting) {
            if let Some(error) = client.stream.take_error()? {
                return Err(error).with_context(|| format!("client {number} cannot connect"));
            }
            if !event.is_writable() {
                return Ok(());
            }
            let handshake = Handshake::new();
            client.write(&handshake.request(plan))?;
            client.phase = Phase::Shaking(Box::new(handshake));
            // From here on a socket that can be written to is no news.
            let interest = Interest::READABLE;
            poll.registry()
                .reregister(&mut client.stream, event.token(), interest)?;
        }
        if !(event.is_readable() || event.is_error()) {
            return Ok(());
        }
        let mut opened = 0;
        let mut arrived = false;
        loop {
            let size = match client.stream.read(buffer) {
                Ok(0) => bail!("client {number} of {} was closed", self.wanted),
                Ok(size) => size,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).with_context(|| format!("client {number}")),
            };
            let was_ready = client.is_ready();
            client
                .take(&buffer[..size], plan)
                .with_context(|| format!("client {number}"))?;
            opened += usize::from(!was_ready && client.is_ready());
            arrived |= client.messages() > client.seen;
            // A stream that gave less than it could has given all, but for its end.
            if size < buffer.len() && !event.is_read_closed() {
                break;
            }
        }
        if arrived {
            self.account(number);
        }
        for _ in 0..opened {
            self.ready += 1;
            if self.ready == self.wanted {
                self.tell(Event::Ready(now()));
            }
            self.dial()?;
        }
        Ok(())
    }

    /// Takes account of what a client has got.
    fn account(&mut self, number: usize) {
        let at = now();
        let client = &mut self.clients[number];
        let (from, to) = (client.seen, client.messages());
        client.seen = to;
        for message in from..to {
            let index = usize::try_from(message - self.complete).unwrap_or(usize::MAX);
            if index == self.messages.len() {
                self.messages.push_back(Message {
                    clients: 0,
                    first: at,
                });
            }
            self.messages[index].clients += 1;
            if self.known.len() as u64 <= message {
                let published = locked(&self.published);
                let known = self.known.len().min(published.len());
                self.known.extend_from_slice(&published[known..]);
            }
            let published = usize::try_from(message).ok();
            if let Some(published) = published.and_then(|message| self.known.get(message)) {
                self.latencies
                    .record(at.saturating_duration_since(*published));
            }
        }
        while let Some(message) = self.messages.front()
            && message.clients == self.wanted
        {
            self.complete += 1;
            let (number, first) = (self.complete, message.first);
            self.messages.pop_front();
            let last = at;
            self.tell(Event::Arrived(Arrival {
                number,
                first,
                last,
            }));
        }
    }
}

impl Client {
    fn is_ready(&self) -> bool {
        matches!(&self.phase, Phase::Open(frames) if frames.is_ready())
    }

    fn messages(&self) -> u64 {
        match &self.phase {
            Phase::Open(frames) => frames.messages(),
            Phase::Connecting | Phase::Shaking(_) => 0,
        }
    }

    /// Sends little to a server that reads.
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let sent = self.stream.write(bytes).context("a client's write")?;
        if sent < bytes.len() {
            bail!("the server does not read");
        }
        Ok(())
    }

    /// Takes what was read.
    fn take(&mut self, bytes: &[u8], plan: &Plan) -> Result<()> {
        let rest;
        let mut bytes = bytes;
        if let Phase::Shaking(handshake) = &mut self.phase {
            match handshake.answered(bytes, plan)? {
                None => return Ok(()),
                Some(more) => rest = more,
            }
            bytes = &rest;
            self.phase = Phase::Open(Frames::default());
            if let Some(greeting) = plan.greeting {
                self.write(&frame(2, greeting.as_bytes()))?;
            }
        }
        let Phase::Open(frames) = &mut self.phase else {
            bail!("the server spoke first");
        };
        let mut told = None;
        frames.take(bytes, &plan.watch, |control| told = Some(control))?;
        match told {
            Some(Control::Close(code)) => bail!("the server closed it with {code:?}"),
            Some(Control::Ping(payload)) => self.write(&frame(10, &payload)),
            None => Ok(()),
        }
    }
}
