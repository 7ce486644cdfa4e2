//! Bars in the database: read in date order, written sixteen a statement.

use chrono::{Datelike, NaiveDate};

use super::{Columns, Row, Sql, SqlError, Statement, Value};
use crate::signals::bar::Bar;
use crate::time::parse_date;

/// Rows per statement: 16 × 6 parameters stay under the limit of 100.
const BATCH: usize = 16;

macro_rules! upsert {
    ($rows:expr) => {
        concat!(
            "INSERT INTO bars (date, open, high, low, close, volume) VALUES ",
            $rows,
            " ON CONFLICT (date) DO UPDATE SET open = excluded.open, high = excluded.high, \
             low = excluded.low, close = excluded.close, volume = excluded.volume"
        )
    };
}

const UPSERT_1: &str = upsert!("(?,?,?,?,?,?)");
const UPSERT_16: &str = upsert!(
    "(?,?,?,?,?,?),(?,?,?,?,?,?),(?,?,?,?,?,?),(?,?,?,?,?,?),\
     (?,?,?,?,?,?),(?,?,?,?,?,?),(?,?,?,?,?,?),(?,?,?,?,?,?),\
     (?,?,?,?,?,?),(?,?,?,?,?,?),(?,?,?,?,?,?),(?,?,?,?,?,?),\
     (?,?,?,?,?,?),(?,?,?,?,?,?),(?,?,?,?,?,?),(?,?,?,?,?,?)"
);

/// The statements that store `bars`, replacing those of the same date.
pub fn upsert(bars: &[Bar]) -> impl Iterator<Item = Statement> {
    let (batches, rest) = bars.as_chunks::<BATCH>();
    let batches = batches.iter().map(|batch| statement(UPSERT_16, batch));
    batches.chain(
        rest.iter()
            .map(|bar| statement(UPSERT_1, std::slice::from_ref(bar))),
    )
}

fn statement(sql: &'static str, bars: &[Bar]) -> Statement {
    let columns = |bar: &Bar| -> [Value; 6] {
        [
            bar.date.to_string().into(),
            bar.open.into(),
            bar.high.into(),
            bar.low.into(),
            bar.close.into(),
            bar.volume.into(),
        ]
    };
    Statement::new(sql, bars.iter().flat_map(columns).collect())
}

/// All bars from `from` to `to`, ascending; open ends mean no bound.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn between(
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    sql: &dyn Sql,
) -> Result<Vec<Bar>, SqlError> {
    slice(from, to, i64::from(i32::MAX), sql)
}

/// At most `limit` bars from `from` to `to`, ascending.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn slice(
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    limit: i64,
    sql: &dyn Sql,
) -> Result<Vec<Bar>, SqlError> {
    let from = from.unwrap_or(NaiveDate::MIN);
    // Text compares as dates do only with four-digit years.
    let bound = |date: NaiveDate, open: &str| {
        if (0..=9999).contains(&date.year()) {
            date.to_string()
        } else {
            open.to_owned()
        }
    };
    sql.query(
        "SELECT date, open, high, low, close, volume FROM bars WHERE date >= ? AND date <= ? \
         ORDER BY date LIMIT CAST(? AS INTEGER)",
        &[
            bound(from, "").into(),
            bound(to.unwrap_or(NaiveDate::MAX), "~").into(),
            limit.into(),
        ],
    )?
    .iter()
    .map(bar)
    .collect()
}

/// Whether any bar is held.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn any(sql: &dyn Sql) -> Result<bool, SqlError> {
    Ok(!sql.query("SELECT 1 FROM bars LIMIT 1", &[])?.is_empty())
}

fn bar(row: &Row) -> Result<Bar, SqlError> {
    Ok(Bar {
        date: parse_date(row.text(0)?).ok_or(SqlError::Decode {
            column: 0,
            expected: "a date",
        })?,
        open: row.real(1)?,
        high: row.real(2)?,
        low: row.real(3)?,
        close: row.real(4)?,
        volume: row.real(5)?,
    })
}
