//! Who is asking: JWTs signed with HS256, and the roles they carry.
//!
//! The algorithm is fixed by configuration, never chosen by the token. Time is an argument, so
//! `exp` and `nbf` are checked here and not by the library, which would read a clock.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// Seconds a token may be off either way, for clocks that disagree.
pub const LEEWAY_SECONDS: i64 = 60;

/// The shortest secret HS256 is used with, bytes (RFC 7518 section 3.2: the hash's size).
pub const MIN_SECRET_BYTES: usize = 32;

/// The longest token looked at, bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The longest subject, bytes; it is kept with every socket and decision.
pub const MAX_SUBJECT_BYTES: usize = 256;

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
        [Self::Viewer, Self::Approver, Self::Admin, Self::Service]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(InvalidRole)
    }
}

/// The text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is viewer, approver, admin or service")]
pub struct InvalidRole;

/// The HS256 key. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// A secret too short to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("JWT_SECRET must have at least 32 bytes")]
pub struct ShortSecret;

impl Secret {
    /// Takes a key of at least [`MIN_SECRET_BYTES`].
    ///
    /// # Errors
    /// [`ShortSecret`].
    pub fn new(key: &str) -> Result<Self, ShortSecret> {
        if key.len() < MIN_SECRET_BYTES {
            return Err(ShortSecret);
        }
        Ok(Self(key.as_bytes().to_vec()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a valid token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who.
    pub sub: String,
    /// May do what.
    pub role: Role,
    /// Until when.
    pub expires_at: Millis,
    /// When it was issued; in whole seconds where it was signed here.
    pub issued_at: Option<Millis>,
}

/// Why a token is refused. Callers see one answer for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No token came.
    #[error("no token")]
    Missing,
    /// Not a JWT signed with the secret, or without the claims that are needed.
    #[error("not a valid token")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYet,
}

/// Checks tokens.
#[derive(Debug, Clone)]
pub struct Verifier {
    secret: Secret,
    issuer: Option<String>,
    audience: Option<String>,
}

/// What is read of a token; a NumericDate may have a fraction (RFC 7519 section 2).
#[derive(Deserialize)]
struct Read {
    sub: String,
    role: Role,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
}

/// What is written into a token, in whole seconds.
#[derive(Serialize)]
struct Signed<'a> {
    sub: &'a str,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

impl Verifier {
    /// A verifier for tokens of `secret`; `issuer` and `audience` are required when set.
    pub fn new(secret: Secret, issuer: Option<String>, audience: Option<String>) -> Self {
        Self {
            secret,
            issuer,
            audience,
        }
    }

    /// Checks a token and reads its claims.
    ///
    /// # Errors
    /// [`AuthError`] saying why it is refused.
    pub fn verify(&self, token: &str, now: Millis) -> Result<Claims, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::Invalid);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.required_spec_claims.clear();
        validation.validate_aud = self.audience.is_some();
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            validation.required_spec_claims.insert("aud".into());
        }
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".into());
        }
        let key = DecodingKey::from_secret(&self.secret.0);
        let claims = jsonwebtoken::decode::<Read>(token, &key, &validation)
            .map_err(|_| AuthError::Invalid)?
            .claims;
        let expires_at = seconds(claims.exp)?;
        let leeway = LEEWAY_SECONDS * 1000;
        if now >= expires_at.plus(leeway) {
            return Err(AuthError::Expired);
        }
        if let Some(nbf) = claims.nbf
            && now < seconds(nbf)?.plus(-leeway)
        {
            return Err(AuthError::NotYet);
        }
        if claims.sub.is_empty()
            || claims.sub.len() > MAX_SUBJECT_BYTES
            || claims.sub.chars().any(char::is_control)
        {
            return Err(AuthError::Invalid);
        }
        Ok(Claims {
            sub: claims.sub,
            role: claims.role,
            expires_at,
            issued_at: claims.iat.map(seconds).transpose()?,
        })
    }

    /// Signs a token for `claims`.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] when the claims cannot be signed.
    pub fn sign(&self, claims: &Claims) -> Result<String, AuthError> {
        let claims = Signed {
            sub: &claims.sub,
            role: claims.role,
            iat: claims.issued_at.map(|at| at.0.div_euclid(1000)),
            exp: claims.expires_at.0.div_euclid(1000),
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
        };
        let key = EncodingKey::from_secret(&self.secret.0);
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
            .map_err(|_| AuthError::Invalid)
    }
}

/// A NumericDate (RFC 7519 section 2), whole or fractional seconds.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
fn seconds(numeric_date: f64) -> Result<Millis, AuthError> {
    if numeric_date.is_finite() && (0.0..=253_402_300_799.0).contains(&numeric_date) {
        Ok(Millis((numeric_date * 1000.0) as i64))
    } else {
        Err(AuthError::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_700_000_000_000);

    fn verifier(key: &str) -> Verifier {
        Verifier::new(Secret::new(key).expect("long enough"), None, None)
    }

    fn claims(expires_at: Millis) -> Claims {
        Claims {
            sub: "alice".into(),
            role: Role::Approver,
            expires_at,
            issued_at: Some(NOW),
        }
    }

    #[test]
    fn a_signed_token_is_read_back() {
        let v = verifier("0123456789abcdef0123456789abcdef");
        let token = v.sign(&claims(NOW.plus(60_000))).expect("signs");
        assert_eq!(v.verify(&token, NOW), Ok(claims(NOW.plus(60_000))));
        assert_eq!(
            v.verify(&token, NOW.plus(119_999)),
            Ok(claims(NOW.plus(60_000)))
        );
        assert_eq!(v.verify(&token, NOW.plus(120_000)), Err(AuthError::Expired));
        let other = verifier("another key, another key, another");
        assert_eq!(other.verify(&token, NOW), Err(AuthError::Invalid));
    }

    #[test]
    fn issuer_and_audience_are_required_when_set() {
        let secret = Secret::new("0123456789abcdef0123456789abcdef").expect("long enough");
        let strict = Verifier::new(secret.clone(), Some("idp".into()), Some("desk".into()));
        let lax = Verifier::new(secret, None, None);
        let token = strict.sign(&claims(NOW.plus(1000))).expect("signs");
        assert!(strict.verify(&token, NOW).is_ok());
        assert!(lax.verify(&token, NOW).is_ok());
        let bare = lax.sign(&claims(NOW.plus(1000))).expect("signs");
        assert_eq!(strict.verify(&bare, NOW), Err(AuthError::Invalid));
    }

    #[test]
    fn an_unsigned_token_and_noise_are_refused() {
        let v = verifier("0123456789abcdef0123456789abcdef");
        // {"alg":"none"} . {"sub":"a","role":"admin","exp":9999999999} .
        let none =
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwicm9sZSI6ImFkbWluIiwiZXhwIjo5OTk5OTk5OTk5fQ.";
        for bad in [none, "a.b.c", "x", &"x".repeat(MAX_TOKEN_BYTES + 1)] {
            assert_eq!(v.verify(bad, NOW), Err(AuthError::Invalid));
        }
        assert_eq!(v.verify("", NOW), Err(AuthError::Missing));
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("0123456789abcdef0123456789abcdef").expect("long enough");
        assert!(!format!("{secret:?}").contains("0123"));
        assert_eq!(Secret::new("short"), Err(ShortSecret));
    }

    #[test]
    fn service_sends_bars_but_does_not_decide() {
        assert!(Role::Service.may(Need::Feed) && !Role::Service.may(Need::Decide));
        assert!(Role::Approver.may(Need::Decide) && !Role::Approver.may(Need::Feed));
        assert!(!Role::Viewer.may(Need::Decide) && Role::Viewer.may(Need::Read));
        assert!(Role::Admin.may(Need::Administer));
    }
}
