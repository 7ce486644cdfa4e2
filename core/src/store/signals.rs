//! Signals, decisions and the outbox's cursor in a symbol room's database.

use chrono::NaiveDate;

use super::{Columns, Row, Sql, SqlError, Statement, Value};
use crate::market::marks::Marks;
use crate::room::call::{ApprovalFilter, Page, RoomState, Slice, Trusts};
use crate::room::log::{json, raw};
use crate::room::signal::{Approval, Signal, SignalId, Status};
use crate::symbol::Symbol;
use crate::time::{Millis, parse_date};

const SELECT: &str = "SELECT s.id, s.date, s.revision, s.computed_at, s.status, s.content, a.data, \
     s.n, s.provisional FROM signals s LEFT JOIN approvals a ON a.signal_id = s.id \
     WHERE s.n < ? ORDER BY s.n DESC LIMIT CAST(? AS INTEGER)";

/// Revisions before `page.cursor`, newest first.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn history(symbol: &Symbol, page: Page, sql: &dyn Sql) -> Result<Slice<Signal>, SqlError> {
    let (before, limit) = bounds(page);
    let rows = sql.query(SELECT, &[before, limit])?;
    slice(&rows, page, 7, |row| signal(symbol, row))
}

/// The latest revision.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn latest(symbol: &Symbol, sql: &dyn Sql) -> Result<Option<Signal>, SqlError> {
    let page = Page {
        limit: 1,
        cursor: None,
    };
    Ok(history(symbol, page, sql)?.items.pop())
}

fn signal(symbol: &Symbol, row: &Row) -> Result<Signal, SqlError> {
    let stored = |column, expected| SqlError::Decode { column, expected };
    Ok(Signal {
        id: SignalId(row.text(0)?.to_owned()),
        symbol: symbol.clone(),
        date: parse_date(row.text(1)?).ok_or(stored(1, "a date"))?,
        revision: u32::try_from(row.integer(2)?).map_err(|_| stored(2, "a revision"))?,
        computed_at: Millis(row.integer(3)?),
        provisional: row.integer(8)? == 1,
        status: row.parsed(4, "a status")?,
        content: serde_json::from_str(row.text(5)?).map_err(|_| stored(5, "a signal"))?,
        approval: row
            .maybe_text(6)?
            .map(serde_json::from_str::<Approval>)
            .transpose()
            .map_err(|_| stored(6, "a decision"))?,
    })
}

/// Stores a new revision.
pub fn insert(signal: &Signal) -> Statement {
    Statement::new(
        "INSERT INTO signals (id, date, revision, computed_at, status, content, provisional) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        vec![
            signal.id.0.as_str().into(),
            signal.date.to_string().into(),
            i64::from(signal.revision).into(),
            signal.computed_at.0.into(),
            signal.status.as_str().into(),
            json(&signal.content).get().into(),
            i64::from(signal.provisional).into(),
        ],
    )
}

/// Changes a revision's status.
pub fn set_status(id: &SignalId, status: Status) -> Statement {
    Statement::new(
        "UPDATE signals SET status = ? WHERE id = ?",
        vec![status.as_str().into(), id.0.as_str().into()],
    )
}

/// Stores a decision.
pub fn insert_approval(approval: &Approval) -> Statement {
    Statement::new(
        "INSERT INTO approvals (signal_id, sub, at, data) VALUES (?, ?, ?, ?)",
        vec![
            approval.signal_id.0.as_str().into(),
            approval.approved_by.as_str().into(),
            approval.approved_at.0.into(),
            json(approval).get().into(),
        ],
    )
}

/// Decisions before `page.cursor`, newest first.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn approvals(
    filter: &ApprovalFilter,
    page: Page,
    sql: &dyn Sql,
) -> Result<Slice<Box<serde_json::value::RawValue>>, SqlError> {
    let (before, limit) = bounds(page);
    let mut args = vec![before];
    args.extend(by_and_times(filter));
    args.push(limit);
    let rows = sql.query(
        "SELECT data, n FROM approvals WHERE n < ? AND (? IS NULL OR sub = ?) \
         AND at >= ? AND at <= ? ORDER BY n DESC LIMIT CAST(? AS INTEGER)",
        &args,
    )?;
    slice(&rows, page, 1, |row| raw(row, 0))
}

/// The parameters of `(? IS NULL OR sub = ?) AND at >= ? AND at <= ?`.
pub(super) fn by_and_times(filter: &ApprovalFilter) -> [Value; 4] {
    [
        filter.by.clone().into(),
        filter.by.clone().into(),
        filter.from.map_or(0, |at| at.0).into(),
        filter.to.map_or(super::MAX_SAFE_INTEGER, |at| at.0).into(),
    ]
}

/// The parameters of a page: before what, and one row more than asked, to see whether there is
/// a next page.
pub(super) fn bounds(page: Page) -> (Value, Value) {
    let before = page.cursor.unwrap_or(super::MAX_SAFE_INTEGER);
    (before.into(), (i64::from(page.limit) + 1).into())
}

/// Decodes a page's rows; `key` is the column a cursor is made of.
pub(super) fn slice<T>(
    rows: &[Row],
    page: Page,
    key: usize,
    decode: impl Fn(&Row) -> Result<T, SqlError>,
) -> Result<Slice<T>, SqlError> {
    let limit = page.limit as usize;
    let shown = &rows[..rows.len().min(limit)];
    let next = match shown.last() {
        Some(last) if rows.len() > limit => Some(last.integer(key)?),
        Some(_) | None => None,
    };
    Ok(Slice {
        items: shown.iter().map(decode).collect::<Result<_, _>>()?,
        next,
    })
}

/// How far the downstream has the log, and when to try again.
#[derive(Debug, Clone, PartialEq)]
pub struct Outbox {
    /// The room's state, as the downstream is to know it.
    pub state: RoomState,
    /// Newest event the downstream has.
    pub acked_seq: i64,
    /// Newest state version the downstream has.
    pub acked_version: i64,
    /// Failed deliveries in a row.
    pub attempt: i64,
    /// When to look again, if anything is undelivered.
    pub retry_at: Millis,
}

impl Outbox {
    /// Of a room that was never created.
    pub fn empty() -> Self {
        Self {
            state: RoomState::default(),
            acked_seq: 0,
            acked_version: 0,
            attempt: 0,
            retry_at: Millis(0),
        }
    }

    /// Reads the cursor.
    ///
    /// # Errors
    /// [`SqlError`] from the database.
    pub fn restore(sql: &dyn Sql) -> Result<Self, SqlError> {
        let rows = sql.query(
            "SELECT version, dirty, unslug, fear, flow, acked_seq, acked_version, attempt, \
             retry_at, (SELECT MAX(date) FROM bars), (SELECT MIN(date) FROM bars), provisional, \
             filled, missing, marks FROM outbox",
            &[],
        )?;
        let Some(row) = rows.first() else {
            return Ok(Self::empty());
        };
        Ok(Self {
            state: RoomState {
                version: row.integer(0)?,
                dirty: row.integer(1)? == 1,
                trusts: trusts(row, 2)?,
                last_bar: maybe_date(row, 9)?,
                first_bar: maybe_date(row, 10)?,
                provisional: row.integer(11)? == 1,
                filled: row.integer(12)? == 1,
                missing: maybe_date(row, 13)?,
                marks: maybe_parsed(row, 14, "marks")?,
            },
            acked_seq: row.integer(5)?,
            acked_version: row.integer(6)?,
            attempt: row.integer(7)?,
            retry_at: Millis(row.integer(8)?),
        })
    }

    /// Stores the cursor.
    pub fn save(&self) -> Statement {
        let [unslug, fear, flow] = trust_values(self.state.trusts);
        Statement::new(
            "INSERT OR REPLACE INTO outbox (id, version, dirty, unslug, fear, flow, acked_seq, \
             acked_version, attempt, retry_at, provisional, filled, missing, marks) \
             VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            vec![
                self.state.version.into(),
                i64::from(self.state.dirty).into(),
                unslug,
                fear,
                flow,
                self.acked_seq.into(),
                self.acked_version.into(),
                self.attempt.into(),
                self.retry_at.0.into(),
                i64::from(self.state.provisional).into(),
                i64::from(self.state.filled).into(),
                self.state.missing.map(|date| date.to_string()).into(),
                self.state.marks.as_ref().map(Marks::to_string).into(),
            ],
        )
    }
}

/// The three nullable columns of [`Trusts`].
pub(super) fn trust_values(trusts: Option<Trusts>) -> [Value; 3] {
    [
        trusts.map(|t| t.unslug).into(),
        trusts.map(|t| t.fear).into(),
        trusts.map(|t| t.flow).into(),
    ]
}

/// A date column that may be NULL.
pub(super) fn maybe_date(row: &Row, column: usize) -> Result<Option<NaiveDate>, SqlError> {
    let expected = "a date";
    let date = row.maybe_text(column)?.map(parse_date);
    date.map(|date| date.ok_or(SqlError::Decode { column, expected }))
        .transpose()
}

/// A text column that may be NULL, parsed.
pub(super) fn maybe_parsed<T: std::str::FromStr>(
    row: &Row,
    column: usize,
    expected: &'static str,
) -> Result<Option<T>, SqlError> {
    let value = row.maybe_text(column)?.map(str::parse);
    value
        .transpose()
        .map_err(|_| SqlError::Decode { column, expected })
}

/// Reads [`Trusts`] from three columns.
pub(super) fn trusts(row: &Row, column: usize) -> Result<Option<Trusts>, SqlError> {
    let all = (
        row.maybe_real(column)?,
        row.maybe_real(column + 1)?,
        row.maybe_real(column + 2)?,
    );
    Ok(match all {
        (Some(unslug), Some(fear), Some(flow)) => Some(Trusts { unslug, fear, flow }),
        _ => None,
    })
}
