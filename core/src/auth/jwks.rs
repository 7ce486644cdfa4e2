//! The public keys of an identity provider: a JSON Web Key Set (RFC 7517), of which only what can
//! check a signature here is kept.

use ed25519_dalek::Signature as EdSignature;
use ed25519_dalek::VerifyingKey as EdKey;
use p256::EncodedPoint;
use p256::ecdsa::{Signature as EcSignature, VerifyingKey as EcKey};
use rsa::pkcs1v15::{Signature as RsaSignature, VerifyingKey as RsaKey};
use rsa::signature::Verifier as _;
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, RsaPublicKey};
use serde_json::{Map, Value};
use sha2::Sha256;

use super::jws::{Alg, Jws, decode};
use super::provider::FETCH_DEADLINE_MS;
use super::strict;
use crate::fetch::{self, FetchError, Fetched};

/// The largest key set looked at, bytes.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;

/// The most keys a set may have.
pub const MAX_KEYS: usize = 32;

/// The shortest RSA key that is trusted, bits (RFC 7518 section 3.3). The longest is 4,096 bits:
/// a longer one would only cost time.
const MIN_RSA_BITS: usize = 2048;

/// The request for the key set at `url`.
pub fn key_request(url: String) -> fetch::Request {
    fetch::Request {
        url,
        headers: Vec::new(),
        max_bytes: MAX_DOCUMENT_BYTES,
        deadline_ms: FETCH_DEADLINE_MS,
    }
}

/// The document that came, if it may be one.
///
/// # Errors
/// [`KeysError`] for anything but an answer of 200.
pub fn key_document(fetched: Fetched) -> Result<Vec<u8>, KeysError> {
    match fetched {
        Ok(answer) if answer.status == 200 => Ok(answer.body),
        Ok(answer) => Err(KeysError::Status(answer.status)),
        Err(FetchError::Unreachable) => Err(KeysError::Unreachable),
        Err(FetchError::TooSlow) => Err(KeysError::TooSlow),
        Err(FetchError::TooLarge) => Err(KeysError::TooLarge),
    }
}

/// Why there are no new keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// No answer came, or it broke off.
    #[error("the identity provider does not answer")]
    Unreachable,
    /// The answer took longer than [`FETCH_DEADLINE_MS`](super::FETCH_DEADLINE_MS).
    #[error("the identity provider is too slow")]
    TooSlow,
    /// Another status than 200. Redirects are not followed.
    #[error("the identity provider answers {0}")]
    Status(u16),
    /// More than [`MAX_DOCUMENT_BYTES`].
    #[error("the identity provider's key set is larger than 64 KiB")]
    TooLarge,
    /// Not a JSON object with a list `keys`.
    #[error("the identity provider's answer is not a key set")]
    Malformed,
    /// More than [`MAX_KEYS`].
    #[error("the identity provider has more than 32 keys")]
    TooMany,
    /// No key in it can be used here.
    #[error("the identity provider has no RSA (2,048 to 4,096 bits), P-256 or Ed25519 key")]
    Empty,
}

#[derive(Debug)]
enum Public {
    Rsa(RsaKey<Sha256>),
    Ec(EcKey),
    Ed(EdKey),
}

/// A key and the name that tokens call it by.
#[derive(Debug)]
pub(super) struct Key {
    kid: Option<String>,
    public: Public,
}

/// The keys that can be used, at least one.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

/// Which key a token is to be checked with.
#[derive(Debug)]
pub(super) enum Choice<'a> {
    /// This one.
    Key(&'a Key),
    /// None here; a newer set may have it.
    Unknown,
    /// It does not say which of several.
    Ambiguous,
}

impl KeySet {
    /// Reads a key set. Keys that cannot check a signature here are passed over: of another type
    /// or purpose, too short, not on their curve, symmetric, or with their private half public.
    pub(super) fn read(document: &[u8]) -> Result<Self, KeysError> {
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(KeysError::TooLarge);
        }
        let document = strict::object(document).ok_or(KeysError::Malformed)?;
        let listed = document.get("keys").and_then(Value::as_array);
        let listed = listed.ok_or(KeysError::Malformed)?;
        if listed.len() > MAX_KEYS {
            return Err(KeysError::TooMany);
        }
        let members = listed.iter().filter_map(Value::as_object);
        let keys: Vec<Key> = members.filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(KeysError::Empty);
        }
        Ok(Self(keys))
    }

    /// The key that a token with this algorithm and key name is to be checked with. Without a
    /// name on either side it is the only one that fits (RFC 7515 section 4.1.4: a hint).
    pub(super) fn choose(&self, alg: Alg, kid: Option<&str>) -> Choice<'_> {
        let mut fitting = self.0.iter().filter(|key| key.alg() == alg);
        if let Some(kid) = kid
            && let Some(named) = fitting.clone().find(|key| key.kid.as_deref() == Some(kid))
        {
            return Choice::Key(named);
        }
        match (fitting.next(), fitting.next()) {
            (Some(only), None) if kid.is_none() || only.kid.is_none() => Choice::Key(only),
            (Some(_), Some(_)) if kid.is_none() => Choice::Ambiguous,
            _ => Choice::Unknown,
        }
    }
}

impl Key {
    fn read(members: &Map<String, Value>) -> Option<Self> {
        let kid = match members.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str()?.to_owned()),
        };
        let purpose = members.get("use").is_none_or(|it| it == "sig");
        let operations = members.get("key_ops").is_none_or(|it| {
            let listed = it.as_array();
            listed.is_some_and(|listed| listed.iter().any(|it| it == "verify"))
        });
        if !purpose || !operations || members.contains_key("d") {
            return None;
        }
        let public = Public::read(members)?;
        let key = Self { kid, public };
        match members.get("alg") {
            Some(alg) if Alg::named(alg.as_str()?) != Some(key.alg()) => None,
            Some(_) | None => Some(key),
        }
    }

    /// The one algorithm this key is used with.
    fn alg(&self) -> Alg {
        match self.public {
            Public::Rsa(_) => Alg::Rs256,
            Public::Ec(_) => Alg::Es256,
            Public::Ed(_) => Alg::EdDsa,
        }
    }

    /// Whether this key signed the token, with this key's own algorithm.
    pub(super) fn signed(&self, token: &Jws<'_>) -> bool {
        if token.alg != self.alg() {
            return false;
        }
        let signature = token.signature.as_slice();
        match &self.public {
            Public::Rsa(key) => RsaSignature::try_from(signature)
                .is_ok_and(|signature| key.verify(token.signed, &signature).is_ok()),
            // Refuses r and s that are zero or not below the group's order.
            Public::Ec(key) => EcSignature::from_slice(signature)
                .is_ok_and(|signature| key.verify(token.signed, &signature).is_ok()),
            Public::Ed(key) => EdSignature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(token.signed, &signature).is_ok()),
        }
    }
}

impl Public {
    fn read(members: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| members.get(name)?.as_str();
        let bytes = |name: &str| decode(text(name)?);
        let field = |name: &str| <[u8; 32]>::try_from(bytes(name)?).ok();
        match (text("kty")?, text("crv")) {
            ("RSA", _) => rsa(&bytes("n")?, &bytes("e")?),
            ("EC", Some("P-256")) => {
                let (x, y) = (field("x")?, field("y")?);
                let point = EncodedPoint::from_affine_coordinates(&x.into(), &y.into(), false);
                // Refuses a point that is not on the curve.
                EcKey::from_encoded_point(&point).ok().map(Self::Ec)
            }
            ("OKP", Some("Ed25519")) => {
                let key = EdKey::from_bytes(&field("x")?).ok()?;
                (!key.is_weak()).then_some(Self::Ed(key))
            }
            _ => None,
        }
    }
}

fn rsa(n: &[u8], e: &[u8]) -> Option<Public> {
    let odd = |bytes: &[u8]| bytes.last().is_some_and(|last| last % 2 == 1);
    // Refuses exponents below two and moduli of more than 4,096 bits.
    let key = RsaPublicKey::new(BigUint::from_bytes_be(n), BigUint::from_bytes_be(e)).ok()?;
    let good = odd(n) && odd(e) && key.n().bits() >= MIN_RSA_BITS;
    good.then(|| Public::Rsa(RsaKey::new(key)))
}
