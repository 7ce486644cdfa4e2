//! What a room wants done: writes first, in one transaction; then outputs, in order.

use super::socket::{Attachment, ConnId};
use crate::store::Statement;
use crate::wire::close::Close;
use crate::wire::frame::Frame;

/// Something to do once the writes are durable.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// One encoded message to everybody who wants it.
    Publish(Publication),
    /// One encoded frame to one socket.
    Send {
        /// Who gets it.
        conn: ConnId,
        /// What it gets.
        frame: Frame,
    },
    /// Several frames to one socket, in order: what it missed.
    Burst {
        /// Who gets them.
        conn: ConnId,
        /// What it gets.
        frames: Vec<Frame>,
    },
    /// Keep this with the socket, for the next wake-up.
    Attach {
        /// The socket.
        conn: ConnId,
        /// Its serialised attachment.
        attachment: String,
    },
    /// Close the socket.
    Close {
        /// The socket.
        conn: ConnId,
        /// Why.
        close: Close,
    },
}

/// A message encoded once, and who wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    frame: Frame,
    /// First those who take one message a frame, then those who take several.
    to: Vec<ConnId>,
    plain: usize,
    patient: bool,
}

impl Publication {
    /// A message for `plain`, who take one in a frame, and for `batching`, who take several; both
    /// in the order of their ids. A `patient` one may wait for others of its run.
    pub fn new(frame: Frame, plain: Vec<ConnId>, batching: &[ConnId], patient: bool) -> Self {
        let mut to = plain;
        let plain = to.len();
        to.extend_from_slice(batching);
        Self {
            frame,
            to,
            plain,
            patient,
        }
    }

    /// Whether it may wait for others of its run.
    pub fn is_patient(&self) -> bool {
        self.patient
    }

    /// The message.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Everybody who wants it.
    pub fn everybody(&self) -> &[ConnId] {
        &self.to
    }

    /// Whether this socket wants it.
    pub fn is_for(&self, conn: ConnId) -> bool {
        [self.plain(), self.batching()]
            .iter()
            .any(|list| list.binary_search(&conn).is_ok())
    }

    /// Leaves a socket out.
    pub fn forget(&mut self, conn: ConnId) {
        if let Ok(at) = self.plain().binary_search(&conn) {
            self.to.remove(at);
            self.plain -= 1;
        } else if let Ok(at) = self.batching().binary_search(&conn) {
            self.to.remove(self.plain + at);
        }
    }

    /// Those who take one message a frame.
    pub fn plain(&self) -> &[ConnId] {
        &self.to[..self.plain]
    }

    /// Those who take several messages in a frame.
    pub fn batching(&self) -> &[ConnId] {
        &self.to[self.plain..]
    }
}

/// The consequences of one event or call.
#[derive(Debug, Default, PartialEq)]
pub struct Effects {
    /// One transaction, in order.
    pub writes: Vec<Statement>,
    /// After the commit, in order.
    pub outputs: Vec<Output>,
    /// Whether the room must exist in the database even without writes: somebody was told its
    /// epoch.
    pub durable: bool,
}

impl Effects {
    /// Adds a write.
    pub fn write(&mut self, statement: Statement) {
        self.writes.push(statement);
    }

    /// Adds a frame for one socket.
    pub fn send(&mut self, conn: ConnId, frame: Frame) {
        self.outputs.push(Output::Send { conn, frame });
    }

    /// Adds a message for those among `sockets` that want it; none is fine. A `patient` one may
    /// wait for others of its run.
    pub fn publish<'a>(
        &mut self,
        frame: Frame,
        patient: bool,
        sockets: impl Iterator<Item = (ConnId, &'a Attachment)>,
        wants: impl Fn(&Attachment) -> bool,
    ) {
        let (mut plain, mut batching) = (Vec::new(), Vec::new());
        for (conn, socket) in sockets {
            if wants(socket) {
                let list = if socket.batch {
                    &mut batching
                } else {
                    &mut plain
                };
                list.push(conn);
            }
        }
        if !plain.is_empty() || !batching.is_empty() {
            let publication = Publication::new(frame, plain, &batching, patient);
            self.outputs.push(Output::Publish(publication));
        }
    }
}
