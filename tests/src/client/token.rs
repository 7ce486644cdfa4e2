//! Tokens: HS256 JWTs with the target's secret, good ones and bad ones.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};

/// The claim `role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and approves.
    Approver,
    /// Everything.
    Admin,
    /// Sends bars and starts runs.
    Service,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Approver, Self::Admin, Self::Service];

    /// As it travels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Approver => "approver",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }
}

/// Signs tokens with one secret.
#[derive(Debug, Clone)]
pub struct Minter {
    secret: String,
}

impl Minter {
    /// Signs with `secret`.
    pub fn new(secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
        }
    }

    /// A token good for an hour.
    pub fn token(&self, sub: &str, role: Role) -> String {
        self.lasting(sub, role, 3600)
    }

    /// A token that expires `seconds` from now; negative for one that has expired.
    pub fn lasting(&self, sub: &str, role: Role, seconds: i64) -> String {
        let now = now();
        self.sign(&json!({"sub": sub, "role": role.name(), "iat": now.min(now + seconds), "exp": now + seconds}))
    }

    /// A token with exactly these claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(Algorithm::HS256, claims)
    }

    /// A token with exactly these claims and this algorithm of the HMAC family.
    pub fn sign_with(&self, algorithm: Algorithm, claims: &Value) -> String {
        encode(
            &Header::new(algorithm),
            claims,
            &EncodingKey::from_secret(self.secret.as_bytes()),
        )
        .expect("an HMAC over serialisable claims cannot fail")
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    i64::try_from(get_current_timestamp()).expect("the clock is before the year 292 billion")
}
