//! What tokens are taken, what keys they are checked with, and what is refused.

mod cache;
mod hostile;
mod keys;
mod random;

use serde_json::{Value, json};

use super::{AuthError, Claims, Role, Secret, ShortSecret, Verifier};
use keys::{NOW, NOW_S, PREVIOUS, SECRET, Signer, claims, fresh, knowing, load, plain, with};

fn alice() -> Claims {
    Claims {
        sub: "alice".into(),
        role: Role::Approver,
        expires_at: NOW.plus(60_000),
        issued_at: Some(NOW),
    }
}

#[test]
fn a_signed_token_is_read_back_until_it_ends() {
    let verifier = plain();
    let token = verifier.sign(&alice()).expect("signs");
    assert_eq!(verifier.verify(&token, NOW), Ok(alice()));
    assert_eq!(verifier.verify(&token, NOW.plus(119_999)), Ok(alice()));
    let late = verifier.verify(&token, NOW.plus(120_000));
    assert_eq!(late, Err(AuthError::Expired));
    assert_eq!(verifier.verify("", NOW), Err(AuthError::Missing));
    let nobody = Claims {
        sub: "a\u{202E}b".into(),
        ..alice()
    };
    assert_eq!(verifier.sign(&nobody), Err(AuthError::Invalid));
}

#[test]
fn another_implementation_reads_what_is_signed_here_and_the_other_way_round() {
    use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
    let token = plain().sign(&alice()).expect("signs");
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    let read = jsonwebtoken::decode::<Value>(&token, &key, &validation).expect("a JWT");
    assert_eq!(read.claims, claims());
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = jsonwebtoken::encode(&Header::default(), &claims(), &key).expect("signs");
    assert_eq!(plain().verify(&token, NOW), Ok(alice()));
}

#[test]
fn two_secrets_are_good_at_once_and_only_the_newer_signs() {
    let [first, second, third] = ["the first secret, which is long ago.", PREVIOUS, SECRET];
    let signed = |secret: &str| Signer::hmac(secret).token("", &claims());
    let verifier = plain();
    assert!(verifier.verify(&signed(third), NOW).is_ok());
    assert!(verifier.verify(&signed(second), NOW).is_ok());
    assert_eq!(
        verifier.verify(&signed(first), NOW),
        Err(AuthError::Invalid)
    );
    let alone = verifier.clone().after(None);
    assert_eq!(alone.verify(&signed(second), NOW), Err(AuthError::Invalid));
    let token = verifier.sign(&alice()).expect("signs");
    assert!(alone.verify(&token, NOW).is_ok());
}

#[test]
fn a_secret_is_never_printed() {
    let verifier = plain();
    assert!(!format!("{verifier:?}").contains("0123"));
    assert!(!format!("{verifier:?}").contains("48, 49"));
    assert_eq!(Secret::new("short"), Err(ShortSecret));
}

#[test]
fn issuer_and_audience_are_required_when_set() {
    let secret = Secret::new(SECRET).expect("long enough");
    let strict = Verifier::new(secret, Some("idp".into()), Some("desk".into()));
    let token = strict.sign(&alice()).expect("signs");
    assert!(strict.verify(&token, NOW).is_ok());
    assert!(plain().verify(&token, NOW).is_ok());
    let signer = Signer::hmac(SECRET);
    let good = |audience: Value| with(json!({"iss": "idp", "aud": audience}));
    for audience in [json!("desk"), json!(["desk"]), json!(["other", "desk", 1])] {
        let token = signer.token("", &good(audience));
        assert!(strict.verify(&token, NOW).is_ok());
    }
    for bad in [
        claims(),
        with(json!({"iss": "idp"})),
        with(json!({"aud": "desk"})),
        with(json!({"iss": "IDP", "aud": "desk"})),
        with(json!({"iss": ["idp"], "aud": "desk"})),
        with(json!({"iss": "idp/", "aud": "desk"})),
        good(json!("Desk")),
        good(json!("desk ")),
        good(json!([])),
        good(json!([["desk"]])),
        good(json!({"desk": true})),
        good(json!(true)),
    ] {
        let token = signer.token("", &bad);
        assert_eq!(strict.verify(&token, NOW), Err(AuthError::Invalid), "{bad}");
    }
}

#[test]
fn times_have_a_minute_of_leeway() {
    let signer = Signer::hmac(SECRET);
    let verify = |changes: Value| plain().verify(&signer.token("", &with(changes)), NOW);
    for good in [
        json!({"exp": NOW_S - 59}),
        json!({"exp": NOW_S as f64 + 0.5}),
        json!({"nbf": NOW_S + 60}),
        json!({"iat": NOW_S + 60}),
        json!({"iat": NOW_S - 9_999_999}),
        json!({"iat": null}),
        json!({"exp": 253_402_300_799_i64}),
    ] {
        assert!(verify(good.clone()).is_ok(), "{good}");
    }
    assert_eq!(verify(json!({"exp": NOW_S - 60})), Err(AuthError::Expired));
    assert_eq!(verify(json!({"nbf": NOW_S + 61})), Err(AuthError::NotYet));
    assert_eq!(verify(json!({"iat": NOW_S + 61})), Err(AuthError::NotYet));
}

#[test]
fn every_kind_of_provider_key_is_taken_with_its_own_algorithm() {
    let signers = [Signer::rsa(), Signer::ec(1), Signer::ed(1)];
    let names = ["rsa", "ec", "ed"];
    let keys: Vec<Value> = signers
        .iter()
        .zip(names)
        .map(|(s, kid)| s.jwk(kid))
        .collect();
    let verifier = knowing(&keys);
    for (signer, kid) in signers.iter().zip(names) {
        let token = signer.token(kid, &claims());
        assert_eq!(verifier.verify(&token, NOW), Ok(alice()), "{kid}");
        assert_eq!(
            plain().verify(&token, NOW),
            Err(AuthError::Invalid),
            "{kid}"
        );
        // The only key of its type: it need not be named.
        let header = json!({"alg": signer.alg(), "typ": "at+JWT"});
        let unnamed = signer.with_header(&header, &claims());
        assert_eq!(verifier.verify(&unnamed, NOW), Ok(alice()), "{kid}");
    }
    // RFC 9864's name of the same algorithm, in the token and in the key.
    let mut jwk = Signer::ed(1).jwk("ed");
    jwk["alg"] = json!("Ed25519");
    let header = json!({"alg": "Ed25519", "kid": "ed"});
    let token = Signer::ed(1).with_header(&header, &claims());
    assert_eq!(knowing(&[jwk]).verify(&token, NOW), Ok(alice()));
    // The product's own tokens are good as before.
    let own = verifier.sign(&alice()).expect("signs");
    assert_eq!(verifier.verify(&own, NOW), Ok(alice()));
    assert_eq!(verifier.wants(&own, NOW), None);
}

#[test]
fn a_key_has_to_be_named_where_several_fit() {
    let [one, two] = [Signer::ec(1), Signer::ec(2)];
    let verifier = knowing(&[one.jwk("1"), two.jwk("2")]);
    assert!(verifier.verify(&one.token("1", &claims()), NOW).is_ok());
    assert!(verifier.verify(&two.token("2", &claims()), NOW).is_ok());
    let unnamed = one.with_header(&json!({"alg": "ES256"}), &claims());
    for bad in [one.token("2", &claims()), one.token("", &claims()), unnamed] {
        assert_eq!(verifier.verify(&bad, NOW), Err(AuthError::Invalid));
    }
    // A key without a name is whichever a token means.
    let mut nameless = one.jwk("");
    nameless.as_object_mut().expect("an object").remove("kid");
    let verifier = knowing(&[nameless]);
    assert!(verifier.verify(&one.token("any", &claims()), NOW).is_ok());
}

#[test]
fn roles_and_subjects_are_read_where_the_provider_puts_them() {
    let signer = Signer::ec(1);
    let verifier = fresh("custom.roles", "email");
    load(&verifier, &[signer.jwk("k")], NOW);
    let verify = |changes: Value| verifier.verify(&signer.token("k", &with(changes)), NOW);
    let role = |roles: Value| {
        let claims = verify(json!({"email": "a@desk.example", "custom": {"roles": roles}}));
        claims.map(|claims| (claims.sub, claims.role))
    };
    let a = |role| Ok(("a@desk.example".to_owned(), role));
    assert_eq!(role(json!("viewer")), a(Role::Viewer));
    assert_eq!(
        role(json!(["viewer", "approver", "staff", 7])),
        a(Role::Approver)
    );
    assert_eq!(role(json!(["admin", "viewer"])), a(Role::Admin));
    assert_eq!(role(json!(["service", "approver"])), a(Role::Approver));
    assert_eq!(role(json!(["viewer", "service"])), a(Role::Service));
    for bad in [
        json!([]),
        json!("root"),
        json!("Admin"),
        json!(["ADMIN"]),
        json!("viewer admin"),
        json!({"admin": true}),
        json!([["admin"]]),
        json!(true),
    ] {
        assert_eq!(role(bad.clone()), Err(AuthError::Invalid), "{bad}");
    }
    // The usual claims do not count then.
    assert_eq!(verify(json!({})), Err(AuthError::Invalid));
    let no_mail = json!({"custom": {"roles": "admin"}});
    assert_eq!(verify(no_mail), Err(AuthError::Invalid));
    // Nor do the provider's claims count in the product's own tokens.
    let own = with(json!({"role": null, "custom": {"roles": "admin"}, "email": "a@desk.example"}));
    let own = Signer::hmac(SECRET).token("", &own);
    assert_eq!(verifier.verify(&own, NOW), Err(AuthError::Invalid));
    let list = Signer::hmac(SECRET).token("", &with(json!({"role": ["admin"]})));
    assert_eq!(verifier.verify(&list, NOW), Err(AuthError::Invalid));
}
