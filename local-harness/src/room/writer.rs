//! The writing side of all sockets: one task per worker thread, each with sockets of its own.
//!
//! A broadcast is one command that names its sockets; the task writes the ready-made frame to
//! each, one system call a socket. Commands that came meanwhile leave together, so a server that
//! is behind needs fewer calls. Who does not read is left aside until it does, and cut off when
//! too much waits for it; nobody waits for it.

use std::collections::{BTreeSet, HashMap};
use std::future::pending;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use signalroom_core::room::socket::ConnId;
use signalroom_core::wire::close::Close;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet, yield_now};
use tokio::time::{Instant, sleep_until};

use super::backlog::Backlog;
use crate::clock;
use crate::phase::{Phase, Phases};

/// Frames that may wait for one socket; a reader this far behind is cut off and resumes.
pub(super) const QUEUE: usize = 1024;

/// Over how long the sockets of a stopping server are closed at most; requests and goodbyes fit
/// into the rest of half a minute.
pub(crate) const DRAIN_WINDOW: Duration = Duration::from_secs(25);
/// What each open socket adds to that time.
const DRAIN_PER_SOCKET: Duration = Duration::from_millis(1);

/// Commands taken at a time: what may leave together.
const BATCH: usize = 256;
/// Bytes of frames for the same sockets that are put together once for all of them.
const TOGETHER: usize = 64 * 1024;
/// Writes before others have their turn.
const TURN: usize = 128;
/// Commands that may wait before whoever makes more of them is asked to wait.
const BEHIND: usize = 128;

/// A write neither waits nor raises a signal.
const FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

/// A map by connection. Its ids are made here, one after the other, so they need no hashing, and
/// neighbours are found side by side.
pub(super) type ByConn<T> = HashMap<ConnId, T, BuildHasherDefault<AsItIs>>;

/// Takes a number for its own hash.
#[derive(Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Why a socket is no longer written to, and what its reader has to finish.
#[derive(Debug)]
pub(super) enum Released {
    /// The room closed it, after this.
    Dismissed(Close, Backlog),
    /// The writer gave it up; the room is to be told. The rest of a frame is left.
    GivenUp(Close, Backlog),
    /// Its reader asked for it. The rest of a frame is left.
    Returned(Backlog),
    /// The connection does not take anything any more.
    Broken,
}

/// What a writer is asked to do, in order.
#[derive(Debug)]
enum Command {
    Add(ConnId, Peer),
    Broadcast { to: Arc<[ConnId]>, frame: Bytes },
    Write(ConnId, Bytes),
    Close(ConnId, Close),
    Return(ConnId),
}

/// A socket as its writer has it.
#[derive(Debug)]
struct Peer {
    stream: Arc<TcpStream>,
    backlog: Backlog,
    /// Waits until the connection takes more.
    waits: Option<AbortHandle>,
    released: oneshot::Sender<Released>,
}

/// The way to all writers.
#[derive(Debug, Clone)]
pub(super) struct Writers(Arc<[Way]>);

/// The way to one.
#[derive(Debug)]
struct Way {
    commands: mpsc::UnboundedSender<Command>,
    behind: watch::Receiver<bool>,
}

impl Writers {
    /// Starts a writer for each worker thread. `open` counts the sockets there are.
    pub(super) fn start(phases: &Phases, open: &Arc<AtomicUsize>) -> Self {
        let threads = tokio::runtime::Handle::current().metrics().num_workers();
        let way = |index| {
            let (commands, received) = mpsc::unbounded_channel();
            let (behind, seen) = watch::channel(false);
            let writer = Writer {
                index,
                of: threads,
                commands: received,
                behind,
                peers: HashMap::default(),
                waiting: JoinSet::new(),
                gathered: None,
                leaving: None,
                open: Arc::clone(open),
            };
            tokio::spawn(writer.run(phases.clone()));
            Way {
                commands,
                behind: seen,
            }
        };
        Self((0..threads).map(way).collect())
    }

    /// Hands a socket's writing side over, until it is released.
    pub(super) fn add(&self, conn: ConnId, stream: Arc<TcpStream>) -> oneshot::Receiver<Released> {
        let (released, release) = oneshot::channel();
        let peer = Peer {
            stream,
            backlog: Backlog::default(),
            waits: None,
            released,
        };
        self.command(conn, Command::Add(conn, peer));
        release
    }

    /// Writes a frame to these sockets, skipping those that are not open.
    pub(super) fn broadcast(&self, to: &Arc<[ConnId]>, frame: &Bytes) {
        for way in self.0.iter() {
            // It fails only when the server has stopped, and its sockets with it.
            let _ = way.commands.send(Command::Broadcast {
                to: Arc::clone(to),
                frame: frame.clone(),
            });
        }
    }

    /// Writes whole frames, which count as one, to a socket if it is open.
    pub(super) fn write(&self, conn: ConnId, frames: Bytes) {
        self.command(conn, Command::Write(conn, frames));
    }

    /// Closes a socket after what was written to it.
    pub(super) fn close(&self, conn: ConnId, close: Close) {
        self.command(conn, Command::Close(conn, close));
    }

    /// Asks for a socket's writing side.
    pub(super) fn take_back(&self, conn: ConnId) {
        self.command(conn, Command::Return(conn));
    }

    /// Returns once no writer is far behind.
    pub(super) async fn caught_up(&self) {
        for way in self.0.iter() {
            if *way.behind.borrow() {
                // An error means that the writer has stopped: nobody has to wait for it.
                let _ = way.behind.clone().wait_for(|behind| !behind).await;
            }
        }
    }

    fn command(&self, conn: ConnId, command: Command) {
        // It fails only when the server has stopped, and its sockets with it.
        let _ = self.0[share(conn, self.0.len())].commands.send(command);
    }
}

/// Which of `writers` has a socket: each in turn.
fn share(conn: ConnId, writers: usize) -> usize {
    usize::try_from(conn.0).unwrap_or_default() % writers
}

/// When a socket closes after the server began to drain: spread by its id over a time that grows
/// with the number of sockets, so that they do not all come back at once.
fn drain_wait(conn: ConnId, open: usize) -> Duration {
    let window = DRAIN_PER_SOCKET.saturating_mul(u32::try_from(open).unwrap_or(u32::MAX));
    let share = u32::try_from(conn.0 % 1000).unwrap_or_default();
    window.min(DRAIN_WINDOW) / 1000 * share
}

/// One writer.
#[derive(Debug)]
struct Writer {
    index: usize,
    of: usize,
    commands: mpsc::UnboundedReceiver<Command>,
    behind: watch::Sender<bool>,
    peers: ByConn<Peer>,
    /// One task for each socket that takes nothing at present.
    waiting: JoinSet<ConnId>,
    /// While several broadcasts are taken at a time: the sockets that get them in one write.
    gathered: Option<Vec<ConnId>>,
    /// Once the server drains: which socket closes when.
    leaving: Option<BTreeSet<(Instant, ConnId)>>,
    /// How many sockets are open, of all writers.
    open: Arc<AtomicUsize>,
}

impl Writer {
    /// Writes until the server has stopped or nobody is left to ask for it.
    async fn run(mut self, mut phases: Phases) {
        let mut batch = Vec::new();
        let mut stopped = phases.clone();
        loop {
            let leaves = self.leaving.as_ref().and_then(BTreeSet::first).copied();
            tokio::select! {
                () = stopped.reached(Phase::Stopped) => return,
                () = phases.reached(Phase::Draining), if self.leaving.is_none() => self.drain(),
                conn = leave(leaves) => self.leave(conn),
                Some(waited) = self.waiting.join_next() => {
                    // An error is one that was aborted: its socket is gone.
                    if let Ok(conn) = waited {
                        self.resume(conn);
                    }
                }
                taken = self.commands.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        return;
                    }
                    self.take(&mut batch).await;
                }
            }
        }
    }

    async fn take(&mut self, batch: &mut Vec<Command>) {
        self.gathered = (runs(batch) > 1).then(Vec::new);
        let mut taken = batch.drain(..).peekable();
        while let Some(command) = taken.next() {
            match command {
                Command::Broadcast { to, frame } => {
                    let mut bytes = frame.len();
                    let mut frames = vec![frame];
                    // What follows for the same sockets leaves with it.
                    while let Some(Command::Broadcast { frame, .. }) =
                        taken.next_if(|next| next.is_for(&to) && bytes + next.bytes() <= TOGETHER)
                    {
                        bytes += frame.len();
                        frames.push(frame);
                    }
                    self.broadcast(&to, &frames).await;
                }
                Command::Write(conn, frames) => self.queue(conn, &frames, 1),
                Command::Add(conn, peer) => self.add(conn, peer),
                Command::Close(conn, close) => {
                    self.release(conn, |backlog| Released::Dismissed(close, backlog));
                }
                Command::Return(conn) => {
                    self.release(conn, |backlog| Released::Returned(backlog.cut()))
                }
            }
        }
        for (count, conn) in self.gathered.take().into_iter().flatten().enumerate() {
            self.resume(conn);
            self.pause(count).await;
        }
        self.tell_behind();
    }

    async fn broadcast(&mut self, to: &[ConnId], frames: &[Bytes]) {
        let together = match frames {
            [frame] => frame.clone(),
            frames => frames.concat().into(),
        };
        let (index, of) = (self.index, self.of);
        let own = to.iter().filter(|conn| share(**conn, of) == index);
        for (count, conn) in own.enumerate() {
            self.queue(*conn, &together, frames.len());
            self.pause(count).await;
        }
    }

    /// Lets others have their turn, every so many writes.
    async fn pause(&self, count: usize) {
        if count % TURN == TURN - 1 {
            self.tell_behind();
            yield_now().await;
        }
    }

    fn tell_behind(&self) {
        let now = self.commands.len() > BEHIND;
        self.behind
            .send_if_modified(|behind| std::mem::replace(behind, now) != now);
    }

    /// Writes whole frames, which count as `count`, at once if nothing waits for the socket.
    fn queue(&mut self, conn: ConnId, frames: &Bytes, count: usize) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        let mut written = 0;
        if peer.backlog.is_empty() {
            match &mut self.gathered {
                Some(gathered) => gathered.push(conn),
                // Not through the runtime, which would look up what it knows of the socket: that
                // is asked when the connection is full.
                None => match send(&peer.stream, frames, FLAGS) {
                    Ok(all) if all == frames.len() => return,
                    Ok(some) => written = some,
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(_) => return self.release(conn, |_| Released::Broken),
                },
            }
        }
        peer.backlog.push(frames.clone(), count, written);
        if peer.backlog.frames() > QUEUE {
            return self.give_up(conn, Close::SlowReader);
        }
        if self.gathered.is_none() {
            self.wait(conn);
        }
    }

    /// Writes what waits for a socket.
    fn resume(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        peer.waits = None;
        let Peer {
            stream, backlog, ..
        } = peer;
        match backlog.write(|parts| stream.try_write_vectored(parts)) {
            Ok(()) => {}
            Err(error) if is_full(&error) => self.wait(conn),
            Err(_) => self.release(conn, |_| Released::Broken),
        }
    }

    /// Comes back to a socket when it takes more.
    fn wait(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.get_mut(&conn)
            && peer.waits.is_none()
        {
            let stream = Arc::clone(&peer.stream);
            peer.waits = Some(self.waiting.spawn(async move {
                // An error shows itself at the next write.
                let _ = stream.writable().await;
                conn
            }));
        }
    }

    fn add(&mut self, conn: ConnId, peer: Peer) {
        self.peers.insert(conn, peer);
        if let Some(leaving) = &mut self.leaving {
            let wait = drain_wait(conn, self.open.load(Ordering::Relaxed));
            leaving.insert((clock::in_(wait), conn));
        }
    }

    fn give_up(&mut self, conn: ConnId, close: Close) {
        self.release(conn, |backlog| Released::GivenUp(close, backlog.cut()));
    }

    fn release(&mut self, conn: ConnId, how: impl FnOnce(Backlog) -> Released) {
        if let Some(peer) = self.peers.remove(&conn) {
            if let Some(waits) = peer.waits {
                waits.abort();
            }
            // Nobody hears of it when the reader has ended by itself.
            let _ = peer.released.send(how(peer.backlog));
        }
    }

    fn drain(&mut self) {
        let open = self.open.load(Ordering::Relaxed);
        let leaves = |conn: &ConnId| (clock::in_(drain_wait(*conn, open)), *conn);
        self.leaving = Some(self.peers.keys().map(leaves).collect());
    }

    fn leave(&mut self, at: (Instant, ConnId)) {
        if let Some(leaving) = &mut self.leaving {
            leaving.remove(&at);
        }
        self.give_up(at.1, Close::Restarting);
    }
}

impl Command {
    /// Whether it is a broadcast to these sockets.
    fn is_for(&self, sockets: &Arc<[ConnId]>) -> bool {
        match self {
            Self::Broadcast { to, .. } => Arc::ptr_eq(to, sockets) || to == sockets,
            _ => false,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Broadcast { frame, .. } => frame.len(),
            _ => 0,
        }
    }
}

/// How many times another set of sockets is written to, or the same one after something else.
fn runs(batch: &[Command]) -> usize {
    let mut last = None;
    let mut runs = 0;
    for command in batch {
        let follows = last.is_some_and(|to| command.is_for(to));
        last = match command {
            Command::Broadcast { to, .. } => Some(to),
            _ => None,
        };
        runs += usize::from(last.is_some() && !follows);
    }
    runs
}

/// Waits until the next socket leaves; for ever without one.
async fn leave(next: Option<(Instant, ConnId)>) -> (Instant, ConnId) {
    match next {
        Some((at, conn)) => {
            sleep_until(at).await;
            (at, conn)
        }
        None => pending().await,
    }
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;
    use crate::room::frame;

    /// Our end of a connection and the client's.
    async fn connection() -> (Arc<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("it listens");
        let address = listener.local_addr().expect("an address");
        let client = TcpStream::connect(address).await.expect("it connects");
        let (ours, _) = listener.accept().await.expect("it is accepted");
        (Arc::new(ours), client)
    }

    #[tokio::test]
    async fn who_does_not_read_is_cut_off_and_others_get_everything() {
        let (_running, phases) = Phases::start();
        let writers = Writers::start(&phases, &Arc::default());
        let [slow, quick] = [ConnId(1), ConnId(2)];
        let (to_slow, _unread) = connection().await;
        let (to_quick, reads) = connection().await;
        let mut cut = writers.add(slow, to_slow);
        let mut kept = writers.add(quick, to_quick);
        let both: Arc<[ConnId]> = [slow, quick].into();
        // More than the system keeps for a connection.
        let text = "x".repeat(20_000);
        let mut reads = BufReader::new(reads);
        let mut got = vec![0; frame::text(&text).len()];
        let mut sent = 0;
        let released = loop {
            let mark = format!("{sent:05}");
            let one = frame::text(&(mark + &text[5..]));
            writers.broadcast(&both, &one);
            sent += 1;
            reads.read_exact(&mut got).await.expect("it reads");
            assert!(got == one, "frame {sent} is not whole");
            match cut.try_recv() {
                Ok(released) => break released,
                Err(_) => assert!(sent < 5 * QUEUE, "nobody is cut off"),
            }
        };
        let Released::GivenUp(Close::SlowReader, rest) = released else {
            panic!("{released:?}");
        };
        assert!(sent > QUEUE, "after {sent}");
        assert!(rest.frames() <= 1, "more than the frame that has begun");
        assert!(kept.try_recv().is_err(), "the other was let go too");
    }

    #[tokio::test]
    async fn what_waits_leaves_in_order_once_the_client_reads() {
        let (_running, phases) = Phases::start();
        let writers = Writers::start(&phases, &Arc::default());
        let conn = ConnId(7);
        let (ours, mut client) = connection().await;
        let mut released = writers.add(conn, ours);
        let to: Arc<[ConnId]> = [conn, ConnId(8)].into();
        let mut expected = Vec::new();
        for n in 0..QUEUE {
            let one = frame::text(&format!("{n:05}").repeat(2_000));
            expected.extend_from_slice(&one);
            if n % 3 == 0 {
                writers.write(conn, one);
            } else {
                writers.broadcast(&to, &one);
            }
        }
        writers.close(conn, Close::Restarting);
        let mut got = Vec::new();
        let mut part = vec![0; 64 * 1024];
        let rest = loop {
            tokio::select! {
                released = &mut released => break released.expect("it is released"),
                read = client.read(&mut part) => {
                    got.extend_from_slice(&part[..read.expect("it reads")]);
                }
            }
        };
        let Released::Dismissed(Close::Restarting, mut rest) = rest else {
            panic!("{rest:?}");
        };
        let mut left = Vec::new();
        let written = rest.write(|parts| {
            let before = left.len();
            parts.iter().for_each(|part| left.extend_from_slice(part));
            Ok(left.len() - before)
        });
        written.expect("it is written");
        while got.len() + left.len() < expected.len() {
            let read = client.read(&mut part).await.expect("it reads");
            assert!(read > 0, "the connection ended");
            got.extend_from_slice(&part[..read]);
        }
        got.extend(left);
        assert!(got == expected, "{} of {} bytes", got.len(), expected.len());
    }
}
