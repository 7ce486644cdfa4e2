//! Who is behind a call.

use serde::{Deserialize, Serialize};

use crate::auth::{Claims, Role};
use crate::time::Millis;

/// Who asks for something that is put on record, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The token's subject.
    pub sub: String,
    /// The token's role.
    pub role: Role,
    /// The client's IP address, where it is known.
    pub ip: Option<String>,
    /// The client's `User-Agent` as plain text, shortened; none where it sent none.
    pub user_agent: Option<String>,
}

impl Caller {
    /// Somebody of whom nothing else is known.
    pub fn new(sub: impl Into<String>, role: Role) -> Self {
        Self {
            sub: sub.into(),
            role,
            ip: None,
            user_agent: None,
        }
    }
}

/// What a token says, for what stands in for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The token's subject.
    pub sub: String,
    /// The token's role.
    pub role: Role,
    /// The token's expiry.
    pub expires_at: Millis,
    /// When the token was issued.
    pub issued_at: Option<Millis>,
}

impl From<Claims> for Holder {
    fn from(claims: Claims) -> Self {
        Self {
            sub: claims.sub,
            role: claims.role,
            expires_at: claims.expires_at,
            issued_at: claims.issued_at,
        }
    }
}

impl From<Holder> for Claims {
    fn from(holder: Holder) -> Self {
        Self {
            sub: holder.sub,
            role: holder.role,
            expires_at: holder.expires_at,
            issued_at: holder.issued_at,
        }
    }
}
