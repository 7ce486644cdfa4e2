//! Decides which rows of an upload are bars: CSV or JSON, any order, each row on its own.
//!
//! Invariant: [`Parsed::bars`] ascend by date, each date once, each passed by [`Bar::check`]; every
//! other row is in [`Parsed::rejected`] with its place and a short reason that repeats none of the
//! input but a valid date. Time and memory are linear in the body.
//!
//! A CSV row is a physical line: a quoted field may hold commas, but not a line break. So a stray
//! quote costs its own row and cannot swallow those after it.

use super::bar::{Bar, Field};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use thiserror::Error;

/// How many data rows one upload may have.
pub const MAX_ROWS: usize = 20_000;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What came of an upload.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed {
    /// The good bars, ascending by date, each date once.
    pub bars: Vec<Bar>,
    /// The other rows, in the order of the upload.
    pub rejected: Vec<Rejected>,
}

/// A row that is not kept.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rejected {
    /// CSV: the physical line in the body, the first is 1. JSON: the place in the array, the first is 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Why nothing can be read from a body at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseError {
    /// There is not even a header.
    #[error("the body is empty")]
    Empty,
    /// The header has a quote that is not closed, or text after one.
    #[error("the header is malformed: {0}")]
    Header(&'static str),
    /// The header lacks a column.
    #[error("column {0} is missing in the header")]
    MissingColumn(&'static str),
    /// The header names a column twice.
    #[error("column {0} is in the header more than once")]
    DuplicateColumn(&'static str),
    /// There are more than [`MAX_ROWS`] data rows.
    #[error("more than {MAX_ROWS} rows")]
    TooManyRows,
    /// The body is not JSON; what the parser said, without the input.
    #[error("not JSON: {0}")]
    Json(String),
    /// The body is JSON, but holds no array of bars.
    #[error("must be an array of bars or an object with an array \"bars\"")]
    NotBars,
}

impl ParseError {
    /// Whether the body is unparsable JSON (a 400, where the others are a 422).
    pub fn is_syntax(&self) -> bool {
        matches!(self, ParseError::Json(_))
    }

    /// Whether the body has too many rows (a 413).
    pub fn is_too_large(&self) -> bool {
        matches!(self, ParseError::TooManyRows)
    }
}

/// Why a row is no bar.
type Reason = Cow<'static, str>;

/// Gathers rows; the first valid one of a date counts.
struct Rows {
    today: NaiveDate,
    count: usize,
    bars: BTreeMap<NaiveDate, Bar>,
    rejected: Vec<Rejected>,
}

impl Rows {
    fn new(today: NaiveDate) -> Self {
        Self {
            today,
            count: 0,
            bars: BTreeMap::new(),
            rejected: Vec::new(),
        }
    }

    fn add(&mut self, line: u64, row: Result<Bar, Reason>) -> Result<(), ParseError> {
        self.count += 1;
        if self.count > MAX_ROWS {
            return Err(ParseError::TooManyRows);
        }
        if let Err(reason) = row.and_then(|bar| self.keep(bar)) {
            self.rejected.push(Rejected {
                line,
                reason: reason.into_owned(),
            });
        }
        Ok(())
    }

    fn keep(&mut self, bar: Bar) -> Result<(), Reason> {
        bar.check(self.today).map_err(|error| error.to_string())?;
        match self.bars.entry(bar.date) {
            Entry::Vacant(entry) => {
                entry.insert(bar);
                Ok(())
            }
            Entry::Occupied(_) => {
                Err(format!("date {} was given before; the first counts", bar.date).into())
            }
        }
    }

    fn finish(self) -> Parsed {
        Parsed {
            bars: self.bars.into_values().collect(),
            rejected: self.rejected,
        }
    }
}

/// Reads daily bars from CSV with a header `date,open,high,low,close,volume`.
///
/// Columns come in any order and case, others are ignored; a byte-order mark, CRLF or CR line ends,
/// quotes, blank lines and surrounding spaces are tolerated. `today` is the last date that is not in
/// the future.
///
/// # Errors
/// Where the header cannot be used or there are too many rows; a bad row is no error.
pub fn parse_csv(body: &[u8], today: NaiveDate) -> Result<Parsed, ParseError> {
    let mut lines = lines(body);
    let (_, header) = lines.next().ok_or(ParseError::Empty)?;
    let columns = Columns::from_header(header)?;
    let mut rows = Rows::new(today);
    let mut fields = Vec::with_capacity(columns.width);
    for (number, line) in lines {
        rows.add(number, columns.bar(line, &mut fields))?;
    }
    Ok(rows.finish())
}

/// Reads daily bars from JSON: an array of bar objects, or an object with such an array in `bars`.
///
/// # Errors
/// Where the body is not JSON, holds no array of bars, or has too many; a bad bar is no error.
pub fn parse_json(body: &[u8], today: NaiveDate) -> Result<Parsed, ParseError> {
    let body = body.strip_prefix(BOM).unwrap_or(body);
    let mut value: &RawValue = from_json(body)?;
    if value.get().starts_with('{') {
        let mut object: BTreeMap<String, &RawValue> = from_json(value.get().as_bytes())?;
        value = object.remove("bars").ok_or(ParseError::NotBars)?;
    }
    if !value.get().starts_with('[') {
        return Err(ParseError::NotBars);
    }
    let items: Vec<&RawValue> = from_json(value.get().as_bytes())?;
    let mut rows = Rows::new(today);
    for (item, number) in items.into_iter().zip(1..) {
        rows.add(number, bar_from_json(item))?;
    }
    Ok(rows.finish())
}

fn from_json<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, ParseError> {
    serde_json::from_slice(text).map_err(|error| ParseError::Json(error.to_string()))
}

/// The lines of a body that are not blank, with their numbers and without their ends (LF, CRLF or a
/// lone CR) and a byte-order mark.
pub(crate) fn lines(body: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let all = Lines {
        rest: body.strip_prefix(BOM).unwrap_or(body),
        number: 0,
    };
    all.filter(|(_, line)| !line.trim_ascii().is_empty())
}

/// The physical lines of a body.
struct Lines<'a> {
    rest: &'a [u8],
    number: u64,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let end = self
            .rest
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'));
        let (line, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest
            .strip_prefix(b"\r\n")
            .or_else(|| rest.get(1..))
            .unwrap_or_default();
        Some((self.number, line))
    }
}

/// Splits a line into trimmed fields. A doubled quote inside a quoted field stays doubled: no field
/// that is read may hold one.
pub(crate) fn split<'a>(line: &'a [u8], fields: &mut Vec<&'a [u8]>) -> Result<(), &'static str> {
    fields.clear();
    let mut rest = line;
    loop {
        let text = rest.trim_ascii_start();
        let after = if let Some(quoted) = text.strip_prefix(b"\"") {
            let end = closing_quote(quoted).ok_or("a quote is not closed on its line")?;
            fields.push(quoted[..end].trim_ascii());
            quoted[end + 1..].trim_ascii_start()
        } else {
            let end = rest
                .iter()
                .position(|&byte| byte == b',')
                .unwrap_or(rest.len());
            fields.push(rest[..end].trim_ascii());
            &rest[end..]
        };
        match after.split_first() {
            None => return Ok(()),
            Some((b',', next)) => rest = next,
            Some(_) => return Err("there is text after a closing quote"),
        }
    }
}

/// The place of the first quote that is not doubled.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += text[at..].iter().position(|&byte| byte == b'"')?;
        if text.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// Where the fields of a bar are in a row.
struct Columns {
    /// In the order of [`Field::ALL`].
    places: [usize; 6],
    width: usize,
}

impl Columns {
    fn from_header(header: &[u8]) -> Result<Self, ParseError> {
        let mut names = Vec::new();
        split(header, &mut names).map_err(ParseError::Header)?;
        let mut places = [0; 6];
        for (place, field) in places.iter_mut().zip(Field::ALL) {
            let mut found = names
                .iter()
                .enumerate()
                .filter(|(_, name)| name.eq_ignore_ascii_case(field.as_str().as_bytes()));
            (*place, _) = found
                .next()
                .ok_or(ParseError::MissingColumn(field.as_str()))?;
            if found.next().is_some() {
                return Err(ParseError::DuplicateColumn(field.as_str()));
            }
        }
        Ok(Self {
            places,
            width: names.len(),
        })
    }

    fn bar<'a>(&self, line: &'a [u8], fields: &mut Vec<&'a [u8]>) -> Result<Bar, Reason> {
        if std::str::from_utf8(line).is_err() {
            return Err("not valid UTF-8".into());
        }
        split(line, fields)?;
        if fields.len() != self.width {
            return Err(format!(
                "wrong number of fields: {}, the header has {}",
                fields.len(),
                self.width
            )
            .into());
        }
        let [date, open, high, low, close, volume] = self.places.map(|place| fields[place]);
        Ok(Bar {
            date: date_of(date)?,
            open: number_of(open, Field::Open)?,
            high: number_of(high, Field::High)?,
            low: number_of(low, Field::Low)?,
            close: number_of(close, Field::Close)?,
            volume: number_of(volume, Field::Volume)?,
        })
    }
}

fn number_of(text: &[u8], field: Field) -> Result<f64, Reason> {
    if text.is_empty() {
        return Err(format!("{field} is missing").into());
    }
    number(text).ok_or_else(|| format!("{field} is not a number").into())
}

/// A decimal number; also `NaN` and infinities, which no check lets pass.
pub(crate) fn number(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn date_of(text: &[u8]) -> Result<NaiveDate, Reason> {
    if text.is_empty() {
        return Err("date is missing".into());
    }
    iso_date(text).ok_or(Cow::Borrowed("date is not a YYYY-MM-DD date"))
}

/// Exactly `YYYY-MM-DD`: chrono's own parser also takes signs, spaces and single digits.
pub(crate) fn iso_date(text: &[u8]) -> Option<NaiveDate> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |sum, digit| {
            digit
                .is_ascii_digit()
                .then(|| sum * 10 + u32::from(digit - b'0'))
        })
    };
    let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
    NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)
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

#[cfg(test)]
mod tests;
