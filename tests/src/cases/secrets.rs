//! Nothing secret leaves the product: not in its logs at their most verbose, not in an answer, an
//! error, the page, or what the commands print.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jsonwebtoken::Algorithm;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::time::timeout;

use super::command_line::{ended, signalroom};
use super::{approve, pending};
use crate::bars::Shape;
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::raw::{FIN, Raw, frame, opcode};
use crate::client::rest::http;
use crate::client::{Minter, Role};
use crate::runner::SECRET;
use crate::target::Kind;

const VERBOSE: &[(&str, &str)] = &[("RUST_LOG", "trace")];

/// Before the token of the sign-in link, which `serve` prints on purpose, once.
const LINK: &str = "/signals#token=";

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::own("secrets/no log and no answer has any", VERBOSE, product)
            .only(&[Kind::Harness, Kind::Workerd]),
        Case::own("secrets/no command prints any", VERBOSE, commands).only(&[Kind::Harness]),
    ]
}

/// The secret as it is and as careless code shows it.
fn secret_in(text: &str) -> bool {
    let bytes = SECRET.as_bytes();
    let debug = format!("{bytes:?}");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    // The middle of its base64, whatever stands before it.
    text.contains(SECRET)
        || text.contains(debug.trim_matches(['[', ']']))
        || text.to_lowercase().contains(&hex)
        || text.contains("b25mb3JtYW5jZS1zZWNyZXQtb2YtZm9ydHktdHdv")
}

/// The first text that looks like a signed token: three parts, the first a JSON object.
fn token_in(text: &str) -> Option<&str> {
    let part = |it: &str| {
        let end = it.find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c));
        end.unwrap_or(it.len())
    };
    text.match_indices("eyJ").find_map(|(start, _)| {
        let rest = &text[start..];
        let head = part(rest);
        let claims = rest[head..].strip_prefix('.')?;
        let signature = claims[part(claims)..].strip_prefix('.')?;
        let end = text.len() - signature.len() + part(signature);
        (part(claims) > 3 && part(signature) > 3).then(|| &text[start..end])
    })
}

fn clean(what: &str, text: &str) -> Result<()> {
    ensure!(
        !secret_in(text),
        "{what} has the secret:\n{}",
        near(text, &SECRET[..8])
    );
    if let Some(token) = token_in(text) {
        anyhow::bail!("{what} has a token:\n{}", near(text, token));
    }
    Ok(())
}

/// The line of `text` that has `found`.
fn near<'a>(text: &'a str, found: &str) -> &'a str {
    let line = text.lines().find(|line| line.contains(found));
    line.map_or("", |line| &line[..line.floor_char_boundary(600)])
}

/// Everything that the case's servers printed, without the token of each sign-in link.
fn logs(ctx: &Ctx) -> Result<String> {
    let folder = ctx.start().data.parent().context("a folder")?;
    let mut all = String::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "log") {
            all.push_str(&own_log(&path)?);
        }
    }
    ensure!(!all.is_empty(), "expected logs in {}", folder.display());
    Ok(all)
}

fn own_log(path: &Path) -> Result<String> {
    let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
    let (mut kept, mut links) = (String::new(), 0);
    for line in text.lines() {
        let link = line
            .strip_prefix("sign in at http://")
            .and_then(|it| it.split_once(LINK));
        match link {
            Some((address, token)) if token_in(token) == Some(token) => {
                links += 1;
                ensure!(
                    !text.replacen(line, "", 1).contains(token),
                    "the link's token is repeated"
                );
                kept.push_str(address);
            }
            // `wrangler dev` lists the `--var`s it was started with; a secret is no such var.
            _ if line.contains("env.JWT_SECRET") => {}
            _ => kept.push_str(line),
        }
        kept.push('\n');
    }
    ensure!(links <= 1, "expected one sign-in link, got {links}");
    Ok(kept)
}

/// Tokens of every kind, good and bad.
fn tokens(ctx: &Ctx) -> Vec<String> {
    let mut tokens: Vec<String> = Role::ALL
        .iter()
        .map(|role| ctx.minter().token(&ctx.user("known"), *role))
        .collect();
    let claims = json!({"sub": "x", "role": "admin", "exp": 9_999_999_999_u64});
    let minter = ctx.minter();
    tokens.push(minter.lasting(&ctx.user("late"), Role::Admin, -3600));
    tokens.push(minter.sign(&json!({"sub": "x"})));
    tokens.push(minter.sign_with(Algorithm::HS512, &claims));
    tokens.push(Minter::new("another secret of more than 32 bytes").sign(&claims));
    tokens
}

/// Asks in every way that fails or works; each answer is clean.
async fn rest(ctx: &Ctx, token: &str) -> Result<()> {
    let (rest, bare) = (ctx.rest_with(token)?, ctx.anonymous()?);
    let in_query = format!("/api/v1/signals?token={token}&limit=x");
    // `wrangler dev` prints the path of every request, where no token belongs; never the query.
    let segment = if ctx.kind() == Kind::Workerd {
        "x"
    } else {
        token
    };
    let in_path = format!("/api/v1/signals/{segment}");
    let long = format!("/healthz?token={token}{}", "x".repeat(9000));
    for (rest, method, path, body) in [
        (&rest, Method::GET, "/api/v1/signals", ""),
        (&rest, Method::GET, "/api/v1/city?limit=%ff", ""),
        (&rest, Method::GET, "/nowhere", ""),
        (
            &rest,
            Method::GET,
            "/api/v1/signals/AB/history?cursor=!",
            "",
        ),
        (&rest, Method::GET, "/ws", ""),
        (&rest, Method::POST, "/api/v1/runs", "{"),
        (&rest, Method::POST, "/api/v1/runs", token),
        (&rest, Method::PUT, "/api/v1/symbols/AB/bars", token),
        (
            &rest,
            Method::POST,
            "/api/v1/signals/AB/approve",
            r#"{"status":7}"#,
        ),
        (&rest, Method::GET, &in_query, ""),
        (&bare, Method::GET, &in_query, ""),
        (&bare, Method::GET, &in_path, ""),
        (&rest, Method::GET, &in_path, ""),
        (&rest, Method::GET, &long, ""),
    ] {
        let reply = rest
            .request(method, path)
            .body(body.to_owned())
            .send()
            .await?;
        let head = format!("{:?}", reply.headers());
        let text = head + &reply.text().await?;
        clean(&format!("the answer to {path:.40}"), &text)?;
    }
    Ok(())
}

/// Opens sockets in every way; each message and each refusal is clean.
async fn sockets(ctx: &Ctx, token: &str) -> Result<()> {
    for dial in [
        ctx.dial_bare("/ws").query("token", token),
        ctx.dial_bare("/ws").bearer(token),
        ctx.dial_bare("/ws")
            .query("token", token)
            .query("topics", token),
        ctx.dial_bare("/ws")
            .bearer(token)
            .origin("https://evil.example"),
    ] {
        match dial.attempt().await? {
            Err(refusal) => clean("a refused socket", &refusal.body)?,
            Ok(mut socket) => {
                socket.send("authenticate", json!({"token": token})).await?;
                socket
                    .send("authenticate", json!({"tokens": token}))
                    .await?;
                socket.send(token, json!({})).await?;
                socket.send_text(token).await?;
                let (messages, _) = socket.barrier().await?;
                for message in messages {
                    clean("a message", &message.to_string())?;
                }
                socket.close().await?;
            }
        }
    }
    Ok(())
}

/// A ticket, and what comes of showing it: it is good for one socket.
async fn ticket(ctx: &Ctx) -> Result<String> {
    let reply = ctx
        .rest(Role::Viewer)?
        .post("/api/v1/ws/ticket", &json!({}))
        .await?;
    let ticket = check::string(&reply.json()?, "ticket")?;
    let dial = ctx.dial_bare("/ws").query("ticket", &ticket);
    dial.connect().await?.close().await?;
    dial.refused(401).await?;
    Ok(ticket)
}

async fn product(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    approve(&ctx, &ctx.user("ann"), &symbol, "BUY")
        .await?
        .ok()?;
    for token in tokens(&ctx) {
        rest(&ctx, &token).await?;
        sockets(&ctx, &token).await?;
    }
    if ctx.kind() == Kind::Harness {
        broken(&ctx).await?;
    }
    page(&ctx).await?;
    let ticket = ticket(&ctx).await?;
    ctx.shut_down().await?;
    let log = logs(&ctx)?;
    clean("the log", &log)?;
    ensure!(!log.contains(&ticket), "the log has a ticket");
    // The log is the server's, or there was nothing to find.
    let sign = match ctx.kind() {
        Kind::Workerd => "/api/v1/signals",
        Kind::Harness | Kind::Inproc | Kind::Plain => "listening on http://",
    };
    ensure!(log.contains(sign), "expected {sign} in the log");
    Ok(())
}

/// What does not even come to be a request or a message.
async fn broken(ctx: &Ctx) -> Result<()> {
    let token = ctx.minter().token(&ctx.user("broken"), Role::Viewer);
    for bytes in [
        format!("GET /ws?token={token} HTTP/9.9\r\n\r\n"),
        format!("GET /ws?token={token} HTTP/1.1\r\nauthorization: Bearer {token}\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\nauthorization : Bearer {token}\r\n\r\n"),
        format!("GET /{token} HTTP/1.1\r\nhost: {token}\r\nx: \x00\r\n\r\n"),
    ] {
        let mut raw = Raw::connect(&ctx.url()).await?;
        raw.send(bytes.as_bytes()).await?;
        if let Some(answer) = raw.answer().await? {
            clean("a refusal", &format!("{answer:?}"))?;
        }
    }
    let breach = [token.as_bytes(), b"\xff"].concat();
    for bytes in [
        frame(FIN | opcode::TEXT, &breach),
        frame(FIN | opcode::BINARY, &breach),
        frame(FIN | 3, token.as_bytes()),
        crate::client::raw::close(4000, &token.as_bytes()[..100]),
        crate::client::raw::close(999, &token.as_bytes()[..100]),
    ] {
        let mut raw = Raw::socket(&ctx.url(), "/ws", &token).await?;
        raw.send(&bytes).await?;
        raw.finish().await?;
        raw.ended().await?;
    }
    Ok(())
}

/// The page and every file that it names.
async fn page(ctx: &Ctx) -> Result<()> {
    let bare = ctx.anonymous()?;
    let page = bare
        .poll("the page", "/signals", |reply| reply.status == 200)
        .await?;
    clean("the page", &page.body)?;
    let mut seen = 0;
    for path in page.body.split('"').filter(|it| it.starts_with("/assets/")) {
        let file = http()?.get(format!("{}{path}", ctx.url())).send().await?;
        clean(path, &file.text().await?)?;
        seen += 1;
    }
    ensure!(
        seen > 0,
        "expected the page to name files, got {}",
        page.body
    );
    clean(
        "the API's description",
        &bare.get("/openapi.json").await?.body,
    )
}

async fn commands(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let url = ctx.url();
    let bars = ctx.scratch().join("bars.csv");
    std::fs::create_dir_all(ctx.scratch())?;
    std::fs::write(
        &bars,
        "date,open,high,low,close,volume\n2024-01-02,1,2,1,2,5\n",
    )?;
    let file = bars.to_str().context("a path")?;
    let given = ctx.minter().token(&ctx.user("given"), Role::Admin);
    let late = ctx.minter().lasting(&ctx.user("late"), Role::Admin, -3600);
    let gone = "http://127.0.0.1:9";
    for arguments in [
        vec!["signals", "--url", &url],
        vec!["signals", "--url", gone],
        vec!["signals", "--url", &url, "--token", &given],
        vec!["signals", "--url", &url, "--token", &late],
        vec!["approve", &symbol, "BUY", "--url", &url],
        vec!["approve", &symbol, "BUY", "--url", &url, "--token", &late],
        vec!["import", &symbol, file, "--url", &url],
        vec!["import", &symbol, file, "--url", &url, "--token", &late],
        vec!["cron", "--url", &url],
        vec!["tail", &symbol, "--url", &url, "--token", &late],
        vec!["serve", "--listen", "nowhere"],
        vec!["serve", "--listen", "127.0.0.1:0", "--data", file],
    ] {
        let command = signalroom(&ctx, &arguments).await?;
        let ended = ended(command).await?;
        let what = arguments[0];
        clean(what, &ended.stdout)?;
        clean(what, &ended.stderr)?;
        ensure!(
            !ended.stderr.contains("panicked"),
            "{what}: {}",
            ended.stderr
        );
    }
    tail(&ctx, &symbol).await?;
    ctx.shut_down().await?;
    clean("the log", &logs(&ctx)?)
}

/// A socket of the command line, up to its first event.
async fn tail(ctx: &Ctx, symbol: &str) -> Result<()> {
    let mut command = signalroom(ctx, &["tail", symbol, "--url", &ctx.url()]).await?;
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("tail")?;
    let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
    let first = timeout(Duration::from_secs(30), lines.next_line()).await;
    let first = first
        .context("a line of tail")??
        .context("a line of tail")?;
    clean("tail", &first)?;
    child.start_kill()?;
    let mut errors = String::new();
    let mut stderr = child.stderr.take().context("its errors")?;
    stderr.read_to_string(&mut errors).await?;
    clean("tail", &errors)
}
