//! What must hold after every step.

use std::collections::BTreeSet;

use signalroom_core::room::call::Ack;
use signalroom_core::store::{Columns, Value};

use super::past::PAST;
use super::world::{FEED, Received, World};

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
        let sql = "SELECT epoch FROM sources WHERE name = ?";
        for event in &self.places[FEED].log[self.books.taken..] {
            let symbol = &event.symbol;
            let had = self.books.received.entry(symbol.clone()).or_default();
            if symbol == PAST {
                had.up_to += 1;
                let id = event.signal().0;
                assert_eq!(id, format!("{PAST}:{}", had.up_to), "an event of the past");
                continue;
            }
            let name = format!("symbol/{symbol}");
            let source = (self.places.iter()).find(|place| place.name.to_string() == name);
            let source = source.unwrap_or_else(|| panic!("{symbol} has no room"));
            let rows = self.places[FEED].rows(sql, &[Value::Text(name)]);
            let epoch = rows[0].text(0).expect("text");
            let era = source.era_of(epoch).expect("an epoch of that room");
            assert!(era >= had.era, "{symbol}: an epoch that has ended is back");
            if era > had.era {
                *had = Received { era, up_to: 0 };
            }
            let log = source.log_of(era);
            if had.up_to == 0 && self.places[FEED].era() > 0 {
                // A feed that lost its data gets what the room still has.
                let first = log.iter().position(|it| it == event);
                had.up_to = first.unwrap_or(0).min(source.trimmed(era));
            }
            assert_eq!(
                log.get(had.up_to),
                Some(event),
                "the feed's event {had:?} of {symbol} is not the room's"
            );
            had.up_to += 1;
        }
        self.books.taken = self.places[FEED].log.len();
    }

    /// How many events of a room's log the feed has.
    pub(super) fn had(&self, room: usize) -> usize {
        let place = &self.places[room];
        let symbol = place.name.to_string().replace("symbol/", "");
        let had = self.books.received.get(&symbol).copied();
        had.filter(|had| had.era == place.era())
            .map_or(0, |had| had.up_to)
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
        self.decisions_are_on_record(room);
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
        if let Some((seq, version, _)) = self.outbox(room).filter(|_| place.heard) {
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
        let later = feed.log[up_to..].iter();
        assert_eq!(later.filter(|it| it.symbol == symbol).count(), 0, "{ack:?}");
        let had = Some(self.had(room));
        assert_eq!(usize::try_from(ack.seq).ok(), had, "{ack:?} of {symbol}");
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
