//! The storage seam: a synchronous `Sql` that rusqlite and Durable Object SQLite both implement.
//!
//! Everything that reads or writes a table is in this folder, as statements both databases run
//! alike: `STRICT` tables, no arithmetic on bare parameters, no booleans, at most 100 parameters,
//! integers within ±(2^53-1).

pub mod access;
pub mod answers;
pub mod audit;
pub mod bars;
pub mod buckets;
#[cfg(feature = "sql-cases")]
pub mod cases;
pub mod errands;
pub mod feed;
pub mod history;
pub mod market;
pub mod runs;
pub mod schema;
pub mod signals;
pub mod tickets;
pub mod watchlist;

/// The largest integer that survives a JavaScript number.
pub const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// The most parameters one statement may bind (a Durable Object's limit).
pub const MAX_PARAMETERS: usize = 100;

/// A value bound to or read from a statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// An integer within ±(2^53-1).
    Integer(i64),
    /// A finite floating-point number.
    Real(f64),
    /// Text.
    Text(String),
}

/// The columns of one result row, in the statement's order.
pub type Row = Vec<Value>;

/// What can go wrong below the seam. None of it is the caller's fault.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SqlError {
    /// The database refused the statement or the transaction.
    #[error("the database refused: {0}")]
    Refused(String),
    /// An integer that a JavaScript number would round.
    #[error("integer {0} is beyond 2^53-1")]
    OutOfRange(i64),
    /// More parameters than a Durable Object takes.
    #[error("{0} parameters, at most 100 are possible")]
    TooManyParameters(usize),
    /// A column did not hold what the code expects: the schema and the code disagree.
    #[error("column {column} is not {expected}")]
    Decode {
        /// Index of the column.
        column: usize,
        /// What was expected of it.
        expected: &'static str,
    },
    /// The database was written by a newer version of the product.
    #[error("the database has schema {found}, this version knows up to {known}")]
    NewerSchema {
        /// Version found in the file.
        found: i64,
        /// Newest version this code can read.
        known: i64,
    },
}

/// A database of one room. Synchronous on both runtimes.
pub trait Sql {
    /// Runs one statement for its effect.
    ///
    /// # Errors
    /// [`SqlError`] when the statement or an argument is refused.
    fn run(&self, sql: &str, args: &[Value]) -> Result<(), SqlError>;

    /// Runs one statement and returns all of its rows.
    ///
    /// # Errors
    /// [`SqlError`] when the statement or an argument is refused.
    fn query(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>, SqlError>;

    /// Runs `body` in one transaction: all of its writes last, or none.
    ///
    /// # Errors
    /// What `body` returned, after rolling back; or the commit's own failure.
    fn atomically(&self, body: &mut dyn FnMut() -> Result<(), SqlError>) -> Result<(), SqlError>;
}

/// The database of a room that was never created: nothing to read, nothing may be written.
#[derive(Debug, Clone, Copy)]
pub struct Blank;

impl Sql for Blank {
    fn run(&self, sql: &str, _args: &[Value]) -> Result<(), SqlError> {
        Err(SqlError::Refused(format!("no tables yet for {sql:?}")))
    }

    fn query(&self, _sql: &str, _args: &[Value]) -> Result<Vec<Row>, SqlError> {
        Ok(Vec::new())
    }

    fn atomically(&self, body: &mut dyn FnMut() -> Result<(), SqlError>) -> Result<(), SqlError> {
        body()
    }
}

/// A write decided on, not yet carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The statement's text.
    pub sql: &'static str,
    /// Its parameters in order.
    pub args: Vec<Value>,
}

impl Statement {
    /// A statement with its parameters.
    pub fn new(sql: &'static str, args: Vec<Value>) -> Self {
        Self { sql, args }
    }
}

/// Checks the rules both adapters enforce on what is bound.
///
/// # Errors
/// [`SqlError::TooManyParameters`] and [`SqlError::OutOfRange`].
pub fn check_args(args: &[Value]) -> Result<(), SqlError> {
    if args.len() > MAX_PARAMETERS {
        return Err(SqlError::TooManyParameters(args.len()));
    }
    for arg in args {
        match arg {
            Value::Integer(n) if n.unsigned_abs() > MAX_SAFE_INTEGER.unsigned_abs() => {
                return Err(SqlError::OutOfRange(*n));
            }
            Value::Real(x) if !x.is_finite() => {
                return Err(SqlError::Refused(format!("{x} is not a finite number")));
            }
            Value::Integer(_) | Value::Real(_) | Value::Text(_) | Value::Null => {}
        }
    }
    Ok(())
}

/// Reads typed columns of a row.
pub trait Columns {
    /// An integer column.
    ///
    /// # Errors
    /// [`SqlError::Decode`] when it holds something else.
    fn integer(&self, column: usize) -> Result<i64, SqlError>;
    /// A real column; a Durable Object returns 2.0 as the integer 2, so both are accepted.
    ///
    /// # Errors
    /// [`SqlError::Decode`] when it holds something else.
    fn real(&self, column: usize) -> Result<f64, SqlError>;
    /// A text column.
    ///
    /// # Errors
    /// [`SqlError::Decode`] when it holds something else.
    fn text(&self, column: usize) -> Result<&str, SqlError>;
    /// Whether the column is NULL (a column that is not there counts as NULL).
    fn is_null(&self, column: usize) -> bool;

    /// A real column that may be NULL.
    ///
    /// # Errors
    /// [`SqlError::Decode`] when it holds something else.
    fn maybe_real(&self, column: usize) -> Result<Option<f64>, SqlError> {
        if self.is_null(column) {
            Ok(None)
        } else {
            self.real(column).map(Some)
        }
    }

    /// An integer column that may be NULL.
    ///
    /// # Errors
    /// [`SqlError::Decode`] when it holds something else.
    fn maybe_integer(&self, column: usize) -> Result<Option<i64>, SqlError> {
        if self.is_null(column) {
            Ok(None)
        } else {
            self.integer(column).map(Some)
        }
    }

    /// A text column that may be NULL.
    ///
    /// # Errors
    /// [`SqlError::Decode`] when it holds something else.
    fn maybe_text(&self, column: usize) -> Result<Option<&str>, SqlError> {
        if self.is_null(column) {
            Ok(None)
        } else {
            self.text(column).map(Some)
        }
    }

    /// A text column parsed into `T`.
    ///
    /// # Errors
    /// [`SqlError::Decode`] naming `expected` when it does not parse.
    fn parsed<T: std::str::FromStr>(
        &self,
        column: usize,
        expected: &'static str,
    ) -> Result<T, SqlError> {
        self.text(column)?
            .parse()
            .map_err(|_| SqlError::Decode { column, expected })
    }
}

impl Columns for Row {
    fn integer(&self, column: usize) -> Result<i64, SqlError> {
        match self.get(column) {
            Some(Value::Integer(n)) => Ok(*n),
            _ => Err(SqlError::Decode {
                column,
                expected: "an integer",
            }),
        }
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "integers beyond 2^53-1 never get in"
    )]
    fn real(&self, column: usize) -> Result<f64, SqlError> {
        match self.get(column) {
            Some(Value::Real(x)) => Ok(*x),
            Some(Value::Integer(n)) => Ok(*n as f64),
            _ => Err(SqlError::Decode {
                column,
                expected: "a number",
            }),
        }
    }

    fn text(&self, column: usize) -> Result<&str, SqlError> {
        match self.get(column) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(SqlError::Decode {
                column,
                expected: "text",
            }),
        }
    }

    fn is_null(&self, column: usize) -> bool {
        matches!(self.get(column), Some(Value::Null) | None)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Integer(n)
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Self::Real(x)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
