//! Whether rows follow each other: what was changed, removed, inserted or reordered is found.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Hash, Record, VERSION, is_canonical};

/// The newest row of a record, or of a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = AuditHead))]
pub struct Head {
    /// Its place, 0 before the first.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub n: i64,
    /// Its hash, zeros before the first.
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub hash: Hash,
}

impl Head {
    /// Before the first row.
    pub const START: Self = Self {
        n: 0,
        hash: Hash::ZERO,
    };
}

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = AuditBreach))]
#[serde(rename_all = "kebab-case")]
pub enum Breach {
    /// Its hash is not that of what it says.
    Changed,
    /// It is not there, while later ones are.
    Removed,
    /// It does not follow the row before: inserted, or in another's place.
    Misplaced,
    /// It is not there, and none after it: the newest rows were cut off.
    CutOff,
    /// It is not the row that the feed was told of, or that the room noted as its newest.
    Replaced,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "it was changed",
            Self::Removed => "it was removed",
            Self::Misplaced => "it was inserted or moved here",
            Self::CutOff => "it was the newest or near it, and was cut off",
            Self::Replaced => "another row stood here",
        })
    }
}

/// The first row of a record that is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = AuditBroken))]
pub struct Broken {
    /// Its place.
    pub n: i64,
    /// What is wrong with it.
    pub reason: Breach,
}

/// How a part of a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The last row that is whole.
    pub head: Head,
    /// Whether there is more to check after it.
    pub more: bool,
    /// What is wrong with the next.
    pub broken: Option<Broken>,
}

/// What a record is checked against beside itself.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What the room noted as its newest row.
    pub noted: Option<Head>,
    /// Rows the feed was told of, ascending.
    pub witnessed: &'a [Head],
}

impl Known<'_> {
    /// Checks a row that is whole against what the feed was told.
    ///
    /// # Errors
    /// [`Broken`] names the row.
    pub fn check(&self, row: &Head) -> Result<(), Broken> {
        let place = self.witnessed.binary_search_by_key(&row.n, |head| head.n);
        match place {
            Ok(at) if self.witnessed[at].hash != row.hash => Err(Broken {
                n: row.n,
                reason: Breach::Replaced,
            }),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Checks where a record ends, all of whose rows are whole.
    ///
    /// # Errors
    /// [`Broken`] names the first row that should be there, or should not.
    pub fn check_end(&self, last: &Head) -> Result<(), Broken> {
        let broken = |n, reason| Err(Broken { n, reason });
        let noted = self.noted.unwrap_or(Head::START);
        let newest = self
            .witnessed
            .last()
            .map_or(noted.n, |it| it.n.max(noted.n));
        if newest > last.n {
            broken(last.n + 1, Breach::CutOff)
        } else if noted.n < last.n {
            broken(noted.n + 1, Breach::Misplaced)
        } else if noted.hash != last.hash {
            broken(last.n, Breach::Replaced)
        } else {
            Ok(())
        }
    }
}

/// Checks that `record` is whole and follows `before`; gives the new head.
///
/// # Errors
/// [`Broken`] names the row, or the first of those that are missing before it.
pub fn follow(before: &Head, record: &Record) -> Result<Head, Broken> {
    let n = before.n + 1;
    let broken = |n, reason| Err(Broken { n, reason });
    if record.n > n {
        return broken(n, Breach::Removed);
    }
    if record.n < n {
        return broken(record.n, Breach::Misplaced);
    }
    let known = record.v == VERSION && is_canonical(&record.details);
    if !known || record.computed_hash() != record.hash {
        return broken(n, Breach::Changed);
    }
    if record.prev != before.hash {
        return broken(n, Breach::Misplaced);
    }
    Ok(Head {
        n,
        hash: record.hash,
    })
}
