//! CSV: a header, then a row a line.
//!
//! A row is a physical line: a quoted field may hold commas, but not a line break. So a stray
//! quote costs its own row and cannot swallow those after it.

use std::fmt::Write;

use super::{ParseError, Reason, Rows, date_of, number_of};
use crate::signals::bar::{Bar, Field};
use crate::text::without_bom;

pub(super) fn read(body: &[u8], rows: &mut Rows) -> Result<(), ParseError> {
    let mut lines = lines(body);
    let (_, header) = lines.next().ok_or(ParseError::Empty)?;
    let columns = Columns::from_header(header)?;
    let mut fields = Vec::with_capacity(columns.width);
    for (number, line) in lines {
        rows.add(number, columns.bar(line, &mut fields))?;
    }
    Ok(())
}

/// The physical line that a CSV's header is on: the first that is not blank, 1 where all are.
pub fn header_line(body: &[u8]) -> u64 {
    lines(body).next().map_or(1, |(number, _)| number)
}

/// Bars as CSV, the header first, then a line each in their order. Reading it brings the same
/// numbers to the last digit.
pub fn to_csv<'a>(bars: impl IntoIterator<Item = &'a Bar>) -> String {
    let mut csv = Field::ALL.map(Field::as_str).join(",");
    csv.push('\n');
    for bar in bars {
        let Bar {
            date,
            open,
            high,
            low,
            close,
            volume,
        } = bar;
        // The shortest text that is read as the same number, with an exponent where it is long.
        writeln!(csv, "{date},{open:?},{high:?},{low:?},{close:?},{volume:?}")
            .expect("writing to a String cannot fail");
    }
    csv
}

/// The lines of a body that are not blank, with their numbers and without their ends (LF, CRLF or a
/// lone CR) and a byte-order mark.
pub(crate) fn lines(body: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let all = Lines {
        rest: without_bom(body),
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
