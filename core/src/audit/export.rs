//! Checks an export in JSON Lines without the server it came from.

use std::collections::BTreeMap;

use super::{Broken, Head, Record, follow};
use crate::room::log::json;
use crate::room::name::RoomName;

/// What an export holds of one room's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// The last row that is whole: to compare with what the server says. That an export lacks its
    /// newest rows cannot be seen in it.
    pub head: Head,
    /// What is wrong with the next.
    pub broken: Option<Broken>,
}

/// A line that is no row as it was exported: changed, cut, or written by something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a row as it is exported")]
pub struct NoRecord;

/// An export on its way to being checked, line by line.
#[derive(Debug, Default)]
pub struct Export {
    rooms: BTreeMap<RoomName, Exported>,
}

impl Export {
    /// Checks the next line, given without its end.
    ///
    /// # Errors
    /// [`NoRecord`], from where on nothing can be said.
    pub fn line(&mut self, line: &str) -> Result<(), NoRecord> {
        let record: Record = serde_json::from_str(line).map_err(|_| NoRecord)?;
        if json(&record).get() != line {
            return Err(NoRecord);
        }
        let room = self.rooms.entry(record.room.clone()).or_insert(Exported {
            head: Head::START,
            broken: None,
        });
        if room.broken.is_none() {
            match follow(&room.head, &record) {
                Ok(head) => room.head = head,
                Err(broken) => room.broken = Some(broken),
            }
        }
        Ok(())
    }

    /// What the lines so far hold, by room.
    pub fn rooms(&self) -> &BTreeMap<RoomName, Exported> {
        &self.rooms
    }
}
