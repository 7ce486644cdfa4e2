//! Whatever comes: no panic, and nothing good about a token that was touched.

use proptest::prelude::*;
use serde_json::json;

use super::hostile::{trusted, verifier};
use super::keys::{NOW, NOW_S, Signer, claims, fresh};
use crate::auth::jws::encode;
use crate::auth::{AuthError, KeysError, Verifier};

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=";

fn good() -> (Verifier, Vec<String>) {
    let tokens = trusted().map(|(signer, kid)| signer.token(kid, &claims()));
    (verifier(), tokens.to_vec())
}

#[test]
fn a_token_with_any_letter_changed_is_refused() {
    let (verifier, tokens) = good();
    let mut tried = 0;
    for token in tokens {
        for at in 0..token.len() {
            // RSA is slow to check: one letter at every place, for the others three.
            let letters: &[u8] = if token.len() > 300 { b"A" } else { b"A.k" };
            for letter in letters {
                let mut bytes = token.clone().into_bytes();
                bytes[at] = if bytes[at] == *letter { b'B' } else { *letter };
                let changed = String::from_utf8(bytes).expect("ASCII");
                assert!(verifier.verify(&changed, NOW).is_err(), "{changed}");
                tried += 1;
            }
        }
    }
    println!("{tried} changed tokens refused");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_is_a_token(text in "\\PC*|.*|[A-Za-z0-9_.=-]{0,200}") {
        let verifier = verifier();
        prop_assert!(verifier.verify(&text, NOW).is_err());
        prop_assert_eq!(verifier.wants(&text, NOW.plus(3_600_000)), None);
    }

    #[test]
    fn no_mutation_of_a_token_is_one(
        which in 0..4_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, 0..ALPHABET.len()), 1..4),
    ) {
        let (verifier, tokens) = good();
        let mut bytes = tokens[which].clone().into_bytes();
        for (at, how, letter) in edits {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = ALPHABET[letter],
                1 => { bytes.remove(at); }
                _ => bytes.insert(at, ALPHABET[letter]),
            }
        }
        let changed = String::from_utf8(bytes).expect("ASCII");
        prop_assume!(changed != tokens[which]);
        prop_assert!(verifier.verify(&changed, NOW).is_err());
    }

    #[test]
    fn any_bytes_well_signed_are_read_without_a_panic(
        header in prop::collection::vec(any::<u8>(), 0..80),
        body in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let signer = Signer::ed(1);
        let own = json!({"alg": "EdDSA", "kid": "ed"}).to_string();
        let verifier = verifier();
        let _ = verifier.verify(&signer.of_bytes(&header, &body), NOW);
        prop_assert!(verifier.verify(&signer.of_bytes(own.as_bytes(), &body), NOW).is_err());
    }

    #[test]
    fn any_number_is_a_date_or_refused(exp in any::<f64>(), leap in -200_000_i64..200_000) {
        let verifier = verifier();
        let signer = Signer::ed(1);
        let verify = |exp: f64| {
            let said = json!({"sub": "a", "role": "viewer", "exp": exp});
            verifier.verify(&signer.token("ed", &said), NOW)
        };
        if exp.is_finite() {
            let known = (NOW_S as f64 - 60.0..=253_402_300_799.0).contains(&exp);
            prop_assert_eq!(verify(exp).is_ok(), known && exp > NOW_S as f64 - 60.0);
        }
        prop_assert_eq!(verify((NOW_S + leap) as f64).is_ok(), leap > -60);
    }

    #[test]
    fn no_bytes_from_a_provider_are_trusted_or_panic(
        document in prop::collection::vec(any::<u8>(), 0..300),
        field in "[A-Za-z0-9_-]{0,90}",
        name in prop::sample::select(vec!["n", "e", "x", "y", "kty", "crv", "alg", "use", "kid"]),
        which in 1..4_usize,
    ) {
        let verifier = fresh("role", "sub");
        let refused = verifier.fetched(Ok(document), NOW);
        prop_assert!(matches!(refused, Some(KeysError::Malformed | KeysError::Empty)));
        let (signer, kid) = trusted()[which].clone();
        let mut jwk = signer.jwk(kid);
        let token = signer.token(kid, &claims());
        prop_assume!(jwk.get(name).is_some_and(|now| *now != json!(field)));
        jwk[name] = json!(field);
        let _ = verifier.fetched(Ok(json!({"keys": [jwk]}).to_string().into_bytes()), NOW);
        let verdict = verifier.verify(&token, NOW);
        // A key under another name is not this token's; any other change makes another key.
        prop_assert!(
            matches!(verdict, Err(AuthError::Invalid | AuthError::NoKeys)),
            "{name} {field} {verdict:?}"
        );
    }

    #[test]
    fn a_long_token_is_refused_before_it_is_read(length in 8_193..20_000_usize) {
        let padding = "a".repeat(length);
        let said = json!({"sub": "a", "role": "viewer", "exp": NOW_S + 60, "x": padding});
        let token = Signer::hmac(super::SECRET).token("", &said);
        prop_assert_eq!(verifier().verify(&token, NOW), Err(AuthError::Invalid));
        prop_assert!(verifier().verify(&encode(&padding), NOW).is_err());
    }
}
