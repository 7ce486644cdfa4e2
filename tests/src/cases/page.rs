//! The page as static files, and what `signalroom serve` does when there is none yet.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::{Method, header};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{Instant, sleep, timeout};

use super::command_line::{ended, signalroom};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::Reply;
use crate::client::rest::{Rest, send};

/// How long a first start may take to install packages and build the page.
const BUILD_DEADLINE: Duration = Duration::from_secs(300);

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared("page/is at / and at /signals", both_addresses),
        Case::shared("page/its parts have types, tags and policies", parts),
        Case::shared("page/what a browser holds is not sent again", held),
        Case::shared("page/a file has one address, and is only read", one_address),
        Case::shared("page/nothing else can be reached", nothing_else),
        Case::command_line("page/--page shows the page of a folder", folder),
        Case::command_line("page/--page of no page is one clear line", no_folder),
        Case::command_line(
            "page/without npm the API serves and the page says what to do",
            without_npm,
        ),
        Case::command_line(
            "page/a build that fails is told, and the API serves",
            failing_build,
        ),
    ]
}

/// The page; a server that is building it is asked again.
async fn page(rest: &Rest, path: &str) -> Result<Reply> {
    let deadline = Instant::now() + BUILD_DEADLINE;
    loop {
        let reply = rest.get(path).await?;
        if reply.status != 503 || reply.header("retry-after").is_empty() {
            return Ok(reply);
        }
        ensure!(Instant::now() < deadline, "expected the page, got {reply}");
        sleep(Duration::from_millis(250)).await;
    }
}

async fn both_addresses(ctx: Ctx) -> Result<()> {
    let rest = ctx.anonymous()?;
    let mut pages = Vec::new();
    for path in ["/", "/signals"] {
        let reply = page(&rest, path).await?;
        ensure!(
            reply.status == 200 && reply.header("content-type").starts_with("text/html"),
            "expected the page (200, text/html), got {} from {reply}",
            reply.header("content-type")
        );
        check::equal("cache-control", &reply.header("cache-control"), &"no-cache")?;
        pages.push(reply.body);
    }
    ensure!(
        pages[0] == pages[1],
        "expected the same page at both addresses"
    );
    Ok(())
}

/// The addresses of what the page loads.
fn parts_of(page: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for start in ["src=\"/", "href=\"/"] {
        for (at, _) in page.match_indices(start) {
            let address = &page[at + start.len() - 1..];
            found.push(address.split('"').next().unwrap_or(address));
        }
    }
    found
}

async fn parts(ctx: Ctx) -> Result<()> {
    let rest = ctx.anonymous()?;
    let page = page(&rest, "/").await?;
    let policy = page.header("content-security-policy");
    ensure!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "expected a strict policy, got {policy}"
    );
    check::equal(
        "nosniff",
        &page.header("x-content-type-options"),
        &"nosniff",
    )?;
    let parts = parts_of(&page.body);
    ensure!(
        parts.iter().any(|path| path.starts_with("/assets/")),
        "expected the page to load something from /assets/, got {parts:?}"
    );
    for path in parts {
        let reply = rest.get(path).await?;
        ensure!(reply.status == 200, "expected 200, got {reply}");
        let kind = match path.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => continue,
        };
        check::equal(path, &reply.header("content-type"), &kind)?;
        check::equal(path, &reply.header("x-content-type-options"), &"nosniff")?;
        let for_ever = reply.header("cache-control").contains("immutable");
        check::equal(path, &for_ever, &path.starts_with("/assets/"))?;
        ensure!(
            !reply.header("etag").is_empty(),
            "expected an ETag of {path}"
        );
    }
    Ok(())
}

async fn held(ctx: Ctx) -> Result<()> {
    let rest = ctx.anonymous()?;
    let page = page(&rest, "/").await?;
    let tag = page.header("etag");
    let asked = |tag: &str| {
        let request = rest.request(Method::GET, "/");
        send(request.header(header::IF_NONE_MATCH, tag.to_owned()))
    };
    let again = asked(tag).await?;
    ensure!(
        again.status == 304 && again.body.is_empty(),
        "expected 304 without a body, got {again}"
    );
    check::equal("the status", &asked("\"other\"").await?.status, &200)
}

async fn one_address(ctx: Ctx) -> Result<()> {
    let rest = ctx.anonymous()?;
    page(&rest, "/").await?;
    for (path, address) in [
        ("/index.html", "/"),
        ("/index", "/"),
        ("/signals.html", "/signals"),
        ("/signals/", "/signals"),
    ] {
        let reply = rest.get(path).await?;
        ensure!(
            reply.status == 307 && reply.header("location") == address,
            "expected 307 to {address}, got {} from {reply}",
            reply.header("location")
        );
    }
    let head = send(rest.request(Method::HEAD, "/")).await?;
    ensure!(
        head.status == 200 && head.body.is_empty(),
        "expected 200 without a body, got {head}"
    );
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let reply = send(rest.request(method, "/")).await?;
        ensure!(reply.status == 405, "expected 405, got {reply}");
    }
    Ok(())
}

async fn nothing_else(ctx: Ctx) -> Result<()> {
    let rest = ctx.anonymous()?;
    page(&rest, "/").await?;
    for path in [
        "/none",
        "/none.html",
        "/none/index.html",
        "/_headers",
        "/assets",
        "/assets/",
        "/..%2fwrangler.toml",
        "/assets/..%2f..%2f..%2f.dev.vars",
        "/%2e%2e%2f%2e%2e%2f.dev.vars",
        "/.dev.vars",
    ] {
        let reply = rest.get(path).await?;
        ensure!(reply.status == 404, "expected 404, got {reply}");
    }
    Ok(())
}

/// `serve` in `project`, once it listens: its address and what ends it when dropped.
async fn serve(
    ctx: &Ctx,
    project: &Path,
    arguments: &[&str],
    path: Option<&Path>,
) -> Result<(String, tokio::process::Child)> {
    let mut command = signalroom(ctx, &["serve", "--listen", "127.0.0.1:0", "--data"]).await?;
    command
        .arg(ctx.scratch().join("data"))
        .args(arguments)
        .current_dir(project)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let mut child = command.spawn().context("signalroom serve")?;
    let stdout = child.stdout.take().context("its output")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = timeout(Duration::from_secs(30), lines.next_line())
        .await
        .context("expected it to listen")??
        .context("expected it to listen, it ended")?;
    let url = line
        .strip_prefix("listening on ")
        .with_context(|| format!("expected its address, got {line}"))?;
    Ok((url.to_owned(), child))
}

/// A project whose page cannot be built.
fn broken_project(ctx: &Ctx) -> Result<std::path::PathBuf> {
    let project = ctx.scratch().join("project");
    std::fs::create_dir_all(project.join("dashboard"))?;
    std::fs::write(project.join("wrangler.toml"), "")?;
    std::fs::write(project.join("package.json"), "{}")?;
    let lock = r#"{"name":"broken","lockfileVersion":3,"packages":{"":{}}}"#;
    std::fs::write(project.join("package-lock.json"), lock)?;
    std::fs::write(project.join("dashboard/package.json"), "{}")?;
    Ok(project)
}

/// The page says `text`, and the API serves.
async fn says(ctx: &Ctx, url: &str, text: &str) -> Result<()> {
    let rest = ctx.at(url).anonymous()?;
    for path in ["/", "/signals"] {
        let reply = page(&rest, path).await?;
        ensure!(
            reply.status == 503 && reply.body.contains(text),
            "expected 503 that says {text:?}, got {reply}"
        );
    }
    check::equal("the API", &rest.get("/healthz").await?.status, &200)?;
    check::equal("a part", &rest.get("/assets/a.js").await?.status, &404)
}

async fn folder(ctx: Ctx) -> Result<()> {
    let page = ctx.scratch().join("built");
    std::fs::create_dir_all(&page)?;
    std::fs::write(page.join("index.html"), "<!doctype html>mine")?;
    let argument = page.to_str().context("a path")?;
    let (url, _child) = serve(&ctx, ctx.scratch(), &["--page", argument], None).await?;
    let reply = ctx.at(&url).anonymous()?.get("/signals").await?;
    ensure!(
        reply.status == 200 && reply.body == "<!doctype html>mine",
        "expected the page of the folder, got {reply}"
    );
    Ok(())
}

async fn no_folder(ctx: Ctx) -> Result<()> {
    let mut command = signalroom(&ctx, &["serve", "--listen", "127.0.0.1:0", "--page"]).await?;
    command.arg(ctx.scratch()).current_dir(ctx.scratch());
    let ended = ended(command).await?;
    let lines: Vec<&str> = ended.stderr.lines().collect();
    ensure!(
        ended.code == Some(1) && lines.len() == 1 && lines[0].contains("index.html"),
        "expected one clear line about index.html, got {:?} and {lines:?}",
        ended.code
    );
    Ok(())
}

async fn without_npm(ctx: Ctx) -> Result<()> {
    let project = broken_project(&ctx)?;
    let empty = ctx.scratch().join("empty");
    std::fs::create_dir_all(&empty)?;
    let (url, _child) = serve(&ctx, &project, &[], Some(&empty)).await?;
    says(&ctx, &url, "Install Node.js").await
}

async fn failing_build(ctx: Ctx) -> Result<()> {
    let project = broken_project(&ctx)?;
    let (url, _child) = serve(&ctx, &project, &[], None).await?;
    says(&ctx, &url, "could not be built").await
}
