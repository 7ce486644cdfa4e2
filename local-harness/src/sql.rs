//! `Sql` over rusqlite, as strict as a Durable Object's database and with its numbers.
//!
//! What a Durable Object refuses is refused here, so that the fast tests fail first. Integers are
//! bound as floating-point numbers and whole numbers come back as integers, because that is what
//! passing through JavaScript does to them. The file appears with the first write: asking a room
//! that does not exist leaves nothing behind.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, Value as SqliteValue, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql, params_from_iter};
use signalroom_core::store::{
    MAX_PARAMETERS, MAX_SAFE_INTEGER, Row, Sql, SqlError, Value, check_args,
};

/// Largest row, text or statement result, bytes.
const MAX_LENGTH: i32 = 2_000_000;
/// Longest statement, bytes.
const MAX_STATEMENT: i32 = 100_000;
/// Columns of a table or result at most.
const MAX_COLUMNS: i32 = 100;
/// Arguments of an SQL function at most.
const MAX_FUNCTION_ARGS: i32 = 32;
/// Longest pattern of LIKE and GLOB, bytes.
const MAX_PATTERN: i32 = 50;

/// Pages that a connection keeps, KiB: a thousand rooms may be awake at once, and the system keeps
/// their files' pages as well.
const PAGE_CACHE_KIB: i64 = 64;

/// Prepared statements kept per room; the core has fewer.
const STATEMENT_CACHE: usize = 64;

/// The database of one room in one file.
#[derive(Debug)]
pub struct SqliteSql {
    path: PathBuf,
    open: OnceCell<Open>,
    /// Answers reads while there is no file.
    blank: OnceCell<Open>,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    /// Set while this adapter itself begins or ends a transaction.
    ours: Arc<AtomicBool>,
}

impl SqliteSql {
    /// The database in the file `path`, which need not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            open: OnceCell::new(),
            blank: OnceCell::new(),
        }
    }

    /// Looks through the whole file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), SqlError> {
        let found: String = self
            .readable()?
            .as_us(|connection| connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)))
            .map_err(refused)?;
        if found == "ok" {
            Ok(())
        } else {
            Err(SqlError::Refused(found))
        }
    }

    /// The database, or an empty one in memory while there is no file.
    fn readable(&self) -> Result<&Open, SqlError> {
        if self.open.get().is_some() || self.path.exists() {
            return self.opened();
        }
        if let Some(blank) = self.blank.get() {
            return Ok(blank);
        }
        let blank = Open::file(Path::new(":memory:")).map_err(refused)?;
        Ok(self.blank.get_or_init(|| blank))
    }

    fn opened(&self) -> Result<&Open, SqlError> {
        if let Some(open) = self.open.get() {
            return Ok(open);
        }
        let open = Open::file(&self.path).map_err(refused)?;
        Ok(self.open.get_or_init(|| open))
    }
}

impl Open {
    fn file(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        // What was answered must survive a power cut: FULL syncs at every commit.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, MAX_LENGTH),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, MAX_STATEMENT),
            (Limit::SQLITE_LIMIT_COLUMN, MAX_COLUMNS),
            (Limit::SQLITE_LIMIT_FUNCTION_ARG, MAX_FUNCTION_ARGS),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_PATTERN),
            (
                Limit::SQLITE_LIMIT_VARIABLE_NUMBER,
                i32::try_from(MAX_PARAMETERS).unwrap_or(i32::MAX),
            ),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
        ] {
            connection.set_limit(limit, value)?;
        }
        let ours = Arc::new(AtomicBool::new(false));
        let bypass = Arc::clone(&ours);
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            if bypass.load(Ordering::Relaxed) || allowed(context.action) {
                Authorization::Allow
            } else {
                Authorization::Deny
            }
        }))?;
        Ok(Self { connection, ours })
    }

    /// Does what only this adapter may do.
    fn as_us<T>(&self, act: impl FnOnce(&Connection) -> T) -> T {
        self.ours.store(true, Ordering::Relaxed);
        let result = act(&self.connection);
        self.ours.store(false, Ordering::Relaxed);
        result
    }

    fn transact(&self, sql: &str) -> Result<(), SqlError> {
        self.as_us(|connection| connection.execute_batch(sql))
            .map_err(refused)
    }

    fn rows(
        &self,
        sql: &str,
        args: &[Value],
        mut each: impl FnMut(&rusqlite::Row<'_>, usize) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        check_args(args)?;
        let mut statement = self.connection.prepare_cached(sql).map_err(refused)?;
        let columns = statement.column_count();
        let mut rows = statement
            .query(params_from_iter(args.iter().map(Bound)))
            .map_err(refused)?;
        while let Some(row) = rows.next().map_err(refused)? {
            each(row, columns)?;
        }
        Ok(())
    }
}

impl Sql for SqliteSql {
    fn run(&self, sql: &str, args: &[Value]) -> Result<(), SqlError> {
        self.opened()?.rows(sql, args, |_, _| Ok(()))
    }

    fn query(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>, SqlError> {
        let mut found = Vec::new();
        self.readable()?.rows(sql, args, |row, columns| {
            let values =
                (0..columns).map(|column| read(row.get_ref(column).map_err(refused)?, column));
            found.push(values.collect::<Result<Row, _>>()?);
            Ok(())
        })?;
        Ok(found)
    }

    fn atomically(&self, body: &mut dyn FnMut() -> Result<(), SqlError>) -> Result<(), SqlError> {
        let open = self.opened()?;
        // IMMEDIATE: a second writer is found here and not at the commit.
        open.transact("BEGIN IMMEDIATE")?;
        let done = body().and_then(|()| open.transact("COMMIT"));
        if done.is_err() && !open.connection.is_autocommit() {
            open.transact("ROLLBACK")?;
        }
        done
    }
}

/// Whether a Durable Object would let a statement do this.
fn allowed(action: AuthAction<'_>) -> bool {
    match action {
        AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Attach { .. }
        | AuthAction::Detach { .. } => false,
        AuthAction::Pragma { pragma_name, .. } => {
            // The last is what adding a column to a strict table asks for.
            [
                "table_info",
                "table_list",
                "index_list",
                "index_info",
                "quick_check",
            ]
            .contains(&pragma_name)
        }
        AuthAction::Function { function_name } => ![
            "sqlite_version",
            "sqlite_source_id",
            "load_extension",
            "fts3_tokenizer",
        ]
        .contains(&function_name),
        _ => true,
    }
}

/// A value on its way in, through JavaScript's one number type.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    #[allow(
        clippy::cast_precision_loss,
        reason = "check_args keeps integers within 2^53-1"
    )]
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Owned(SqliteValue::Null),
            Value::Integer(n) => ToSqlOutput::Owned(SqliteValue::Real(*n as f64)),
            Value::Real(x) => ToSqlOutput::Owned(SqliteValue::Real(*x)),
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

/// A value on its way out, through JavaScript's one number type.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "whole numbers within 2^53-1 are exact, others are meant to be rounded"
)]
fn read(value: ValueRef<'_>, column: usize) -> Result<Value, SqlError> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        // JavaScript would round it: it is no integer any more.
        ValueRef::Integer(n) if n.unsigned_abs() > MAX_SAFE_INTEGER.unsigned_abs() => {
            Ok(Value::Real(n as f64))
        }
        ValueRef::Integer(n) => Ok(Value::Integer(n)),
        ValueRef::Real(x) if x.fract() == 0.0 && x.abs() <= MAX_SAFE_INTEGER as f64 => {
            Ok(Value::Integer(x as i64))
        }
        ValueRef::Real(x) => Ok(Value::Real(x)),
        ValueRef::Text(bytes) => {
            std::str::from_utf8(bytes)
                .map(Value::from)
                .map_err(|_| SqlError::Decode {
                    column,
                    expected: "UTF-8",
                })
        }
        ValueRef::Blob(_) => Err(SqlError::Decode {
            column,
            expected: "no blob",
        }),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "so that it fits map_err")]
fn refused(error: rusqlite::Error) -> SqlError {
    SqlError::Refused(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use signalroom_core::store::cases::cases;

    fn fresh() -> (tempfile::TempDir, SqliteSql) {
        let folder = tempfile::tempdir().expect("a folder");
        let sql = SqliteSql::new(folder.path().join("room.sqlite"));
        (folder, sql)
    }

    #[test]
    fn does_what_every_sql_does() {
        let (_folder, sql) = fresh();
        let mut failed = Vec::new();
        for (name, case) in cases() {
            if let Err(error) = case(&sql) {
                failed.push(format!("{name}: {error}"));
            }
        }
        assert!(failed.is_empty(), "{}", failed.join("\n"));
        // Again on the same database: the cases leave nothing behind.
        for (name, case) in cases() {
            assert_eq!(case(&sql), Ok(()), "{name}");
        }
        assert_eq!(
            sql.query("SELECT name FROM sqlite_master", &[]),
            Ok(Vec::new())
        );
    }

    #[test]
    fn a_row_beyond_2_mb_is_refused() {
        // Cloudflare's limit, which workerd does not enforce locally.
        let (_folder, sql) = fresh();
        sql.run("CREATE TABLE t (a TEXT) STRICT", &[])
            .expect("writes");
        let large = "x".repeat(2_000_001).into();
        assert!(sql.run("INSERT INTO t (a) VALUES (?)", &[large]).is_err());
    }

    #[test]
    fn reading_makes_no_file_and_writing_does() {
        let (folder, sql) = fresh();
        let file = folder.path().join("room.sqlite");
        assert_eq!(
            sql.query("SELECT name FROM sqlite_master", &[]),
            Ok(Vec::new())
        );
        assert_eq!(sql.check(), Ok(()));
        assert!(!file.exists());
        sql.run("CREATE TABLE t (a TEXT) STRICT", &[])
            .expect("writes");
        assert!(file.exists());
        drop(sql);
        let again = SqliteSql::new(file);
        assert_eq!(again.query("SELECT a FROM t", &[]), Ok(Vec::new()));
        assert_eq!(again.check(), Ok(()));
    }

    #[test]
    fn a_damaged_file_is_found_and_left_as_it_is() {
        let (folder, sql) = fresh();
        let file = folder.path().join("room.sqlite");
        sql.run("CREATE TABLE t (a TEXT) STRICT", &[])
            .expect("writes");
        for _ in 0..50 {
            sql.run("INSERT INTO t (a) VALUES (?)", &["x".repeat(1000).into()])
                .expect("writes");
        }
        drop(sql);
        let whole = std::fs::read(&file).expect("is there");
        let mut noise = whole.clone();
        noise[4096..12_288].fill(0xa5);
        for damaged in [
            b"not a database at all, but quite long".repeat(99),
            whole[..8192].to_vec(),
            noise,
        ] {
            std::fs::write(&file, &damaged).expect("writes");
            assert!(SqliteSql::new(file.clone()).check().is_err());
            assert_eq!(std::fs::read(&file).expect("is there"), damaged);
        }
    }
}
