//! Who vouches for a token: two secrets at once, an identity provider, and nobody else.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use jsonwebtoken::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::hostile;
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::rest::send;
use crate::client::{Minter, Reply, Role, token};
use crate::identity_provider::{Answer, Key, Provider};
use crate::runner::ALLOWED_ORIGIN;
use crate::target::{Server, Start, Stop};

/// The secret before the run's own, and the one before that.
const PREVIOUS: &str = "previous-secret-of-thirty-nine-bytes-ok";
const OLDEST: &str = "oldest-secret-that-was-good-long-ago-ok";

/// How long a provider may be asked in vain before this run gives up.
const PATIENCE: Duration = Duration::from_secs(50);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::own(
            "identity/two secrets are good at once, an older one is not",
            &[("JWT_SECRET_PREVIOUS", PREVIOUS)],
            rotation,
        ),
        Case::shared(
            "identity/Cf-Access-Jwt-Assertion counts like a bearer, and after it",
            access_header,
        ),
        Case::shared(
            "identity/every hostile token gets one answer, to the byte",
            one_answer,
        ),
        Case::starting(
            "identity/a provider's keys are taken, rotated, and kept when it is down",
            provider,
        ),
        Case::starting(
            "identity/a socket's fresh token is judged with keys fetched for it",
            socket_first,
        ),
        Case::starting(
            "identity/what is no key set lets nobody in and locks nobody out",
            no_key_set,
        ),
    ]
}

async fn rotation(ctx: Ctx) -> Result<()> {
    let sub = ctx.user("viewer");
    for (secret, good) in [(PREVIOUS, true), (OLDEST, false)] {
        let token = Minter::new(secret).token(&sub, Role::Viewer);
        let reply = ctx.rest_with(&token)?.get("/api/v1/signals").await?;
        let dial = ctx.dial_bare("/ws").bearer(&token);
        if good {
            reply.ok()?;
            dial.open().await?;
        } else {
            refusal(&reply)?;
            dial.refused(401).await?;
        }
    }
    ctx.rest(Role::Viewer)?.get("/api/v1/signals").await?.ok()?;
    Ok(())
}

/// `GET path` with these headers and no others.
async fn with_headers(ctx: &Ctx, path: &str, headers: &[(&str, &str)]) -> Result<Reply> {
    let mut request = ctx.anonymous()?.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request).await
}

const ACCESS: &str = "cf-access-jwt-assertion";

async fn access_header(ctx: Ctx) -> Result<()> {
    let good = ctx.minter().token(&ctx.user("viewer"), Role::Viewer);
    let bad = Minter::new(OLDEST).token(&ctx.user("viewer"), Role::Viewer);
    let [good_bearer, bad_bearer] = [&good, &bad].map(|token| format!("Bearer {token}"));
    let bearer = "authorization";
    for (headers, status) in [
        (vec![(ACCESS, good.as_str())], 200),
        (vec![(ACCESS, &bad)], 401),
        (vec![(bearer, &good_bearer), (ACCESS, &bad)], 200),
        (vec![(bearer, &bad_bearer), (ACCESS, &good)], 401),
        (vec![(bearer, "Basic QTpC"), (ACCESS, &good)], 200),
        (vec![(bearer, &good_bearer), (bearer, &good_bearer)], 401),
        // A cookie that comes along from anywhere is behind it.
        (
            vec![("origin", "https://evil.example"), (ACCESS, &good)],
            401,
        ),
        (vec![("origin", "null"), (ACCESS, &good)], 401),
        (vec![("origin", ALLOWED_ORIGIN), (ACCESS, &good)], 200),
    ] {
        let reply = with_headers(&ctx, "/api/v1/signals", &headers).await?;
        check::equal("the status", &reply.status, &status)
            .with_context(|| format!("{:?}", headers.iter().map(|it| it.0).collect::<Vec<_>>()))?;
    }
    // A socket's request without an upgrade gets as far as the token lets it.
    for (token, status) in [(&good, 426), (&bad, 401)] {
        let reply = with_headers(&ctx, "/ws", &[(ACCESS, token)]).await?;
        check::equal("the status of a socket", &reply.status, &status)?;
    }
    Ok(())
}

/// The refusal of a token, every time the same.
fn refusal(reply: &Reply) -> Result<String> {
    reply.problem(401, "unauthorized")?;
    check::equal(
        "www-authenticate",
        &reply.header("www-authenticate"),
        &"Bearer realm=\"signalroom\", error=\"invalid_token\"",
    )?;
    Ok(reply.body.clone())
}

/// Sends every one of `tokens`; all are refused in the same words.
async fn all_refused(ctx: &Ctx, tokens: &hostile::Corpus) -> Result<()> {
    let missing = ctx.anonymous()?.get("/api/v1/signals").await?;
    missing.problem(401, "unauthorized")?;
    check::equal(
        "www-authenticate without a token",
        &missing.header("www-authenticate"),
        &"Bearer realm=\"signalroom\"",
    )?;
    for (what, token) in tokens {
        let reply = match ctx.rest_with(token)?.get("/api/v1/signals").await {
            Ok(reply) => reply,
            // Not sent: no header can carry it.
            Err(error) if format!("{error:#}").contains("a request") => continue,
            Err(error) => return Err(error.context(what.clone())),
        };
        let body = refusal(&reply).with_context(|| what.clone())?;
        ensure!(
            body == missing.body,
            "{what}: expected the words {}, got {body}",
            missing.body
        );
    }
    Ok(())
}

async fn one_answer(ctx: Ctx) -> Result<()> {
    let tokens = hostile::by_secret(ctx.minter());
    all_refused(&ctx, &tokens).await?;
    for (what, token) in tokens.iter().take(10) {
        let dial = ctx.dial_bare("/ws").bearer(token);
        dial.refused(401).await.with_context(|| what.clone())?;
    }
    Ok(())
}

/// Starts the product with its keys at `provider`, and runs `body` against it.
async fn trusting<O: Future<Output = Result<()>>>(
    ctx: &Ctx,
    provider: &Provider,
    body: impl FnOnce(Ctx) -> O,
) -> Result<()> {
    let mut start = Start::clone(ctx.start());
    for (name, value) in [
        ("JWKS_URL", provider.url().as_str()),
        ("JWT_ROLE_CLAIM", "custom.role"),
        ("JWT_SUBJECT_CLAIM", "email"),
    ] {
        start.vars.insert(name.to_owned(), value.to_owned());
    }
    let mut server = Server::start(ctx.kind(), &start).await?;
    let outcome = body(ctx.at(server.url())).await;
    let outcome = outcome.with_context(|| format!("the server said:\n{}", server.log()));
    server.stop(Stop::Gently).await?;
    outcome
}

/// What the provider says of somebody.
fn said(sub: &str, role: &Value) -> Value {
    let now = token::now();
    json!({"sub": "0f3a", "email": sub, "custom": {"role": role}, "iat": now, "exp": now + 3600,
        "iss": "https://id.example", "aud": ["desk"]})
}

async fn get(ctx: &Ctx, token: &str) -> Result<Reply> {
    ctx.rest_with(token)?.get("/api/v1/signals").await
}

async fn provider(ctx: Ctx) -> Result<()> {
    let [rsa, ec, ed, next] = [Key::rsa()?, Key::ec()?, Key::ed()?, Key::ec_next()?];
    let keys = Answer::keys(&[&rsa, &ec, &ed])?;
    let provider = Provider::start(keys, Answer::Gone).await?;
    trusting(&ctx, &provider, async |ctx| {
        let (sub, viewer) = (ctx.user("ann"), json!("viewer"));
        ctx.rest(Role::Viewer)?.get("/api/v1/signals").await?.ok()?;
        check::equal("requests before they are needed", &provider.requests(), &0)?;

        // Everybody comes at once; one asks.
        let token = rsa.sign(&said(&sub, &viewer))?;
        let replies = try_join_all((0..12).map(|_| get(&ctx, &token))).await?;
        replies
            .iter()
            .try_for_each(|reply| reply.ok().map(|_| ()))?;
        check::equal("requests for twelve at once", &provider.requests(), &1)?;

        for key in [&rsa, &ec, &ed] {
            get(&ctx, &key.sign(&said(&sub, &viewer))?).await?.ok()?;
            let token = key.sign(&said(&sub, &viewer))?;
            let reply = with_headers(&ctx, "/api/v1/signals", &[(ACCESS, &token)]).await?;
            reply.ok()?;
            let mut socket = ctx.dial_bare("/ws").bearer(&token).open().await?.socket;
            socket.position().await?;
            // A fresh token of another of the provider's keys.
            let fresh = ed.sign(&said(&sub, &viewer))?;
            socket.send("authenticate", json!({"token": fresh})).await?;
            socket.kind("authenticated").await?;
        }
        let run = |roles: Value| {
            let (ctx, token) = (&ctx, ed.sign(&said(&sub, &roles)));
            async move {
                ctx.rest_with(&token?)?
                    .post("/api/v1/runs", &json!({}))
                    .await
            }
        };
        run(json!(["viewer", "approver"]))
            .await?
            .problem(403, "forbidden")?;
        let reply = run(json!(["staff", "admin", "viewer"])).await?;
        ensure!(reply.status < 300, "expected an admin's run, got {reply}");

        let mut tokens = hostile::by_provider(&[&rsa, &ec, &ed], &next, &said(&sub, &viewer))?;
        tokens.push((
            "a role of nobody".into(),
            ec.sign(&said(&sub, &json!("root")))?,
        ));
        tokens.push(("no subject".into(), ec.sign(&said("", &viewer))?));
        let usual = json!({"sub": sub, "role": "admin", "exp": token::now() + 600});
        tokens.push(("the usual claims".into(), ec.sign(&usual)?));
        all_refused(&ctx, &tokens).await?;
        check::equal("requests after many unknown keys", &provider.requests(), &1)?;

        rotated(&ctx, &provider, [&rsa, &ec, &next], &said(&sub, &viewer)).await
    })
    .await
}

async fn socket_first(ctx: Ctx) -> Result<()> {
    let ed = Key::ed()?;
    let provider = Provider::start(Answer::keys(&[&ed])?, Answer::Gone).await?;
    trusting(&ctx, &provider, async |ctx| {
        let sub = ctx.user("ann");
        let own = ctx.minter().token(&sub, Role::Viewer);
        let mut socket = ctx.dial_bare("/ws").bearer(&own).open().await?.socket;
        check::equal(
            "requests for the product's own token",
            &provider.requests(),
            &0,
        )?;
        let other = ed.sign(&said(&ctx.user("bob"), &json!("viewer")))?;
        let fresh = ed.sign(&said(&sub, &json!("viewer")))?;
        socket.send("authenticate", json!({"token": other})).await?;
        let error = socket.kind("error").await?;
        check::equal("code", &error["data"]["code"], &json!("unauthorized"))?;
        socket.send("authenticate", json!({"token": fresh})).await?;
        socket.kind("authenticated").await?;
        check::equal("requests", &provider.requests(), &1)
    })
    .await
}

/// The provider goes over to another key, and then away.
async fn rotated(
    ctx: &Ctx,
    provider: &Provider,
    [rsa, ec, next]: [&Key; 3],
    said: &Value,
) -> Result<()> {
    provider.answers(Answer::keys(&[rsa, next])?);
    let fresh = next.sign(said)?;
    let begun = Instant::now();
    let mut tries = 0;
    while get(ctx, &fresh).await?.status != 200 {
        tries += 1;
        ensure!(
            begun.elapsed() < PATIENCE,
            "expected the new key to be found within {PATIENCE:?}, not in {tries} tries"
        );
        sleep(Duration::from_millis(100)).await;
    }
    ensure!(
        tries > 10,
        "expected to wait for the new key, tried {tries} times"
    );
    check::equal("requests after the rotation", &provider.requests(), &2)?;
    get(ctx, &rsa.sign(said)?).await?.ok()?;
    refusal(&get(ctx, &ec.sign(said)?).await?).context("a withdrawn key")?;

    provider.answers(Answer::Gone);
    for key in [rsa, next] {
        get(ctx, &key.sign(said)?).await?.ok()?;
    }
    refusal(&get(ctx, &ec.sign(said)?).await?).context("a withdrawn key, provider down")?;
    let own = ctx.minter().sign_with(
        Algorithm::HS256,
        &json!({
            "sub": "ann", "role": "viewer", "exp": token::now() + 60,
        }),
    );
    get(ctx, &own).await?.ok()?;
    Ok(())
}

async fn no_key_set(ctx: Ctx) -> Result<()> {
    let ec = Key::ec()?;
    let good = Answer::keys(&[&ec])?;
    let provider = Provider::start(Answer::Gone, good.clone()).await?;
    let html =
        |status, body: &str| Answer::Says(status, "content-type: text/html".into(), body.into());
    let secret = ctx.minter().token("ann", Role::Admin);
    let symmetric = json!({"keys": [{"kty": "oct", "kid": "ec", "k": secret}]});
    let Answer::Says(_, _, keys) = &good else {
        anyhow::bail!("expected a key set");
    };
    let padded = format!("{keys}{}", " ".repeat(1 << 20));
    let failures = [
        ("nothing", Answer::Gone),
        (
            "a redirect",
            Answer::Says(
                302,
                format!("location: {}", provider.elsewhere()),
                String::new(),
            ),
        ),
        ("a page", html(200, "<!doctype html><title>Sign in</title>")),
        ("half a set", html(200, &keys[..keys.len() / 2])),
        ("a huge set", Answer::Says(200, "x-a: b".into(), padded)),
        (
            "a set with an error",
            Answer::Says(500, "x-a: b".into(), keys.clone()),
        ),
        ("a symmetric key", Answer::json(&symmetric)),
        ("silence", Answer::Silent),
    ];
    trusting(&ctx, &provider, async |ctx| {
        let sub = ctx.user("ann");
        let token = ec.sign(&said(&sub, &json!("viewer")))?;
        for (what, failure) in failures {
            provider.answers(failure);
            let asked = provider.requests();
            let begun = Instant::now();
            loop {
                let reply = get(&ctx, &token).await?;
                reply.problem(503, "misconfigured").context(what)?;
                check::equal("retry-after", &reply.header("retry-after"), &"5")?;
                if provider.requests() > asked {
                    break;
                }
                ensure!(
                    begun.elapsed() < PATIENCE,
                    "{what}: expected another request"
                );
                sleep(Duration::from_millis(100)).await;
            }
            check::equal("requests", &provider.requests(), &(asked + 1)).context(what)?;
            ctx.rest(Role::Viewer)?.get("/api/v1/signals").await?.ok()?;
        }
        provider.answers(good.clone());
        let rest = ctx.rest_with(&token)?;
        rest.poll("the keys", "/api/v1/signals", |reply| reply.status == 200)
            .await?;
        Ok(())
    })
    .await
}
