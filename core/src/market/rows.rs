//! The rows of an answer: CSV tables, numbers in JSON, and what is kept of them.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::value::RawValue;

use super::provider::ProviderError;
use super::series::Observation;
use crate::signals::Bar;
use crate::signals::parse::{MAX_ROWS, lines, number, split};
use crate::time::Millis;

/// How many lines may stand before a table's header.
const MAX_PREAMBLE: usize = 10;

/// What a row says.
pub(super) enum Row<T> {
    Has(T),
    /// That there is none: the provider's way to say so.
    Nothing,
    Unreadable,
}

/// What is of a day.
pub(super) trait Dated {
    fn date(&self) -> NaiveDate;
    fn is_good(&self, today: NaiveDate) -> bool;
}

impl Dated for Bar {
    fn date(&self) -> NaiveDate {
        self.date
    }

    fn is_good(&self, today: NaiveDate) -> bool {
        self.check(today).is_ok()
    }
}

impl Dated for Observation {
    fn date(&self) -> NaiveDate {
        self.0
    }

    fn is_good(&self, today: NaiveDate) -> bool {
        self.1.is_finite() && self.0 <= today
    }
}

/// Gathers rows, in whatever order they come; the last good one of a date counts. Those outside the
/// dates that were asked for are no concern.
pub(super) struct Rows<T> {
    from: NaiveDate,
    to: NaiveDate,
    today: NaiveDate,
    count: usize,
    rejected: u32,
    kept: BTreeMap<NaiveDate, T>,
}

impl<T: Dated> Rows<T> {
    pub fn new(from: NaiveDate, to: NaiveDate, now: Millis) -> Self {
        Self {
            from,
            to,
            today: now.date(),
            count: 0,
            rejected: 0,
            kept: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, row: Row<T>) -> Result<(), ProviderError> {
        self.count += 1;
        if self.count > MAX_ROWS {
            return Err(ProviderError::Malformed("it has too many rows"));
        }
        match row {
            Row::Nothing => {}
            Row::Unreadable => self.rejected += 1,
            Row::Has(row) if row.date() > self.today => self.rejected += 1,
            Row::Has(row) if !(self.from..=self.to).contains(&row.date()) => {}
            Row::Has(row) if !row.is_good(self.today) => self.rejected += 1,
            Row::Has(row) => {
                self.kept.insert(row.date(), row);
            }
        }
        Ok(())
    }

    /// What was kept, ascending, and how many rows were not readable.
    pub fn finish(self) -> Result<(Vec<T>, u32), ProviderError> {
        match (self.kept.is_empty(), self.rejected) {
            (true, 0) => Err(ProviderError::Empty),
            (true, _) => Err(ProviderError::Malformed("no row of it can be read")),
            (false, rejected) => Ok((self.kept.into_values().collect(), rejected)),
        }
    }
}

/// The named columns of each row of a CSV table; `None` for a row of another shape. No table at all
/// when no line at its beginning has all of the names, in whatever case.
///
/// A last line without an end is of another shape: it may be cut off, and half a number is a number.
pub(super) fn table<'a, const N: usize>(
    text: &'a str,
    names: [&str; N],
) -> Option<impl Iterator<Item = Option<[&'a [u8]; N]>>> {
    let mut lines = lines(text.as_bytes());
    let mut fields = Vec::new();
    let places = lines.by_ref().take(MAX_PREAMBLE).find_map(|(_, line)| {
        split(line, &mut fields).ok()?;
        let mut places = [0; N];
        for (place, name) in places.iter_mut().zip(names) {
            let named = |field: &&[u8]| field.eq_ignore_ascii_case(name.as_bytes());
            *place = fields.iter().position(named)?;
        }
        Some(places)
    })?;
    let width = fields.len();
    let ended = text.ends_with(['\n', '\r']);
    let mut lines = lines.peekable();
    Some(std::iter::from_fn(move || {
        let (_, line) = lines.next()?;
        let cut_off = !ended && lines.peek().is_none();
        let whole = !cut_off && split(line, &mut fields).is_ok() && fields.len() == width;
        Some(whole.then(|| places.map(|place| fields[place])))
    }))
}

/// A bar's numbers as they were found: open, high, low, close and volume. A missing one is none of
/// the prices; what is no number is NaN.
#[derive(Clone, Copy)]
pub(super) struct Quote(pub [Option<f64>; 5]);

impl Quote {
    pub fn of_cells(cells: [&[u8]; 5]) -> Self {
        Self(cells.map(|cell| (!cell.is_empty()).then(|| number(cell).unwrap_or(f64::NAN))))
    }

    /// The bar of that day; prices without any are none.
    pub fn bar(self, date: NaiveDate) -> Row<Bar> {
        match self.0 {
            [None, None, None, None, _] => Row::Nothing,
            [Some(open), Some(high), Some(low), Some(close), Some(volume)] => Row::Has(Bar {
                date,
                open,
                high,
                low,
                close,
                volume,
            }),
            _ => Row::Unreadable,
        }
    }
}

/// A number in JSON: none where it is null, NaN where it is something else, so that it costs its own
/// row only.
pub(super) fn json_number(value: &RawValue) -> Option<f64> {
    match value.get() {
        "null" => None,
        text => Some(number(text.as_bytes()).unwrap_or(f64::NAN)),
    }
}
