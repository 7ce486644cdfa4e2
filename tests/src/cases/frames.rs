//! RFC 6455 at the level of frames, against the harness's sockets: what is allowed works, and each
//! breach is named by its close code. Numbers in comments are the RFC's sections.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::case::{Case, Ctx};
use crate::check;
use crate::client::Role;
use crate::client::raw::opcode::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};
use crate::client::raw::{FIN, Raw, close, frame, frame_of_length};
use crate::target::Kind;

/// On workerd the frames are the runtime's business.
const OURS: &[Kind] = &[Kind::Harness, Kind::Inproc];

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared("frames/a breach of framing is 1002", breaches).only(OURS),
        Case::shared("frames/text that is no UTF-8 is 1007", not_utf8).only(OURS),
        Case::shared("frames/what is announced too long is 1009", too_long).only(OURS),
        Case::shared("frames/endless fragments are bounded", endless).only(OURS),
        Case::shared("frames/a fragmented message is one message", fragmented).only(OURS),
        Case::shared("frames/a ping is answered with what it brought", pings).only(OURS),
        Case::shared("frames/a valid close is echoed", valid_closes).only(OURS),
        Case::shared("frames/an invalid close is 1002 or 1007", invalid_closes).only(OURS),
        Case::shared("frames/after a close nothing counts", after_close).only(OURS),
        Case::shared("frames/a handshake is judged strictly", handshakes).only(OURS),
        // On workerd what is in front in development answers; `wrangler.toml` has the flag.
        Case::shared("frames/no compression is negotiated", uncompressed).only(OURS),
    ]
}

async fn open(ctx: &Ctx) -> Result<Raw> {
    let token = ctx.minter().token(&ctx.user("framer"), Role::Viewer);
    Raw::socket(&ctx.url(), "/ws", &token).await
}

/// Sends `bytes` on a socket of its own; the code it is closed with.
async fn code_for(ctx: &Ctx, bytes: &[u8]) -> Result<u16> {
    let mut raw = open(ctx).await?;
    raw.send(bytes).await?;
    code(&raw.closed().await?)
}

fn code(payload: &[u8]) -> Result<u16> {
    let code = payload.first_chunk().context("a close without a code")?;
    Ok(u16::from_be_bytes(*code))
}

/// Each of `breaches` is closed with `expected`, and the server lives.
async fn all(ctx: &Ctx, expected: u16, breaches: Vec<(String, Vec<u8>)>) -> Result<()> {
    for (what, bytes) in breaches {
        let code = code_for(ctx, &bytes).await.with_context(|| what.clone())?;
        check::equal(&what, &code, &expected)?;
    }
    ctx.dial("/ws").open().await?.socket.close().await
}

async fn breaches(ctx: Ctx) -> Result<()> {
    let mut list = vec![
        ("5.1, unmasked".to_owned(), b"\x81\x02hi".to_vec()),
        ("5.1, unmasked ping".to_owned(), b"\x89\x00".to_vec()),
        (
            "5.4, continuation of nothing".to_owned(),
            frame(FIN | CONTINUATION, b"x"),
        ),
        (
            "5.4, continuation of a finished message".to_owned(),
            [frame(FIN | TEXT, b"ping"), frame(CONTINUATION, b"x")].concat(),
        ),
    ];
    for bit in [0x40, 0x20, 0x10] {
        for opcode in [TEXT, PING, CLOSE] {
            let what = format!("5.2, reserved bit {bit:#x} on {opcode}");
            list.push((what, frame(FIN | bit | opcode, b"")));
        }
    }
    for opcode in (3..=7).chain(11..=15) {
        let what = format!("5.2, opcode {opcode}");
        list.push((what, frame(FIN | opcode, b"")));
        let what = format!("5.2, opcode {opcode} with a payload");
        list.push((what, frame(FIN | opcode, b"some")));
    }
    for opcode in [TEXT, BINARY] {
        let what = format!("5.4, {opcode} within a fragmented message");
        list.push((
            what,
            [frame(TEXT, b"a"), frame(FIN | opcode, b"b")].concat(),
        ));
    }
    for opcode in [CLOSE, PING, PONG] {
        let what = format!("5.5, fragmented {opcode}");
        list.push((what, frame(opcode, b"")));
        for length in [126, 127, 1000, 65_535] {
            let what = format!("5.5, {opcode} of {length} bytes");
            list.push((what, frame(FIN | opcode, &vec![b'x'; length])));
        }
    }
    all(&ctx, 1002, list).await
}

async fn not_utf8(ctx: Ctx) -> Result<()> {
    // 8.1. Among them Table 3-7 of Unicode: overlong, surrogates, beyond the last character.
    let bad: [&[u8]; 9] = [
        b"\xff",
        b"\x80",
        b"a\xc0\x80",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xe2\x82",
        b"{\"type\":\"ping\xce\"}",
    ];
    let mut list: Vec<(String, Vec<u8>)> = bad
        .iter()
        .map(|bytes| (format!("{bytes:x?}"), frame(FIN | TEXT, bytes)))
        .collect();
    for parts in [
        [&b"\xe2"[..], b"\x28\xa1"],
        [b"\xe2\x82", b"\x41"],
        [b"\xf0\x9d\x84", b""],
        [b"ok", b"\xff"],
    ] {
        let bytes = [frame(TEXT, parts[0]), frame(FIN | CONTINUATION, parts[1])];
        list.push((format!("split: {parts:x?}"), bytes.concat()));
    }
    // What can become no text any more need not be awaited.
    list.push(("an unfinished message".to_owned(), frame(TEXT, b"\xff")));
    all(&ctx, 1007, list).await
}

async fn too_long(ctx: Ctx) -> Result<()> {
    // 5.2 and 10.4: nothing of the body is sent, or needed.
    let lengths = [70_000, 1 << 31, (1 << 32) + 1, u64::MAX >> 1];
    let mut list = Vec::new();
    for opcode in [TEXT, BINARY] {
        for length in lengths {
            let what = format!("{opcode} of {length} bytes");
            list.push((what, frame_of_length(FIN | opcode, length)));
        }
        // 5.2: the highest bit must be 0; as a length it is too long in any case.
        let what = format!("{opcode} of all bits");
        list.push((what, frame_of_length(FIN | opcode, u64::MAX)));
        let what = format!("{opcode} of 16 KiB and a byte");
        list.push((what, frame(FIN | opcode, &vec![b'x'; 16 * 1024 + 1])));
    }
    list.push((
        "a continuation".to_owned(),
        [
            frame(TEXT, b"x"),
            frame_of_length(FIN | CONTINUATION, 1 << 40),
        ]
        .concat(),
    ));
    all(&ctx, 1009, list).await
}

async fn endless(ctx: Ctx) -> Result<()> {
    for opcode in [TEXT, BINARY] {
        let mut bytes = frame(opcode, b"x");
        // Far more than is ever kept of one message.
        bytes.extend(frame(CONTINUATION, b"x").repeat(300_000));
        let code = code_for(&ctx, &bytes).await?;
        check::equal("the close code", &code, &1009)?;
    }
    ctx.dial("/ws").open().await?.socket.close().await
}

/// The JSON `pong` to the ping that was sent.
async fn pong(raw: &mut Raw) -> Result<Value> {
    loop {
        let text = raw.frame_of(TEXT).await?;
        let message: Value = serde_json::from_slice(&text.payload)?;
        ensure!(message["type"] != "error", "expected a pong, got {message}");
        if message["type"] == "pong" {
            return Ok(message["data"]["echo"].clone());
        }
    }
}

async fn fragmented(ctx: Ctx) -> Result<()> {
    let message = json!({"type": "ping", "data": {"timestamp": "𝄞 ä"}}).to_string();
    let bytes = message.as_bytes();
    let mut raw = open(&ctx).await?;
    // 5.4: cut anywhere, within a character too.
    for cut in 1..bytes.len() {
        let parts = [
            frame(TEXT, &bytes[..cut]),
            frame(FIN | CONTINUATION, &bytes[cut..]),
        ];
        raw.send(&parts.concat()).await?;
        let echo = pong(&mut raw)
            .await
            .with_context(|| format!("cut at {cut}"))?;
        check::equal("the echo", &echo, &json!("𝄞 ä"))?;
        if cut % 40 == 0 {
            raw = open(&ctx).await?;
        }
    }
    // 5.4: byte by byte, parts without content, and control frames in between.
    let mut parts = frame(TEXT, b"");
    for byte in bytes {
        parts.extend(frame(CONTINUATION, &[*byte]));
        parts.extend(frame(CONTINUATION, b""));
    }
    parts.extend(frame(FIN | PING, b"between"));
    parts.extend(frame(FIN | PONG, b"unasked"));
    let mut raw = open(&ctx).await?;
    raw.send(&parts).await?;
    let between = raw.frame_of(PONG).await?;
    check::equal("the pong", &between.payload, &b"between".to_vec())?;
    raw.send(&frame(FIN | CONTINUATION, b"")).await?;
    check::equal("the echo", &pong(&mut raw).await?, &json!("𝄞 ä"))?;
    // 5.7: a frame that arrives byte by byte is a frame.
    for byte in frame(FIN | TEXT, bytes) {
        raw.send(&[byte]).await?;
    }
    check::equal("the echo", &pong(&mut raw).await?, &json!("𝄞 ä"))
}

async fn pings(ctx: Ctx) -> Result<()> {
    let mut raw = open(&ctx).await?;
    // 5.5.2 and 5.5.3: any bytes, no UTF-8 is asked of them.
    let payloads: [Vec<u8>; 4] = [vec![], vec![0xff], vec![0; 125], (0..125).collect()];
    for payload in payloads {
        raw.send(&frame(FIN | PING, &payload)).await?;
        let pong = raw.frame_of(PONG).await?;
        check::equal("the pong", &pong.payload, &payload)?;
    }
    // Of many pings the last has to be answered.
    let many: Vec<u8> = (0..50).flat_map(|n| frame(FIN | PING, &[n])).collect();
    raw.send(&many).await?;
    while raw.frame_of(PONG).await?.payload != [49] {}
    Ok(())
}

async fn valid_closes(ctx: Ctx) -> Result<()> {
    // 7.4.1, and 7.4.2 for libraries and applications; 1012 and 1013 were registered later.
    let codes = (1000..=1003).chain(1007..=1013);
    for code in codes.chain([3000, 3999, 4000, 4001, 4500, 4999]) {
        for reason in ["", "über"] {
            let mut raw = open(&ctx).await?;
            raw.send(&close(code, reason.as_bytes())).await?;
            let payload = raw.closed().await.with_context(|| code.to_string())?;
            check::equal("the code", &self::code(&payload)?, &code)?;
        }
    }
    // 5.5.1: the longest reason, and none at all.
    let mut raw = open(&ctx).await?;
    raw.send(&close(1000, &[b'x'; 123])).await?;
    check::equal("the code", &code(&raw.closed().await?)?, &1000)?;
    let mut raw = open(&ctx).await?;
    raw.send(&frame(FIN | CLOSE, b"")).await?;
    check::equal("the payload", &raw.closed().await?, &vec![])
}

async fn invalid_closes(ctx: Ctx) -> Result<()> {
    // 7.4.1: not to be sent; 7.4.2: not defined.
    let codes = [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ];
    let mut list: Vec<(String, Vec<u8>)> = codes
        .iter()
        .map(|&code| (format!("7.4, code {code}"), close(code, b"")))
        .collect();
    // 5.5.1: a body has a code, of two bytes.
    list.push(("5.5.1, one byte".to_owned(), frame(FIN | CLOSE, &[3])));
    all(&ctx, 1002, list).await?;
    // 5.5.1: the reason is text.
    let list = [&b"\xff"[..], b"\xed\xa0\x80", b"\xe2\x82"];
    let list = list.map(|reason| (format!("{reason:x?}"), close(1000, reason)));
    all(&ctx, 1007, list.into()).await
}

async fn after_close(ctx: Ctx) -> Result<()> {
    // 5.5.1 and 1.4: what follows a close is not looked at, and nothing but the echo comes.
    for more in [
        frame(FIN | TEXT, b"ping"),
        frame(FIN | PING, b"late"),
        close(1001, b""),
        b"\x00\x01\x02 no frame at all".to_vec(),
    ] {
        let mut raw = open(&ctx).await?;
        raw.send(&[close(1000, b""), more].concat()).await?;
        check::equal("the code", &code(&raw.closed().await?)?, &1000)?;
    }
    // A client that just leaves is no news to the others.
    let mut raw = open(&ctx).await?;
    raw.send(&frame(TEXT, b"half a mess")).await?;
    drop(raw);
    let mut raw = open(&ctx).await?;
    raw.send(&frame(FIN | PING, b"")[..1]).await?;
    raw.finish().await?;
    raw.ended().await?;
    ctx.dial("/ws").open().await?.socket.close().await
}

async fn handshakes(ctx: Ctx) -> Result<()> {
    let token = ctx.minter().token(&ctx.user("framer"), Role::Viewer);
    let good = [
        "host: desk",
        "upgrade: websocket",
        "connection: keep-alive, Upgrade",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    // 4.2.1: what a handshake has to have, one thing of it changed, and the answer to that.
    let changed: [(usize, &str, u16); 14] = [
        (0, "host: desk", 101),
        (1, "upgrade: WebSocket", 101),
        (1, "upgrade: h2c", 426),
        (1, "x: y", 426),
        (2, "connection: keep-alive", 400),
        (2, "x: y", 400),
        (3, "sec-websocket-version: 8", 426),
        (3, "sec-websocket-version: 13, 8", 426),
        (3, "x: y", 426),
        (4, "sec-websocket-key: dGhlIHNhbXBsZSBub25j", 400),
        (4, "sec-websocket-key: AAAA", 400),
        (4, "sec-websocket-key:", 400),
        (4, "x: y", 400),
        (
            4,
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-key: AQIDBAUGBwgJCgsMDQ4PEA==",
            400,
        ),
    ];
    for (index, line, expected) in changed {
        let mut lines = good;
        lines[index] = line;
        let status = handshake(&ctx, "GET", "1.1", &lines, &token).await?;
        check::equal(line, &status, &expected)?;
    }
    let status = handshake(&ctx, "POST", "1.1", &good, &token).await?;
    check::equal("POST", &status, &405)?;
    let status = handshake(&ctx, "GET", "1.0", &good, &token).await?;
    check::equal("HTTP/1.0", &status, &400)
}

async fn handshake(
    ctx: &Ctx,
    method: &str,
    version: &str,
    lines: &[&str],
    token: &str,
) -> Result<u16> {
    let mut raw = Raw::connect(&ctx.url()).await?;
    let request = format!(
        "{method} /ws HTTP/{version}\r\n{}\r\nauthorization: Bearer {token}\r\n\r\n",
        lines.join("\r\n")
    );
    raw.send(request.as_bytes()).await?;
    let answer = raw.answer().await?.context("an answer")?;
    if answer.status >= 400 {
        ensure!(
            answer.head.contains("application/problem+json"),
            "expected a problem, got {answer:?}"
        );
    }
    ensure!(
        answer.status != 426 || answer.head.contains("upgrade: websocket"),
        "expected to be told what to upgrade to, got {answer:?}"
    );
    Ok(answer.status)
}

/// RFC 7692: compression beside secrets tells of them, and costs every socket memory.
async fn uncompressed(ctx: Ctx) -> Result<()> {
    let url = ctx.url();
    let token = ctx.minter().token(&ctx.user("framer"), Role::Viewer);
    let mut raw = Raw::connect(&url).await?;
    let request = format!(
        "GET /ws HTTP/1.1\r\nhost: {}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n\
         authorization: Bearer {token}\r\n\r\n",
        url.trim_start_matches("http://"),
    );
    raw.send(request.as_bytes()).await?;
    let answer = raw.head().await?.context("an answer")?;
    check::equal("the status", &answer.status, &101)?;
    ensure!(
        !answer.head.contains("permessage-deflate"),
        "expected no extension, got {answer:?}"
    );
    Ok(())
}
