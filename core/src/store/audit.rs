//! The record in a room's database: rows that are only ever added, and the head beside them.

use serde::{Deserialize, Serialize};

use super::{Columns, Row, Sql, SqlError, Statement};
use crate::audit::{Hash, Head, Record};
use crate::room::log::{json, raw};
use crate::room::name::RoomName;
use crate::time::Millis;

/// Where a room notes its newest row: a row cut off the end is missed.
const HEAD: &str = "audit";

/// The newest row, and the row that began the current epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// The newest row.
    pub head: Head,
    /// The row that began the epoch, 0 in a room's first.
    pub since: i64,
}

/// Adds a row, and notes that it is the newest.
pub fn append(record: &Record, since: i64) -> [Statement; 2] {
    let head = Head {
        n: record.n,
        hash: record.hash,
    };
    [
        Statement::new(
            "INSERT INTO audit (n, at, sub, role, ip, user_agent, action, details, v, prev, hash) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            vec![
                record.n.into(),
                record.at.0.into(),
                record.sub.as_str().into(),
                record.role.as_str().into(),
                record.ip.as_deref().into(),
                record.user_agent.as_deref().into(),
                record.action.as_str().into(),
                record.details.get().into(),
                record.v.into(),
                record.prev.to_string().into(),
                record.hash.to_string().into(),
            ],
        ),
        Statement::new(
            "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
            vec![
                HEAD.into(),
                format!("{} {} {since}", head.n, head.hash).into(),
            ],
        ),
    ]
}

/// What was noted of the newest row; none before the first, or where that cannot be read.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn noted(sql: &dyn Sql) -> Result<Option<Tip>, SqlError> {
    let rows = sql.query("SELECT value FROM meta WHERE key = ?", &[HEAD.into()])?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let mut parts = row.text(0)?.split(' ');
    let (n, hash, since) = (parts.next(), parts.next(), parts.next());
    Ok(n.and_then(|n| n.parse().ok())
        .zip(hash.and_then(|hash| hash.parse().ok()))
        .zip(since.and_then(|since| since.parse().ok()))
        .map(|((n, hash), since)| Tip {
            head: Head { n, hash },
            since,
        }))
}

/// The row after which the next is added: the newest noted or there, whichever is later. What
/// somebody did to the rows must not stop the room; a check of the chain names it.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn tip(sql: &dyn Sql) -> Result<Tip, SqlError> {
    let noted = noted(sql)?.unwrap_or(Tip {
        head: Head::START,
        since: 0,
    });
    let rows = sql.query("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1", &[])?;
    let Some(row) = rows.first() else {
        return Ok(noted);
    };
    let n = row.integer(0)?;
    if n <= noted.head.n {
        return Ok(noted);
    }
    let hash = row.text(1)?.parse().unwrap_or(Hash::ZERO);
    Ok(Tip {
        head: Head { n, hash },
        ..noted
    })
}

/// Rows as [`record`] reads them, in some order.
macro_rules! rows {
    ($which:literal) => {
        concat!(
            "SELECT n, at, sub, role, ip, user_agent, action, details, v, prev, hash FROM audit ",
            "WHERE ",
            $which,
            " LIMIT CAST(? AS INTEGER)"
        )
    };
}

fn read(
    room: &RoomName,
    rows: &str,
    n: i64,
    limit: i64,
    sql: &dyn Sql,
) -> Result<Vec<Result<Record, Unreadable>>, SqlError> {
    let rows = sql.query(rows, &[n.into(), limit.into()])?;
    rows.iter().map(|row| readable(room, row)).collect()
}

/// Up to `limit` rows after `n`, oldest first.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn after(
    room: &RoomName,
    n: i64,
    limit: i64,
    sql: &dyn Sql,
) -> Result<Vec<Result<Record, Unreadable>>, SqlError> {
    read(room, rows!("n > ? ORDER BY n"), n, limit, sql)
}

/// Up to `limit` rows before `n`, newest first.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn before(
    room: &RoomName,
    n: i64,
    limit: i64,
    sql: &dyn Sql,
) -> Result<Vec<Result<Record, Unreadable>>, SqlError> {
    read(room, rows!("n < ? ORDER BY n DESC"), n, limit, sql)
}

/// A row that holds something no row of ours does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// Its place.
    pub n: i64,
}

fn readable(room: &RoomName, row: &Row) -> Result<Result<Record, Unreadable>, SqlError> {
    let n = row.integer(0)?;
    Ok(record(room, row).map_err(|_| Unreadable { n }))
}

fn record(room: &RoomName, row: &Row) -> Result<Record, SqlError> {
    let details = raw(row, 7)?;
    // Spaces around it are lost on the way, and no row of ours has them.
    if details.get() != row.text(7)? {
        return Err(SqlError::Decode {
            column: 7,
            expected: "JSON alone",
        });
    }
    Ok(Record {
        action: row.text(6)?.to_owned(),
        at: Millis(row.integer(1)?),
        details,
        hash: row.parsed(10, "a hash")?,
        ip: row.maybe_text(4)?.map(str::to_owned),
        n: row.integer(0)?,
        prev: row.parsed(9, "a hash")?,
        role: row.text(3)?.to_owned(),
        room: room.clone(),
        sub: row.text(2)?.to_owned(),
        user_agent: row.maybe_text(5)?.map(str::to_owned),
        v: row.integer(8)?,
    })
}

/// The newest row of `name`'s record that the feed was told of, 0 before the first.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn witnessed(name: &RoomName, sql: &dyn Sql) -> Result<i64, SqlError> {
    let rows = sql.query(
        "SELECT MAX(n) FROM witnessed WHERE name = ?",
        &[name.to_string().into()],
    )?;
    let newest = rows.first().map(|row| row.maybe_integer(0));
    Ok(newest.transpose()?.flatten().unwrap_or(0))
}

/// The rows of `name`'s record after `n` that the feed was told of, ascending, at most `limit`.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn witnessed_after(
    name: &RoomName,
    n: i64,
    limit: i64,
    sql: &dyn Sql,
) -> Result<Vec<Head>, SqlError> {
    let rows = sql.query(
        "SELECT n, hash FROM witnessed WHERE name = ? AND n > ? ORDER BY n \
         LIMIT CAST(? AS INTEGER)",
        &[name.to_string().into(), n.into(), limit.into()],
    )?;
    rows.iter()
        .map(|row| {
            Ok(Head {
                n: row.integer(0)?,
                // What the feed was told and somebody made unreadable fits no row.
                hash: row.text(1)?.parse().unwrap_or(Hash::ZERO),
            })
        })
        .collect()
}

/// Remembers what a room's newest row is. What is known of that place stays: it is what the room
/// said first.
pub fn witness(name: &RoomName, epoch: &str, head: &Head) -> Statement {
    Statement::new(
        "INSERT OR IGNORE INTO witnessed (name, n, hash, epoch) VALUES (?, ?, ?, ?)",
        vec![
            name.to_string().into(),
            head.n.into(),
            head.hash.to_string().into(),
            epoch.into(),
        ],
    )
}

/// Forgets the rows from `n` on that were told of in these epochs: the record goes on from a
/// backup that has not got them.
pub fn forget_from(name: &RoomName, n: i64, epochs: &[&str]) -> Statement {
    Statement::new(
        "DELETE FROM witnessed WHERE name = ? AND n >= ? \
         AND epoch IN (SELECT value FROM json_each(?))",
        vec![
            name.to_string().into(),
            n.into(),
            json(&epochs).get().into(),
        ],
    )
}
