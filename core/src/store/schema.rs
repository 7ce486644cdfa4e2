//! Tables, as numbered steps that only go forward.
//!
//! A room's database starts empty and stays so until somebody is told something about it. The
//! version lives in a table because a Durable Object refuses `PRAGMA user_version`.

use super::{Columns, Sql, SqlError, Statement, Value};
use crate::room::name::RoomName;
use crate::time::Millis;

/// One version's statements.
type Step = &'static [&'static str];

/// Tables every room has.
const COMMON: [&str; 2] = [
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    // `signal` is the symbol's latest signal after the event, for the downstream.
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, symbol TEXT NOT NULL, \
     data TEXT NOT NULL, signal TEXT, at INTEGER NOT NULL) STRICT",
];

/// The epochs before this one, oldest first, each with the newest event the downstream was known
/// to have when it ended.
const LINEAGE: &str = "CREATE TABLE lineage (n INTEGER PRIMARY KEY, epoch TEXT NOT NULL, \
     seq INTEGER NOT NULL) STRICT";

/// Who did what, each row with the hash of the one before. Rows are only ever added.
const AUDIT: &str = "CREATE TABLE audit (n INTEGER PRIMARY KEY, at INTEGER NOT NULL, \
     sub TEXT NOT NULL, role TEXT NOT NULL, ip TEXT, user_agent TEXT, action TEXT NOT NULL, \
     details TEXT NOT NULL, v INTEGER NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL) STRICT";

/// Subjects whose tokens are refused when issued before that moment. In a symbol's room: those who
/// opened sockets there.
const REVOCATIONS: &str = "CREATE TABLE revocations (sub TEXT PRIMARY KEY, \
     before INTEGER NOT NULL) STRICT, WITHOUT ROWID";

const SYMBOL: &[Step] = &[
    SYMBOL_1,
    &[LINEAGE],
    SYMBOL_3,
    &[AUDIT],
    &[REVOCATIONS],
    SYMBOL_6,
    SYMBOL_7,
    SYMBOL_8,
];

// What a new bar is evaluated with, beside the newest ones.
const SYMBOL_8: Step = &["ALTER TABLE history ADD COLUMN past TEXT"];

const SYMBOL_7: Step = &[
    // Who had the bars last, since which date they were asked for, and the one bar that was fetched
    // before its session had ended.
    "CREATE TABLE history (id INTEGER PRIMARY KEY CHECK (id = 1), provider TEXT, asked_from TEXT, \
     provisional TEXT) STRICT",
    // Sessions that a provider was asked for in vain.
    "CREATE TABLE absent (date TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    "CREATE TABLE bar_revisions (n INTEGER PRIMARY KEY, data TEXT NOT NULL) STRICT",
    "ALTER TABLE signals ADD COLUMN provisional INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE outbox ADD COLUMN provisional INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE outbox ADD COLUMN filled INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE outbox ADD COLUMN missing TEXT",
    "ALTER TABLE outbox ADD COLUMN marks TEXT",
];

const SYMBOL_6: Step = &[
    // What is left of users' rates.
    "CREATE TABLE buckets (kind TEXT NOT NULL, sub TEXT NOT NULL, full_at INTEGER NOT NULL, \
     PRIMARY KEY (kind, sub)) STRICT, WITHOUT ROWID",
    "CREATE INDEX buckets_full ON buckets (full_at)",
];

const SYMBOL_3: Step = &[
    // What was answered under an `Idempotency-Key`, and a digest of what was asked.
    "CREATE TABLE answers (sub TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, \
     at INTEGER NOT NULL, reply TEXT NOT NULL, PRIMARY KEY (sub, key)) STRICT, WITHOUT ROWID",
    "CREATE INDEX answers_at ON answers (at)",
];

const SYMBOL_1: Step = &[
    COMMON[0],
    COMMON[1],
    "CREATE TABLE bars (date TEXT PRIMARY KEY, open REAL NOT NULL, high REAL NOT NULL, \
     low REAL NOT NULL, close REAL NOT NULL, volume REAL NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE signals (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, date TEXT NOT NULL, \
     revision INTEGER NOT NULL, computed_at INTEGER NOT NULL, status TEXT NOT NULL, \
     content TEXT NOT NULL) STRICT",
    "CREATE TABLE approvals (n INTEGER PRIMARY KEY, signal_id TEXT NOT NULL UNIQUE, \
     sub TEXT NOT NULL, at INTEGER NOT NULL, data TEXT NOT NULL) STRICT",
    "CREATE TABLE outbox (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL, \
     dirty INTEGER NOT NULL, unslug REAL, fear REAL, flow REAL, acked_seq INTEGER NOT NULL, \
     acked_version INTEGER NOT NULL, attempt INTEGER NOT NULL, retry_at INTEGER NOT NULL) STRICT",
];

const FEED: &[Step] = &[FEED_1, FEED_2, FEED_3, FEED_4, FEED_5, FEED_6];

// Symbols without a letter or digit, which earlier versions took: no address leads to them (`..` in
// a path means the folder above). Their events and decisions stay on record.
const FEED_6: Step = &[
    "DELETE FROM watchlist WHERE trim(symbol, '.^=-') = ''",
    "DELETE FROM errands WHERE trim(name, '.^=-') = ''",
    "DELETE FROM latest WHERE trim(symbol, '.^=-') = ''",
    "DELETE FROM visits WHERE trim(symbol, '.^=-') = ''",
    "DELETE FROM sources WHERE trim(substr(name, length('symbol/') + 1), '.^=-') = ''",
];

const FEED_5: Step = &[
    "ALTER TABLE sources ADD COLUMN first_bar TEXT",
    "ALTER TABLE sources ADD COLUMN provisional INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sources ADD COLUMN filled INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sources ADD COLUMN missing TEXT",
    "ALTER TABLE sources ADD COLUMN marks TEXT",
    // The desk's own watchlist, once `meta` says that there is one.
    "CREATE TABLE watchlist (symbol TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    // What is fetched, symbols and series: when it may be tried next, and how it went. Who works at
    // it has it until `claimed_until`.
    "CREATE TABLE errands (name TEXT PRIMARY KEY, due_at INTEGER NOT NULL, \
     claimed_until INTEGER NOT NULL, failures INTEGER NOT NULL, error TEXT, provider TEXT, \
     fetched_at INTEGER, validator TEXT) STRICT, WITHOUT ROWID",
    // What is left of a provider's rate, and until when it is left alone.
    "CREATE TABLE providers (name TEXT PRIMARY KEY, full_at INTEGER NOT NULL, \
     blocked_until INTEGER NOT NULL, failures INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE series (name TEXT PRIMARY KEY, data TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE market (id INTEGER PRIMARY KEY CHECK (id = 1), data TEXT NOT NULL) STRICT",
    "CREATE TABLE runs (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, idle INTEGER NOT NULL, \
     report TEXT NOT NULL) STRICT",
    "CREATE INDEX runs_idle ON runs (idle, n)",
];

const FEED_1: Step = &[
    COMMON[0],
    COMMON[1],
    "CREATE TABLE latest (symbol TEXT PRIMARY KEY, seq INTEGER NOT NULL, status TEXT NOT NULL, \
     trust REAL NOT NULL, signal TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE UNIQUE INDEX latest_by_seq ON latest (seq)",
    "CREATE INDEX latest_by_trust ON latest (trust)",
    "CREATE TABLE approvals (seq INTEGER PRIMARY KEY, symbol TEXT NOT NULL, sub TEXT NOT NULL, \
     at INTEGER NOT NULL, data TEXT NOT NULL) STRICT",
    "CREATE INDEX approvals_by_symbol ON approvals (symbol, seq)",
    "CREATE TABLE sources (name TEXT PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL, \
     feed_seq INTEGER NOT NULL, version INTEGER NOT NULL, dirty INTEGER NOT NULL, unslug REAL, \
     fear REAL, flow REAL) STRICT, WITHOUT ROWID",
    "CREATE INDEX sources_dirty ON sources (name) WHERE dirty = 1",
    "CREATE TABLE city (id INTEGER PRIMARY KEY CHECK (id = 1), data TEXT NOT NULL, \
     due_at INTEGER) STRICT",
];

const FEED_2: Step = &[
    LINEAGE,
    // Epochs of sources that have ended: what still comes from them came too late.
    "CREATE TABLE retired (name TEXT NOT NULL, epoch TEXT NOT NULL, PRIMARY KEY (name, epoch)) \
     STRICT, WITHOUT ROWID",
    "ALTER TABLE sources ADD COLUMN born INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sources ADD COLUMN last_bar TEXT",
    "ALTER TABLE sources ADD COLUMN looked_at INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX sources_looked_at ON sources (looked_at)",
];

const FEED_3: Step = &[
    AUDIT,
    // Rows of other rooms' records, as the feed was told of them in that epoch: a record that was
    // cut short or written anew differs from them.
    "CREATE TABLE witnessed (name TEXT NOT NULL, n INTEGER NOT NULL, hash TEXT NOT NULL, \
     epoch TEXT NOT NULL, PRIMARY KEY (name, n)) STRICT, WITHOUT ROWID",
];

const FEED_4: Step = &[
    REVOCATIONS,
    // In which symbols' rooms somebody opens sockets: these are told of a revocation.
    "CREATE TABLE visits (sub TEXT NOT NULL, symbol TEXT NOT NULL, PRIMARY KEY (sub, symbol)) \
     STRICT, WITHOUT ROWID",
    // Who may open a socket instead of a token's holder, once; `n` grows with time.
    "CREATE TABLE tickets (n INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, sub TEXT NOT NULL, \
     role TEXT NOT NULL, expires_at INTEGER NOT NULL, issued_at INTEGER, until INTEGER NOT NULL) \
     STRICT",
    "CREATE INDEX tickets_sub ON tickets (sub, n)",
    "CREATE INDEX tickets_until ON tickets (until)",
];

fn steps(name: &RoomName) -> &'static [Step] {
    match name {
        RoomName::Symbol(_) => SYMBOL,
        RoomName::Feed => FEED,
    }
}

/// The newest version of a room's tables.
fn newest(name: &RoomName) -> i64 {
    i64::try_from(steps(name).len()).expect("a handful of steps")
}

/// The identity of a room's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// Its name.
    pub name: String,
    /// When it began.
    pub born: Millis,
}

/// The statements that make a room from nothing, under `epoch`.
pub fn create(name: &RoomName, epoch: &Epoch) -> Vec<Statement> {
    let tables = steps(name).iter().copied().flatten();
    let mut statements: Vec<_> = tables.map(|sql| Statement::new(sql, vec![])).collect();
    let newest = newest(name).to_string();
    let born = epoch.born.0.to_string();
    for (key, value) in [
        ("schema", newest.as_str()),
        ("epoch", &epoch.name),
        ("born", &born),
    ] {
        statements.push(Statement::new(
            "INSERT INTO meta (key, value) VALUES (?, ?)",
            vec![key.into(), value.into()],
        ));
    }
    statements
}

/// Brings an existing room's tables up to date and returns its epoch; none for a room that was
/// never created.
///
/// # Errors
/// [`SqlError::NewerSchema`] for a database of a later version, which is left as it is.
pub fn open(name: &RoomName, sql: &dyn Sql) -> Result<Option<Epoch>, SqlError> {
    let exists = sql.query(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'meta'",
        &[],
    )?;
    if exists.is_empty() {
        return Ok(None);
    }
    let mut epoch = None;
    let mut version = 0;
    let mut born = Millis(0);
    for row in sql.query(
        "SELECT key, value FROM meta WHERE key IN ('schema', 'epoch', 'born')",
        &[],
    )? {
        match row.text(0)? {
            "epoch" => epoch = Some(row.text(1)?.to_owned()),
            "born" => born = Millis(row.parsed(1, "a time")?),
            _ => version = row.parsed(1, "a schema version")?,
        }
    }
    let known = newest(name);
    if version > known {
        return Err(SqlError::NewerSchema {
            found: version,
            known,
        });
    }
    if version < known {
        let done = usize::try_from(version).unwrap_or_default();
        sql.atomically(&mut || {
            for statement in steps(name)[done..].iter().copied().flatten() {
                sql.run(statement, &[])?;
            }
            sql.run(
                "UPDATE meta SET value = ? WHERE key = 'schema'",
                &[Value::Text(known.to_string())],
            )
        })?;
    }
    epoch
        .map(|name| Some(Epoch { name, born }))
        .ok_or(SqlError::Decode {
            column: 1,
            expected: "an epoch",
        })
}
