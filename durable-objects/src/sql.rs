//! The core's `Sql` over the SQLite of a Durable Object.
//!
//! JavaScript knows one kind of number: what is bound goes in as one, and what comes out whole is
//! an integer, also from a `REAL` column. The core's decoders know that.

use serde_json::Value as Json;
use signalroom_core::store::{self, MAX_SAFE_INTEGER, Row, Sql, SqlError, Value};
use wasm_bindgen::{JsCast as _, JsValue};
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

    /// The rows, as JSON.
    fn rows(&self, sql: &str, args: &[Value]) -> Result<String, SqlError> {
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
        let rows: Vec<Vec<Json>> = serde_json::from_str(&self.rows(sql, args)?)
            .map_err(|error| SqlError::Refused(error.to_string()))?;
        rows.into_iter().map(row).collect()
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

fn row(columns: Vec<Json>) -> Result<Row, SqlError> {
    let columns = columns.into_iter().enumerate();
    columns.map(|(column, value)| read(column, value)).collect()
}

fn read(column: usize, value: Json) -> Result<Value, SqlError> {
    let unreadable = SqlError::Decode {
        column,
        expected: "a number, a text or NULL",
    };
    match value {
        Json::Null => Ok(Value::Null),
        Json::String(text) => Ok(Value::Text(text)),
        Json::Number(number) => match number.as_i64() {
            Some(whole) if whole.unsigned_abs() <= MAX_SAFE_INTEGER.unsigned_abs() => {
                Ok(Value::Integer(whole))
            }
            _ => number.as_f64().map(Value::Real).ok_or(unreadable),
        },
        _ => Err(unreadable),
    }
}

fn refused(error: &JsValue) -> SqlError {
    let text = match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{error:?}"),
    };
    SqlError::Refused(text)
}
