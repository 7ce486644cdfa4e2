//! One socket's task: carries what a client says to its room, and says goodbye.
//!
//! It answers the bare `ping` itself, so that a heartbeat wakes no room. What the room says is
//! written by a writer that has many sockets (see [`super::writer`]); the socket gets its writing
//! side back to close in order.

use std::io::{self, ErrorKind, Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rustix::net::Shutdown;
use signalroom_core::auth::Verifier;
use signalroom_core::room::Event;
use signalroom_core::room::name::RoomName;
use signalroom_core::room::socket::{ConnId, Hello};
use signalroom_core::wire::close::Close;
use signalroom_core::wire::{client, limits};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::coop::consume_budget;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocket, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message as WsMessage};

use super::backlog::Backlog;
use super::registry::{Handle, Message, Registry};
use super::writer::{Released, Writers};
use crate::pace::Paced;
use crate::phase::{Phase, Phases};
use crate::{clock, keys};

/// After so much silence the room is told.
const SILENCE: Duration = Duration::from_millis(limits::SILENCE_MS as u64);

/// What the library takes in at all; between this and the protocol's limit the room closes.
const MAX_TAKEN: usize = 4 * limits::MAX_MESSAGE_BYTES;

/// What is read at a time. Clients say little, and every socket has one of these.
const READ: usize = 512;

/// How long a peer may take to answer a close, or to take in any of what comes before it.
const GOODBYE: Duration = Duration::from_secs(2);

/// What came of a request for a socket.
pub(crate) struct Accepted {
    /// Who holds it.
    pub(crate) room: RoomName,
    /// Who it is.
    pub(crate) hello: Box<Hello>,
}

/// Why a socket's task ends.
enum End {
    /// The connection is gone, or has to go without a word.
    Gone,
    /// It is no longer written to.
    Released(Released),
    /// We close, of the task's own accord: the client does not keep to RFC 6455 (section 7.1.7) or
    /// to the protocol's limits.
    Failed(CloseFrame),
    /// The client closed; it is owed the answer that the library has ready, and nothing else.
    Left,
}

/// Serves a socket from the upgrade to its end.
pub(crate) async fn serve(io: Upgraded, accepted: Accepted, registry: Arc<Registry>) {
    // It was served over this kind of stream.
    let Ok(parts) = io.downcast::<TokioIo<Paced>>() else {
        tracing::error!("an upgraded connection is not what was accepted");
        return;
    };
    let stream = Arc::new(parts.io.into_inner().into_inner());
    let wire = wire(Arc::clone(&stream), &parts.read_buf);
    // However little of it was used, it is as large as the head of a request.
    drop(parts.read_buf);
    let conn = registry.next_conn();
    let _counted = Counted::new(&registry.sockets);
    let writers = registry.writers.clone();
    let phases = registry.phases.clone();
    let verifier = Arc::clone(registry.verifier());
    let handle = registry.handle(&accepted.room);
    // Whoever holds the registry holds the data folder: not while saying goodbye.
    drop(registry);
    let mut socket = Socket {
        wire,
        stream: Arc::clone(&stream),
        conn,
    };
    let Some(handle) = handle else {
        let last = Some(frame(Close::Restarting));
        return Box::pin(socket.goodbye(Backlog::default(), last, phases)).await;
    };
    let mut line = Line {
        released: writers.add(conn, stream),
        writers,
        verifier,
    };
    let connected = Message::Connected {
        conn,
        hello: accepted.hello,
    };
    let end = match handle.mailbox.send(connected).await {
        Ok(()) => socket.carry(&mut line, &handle).await,
        Err(_) => End::Failed(frame(Close::Restarting)),
    };
    // Whom the room dismissed it has forgotten. It fails when the room is gone, and its sockets
    // with it.
    if !matches!(end, End::Released(Released::Dismissed(..))) {
        tell(&handle, Event::Closed { conn }).await;
    }
    drop(handle);
    let (rest, last) = match end {
        End::Gone => {
            // The connection ends when nobody has it any more.
            line.take_back(conn).await;
            (None, None)
        }
        End::Released(released) => released.rest(),
        End::Failed(frame) => (line.take_back(conn).await, Some(frame)),
        End::Left => (line.take_back(conn).await, None),
    };
    drop(line);
    if let Some(rest) = rest {
        // An open socket is not to keep room for its end.
        Box::pin(socket.goodbye(rest, last, phases)).await;
    }
}

/// What a failed read means: a client's breach is named to it, a connection that broke is gone.
fn failed(error: &Error) -> End {
    let broken = |code, reason: &'static str| {
        End::Failed(CloseFrame {
            code,
            reason: reason.into(),
        })
    };
    match error {
        Error::Capacity(_) => End::Failed(frame(Close::TooBig)),
        Error::Utf8(_) => broken(CloseCode::Invalid, "text is UTF-8"),
        Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::ReceivedAfterClosing,
        ) => End::Gone,
        Error::Protocol(_) => broken(CloseCode::Protocol, "not WebSocket as RFC 6455 has it"),
        _ => End::Gone,
    }
}

fn frame(close: Close) -> CloseFrame {
    CloseFrame {
        code: close.code().into(),
        reason: close.reason().into(),
    }
}

/// Tells the room. It fails only when the room is gone, and its sockets with it.
async fn tell(handle: &Handle, event: Event) {
    let _ = handle.mailbox.send(Message::Socket(event)).await;
}

/// One of the open sockets, as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a socket needs until it says goodbye.
struct Line {
    writers: Writers,
    released: oneshot::Receiver<Released>,
    verifier: Arc<Verifier>,
}

impl Line {
    /// The writing side, with the rest of a frame that has begun; none when the connection broke.
    async fn take_back(&mut self, conn: ConnId) -> Option<Backlog> {
        self.writers.take_back(conn);
        let released = (&mut self.released).await.ok()?;
        let (rest, _) = released.rest();
        // The room may have closed it meanwhile, which is too late.
        rest.map(Backlog::cut)
    }
}

impl Released {
    /// What is left to write, if the connection takes anything, and the close that follows it.
    fn rest(self) -> (Option<Backlog>, Option<CloseFrame>) {
        match self {
            Self::Dismissed(close, rest) | Self::GivenUp(close, rest) => {
                (Some(rest), Some(frame(close)))
            }
            Self::Returned(rest) => (Some(rest), None),
            Self::Broken => (None, None),
        }
    }
}

/// The library's view of a connection: reads what is there, collects what it wants to say.
struct Wire {
    stream: Arc<TcpStream>,
    said: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.try_read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.said.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wire(stream: Arc<TcpStream>, read: &[u8]) -> WebSocket<Wire> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_TAKEN))
        .max_frame_size(Some(MAX_TAKEN));
    let said = Vec::new();
    WebSocket::from_partially_read(
        Wire { stream, said },
        read.to_vec(),
        Role::Server,
        Some(config),
    )
}

struct Socket {
    wire: WebSocket<Wire>,
    stream: Arc<TcpStream>,
    conn: ConnId,
}

impl Socket {
    async fn carry(&mut self, line: &mut Line, handle: &Handle) -> End {
        let conn = self.conn;
        let mut last_heard = clock::in_(Duration::ZERO);
        let mut silence = pin!(sleep(SILENCE));
        loop {
            let heard = tokio::select! {
                biased;
                released = &mut line.released => {
                    // An error means that the server has stopped, and its writers with it.
                    return End::Released(released.unwrap_or(Released::Broken));
                }
                () = &mut silence => {
                    // It is only set anew here, not at every word.
                    if last_heard + SILENCE <= clock::in_(Duration::ZERO) {
                        tell(handle, Event::Silent { conn }).await;
                        last_heard = clock::in_(Duration::ZERO);
                    }
                    silence.as_mut().reset(last_heard + SILENCE);
                    continue;
                }
                heard = self.hear(Some(&line.writers)) => heard,
            };
            last_heard = clock::in_(Duration::ZERO);
            match heard {
                Ok(WsMessage::Text(text)) => {
                    let heartbeat = handle.heartbeat.get().filter(|_| text == limits::PING);
                    if let Some(pong) = heartbeat {
                        // The room hands frames over before it counts them in the heartbeat, so
                        // nothing that the answer counts comes after it.
                        line.writers.write(conn, pong);
                    } else {
                        if let Some(token) = client::token(&text) {
                            keys::see_to(&line.verifier, &token).await;
                        }
                        let text = text.as_str().to_owned();
                        tell(handle, Event::Text { conn, text }).await;
                    }
                }
                Ok(WsMessage::Binary(bytes)) => {
                    let bytes = bytes.len();
                    tell(handle, Event::Binary { conn, bytes }).await;
                }
                Ok(WsMessage::Close(_)) => return End::Left,
                // The library answers pings.
                Ok(WsMessage::Ping(_) | WsMessage::Pong(_) | WsMessage::Frame(_)) => {}
                Err(error) => return failed(&error),
            }
            // Who asks more than can be answered waits for the answers.
            line.writers.caught_up().await;
        }
    }

    /// The next message. What the library answers by itself is written by `writers`, if it is to
    /// be written yet.
    async fn hear(&mut self, writers: Option<&Writers>) -> Result<WsMessage, Error> {
        loop {
            // A client that never stops talking is not alone here.
            consume_budget().await;
            let read = self.wire.read();
            if let Some(writers) = writers {
                let said = std::mem::take(&mut self.wire.get_mut().said);
                if !said.is_empty() {
                    writers.write(self.conn, said.into());
                }
            }
            match read {
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.readable().await?;
                }
                read => return read,
            }
        }
    }

    /// Closes in order: what is left to write, our close or our answer to the peer's, the peer's
    /// answer, and nothing left unread, since that would make the kernel discard the close on its
    /// way. The connection ends on our side first (RFC 6455 section 7.1.1): a client waits for
    /// that.
    async fn goodbye(mut self, rest: Backlog, frame: Option<CloseFrame>, mut phases: Phases) {
        let goodbye = async {
            self.last_words(rest, frame).await?;
            timeout(GOODBYE, self.hear_out()).await?
        };
        // A peer that is gone or does not answer has heard all it will hear.
        tokio::select! {
            _ = goodbye => {}
            () = phases.reached(Phase::Stopped) => {}
        }
    }

    async fn last_words(&mut self, mut rest: Backlog, frame: Option<CloseFrame>) -> io::Result<()> {
        // Neither fails but for saying that this is the end.
        let _ = match frame {
            frame @ Some(_) => self.wire.close(frame),
            None => self.wire.read().map(drop),
        };
        let said = std::mem::take(&mut self.wire.get_mut().said);
        rest.push(said.into(), 1, 0);
        loop {
            match rest.write(|parts| self.stream.try_write_vectored(parts)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    timeout(GOODBYE, self.stream.writable()).await??;
                }
                written => return written,
            }
        }
    }

    async fn hear_out(&mut self) -> io::Result<()> {
        while self.hear(None).await.is_ok() {}
        rustix::net::shutdown(&*self.stream, Shutdown::Write)?;
        let mut rest = [0; 512];
        loop {
            match self.stream.try_read(&mut rest) {
                Ok(0) => return Ok(()),
                Ok(_) => consume_budget().await,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.readable().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
