//! A connection whose client is expected to get on: who sends a head byte by byte, or holds a
//! connection without using it, is let go.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It was opened; nothing has come.
    Silent,
    /// Its first head is on its way.
    Opening,
    /// A request is being worked on; its body has deadlines of its own.
    Working,
    /// An answer is on its way, or the next request is waited for.
    Idle,
    /// A further head is on its way.
    Head,
}

/// How a client was too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// In sending its first head: nothing was answered yet, so this can be.
    Opening,
    /// In anything else.
    Otherwise,
}

/// A client's stream that notes where the connection stands.
#[derive(Debug)]
pub(crate) struct Paced {
    stream: TcpStream,
    stage: watch::Sender<Stage>,
}

/// Sees when a client has taken too long.
#[derive(Debug)]
pub(crate) struct Pace(watch::Receiver<Stage>);

/// Notes where requests begin and end.
#[derive(Debug)]
pub(crate) struct Turns(watch::Sender<Stage>);

/// A request being worked on, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(watch::Sender<Stage>);

/// The stream of a new connection, and who watches it.
pub(crate) fn paced(stream: TcpStream) -> (Paced, Pace, Turns) {
    let (stage, seen) = watch::channel(Stage::Silent);
    let turns = Turns(stage.clone());
    (Paced { stream, stage }, Pace(seen), turns)
}

impl Turns {
    /// A request has arrived.
    pub(crate) fn begin(&self) -> Turn {
        self.0.send_replace(Stage::Working);
        Turn(self.0.clone())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.send_replace(Stage::Idle);
    }
}

impl Pace {
    /// Returns once the client has taken longer than `head` for a head, or than `idle` for
    /// beginning one or for taking in any of an answer.
    pub(crate) async fn overdue(&mut self, head: Duration, idle: Duration) -> Overdue {
        loop {
            let stage = *self.0.borrow_and_update();
            let late = async {
                match stage {
                    Stage::Silent | Stage::Opening | Stage::Head => sleep(head).await,
                    Stage::Idle => sleep(idle).await,
                    Stage::Working => std::future::pending().await,
                }
            };
            tokio::select! {
                // An error means that the connection is gone, and this with it.
                _ = self.0.changed() => {}
                () = late => {
                    return match stage {
                        Stage::Opening => Overdue::Opening,
                        Stage::Silent | Stage::Head | Stage::Idle | Stage::Working => {
                            Overdue::Otherwise
                        }
                    };
                }
            }
        }
    }
}

impl Paced {
    /// The stream itself.
    pub(crate) fn into_inner(self) -> TcpStream {
        self.stream
    }

    fn heard(&self) {
        self.stage.send_if_modified(|stage| {
            let next = match stage {
                Stage::Silent => Stage::Opening,
                Stage::Idle => Stage::Head,
                Stage::Opening | Stage::Head | Stage::Working => return false,
            };
            *stage = next;
            true
        });
    }

    /// Some of an answer was taken in: the client is there.
    fn told(&self) {
        self.stage.send_if_modified(|stage| *stage == Stage::Idle);
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.heard();
        }
        read
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.told();
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        if written.is_ready() {
            self.told();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
