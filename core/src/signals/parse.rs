//! Decides which rows of an upload are bars: CSV or JSON, any order, each row on its own.
//!
//! Invariant: [`Parsed::bars`] ascend by date, each date once, each passed by [`Bar::check`]; every
//! other row is in [`Parsed::rejected`] with its place and a short reason that repeats none of the
//! input but a valid date. Time and memory are linear in the body.
//!
//! This is the one reader of such files: a request's body ([`parse_csv`], [`parse_json`]) and a file
//! that is too large for one request ([`parse_file`]) are read by the same code.

mod csv;
mod json;

use super::bar::{Bar, Field};
use crate::text::without_bom;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use thiserror::Error;

pub use csv::{header_line, to_csv};
pub(crate) use csv::{lines, split};

/// How many data rows one upload may have.
pub const MAX_ROWS: usize = 20_000;

/// What came of an upload.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed {
    /// The good bars, ascending by date, each date once.
    pub bars: Vec<Bar>,
    /// The other rows, in the order of the upload.
    pub rejected: Vec<Rejected>,
}

/// What came of a file, however many rows it has.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedFile {
    /// How the file is written.
    pub format: Format,
    /// The good bars, ascending by date, each date once, each with its place as in
    /// [`Rejected::line`].
    pub bars: Vec<(u64, Bar)>,
    /// The other rows, in the order of the file.
    pub rejected: Vec<Rejected>,
}

/// How bars are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated lines with a header.
    Csv,
    /// An array of bars, or an object with such an array.
    Json,
}

impl Format {
    /// The format of a body that does not name its own: JSON begins with a bracket, which no
    /// header of a CSV does.
    pub fn of(body: &[u8]) -> Self {
        match without_bom(body).trim_ascii_start() {
            [b'[' | b'{', ..] => Self::Json,
            _ => Self::Csv,
        }
    }
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
    max: usize,
    count: usize,
    bars: BTreeMap<NaiveDate, (u64, Bar)>,
    rejected: Vec<Rejected>,
}

impl Rows {
    fn new(today: NaiveDate, max: usize) -> Self {
        Self {
            today,
            max,
            count: 0,
            bars: BTreeMap::new(),
            rejected: Vec::new(),
        }
    }

    fn add(&mut self, line: u64, row: Result<Bar, Reason>) -> Result<(), ParseError> {
        self.count += 1;
        if self.count > self.max {
            return Err(ParseError::TooManyRows);
        }
        if let Err(reason) = row.and_then(|bar| self.keep(line, bar)) {
            self.rejected.push(Rejected {
                line,
                reason: reason.into_owned(),
            });
        }
        Ok(())
    }

    fn keep(&mut self, line: u64, bar: Bar) -> Result<(), Reason> {
        bar.check(self.today).map_err(|error| error.to_string())?;
        match self.bars.entry(bar.date) {
            Entry::Vacant(entry) => {
                entry.insert((line, bar));
                Ok(())
            }
            Entry::Occupied(_) => {
                Err(format!("date {} was given before; the first counts", bar.date).into())
            }
        }
    }

    fn finish(self) -> Parsed {
        Parsed {
            bars: self.bars.into_values().map(|(_, bar)| bar).collect(),
            rejected: self.rejected,
        }
    }
}

/// Reads daily bars from CSV with a header `date,open,high,low,close,volume`, at most
/// [`MAX_ROWS`].
///
/// Columns come in any order and case, others are ignored; a byte-order mark, CRLF or CR line ends,
/// quotes, blank lines and surrounding spaces are tolerated. `today` is the last date that is not in
/// the future.
///
/// # Errors
/// Where the header cannot be used or there are too many rows; a bad row is no error.
pub fn parse_csv(body: &[u8], today: NaiveDate) -> Result<Parsed, ParseError> {
    let mut rows = Rows::new(today, MAX_ROWS);
    csv::read(body, &mut rows)?;
    Ok(rows.finish())
}

/// Reads daily bars from JSON: an array of bar objects, or an object with such an array in `bars`;
/// at most [`MAX_ROWS`].
///
/// # Errors
/// Where the body is not JSON, holds no array of bars, or has too many; a bad bar is no error.
pub fn parse_json(body: &[u8], today: NaiveDate) -> Result<Parsed, ParseError> {
    let mut rows = Rows::new(today, MAX_ROWS);
    json::read(body, &mut rows)?;
    Ok(rows.finish())
}

/// Reads a file of daily bars, CSV or JSON, of any size. No date is taken to be in the future: a
/// file is read where it lies, and the server has the clock.
///
/// # Errors
/// As [`parse_csv`] and [`parse_json`], except that there is no limit on rows.
pub fn parse_file(content: &[u8]) -> Result<ParsedFile, ParseError> {
    let mut rows = Rows::new(NaiveDate::MAX, usize::MAX);
    let format = Format::of(content);
    match format {
        Format::Csv => csv::read(content, &mut rows)?,
        Format::Json => json::read(content, &mut rows)?,
    }
    Ok(ParsedFile {
        format,
        bars: rows.bars.into_values().collect(),
        rejected: rows.rejected,
    })
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

#[cfg(test)]
mod tests;
