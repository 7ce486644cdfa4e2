//! How a room shows its record, and checks it in parts that fit a turn.

use super::call::{Page, Reject, Reply, Slice};
use super::name::RoomName;
use super::{Failure, Room};
use crate::audit::{Breach, Broken, Checked, Head, Known, follow};
use crate::store::audit::{self, Unreadable};
use crate::store::{MAX_SAFE_INTEGER, Sql, SqlError};
use crate::wire::limits::{MAX_CHECKED, MAX_WITNESSED};

impl Room {
    /// The record, a page at a time. A row that cannot be read any more is left out; a check
    /// names it.
    pub(super) fn audit(
        &self,
        oldest_first: bool,
        page: Page,
        sql: &dyn Sql,
    ) -> Result<Reply, Failure> {
        if !self.created {
            return Err(Reject::UnknownSymbol.into());
        }
        let limit = i64::from(page.limit) + 1;
        let mut rows = if oldest_first {
            let after = page.cursor.unwrap_or(-MAX_SAFE_INTEGER);
            audit::after(&self.name, after, limit, sql)?
        } else {
            let before = page.cursor.unwrap_or(MAX_SAFE_INTEGER);
            audit::before(&self.name, before, limit, sql)?
        };
        let more = rows.len() > page.limit as usize;
        rows.truncate(page.limit as usize);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| match row {
            Ok(record) => record.n,
            Err(Unreadable { n }) => *n,
        });
        Ok(Reply::Audit(Slice {
            items: rows.into_iter().filter_map(Result::ok).collect(),
            next,
        }))
    }

    /// Checks what comes after `from`, and where the record ends if that is reached.
    pub(super) fn check_audit(
        &self,
        from: Head,
        until: Option<i64>,
        witnessed: &[Head],
        sql: &dyn Sql,
    ) -> Result<Reply, Failure> {
        if !self.created && witnessed.is_empty() {
            return Err(Reject::UnknownSymbol.into());
        }
        let known = Known {
            noted: audit::noted(sql)?.map(|tip| tip.head),
            witnessed,
        };
        // Whoever put a row before the first one is found, too.
        let after = if from.n == 0 {
            -MAX_SAFE_INTEGER
        } else {
            from.n
        };
        let rows = audit::after(&self.name, after, MAX_CHECKED, sql)?;
        let full = i64::try_from(rows.len()).is_ok_and(|rows| rows >= MAX_CHECKED);
        let mut checked = Checked {
            head: from,
            more: full,
            broken: None,
        };
        for row in rows {
            let found = match row {
                Ok(record) => follow(&checked.head, &record),
                Err(Unreadable { n }) => Err(Broken {
                    n,
                    reason: Breach::Changed,
                }),
            };
            match found.and_then(|head| known.check(&head).map(|()| head)) {
                Ok(head) => checked.head = head,
                Err(broken) => {
                    checked.broken = Some(broken);
                    checked.more = false;
                    return Ok(Reply::AuditChecked(checked));
                }
            }
            if until == Some(checked.head.n) {
                checked.more = true;
                return Ok(Reply::AuditChecked(checked));
            }
        }
        if !full {
            checked.broken = known.check_end(&checked.head).err();
        }
        Ok(Reply::AuditChecked(checked))
    }
}

/// What the feed was told of these rooms' records.
pub(super) fn witnessed(
    rooms: &[(RoomName, i64)],
    sql: &dyn Sql,
) -> Result<Vec<Vec<Head>>, SqlError> {
    let of_room =
        |(room, n): &(RoomName, i64)| audit::witnessed_after(room, *n, MAX_WITNESSED, sql);
    rooms.iter().map(of_room).collect()
}
