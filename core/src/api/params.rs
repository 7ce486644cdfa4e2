//! Query parameters, checked one by one; a wrong one is named.

use std::str::FromStr;

use chrono::NaiveDate;

use super::problem::Problem;
use crate::room::call::Page;
use crate::store::MAX_SAFE_INTEGER;
use crate::time::{Millis, parse_date};
use crate::wire::limits::{DEFAULT_LIMIT, MAX_LIMIT};

/// A request's query parameters; of several with one name the first counts.
#[derive(Debug, Clone)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Decodes a query.
    pub fn new(query: &str) -> Self {
        Self(
            form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// A parameter's text; an empty one counts as absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A parameter parsed into `T`.
    ///
    /// # Errors
    /// A problem that names the parameter and says what it should be.
    pub fn parsed<T: FromStr>(&self, name: &str, shape: &str) -> Result<Option<T>, Problem> {
        self.with(name, shape, |text| text.parse().ok())
    }

    /// A calendar date.
    ///
    /// # Errors
    /// A problem that names the parameter.
    pub fn date(&self, name: &str) -> Result<Option<NaiveDate>, Problem> {
        self.with(name, "a date, YYYY-MM-DD", parse_date)
    }

    /// An instant.
    ///
    /// # Errors
    /// A problem that names the parameter.
    pub fn time(&self, name: &str) -> Result<Option<Millis>, Problem> {
        self.with(name, "an RFC 3339 time or a date", Millis::parse)
    }

    /// An instant at the end of a range; a bare date includes its whole day.
    ///
    /// # Errors
    /// A problem that names the parameter.
    pub fn end_time(&self, name: &str) -> Result<Option<Millis>, Problem> {
        self.with(
            name,
            "an RFC 3339 time or a date",
            |text| match parse_date(text) {
                Some(date) => date
                    .succ_opt()
                    .map(|next| Millis::at_midnight(next).plus(-1)),
                None => Millis::parse(text),
            },
        )
    }

    /// A comma list.
    ///
    /// # Errors
    /// A problem that names the parameter.
    pub fn list<T: FromStr>(&self, name: &str, shape: &str) -> Result<Option<Vec<T>>, Problem> {
        self.with(name, shape, |text| {
            text.split(',')
                .map(|item| item.trim().parse().ok())
                .collect()
        })
    }

    /// `limit` and `cursor`.
    ///
    /// # Errors
    /// A problem that names the parameter.
    pub fn page(&self) -> Result<Page, Problem> {
        Ok(Page {
            limit: self.limit()?,
            cursor: self.position("cursor", "the next_cursor of the page before")?,
        })
    }

    /// `limit`, or how many there are without it.
    ///
    /// # Errors
    /// A problem that names the parameter.
    pub fn limit(&self) -> Result<u32, Problem> {
        let limit = self.with("limit", "a whole number from 1 to 500", |text| {
            text.parse()
                .ok()
                .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        })?;
        Ok(limit.unwrap_or(DEFAULT_LIMIT))
    }

    /// These parameters with another text under one name, as a query.
    pub fn with_text(&self, name: &str, text: &str) -> String {
        let others = self.0.iter().filter(|(key, _)| key != name);
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(others)
            .append_pair(name, text)
            .finish()
    }

    /// A whole number that the database can hold.
    ///
    /// # Errors
    /// A problem that names the parameter.
    pub fn position(&self, name: &str, shape: &str) -> Result<Option<i64>, Problem> {
        self.with(name, shape, |text| {
            text.parse()
                .ok()
                .filter(|number| (0..=MAX_SAFE_INTEGER).contains(number))
        })
    }

    fn with<T>(
        &self,
        name: &str,
        shape: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        parse(text).map(Some).ok_or_else(|| {
            Problem::invalid(&format!("/{name}"), format!("?{name}= must be {shape}."))
        })
    }
}
