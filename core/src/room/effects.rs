//! What a room wants done: writes first, in one transaction; then outputs, in order.

use super::socket::ConnId;
use crate::store::Statement;
use crate::wire::close::Close;
use crate::wire::frame::Frame;

/// Something to do once the writes are durable.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// One encoded frame to these sockets.
    Send {
        /// Who gets it.
        to: Vec<ConnId>,
        /// What they get.
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
        self.outputs.push(Output::Send {
            to: vec![conn],
            frame,
        });
    }

    /// Adds a frame for many sockets; none is fine.
    pub fn broadcast(&mut self, to: Vec<ConnId>, frame: Frame) {
        if !to.is_empty() {
            self.outputs.push(Output::Send { to, frame });
        }
    }
}
