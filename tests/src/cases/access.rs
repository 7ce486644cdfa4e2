//! Who gets in: open routes, tokens, roles, unknown routes and methods, origins.

use anyhow::{Result, ensure};
use jsonwebtoken::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};

use super::{pending, read};
use crate::bars::{self, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::rest::{Rest, send};
use crate::client::{Minter, Reply, Role, token};
use crate::runner::ALLOWED_ORIGIN;
use crate::target::Kind;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared(
            "access/healthz answers at both places without a token",
            healthz,
        ),
        Case::shared(
            "access/openapi.json is at both places without a token",
            openapi,
        ),
        Case::shared(
            "access/no answer of the API is kept, framed or taken for a page",
            protected,
        ),
        Case::shared("access/a method nobody knows is none of ours", methods),
        Case::shared("access/no token is 401", no_token),
        Case::shared(
            "access/a token of another secret, algorithm or shape is 401",
            bad_tokens,
        ),
        Case::shared("access/an expired token is 401", expired),
        Case::shared("access/an unknown role is refused", unknown_role),
        Case::shared(
            "access/a viewer neither sends bars nor approves nor runs",
            viewer,
        ),
        Case::shared(
            "access/an approver approves but neither sends bars nor runs",
            approver,
        ),
        Case::shared(
            "access/a service sends bars and runs but does not approve",
            service,
        ),
        Case::shared("access/an admin sends bars, runs and approves", admin),
        Case::shared(
            "access/an unknown route is 404, never the page",
            unknown_route,
        ),
        Case::shared("access/a wrong method is 405", wrong_method),
        Case::shared("access/routes of a later issue answer 501", deferred),
        Case::shared("access/CORS lets an allowed origin in", cors_allowed),
        Case::shared("access/CORS lets no foreign origin in", cors_foreign),
        Case::own(
            "access/iss and aud are required when they are configured",
            &[
                ("JWT_ISSUER", "https://id.example"),
                ("JWT_AUDIENCE", "signalroom"),
            ],
            issuer,
        ),
        Case::own(
            "access/a short JWT_SECRET makes every route of the Worker 503 misconfigured",
            &[("JWT_SECRET", "short")],
            misconfigured,
        )
        .only(&[Kind::Workerd]),
    ]
}

async fn healthz(ctx: Ctx) -> Result<()> {
    for path in ["/healthz", "/api/v1/healthz"] {
        let reply = ctx.anonymous()?.get(path).await?;
        ensure!(reply.status == 200, "expected 200, got {reply}");
    }
    Ok(())
}

async fn openapi(ctx: Ctx) -> Result<()> {
    let mut documents = Vec::new();
    for path in ["/openapi.json", "/api/v1/openapi.json"] {
        let document = ctx.anonymous()?.get(path).await?.ok()?;
        ensure!(
            document["openapi"]
                .as_str()
                .is_some_and(|version| version.starts_with("3.")),
            "expected an OpenAPI 3 document, got openapi {}",
            document["openapi"]
        );
        documents.push(document);
    }
    ensure!(
        documents[0] == documents[1],
        "expected the same document at both places"
    );
    let paths: Vec<String> = documents[0]["paths"]
        .as_object()
        .map(|paths| paths.keys().cloned().collect())
        .unwrap_or_default();
    for route in [
        "/signals",
        "/signals/{symbol}/approve",
        "/symbols/{symbol}/bars",
        "/runs",
    ] {
        ensure!(
            paths.iter().any(|path| path.ends_with(route)),
            "expected a path for {route}, got {paths:?}"
        );
    }
    Ok(())
}

/// Every guarded route, with a method that it has.
fn guarded() -> Vec<(Method, &'static str)> {
    vec![
        (Method::GET, "/api/v1/signals"),
        (Method::GET, "/api/v1/signals/SPY"),
        (Method::GET, "/api/v1/signals/SPY/history"),
        (Method::GET, "/api/v1/scan/top"),
        (Method::POST, "/api/v1/signals/SPY/approve"),
        (Method::GET, "/api/v1/signals/SPY/approvals"),
        (Method::GET, "/api/v1/approvals"),
        (Method::PUT, "/api/v1/symbols/SPY/bars"),
        (Method::GET, "/api/v1/symbols/SPY/bars"),
        (Method::GET, "/api/v1/city"),
        (Method::POST, "/api/v1/runs"),
        (Method::POST, "/api/v1/ws/ticket"),
        (Method::POST, "/api/v1/users/ann/revoke"),
    ]
}

async fn no_token(ctx: Ctx) -> Result<()> {
    let rest = ctx.anonymous()?;
    for (method, path) in guarded() {
        let reply = send(rest.request(method, path)).await?;
        reply.problem(401, "unauthorized")?;
        // RFC 9110, 15.5.2: a 401 must say how to authenticate.
        ensure!(
            reply.header("www-authenticate").starts_with("Bearer"),
            "expected WWW-Authenticate: Bearer, got {:?} from {reply}",
            reply.header("www-authenticate")
        );
    }
    Ok(())
}

async fn bad_tokens(ctx: Ctx) -> Result<()> {
    let now = token::now();
    let good = json!({"sub": "eve", "role": "admin", "iat": now, "exp": now + 600});
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJldmUiLCJyb2xlIjoiYWRtaW4iLCJleHAiOjQxMDI0NDQ4MDB9.";
    let tokens = [
        (
            "of another secret",
            Minter::new("another-secret-that-is-long-enough-too").sign(&good),
        ),
        (
            "of another algorithm",
            ctx.minter().sign_with(Algorithm::HS384, &good),
        ),
        ("with alg none", unsigned.to_owned()),
        ("that is no JWT", "garbage".to_owned()),
        (
            "without exp",
            ctx.minter()
                .sign(&json!({"sub": "eve", "role": "admin", "iat": now})),
        ),
        (
            "without sub",
            ctx.minter()
                .sign(&json!({"role": "admin", "iat": now, "exp": now + 600})),
        ),
    ];
    for (what, token) in tokens {
        let reply = ctx.rest_with(&token)?.get("/api/v1/signals").await?;
        reply
            .problem(401, "unauthorized")
            .map_err(|error| error.context(format!("a token {what}")))?;
    }
    let rest = ctx.anonymous()?;
    let basic = rest
        .request(Method::GET, "/api/v1/signals")
        .header("authorization", "Basic QTpC");
    send(basic).await?.problem(401, "unauthorized")?;
    Ok(())
}

async fn expired(ctx: Ctx) -> Result<()> {
    let token = ctx.minter().lasting("late", Role::Admin, -600);
    ctx.rest_with(&token)?
        .get("/api/v1/signals")
        .await?
        .problem(401, "unauthorized")?;
    Ok(())
}

async fn unknown_role(ctx: Ctx) -> Result<()> {
    let now = token::now();
    for claims in [
        json!({"sub": "eve", "role": "root", "iat": now, "exp": now + 600}),
        json!({"sub": "eve", "iat": now, "exp": now + 600}),
    ] {
        let reply = ctx
            .rest_with(&ctx.minter().sign(&claims))?
            .get("/api/v1/signals")
            .await?;
        ensure!(
            reply.status == 401 || reply.status == 403,
            "expected {claims} to be refused, got {reply}"
        );
        reply.any_problem(reply.status)?;
    }
    Ok(())
}

async fn put(rest: &Rest, ctx: &Ctx) -> Result<Reply> {
    rest.put_bars(&ctx.symbol("ROLE"), "", &bars::plain("2024-01-02", 3, 1))
        .await
}

async fn run(rest: &Rest) -> Result<Reply> {
    rest.post("/api/v1/runs", &json!({})).await
}

async fn approval(rest: &Rest, symbol: &str) -> Result<Reply> {
    rest.post(
        &format!("/api/v1/signals/{symbol}/approve"),
        &json!({"status": "BUY"}),
    )
    .await
}

async fn viewer(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let rest = ctx.rest(Role::Viewer)?;
    put(&rest, &ctx).await?.problem(403, "forbidden")?;
    run(&rest).await?.problem(403, "forbidden")?;
    approval(&rest, &symbol).await?.problem(403, "forbidden")?;
    let signal = read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
    check::text(&signal, "status", "PENDING_REVIEW")
}

async fn approver(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let rest = ctx.rest(Role::Approver)?;
    put(&rest, &ctx).await?.problem(403, "forbidden")?;
    run(&rest).await?.problem(403, "forbidden")?;
    rest.get("/api/v1/signals").await?.ok()?;
    approval(&rest, &symbol).await?.ok()?;
    Ok(())
}

async fn service(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let rest = ctx.rest(Role::Service)?;
    put(&rest, &ctx).await?.ok()?;
    let reply = run(&rest).await?;
    ensure!(
        (200..300).contains(&reply.status),
        "expected a run, got {reply}"
    );
    approval(&rest, &symbol).await?.problem(403, "forbidden")?;
    Ok(())
}

async fn admin(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let rest = ctx.rest(Role::Admin)?;
    put(&rest, &ctx).await?.ok()?;
    let reply = run(&rest).await?;
    ensure!(
        (200..300).contains(&reply.status),
        "expected a run, got {reply}"
    );
    approval(&rest, &symbol).await?.ok()?;
    Ok(())
}

async fn unknown_route(ctx: Ctx) -> Result<()> {
    let rest = ctx.rest(Role::Admin)?;
    for path in [
        "/api/v1/nothing",
        "/api/v1/signals/A/b/c",
        "/api/v2/signals",
    ] {
        // A browser's navigation must not be answered by the page either.
        let request = rest
            .request(Method::GET, path)
            .header("accept", "text/html")
            .header("sec-fetch-mode", "navigate");
        send(request).await?.problem(404, "not-found")?;
    }
    Ok(())
}

async fn wrong_method(ctx: Ctx) -> Result<()> {
    let rest = ctx.rest(Role::Admin)?;
    for (method, path) in [
        (Method::DELETE, "/api/v1/signals"),
        (Method::GET, "/api/v1/signals/SPY/approve"),
        (Method::POST, "/api/v1/symbols/SPY/bars"),
        (Method::PUT, "/api/v1/city"),
    ] {
        let reply = send(rest.request(method, path)).await?;
        reply.any_problem(405)?;
        ensure!(
            !reply.header("allow").is_empty(),
            "expected the header Allow, got {reply}"
        );
    }
    Ok(())
}

async fn deferred(ctx: Ctx) -> Result<()> {
    let rest = ctx.rest(Role::Admin)?;
    for (method, path) in [(Method::GET, "/api/v1/ws/stats")] {
        send(rest.request(method, path)).await?.any_problem(501)?;
    }
    Ok(())
}

fn preflight(rest: &Rest, origin: &str) -> reqwest::RequestBuilder {
    rest.request(Method::OPTIONS, "/api/v1/signals/SPY/approve")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type,if-match",
        )
}

async fn protected(ctx: Ctx) -> Result<()> {
    let viewer = ctx.rest(Role::Viewer)?;
    let replies = [
        ctx.anonymous()?.get("/healthz").await?,
        ctx.anonymous()?.get("/api/v1/signals").await?,
        viewer.get("/api/v1/signals").await?,
        viewer.get("/api/v1/nothing").await?,
    ];
    for reply in replies {
        for (name, wanted) in [
            ("cache-control", "no-store"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            // Not over plain HTTP.
            ("strict-transport-security", ""),
        ] {
            check::equal(name, &reply.header(name), &wanted)?;
        }
    }
    Ok(())
}

async fn methods(ctx: Ctx) -> Result<()> {
    let admin = ctx.rest(Role::Admin)?;
    for name in ["QUERY", "PROPFIND", "get", "X"] {
        let method = Method::from_bytes(name.as_bytes())?;
        let reply = send(admin.request(method, "/api/v1/city")).await?;
        // A server in front may refuse it by itself.
        ensure!(
            matches!(reply.status, 400 | 405 | 501),
            "expected {name} to be refused, got {reply}"
        );
    }
    Ok(())
}

async fn cors_allowed(ctx: Ctx) -> Result<()> {
    let reply = send(preflight(&ctx.anonymous()?, ALLOWED_ORIGIN)).await?;
    ensure!(
        (200..300).contains(&reply.status),
        "expected a preflight to pass, got {reply}"
    );
    let allowed = |name: &str, wanted: &str| {
        let got = reply.header(name).to_lowercase();
        ensure!(
            got.contains(wanted),
            "expected {wanted} in {name}, got {got:?}"
        );
        Ok(())
    };
    allowed("access-control-allow-origin", ALLOWED_ORIGIN)?;
    allowed("access-control-allow-methods", "post")?;
    for header in ["authorization", "content-type", "if-match"] {
        allowed("access-control-allow-headers", header)?;
    }
    allowed("access-control-max-age", "86400")?;
    let request = ctx
        .rest(Role::Viewer)?
        .request(Method::GET, "/api/v1/signals");
    let reply = send(request.header("origin", ALLOWED_ORIGIN)).await?;
    reply.ok()?;
    check::equal(
        "access-control-allow-origin",
        &reply.header("access-control-allow-origin"),
        &ALLOWED_ORIGIN,
    )?;
    let own = ctx.url();
    let request = ctx
        .rest(Role::Viewer)?
        .request(Method::GET, "/api/v1/signals");
    send(request.header("origin", own)).await?.ok()?;
    Ok(())
}

async fn cors_foreign(ctx: Ctx) -> Result<()> {
    let foreign = "https://evil.example";
    let reply = send(preflight(&ctx.anonymous()?, foreign)).await?;
    let silent = |reply: &Reply| {
        let got = reply.header("access-control-allow-origin").to_owned();
        ensure!(
            got.is_empty(),
            "expected no access-control-allow-origin, got {got:?} from {reply}"
        );
        Ok(())
    };
    silent(&reply)?;
    let request = ctx
        .rest(Role::Viewer)?
        .request(Method::GET, "/api/v1/signals");
    let reply = send(request.header("origin", foreign)).await?;
    silent(&reply)
}

async fn issuer(ctx: Ctx) -> Result<()> {
    let now = token::now();
    let claims = |issuer: Value, audience: Value| {
        ctx.minter().sign(
            &json!({"sub": "ann", "role": "viewer", "iat": now, "exp": now + 600,
            "iss": issuer, "aud": audience}),
        )
    };
    let good = claims(json!("https://id.example"), json!("signalroom"));
    ctx.rest_with(&good)?.get("/api/v1/signals").await?.ok()?;
    for bad in [
        claims(json!("https://other.example"), json!("signalroom")),
        claims(json!("https://id.example"), json!("another")),
        ctx.minter().token("ann", Role::Viewer),
    ] {
        ctx.rest_with(&bad)?
            .get("/api/v1/signals")
            .await?
            .problem(401, "unauthorized")?;
    }
    Ok(())
}

async fn misconfigured(ctx: Ctx) -> Result<()> {
    for path in ["/healthz", "/api/v1/signals", "/api/v1/city"] {
        ctx.anonymous()?
            .get(path)
            .await?
            .problem(503, "misconfigured")?;
    }
    Ok(())
}
