//! When keys are fetched, and what stays when they do not come.

use serde_json::{Value, json};

use super::keys::{NOW, Signer, claims, fresh, knowing, set, with};
use crate::auth::jwks::{Choice, KeySet};
use crate::auth::jws::{Alg, Jws, encode};
use crate::auth::{
    AuthError, KeysError, MAX_AGE_MS, MAX_DOCUMENT_BYTES, MAX_KEYS, REFRESH_PAUSE_MS, Verifier,
    Want,
};
use crate::time::Millis;

fn fetch() -> Option<Want> {
    Some(Want::Fetch("https://id.example/certs".into()))
}

/// A token that outlives these tests.
fn token(seed: u8, kid: &str) -> String {
    Signer::ec(seed).token(kid, &with(json!({"exp": 9_999_999_999_i64})))
}

fn good(verifier: &Verifier, token: &str, now: Millis) -> bool {
    verifier.verify(token, now).is_ok()
}

#[test]
fn keys_are_fetched_at_the_first_token_that_needs_them() {
    let verifier = fresh("role", "sub");
    let wanted = token(1, "1");
    assert_eq!(verifier.verify(&wanted, NOW), Err(AuthError::NoKeys));
    // None of these could be good with any key.
    for hopeless in [
        verifier.sign(&super::alice()).expect("signs"),
        Signer::hmac("x").token("1", &claims()),
        Signer::ec(1).token("1", &with(json!({"exp": 1}))),
        Signer::ec(1).token("1", &with(json!({"role": "root"}))),
        Signer::ec(1).with_header(&json!({"alg": "none"}), &claims()),
        Signer::ec(1).with_header(&json!({"alg": "PS256"}), &claims()),
        "garbage".into(),
        String::new(),
    ] {
        assert_eq!(verifier.wants(&hopeless, NOW), None, "{hopeless}");
    }
    assert_eq!(verifier.wants(&wanted, NOW), fetch());
    // Whoever comes meanwhile waits for the same answer.
    assert_eq!(verifier.wants(&wanted, NOW), Some(Want::Wait));
    assert_eq!(
        verifier.clone().wants(&token(2, "2"), NOW.plus(1)),
        Some(Want::Wait)
    );
    assert_eq!(
        verifier.fetched(Ok(set(&[Signer::ec(1).jwk("1")])), NOW),
        None
    );
    assert_eq!(verifier.wants(&wanted, NOW.plus(1)), None);
    assert!(good(&verifier, &wanted, NOW));
    assert!(
        good(&verifier.clone(), &wanted, NOW),
        "clones share the keys"
    );
}

#[test]
fn an_unknown_key_is_looked_for_every_half_a_minute_at_most() {
    let verifier = knowing(&[Signer::ec(1).jwk("1")]);
    let unknown = token(2, "2");
    let mut fetches = 0;
    for second in 0..300 {
        let now = NOW.plus(second * 1000);
        for kid in 0..10 {
            match verifier.wants(&token(2, &format!("{second}-{kid}")), now) {
                Some(Want::Fetch(_)) => {
                    fetches += 1;
                    let keys = set(&[Signer::ec(1).jwk("1")]);
                    assert_eq!(verifier.fetched(Ok(keys), now), None);
                }
                Some(Want::Wait) => panic!("nobody is fetching"),
                None => {}
            }
        }
        assert_eq!(verifier.verify(&unknown, now), Err(AuthError::Invalid));
        assert!(good(&verifier, &token(1, "1"), now));
    }
    assert_eq!(fetches, 9, "once every 30 s after the first");
}

#[test]
fn a_rotated_key_is_found_and_a_withdrawn_one_forgotten() {
    let verifier = knowing(&[Signer::ec(1).jwk("1")]);
    let later = NOW.plus(REFRESH_PAUSE_MS);
    assert_eq!(verifier.wants(&token(2, "2"), later.plus(-1)), None);
    assert_eq!(verifier.wants(&token(2, "2"), later), fetch());
    assert_eq!(
        verifier.fetched(Ok(set(&[Signer::ec(2).jwk("2")])), later),
        None
    );
    assert!(good(&verifier, &token(2, "2"), later));
    assert!(!good(&verifier, &token(1, "1"), later));
}

#[test]
fn old_keys_are_fetched_anew_by_one_request_and_do_for_the_others() {
    let verifier = knowing(&[Signer::ec(1).jwk("1")]);
    let known = token(1, "1");
    let old = NOW.plus(MAX_AGE_MS);
    assert_eq!(verifier.wants(&known, old.plus(-1)), None);
    assert_eq!(verifier.wants(&known, old), fetch());
    assert_eq!(verifier.wants(&known, old), None);
    assert!(good(&verifier, &known, old));
    assert_eq!(verifier.wants(&token(2, "2"), old), Some(Want::Wait));
    // It failed: the old ones stay, and the next try is half a minute later.
    let failed = verifier.fetched(Err(KeysError::Unreachable), old);
    assert_eq!(failed, Some(KeysError::Unreachable));
    assert!(good(&verifier, &known, old));
    assert_eq!(verifier.wants(&known, old.plus(REFRESH_PAUSE_MS - 1)), None);
    assert_eq!(verifier.wants(&known, old.plus(REFRESH_PAUSE_MS)), fetch());
}

#[test]
fn a_provider_that_fails_is_told_of_once_and_asked_again() {
    let verifier = fresh("role", "sub");
    let wanted = token(1, "1");
    let mut now = NOW;
    let failures = [
        Err(KeysError::Unreachable),
        Err(KeysError::TooSlow),
        Err(KeysError::Status(302)),
        Ok(b"<!doctype html><title>Sign in</title>".to_vec()),
        Ok(set(&[])),
    ];
    for (number, failure) in failures.into_iter().enumerate() {
        assert_eq!(verifier.wants(&wanted, now), fetch());
        let logged = verifier.fetched(failure, now);
        assert_eq!(logged.is_some(), number == 0);
        // Neither asked at once again, nor a bad token.
        assert_eq!(verifier.wants(&wanted, now), None);
        assert_eq!(verifier.wants(&wanted, now.plus(4_999)), None);
        assert_eq!(verifier.verify(&wanted, now), Err(AuthError::NoKeys));
        now = now.plus(5_000);
    }
    assert_eq!(verifier.wants(&wanted, now), fetch());
    assert_eq!(
        verifier.fetched(Ok(set(&[Signer::ec(1).jwk("1")])), now),
        None
    );
    assert!(good(&verifier, &wanted, now));
    let again = now.plus(REFRESH_PAUSE_MS);
    assert_eq!(verifier.wants(&token(2, "2"), again), fetch());
    let logged = verifier.fetched(Err(KeysError::Status(500)), again);
    assert_eq!(logged, Some(KeysError::Status(500)));
}

#[test]
fn a_fetch_that_never_ends_holds_nobody_for_ever() {
    let verifier = fresh("role", "sub");
    let wanted = token(1, "1");
    assert_eq!(verifier.wants(&wanted, NOW), fetch());
    assert_eq!(verifier.wants(&wanted, NOW.plus(5_999)), Some(Want::Wait));
    assert_eq!(verifier.wants(&wanted, NOW.plus(6_000)), fetch());
    // A clock that was set back does not keep anybody waiting either.
    assert_eq!(verifier.wants(&wanted, NOW.plus(-10_000)), fetch());
}

#[test]
fn only_keys_that_can_check_a_signature_here_are_kept() {
    let ec = Signer::ec(1);
    let changed = |name: &str, value: Value| {
        let mut jwk = ec.jwk("1");
        jwk[name] = value;
        jwk
    };
    let rsa = |name: &str, value: Value| {
        let mut jwk = Signer::rsa().jwk("1");
        jwk[name] = value;
        jwk
    };
    let ed = |x: &[u8]| json!({"kty": "OKP", "crv": "Ed25519", "x": encode(x)});
    let number = |bits: usize, last: u8| {
        let mut bytes = vec![0xC1; bits / 8];
        *bytes.last_mut().expect("bits") = last;
        json!(encode(bytes))
    };
    for kept in [
        ec.jwk("1"),
        changed("use", json!("sig")),
        changed("key_ops", json!(["sign", "verify"])),
        changed("alg", json!("ES256")),
        changed("x5c", json!(["anything"])),
        rsa("n", number(2048, 1)),
        rsa("n", number(4096, 1)),
        Signer::ed(1).jwk("1"),
    ] {
        let kept = set(&[kept]);
        assert!(KeySet::read(&kept).is_ok(), "{kept:?}");
    }
    for ignored in [
        Signer::hmac("0123456789abcdef0123456789abcdef").jwk("1"),
        changed("kty", json!("ec")),
        changed("kty", json!("RSA")),
        changed("crv", json!("P-384")),
        changed("crv", json!("secp256k1")),
        changed("crv", json!("Ed25519")),
        changed("use", json!("enc")),
        changed("use", json!(null)),
        changed("key_ops", json!(["sign"])),
        changed("key_ops", json!("verify")),
        changed("alg", json!("ES384")),
        changed("alg", json!("RS256")),
        changed("alg", json!("HS256")),
        changed("alg", json!("none")),
        changed("kid", json!(1)),
        changed("d", json!("AQ")),
        changed("x", ec.jwk("1")["y"].clone()),
        changed("x", json!("AQ")),
        changed("x", json!("not base64!")),
        changed("y", json!(encode([0; 32]))),
        rsa("alg", json!("PS256")),
        rsa("alg", json!("RS512")),
        rsa("n", number(2040, 1)),
        rsa("n", number(1024, 1)),
        rsa("n", number(4104, 1)),
        rsa("n", number(2048, 2)),
        rsa("n", json!("")),
        rsa("e", json!("AQ")),
        rsa("e", json!("AA")),
        rsa("e", json!("Ag")),
        rsa("e", json!("")),
        rsa("e", json!("AQAAAAAAAAAB")),
        ed(&[1; 31]),
        ed(&[1; 33]),
        ed(&[0; 32]),
        ed(&[]),
        json!({}),
        json!(null),
        json!([]),
        json!("key"),
    ] {
        let read = KeySet::read(&set(std::slice::from_ref(&ignored)));
        assert_eq!(read.err(), Some(KeysError::Empty), "{ignored}");
        // It does no harm to the others either.
        let others = set(&[ignored, Signer::ed(1).jwk("2")]);
        assert!(KeySet::read(&others).is_ok());
    }
}

#[test]
fn a_key_checks_with_its_own_algorithm_whatever_the_token_says() {
    let signer = Signer::ec(1);
    let keys = KeySet::read(&set(&[signer.jwk("1")])).expect("a key set");
    let Choice::Key(key) = keys.choose(Alg::Es256, Some("1")) else {
        panic!("it has the key");
    };
    for (alg, own) in [
        ("ES256", true),
        ("EdDSA", false),
        ("RS256", false),
        ("HS256", false),
    ] {
        let token = signer.with_header(&json!({"alg": alg}), &claims());
        let token = Jws::read(&token).expect("a token");
        assert_eq!(key.signed(&token), own, "{alg}");
    }
}

#[test]
fn only_a_key_set_of_bounded_size_is_read() {
    let read = |text: &[u8]| KeySet::read(text).err();
    let jwk = Signer::ec(1).jwk("1");
    for malformed in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":"x"}"#,
        r#"{"Keys":[]}"#,
        "<html>",
        &format!(r#"{{"keys":[{jwk}],"keys":[{jwk}]}}"#),
        r#"{"keys":[{"kty":"EC","kty":"RSA"}]}"#,
    ] {
        assert_eq!(
            read(malformed.as_bytes()),
            Some(KeysError::Malformed),
            "{malformed}"
        );
    }
    let keys = |count: usize| set(&vec![jwk.clone(); count]);
    assert_eq!(read(&keys(MAX_KEYS)), None);
    assert_eq!(read(&keys(MAX_KEYS + 1)), Some(KeysError::TooMany));
    let mut padded = set(&[jwk]);
    padded.resize(MAX_DOCUMENT_BYTES, b' ');
    assert_eq!(read(&padded), None);
    padded.push(b' ');
    assert_eq!(read(&padded), Some(KeysError::TooLarge));
    // As Cloudflare Access shows its keys: certificates beside them.
    let access = json!({
        "keys": [Signer::rsa().jwk("1")],
        "public_cert": {"kid": "1", "cert": "-----BEGIN CERTIFICATE-----"},
        "public_certs": [{"kid": "1", "cert": "-----BEGIN CERTIFICATE-----"}],
    });
    assert_eq!(read(access.to_string().as_bytes()), None);
}
