//! Past runs, in the feed's database.

use serde_json::value::RawValue;

use super::signals::{bounds, slice};
use super::{Sql, SqlError, Statement};
use crate::room::call::{Page, RunReport, Slice};
use crate::room::log::{json, raw};

/// Runs that are kept, those with nothing to do apart.
const KEPT: i64 = 500;

/// Runs with nothing to do that are kept: an hour's.
const KEPT_IDLE: i64 = 60;

/// Stores a run, in place of what was known of it, and forgets old ones.
pub fn keep(report: &RunReport, idle: bool) -> [Statement; 2] {
    let (idle, kept) = if idle { (1, KEPT_IDLE) } else { (0, KEPT) };
    [
        Statement::new(
            "INSERT INTO runs (id, idle, report) VALUES (?, ?, ?) \
             ON CONFLICT (id) DO UPDATE SET idle = excluded.idle, report = excluded.report",
            vec![
                report.id.as_str().into(),
                idle.into(),
                json(report).get().into(),
            ],
        ),
        Statement::new(
            "DELETE FROM runs WHERE n = (SELECT n FROM runs WHERE idle = CAST(? AS INTEGER) \
             ORDER BY n DESC LIMIT 1 OFFSET CAST(? AS INTEGER))",
            vec![idle.into(), kept.into()],
        ),
    ]
}

/// Runs before `page.cursor`, newest first.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn list(page: Page, sql: &dyn Sql) -> Result<Slice<Box<RawValue>>, SqlError> {
    let (before, limit) = bounds(page);
    let rows = sql.query(
        "SELECT report, n FROM runs WHERE n < ? ORDER BY n DESC LIMIT CAST(? AS INTEGER)",
        &[before, limit],
    )?;
    slice(&rows, page, 1, |row| raw(row, 0))
}
