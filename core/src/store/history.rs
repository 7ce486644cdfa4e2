//! Where a symbol's bars came from, in its room's database.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::signals::{bounds, maybe_date, maybe_parsed, slice};
use super::{Columns, Sql, SqlError, Statement};
use crate::market::provider::Provider;
use crate::room::call::{BarRevision, Page, Slice};
use crate::room::log::json;
use crate::signals::Past;
use crate::time::parse_date;

/// Where the bars came from.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct History {
    /// Who had them last; none when all were sent.
    pub provider: Option<Provider>,
    /// Since which date a provider was asked for them.
    pub asked_from: Option<NaiveDate>,
    /// The one bar that was fetched before its session had ended.
    pub provisional: Option<NaiveDate>,
    /// What is known of the bars before the newest ones, where none of them is missing.
    pub past: Option<Past>,
}

impl History {
    /// Reads it.
    ///
    /// # Errors
    /// [`SqlError`] from the database.
    pub fn restore(sql: &dyn Sql) -> Result<Self, SqlError> {
        let rows = sql.query(
            "SELECT provider, asked_from, provisional, past FROM history",
            &[],
        )?;
        let Some(row) = rows.first() else {
            return Ok(Self::default());
        };
        Ok(Self {
            provider: maybe_parsed(row, 0, "a provider")?,
            asked_from: maybe_date(row, 1)?,
            provisional: maybe_date(row, 2)?,
            past: match row.is_null(3) {
                true => None,
                false => {
                    Some(
                        serde_json::from_str(row.text(3)?).map_err(|_| SqlError::Decode {
                            column: 3,
                            expected: "a past",
                        })?,
                    )
                }
            },
        })
    }

    /// Stores it.
    pub fn save(&self) -> Statement {
        Statement::new(
            "INSERT OR REPLACE INTO history (id, provider, asked_from, provisional, past) \
             VALUES (1, ?, ?, ?, ?)",
            vec![
                self.provider.map(Provider::as_str).into(),
                self.asked_from.map(|date| date.to_string()).into(),
                self.provisional.map(|date| date.to_string()).into(),
                self.past
                    .as_ref()
                    .map(|past| json(past).get().to_owned())
                    .into(),
            ],
        )
    }
}

/// The sessions that were asked for in vain.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn absent(sql: &dyn Sql) -> Result<BTreeSet<NaiveDate>, SqlError> {
    let rows = sql.query("SELECT date FROM absent", &[])?;
    let date = |row: &super::Row| {
        parse_date(row.text(0)?).ok_or(SqlError::Decode {
            column: 0,
            expected: "a date",
        })
    };
    rows.iter().map(date).collect()
}

/// Remembers that these sessions were asked for in vain.
pub fn note_absent(dates: &[NaiveDate]) -> Statement {
    let dates: Vec<String> = dates.iter().map(NaiveDate::to_string).collect();
    Statement::new(
        "INSERT OR IGNORE INTO absent (date) SELECT value FROM json_each(?)",
        vec![json(&dates).get().into()],
    )
}

/// Forgets a bar.
pub fn withdraw(date: NaiveDate) -> Statement {
    Statement::new(
        "DELETE FROM bars WHERE date = ?",
        vec![date.to_string().into()],
    )
}

/// Remembers a change of bars that were held.
pub fn revised(revision: &BarRevision) -> Statement {
    Statement::new(
        "INSERT INTO bar_revisions (data) VALUES (?)",
        vec![json(revision).get().into()],
    )
}

/// Changes before `page.cursor`, newest first.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn revisions(page: Page, sql: &dyn Sql) -> Result<Slice<BarRevision>, SqlError> {
    let (before, limit) = bounds(page);
    let rows = sql.query(
        "SELECT data, n FROM bar_revisions WHERE n < ? ORDER BY n DESC LIMIT CAST(? AS INTEGER)",
        &[before, limit],
    )?;
    slice(&rows, page, 1, |row| {
        serde_json::from_str(row.text(0)?).map_err(|_| SqlError::Decode {
            column: 0,
            expected: "a revision",
        })
    })
}

/// The newest `limit` closes, ascending.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn closes(limit: u32, sql: &dyn Sql) -> Result<Vec<(NaiveDate, f64)>, SqlError> {
    let rows = sql.query(
        "SELECT date, close FROM bars ORDER BY date DESC LIMIT CAST(? AS INTEGER)",
        &[i64::from(limit).into()],
    )?;
    let close = |row: &super::Row| {
        let date = parse_date(row.text(0)?).ok_or(SqlError::Decode {
            column: 0,
            expected: "a date",
        })?;
        Ok((date, row.real(1)?))
    };
    rows.iter().rev().map(close).collect()
}
