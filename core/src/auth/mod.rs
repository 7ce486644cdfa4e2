//! Who is asking: JSON Web Tokens, the keys they are checked with, and the roles they carry.
//!
//! Which algorithm a token is checked with follows from the configuration and the key, never from
//! the token (RFC 8725 section 3.1): HS256 with the secrets alone, RS256, ES256 and EdDSA with a
//! key of the identity provider whose type fits. Time is an argument.

mod jwks;
mod jws;
mod provider;
mod role;
mod strict;
mod subject;
#[cfg(test)]
mod tests;
mod verifier;

pub use jwks::{KeysError, MAX_DOCUMENT_BYTES, MAX_KEYS, key_document, key_request};
pub(crate) use provider::trusted;
pub use provider::{
    FETCH_DEADLINE_MS, InvalidKeysUrl, MAX_AGE_MS, Provider, REFRESH_PAUSE_MS, WAIT_MS, Want,
};
pub use role::{InvalidRole, Need, Role};
pub use subject::{MAX_SUBJECT_BYTES, SUBJECT_RULE, is_subject};
pub use verifier::{
    AuthError, Claims, LEEWAY_SECONDS, MIN_SECRET_BYTES, Secret, ShortSecret, Verifier,
};

pub use jws::MAX_TOKEN_BYTES;
