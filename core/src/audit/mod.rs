//! The record of who did what: rows of which each carries the hash of the one before.
//!
//! Invariant: a row's hash is SHA-256 over its canonical form (RFC 8785) without the hash, and
//! that form names the room and the version of these rules. `docs/audit.md` tells it to those who
//! check an export by other means.

mod canonical;
mod chain;
mod export;
mod hash;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::room::log::json;
use crate::room::name::RoomName;
use crate::time::Millis;
pub use canonical::{canonical, is_canonical};
pub use chain::{Breach, Broken, Checked, Head, Known, follow};
pub use export::{Export, Exported, NoRecord};
pub use hash::{Hash, InvalidHash};

/// The version of the rules a row is hashed under.
pub const VERSION: i64 = 1;

/// A row of a room's record. Its members are in the order of their names, so that it serialises
/// to its canonical form.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = AuditEntry))]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What was done.
    #[cfg_attr(feature = "openapi", schema(example = "approval"))]
    pub action: String,
    /// When it was done.
    pub at: Millis,
    /// More of it; whole numbers and text only.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub details: Box<RawValue>,
    /// SHA-256 of the row's canonical form without this member.
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub hash: Hash,
    /// The client's IP address; null where it is not known.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub ip: Option<String>,
    /// Its place in the room's record, from 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub n: i64,
    /// The hash of the row before; zeros in the first.
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    pub prev: Hash,
    /// The role of who did it.
    pub role: String,
    /// The room that keeps it: `feed`, or `symbol/` and the symbol.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub room: RoomName,
    /// Who did it: the token's `sub`.
    pub sub: String,
    /// The client's `User-Agent`; null where it is not known.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub user_agent: Option<String>,
    /// The version of the rules it is hashed under.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub v: i64,
}

/// [`Record`] without its hash: what is hashed.
#[derive(Serialize)]
struct Unsealed<'a> {
    action: &'a str,
    at: Millis,
    details: &'a RawValue,
    ip: Option<&'a str>,
    n: i64,
    prev: Hash,
    role: &'a str,
    room: &'a RoomName,
    sub: &'a str,
    user_agent: Option<&'a str>,
    v: i64,
}

impl Record {
    /// The text that is hashed.
    pub fn unsealed(&self) -> Box<RawValue> {
        json(&Unsealed {
            action: &self.action,
            at: self.at,
            details: &self.details,
            ip: self.ip.as_deref(),
            n: self.n,
            prev: self.prev,
            role: &self.role,
            room: &self.room,
            sub: &self.sub,
            user_agent: self.user_agent.as_deref(),
            v: self.v,
        })
    }

    /// The hash its other members have.
    pub fn computed_hash(&self) -> Hash {
        Hash::of(self.unsealed().get().as_bytes())
    }
}
