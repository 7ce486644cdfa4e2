//! The sockets of one room, as the core's host sees them.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use signalroom_core::host::Sockets;
use signalroom_core::room::socket::ConnId;
use signalroom_core::wire::close::Close;
use signalroom_core::wire::frame::Frame;

use super::frame;
use super::writer::{ByConn, Writers};

/// What a bare ping is answered with, as it travels; set by the room, read by its sockets' tasks.
#[derive(Debug, Clone, Default)]
pub(super) struct Heartbeat(Arc<Mutex<Option<Bytes>>>);

impl Heartbeat {
    pub(super) fn get(&self) -> Option<Bytes> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, pong: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(frame::text(pong));
    }
}

/// Every socket of a room, with what the room attached to it. When it is dropped, its sockets are
/// told to come back.
#[derive(Debug)]
pub(super) struct Table {
    held: ByConn<Option<Box<str>>>,
    /// Whom the last broadcast was for: the next is mostly for the same.
    audience: Arc<[ConnId]>,
    writers: Writers,
    heartbeat: Heartbeat,
}

impl Table {
    pub(super) fn new(heartbeat: Heartbeat, writers: Writers) -> Self {
        Self {
            held: ByConn::default(),
            audience: Arc::default(),
            writers,
            heartbeat,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn insert(&mut self, conn: ConnId) {
        self.held.insert(conn, None);
    }

    pub(super) fn remove(&mut self, conn: ConnId) {
        self.held.remove(&conn);
    }

    /// Returns once its sockets' writers are not far behind.
    pub(super) async fn caught_up(&self) {
        self.writers.caught_up().await;
    }
}

impl Sockets for Table {
    fn attached(&self) -> Vec<(ConnId, String)> {
        let attached = self.held.iter();
        let mut attached: Vec<_> = attached
            .filter_map(|(conn, text)| Some((*conn, text.as_deref()?.to_owned())))
            .collect();
        attached.sort_unstable();
        attached
    }

    fn send(&mut self, to: &[ConnId], frame: &Frame) {
        let text = frame::text(frame.as_str());
        if let [conn] = to {
            return self.writers.write(*conn, text);
        }
        if *self.audience != *to {
            self.audience = to.into();
        }
        self.writers.broadcast(&self.audience, &text);
    }

    fn burst(&mut self, conn: ConnId, frames: &[Frame]) {
        let texts: Vec<_> = frames.iter().map(Frame::as_str).collect();
        self.writers.write(conn, frame::texts(&texts));
    }

    fn attach(&mut self, conn: ConnId, attachment: &str) {
        if let Some(kept) = self.held.get_mut(&conn) {
            *kept = Some(attachment.into());
        }
    }

    fn close(&mut self, conn: ConnId, close: Close) {
        if self.held.remove(&conn).is_some() {
            self.writers.close(conn, close);
        }
    }

    fn auto_respond(&mut self, pong: &str) {
        self.heartbeat.set(pong);
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        for (conn, _) in self.held.drain() {
            self.writers.close(conn, Close::Restarting);
        }
    }
}
