//! Keys and tokens of these tests. The keys are made up here and used nowhere else.

use std::sync::OnceLock;

use hmac::{Hmac, Mac};
use rsa::pkcs1v15::{Signature, SigningKey};
use rsa::signature::{SignatureEncoding, Signer as _};
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, RsaPrivateKey};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::auth::jws::encode;
use crate::auth::{Provider, Secret, Verifier};
use crate::time::Millis;

pub(super) const NOW: Millis = Millis(1_700_000_000_000);
/// The same, as claims have it.
pub(super) const NOW_S: i64 = 1_700_000_000;

pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(super) const PREVIOUS: &str = "fedcba9876543210fedcba9876543210";

const P: &str = "DA7CFD88A62D8E4020EC1BF41AF551F082C1891E7C083EBB0D9F0AC85BF60235F3758CC921EDDB65120E5D7627EE06A94BE0F15FC62D8FD97767888DA954EE1CD652FEBA4D0266AE8722C9CC17169F3E575CC3F7324E279AE5119110F117891C97E28FC6A476FE2CA3C58433EB1EDB0DB8861100708990EC7671CB35908F3B93";
const Q: &str = "D451C631F5AA5F0B3328D0584C3734C21BFFD440BB43D84F96FEA11F70CA4D08FFA11A103CE64576822AEDB38E916D90F7D4A195EB3696F3CAA5399C888337A626093CB7C06CE8899C2C3238E06E08E8BF6D413C9B74B700B4D75B48DE2B7F8A1F4084FA3CBFA8B5016B90F7A36CDC743F225AEE9F071DA72BE286F312F60D17";
const R: &str = "C7B991F364CD67733F2F0A23DE2FD51F8D5478D8921577CD335713FA34F4454B5C76CFDF3F1308BAA0C71AAA49F487CACFCCF5C8850FAC46065095D5951636126109D1ABD074B291A0C564E1EB4BA4351633A04C4C48896218EB288C7B720EBFE77E20107FB37215120C6631A2D523F5142539EEFAD4ED98081886C9BAC3878B";

/// Whoever signs.
#[derive(Debug, Clone)]
pub(super) enum Signer {
    Hmac(Vec<u8>),
    Rsa(Box<RsaPrivateKey>),
    Ec(p256::ecdsa::SigningKey),
    Ed(ed25519_dalek::SigningKey),
}

impl Signer {
    pub(super) fn rsa() -> Self {
        static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
        Self::Rsa(Box::new(KEY.get_or_init(|| rsa(P, Q)).clone()))
    }

    pub(super) fn other_rsa() -> Self {
        static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
        Self::Rsa(Box::new(KEY.get_or_init(|| rsa(P, R)).clone()))
    }

    pub(super) fn ec(seed: u8) -> Self {
        Self::Ec(p256::ecdsa::SigningKey::from_slice(&[seed; 32]).expect("a scalar"))
    }

    pub(super) fn ed(seed: u8) -> Self {
        Self::Ed(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]))
    }

    pub(super) fn hmac(secret: impl AsRef<[u8]>) -> Self {
        Self::Hmac(secret.as_ref().to_vec())
    }

    pub(super) fn alg(&self) -> &'static str {
        match self {
            Self::Hmac(_) => "HS256",
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
            Self::Ed(_) => "EdDSA",
        }
    }

    pub(super) fn sign(&self, signed: &[u8]) -> Vec<u8> {
        match self {
            Self::Hmac(secret) => {
                let mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
                mac.chain_update(signed).finalize().into_bytes().to_vec()
            }
            Self::Rsa(key) => {
                let signature: Signature = SigningKey::<Sha256>::new(*key.clone()).sign(signed);
                signature.to_vec()
            }
            Self::Ec(key) => {
                let signature: p256::ecdsa::Signature = key.sign(signed);
                signature.to_bytes().to_vec()
            }
            Self::Ed(key) => key.sign(signed).to_bytes().to_vec(),
        }
    }

    /// The public key as a provider shows it.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Hmac(secret) => json!({"kty": "oct", "kid": kid, "k": encode(secret)}),
            Self::Rsa(key) => json!({
                "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
                "n": encode(key.n().to_bytes_be()), "e": encode(key.e().to_bytes_be()),
            }),
            Self::Ec(key) => {
                let point = key.verifying_key().to_encoded_point(false);
                let (x, y) = (point.x().expect("x"), point.y().expect("y"));
                json!({"kty": "EC", "kid": kid, "crv": "P-256", "x": encode(x), "y": encode(y)})
            }
            Self::Ed(key) => json!({
                "kty": "OKP", "kid": kid, "crv": "Ed25519", "x": encode(key.verifying_key()),
            }),
        }
    }

    /// A token with this key's algorithm.
    pub(super) fn token(&self, kid: &str, claims: &Value) -> String {
        self.with_header(&json!({"alg": self.alg(), "kid": kid}), claims)
    }

    /// A token with this header, whatever it says.
    pub(super) fn with_header(&self, header: &Value, claims: &Value) -> String {
        self.of_bytes(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// A token of any bytes, well signed.
    pub(super) fn of_bytes(&self, header: &[u8], claims: &[u8]) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

fn rsa(p: &str, q: &str) -> RsaPrivateKey {
    let [p, q] = [p, q].map(|hex| BigUint::parse_bytes(hex.as_bytes(), 16).expect("hex"));
    RsaPrivateKey::from_p_q(p, q, BigUint::from(65_537_u32)).expect("primes")
}

/// What a good token says.
pub(super) fn claims() -> Value {
    json!({"sub": "alice", "role": "approver", "iat": NOW_S, "exp": NOW_S + 60})
}

/// The same with members set or, by null, removed.
pub(super) fn with(changes: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        members.remove(name);
        if !value.is_null() {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

/// Secrets alone.
pub(super) fn plain() -> Verifier {
    let secret = |key| Secret::new(key).expect("long enough");
    Verifier::new(secret(SECRET), None, None).after(Some(secret(PREVIOUS)))
}

/// Secrets, and a provider of which nothing is known yet.
pub(super) fn fresh(role: &str, subject: &str) -> Verifier {
    let url = "https://id.example/certs";
    let provider = Provider::new(url, role.into(), subject.into()).expect("https");
    plain().trusting(Some(provider))
}

/// Secrets, and a provider with these keys.
pub(super) fn knowing(keys: &[Value]) -> Verifier {
    let verifier = fresh("role", "sub");
    load(&verifier, keys, NOW);
    verifier
}

/// Hands in these keys, as a fetch would.
pub(super) fn load(verifier: &Verifier, keys: &[Value], now: Millis) {
    assert_eq!(verifier.fetched(Ok(set(keys)), now), None);
}

/// A key set.
pub(super) fn set(keys: &[Value]) -> Vec<u8> {
    json!({"keys": keys}).to_string().into_bytes()
}
