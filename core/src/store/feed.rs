//! The feed's database: latest signals, everybody's decisions, sources and the city state.

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::signals::{bounds, by_and_times, maybe_date, maybe_parsed, slice, trust_values, trusts};
use super::{Columns, Row, Sql, SqlError, Statement, Value};
use crate::market::marks::Marks;
use crate::room::call::{ApprovalFilter, City, Entry, Page, RoomState, Slice, Stale, Trusts};
use crate::room::log::{json, raw};
use crate::room::name::RoomName;
use crate::room::signal::{Approval, Status};
use crate::room::socket::Filter;
use crate::symbol::Symbol;
use crate::time::Millis;

/// What the feed knows of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Epoch of the source's log.
    pub epoch: String,
    /// When that began.
    pub born: Millis,
    /// Newest event held.
    pub seq: i64,
    /// Where that event is in the feed's log.
    pub feed_seq: i64,
    /// The source's state.
    pub state: RoomState,
}

/// What the feed knows of `name`.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn source(name: &RoomName, sql: &dyn Sql) -> Result<Option<Source>, SqlError> {
    sql.query(
        "SELECT epoch, seq, feed_seq, version, dirty, unslug, fear, flow, last_bar, born, first_bar, \
         provisional, filled, missing, marks FROM sources WHERE name = ?",
        &[name.to_string().into()],
    )?
    .first()
    .map(|row| {
        Ok(Source {
            epoch: row.text(0)?.to_owned(),
            born: Millis(row.integer(9)?),
            seq: row.integer(1)?,
            feed_seq: row.integer(2)?,
            state: RoomState {
                version: row.integer(3)?,
                dirty: row.integer(4)? == 1,
                trusts: trusts(row, 5)?,
                last_bar: maybe_date(row, 8)?,
                first_bar: maybe_date(row, 10)?,
                provisional: row.integer(11)? == 1,
                filled: row.integer(12)? == 1,
                missing: maybe_date(row, 13)?,
                marks: maybe_parsed(row, 14, "marks")?,
            },
        })
    })
    .transpose()
}

/// Whether `epoch` is one of `name` that has ended.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn is_retired(name: &RoomName, epoch: &str, sql: &dyn Sql) -> Result<bool, SqlError> {
    let rows = sql.query(
        "SELECT 1 FROM retired WHERE name = ? AND epoch = ?",
        &[name.to_string().into(), epoch.into()],
    )?;
    Ok(!rows.is_empty())
}

/// Remembers that an epoch of `name` has ended.
pub fn retire(name: &RoomName, epoch: &str) -> Statement {
    Statement::new(
        "INSERT OR IGNORE INTO retired (name, epoch) VALUES (?, ?)",
        vec![name.to_string().into(), epoch.into()],
    )
}

/// Stores what the feed knows of `name`, which was heard of at `now`.
pub fn save_source(name: &RoomName, source: &Source, now: Millis) -> Statement {
    let mut args: Vec<Value> = vec![
        name.to_string().into(),
        source.epoch.as_str().into(),
        source.seq.into(),
        source.feed_seq.into(),
        source.state.version.into(),
        i64::from(source.state.dirty).into(),
    ];
    args.extend(trust_values(source.state.trusts));
    args.push(source.state.last_bar.map(|date| date.to_string()).into());
    args.push(now.0.into());
    args.push(source.born.0.into());
    let date = |date: Option<NaiveDate>| date.map(|date| date.to_string()).into();
    args.push(date(source.state.first_bar));
    args.push(i64::from(source.state.provisional).into());
    args.push(i64::from(source.state.filled).into());
    args.push(date(source.state.missing));
    args.push(source.state.marks.as_ref().map(Marks::to_string).into());
    Statement::new(
        "INSERT OR REPLACE INTO sources (name, epoch, seq, feed_seq, version, dirty, unslug, \
         fear, flow, last_bar, looked_at, born, first_bar, provisional, filled, missing, marks) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        args,
    )
}

/// Symbols with bars no run has looked at, at most `limit`.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn dirty(limit: i64, sql: &dyn Sql) -> Result<Vec<Symbol>, SqlError> {
    let rows = sql.query(
        "SELECT name FROM sources WHERE dirty = 1 ORDER BY name LIMIT CAST(? AS INTEGER)",
        &[limit.into()],
    )?;
    rows.iter().map(symbol_of).collect()
}

/// The symbol whose room's name is in the first column.
fn symbol_of(row: &Row) -> Result<Symbol, SqlError> {
    let expected = "the name of a symbol's room";
    match row.parsed(0, expected)? {
        RoomName::Symbol(symbol) => Ok(symbol),
        RoomName::Feed => Err(SqlError::Decode {
            column: 0,
            expected,
        }),
    }
}

/// Symbols with nothing for a run to do that were last heard of or looked at before `since`, the
/// longest ago first, at most `limit`.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn unheard(since: Millis, limit: i64, sql: &dyn Sql) -> Result<Vec<Symbol>, SqlError> {
    let rows = sql.query(
        "SELECT name FROM sources WHERE looked_at < ? AND dirty = 0 ORDER BY looked_at, name \
         LIMIT CAST(? AS INTEGER)",
        &[since.0.into(), limit.into()],
    )?;
    rows.iter().map(symbol_of).collect()
}

/// Those of `symbols` that the feed has heard of.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn known(symbols: &[Symbol], sql: &dyn Sql) -> Result<Vec<Symbol>, SqlError> {
    let rows = sql.query(
        "SELECT name FROM sources WHERE name IN (SELECT value FROM json_each(?))",
        &[rooms(symbols)],
    )?;
    rows.iter().map(symbol_of).collect()
}

/// The names of these symbols' rooms, as one value.
pub(super) fn rooms(symbols: &[Symbol]) -> Value {
    let names: Vec<RoomName> = symbols.iter().cloned().map(RoomName::Symbol).collect();
    json(&names).get().into()
}

/// Remembers that these symbols' rooms are looked at now.
pub fn looked_at(symbols: &[Symbol], now: Millis) -> Statement {
    Statement::new(
        "UPDATE sources SET looked_at = ? WHERE name IN (SELECT value FROM json_each(?))",
        vec![now.0.into(), rooms(symbols)],
    )
}

/// Symbols heard of without a bar since `due`, at most `limit`.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn stale(due: NaiveDate, limit: i64, sql: &dyn Sql) -> Result<Vec<Stale>, SqlError> {
    let rows = sql.query(
        "SELECT name, last_bar FROM sources WHERE last_bar IS NULL OR last_bar < ? ORDER BY name \
         LIMIT CAST(? AS INTEGER)",
        &[due.to_string().into(), limit.into()],
    )?;
    rows.iter()
        .map(|row| {
            Ok(Stale {
                symbol: symbol_of(row)?,
                last_bar: maybe_date(row, 1)?,
            })
        })
        .collect()
}

/// The symbols the feed knows, by name; the cursor counts those already shown.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn sources(page: Page, sql: &dyn Sql) -> Result<Slice<Symbol>, SqlError> {
    let shown = page.cursor.unwrap_or(0);
    let limit = i64::from(page.limit);
    let rows = sql.query(
        "SELECT name FROM sources ORDER BY name LIMIT CAST(? AS INTEGER) OFFSET CAST(? AS INTEGER)",
        &[(limit + 1).into(), shown.into()],
    )?;
    let mut items: Vec<Symbol> = rows.iter().map(symbol_of).collect::<Result<_, _>>()?;
    let more = items.len() > page.limit as usize;
    items.truncate(page.limit as usize);
    Ok(Slice {
        items,
        next: more.then_some(shown + limit),
    })
}

/// The symbols the feed knows after `after`, by name, at most `limit`.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn sources_after(
    after: Option<&Symbol>,
    limit: u32,
    sql: &dyn Sql,
) -> Result<Vec<Symbol>, SqlError> {
    let after = after.map(|symbol| RoomName::Symbol(symbol.clone()).to_string());
    let rows = sql.query(
        "SELECT name FROM sources WHERE name > ? ORDER BY name LIMIT CAST(? AS INTEGER)",
        &[after.unwrap_or_default().into(), i64::from(limit).into()],
    )?;
    rows.iter().map(symbol_of).collect()
}

/// The trusts of all symbols that have all three, in the order of their names: sums of them
/// are the same on every runtime.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn all_trusts(sql: &dyn Sql) -> Result<Vec<Trusts>, SqlError> {
    let rows = sql.query(
        "SELECT unslug, fear, flow FROM sources WHERE unslug IS NOT NULL ORDER BY name",
        &[],
    )?;
    let all: Result<Vec<_>, _> = rows.iter().map(|row| trusts(row, 0)).collect();
    Ok(all?.into_iter().flatten().collect())
}

#[derive(Deserialize)]
struct Shown {
    status: Status,
    combined_trust: f64,
}

/// The statements that bring the lists up to date with an event that is `seq` in the feed's log.
///
/// # Errors
/// [`SqlError::Decode`] when the source sent something else than signals and decisions.
pub fn apply(symbol: &Symbol, entry: &Entry, seq: i64) -> Result<Vec<Statement>, SqlError> {
    let shown: Shown = serde_json::from_str(entry.signal.get()).map_err(|_| SqlError::Decode {
        column: 0,
        expected: "a signal",
    })?;
    let mut statements = vec![Statement::new(
        "INSERT OR REPLACE INTO latest (symbol, seq, status, trust, signal) \
         VALUES (?, ?, ?, ?, ?)",
        vec![
            symbol.as_str().into(),
            seq.into(),
            shown.status.as_str().into(),
            shown.combined_trust.into(),
            entry.signal.get().into(),
        ],
    )];
    match entry.kind {
        crate::room::call::EventKind::NewSignal => {}
        crate::room::call::EventKind::ApprovalNotification => {
            let approval: Approval =
                serde_json::from_str(entry.data.get()).map_err(|_| SqlError::Decode {
                    column: 0,
                    expected: "a decision",
                })?;
            statements.push(Statement::new(
                "INSERT INTO approvals (seq, symbol, sub, at, data) VALUES (?, ?, ?, ?, ?)",
                vec![
                    seq.into(),
                    symbol.as_str().into(),
                    approval.approved_by.as_str().into(),
                    approval.approved_at.0.into(),
                    entry.data.get().into(),
                ],
            ));
        }
    }
    Ok(statements)
}

/// The latest signal of each symbol before `page.cursor`, newest event first.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn signals(
    status: Option<Status>,
    page: Page,
    sql: &dyn Sql,
) -> Result<Slice<Box<RawValue>>, SqlError> {
    let (before, limit) = bounds(page);
    let status: Value = status.map(Status::as_str).into();
    let rows = sql.query(
        "SELECT signal, seq FROM latest WHERE seq < ? AND (? IS NULL OR status = ?) \
         ORDER BY seq DESC LIMIT CAST(? AS INTEGER)",
        &[before, status.clone(), status, limit],
    )?;
    slice(&rows, page, 1, |row| raw(row, 0))
}

/// The signals of a snapshot: what a socket follows, newest event first.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn snapshot(
    filter: &Filter,
    limit: u32,
    sql: &dyn Sql,
) -> Result<Vec<Box<RawValue>>, SqlError> {
    let (symbols, only) = match filter {
        Filter::Only(symbols) => (symbols, 1),
        Filter::AllBut(symbols) => (symbols, 0),
    };
    let rows = sql.query(
        "SELECT signal FROM latest WHERE (symbol IN (SELECT value FROM json_each(?))) = \
         CAST(? AS INTEGER) ORDER BY seq DESC LIMIT CAST(? AS INTEGER)",
        &[
            json(symbols).get().into(),
            only.into(),
            i64::from(limit).into(),
        ],
    )?;
    rows.iter().map(|row| raw(row, 0)).collect()
}

/// The best `n` by combined trust.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn top(n: u32, sql: &dyn Sql) -> Result<Vec<Box<RawValue>>, SqlError> {
    let rows = sql.query(
        "SELECT signal FROM latest ORDER BY trust DESC, symbol LIMIT CAST(? AS INTEGER)",
        &[i64::from(n).into()],
    )?;
    rows.iter().map(|row| raw(row, 0)).collect()
}

/// Everybody's decisions before `page.cursor`, newest first.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn approvals(
    filter: &ApprovalFilter,
    page: Page,
    sql: &dyn Sql,
) -> Result<Slice<Box<RawValue>>, SqlError> {
    let (before, limit) = bounds(page);
    let symbol: Value = filter.symbol.as_ref().map(Symbol::as_str).into();
    let mut args = vec![before, symbol.clone(), symbol];
    args.extend(by_and_times(filter));
    args.push(limit);
    let rows = sql.query(
        "SELECT data, seq FROM approvals WHERE seq < ? AND (? IS NULL OR symbol = ?) \
         AND (? IS NULL OR sub = ?) AND at >= ? AND at <= ? ORDER BY seq DESC \
         LIMIT CAST(? AS INTEGER)",
        &args,
    )?;
    slice(&rows, page, 1, |row| raw(row, 0))
}

/// The stored city state and when it is due for another look.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn city(sql: &dyn Sql) -> Result<Option<(City, Option<Millis>)>, SqlError> {
    sql.query("SELECT data, due_at FROM city", &[])?
        .first()
        .map(|row| {
            let city = serde_json::from_str(row.text(0)?).map_err(|_| SqlError::Decode {
                column: 0,
                expected: "a city state",
            })?;
            Ok((city, row.maybe_integer(1)?.map(Millis)))
        })
        .transpose()
}

/// Stores the city state and when it is due for another look.
pub fn save_city(city: &City, due_at: Option<Millis>) -> Statement {
    Statement::new(
        "INSERT OR REPLACE INTO city (id, data, due_at) VALUES (1, ?, ?)",
        vec![json(city).get().into(), due_at.map(|at| at.0).into()],
    )
}
