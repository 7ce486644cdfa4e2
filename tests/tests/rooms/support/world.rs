//! Rooms with everything that a platform does for them: it holds their databases and sockets,
//! carries batches from symbol rooms to the feed, and takes them out of memory.

use std::collections::BTreeMap;

use signalroom_core::config::RoomConfig;
use signalroom_core::host::{Host, HostError};
use signalroom_core::room::Event;
use signalroom_core::room::call::{Ack, Call, Push, Reply};
use signalroom_core::room::name::RoomName;
use signalroom_core::store::{Columns, Sql, SqlError};
use signalroom_core::time::Millis;
use signalroom_core::wire::limits::TOKEN_WARNING_MS;
use tempfile::TempDir;

use super::brief;
use super::sockets::{Done, Recorder};
use super::sql::{Disk, Fault};

/// When tokens expire that are to outlive every test.
pub const LASTING: Millis = Millis(1_800_000_000_000);

/// 2026-01-05T22:00:00Z.
const START: Millis = Millis(1_767_650_400_000);

/// An event as it went into a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    pub seq: i64,
    pub kind: String,
    pub symbol: String,
    pub data: String,
}

/// One room.
pub struct Place {
    pub name: RoomName,
    config: RoomConfig,
    /// Names its fresh epochs.
    pub life: u32,
    pub disk: Disk,
    pub sockets: Recorder,
    host: Host<Disk>,
    /// A batch that is on its way to the feed.
    pub flight: Option<Push>,
    /// The feed's answer on its way back.
    pub answer: Option<Ack>,
    /// Everything that was ever in the log, trimmed or not.
    pub log: Vec<Logged>,
}

impl Place {
    fn new(name: RoomName, config: RoomConfig, life: u32, folder: &TempDir) -> Self {
        let file = format!("{}-{life}.sqlite", name.to_string().replace('/', "-"));
        let disk = Disk::new(folder.path().join(file));
        Self {
            host: host(&name, config, life, &disk),
            sockets: Recorder::new(disk.clone()),
            name,
            config,
            life,
            disk,
            flight: None,
            answer: None,
            log: Vec::new(),
        }
    }

    /// The epoch of its log.
    pub fn epoch(&self) -> String {
        format!("e{}", self.life)
    }

    fn catch_up(&mut self) {
        let top = self.log.last().map_or(0, |event| event.seq);
        // A room that was never created has no such table.
        let rows = self.disk.query(
            "SELECT seq, kind, symbol, data FROM events WHERE seq > ? ORDER BY seq",
            &[top.into()],
        );
        for row in rows.unwrap_or_default() {
            let text = |column| row.text(column).expect("text").to_owned();
            self.log.push(Logged {
                seq: row.integer(0).expect("an integer"),
                kind: text(1),
                symbol: text(2),
                data: text(3),
            });
        }
    }
}

fn host(name: &RoomName, config: RoomConfig, life: u32, disk: &Disk) -> Host<Disk> {
    let epoch = format!("e{life}");
    Host::new(name.clone(), config, epoch, disk.clone())
}

/// In memory where the system has such a place: that a commit reaches the disk is not tested here,
/// and thousands of them would wait for it.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a folder")
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was carried out.
    Done,
    /// The room refused it.
    Rejected,
    /// The database failed.
    Failed,
}

/// All rooms, a clock, and what was seen.
pub struct World {
    pub now: Millis,
    /// Whether every room is restored before everything it does.
    pub forgetful: bool,
    pub rooms: BTreeMap<String, Place>,
    /// Which room holds a socket.
    pub conns: BTreeMap<u64, String>,
    config: RoomConfig,
    lives: u32,
    folder: TempDir,
}

impl World {
    pub fn new(retention: i64) -> Self {
        Self {
            now: START,
            forgetful: false,
            rooms: BTreeMap::new(),
            conns: BTreeMap::new(),
            config: RoomConfig {
                history_limit: 3,
                message_retention: retention,
                ..RoomConfig::default()
            },
            lives: 1,
            folder: folder(),
        }
    }

    /// A room: `feed`, or a symbol.
    pub fn room(&mut self, room: &str) -> &mut Place {
        let (config, folder) = (self.config, &self.folder);
        self.rooms.entry(room.to_owned()).or_insert_with(|| {
            let name = if room == "feed" {
                RoomName::Feed
            } else {
                RoomName::Symbol(room.parse().expect("a symbol"))
            };
            Place::new(name, config, 1, folder)
        })
    }

    /// Replaces a room by one that never was.
    pub fn wipe(&mut self, room: &str) {
        self.lives += 1;
        let name = self.room(room).name.clone();
        let place = Place::new(name, self.config, self.lives, &self.folder);
        self.rooms.insert(room.to_owned(), place);
        self.conns.retain(|_, held_by| held_by != room);
    }

    /// Drops the memory of a room, and everything else that does not outlive a process.
    pub fn forget(&mut self, room: &str) {
        let place = self.room(room);
        place.host = host(&place.name, place.config, place.life, &place.disk);
    }

    /// Makes the transactions of a room fail, until it is cleared.
    pub fn fail(&mut self, room: &str, fault: Option<Fault>) {
        self.room(room).disk.fail(fault);
    }

    /// Does something with a room's host, restored before if that is how this world is.
    pub fn with<T>(
        &mut self,
        room: &str,
        act: impl FnOnce(&mut Host<Disk>, Millis, &mut Recorder) -> T,
    ) -> T {
        let now = self.now;
        self.room(room);
        if self.forgetful {
            self.forget(room);
        }
        let place = self.room(room);
        let result = act(&mut place.host, now, &mut place.sockets);
        place.catch_up();
        result
    }

    pub fn event(&mut self, room: &str, event: Event) -> Result<(), SqlError> {
        self.with(room, |host, now, sockets| {
            host.on_event(event, now, sockets)
        })
    }

    pub fn call(&mut self, room: &str, call: Call) -> Result<Reply, HostError> {
        // Calls travel as JSON between Durable Objects.
        let text = serde_json::to_string(&call).expect("calls are JSON");
        let call = serde_json::from_str(&text).expect("calls are read back");
        self.with(room, |host, now, sockets| host.on_call(call, now, sockets))
    }

    pub fn next_push(&mut self, room: &str) -> Option<Push> {
        self.with(room, |host, now, sockets| host.next_push(now, sockets))
            .expect("the database answers")
    }

    /// What the room wants to be woken for, but for tokens that outlive every test.
    pub fn deadline(&mut self, room: &str) -> Option<Millis> {
        self.with(room, |host, _, sockets| host.next_deadline(sockets))
            .expect("the database answers")
            .filter(|at| *at < LASTING.plus(-TOKEN_WARNING_MS))
    }

    /// What all rooms did to the outside since the last time, in the order of their names.
    pub fn take(&mut self) -> Vec<Done> {
        let rooms = self.rooms.values_mut();
        rooms.flat_map(|place| place.sockets.take()).collect()
    }
}

/// What was done, in few words; attachments are left out.
pub fn show(done: &Done) -> Option<String> {
    match done {
        Done::Sent { to, text } => Some(format!("{to} < {}", brief::frame(text))),
        Done::Closed { conn, code } => Some(format!("{conn} closed {code}")),
        Done::Attached { .. } | Done::AutoResponse(_) => None,
    }
}
