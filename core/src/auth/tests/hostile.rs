//! Tokens that attackers send: every one is refused. What to try is in RFC 8725 and in the JWS
//! vectors of Wycheproof; the tokens are made here.

use serde_json::{Value, json};

use super::keys::{NOW, NOW_S, PREVIOUS, SECRET, Signer, claims, knowing, with};
use crate::auth::jws::encode;
use crate::auth::{AuthError, MAX_SUBJECT_BYTES, MAX_TOKEN_BYTES, Verifier};

/// What is wrong with a token, and the token.
pub(super) type Corpus = Vec<(String, String)>;

/// The signers a deployment trusts, each with its key's name.
pub(super) fn trusted() -> [(Signer, &'static str); 4] {
    [
        (Signer::hmac(SECRET), "secret"),
        (Signer::rsa(), "rsa"),
        (Signer::ec(1), "ec"),
        (Signer::ed(1), "ed"),
    ]
}

/// Trusts all of them.
pub(super) fn verifier() -> Verifier {
    let [_, keys @ ..] = trusted();
    knowing(&keys.map(|(signer, kid)| signer.jwk(kid)))
}

fn put(corpus: &mut Corpus, what: impl std::fmt::Display, token: impl Into<String>) {
    corpus.push((what.to_string(), token.into()));
}

/// Headers that ask for another check than the key's own.
fn algorithms(corpus: &mut Corpus) {
    for (signer, kid) in trusted() {
        for alg in [
            "none", "None", "NONE", "nOnE", "none ", "", "HS256", "HS384", "HS512", "hs256",
            "RS256", "RS384", "RS512", "rs256", "PS256", "ES256", "ES256K", "ES384", "es256",
            "EdDSA", "eddsa", "Ed448", "Ed25519", "dir", "A128KW", "RSA1_5", "HS256\0",
        ] {
            let own = alg == signer.alg() || (alg == "Ed25519" && kid == "ed");
            if own {
                continue;
            }
            let header = json!({"alg": alg, "kid": kid});
            let what = format!("{} signed, alg {alg:?}", signer.alg());
            put(corpus, &what, signer.with_header(&header, &claims()));
            let unsigned = format!(
                "{}.{}.",
                encode(header.to_string()),
                encode(claims().to_string())
            );
            put(corpus, format!("{what}, unsigned"), unsigned);
        }
        for alg in [
            json!(null),
            json!(1),
            json!(["HS256"]),
            json!({"a": "HS256"}),
            json!(true),
        ] {
            let header = json!({"alg": alg, "kid": kid});
            put(
                corpus,
                format!("alg {alg}"),
                signer.with_header(&header, &claims()),
            );
        }
        let header = json!({"kid": kid});
        put(corpus, "no alg", signer.with_header(&header, &claims()));
    }
}

/// HS256 with something public as the secret.
fn confusion(corpus: &mut Corpus) {
    for (signer, kid) in trusted().into_iter().skip(1) {
        let jwk = signer.jwk(kid);
        let mut forms = vec![
            ("JWK".to_owned(), jwk.to_string().into_bytes()),
            (
                "key set".to_owned(),
                json!({"keys": [jwk]}).to_string().into_bytes(),
            ),
        ];
        for name in ["n", "e", "x", "y", "kid"] {
            if let Some(text) = jwk[name].as_str() {
                forms.push((format!("{name} as text"), text.as_bytes().to_vec()));
                let bytes = crate::auth::jws::decode(text).unwrap_or_default();
                forms.push((format!("{name} as bytes"), bytes));
            }
        }
        if let Signer::Rsa(key) = &signer {
            use rsa::pkcs1::EncodeRsaPublicKey;
            use rsa::pkcs8::EncodePublicKey;
            let public = key.to_public_key();
            let spki = public.to_public_key_der().expect("DER").into_vec();
            let pkcs1 = public.to_pkcs1_der().expect("DER").as_bytes().to_vec();
            for (label, der) in [("PUBLIC KEY", spki), ("RSA PUBLIC KEY", pkcs1)] {
                for newline in ["\n", "\r\n", ""] {
                    forms.push((
                        format!("{label} PEM {newline:?}"),
                        pem(label, &der, newline),
                    ));
                }
                forms.push((format!("{label} DER"), der));
            }
        }
        for (form, secret) in forms {
            for header in [json!({"alg": "HS256", "kid": kid}), json!({"alg": "HS256"})] {
                let token = Signer::hmac(&secret).with_header(&header, &claims());
                put(corpus, format!("HS256 by the {kid} key, {form}"), token);
            }
        }
    }
    for secret in [
        "",
        "\0",
        "secret",
        &SECRET[..31],
        &format!("{SECRET} "),
        &PREVIOUS[1..],
    ] {
        let token = Signer::hmac(secret).token("secret", &claims());
        put(corpus, format!("HS256 by {secret:?}"), token);
    }
}

fn pem(label: &str, der: &[u8], newline: &str) -> Vec<u8> {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    let body = lines.join("\n");
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----{newline}").into_bytes()
}

/// The signature replaced; `ES256` gets what its arithmetic might take for a proof.
fn signatures(corpus: &mut Corpus) {
    // The order of P-256, big-endian.
    let order = crate::auth::jws::decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE");
    let order = order.expect("base64url");
    let minus_one = [&order[..31], &[order[31] - 1]].concat();
    let (zero, one, full) = (vec![0; 32], [vec![0; 31], vec![1]].concat(), vec![0xFF; 32]);
    for (signer, kid) in trusted() {
        let token = signer.token(kid, &claims());
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let bytes = crate::auth::jws::decode(signature).expect("base64url");
        let mut add = |what: &str, bytes: &[u8]| {
            put(
                corpus,
                format!("{kid}: {what}"),
                format!("{signed}.{}", encode(bytes)),
            );
        };
        let size = bytes.len();
        add("empty", &[]);
        add("one byte", &bytes[..1]);
        add("half", &bytes[..size / 2]);
        add("last byte cut", &bytes[..size - 1]);
        add("first byte cut", &bytes[1..]);
        add("a zero after", &[&bytes[..], &[0]].concat());
        add("a zero before", &[&[0], &bytes[..]].concat());
        add("twice", &[&bytes[..], &bytes[..]].concat());
        add("reversed", &bytes.iter().rev().copied().collect::<Vec<_>>());
        add("zeroes", &vec![0; size]);
        add("ones", &vec![0xFF; size]);
        add("one", &[vec![0; size - 1], vec![1]].concat());
        for (name, half) in [
            ("0", &zero),
            ("1", &one),
            ("n", &order),
            ("n-1", &minus_one),
            ("max", &full),
        ] {
            for (other, rest) in [("0", &zero), ("1", &one), ("n", &order), ("max", &full)] {
                add(
                    &format!("r={name} s={other}"),
                    &[&half[..], &rest[..]].concat(),
                );
            }
            if size == 64 {
                add(&format!("r={name}"), &[&half[..], &bytes[32..]].concat());
                add(&format!("s={name}"), &[&bytes[..32], &half[..]].concat());
            }
        }
        for (other, _) in trusted() {
            if other.alg() != signer.alg() {
                let what = format!("signed with {}", other.alg());
                add(&what, &other.sign(signed.as_bytes()));
            }
        }
        for stranger in [Signer::other_rsa(), Signer::ec(2), Signer::ed(2)] {
            add("a stranger's", &stranger.sign(signed.as_bytes()));
        }
    }
    let Signer::Ec(key) = Signer::ec(1) else {
        return;
    };
    let header = encode(json!({"alg": "ES256", "kid": "ec"}).to_string());
    let signed = format!("{header}.{}", encode(claims().to_string()));
    let signature: p256::ecdsa::Signature = rsa::signature::Signer::sign(&key, signed.as_bytes());
    let der = encode(signature.to_der().as_bytes());
    put(corpus, "ES256 in DER", format!("{signed}.{der}"));
}

/// The parts wrongly put together or spelled.
fn shapes(corpus: &mut Corpus) {
    for (signer, kid) in trusted() {
        let token = signer.token(kid, &claims());
        let parts: Vec<&str> = token.split('.').collect();
        let [header, body, signature] = parts[..] else {
            continue;
        };
        let mut add = |what: &str, token: String| put(corpus, format!("{kid}: {what}"), token);
        add("a part missing", format!("{header}.{body}"));
        add("no signature", format!("{header}.{body}."));
        add("no header", format!(".{body}.{signature}"));
        add("no claims", format!("{header}..{signature}"));
        add("dots", "..".into());
        add("one part", header.into());
        add("four parts", format!("{token}.{signature}"));
        add(
            "five parts, as if encrypted",
            format!("{token}.{signature}.{signature}"),
        );
        add("a dot after", format!("{token}."));
        add("a dot before", format!(".{token}"));
        add("parts swapped", format!("{body}.{header}.{signature}"));
        add("a space before", format!(" {token}"));
        add("a space after", format!("{token} "));
        add("a line end after", format!("{token}\n"));
        add("a null after", format!("{token}\0"));
        add("two tokens", format!("{token},{token}"));
        add("quoted", format!("\"{token}\""));
        add("percent", token.replace('.', "%2E"));
        add("padding", format!("{header}.{body}.{signature}="));
        add("two paddings", format!("{header}.{body}.{signature}=="));
        add("padded header", format!("{header}=.{body}.{signature}"));
        add(
            "line ends inside",
            format!("{}\n{}", &token[..40], &token[40..]),
        );
        add(
            "spaces inside",
            format!("{}  {}", &token[..40], &token[40..]),
        );
        add(
            "letters from elsewhere",
            format!("{}é{}", &token[..40], &token[40..]),
        );
        add(
            "too long",
            format!("{token}{}", "A".repeat(MAX_TOKEN_BYTES)),
        );
        add(
            "JSON serialisation",
            json!({
                "protected": header, "payload": body, "signature": signature,
            })
            .to_string(),
        );
        // A last letter has bits that no byte uses: only one of its spellings is right.
        let last = signature.chars().last().unwrap_or_default();
        for other in 'A'..='z' {
            if other != last && (other.is_ascii_alphabetic()) {
                let cut = &signature[..signature.len() - 1];
                add(
                    "another last letter",
                    format!("{header}.{body}.{cut}{other}"),
                );
            }
        }
        let standard = signature.replace('-', "+").replace('_', "/");
        if standard != signature {
            add(
                "the standard alphabet",
                format!("{header}.{body}.{standard}"),
            );
        }
        for (what, text) in [
            ("an array", "[]"),
            ("text", "\"a\""),
            ("null", "null"),
            ("nothing", ""),
            ("a number", "1"),
            ("half an object", "{\"sub\":"),
            ("two objects", "{}{}"),
        ] {
            let own = json!({"alg": signer.alg(), "kid": kid}).to_string();
            add(
                &format!("claims are {what}"),
                signer.of_bytes(own.as_bytes(), text.as_bytes()),
            );
            let as_header = signer.of_bytes(text.as_bytes(), claims().to_string().as_bytes());
            add(&format!("the header is {what}"), as_header);
        }
        let own = json!({"alg": signer.alg(), "kid": kid}).to_string();
        add(
            "invalid UTF-8",
            signer.of_bytes(own.as_bytes(), b"{\"sub\":\"\xC3\x28\"}"),
        );
        add("UTF-16", signer.of_bytes(own.as_bytes(), b"{\0}\0"));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
        add(
            "deep claims",
            signer.of_bytes(own.as_bytes(), deep.as_bytes()),
        );
        add(
            "a deep header",
            signer.of_bytes(deep.as_bytes(), claims().to_string().as_bytes()),
        );
        add(
            "a token within",
            signer.of_bytes(own.as_bytes(), token.as_bytes()),
        );
    }
}

/// Well signed, with a header that asks for too much.
fn headers(corpus: &mut Corpus) {
    let stranger = Signer::ec(7);
    let certificate = json!(["MIIB"]);
    for (signer, kid) in trusted() {
        let mut add = |what: String, header: Value| {
            put(
                corpus,
                format!("{kid}: {what}"),
                signer.with_header(&header, &claims()),
            );
        };
        let alg = signer.alg();
        for crit in [
            json!(["exp"]),
            json!(["b64"]),
            json!([]),
            json!("exp"),
            json!(null),
        ] {
            add(
                format!("crit {crit}"),
                json!({"alg": alg, "kid": kid, "crit": crit}),
            );
        }
        for b64 in [json!(false), json!(true)] {
            add(
                format!("b64 {b64}"),
                json!({"alg": alg, "kid": kid, "b64": b64}),
            );
        }
        for typ in [
            json!("JWE"),
            json!("JOSE"),
            json!("secevent+jwt"),
            json!("dpop+jwt"),
            json!(""),
            json!(1),
            json!("JWT "),
        ] {
            add(
                format!("typ {typ}"),
                json!({"alg": alg, "kid": kid, "typ": typ}),
            );
        }
        for name in [
            json!(1),
            json!(null),
            json!([kid]),
            json!({"a": 1}),
            json!("k".repeat(257)),
        ] {
            add(format!("kid {name}"), json!({"alg": alg, "kid": name}));
        }
        for text in [
            format!(r#"{{"alg":"{alg}","kid":"{kid}","alg":"{alg}"}}"#),
            format!(r#"{{"alg":"none","kid":"{kid}","alg":"{alg}"}}"#),
            format!(r#"{{"alg":"{alg}","kid":"{kid}","\u0061lg":"none"}}"#),
            format!(r#"{{"alg":"{alg}","kid":"{kid}","kid":"{kid}"}}"#),
            format!("{{\"alg\":\"{alg}\",\"kid\":\"{kid}\"}}\0"),
            format!("\u{FEFF}{{\"alg\":\"{alg}\",\"kid\":\"{kid}\"}}"),
        ] {
            let body = claims().to_string();
            put(
                corpus,
                &text,
                signer.of_bytes(text.as_bytes(), body.as_bytes()),
            );
        }
    }
    for kid in [
        "ec2",
        "EC",
        "ec ",
        "",
        "../../../../dev/null",
        "/dev/null",
        "ec\0",
        "' OR '1'='1",
        "ec' UNION SELECT 'key'--",
        "ec|sleep 9",
        "https://evil.example/jwks",
        "rsa",
        "ed",
        "0",
    ] {
        for alg in ["ES256", "RS256", "EdDSA"] {
            let header = json!({"alg": alg, "kid": kid});
            put(
                corpus,
                format!("a stranger's, kid {kid:?}"),
                stranger.with_header(&header, &claims()),
            );
        }
        for key in ["", "\0", "AA=="] {
            let token =
                Signer::hmac(key).with_header(&json!({"alg": "HS256", "kid": kid}), &claims());
            put(corpus, format!("an empty key, kid {kid:?}"), token);
        }
    }
    for header in [
        json!({"alg": "ES256", "jwk": stranger.jwk("ec")}),
        json!({"alg": "ES256", "kid": "ec", "jwk": stranger.jwk("ec")}),
        json!({"alg": "ES256", "kid": "mine", "jwk": stranger.jwk("mine")}),
        json!({"alg": "ES256", "kid": "mine", "jku": "https://evil.example/jwks"}),
        json!({"alg": "ES256", "kid": "ec", "jku": "http://127.0.0.1/jwks"}),
        json!({"alg": "ES256", "kid": "ec", "x5u": "https://evil.example/cert"}),
        json!({"alg": "ES256", "kid": "ec", "x5c": certificate}),
        json!({"alg": "HS256", "jwk": Signer::hmac("mine").jwk("secret")}),
    ] {
        put(corpus, &header, stranger.with_header(&header, &claims()));
        put(
            corpus,
            format!("by mine: {header}"),
            Signer::hmac("mine").with_header(&header, &claims()),
        );
    }
}

/// Well signed, and not to be believed.
fn contents(corpus: &mut Corpus) {
    let dates = [
        json!(null),
        json!(NOW_S.to_string()),
        json!("soon"),
        json!(""),
        json!(-1),
        json!(-NOW_S),
        json!(0),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(NOW_S * 1000),
        json!([NOW_S + 60]),
        json!({"at": NOW_S + 60}),
        json!(true),
        json!(false),
        json!(NOW_S - 60),
        json!(NOW_S - 999_999),
    ];
    let subjects = [
        json!(null),
        json!(""),
        json!(1),
        json!(true),
        json!(["alice"]),
        json!({"sub": "alice"}),
        json!("a".repeat(MAX_SUBJECT_BYTES + 1)),
        json!("al\0ice"),
        json!("alice\n"),
        json!("a\tb"),
        json!("a\rb"),
        json!("a\u{7f}"),
        json!("a\u{85}"),
        json!("\u{1b}[2J"),
        json!("\u{202E}ecila"),
        json!("a\u{200E}"),
        json!("a\u{2066}b\u{2069}"),
        json!("a\u{2028}b"),
        json!("\u{FEFF}alice"),
        json!("e\u{301}"),
        json!("\u{212B}"),
        json!("."),
        json!(".."),
        json!("\u{FFFD}"),
    ];
    let roles = [
        json!(null),
        json!(""),
        json!("root"),
        json!("Admin"),
        json!("admin "),
        json!(1),
        json!(true),
        json!({"role": "admin"}),
        json!("viewer,admin"),
        json!([]),
        json!(["root"]),
        json!([["admin"]]),
    ];
    for (signer, kid) in trusted() {
        let mut add = |name: &str, value: &Value| {
            let said = with(json!({name: value}));
            put(
                corpus,
                format!("{kid}: {name} {value}"),
                signer.token(kid, &said),
            );
        };
        dates.iter().for_each(|value| add("exp", value));
        subjects.iter().for_each(|value| add("sub", value));
        roles.iter().for_each(|value| add("role", value));
        for name in ["nbf", "iat"] {
            for value in [
                json!(NOW_S + 61),
                json!(NOW_S + 999_999),
                json!("now"),
                json!([NOW_S]),
                json!(-1),
                json!(1e300),
                json!(true),
            ] {
                add(name, &value);
            }
        }
        let own = json!({"alg": signer.alg(), "kid": kid}).to_string();
        let exp = NOW_S + 60;
        for text in [
            format!(r#"{{"sub":"a","role":"admin","exp":{exp},"exp":{exp}}}"#),
            format!(r#"{{"sub":"a","sub":"b","role":"admin","exp":{exp}}}"#),
            format!(r#"{{"sub":"a","role":"viewer","role":"admin","exp":{exp}}}"#),
            format!(r#"{{"sub":"a","role":"admin","exp":{exp},"x":{{"y":1,"y":2}}}}"#),
            r#"{"sub":"a","role":"admin","exp":1e400}"#.into(),
            r#"{"sub":"a","role":"admin","exp":-1e400}"#.into(),
            r#"{"sub":"a","role":"admin","exp":NaN}"#.into(),
            r#"{"sub":"a","role":"admin","exp":Infinity}"#.into(),
            r#"{"sub":"a","role":"admin","exp":0x7fffffff}"#.into(),
            r#"{"sub":"\ud800","role":"admin","exp":9999999999}"#.into(),
            r#"{"Sub":"a","Role":"admin","Exp":9999999999}"#.into(),
            format!(r#"{{"sub":"a","role":"admin","exp":{exp}}} x"#),
            format!(r#"{{"sub":"a","role":"admin","exp":{exp},}}"#),
            format!(r#"{{'sub':'a','role':'admin','exp':{exp}}}"#),
            format!(r#"{{"sub":"a","role":"admin","exp":{exp}/**/}}"#),
        ] {
            let token = signer.of_bytes(own.as_bytes(), text.as_bytes());
            put(corpus, format!("{kid}: {text}"), token);
        }
    }
}

/// All of them.
pub(super) fn corpus() -> Corpus {
    let mut corpus = Corpus::new();
    algorithms(&mut corpus);
    confusion(&mut corpus);
    signatures(&mut corpus);
    shapes(&mut corpus);
    headers(&mut corpus);
    contents(&mut corpus);
    corpus
}

#[test]
fn every_hostile_token_is_refused() {
    let verifier = verifier();
    for (signer, kid) in trusted() {
        let token = signer.token(kid, &claims());
        assert!(verifier.verify(&token, NOW).is_ok(), "a good one: {kid}");
    }
    let corpus = corpus();
    let mut taken = Vec::new();
    for (what, token) in &corpus {
        let verdict = verifier.verify(token, NOW);
        if matches!(verdict, Ok(_) | Err(AuthError::NoKeys | AuthError::Missing)) {
            taken.push(format!("{what}: {verdict:?}"));
        }
        let _ = verifier.wants(token, NOW.plus(3_600_000));
    }
    assert!(taken.is_empty(), "{taken:#?}");
    assert!(corpus.len() > 1_000, "{} tokens", corpus.len());
    println!("{} hostile tokens refused", corpus.len());
}
