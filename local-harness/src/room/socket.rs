//! One socket's task: carries frames between a WebSocket and its room.
//!
//! It answers the bare `ping` itself, so that a heartbeat wakes no room, and gives up on a reader
//! that does not read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use signalroom_core::auth::Verifier;
use signalroom_core::room::Event;
use signalroom_core::room::name::RoomName;
use signalroom_core::room::socket::{ConnId, Hello};
use signalroom_core::wire::close::Close;
use signalroom_core::wire::{client, limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message as WsMessage, Utf8Bytes};

use super::registry::{Handle, Message, Registry};
use super::table::{Line, Outgoing, QUEUE};
use crate::phase::{Phase, Phases};
use crate::{clock, keys, random};

/// Over how long the sockets of a stopping server are closed at most; requests and goodbyes fit
/// into the rest of half a minute.
pub(crate) const DRAIN_WINDOW: Duration = Duration::from_secs(25);
/// What each open socket adds to that time.
const DRAIN_PER_SOCKET: Duration = Duration::from_millis(1);

/// After so much silence the room is told.
const SILENCE: Duration = Duration::from_millis(limits::SILENCE_MS as u64);

/// What the library takes in at all; between this and the protocol's limit the room closes.
const MAX_TAKEN: usize = 4 * limits::MAX_MESSAGE_BYTES;

/// How long a peer may take to answer a close.
const GOODBYE: Duration = Duration::from_secs(2);

/// What came of a request for a socket.
pub(crate) struct Accepted {
    /// Who holds it.
    pub(crate) room: RoomName,
    /// Who it is.
    pub(crate) hello: Box<Hello>,
}

type Stream = WebSocketStream<TokioIo<Upgraded>>;

/// Why a socket's task ends.
enum End {
    /// The connection is gone, or has to go without a word.
    Gone,
    /// We close, of the task's own accord; the room is to be told.
    Close(Close),
    /// The room wanted it closed, and has forgotten it.
    Dismissed(Close),
    /// The client does not keep to RFC 6455 (section 7.1.7); the room is to be told.
    Failed(CloseFrame),
    /// The client closed; it is owed the answer that the library has ready, and nothing else.
    Left,
}

/// Serves a socket from the upgrade to its end.
pub(crate) async fn serve(io: Upgraded, accepted: Accepted, registry: Arc<Registry>) {
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(MAX_TAKEN);
    config.max_frame_size = Some(MAX_TAKEN);
    let io = TokioIo::new(io);
    let stream = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let (sender, frames) = mpsc::channel(QUEUE);
    let cut = Arc::new(Notify::new());
    let line = Line {
        frames: sender,
        cut: Arc::clone(&cut),
    };
    let conn = ConnId(random::number());
    let phases = registry.phases.clone();
    let verifier = Arc::clone(registry.verifier());
    let counted = Counted::new(&registry.sockets);
    let mut socket = Socket {
        stream,
        frames,
        cut,
        phases,
        verifier,
        conn,
        counted,
    };

    let handle = registry.handle(&accepted.room);
    // Whoever holds the registry holds the data folder: not while saying goodbye.
    drop(registry);
    let Some(handle) = handle else {
        return socket.close(Close::Restarting).await;
    };
    let connected = Message::Connected {
        conn,
        hello: accepted.hello,
        line,
    };
    if handle.mailbox.send(connected).await.is_err() {
        return socket.close(Close::Restarting).await;
    }
    match socket.carry(&handle).await {
        End::Gone => tell(&handle, Event::Closed { conn }).await,
        End::Close(close) => {
            tell(&handle, Event::Closed { conn }).await;
            drop(handle);
            socket.close(close).await;
        }
        End::Dismissed(close) => {
            drop(handle);
            socket.close(close).await;
        }
        End::Failed(frame) => {
            tell(&handle, Event::Closed { conn }).await;
            drop(handle);
            socket.goodbye(Some(frame)).await;
        }
        End::Left => {
            tell(&handle, Event::Closed { conn }).await;
            drop(handle);
            socket.goodbye(None).await;
        }
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
        Error::Capacity(_) => End::Close(Close::TooBig),
        Error::Utf8(_) => broken(CloseCode::Invalid, "text is UTF-8"),
        Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::ReceivedAfterClosing,
        ) => End::Gone,
        Error::Protocol(_) => broken(CloseCode::Protocol, "not WebSocket as RFC 6455 has it"),
        _ => End::Gone,
    }
}

/// Tells the room. It fails only when the room is gone, and its sockets with it.
async fn tell(handle: &Handle, event: Event) {
    let _ = handle.mailbox.send(Message::Socket(event)).await;
}

struct Socket {
    stream: Stream,
    frames: mpsc::Receiver<Outgoing>,
    cut: Arc<Notify>,
    phases: Phases,
    verifier: Arc<Verifier>,
    conn: ConnId,
    counted: Counted,
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

/// When a socket closes after the server began to drain: spread by its id over a time that grows
/// with the number of sockets, so that they do not all come back at once.
fn drain_wait(conn: ConnId, open: usize) -> Duration {
    let window = DRAIN_PER_SOCKET.saturating_mul(u32::try_from(open).unwrap_or(u32::MAX));
    let share = u32::try_from(conn.0 % 1000).unwrap_or_default();
    window.min(DRAIN_WINDOW) / 1000 * share
}

impl Socket {
    async fn carry(&mut self, handle: &Handle) -> End {
        let conn = self.conn;
        let (mut phases, mut stopped) = (self.phases.clone(), self.phases.clone());
        let mut leaves = None;
        let mut last_heard = clock::in_(Duration::ZERO);
        loop {
            let heard = tokio::select! {
                () = phases.reached(Phase::Draining), if leaves.is_none() => {
                    let open = self.counted.0.load(Ordering::Relaxed);
                    leaves = Some(clock::in_(drain_wait(conn, open)));
                    continue;
                }
                () = sleep_until(leaves.unwrap_or(last_heard)), if leaves.is_some() => {
                    return End::Close(Close::Restarting);
                }
                () = stopped.reached(Phase::Stopped) => return End::Gone,
                () = self.cut.notified() => return End::Close(Close::SlowReader),
                () = sleep_until(last_heard + SILENCE) => {
                    tell(handle, Event::Silent { conn }).await;
                    last_heard = clock::in_(Duration::ZERO);
                    continue;
                }
                outgoing = self.frames.recv() => {
                    if let Some(end) = self.write(outgoing).await {
                        return end;
                    }
                    continue;
                }
                heard = self.stream.next() => heard,
            };
            last_heard = clock::in_(Duration::ZERO);
            match heard {
                Some(Ok(WsMessage::Text(text))) => {
                    let heartbeat = handle.heartbeat.get().filter(|_| text == limits::PING);
                    if let Some(pong) = heartbeat {
                        if let Some(end) = self.answer(pong).await {
                            return end;
                        }
                    } else {
                        if let Some(token) = client::token(&text) {
                            keys::see_to(&self.verifier, &token).await;
                        }
                        tell(
                            handle,
                            Event::Text {
                                conn,
                                text: text.as_str().to_owned(),
                            },
                        )
                        .await;
                    }
                }
                Some(Ok(WsMessage::Binary(bytes))) => {
                    tell(
                        handle,
                        Event::Binary {
                            conn,
                            bytes: bytes.len(),
                        },
                    )
                    .await;
                }
                Some(Ok(WsMessage::Close(_))) => return End::Left,
                // The library answers pings.
                Some(Ok(WsMessage::Ping(_) | WsMessage::Pong(_) | WsMessage::Frame(_))) => {}
                Some(Err(error)) => return failed(&error),
                None => return End::Gone,
            }
        }
    }

    /// Writes what was queued, and whatever else is queued by then.
    async fn write(&mut self, first: Option<Outgoing>) -> Option<End> {
        let mut next = first;
        loop {
            match next {
                // The room is gone.
                None => return Some(End::Dismissed(Close::Restarting)),
                Some(Outgoing::Close(close)) => return Some(End::Dismissed(close)),
                Some(Outgoing::Text(text)) => {
                    if let Some(end) = self.feed(text).await {
                        return Some(end);
                    }
                }
                Some(Outgoing::Burst(texts)) => {
                    for text in texts {
                        if let Some(end) = self.feed(text).await {
                            return Some(end);
                        }
                    }
                }
            }
            match self.frames.try_recv() {
                Ok(outgoing) => next = Some(outgoing),
                Err(_) => return self.flush().await,
            }
        }
    }

    /// Answers a bare ping. The room queues frames before it counts them in the heartbeat: with
    /// the queue written first, nothing that the answer counts comes after it.
    async fn answer(&mut self, pong: Utf8Bytes) -> Option<End> {
        while let Ok(outgoing) = self.frames.try_recv() {
            if let Some(end) = self.write(Some(outgoing)).await {
                return Some(end);
            }
        }
        match self.feed(pong).await {
            None => self.flush().await,
            end => end,
        }
    }

    async fn feed(&mut self, text: Utf8Bytes) -> Option<End> {
        let Self {
            stream,
            cut,
            phases,
            ..
        } = self;
        unless_cut(stream.feed(WsMessage::Text(text)), cut, phases).await
    }

    async fn flush(&mut self) -> Option<End> {
        let Self {
            stream,
            cut,
            phases,
            ..
        } = self;
        unless_cut(stream.flush(), cut, phases).await
    }

    async fn close(self, close: Close) {
        let frame = CloseFrame {
            code: close.code().into(),
            reason: close.reason().into(),
        };
        self.goodbye(Some(frame)).await;
    }

    /// Closes in order: our close or our answer to the peer's, the peer's answer, and nothing left
    /// unread, since that would make the kernel discard the close on its way. The connection ends
    /// on our side first (RFC 6455 section 7.1.1): a client waits for that.
    async fn goodbye(mut self, frame: Option<CloseFrame>) {
        let goodbye = async {
            if frame.is_some() {
                self.stream.close(frame).await?;
            }
            while let Some(Ok(_)) = self.stream.next().await {}
            self.stream.get_mut().shutdown().await?;
            let mut rest = [0; 1024];
            while self.stream.get_mut().read(&mut rest).await? > 0 {}
            Ok::<(), Error>(())
        };
        // A peer that is gone or does not answer has heard all it will hear.
        tokio::select! {
            _ = timeout(GOODBYE, goodbye) => {}
            () = self.phases.reached(Phase::Stopped) => {}
        }
    }
}

/// Writes to a peer that may not be reading.
async fn unless_cut(
    write: impl Future<Output = Result<(), Error>>,
    cut: &Notify,
    phases: &mut Phases,
) -> Option<End> {
    // A stopping server waits for a reader no longer than for a goodbye.
    let drained = async {
        phases.reached(Phase::Draining).await;
        sleep(GOODBYE).await;
    };
    tokio::select! {
        written = write => written.is_err().then_some(End::Gone),
        () = cut.notified() => Some(End::Close(Close::SlowReader)),
        () = drained => Some(End::Close(Close::Restarting)),
    }
}
