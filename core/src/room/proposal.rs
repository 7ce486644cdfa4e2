//! A decision somebody wants to take, and which of those taken are asked for.

use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::signal::SignalId;
use crate::signals::Suggestion;
use crate::symbol::Symbol;
use crate::time::Millis;

/// Which decisions a list of approvals is about. Absent means any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalFilter {
    /// Only this symbol.
    pub symbol: Option<Symbol>,
    /// Only decisions of this subject.
    pub by: Option<String>,
    /// Decided at or after.
    pub from: Option<Millis>,
    /// Decided at or before.
    pub to: Option<Millis>,
}

/// A decision somebody wants to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// What is decided.
    pub status: Suggestion,
    /// Why, in the person's words.
    pub note: Option<String>,
    /// What the person looked at: of each of these lists one must be the current signal.
    pub conditions: Vec<Vec<SignalId>>,
    /// Who decides.
    pub by: Caller,
    /// Under which key the answer is kept for a retry.
    pub retry: Option<RetryKey>,
}

/// A request that may be sent again and is to be done once.
/// <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryKey {
    /// The client's key, 1 to 255 characters, unique among that user's requests to this room.
    pub key: String,
    /// SHA-256 of all that was asked, hexadecimal: another request under the key is refused.
    pub request: String,
}
