//! Checks tokens and signs them.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::Sha256;

use super::jwks::KeysError;
use super::jws::{Alg, Jws, encode};
use super::provider::{Provider, Want};
use super::role::Role;
use super::subject::is_subject;
use crate::time::Millis;

/// Seconds a token may be off either way, for clocks that disagree.
pub const LEEWAY_SECONDS: i64 = 60;

/// The shortest secret HS256 is used with, bytes (RFC 7518 section 3.2: the hash's size).
pub const MIN_SECRET_BYTES: usize = 32;

/// The header of a token signed here, `{"typ":"JWT","alg":"HS256"}`.
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";

/// An HS256 key. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// A secret too short to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret must have at least 32 bytes")]
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

    fn mac(&self, signed: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.chain_update(signed)
    }

    /// Whether this secret signed the token; takes as long whatever the signature is.
    fn signed(&self, token: &Jws<'_>) -> bool {
        let mac = self.mac(token.signed);
        mac.verify_slice(&token.signature).is_ok()
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

/// Why a token is refused. Callers see one answer for all of them but the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No token came.
    #[error("no token")]
    Missing,
    /// Not a token of ours or the provider's, or without the claims that are needed.
    #[error("not a valid token")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYet,
    /// The identity provider's keys have never been reached, so nobody can tell.
    #[error("the identity provider's keys are not there")]
    NoKeys,
}

/// Checks tokens. Clones share the provider's keys.
#[derive(Debug, Clone)]
pub struct Verifier {
    secret: Secret,
    previous: Option<Secret>,
    issuer: Option<String>,
    audience: Option<String>,
    provider: Option<Arc<Provider>>,
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
            previous: None,
            issuer,
            audience,
            provider: None,
        }
    }

    /// Takes tokens of this secret as well, and signs none with it.
    #[must_use]
    pub fn after(self, previous: Option<Secret>) -> Self {
        Self { previous, ..self }
    }

    /// Takes tokens that this provider's keys signed as well.
    #[must_use]
    pub fn trusting(self, provider: Option<Provider>) -> Self {
        Self {
            provider: provider.map(Arc::new),
            ..self
        }
    }

    /// What an adapter does before `token` is judged; to be asked again afterwards, until there is
    /// nothing. A token that no key could make valid wants nothing.
    pub fn wants(&self, token: &str, now: Millis) -> Option<Want> {
        let (provider, jws) = self.for_provider(token, now)?;
        provider.wants(jws.alg, jws.kid.as_deref(), now)
    }

    /// Whether [`wants`](Self::wants) would say anything. Starts nothing.
    pub fn lacks_keys(&self, token: &str, now: Millis) -> bool {
        self.for_provider(token, now)
            .is_some_and(|(provider, jws)| provider.lacks(jws.alg, jws.kid.as_deref(), now))
    }

    fn for_provider<'a>(&self, token: &'a str, now: Millis) -> Option<(&Provider, Jws<'a>)> {
        let provider = self.provider.as_ref()?;
        let jws = Jws::read(token).filter(|jws| jws.alg != Alg::Hs256)?;
        self.claims(&jws, now).ok()?;
        Some((provider, jws))
    }

    /// Takes in the key set that [`Want::Fetch`] brought, or why it did not. What comes back is to
    /// be logged: a failure, once until the provider answers again.
    pub fn fetched(&self, answer: Result<Vec<u8>, KeysError>, now: Millis) -> Option<KeysError> {
        self.provider.as_ref()?.fetched(answer, now)
    }

    /// Checks a token and reads its claims, with the keys that are here.
    ///
    /// # Errors
    /// [`AuthError`] saying why it is refused.
    pub fn verify(&self, token: &str, now: Millis) -> Result<Claims, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        let jws = Jws::read(token).ok_or(AuthError::Invalid)?;
        // Before the signature: it costs less, and says nothing the sender does not know.
        let claims = self.claims(&jws, now)?;
        self.authenticate(&jws)?;
        Ok(claims)
    }

    fn authenticate(&self, token: &Jws<'_>) -> Result<(), AuthError> {
        match (token.alg, &self.provider) {
            (Alg::Hs256, _) => {
                let mut secrets = std::iter::once(&self.secret).chain(&self.previous);
                let signed = secrets.any(|secret| secret.signed(token));
                signed.then_some(()).ok_or(AuthError::Invalid)
            }
            (Alg::Rs256 | Alg::Es256 | Alg::EdDsa, Some(provider)) => provider.check(token),
            (Alg::Rs256 | Alg::Es256 | Alg::EdDsa, None) => Err(AuthError::Invalid),
        }
    }

    /// Reads and checks everything a token says, as if its signature were good.
    fn claims(&self, token: &Jws<'_>, now: Millis) -> Result<Claims, AuthError> {
        let members = &token.claims;
        let issuer = members.get("iss");
        if let Some(expected) = &self.issuer
            && issuer.and_then(Value::as_str) != Some(expected)
        {
            return Err(AuthError::Invalid);
        }
        if let Some(expected) = &self.audience
            && !names(members.get("aud"), expected)
        {
            return Err(AuthError::Invalid);
        }
        let leeway = LEEWAY_SECONDS * 1000;
        let expires_at = date(members, "exp")?.ok_or(AuthError::Invalid)?;
        if now >= expires_at.plus(leeway) {
            return Err(AuthError::Expired);
        }
        let issued_at = date(members, "iat")?;
        let begins = [date(members, "nbf")?, issued_at];
        if begins
            .into_iter()
            .flatten()
            .any(|at| now < at.plus(-leeway))
        {
            return Err(AuthError::NotYet);
        }
        let (sub, role) = match (token.alg, &self.provider) {
            (Alg::Hs256, _) | (_, None) => (members.get("sub"), members.get("role").and_then(role)),
            (_, Some(provider)) => (
                provider.subject(members),
                provider.role(members).and_then(highest),
            ),
        };
        let sub = sub.and_then(Value::as_str).ok_or(AuthError::Invalid)?;
        if !is_subject(sub) {
            return Err(AuthError::Invalid);
        }
        Ok(Claims {
            sub: sub.to_owned(),
            role: role.ok_or(AuthError::Invalid)?,
            expires_at,
            issued_at,
        })
    }

    /// Signs a token for `claims`, with the secret that is not the previous one.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] for a subject that would be refused.
    pub fn sign(&self, claims: &Claims) -> Result<String, AuthError> {
        if !is_subject(&claims.sub) {
            return Err(AuthError::Invalid);
        }
        let claims = Signed {
            sub: &claims.sub,
            role: claims.role,
            iat: claims.issued_at.map(|at| at.0.div_euclid(1000)),
            exp: claims.expires_at.0.div_euclid(1000),
            iss: self.issuer.as_deref(),
            aud: self.audience.as_deref(),
        };
        let claims = serde_json::to_vec(&claims).map_err(|_| AuthError::Invalid)?;
        let signed = format!("{HEADER}.{}", encode(claims));
        let signature = self.secret.mac(signed.as_bytes()).finalize().into_bytes();
        Ok(format!("{signed}.{}", encode(signature)))
    }
}

/// Whether `aud` is this audience or a list with it (RFC 7519 section 4.1.3).
fn names(audience: Option<&Value>, expected: &str) -> bool {
    match audience {
        Some(Value::String(one)) => one == expected,
        Some(Value::Array(several)) => several.iter().any(|one| one == expected),
        _ => false,
    }
}

fn role(name: &Value) -> Option<Role> {
    name.as_str()?.parse().ok()
}

/// The role that a claim names, or the one that counts most in a list of names of which some may
/// be anything.
fn highest(claim: &Value) -> Option<Role> {
    match claim {
        Value::Array(names) => {
            let roles: Vec<Role> = names.iter().filter_map(role).collect();
            Role::ALL
                .into_iter()
                .rev()
                .find(|role| roles.contains(role))
        }
        name => role(name),
    }
}

/// A NumericDate (RFC 7519 section 2), whole or fractional seconds, before the year 10,000.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
fn date(members: &Map<String, Value>, name: &str) -> Result<Option<Millis>, AuthError> {
    let Some(value) = members.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_f64().ok_or(AuthError::Invalid)?;
    if (0.0..=253_402_300_799.0).contains(&seconds) {
        Ok(Some(Millis((seconds * 1000.0) as i64)))
    } else {
        Err(AuthError::Invalid)
    }
}
