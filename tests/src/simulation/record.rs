//! The record: it never differs from what happened, whatever fails on the way.

use signalroom_core::audit::Head;
use signalroom_core::room::call::{Call, Reply};
use signalroom_core::store::Columns;

use super::world::{FEED, World};

impl World {
    /// A decision and its row come together or not at all.
    pub(super) fn decisions_are_on_record(&self, room: usize) {
        let place = &self.places[room];
        let count = |sql| {
            let rows = place.rows(sql, &[]);
            rows.first().map(|row| row.integer(0).expect("a count"))
        };
        assert_eq!(
            count("SELECT COUNT(*) FROM audit WHERE action = 'approval'"),
            count("SELECT COUNT(*) FROM approvals"),
            "decisions on record, and decisions, in {}",
            place.name
        );
    }

    /// Nobody changed anything, and the check says so: of rooms whose databases were never lost.
    pub(super) fn records_are_whole(&mut self) {
        for room in 0..self.places.len() {
            if self.places[room].era() > 0 {
                continue;
            }
            let name = self.places[room].name.clone();
            let rooms = vec![(name.clone(), 0)];
            let Ok(Reply::Witnessed(mut told)) = self.call(FEED, Call::Witnessed { rooms }) else {
                panic!("the feed does not answer");
            };
            let call = Call::CheckAudit {
                from: Head::START,
                until: None,
                witnessed: told.pop().expect("one room"),
            };
            if let Ok(Reply::AuditChecked(checked)) = self.call(room, call) {
                assert_eq!(checked.broken, None, "the record of {name}");
                assert!(!checked.more, "more than a turn's worth in {name}");
            }
        }
    }
}
