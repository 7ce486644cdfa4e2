//! The desk's own watchlist, in the feed's database.

use super::{Columns, Row, Sql, SqlError, Statement};
use crate::room::log::json;
use crate::symbol::Symbol;

/// In `meta`: that the desk has a watchlist of its own.
const KEY: &str = "watchlist";

/// The desk's own watchlist by name; none while the configured one holds.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn own(sql: &dyn Sql) -> Result<Option<Vec<Symbol>>, SqlError> {
    let set = sql.query("SELECT 1 FROM meta WHERE key = ?", &[KEY.into()])?;
    if set.is_empty() {
        return Ok(None);
    }
    let rows = sql.query("SELECT symbol FROM watchlist ORDER BY symbol", &[])?;
    let symbol = |row: &Row| row.parsed(0, "a symbol");
    rows.iter().map(symbol).collect::<Result<_, _>>().map(Some)
}

/// Makes these the desk's own watchlist.
pub fn set(symbols: &[Symbol]) -> [Statement; 3] {
    [
        Statement::new(
            "INSERT OR REPLACE INTO meta (key, value) VALUES (?, 'desk')",
            vec![KEY.into()],
        ),
        Statement::new("DELETE FROM watchlist", vec![]),
        Statement::new(
            "INSERT OR IGNORE INTO watchlist (symbol) SELECT value FROM json_each(?)",
            vec![json(&symbols).get().into()],
        ),
    ]
}

/// Leaves it to the configured one.
pub fn reset() -> [Statement; 2] {
    [
        Statement::new("DELETE FROM meta WHERE key = ?", vec![KEY.into()]),
        Statement::new("DELETE FROM watchlist", vec![]),
    ]
}
