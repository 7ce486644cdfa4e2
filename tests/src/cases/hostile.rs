//! Tokens that attackers send, over the wire. The core's tests have many more.

use anyhow::Result;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::client::{Minter, Role, token};
use crate::identity_provider::Key;

/// What is wrong with a token, and the token.
pub(super) type Corpus = Vec<(String, String)>;

/// By who knows no secret, or has one and asks for too much.
pub(super) fn by_secret(minter: &Minter) -> Corpus {
    let now = token::now();
    let good = json!({"sub": "eve", "role": "admin", "iat": now, "exp": now + 600});
    let mut corpus: Corpus = Vec::new();
    let mut add = |what: &str, token: String| corpus.push((what.to_owned(), token));
    let stranger = Minter::new("another-secret-that-is-long-enough-too");
    add("another secret", stranger.sign(&good));
    add("HS384", minter.sign_with(Algorithm::HS384, &good));
    add("HS512", minter.sign_with(Algorithm::HS512, &good));
    let whole = minter.sign(&good);
    let parts: Vec<&str> = whole.split('.').collect();
    let [header, body, signature] = parts[..] else {
        return corpus;
    };
    add("no signature", format!("{header}.{body}."));
    add("two parts", format!("{header}.{body}"));
    add("four parts", format!("{whole}.{signature}"));
    add("parts swapped", format!("{body}.{header}.{signature}"));
    add(
        "another body",
        format!(
            "{header}.{}.{signature}",
            &minter.sign(&json!({})).split('.').collect::<Vec<_>>()[1]
        ),
    );
    add(
        "a signature cut",
        format!("{header}.{body}.{}", &signature[..20]),
    );
    add("a signature with padding", format!("{whole}="));
    add("a word after", format!("{whole} x"));
    add("two tokens", format!("{whole}, {whole}"));
    add("noise", "garbage".into());
    add("dots", "..".into());
    add("a long token", "x".repeat(9_000));
    // {"alg":"none"}, {"alg":"nOnE"}, {"alg":"RS256"}: all unsigned.
    for header in [
        "eyJhbGciOiJub25lIn0",
        "eyJhbGciOiJuT25FIn0",
        "eyJhbGciOiJSUzI1NiJ9",
    ] {
        add("unsigned", format!("{header}.{body}."));
        add(
            "with a signature of another header",
            format!("{header}.{body}.{signature}"),
        );
    }
    for (name, values) in [
        (
            "exp",
            vec![
                json!(null),
                json!(now - 61),
                json!(now.to_string()),
                json!(-1),
                json!(1e300),
                json!(true),
            ],
        ),
        ("nbf", vec![json!(now + 120), json!("now"), json!(-1)]),
        ("iat", vec![json!(now + 120), json!("now")]),
        (
            "sub",
            vec![
                json!(null),
                json!(""),
                json!(7),
                json!("a\0b"),
                json!("\u{202E}eve"),
                json!("a\nb"),
                json!("x".repeat(257)),
            ],
        ),
        (
            "role",
            vec![
                json!(null),
                json!("root"),
                json!("Admin"),
                json!(["admin"]),
                json!(1),
            ],
        ),
    ] {
        for value in values {
            let mut claims = good.clone();
            claims[name] = value.clone();
            add(&format!("{name} {value}"), minter.sign(&claims));
        }
    }
    for claims in [json!([]), json!("admin"), json!(null), json!(1)] {
        add(&format!("claims {claims}"), minter.sign(&claims));
    }
    corpus
}

/// By who knows the provider's public keys.
pub(super) fn by_provider(keys: &[&Key], stranger: &Key, claims: &Value) -> Result<Corpus> {
    let mut corpus: Corpus = Vec::new();
    let admin = json!({"sub": "eve", "role": "admin", "exp": token::now() + 600});
    for key in keys {
        let kid = key.kid;
        let public = key.public()?;
        for secret in [
            public.to_string(),
            public["n"].to_string(),
            public["x"].to_string(),
        ] {
            let token = Minter::new(&secret).token("eve", Role::Admin);
            corpus.push((format!("HS256 by the public key {kid}"), token));
            corpus.push((
                format!("HS256 by the public key {kid}"),
                Minter::new(&secret).sign(&admin),
            ));
        }
        let good = key.sign(claims)?;
        let (signed, signature) = good.rsplit_once('.').unwrap_or_default();
        let zeroes = "A".repeat(signature.len());
        for bad in [
            &zeroes,
            &signature[1..],
            &signature[..signature.len() - 2],
            "",
        ] {
            corpus.push((
                format!("a bad signature of {kid}"),
                format!("{signed}.{bad}"),
            ));
        }
        corpus.push((
            format!("{signature} twice"),
            format!("{signed}.{signature}{signature}"),
        ));
        for other in [
            "rsa",
            "ec",
            "ed",
            "",
            "unknown",
            "../../dev/null",
            "' OR 1=1 --",
        ] {
            if other != kid {
                corpus.push((
                    format!("{kid} under the name {other:?}"),
                    key.sign_as(other, claims)?,
                ));
            }
        }
        for number in 0..10 {
            let token = stranger.sign_as(&format!("unknown-{number}"), claims)?;
            corpus.push(("an unknown key".into(), token));
        }
        corpus.push((
            format!("a stranger's under {kid}"),
            stranger.sign_as(kid, claims)?,
        ));
    }
    Ok(corpus)
}
