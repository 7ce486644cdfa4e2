//! The sockets of one room, as the core's host sees them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use signalroom_core::host::Sockets;
use signalroom_core::room::socket::ConnId;
use signalroom_core::wire::close::Close;
use signalroom_core::wire::frame::Frame;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Frames that may wait for one socket; a reader this far behind is cut off and resumes.
pub(super) const QUEUE: usize = 1024;

/// What a socket's task is asked to do, in order.
#[derive(Debug)]
pub(super) enum Outgoing {
    Text(Utf8Bytes),
    /// Several frames that count as one in the queue.
    Burst(Vec<Utf8Bytes>),
    Close(Close),
}

/// The room's end of a socket.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) frames: mpsc::Sender<Outgoing>,
    /// Tells the task to give up at once, even in the middle of a write.
    pub(super) cut: Arc<Notify>,
}

/// What a bare ping is answered with; set by the room, read by its sockets' tasks.
#[derive(Debug, Clone, Default)]
pub(super) struct Heartbeat(Arc<Mutex<Option<Utf8Bytes>>>);

impl Heartbeat {
    pub(super) fn get(&self) -> Option<Utf8Bytes> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, pong: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(pong.into());
    }
}

/// A frame's text as bytes that share it.
struct Shared(Arc<str>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The frame's own text, not a copy.
fn shared(frame: &Frame) -> Utf8Bytes {
    let bytes = Bytes::from_owner(Shared(frame.shared()));
    Utf8Bytes::try_from(bytes).expect("the bytes are those of a str")
}

/// Every socket of a room, with what the room attached to it.
#[derive(Debug)]
pub(super) struct Table {
    held: BTreeMap<ConnId, (Line, Option<String>)>,
    heartbeat: Heartbeat,
}

impl Table {
    pub(super) fn new(heartbeat: Heartbeat) -> Self {
        Self {
            held: BTreeMap::new(),
            heartbeat,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn insert(&mut self, conn: ConnId, line: Line) {
        self.held.insert(conn, (line, None));
    }

    pub(super) fn remove(&mut self, conn: ConnId) {
        self.held.remove(&conn);
    }

    /// Queues something; a socket that cannot take it is cut off.
    fn queue(&mut self, conn: ConnId, outgoing: Outgoing) {
        let Some((line, _)) = self.held.get(&conn) else {
            return;
        };
        if line.frames.try_send(outgoing).is_err() {
            line.cut.notify_one();
            self.held.remove(&conn);
        }
    }
}

impl Sockets for Table {
    fn attached(&self) -> Vec<(ConnId, String)> {
        let attached = self.held.iter();
        attached
            .filter_map(|(conn, (_, text))| Some((*conn, text.clone()?)))
            .collect()
    }

    fn send(&mut self, to: &[ConnId], frame: &Frame) {
        let text = shared(frame);
        for conn in to {
            self.queue(*conn, Outgoing::Text(text.clone()));
        }
    }

    fn burst(&mut self, conn: ConnId, frames: &[Frame]) {
        self.queue(conn, Outgoing::Burst(frames.iter().map(shared).collect()));
    }

    fn attach(&mut self, conn: ConnId, attachment: &str) {
        if let Some((_, kept)) = self.held.get_mut(&conn) {
            *kept = Some(attachment.to_owned());
        }
    }

    fn close(&mut self, conn: ConnId, close: Close) {
        self.queue(conn, Outgoing::Close(close));
        self.held.remove(&conn);
    }

    fn auto_respond(&mut self, pong: &str) {
        self.heartbeat.set(pong);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(table: &mut Table, conn: ConnId) -> (mpsc::Receiver<Outgoing>, Arc<Notify>) {
        let (frames, received) = mpsc::channel(QUEUE);
        let cut = Arc::new(Notify::new());
        let line = Line {
            frames,
            cut: Arc::clone(&cut),
        };
        table.insert(conn, line);
        (received, cut)
    }

    #[tokio::test]
    async fn a_reader_too_far_behind_is_cut_off_and_others_are_not() {
        let mut table = Table::new(Heartbeat::default());
        let [slow, quick] = [ConnId(1), ConnId(2)];
        let (_unread, cut) = socket(&mut table, slow);
        let (mut read, _) = socket(&mut table, quick);
        let frame = Frame::from("{}".to_owned());
        for _ in 0..=QUEUE {
            table.send(&[slow, quick], &frame);
            let Some(Outgoing::Text(text)) = read.recv().await else {
                panic!("a frame is missing");
            };
            // Every socket gets the same memory.
            assert_eq!(text.as_str().as_ptr(), frame.as_str().as_ptr());
        }
        cut.notified().await;
        table.attach(slow, "gone");
        table.attach(quick, "here");
        assert_eq!(table.attached(), [(quick, "here".to_owned())]);
    }
}
