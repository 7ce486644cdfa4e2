//! Who was shut out, and which rooms hold somebody's sockets.

use super::{Columns, Sql, SqlError, Statement};
use crate::room::call::{Page, Slice};
use crate::symbol::Symbol;
use crate::time::Millis;

/// Before which moment tokens of `sub` must have been issued to be refused; none when they are
/// not.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn revoked_before(sub: &str, sql: &dyn Sql) -> Result<Option<Millis>, SqlError> {
    let rows = sql.query(
        "SELECT before FROM revocations WHERE sub = ?",
        &[sub.into()],
    )?;
    rows.first()
        .map(|row| row.integer(0).map(Millis))
        .transpose()
}

/// Refuses what was issued to `sub` before that moment, and before any that was named earlier.
pub fn revoke(sub: &str, before: Millis) -> Statement {
    Statement::new(
        "INSERT INTO revocations (sub, before) VALUES (?, ?) \
         ON CONFLICT (sub) DO UPDATE SET before = max(before, excluded.before)",
        vec![sub.into(), before.0.into()],
    )
}

/// Whether it is known that `sub` opens sockets in the symbol's room.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn visits(sub: &str, symbol: &Symbol, sql: &dyn Sql) -> Result<bool, SqlError> {
    let rows = sql.query(
        "SELECT 1 FROM visits WHERE sub = ? AND symbol = ?",
        &[sub.into(), symbol.as_str().into()],
    )?;
    Ok(!rows.is_empty())
}

/// Remembers that `sub` opens a socket in the symbol's room.
pub fn visit(sub: &str, symbol: &Symbol) -> Statement {
    Statement::new(
        "INSERT OR IGNORE INTO visits (sub, symbol) VALUES (?, ?)",
        vec![sub.into(), symbol.as_str().into()],
    )
}

/// The symbols in whose rooms `sub` ever opened a socket, by name; the cursor counts those already
/// shown.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn visited(sub: &str, page: Page, sql: &dyn Sql) -> Result<Slice<Symbol>, SqlError> {
    let shown = page.cursor.unwrap_or(0);
    let limit = i64::from(page.limit);
    let rows = sql.query(
        "SELECT symbol FROM visits WHERE sub = ? ORDER BY symbol LIMIT CAST(? AS INTEGER) \
         OFFSET CAST(? AS INTEGER)",
        &[sub.into(), (limit + 1).into(), shown.into()],
    )?;
    let symbols = rows.iter().map(|row| row.parsed(0, "a symbol"));
    let mut items: Vec<Symbol> = symbols.collect::<Result<_, _>>()?;
    let more = items.len() > page.limit as usize;
    items.truncate(page.limit as usize);
    Ok(Slice {
        items,
        next: more.then_some(shown + limit),
    })
}
