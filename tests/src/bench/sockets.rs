//! The sockets of a room as a platform holds them: attachments stay when the room's memory goes,
//! and everything the room does to them is written down.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use signalroom_core::host::Sockets;
use signalroom_core::room::socket::ConnId;
use signalroom_core::store::Columns;
use signalroom_core::wire::close::Close;
use signalroom_core::wire::frame::Frame;

use super::sql::Disk;

/// Something a room did to the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// A frame to one socket.
    Sent {
        /// The socket.
        to: u64,
        /// The frame.
        text: String,
    },
    /// Something the platform keeps with a socket.
    Attached {
        /// The socket.
        to: u64,
        /// What is kept.
        attachment: String,
    },
    /// The end of a socket.
    Closed {
        /// The socket.
        conn: u64,
        /// The close code.
        code: u16,
    },
    /// What a bare ping is answered with from now on.
    AutoResponse(String),
}

/// Holds sockets and remembers what was done to them.
#[derive(Debug)]
pub struct Recorder {
    open: BTreeMap<ConnId, Option<String>>,
    /// Gone, and the room has not been told yet.
    cut: BTreeSet<ConnId>,
    pong: Option<String>,
    done: Vec<Done>,
    disk: Disk,
}

impl Recorder {
    /// No sockets yet; what is sent must be in `disk`.
    pub fn new(disk: Disk) -> Self {
        Self {
            open: BTreeMap::new(),
            cut: BTreeSet::new(),
            pong: None,
            done: Vec::new(),
            disk,
        }
    }

    /// Takes a socket in, before the room hears of it.
    pub fn accept(&mut self, conn: u64) {
        self.open.insert(ConnId(conn), None);
    }

    /// Forgets a socket that is gone, as the room is told now.
    pub fn remove(&mut self, conn: u64) {
        self.open.remove(&ConnId(conn));
        self.cut.remove(&ConnId(conn));
    }

    /// Cuts off a socket by the platform's own decision: what the room says to it before it is
    /// told comes to nothing.
    pub fn cut(&mut self, conn: u64) {
        if self.open.remove(&ConnId(conn)).is_some() {
            self.cut.insert(ConnId(conn));
        }
    }

    /// Whether the room has yet to be told that the socket was cut off.
    pub fn is_cut(&self, conn: u64) -> bool {
        self.cut.contains(&ConnId(conn))
    }

    /// Whether the room may still send to it.
    pub fn is_open(&self, conn: u64) -> bool {
        self.open.contains_key(&ConnId(conn))
    }

    /// What a bare ping is answered with.
    pub fn pong(&self) -> Option<&str> {
        self.pong.as_deref()
    }

    /// What was done since the last time.
    pub fn take(&mut self) -> Vec<Done> {
        std::mem::take(&mut self.done)
    }

    /// Nothing may be heard before it is durable.
    fn check(&self, text: &str) {
        assert!(!self.disk.writing(), "sent within the transaction: {text}");
        let frame: Json = serde_json::from_str(text).expect("frames are JSON");
        let single = std::slice::from_ref(&frame);
        for message in frame.as_array().map_or(single, Vec::as_slice) {
            if matches!(message["type"].as_str(), Some("welcome" | "pong")) {
                self.check_position(&message["data"]);
            }
            let Some(seq) = message["seq"].as_i64() else {
                continue;
            };
            let held = self
                .disk
                .look("SELECT data FROM events WHERE seq = ?", &[seq.into()]);
            let held = held.expect("the database answers");
            assert!(!held.is_empty(), "sent, but not committed: {text}");
        }
    }
}

impl Recorder {
    /// A position that somebody is told is one that the database has.
    fn check_position(&self, told: &Json) {
        let sql = "SELECT (SELECT value FROM meta WHERE key = 'epoch'), \
             (SELECT COALESCE(MAX(seq), 0) FROM events)";
        let rows = self.disk.look(sql, &[]).expect("the database answers");
        let top = rows[0].integer(1).expect("an integer");
        let epoch = rows[0].text(0).expect("text");
        assert_eq!(told["epoch"], epoch, "an epoch that is not committed");
        assert!(told["seq"].as_i64() <= Some(top), "{told} beyond {top}");
    }
}

impl Sockets for Recorder {
    fn attached(&self) -> Vec<(ConnId, String)> {
        let open = self.open.iter();
        open.filter_map(|(conn, attachment)| Some((*conn, attachment.clone()?)))
            .collect()
    }

    fn send(&mut self, to: &[ConnId], frame: &Frame) {
        self.check(frame.as_str());
        for conn in to {
            if self.cut.contains(conn) {
                continue;
            }
            assert!(
                self.open.contains_key(conn),
                "sent to {conn}, which is gone"
            );
            self.done.push(Done::Sent {
                to: conn.0,
                text: frame.as_str().to_owned(),
            });
        }
    }

    fn burst(&mut self, conn: ConnId, frames: &[Frame]) {
        for frame in frames {
            self.send(&[conn], frame);
        }
    }

    fn attach(&mut self, conn: ConnId, attachment: &str) {
        assert!(!self.disk.writing(), "attached within the transaction");
        assert!(attachment.len() <= 16_384, "the platform keeps no more");
        if self.cut.contains(&conn) {
            return;
        }
        let kept = self.open.get_mut(&conn);
        *kept.unwrap_or_else(|| panic!("attached to {conn}, which is gone")) =
            Some(attachment.to_owned());
        self.done.push(Done::Attached {
            to: conn.0,
            attachment: attachment.to_owned(),
        });
    }

    fn close(&mut self, conn: ConnId, close: Close) {
        assert!(!self.disk.writing(), "closed within the transaction");
        if self.cut.contains(&conn) {
            return;
        }
        self.open.remove(&conn);
        self.done.push(Done::Closed {
            conn: conn.0,
            code: close.code(),
        });
    }

    fn auto_respond(&mut self, pong: &str) {
        self.check(pong);
        // The platform keeps it: setting the same again is no change that anybody could see.
        if self.pong.as_deref() != Some(pong) {
            self.pong = Some(pong.to_owned());
            self.done.push(Done::AutoResponse(pong.to_owned()));
        }
    }
}
