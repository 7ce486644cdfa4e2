//! A room and what a platform keeps for it: its database and its alarm outlive everything, its
//! memory and its sockets do not.

use std::sync::Arc;

use serde_json::Value as Json;
use signalroom_core::auth::Verifier;
use signalroom_core::config::RoomConfig;
use signalroom_core::host::Host;
use signalroom_core::room::name::RoomName;
use signalroom_core::room::socket::Filter;
use signalroom_core::store::{Columns, Row, Value};
use signalroom_core::time::Millis;

use super::loss::Lost;
use crate::bench::sockets::Recorder;
use crate::bench::sql::Disk;

/// An event as it went into a log; its number is its place in [`Place::log`], from 1 on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Logged {
    pub(super) kind: String,
    pub(super) symbol: String,
    pub(super) data: Json,
}

impl Logged {
    /// Whether a socket with this filter is to hear of it.
    pub(super) fn wanted(&self, filter: &Filter) -> bool {
        let passes = || filter.passes(&self.symbol.parse().expect("a symbol"));
        self.kind == "approval_notification" || passes()
    }

    /// The signal it is about, and the status after it.
    pub(super) fn signal(&self) -> (String, String) {
        let text = |name: &str| self.data[name].as_str().expect("text").to_owned();
        if self.kind == "new_signal" {
            (text("id"), text("status"))
        } else {
            let status = format!("APPROVED_{}", text("approved_status"));
            (text("signal_id"), status)
        }
    }
}

/// One room.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) name: RoomName,
    config: RoomConfig,
    verifier: Arc<Verifier>,
    lives: u32,
    pub(super) disk: Disk,
    pub(super) sockets: Recorder,
    pub(super) host: Host<Disk>,
    /// Whether it gathers messages.
    pub(super) gathers: bool,
    /// When the platform is to wake it.
    pub(super) alarm: Option<Millis>,
    /// The delivery whose answer is awaited.
    pub(super) flight: Option<u64>,
    /// Whether what it knows of the feed is of the feed that there is.
    pub(super) heard: bool,
    /// The logs it had, and lost.
    pub(super) lost: Vec<Lost>,
    /// The epoch of its log, once it exists.
    pub(super) epoch: Option<String>,
    /// Everything that was ever in the log, trimmed or not.
    pub(super) log: Vec<Logged>,
}

fn host(
    name: &RoomName,
    config: RoomConfig,
    verifier: &Arc<Verifier>,
    life: u32,
    disk: &Disk,
) -> Host<Disk> {
    // Every start would name a log of its own.
    let epoch = format!("{}-{life}", name.to_string().replace('/', "-"));
    Host::new(name.clone(), config, epoch, disk.clone()).trusting(Arc::clone(verifier))
}

impl Place {
    pub(super) fn new(name: RoomName, config: RoomConfig, verifier: Arc<Verifier>) -> Self {
        let disk = Disk::new(":memory:".into());
        Self {
            host: host(&name, config, &verifier, 1, &disk),
            sockets: Recorder::new(disk.clone()),
            name,
            config,
            verifier,
            lives: 1,
            gathers: false,
            disk,
            alarm: None,
            flight: None,
            heard: true,
            lost: Vec::new(),
            epoch: None,
            log: Vec::new(),
        }
    }

    /// Drops the room's memory.
    pub(super) fn evict(&mut self) {
        self.lives += 1;
        let (name, verifier) = (&self.name, &self.verifier);
        self.host = host(name, self.config, verifier, self.lives, &self.disk);
    }

    /// Drops everything that does not outlive a process.
    pub(super) fn die(&mut self) {
        self.evict();
        self.gathers = false;
        self.flight = None;
        self.sockets = Recorder::new(self.disk.clone());
    }

    /// The rows of a query; none while the room does not exist.
    pub(super) fn rows(&self, sql: &str, args: &[Value]) -> Vec<Row> {
        if self.epoch.is_none() {
            return Vec::new();
        }
        self.disk.look(sql, args).expect("the database answers")
    }

    pub(super) fn top(&self) -> i64 {
        i64::try_from(self.log.len()).expect("few events")
    }

    /// Reads what is new in the log: it grows by one each time, under one epoch until it is lost.
    pub(super) fn catch_up(&mut self) {
        let meta = "SELECT value FROM meta WHERE key = 'epoch'";
        let Ok(epoch) = self.disk.look(meta, &[]) else {
            assert_eq!(self.epoch, None, "{} is gone", self.name);
            return;
        };
        let epoch = epoch[0].text(0).expect("text").to_owned();
        if let Some(known) = &self.epoch {
            assert_eq!(known, &epoch, "{} has another epoch", self.name);
        }
        self.epoch = Some(epoch);
        let rows = self.rows(
            "SELECT seq, kind, symbol, data FROM events WHERE seq > ? ORDER BY seq",
            &[self.top().into()],
        );
        for row in rows {
            let text = |column| row.text(column).expect("text").to_owned();
            let seq = row.integer(0).expect("an integer");
            assert_eq!(seq, self.top() + 1, "a gap in the log of {}", self.name);
            self.log.push(Logged {
                kind: text(1),
                symbol: text(2),
                data: serde_json::from_str(&text(3)).expect("JSON"),
            });
        }
    }

    /// What a snapshot shows a socket with this filter: signals and statuses, newest first.
    pub(super) fn snapshot(&self, filter: &Filter) -> Vec<(String, String)> {
        let mut seen = Vec::new();
        let mut shown = Vec::new();
        for event in self.log.iter().rev() {
            if !seen.contains(&&event.symbol) {
                seen.push(&event.symbol);
                if filter.passes(&event.symbol.parse().expect("a symbol")) {
                    shown.push(event.signal());
                }
            }
        }
        shown
    }
}
