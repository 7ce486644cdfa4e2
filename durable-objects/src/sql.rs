//! The core's `Sql` over the SQLite of a Durable Object.
//!
//! JavaScript knows one kind of number: what is bound goes in as one, and what comes out whole is
//! an integer, also from a `REAL` column. The core's decoders know that.

use js_sys::Array;
use signalroom_core::store::{self, MAX_SAFE_INTEGER, Row, Sql, SqlError, Value};
use wasm_bindgen::{JsCast, JsValue};
use worker::{SqlStorage, State, Storage};

use crate::platform;

/// The database of one object.
#[derive(Debug)]
pub struct DurableSql {
    storage: Storage,
    sql: SqlStorage,
}

impl DurableSql {
    /// The database of the object that has this state.
    pub fn new(state: &State) -> Self {
        let storage = state.storage();
        let sql = storage.sql();
        Self { storage, sql }
    }

    fn rows(&self, sql: &str, args: &[Value]) -> Result<Array, SqlError> {
        store::check_args(args)?;
        let args = args.iter().map(bound).collect();
        platform::query(&self.sql, sql, args).map_err(|error| refused(&error))
    }
}

impl Sql for DurableSql {
    fn run(&self, sql: &str, args: &[Value]) -> Result<(), SqlError> {
        self.rows(sql, args).map(drop)
    }

    fn query(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>, SqlError> {
        self.rows(sql, args)?.iter().map(row).collect()
    }

    fn atomically(&self, body: &mut dyn FnMut() -> Result<(), SqlError>) -> Result<(), SqlError> {
        let mut failure = None;
        let outcome = platform::transaction(&self.storage, &mut || {
            body().map_err(|error| {
                let thrown = js_sys::Error::new(&error.to_string()).into();
                failure = Some(error);
                thrown
            })
        });
        match failure {
            Some(error) => Err(error),
            None => outcome.map_err(|error| refused(&error)),
        }
    }
}

fn bound(value: &Value) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        // Exact: `check_args` let only integers pass that a double holds.
        Value::Integer(number) => JsValue::from_f64(*number as f64),
        Value::Real(number) => JsValue::from_f64(*number),
        Value::Text(text) => JsValue::from_str(text),
    }
}

fn row(columns: JsValue) -> Result<Row, SqlError> {
    let columns: Array = columns.unchecked_into();
    columns
        .iter()
        .enumerate()
        .map(|(column, value)| read(column, &value))
        .collect()
}

fn read(column: usize, value: &JsValue) -> Result<Value, SqlError> {
    if value.is_null() {
        Ok(Value::Null)
    } else if let Some(number) = value.as_f64() {
        let whole = number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER as f64;
        Ok(if whole {
            Value::Integer(number as i64)
        } else {
            Value::Real(number)
        })
    } else if let Some(text) = value.as_string() {
        Ok(Value::Text(text))
    } else {
        Err(SqlError::Decode {
            column,
            expected: "a number, a text or NULL",
        })
    }
}

fn refused(error: &JsValue) -> SqlError {
    let text = match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{error:?}"),
    };
    SqlError::Refused(text)
}
