//! JSON: an array of bars.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ParseError, Reason, Rows, date_of, number_of};
use crate::signals::bar::{Bar, Field};
use crate::text::without_bom;

pub(super) fn read(body: &[u8], rows: &mut Rows) -> Result<(), ParseError> {
    let mut value: &RawValue = from_json(without_bom(body))?;
    if value.get().starts_with('{') {
        let mut object: BTreeMap<String, &RawValue> = from_json(value.get().as_bytes())?;
        value = object.remove("bars").ok_or(ParseError::NotBars)?;
    }
    if !value.get().starts_with('[') {
        return Err(ParseError::NotBars);
    }
    let items: Vec<&RawValue> = from_json(value.get().as_bytes())?;
    for (item, number) in items.into_iter().zip(1..) {
        rows.add(number, bar_from_json(item))?;
    }
    Ok(())
}

fn from_json<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, ParseError> {
    serde_json::from_slice(text).map_err(|error| ParseError::Json(error.to_string()))
}

/// A bar's members as they are written, so that a number that no `f64` holds costs its row only.
#[derive(Deserialize)]
struct JsonBar<'a> {
    #[serde(borrow)]
    date: Option<&'a RawValue>,
    open: Option<&'a RawValue>,
    high: Option<&'a RawValue>,
    low: Option<&'a RawValue>,
    close: Option<&'a RawValue>,
    volume: Option<&'a RawValue>,
}

fn bar_from_json(item: &RawValue) -> Result<Bar, Reason> {
    // Serde would also read a struct from an array.
    if !item.get().starts_with('{') {
        return Err("not an object".into());
    }
    let row: JsonBar = serde_json::from_str(item.get())
        .map_err(|_| Reason::from("an unreadable object, or one that names a member twice"))?;
    let date = row.date.ok_or("date is missing")?;
    let date: String =
        serde_json::from_str(date.get()).map_err(|_| Reason::from("date is not a string"))?;
    let number = |field: Field, value: Option<&RawValue>| {
        let text = value
            .ok_or_else(|| Reason::from(format!("{field} is missing")))?
            .get();
        number_of(text.as_bytes(), field)
    };
    Ok(Bar {
        date: date_of(date.as_bytes())?,
        open: number(Field::Open, row.open)?,
        high: number(Field::High, row.high)?,
        low: number(Field::Low, row.low)?,
        close: number(Field::Close, row.close)?,
        volume: number(Field::Volume, row.volume)?,
    })
}
