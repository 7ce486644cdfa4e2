//! What a feed has seen before a run begins, so that its log is about to be cut.

use signalroom_core::room::call::{Call, Push, RoomState};
use signalroom_core::room::name::RoomName;
use signalroom_core::time::Millis;

use super::world::{FEED, World};
use crate::bench::entries::entry;

/// A symbol whose room is not there any more.
pub(super) const PAST: &str = "Z";

/// Logs are cut at every 64th event: a run brings the feed past that.
const EVENTS: i64 = 58;

impl World {
    /// Gives the feed a past.
    pub(super) fn remember(&mut self) {
        let entry = |seq| entry(PAST, seq);
        let push = Push {
            source: RoomName::Symbol(PAST.parse().expect("a symbol")),
            epoch: "past".to_owned(),
            born: Millis(0),
            lineage: Vec::new(),
            state: RoomState {
                version: 1,
                ..RoomState::default()
            },
            audit: None,
            floor: 1,
            entries: (1..=EVENTS).map(entry).collect(),
        };
        self.note(format!("{EVENTS} events of the past"));
        let received = self.call(FEED, Call::Receive(push));
        assert!(received.is_ok(), "the past was refused: {received:?}");
    }
}
