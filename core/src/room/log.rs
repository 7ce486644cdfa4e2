//! A room's durable, ordered log: gap-free sequence numbers within an epoch.

use serde_json::value::RawValue;

use super::call::{EventKind, Position};
use super::effects::Effects;
use super::socket::ResumeFrom;
use crate::store::schema::Epoch;
use crate::store::{Columns, Row, Sql, SqlError, Statement};
use crate::symbol::Symbol;
use crate::time::Millis;
use crate::wire::frame::Frame;
use crate::wire::server;

/// Old events are deleted once per this many appends, so that most appends delete nothing.
const TRIM_EVERY: i64 = 64;

/// The position of a log; the events themselves stay in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    epoch: Epoch,
    lineage: Vec<Position>,
    top: i64,
    floor: i64,
    retention: i64,
}

/// An event read back from the log.
#[derive(Debug)]
pub struct Logged {
    /// Its sequence number.
    pub seq: i64,
    /// What it is.
    pub kind: EventKind,
    /// Whom it is about.
    pub symbol: Symbol,
    /// The message's `data`.
    pub data: Box<RawValue>,
    /// The symbol's latest signal after it; only in a symbol room.
    pub signal: Option<Box<RawValue>>,
    /// When it was committed.
    pub at: Millis,
}

/// An event to be appended.
#[derive(Debug)]
pub struct Fresh<'a> {
    /// What it is.
    pub kind: EventKind,
    /// Whom it is about.
    pub symbol: &'a Symbol,
    /// The message's `data`.
    pub data: &'a RawValue,
    /// The symbol's latest signal after it, for a downstream.
    pub signal: Option<&'a RawValue>,
}

impl Log {
    /// The log of a room that was never created.
    pub fn empty(epoch: Epoch, retention: i64) -> Self {
        Self {
            epoch,
            lineage: Vec::new(),
            top: 0,
            floor: 1,
            retention,
        }
    }

    /// Reads where an existing log stands.
    ///
    /// # Errors
    /// [`SqlError`] from the database.
    pub fn restore(epoch: Epoch, retention: i64, sql: &dyn Sql) -> Result<Self, SqlError> {
        let rows = sql.query(
            "SELECT (SELECT MIN(seq) FROM events), (SELECT MAX(seq) FROM events)",
            &[],
        )?;
        let mut log = Self::empty(epoch, retention);
        if let Some(row) = rows.first().filter(|row| !row.is_null(0)) {
            log.top = row.integer(1)?;
            log.floor = row.integer(0)?;
        }
        let ended = sql.query("SELECT epoch, seq FROM lineage ORDER BY n", &[])?;
        log.lineage = ended
            .iter()
            .map(|row| {
                Ok(Position {
                    epoch: row.text(0)?.to_owned(),
                    seq: row.integer(1)?,
                })
            })
            .collect::<Result<_, SqlError>>()?;
        Ok(log)
    }

    /// Ends the epoch and begins another, with a name made from `fresh`. Events and numbers go
    /// on; the downstream is known to have everything up to `delivered`.
    pub fn renew(&mut self, fresh: &str, delivered: i64, now: Millis, fx: &mut Effects) {
        let n = self.lineage.len() + 1;
        let next = Epoch {
            name: format!("{fresh}-{n}"),
            // Later than the one before, whatever the clock says.
            born: now.max(self.epoch.born.plus(1)),
        };
        let ended = Position {
            epoch: std::mem::replace(&mut self.epoch, next).name,
            seq: delivered,
        };
        fx.write(Statement::new(
            "INSERT INTO lineage (epoch, seq) VALUES (?, ?)",
            vec![ended.epoch.as_str().into(), ended.seq.into()],
        ));
        let born = self.epoch.born.0.to_string();
        for (key, value) in [("epoch", &self.epoch.name), ("born", &born)] {
            fx.write(Statement::new(
                "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
                vec![key.into(), value.as_str().into()],
            ));
        }
        self.lineage.push(ended);
    }

    /// The epochs before this one, oldest first, each with the newest event the downstream was
    /// known to have when it ended.
    pub fn lineage(&self) -> &[Position] {
        &self.lineage
    }

    /// The newest position.
    pub fn position(&self) -> Position {
        Position {
            epoch: self.epoch.name.clone(),
            seq: self.top,
        }
    }

    /// The log's epoch.
    pub fn epoch(&self) -> &str {
        &self.epoch.name
    }

    /// The log's epoch and when it began.
    pub fn identity(&self) -> &Epoch {
        &self.epoch
    }

    /// Sets when the epoch began, as it is made durable.
    pub fn begin(&mut self, now: Millis) {
        self.epoch.born = now;
    }

    /// The newest sequence number, 0 when empty.
    pub fn top(&self) -> i64 {
        self.top
    }

    /// The oldest sequence number in the database.
    pub fn oldest(&self) -> i64 {
        self.floor
    }

    /// The oldest sequence number that can still be brought to a client.
    pub fn floor(&self) -> i64 {
        self.floor.max(self.top - self.retention + 1)
    }

    /// Whether everything after `from` can be brought.
    pub fn reaches(&self, from: &ResumeFrom) -> bool {
        from.epoch == self.epoch.name && from.since <= self.top && from.since + 1 >= self.floor()
    }

    /// Appends an event and returns it encoded, once. Events up to `delivered` have reached the
    /// downstream and may be trimmed.
    pub fn append(
        &mut self,
        event: &Fresh<'_>,
        delivered: i64,
        now: Millis,
        fx: &mut Effects,
    ) -> Frame {
        self.top += 1;
        fx.write(Statement::new(
            "INSERT INTO events (seq, kind, symbol, data, signal, at) VALUES (?, ?, ?, ?, ?, ?)",
            vec![
                self.top.into(),
                event.kind.as_str().into(),
                event.symbol.as_str().into(),
                event.data.get().into(),
                event.signal.map(RawValue::get).into(),
                now.0.into(),
            ],
        ));
        let last = (self.top - self.retention).min(delivered);
        if self.top % TRIM_EVERY == 0 && last >= self.floor {
            fx.write(Statement::new(
                "DELETE FROM events WHERE seq <= ?",
                vec![last.into()],
            ));
            self.floor = last + 1;
        }
        server::event(event.kind.as_str(), event.data, now, self.top)
    }

    /// Up to `limit` events after `since`, oldest first.
    ///
    /// # Errors
    /// [`SqlError`] from the database.
    pub fn after(&self, since: i64, limit: i64, sql: &dyn Sql) -> Result<Vec<Logged>, SqlError> {
        sql.query(
            "SELECT seq, kind, symbol, data, signal, at FROM events WHERE seq > ? ORDER BY seq \
             LIMIT CAST(? AS INTEGER)",
            &[since.into(), limit.into()],
        )?
        .iter()
        .map(logged)
        .collect()
    }
}

impl Logged {
    /// The event as it was first sent.
    pub fn frame(&self) -> Frame {
        server::event(self.kind.as_str(), &self.data, self.at, self.seq)
    }
}

fn logged(row: &Row) -> Result<Logged, SqlError> {
    Ok(Logged {
        seq: row.integer(0)?,
        kind: row.parsed(1, "a kind of event")?,
        symbol: Symbol::logged(row.text(2)?).map_err(|_| SqlError::Decode {
            column: 2,
            expected: "a symbol",
        })?,
        data: raw(row, 3)?,
        signal: if row.is_null(4) {
            None
        } else {
            Some(raw(row, 4)?)
        },
        at: Millis(row.integer(5)?),
    })
}

/// A text column that holds JSON, passed on unread.
///
/// # Errors
/// [`SqlError::Decode`] when it is not JSON.
pub fn raw(row: &Row, column: usize) -> Result<Box<RawValue>, SqlError> {
    RawValue::from_string(row.text(column)?.to_owned()).map_err(|_| SqlError::Decode {
        column,
        expected: "JSON",
    })
}

/// Plain data as JSON that is stored and passed on.
pub fn json(value: &impl serde::Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("plain data with string keys always serialises")
}
