//! How much of their rates users have left, in a symbol's room. Full buckets are not kept.

use super::{Columns, Sql, SqlError, Statement};
use crate::rate::Bucket;
use crate::time::Millis;

/// What is left to `sub` for things of this kind.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn find(kind: &str, sub: &str, sql: &dyn Sql) -> Result<Bucket, SqlError> {
    let rows = sql.query(
        "SELECT full_at FROM buckets WHERE kind = ? AND sub = ?",
        &[kind.into(), sub.into()],
    )?;
    let held = rows.first().map(|row| row.integer(0).map(Bucket));
    held.unwrap_or(Ok(Bucket::FULL))
}

/// Keeps what is left, and forgets buckets that are full by now.
pub fn keep(kind: &str, sub: &str, bucket: Bucket, now: Millis) -> [Statement; 2] {
    [
        Statement::new(
            "DELETE FROM buckets WHERE full_at <= ?",
            vec![now.0.saturating_mul(1000).into()],
        ),
        Statement::new(
            "INSERT OR REPLACE INTO buckets (kind, sub, full_at) VALUES (?, ?, ?)",
            vec![kind.into(), sub.into(), bucket.0.into()],
        ),
    ]
}
