//! Series and the market's mood, in the feed's database.

use std::collections::BTreeMap;

use super::signals::maybe_parsed;
use super::{Columns, Row, Sql, SqlError, Statement};
use crate::market::marks::Marks;
use crate::market::series::{Observation, Series};
use crate::room::call::Market;
use crate::room::log::json;
use crate::symbol::Symbol;

use super::feed::rooms;

/// The row that holds the benchmark's closes.
const BENCHMARK: &str = "benchmark";

/// Every series that is held, ascending by date.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn series(sql: &dyn Sql) -> Result<BTreeMap<Series, Vec<Observation>>, SqlError> {
    let mut all = BTreeMap::new();
    for series in Series::ALL {
        if let Some(values) = values(series.as_str(), sql)? {
            all.insert(series, values);
        }
    }
    Ok(all)
}

/// The benchmark's closes, ascending; empty when none are held.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn benchmark(sql: &dyn Sql) -> Result<Vec<Observation>, SqlError> {
    Ok(values(BENCHMARK, sql)?.unwrap_or_default())
}

/// One series.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn one(series: Series, sql: &dyn Sql) -> Result<Vec<Observation>, SqlError> {
    Ok(values(series.as_str(), sql)?.unwrap_or_default())
}

fn values(name: &str, sql: &dyn Sql) -> Result<Option<Vec<Observation>>, SqlError> {
    let rows = sql.query("SELECT data FROM series WHERE name = ?", &[name.into()])?;
    let read = |row: &Row| {
        serde_json::from_str(row.text(0)?).map_err(|_| SqlError::Decode {
            column: 0,
            expected: "a series",
        })
    };
    rows.first().map(read).transpose()
}

/// Stores a series.
pub fn save(series: Series, values: &[Observation]) -> Statement {
    save_as(series.as_str(), values)
}

/// Stores the benchmark's closes.
pub fn save_benchmark(values: &[Observation]) -> Statement {
    save_as(BENCHMARK, values)
}

fn save_as(name: &str, values: &[Observation]) -> Statement {
    Statement::new(
        "INSERT OR REPLACE INTO series (name, data) VALUES (?, ?)",
        vec![name.into(), json(&values).get().into()],
    )
}

/// The marks of those of `symbols` that have any, by name.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn marks(symbols: &[Symbol], sql: &dyn Sql) -> Result<Vec<Marks>, SqlError> {
    let rows = sql.query(
        "SELECT marks FROM sources WHERE name IN (SELECT value FROM json_each(?)) \
         AND marks IS NOT NULL ORDER BY name",
        &[rooms(symbols)],
    )?;
    let marks: Result<Vec<Option<Marks>>, _> = rows
        .iter()
        .map(|row| maybe_parsed(row, 0, "marks"))
        .collect();
    Ok(marks?.into_iter().flatten().collect())
}

/// The market's mood, as it was found last.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn mood(sql: &dyn Sql) -> Result<Option<Market>, SqlError> {
    let rows = sql.query("SELECT data FROM market", &[])?;
    let read = |row: &Row| {
        serde_json::from_str(row.text(0)?).map_err(|_| SqlError::Decode {
            column: 0,
            expected: "the market's mood",
        })
    };
    rows.first().map(read).transpose()
}

/// Stores the market's mood.
pub fn save_mood(market: &Market) -> Statement {
    Statement::new(
        "INSERT OR REPLACE INTO market (id, data) VALUES (1, ?)",
        vec![json(market).get().into()],
    )
}
