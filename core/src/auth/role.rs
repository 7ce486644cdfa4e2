//! Roles, and what they suffice for.

use serde::{Deserialize, Serialize};

/// What a token's holder may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and decides.
    Approver,
    /// Everything.
    Admin,
    /// A program: sends bars and starts runs, reads, does not decide.
    Service,
}

/// What a route asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing, not even a token.
    Nothing,
    /// Any valid token.
    Read,
    /// To decide.
    Decide,
    /// To send bars and start runs.
    Feed,
    /// To administer.
    Administer,
}

impl Role {
    /// All of them, the one that counts most last: where somebody has several, a person's role
    /// counts more than a program's.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Service, Self::Approver, Self::Admin];

    /// The claim's text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Approver => "approver",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }

    /// Whether this role fulfils `need`.
    pub fn may(self, need: Need) -> bool {
        match need {
            Need::Nothing | Need::Read => true,
            Need::Decide => matches!(self, Self::Approver | Self::Admin),
            Need::Feed => matches!(self, Self::Service | Self::Admin),
            Need::Administer => matches!(self, Self::Admin),
        }
    }
}

impl std::str::FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(InvalidRole)
    }
}

/// The text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is viewer, approver, admin or service")]
pub struct InvalidRole;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_sends_bars_but_does_not_decide() {
        assert!(Role::Service.may(Need::Feed) && !Role::Service.may(Need::Decide));
        assert!(Role::Approver.may(Need::Decide) && !Role::Approver.may(Need::Feed));
        assert!(!Role::Viewer.may(Need::Decide) && Role::Viewer.may(Need::Read));
        assert!(Role::Admin.may(Need::Administer));
    }
}
