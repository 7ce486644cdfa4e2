//! Finds rooms by name: starts a room's task at the first message, forgets it when it leaves.
//!
//! Invariant: at most one task per room. A task leaves only while the registry is locked, its
//! mailbox is empty and nobody else holds its handle, so that no message is lost on the way.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signalroom_core::auth::Verifier;
use signalroom_core::config::RoomConfig;
use signalroom_core::rate::Buckets;
use signalroom_core::room::Event;
use signalroom_core::room::call::{Call, CallError, Reply};
use signalroom_core::room::name::RoomName;
use signalroom_core::room::socket::{ConnId, Hello};
use tokio::sync::{mpsc, oneshot};

use super::table::Heartbeat;
use super::writer::Writers;
use super::{Hibernate, MAILBOX, task};
use crate::phase::{Phase, Phases};

/// What a call came to.
pub(crate) type Answer = Result<Reply, CallError>;

/// What reaches a room's task.
#[derive(Debug)]
pub(super) enum Message {
    /// A call, and where its answer goes.
    Call {
        call: Box<Call>,
        answer: oneshot::Sender<Answer>,
    },
    /// A socket was accepted.
    Connected { conn: ConnId, hello: Box<Hello> },
    /// A socket said something, or is gone.
    Socket(Event),
    /// Look whether something is owed; sent once after a start.
    Wake,
}

/// The way to a room's task.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) mailbox: mpsc::Sender<Message>,
    /// What a bare ping is answered with.
    pub(super) heartbeat: Heartbeat,
}

/// What all rooms share.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where the databases are.
    pub(crate) rooms: PathBuf,
    /// What rooms need to know.
    pub(crate) config: RoomConfig,
    /// What sockets' fresh tokens are checked with.
    pub(crate) verifier: Arc<Verifier>,
    /// What users have left of their requests.
    pub(crate) reads: Buckets,
    /// When they forget.
    pub(crate) hibernate: Hibernate,
    /// Held until the last room is gone, so that no other instance starts before.
    pub(crate) _lock: File,
}

/// All rooms that have a task.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) settings: Settings,
    pub(super) phases: Phases,
    rooms: Mutex<HashMap<RoomName, Arc<Handle>>>,
    /// How many sockets there have been.
    conns: AtomicU64,
    /// How many sockets are open, in all rooms.
    pub(super) sockets: Arc<AtomicUsize>,
    /// Who writes to them.
    pub(super) writers: Writers,
    /// Cloned into every task: when all clones are gone, all tasks are.
    alive: mpsc::Sender<()>,
}

impl Registry {
    /// A registry without rooms. The receiver ends when registry and tasks are gone.
    pub(crate) fn new(settings: Settings, phases: Phases) -> (Arc<Self>, mpsc::Receiver<()>) {
        let (alive, gone) = mpsc::channel(1);
        let rooms = Mutex::default();
        let sockets = Arc::default();
        let writers = Writers::start(&phases, &sockets);
        (
            Arc::new(Self {
                settings,
                phases,
                rooms,
                conns: AtomicU64::default(),
                sockets,
                writers,
                alive,
            }),
            gone,
        )
    }

    /// The identity of a socket that is accepted now: one after the other, so that a broadcast goes
    /// through memory, the kernel's too, in the order in which it was taken.
    pub(super) fn next_conn(&self) -> ConnId {
        ConnId(self.conns.fetch_add(1, Ordering::Relaxed))
    }

    /// What tokens are checked with.
    pub(crate) fn verifier(&self) -> &Arc<Verifier> {
        &self.settings.verifier
    }

    /// Asks a room.
    pub(crate) async fn call(self: &Arc<Self>, room: &RoomName, call: Call) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.send(
            room,
            Message::Call {
                call: Box::new(call),
                answer,
            },
        )
        .await;
        match answered.await {
            Ok(answer) => answer,
            Err(_) => Err(task::fault(
                room,
                "call",
                &"the room ended before it answered",
            )),
        }
    }

    /// Starts the room, so that it delivers what it owes from before.
    pub(crate) async fn wake(self: &Arc<Self>, room: &RoomName) {
        self.send(room, Message::Wake).await;
    }

    async fn send(self: &Arc<Self>, room: &RoomName, message: Message) {
        if let Some(handle) = self.handle(room) {
            // It fails only when the task was stopped with the server; the answer says so.
            let _ = handle.mailbox.send(message).await;
        }
    }

    /// The way to a room, started if need be; none when the server has stopped.
    pub(super) fn handle(self: &Arc<Self>, room: &RoomName) -> Option<Arc<Handle>> {
        if self.phases.is(Phase::Stopped) {
            return None;
        }
        let mut rooms = self.locked();
        if let Some(handle) = rooms.get(room).filter(|handle| !handle.mailbox.is_closed()) {
            return Some(Arc::clone(handle));
        }
        let (mailbox, messages) = mpsc::channel(MAILBOX);
        let heartbeat = Heartbeat::default();
        let handle = Arc::new(Handle {
            mailbox,
            heartbeat: heartbeat.clone(),
        });
        rooms.insert(room.clone(), Arc::clone(&handle));
        let task = task::Task::new(room.clone(), Arc::clone(self), messages, heartbeat);
        let alive = self.alive.clone();
        tokio::spawn(async move {
            task.run().await;
            drop(alive);
        });
        Some(handle)
    }

    /// Forgets a room whose task has nothing left to do; false if somebody is about to send it
    /// something.
    pub(super) fn leave(&self, room: &RoomName, mailbox: &mpsc::Receiver<Message>) -> bool {
        let mut rooms = self.locked();
        let alone = rooms
            .get(room)
            .is_none_or(|handle| Arc::strong_count(handle) == 1);
        if alone && mailbox.is_empty() {
            rooms.remove(room);
            return true;
        }
        false
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<RoomName, Arc<Handle>>> {
        // Nothing panics while the lock is held.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file of a room's database. Percent-encoded, because names have slashes and more.
pub(super) fn file_name(room: &RoomName) -> String {
    let mut name = String::new();
    for byte in room.to_string().bytes() {
        if byte.is_ascii_alphanumeric() || b".-".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name + ".sqlite"
}

/// Every room that has a database in the folder, by name.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn room_files(folder: &Path) -> io::Result<Vec<(RoomName, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let room = name
            .and_then(|name| name.strip_suffix(".sqlite"))
            .and_then(decode);
        if let Some(room) = room {
            found.push((room, path));
        }
    }
    found.sort();
    Ok(found)
}

fn decode(encoded: &str) -> Option<RoomName> {
    let mut parts = encoded.split('%');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        name.push(char::from(u8::from_str_radix(code, 16).ok()?));
        name.push_str(rest);
    }
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_found_again_by_its_file() {
        for name in [
            "feed",
            "symbol/AAPL",
            "symbol/^GSPC",
            "symbol/BRK-B",
            "symbol/EURUSD=X",
            "symbol/.DJI",
        ] {
            let room: RoomName = name.parse().expect("a room");
            let file = file_name(&room);
            assert!(!file.contains('/'), "{file}");
            assert_eq!(
                decode(file.strip_suffix(".sqlite").expect("suffix")),
                Some(room)
            );
        }
        assert_eq!(decode("notes"), None);
        assert_eq!(decode("symbol%2"), None);
    }
}
