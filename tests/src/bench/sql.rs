//! A database that outlives its host, and whose transactions and reads can be made to fail.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;

use signalroom_core::store::{Row, Sql, SqlError, Value};
use signalroom_harness::sql::SqliteSql;

/// Where the next turn fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Before anything is written.
    Begin,
    /// At the second statement; a single one goes through.
    Middle,
    /// After everything was written.
    Commit,
    /// Not at all: the process dies right after the commit, before anybody hears of it.
    Crash,
    /// At the read after so many others.
    Read(u32),
}

/// A room's database; clones share it.
#[derive(Debug, Clone)]
pub struct Disk(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    db: SqliteSql,
    fault: Cell<Option<Fault>>,
    /// Whether a transaction is open.
    writing: Cell<bool>,
    /// Statements run since the fault was set.
    written: Cell<u32>,
    /// Reads since then.
    read: Cell<u32>,
}

fn injected() -> SqlError {
    SqlError::Refused("injected".to_owned())
}

impl Disk {
    /// The database in a file, or in memory when that is `:memory:`.
    pub fn new(path: PathBuf) -> Self {
        Self(Rc::new(Inner {
            db: SqliteSql::new(path),
            fault: Cell::new(None),
            writing: Cell::new(false),
            written: Cell::new(0),
            read: Cell::new(0),
        }))
    }

    /// Sets or clears what happens from now on.
    pub fn fail(&self, fault: Option<Fault>) {
        self.0.fault.set(fault);
        self.0.written.set(0);
        self.0.read.set(0);
    }

    /// Reads as a bystander: no fault is for this.
    ///
    /// # Errors
    /// [`SqlError`] from the database.
    pub fn look(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>, SqlError> {
        self.0.db.query(sql, args)
    }

    /// Whether a transaction is open.
    pub fn writing(&self) -> bool {
        self.0.writing.get()
    }

    /// How many rows a table has.
    ///
    /// # Panics
    /// When the database does not answer.
    pub fn count(&self, table: &str) -> usize {
        let mut tables = self.dump().into_iter();
        let found = tables.find(|(name, _)| name == table);
        found.map_or(0, |(_, rows)| rows.len())
    }

    /// Everything in the database, table by table.
    ///
    /// # Panics
    /// When the database does not answer.
    pub fn dump(&self) -> Vec<(String, Vec<Row>)> {
        let tables = self.look(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
            &[],
        );
        let tables = tables.expect("the database answers");
        tables
            .into_iter()
            .map(|mut row| {
                let Some(Value::Text(name)) = row.pop() else {
                    panic!("a table without a name");
                };
                let rows = self.look(&format!("SELECT * FROM {name} ORDER BY 1"), &[]);
                (name, rows.expect("the database answers"))
            })
            .collect()
    }
}

impl Sql for Disk {
    fn run(&self, sql: &str, args: &[Value]) -> Result<(), SqlError> {
        assert!(self.writing(), "a write outside of a transaction: {sql}");
        let written = self.0.written.get() + 1;
        self.0.written.set(written);
        if written == 2 && self.0.fault.get() == Some(Fault::Middle) {
            return Err(injected());
        }
        self.0.db.run(sql, args)
    }

    fn query(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>, SqlError> {
        let read = self.0.read.get();
        self.0.read.set(read + 1);
        if self.0.fault.get() == Some(Fault::Read(read)) {
            return Err(injected());
        }
        self.0.db.query(sql, args)
    }

    fn atomically(&self, body: &mut dyn FnMut() -> Result<(), SqlError>) -> Result<(), SqlError> {
        let fault = self.0.fault.get();
        if fault == Some(Fault::Begin) {
            return Err(injected());
        }
        self.0.writing.set(true);
        let done = self.0.db.atomically(&mut || {
            body()?;
            if fault == Some(Fault::Commit) {
                return Err(injected());
            }
            Ok(())
        });
        self.0.writing.set(false);
        if done.is_ok() && fault == Some(Fault::Crash) {
            return Err(injected());
        }
        done
    }
}
