//! What must hold after every step.

use std::collections::BTreeSet;

use signalroom_core::room::call::Ack;
use signalroom_core::store::{Columns, Value};

use super::past::PAST;
use super::world::{FEED, World};

impl World {
    /// Takes in what a turn added to a log.
    pub(super) fn account(&mut self, room: usize) {
        if room == FEED {
            return self.account_feed();
        }
        let place = &self.places[room];
        let mut decided = BTreeSet::new();
        for event in &place.log {
            if event.kind == "approval_notification" {
                let id = event.signal().0;
                assert!(!decided.contains(&id), "{id} was decided twice");
                decided.insert(id);
            }
        }
    }

    /// The feed's log has each source's events in the source's order, each once, without a gap.
    fn account_feed(&mut self) {
        let known: usize = self.books.received.values().sum();
        for event in &self.places[FEED].log[known..] {
            let symbol = &event.symbol;
            if symbol == PAST {
                let had = self.books.received.entry(symbol.clone()).or_default();
                *had += 1;
                let id = event.signal().0;
                assert_eq!(id, format!("{PAST}:{had}"), "an event of the past");
                continue;
            }
            let source = self
                .places
                .iter()
                .find(|place| place.name.to_string() == format!("symbol/{symbol}"));
            let source = source.unwrap_or_else(|| panic!("{symbol} has no room"));
            let had = self.books.received.entry(symbol.clone()).or_default();
            let expected = source.log.get(*had);
            assert_eq!(
                expected,
                Some(event),
                "the feed's event {had} of {symbol} is not the room's"
            );
            *had += 1;
        }
    }

    /// How far the feed is with a room's events and state, by its database.
    fn held_by_feed(&self, room: usize) -> (i64, i64) {
        let name = self.places[room].name.to_string();
        let sql = "SELECT seq, version FROM sources WHERE name = ?";
        let rows = self.places[FEED].rows(sql, &[Value::Text(name)]);
        let number = |column| {
            rows.first()
                .map_or(0, |row| row.integer(column).expect("one"))
        };
        (number(0), number(1))
    }

    /// What a room owes to the feed by its own database, and its cursor.
    fn outbox(&self, room: usize) -> Option<(i64, i64, i64)> {
        let sql = "SELECT acked_seq, acked_version, version FROM outbox";
        let rows = self.places[room].rows(sql, &[]);
        let number = |column| rows.first().map(|row| row.integer(column).expect("one"));
        Some((number(0)?, number(1)?, number(2)?))
    }

    /// Whether a room has something that the feed did not acknowledge.
    pub(super) fn owes(&self, room: usize) -> bool {
        self.outbox(room)
            .is_some_and(|(seq, acked, version)| seq < self.places[room].top() || acked < version)
    }

    /// Looks at a room after its turn.
    pub(super) fn inspect(&self, room: usize) {
        let place = &self.places[room];
        if room == FEED {
            return;
        }
        let rows = place.rows("SELECT signal_id, data FROM approvals", &[]);
        let text =
            |row: &signalroom_core::store::Row, column| row.text(column).expect("text").to_owned();
        let kept: BTreeSet<_> = rows
            .iter()
            .map(|row| (text(row, 0), text(row, 1)))
            .collect();
        for (id, (held_by, decision)) in &self.books.decisions {
            let found = *held_by != room || kept.contains(&(id.clone(), decision.clone()));
            assert!(
                found,
                "the acknowledged decision on {id} is lost: {decision}"
            );
        }
        if let Some((seq, version, _)) = self.outbox(room) {
            let held = self.held_by_feed(room);
            assert!(
                seq <= held.0 && version <= held.1,
                "{} thinks the feed has #{seq} v{version}, it has {held:?}",
                place.name
            );
        }
        if self.owes(room) {
            let waits = place.alarm.is_some();
            assert!(
                waits,
                "{} owes something, and nobody will wake it",
                place.name
            );
        }
    }

    /// What the feed acknowledges, it has, before the position that it names.
    pub(super) fn check_ack(&self, room: usize, ack: &Ack) {
        let (feed, source) = (&self.places[FEED], &self.places[room]);
        let symbol = source.name.to_string().replace("symbol/", "");
        assert_eq!(Some(&ack.position.epoch), feed.epoch.as_ref(), "{ack:?}");
        let up_to = usize::try_from(ack.position.seq).expect("positive");
        let events = feed.log[..up_to].iter();
        let had = events.filter(|event| event.symbol == symbol).count();
        assert_eq!(
            usize::try_from(ack.seq).ok(),
            Some(had),
            "{ack:?} of {symbol}"
        );
        let held = self.held_by_feed(room);
        assert_eq!((ack.seq, ack.version), held, "{ack:?} of {symbol}");
    }

    /// A decision that somebody was told of.
    pub(super) fn book_decision(&mut self, room: usize, id: &str, decision: String, seq: i64) {
        let place = &self.places[room];
        let at = usize::try_from(seq - 1).expect("positive");
        let event = place.log.get(at).expect("an answer before it is durable");
        assert_eq!(event.signal().0, id, "the position of a decision");
        let again = self.books.decisions.insert(id.to_owned(), (room, decision));
        assert_eq!(again, None, "{id} was decided twice");
    }
}
