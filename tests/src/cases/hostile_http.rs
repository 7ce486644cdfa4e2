//! HTTP as an attacker writes it, byte by byte, against the harness: every one is refused with a
//! 4xx or by the end of the connection, never a 5xx, and the server serves on.

use anyhow::{Context as _, Result, ensure};

use crate::case::{Case, Ctx};
use crate::check;
use crate::client::Role;
use crate::client::raw::{Answer, Raw};
use crate::target::Kind;

/// On workerd this is the runtime's business.
const OURS: &[Kind] = &[Kind::Harness, Kind::Inproc];

/// A request that a smuggler hides in another: nobody may answer it.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nhost: desk\r\n\r\n";

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared("hostile http/a malformed head is refused", heads).only(OURS),
        Case::shared("hostile http/a head that is too large is refused", large).only(OURS),
        Case::shared("hostile http/hosts and targets are judged", hosts).only(OURS),
        Case::shared("hostile http/nothing is smuggled by two lengths", lengths).only(OURS),
        Case::shared("hostile http/nothing is smuggled by chunks", chunks).only(OURS),
        Case::shared(
            "hostile http/what is cut off anywhere is dropped",
            truncated,
        )
        .only(OURS),
        Case::shared(
            "hostile http/after a refusal nothing is answered",
            pipelined,
        )
        .only(OURS),
        Case::shared(
            "hostile http/a body that nobody reads is no request",
            bodies,
        )
        .only(OURS),
        Case::shared("hostile http/no path leads out of the page", paths).only(OURS),
    ]
}

async fn connect(ctx: &Ctx) -> Result<Raw> {
    Raw::connect(&ctx.url()).await
}

/// The server serves somebody else.
async fn is_well(ctx: &Ctx) -> Result<()> {
    ctx.anonymous()?.get("/healthz").await?.ok()?;
    Ok(())
}

/// What is not of the API is a matter of the page, which the binary may still be building.
async fn page_is_there(ctx: &Ctx) -> Result<()> {
    let rest = ctx.anonymous()?;
    rest.poll("the page", "/", |reply| reply.status == 200)
        .await?;
    Ok(())
}

fn is_refusal(answer: &Answer) -> Result<()> {
    ensure!(
        (400..500).contains(&answer.status),
        "expected a 4xx, got {answer:?}"
    );
    Ok(())
}

/// What comes first, which is a 4xx if it is anything.
async fn refused(ctx: &Ctx, bytes: &[u8]) -> Result<Option<u16>> {
    let mut raw = connect(ctx).await?;
    raw.send(bytes).await?;
    let answer = raw.answer().await?;
    answer.as_ref().map_or(Ok(()), is_refusal)?;
    is_well(ctx).await?;
    Ok(answer.map(|answer| answer.status))
}

/// At most one answer, a 4xx, and then the end: what comes after the first request is nobody's.
async fn refused_and_closed(ctx: &Ctx, bytes: &[u8]) -> Result<()> {
    let mut raw = connect(ctx).await?;
    raw.send(bytes).await?;
    if let Some(answer) = raw.answer().await? {
        is_refusal(&answer)?;
        if let Some(second) = raw.answer().await? {
            anyhow::bail!("after {answer:?} came {second:?}");
        }
    }
    is_well(ctx).await
}

async fn heads(ctx: Ctx) -> Result<()> {
    let lines: [&[u8]; 22] = [
        b"\x00\x01\x02\x03",
        // A TLS handshake.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET",
        b"GET /healthz",
        b"GET /healthz HTTP/9.9",
        b"GET /healthz HTTP/1.1 HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"GET  /healthz HTTP/1.1",
        b" GET /healthz HTTP/1.1",
        b"GET /heal thz HTTP/1.1",
        b"GET /healthz\x00 HTTP/1.1",
        b"GET /healthz?\x00 HTTP/1.1",
        b"GET /healthz\x0b HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET /healthz\x7f\xc0\xaf HTTP/1.1",
        b"GET healthz HTTP/1.1",
        b"GET \\healthz HTTP/1.1",
        b"GE\x00T /healthz HTTP/1.1",
        b"GET\t/healthz\tHTTP/1.1",
        b"BREW /healthz HTTP/1.1",
        b"get /healthz HTTP/1.1",
        b"TRACE /healthz HTTP/1.1",
    ];
    for line in lines {
        let bytes = [line, b"\r\nhost: desk\r\n\r\n"].concat();
        refused(&ctx, &bytes)
            .await
            .with_context(|| format!("{:?}", line.escape_ascii().to_string()))?;
    }
    let headers: [&[u8]; 14] = [
        b"no colon",
        b": no name",
        b"na me: x",
        b"name : x",
        b"na\x00me: x",
        b"na\xffme: x",
        b"name: a\x00b",
        b"name: a\rb",
        b"name: a\r\n folded",
        b"name: a\r\n\tfolded",
        b" name: x",
        b"\x0bname: x",
        b"na(me): x",
        b"name: \x7f",
    ];
    for header in headers {
        let bytes = [
            b"GET /healthz HTTP/1.1\r\nhost: desk\r\n",
            header,
            b"\r\n\r\n",
        ]
        .concat();
        refused(&ctx, &bytes)
            .await
            .with_context(|| format!("{:?}", header.escape_ascii().to_string()))?;
    }
    Ok(())
}

async fn large(ctx: Ctx) -> Result<()> {
    let get = |target: &str, headers: &str| {
        format!("GET {target} HTTP/1.1\r\nhost: desk\r\n{headers}\r\n")
    };
    let long = |bytes: usize| "x".repeat(bytes);
    for (what, request, expected) in [
        ("a path of 9 KiB", get(&format!("/{}", long(9000)), ""), 414),
        (
            "a query of 9 KiB",
            get(&format!("/healthz?{}", long(9000)), ""),
            414,
        ),
        (
            "a path of 70 KB",
            get(&format!("/{}", long(70_000)), ""),
            431,
        ),
        (
            "40 KiB of a header",
            get("/healthz", &format!("x: {}\r\n", long(40_000))),
            431,
        ),
        (
            "1 MB of a header",
            get("/healthz", &format!("x: {}\r\n", long(1_000_000))),
            431,
        ),
        (
            "1 MB of a name",
            get("/healthz", &format!("{}: x\r\n", long(1_000_000))),
            431,
        ),
        ("70 headers", get("/healthz", &"x: y\r\n".repeat(70)), 431),
        (
            "100,000 headers",
            get("/healthz", &"x: y\r\n".repeat(100_000)),
            431,
        ),
        ("1 MB of a method", long(1_000_000), 431),
        (
            "a head without an end",
            get("/healthz", &"x: y\r\n".repeat(100_000)),
            431,
        ),
    ] {
        let status = refused(&ctx, request.as_bytes()).await.context(what)?;
        // The answer may be lost when the server does not read on.
        ensure!(
            status.is_none_or(|status| status == expected),
            "{what}: expected {expected}, got {status:?}"
        );
    }
    Ok(())
}

async fn hosts(ctx: Ctx) -> Result<()> {
    page_is_there(&ctx).await?;
    for (target, host, expected) in [
        ("GET /healthz", "", 400),
        ("GET /healthz", "host:\r\n", 400),
        ("GET /healthz", "host: desk\r\nhost: desk\r\n", 400),
        ("GET /healthz", "host: desk\r\nhost: evil\r\n", 400),
        ("GET /healthz", "host: de sk\r\n", 400),
        ("GET /healthz", "host: desk/api\r\n", 400),
        ("GET /healthz", "host: ann@desk\r\n", 400),
        ("GET /healthz", "host: d\u{e9}sk\r\n", 400),
        ("GET http://evil/healthz", "host: desk\r\n", 400),
        ("GET http://desk:81/healthz", "host: desk\r\n", 400),
        ("CONNECT desk:80", "host: desk:80\r\n", 400),
        ("CONNECT /healthz", "host: desk\r\n", 400),
        ("GET desk", "host: desk\r\n", 404),
        ("OPTIONS *", "host: desk\r\n", 404),
        ("GET *", "host: desk\r\n", 404),
        ("GET /healthz", "host: desk\r\nexpect: nonsense\r\n", 417),
        (
            "POST /api/v1/runs",
            "host: desk\r\nexpect: 200-ok\r\ncontent-length: 5\r\n",
            417,
        ),
    ] {
        let request = format!("{target} HTTP/1.1\r\n{host}\r\n");
        let status = refused(&ctx, request.as_bytes()).await;
        let status = status.with_context(|| request.clone())?;
        ensure!(
            status.is_none_or(|status| status == expected),
            "{request:?}: expected {expected}, got {status:?}"
        );
    }
    // What the RFCs allow works: the whole address as the target, HTTP/1.0 without a host.
    for request in [
        "GET http://desk/healthz HTTP/1.1\r\nhost: desk\r\n\r\n",
        "GET /healthz HTTP/1.0\r\n\r\n",
        "\r\n\r\nGET /healthz HTTP/1.1\r\nhost: desk\r\n\r\n",
    ] {
        let mut raw = connect(&ctx).await?;
        raw.send(request.as_bytes()).await?;
        let answer = raw.answer().await?.context("an answer")?;
        check::equal(request, &answer.status, &200)?;
    }
    Ok(())
}

/// A request with a body, from one who may send it.
fn post(ctx: &Ctx, headers: &str, body: &str) -> String {
    let token = ctx.minter().token(&ctx.user("smuggler"), Role::Admin);
    format!(
        "POST /api/v1/signals/{}/approve HTTP/1.1\r\nhost: desk\r\n\
         authorization: Bearer {token}\r\n{headers}\r\n{body}",
        ctx.symbol("A")
    )
}

async fn lengths(ctx: Ctx) -> Result<()> {
    let hidden = HIDDEN.len();
    for (headers, body) in [
        // RFC 9112 section 6.3. A front that believes the length, and one that does not.
        (
            "content-length: 6\r\ntransfer-encoding: chunked\r\n".to_owned(),
            "0\r\n\r\n",
        ),
        (
            "transfer-encoding: chunked\r\ncontent-length: 4\r\n".to_owned(),
            "0\r\n\r\n",
        ),
        (
            "content-length: 5\r\ncontent-length: 6\r\n".to_owned(),
            "hello",
        ),
        (
            format!("content-length: 0\r\ncontent-length: {hidden}\r\n"),
            "",
        ),
        ("content-length: 5, 5\r\n".to_owned(), "hello"),
        ("content-length: 5 5\r\n".to_owned(), "hello"),
        ("content-length: +5\r\n".to_owned(), "hello"),
        ("content-length: -1\r\n".to_owned(), ""),
        ("content-length: 0x5\r\n".to_owned(), "hello"),
        ("content-length: 5;\r\n".to_owned(), "hello"),
        ("content-length:\r\n".to_owned(), ""),
        ("content-length: five\r\n".to_owned(), "hello"),
        ("content-length: 18446744073709551616\r\n".to_owned(), ""),
        ("content-length: 18446744073709551615\r\n".to_owned(), ""),
        ("content-length : 5\r\n".to_owned(), "hello"),
        ("transfer-encoding: xchunked\r\n".to_owned(), "0\r\n\r\n"),
        (
            "transfer-encoding: chunked, identity\r\n".to_owned(),
            "0\r\n\r\n",
        ),
        ("transfer-encoding: chunked\x0b\r\n".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding: \"chunked\"\r\n".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding:\r\n".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding : chunked\r\n".to_owned(), "0\r\n\r\n"),
        (" transfer-encoding: chunked\r\n".to_owned(), "0\r\n\r\n"),
        (
            "transfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n".to_owned(),
            "0\r\n\r\n",
        ),
        (
            "x: y\rtransfer-encoding: chunked\r\n".to_owned(),
            "0\r\n\r\n",
        ),
    ] {
        let bytes = post(&ctx, &headers, body) + HIDDEN;
        let outcome = refused_and_closed(&ctx, bytes.as_bytes()).await;
        outcome.with_context(|| headers.clone())?;
    }
    // HTTP/1.0 has no chunks.
    let old = "POST /api/v1/runs HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    refused_and_closed(&ctx, format!("{old}{HIDDEN}").as_bytes()).await
}

async fn chunks(ctx: Ctx) -> Result<()> {
    let long = "x".repeat(100_000);
    for body in [
        "FFFFFFFFFFFFFFFFF\r\nhello",
        "10000000000000000\r\n\r\n",
        "-1\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "five\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello world\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5;\nhello\r\n0\r\n\r\n",
        "5;ext=a\rb\r\nhello\r\n0\r\n\r\n",
        &format!("5;{long}\r\nhello\r\n0\r\n\r\n"),
        &format!("0\r\n{long}: x\r\n\r\n"),
        &format!("{}\r\nhello\r\n0\r\n\r\n", "0".repeat(100_000)),
        "0\r\ntrailer\x00: x\r\n\r\n",
    ] {
        let bytes = post(&ctx, "transfer-encoding: chunked\r\n", body);
        let outcome = refused_and_closed(&ctx, (bytes + HIDDEN).as_bytes()).await;
        let short: String = body.chars().take(40).collect();
        outcome.with_context(|| format!("{short:?}"))?;
    }
    Ok(())
}

async fn truncated(ctx: Ctx) -> Result<()> {
    let body = "{\"status\":\"BUY\"}";
    let whole = post(&ctx, &format!("content-length: {}\r\n", body.len()), body);
    let chunked = post(
        &ctx,
        "transfer-encoding: chunked\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
    );
    for request in [whole, chunked] {
        for cut in (0..request.len()).step_by(5) {
            let mut raw = connect(&ctx).await?;
            raw.send(&request.as_bytes()[..cut]).await?;
            raw.finish().await?;
            let answer = raw
                .answer()
                .await
                .with_context(|| format!("cut at {cut}"))?;
            answer.as_ref().map_or(Ok(()), is_refusal)?;
        }
    }
    is_well(&ctx).await
}

async fn pipelined(ctx: Ctx) -> Result<()> {
    // Two requests at once are two answers, up to the first that is none.
    for bad in [
        "nonsense\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: desk\r\nhost: desk\r\n\r\n",
        "POST /api/v1/runs HTTP/1.1\r\nhost: desk\r\ncontent-length: x\r\n\r\n",
    ] {
        let mut raw = connect(&ctx).await?;
        raw.send(format!("{HIDDEN}{HIDDEN}{bad}{HIDDEN}").as_bytes())
            .await?;
        for _ in 0..2 {
            let answer = raw.answer().await?.context("an answer")?;
            check::equal("the status", &answer.status, &200)?;
        }
        if let Some(answer) = raw.answer().await? {
            is_refusal(&answer)?;
            ensure!(
                raw.answer().await?.is_none(),
                "expected the end after {bad:?}"
            );
        }
    }
    is_well(&ctx).await
}

async fn bodies(ctx: Ctx) -> Result<()> {
    page_is_there(&ctx).await?;
    let length = HIDDEN.len();
    for (request, expected) in [
        ("GET /healthz", 200),
        ("DELETE /healthz", 405),
        ("GET /nowhere", 404),
        ("POST /api/v1/runs", 401),
        ("POST /", 405),
    ] {
        let head = format!("{request} HTTP/1.1\r\nhost: desk\r\nconnection: close\r\n");
        let bytes = format!("{head}content-length: {length}\r\n\r\n{HIDDEN}");
        let mut raw = connect(&ctx).await?;
        raw.send(bytes.as_bytes()).await?;
        let answer = raw.answer().await?.context("an answer")?;
        check::equal(request, &answer.status, &expected)?;
        ensure!(
            raw.answer().await?.is_none(),
            "{request}: its body was answered"
        );
    }
    // An announced body that never comes does not keep an answer back.
    let mut raw = connect(&ctx).await?;
    let bytes = "POST /api/v1/runs HTTP/1.1\r\nhost: desk\r\ncontent-length: 1000000000\r\n\r\n";
    raw.send(bytes.as_bytes()).await?;
    let answer = raw.answer().await?.context("an answer")?;
    check::equal("the status", &answer.status, &401)
}

async fn paths(ctx: Ctx) -> Result<()> {
    page_is_there(&ctx).await?;
    for path in [
        "/../Cargo.toml",
        "/../../../../etc/passwd",
        "/..%2fCargo.toml",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/%2e%2e/Cargo.toml",
        "/%2e%2e%2fCargo.toml",
        "/%252e%252e%252fCargo.toml",
        "/..\\Cargo.toml",
        "/..%5cCargo.toml",
        "/%5c..%5c..%5cCargo.toml",
        "/%c0%ae%c0%ae/Cargo.toml",
        "/assets/../../../Cargo.toml",
        "/assets/%2e%2e/%2e%2e/Cargo.toml",
        "/signals/../../.dev.vars",
        "/./../.dev.vars",
        "/.dev.vars",
        "/.git/config",
        "/_headers",
        "/wrangler.toml",
        "/index.html%00",
        "/index.html%00.png",
        "/%00",
        "/%ff",
        "/%",
        "/%zz",
        "//etc/passwd",
        "///etc/passwd",
        "//evil.example/",
        "//evil.example/index.html",
        "/\\evil.example/index.html",
        "/%2f%2fevil.example/index.html",
        "/evil.example//index.html",
        "file:///etc/passwd",
    ] {
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let mut raw = connect(&ctx).await?;
            let request =
                format!("{method} {path} HTTP/1.1\r\nhost: desk\r\nconnection: close\r\n\r\n");
            raw.send(request.as_bytes()).await?;
            // No body is announced to a HEAD that comes.
            let Some(answer) = head_or_answer(&mut raw, method).await? else {
                continue;
            };
            let location = answer
                .head
                .lines()
                .find_map(|it| it.strip_prefix("location: "));
            let inside = location.is_some_and(|to| {
                to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/\\")
            });
            ensure!(
                (400..500).contains(&answer.status) || (answer.status < 400 && inside),
                "{method} {path}: expected a 4xx, got {answer:?}"
            );
            for leak in ["[workspace", "root:", "JWT_SECRET", "[core]"] {
                ensure!(!answer.body.contains(leak), "{path} leads to {answer:?}");
            }
        }
    }
    is_well(&ctx).await
}

/// An answer; of a HEAD only the head comes, whatever it announces.
async fn head_or_answer(raw: &mut Raw, method: &str) -> Result<Option<Answer>> {
    if method == "HEAD" {
        raw.head().await
    } else {
        raw.answer().await
    }
}
