//! Answers kept for a day, so that a request sent twice is done once.

use serde::{Deserialize, Serialize};

use super::{Columns, Sql, SqlError, Statement};
use crate::room::call::{Position, RetryKey};
use crate::room::log::json;
use crate::room::signal::Approval;
use crate::time::Millis;

/// How long an answer is kept, milliseconds.
const KEPT: i64 = 24 * 3_600_000;

/// A decision's answer, as far as the room gave it.
#[derive(Debug)]
pub struct Held {
    /// Digest of what was asked.
    pub request: String,
    /// What was decided.
    pub approval: Approval,
    /// Where its event is in the room's log.
    pub room: Position,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    approval: Approval,
    room: Position,
}

/// What `sub` was answered under `key` within the last day.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn find(sub: &str, key: &str, now: Millis, sql: &dyn Sql) -> Result<Option<Held>, SqlError> {
    sql.query(
        "SELECT request, reply FROM answers WHERE sub = ? AND key = ? AND at > ?",
        &[sub.into(), key.into(), now.plus(-KEPT).0.into()],
    )?
    .first()
    .map(|row| {
        let kept: Kept = serde_json::from_str(row.text(1)?).map_err(|_| SqlError::Decode {
            column: 1,
            expected: "an answer",
        })?;
        Ok(Held {
            request: row.text(0)?.to_owned(),
            approval: kept.approval,
            room: kept.room,
        })
    })
    .transpose()
}

/// Keeps an answer, and forgets those that are too old.
pub fn keep(retry: &RetryKey, approval: &Approval, room: &Position) -> [Statement; 2] {
    let kept = Kept {
        approval: approval.clone(),
        room: room.clone(),
    };
    let at = approval.approved_at;
    [
        Statement::new(
            "DELETE FROM answers WHERE at <= ?",
            vec![at.plus(-KEPT).0.into()],
        ),
        Statement::new(
            "INSERT INTO answers (sub, key, request, at, reply) VALUES (?, ?, ?, ?, ?)",
            vec![
                approval.approved_by.as_str().into(),
                retry.key.as_str().into(),
                retry.request.as_str().into(),
                at.0.into(),
                json(&kept).get().into(),
            ],
        ),
    ]
}
