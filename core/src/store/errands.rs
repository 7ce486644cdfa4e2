//! What is fetched, when it may be tried next and how it went, in the feed's database.

use std::fmt;
use std::str::FromStr;

use super::signals::maybe_parsed;
use super::{Columns, Row, Sql, SqlError, Statement, Value};
use crate::market::provider::{Provider, Validator};
use crate::market::series::Series;
use crate::rate::Bucket;
use crate::room::log::json;
use crate::room::name::RoomName;
use crate::symbol::Symbol;
use crate::time::Millis;

/// What can be fetched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A symbol's bars.
    Symbol(Symbol),
    /// A series.
    Series(Series),
}

const SERIES: &str = "series/";

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // As the symbol's room is called: the two are joined.
            Self::Symbol(symbol) => RoomName::Symbol(symbol.clone()).fmt(f),
            Self::Series(series) => write!(f, "{SERIES}{series}"),
        }
    }
}

/// The text names nothing that is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTarget;

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        if let Some(name) = text.strip_prefix(SERIES) {
            let named = |series: &Series| series.as_str() == name;
            let series = Series::ALL.into_iter().find(named);
            return series.map(Self::Series).ok_or(InvalidTarget);
        }
        match text.parse() {
            Ok(RoomName::Symbol(symbol)) => Ok(Self::Symbol(symbol)),
            Ok(RoomName::Feed) | Err(_) => Err(InvalidTarget),
        }
    }
}

/// How the fetching of something stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What.
    pub target: Target,
    /// When it may be tried next.
    pub due_at: Millis,
    /// Until when somebody works at it.
    pub claimed_until: Millis,
    /// Failed tries in a row.
    pub failures: u32,
    /// Why the last one failed.
    pub error: Option<String>,
    /// Who had it last.
    pub provider: Option<Provider>,
    /// When it came.
    pub fetched_at: Option<Millis>,
    /// For the next request.
    pub validator: Option<Validator>,
}

impl Standing {
    /// Of what was never tried.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            due_at: Millis(0),
            claimed_until: Millis(0),
            failures: 0,
            error: None,
            provider: None,
            fetched_at: None,
            validator: None,
        }
    }

    /// Stores it.
    pub fn save(&self) -> Statement {
        Statement::new(
            "INSERT OR REPLACE INTO errands (name, due_at, claimed_until, failures, error, \
             provider, fetched_at, validator) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            vec![
                self.target.to_string().into(),
                self.due_at.0.into(),
                self.claimed_until.0.into(),
                i64::from(self.failures).into(),
                self.error.clone().into(),
                self.provider.map(Provider::as_str).into(),
                self.fetched_at.map(|at| at.0).into(),
                self.validator
                    .as_ref()
                    .map(|it| json(it).get().to_owned())
                    .into(),
            ],
        )
    }
}

const COLUMNS: &str =
    "name, due_at, claimed_until, failures, error, provider, fetched_at, validator";

fn standing(row: &Row) -> Result<Standing, SqlError> {
    let expected = |column, expected| SqlError::Decode { column, expected };
    Ok(Standing {
        target: row
            .text(0)?
            .parse()
            .map_err(|InvalidTarget| expected(0, "something that is fetched"))?,
        due_at: Millis(row.integer(1)?),
        claimed_until: Millis(row.integer(2)?),
        failures: u32::try_from(row.integer(3)?).map_err(|_| expected(3, "a count"))?,
        error: row.maybe_text(4)?.map(str::to_owned),
        provider: maybe_parsed(row, 5, "a provider")?,
        fetched_at: row.maybe_integer(6)?.map(Millis),
        validator: row
            .maybe_text(7)?
            .map(serde_json::from_str)
            .transpose()
            .map_err(|_| expected(7, "a validator"))?,
    })
}

/// How these stand, in the order of their names; what was never tried is not among them.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn of(targets: &[Target], sql: &dyn Sql) -> Result<Vec<Standing>, SqlError> {
    let rows = sql.query(
        &format!(
            "SELECT {COLUMNS} FROM errands WHERE name IN (SELECT value FROM json_each(?)) \
             ORDER BY name"
        ),
        &[names(targets)],
    )?;
    rows.iter().map(standing).collect()
}

/// What was fetched, is none of `targets`, and nobody works at.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn others(targets: &[Target], now: Millis, sql: &dyn Sql) -> Result<Vec<Target>, SqlError> {
    let rows = sql.query(
        "SELECT name FROM errands WHERE name NOT IN (SELECT value FROM json_each(?)) \
         AND claimed_until <= CAST(? AS INTEGER)",
        &[names(targets), now.0.into()],
    )?;
    let target = |row: &Row| {
        row.text(0)?
            .parse()
            .map_err(|InvalidTarget| SqlError::Decode {
                column: 0,
                expected: "something that is fetched",
            })
    };
    rows.iter().map(target).collect()
}

fn names(targets: &[Target]) -> Value {
    let names: Vec<String> = targets.iter().map(Target::to_string).collect();
    json(&names).get().into()
}

/// Nobody fetches these any more.
pub fn drop(targets: &[Target]) -> Statement {
    Statement::new(
        "DELETE FROM errands WHERE name IN (SELECT value FROM json_each(?))",
        vec![names(targets)],
    )
}

/// How a provider stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderStanding {
    /// What is left of its rate.
    pub bucket: Bucket,
    /// Until when it is left alone.
    pub blocked_until: Millis,
    /// Runs in a row in which it was of no use.
    pub failures: u32,
}

/// How `provider` stands.
///
/// # Errors
/// [`SqlError`] from the database.
pub fn provider(provider: Provider, sql: &dyn Sql) -> Result<ProviderStanding, SqlError> {
    let rows = sql.query(
        "SELECT full_at, blocked_until, failures FROM providers WHERE name = ?",
        &[provider.as_str().into()],
    )?;
    let Some(row) = rows.first() else {
        return Ok(ProviderStanding {
            bucket: Bucket::FULL,
            blocked_until: Millis(0),
            failures: 0,
        });
    };
    Ok(ProviderStanding {
        bucket: Bucket(row.integer(0)?),
        blocked_until: Millis(row.integer(1)?),
        failures: u32::try_from(row.integer(2)?).unwrap_or(u32::MAX),
    })
}

/// Stores how `provider` stands.
pub fn save_provider(provider: Provider, standing: &ProviderStanding) -> Statement {
    Statement::new(
        "INSERT OR REPLACE INTO providers (name, full_at, blocked_until, failures) \
         VALUES (?, ?, ?, ?)",
        vec![
            provider.as_str().into(),
            standing.bucket.0.into(),
            standing.blocked_until.0.into(),
            i64::from(standing.failures).into(),
        ],
    )
}
