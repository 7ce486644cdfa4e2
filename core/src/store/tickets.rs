//! The feed's socket tickets: only their hashes, and none for long.

use super::{Columns, Sql, SqlError, Statement};
use crate::audit::Hash;
use crate::room::call::Holder;
use crate::time::Millis;

/// Open tickets of one subject; of more the oldest is forgotten.
const MAX_OPEN: i64 = 20;

/// Keeps a ticket of `holder` until that moment, and forgets what is too old or too many.
pub fn keep(ticket: Hash, holder: &Holder, until: Millis, now: Millis) -> [Statement; 3] {
    [
        Statement::new("DELETE FROM tickets WHERE until <= ?", vec![now.0.into()]),
        Statement::new(
            "DELETE FROM tickets WHERE sub = ? AND n NOT IN (SELECT n FROM tickets WHERE sub = ? \
             ORDER BY n DESC LIMIT CAST(? AS INTEGER))",
            vec![
                holder.sub.as_str().into(),
                holder.sub.as_str().into(),
                (MAX_OPEN - 1).into(),
            ],
        ),
        Statement::new(
            "INSERT INTO tickets (hash, sub, role, expires_at, issued_at, until) \
             VALUES (?, ?, ?, ?, ?, ?)",
            vec![
                ticket.to_string().into(),
                holder.sub.as_str().into(),
                holder.role.as_str().into(),
                holder.expires_at.0.into(),
                holder.issued_at.map(|at| at.0).into(),
                until.0.into(),
            ],
        ),
    ]
}

/// Whose ticket this is, while it is good.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn find(ticket: Hash, now: Millis, sql: &dyn Sql) -> Result<Option<Holder>, SqlError> {
    sql.query(
        "SELECT sub, role, expires_at, issued_at FROM tickets WHERE hash = ? AND until > ?",
        &[ticket.to_string().into(), now.0.into()],
    )?
    .first()
    .map(|row| {
        Ok(Holder {
            sub: row.text(0)?.to_owned(),
            role: row.parsed(1, "a role")?,
            expires_at: Millis(row.integer(2)?),
            issued_at: row.maybe_integer(3)?.map(Millis),
        })
    })
    .transpose()
}

/// Uses a ticket up.
pub fn take(ticket: Hash) -> Statement {
    Statement::new(
        "DELETE FROM tickets WHERE hash = ?",
        vec![ticket.to_string().into()],
    )
}

/// Forgets the tickets of a subject.
pub fn drop_of(sub: &str) -> Statement {
    Statement::new("DELETE FROM tickets WHERE sub = ?", vec![sub.into()])
}
