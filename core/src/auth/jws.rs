//! A token's outer form: JWS compact serialisation (RFC 7515), read but not believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::strict;

/// The longest token looked at, bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The longest name of a key, bytes.
const MAX_KID_BYTES: usize = 256;

/// How a token says it is signed; one name per kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alg {
    /// HMAC with SHA-256.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Alg {
    /// Reads a name as RFC 7518 and RFC 8037 write it; `Ed25519` is RFC 9864's name of the same.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A token in its parts. Nothing in it is known to be true yet.
#[derive(Debug)]
pub(super) struct Jws<'a> {
    /// What its header claims; the key decides.
    pub(super) alg: Alg,
    /// Which key it claims to be signed with.
    pub(super) kid: Option<String>,
    /// What it says.
    pub(super) claims: Map<String, Value>,
    /// What is signed: header and claims as they came.
    pub(super) signed: &'a [u8],
    /// The signature.
    pub(super) signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart: three parts of base64url without padding, two of them JSON objects. A
    /// header that brings keys or their addresses (`jwk`, `jku`, `x5c`, `x5u`) is not followed;
    /// one that wants extensions understood (`crit`, `b64`) is refused: there are none here.
    pub(super) fn read(token: &'a str) -> Option<Self> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header = strict::object(&decode(header)?)?;
        if header.contains_key("crit") || header.contains_key("b64") {
            return None;
        }
        if let Some(kind) = header.get("typ")
            && !is_jwt(kind.as_str()?)
        {
            return None;
        }
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= MAX_KID_BYTES => Some(kid.clone()),
            Some(_) => return None,
        };
        Some(Self {
            alg: Alg::named(header.get("alg")?.as_str()?)?,
            kid,
            claims: strict::object(&decode(claims)?)?,
            signed: signed.as_bytes(),
            signature: decode(signature)?,
        })
    }
}

/// A token or an access token (RFC 9068), not something else that is signed with the same key.
fn is_jwt(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    let kind = kind.strip_prefix("application/").unwrap_or(&kind);
    kind == "jwt" || kind == "at+jwt"
}

/// Reads base64url: no padding, no line ends, and no bits left over, so that every text has one
/// spelling.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Writes base64url.
pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
