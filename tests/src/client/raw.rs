//! A connection at the level of bytes: for what no proper client would send.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer, or the end, may take to come.
const DEADLINE: Duration = Duration::from_secs(20);

/// The key of RFC 6455 section 1.3, and what a server makes of it.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// How frames are masked; any mask does.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A connection.
pub struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The status line and the headers, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

/// A frame of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is; see [`opcode`].
    pub opcode: u8,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// The opcodes of RFC 6455 section 5.2.
pub mod opcode {
    /// A further part of a message.
    pub const CONTINUATION: u8 = 0;
    /// Text.
    pub const TEXT: u8 = 1;
    /// Binary.
    pub const BINARY: u8 = 2;
    /// The end.
    pub const CLOSE: u8 = 8;
    /// A ping.
    pub const PING: u8 = 9;
    /// A pong.
    pub const PONG: u8 = 10;
}

/// Marks the last frame of a message.
pub const FIN: u8 = 0x80;

/// A masked frame with this first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => bytes.push(0x80 | length),
        (_, Ok(length)) => {
            bytes.push(0x80 | 126);
            bytes.extend(length.to_be_bytes());
        }
        (_, Err(_)) => {
            bytes.push(0x80 | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    let masked = payload.iter().zip(MASK.iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The beginning of a masked frame that says to be this long.
pub fn frame_of_length(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | 127];
    bytes.extend(length.to_be_bytes());
    bytes.extend(MASK);
    bytes
}

/// A close frame.
pub fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    let payload = [&code.to_be_bytes(), reason].concat();
    frame(FIN | opcode::CLOSE, &payload)
}

impl Raw {
    /// Connects to the server at `base` (`http://…`).
    pub async fn connect(base: &str) -> Result<Self> {
        let host = base.trim_start_matches("http://");
        let stream = TcpStream::connect(host).await.context("connecting")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::new(),
        })
    }

    /// An open WebSocket without `signalroom.v1`.
    pub async fn socket(base: &str, path: &str, token: &str) -> Result<Self> {
        let mut raw = Self::connect(base).await?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: desk\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\
             authorization: Bearer {token}\r\n\r\n"
        );
        raw.send(request.as_bytes()).await?;
        let answer = raw.answer().await?.context("an answer")?;
        ensure!(
            answer.status == 101 && answer.head.contains(&ACCEPT.to_lowercase()),
            "expected a WebSocket, got {answer:?}"
        );
        Ok(raw)
    }

    /// Sends bytes. That the server has closed by then is no error: it is seen in what comes.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let sent = timeout(DEADLINE, self.stream.write_all(bytes)).await;
        match sent.context("the server does not read")? {
            Err(error) if !is_end(error.kind()) => Err(error).context("sending"),
            _ => Ok(()),
        }
    }

    /// Says that nothing more will come.
    pub async fn finish(&mut self) -> Result<()> {
        match self.stream.shutdown().await {
            Err(error) if !is_end(error.kind()) && error.kind() != ErrorKind::NotConnected => {
                Err(error).context("finishing")
            }
            _ => Ok(()),
        }
    }

    /// The next HTTP answer that is no 100; none when the connection ends without one.
    pub async fn answer(&mut self) -> Result<Option<Answer>> {
        let Some(mut answer) = self.head().await? else {
            return Ok(None);
        };
        let length = answer
            .head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        while self.read.len() < length {
            ensure!(self.more().await?, "the body of {answer:?} broke off");
        }
        let body: Vec<u8> = self.read.drain(..length).collect();
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Ok(Some(answer))
    }

    /// The head of the next HTTP answer that is no 100: all there is of the answer to a `HEAD`.
    pub async fn head(&mut self) -> Result<Option<Answer>> {
        loop {
            let end = loop {
                if let Some(at) = find(&self.read, b"\r\n\r\n") {
                    break at + 4;
                }
                if !self.more().await? {
                    let got = String::from_utf8_lossy(&self.read).into_owned();
                    ensure!(got.is_empty(), "the answer broke off: {got:?}");
                    return Ok(None);
                }
            };
            let head: Vec<u8> = self.read.drain(..end).collect();
            let head = String::from_utf8(head).context("an answer's head")?;
            let head = head.to_lowercase();
            let status = head
                .strip_prefix("http/1.")
                .and_then(|rest| rest.get(2..5)?.parse().ok())
                .with_context(|| format!("no status in {head:?}"))?;
            if status != 100 {
                let body = String::new();
                return Ok(Some(Answer { status, head, body }));
            }
        }
    }

    /// The next frame, which has to be whole, unmasked and without reserved bits; none at the end.
    pub async fn frame(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some((frame, length)) = parse(&self.read)? {
                self.read.drain(..length);
                return Ok(Some(frame));
            }
            if !self.more().await? {
                ensure!(self.read.is_empty(), "a frame broke off: {:?}", self.read);
                return Ok(None);
            }
        }
    }

    /// Reads on to the first frame of this kind.
    pub async fn frame_of(&mut self, wanted: u8) -> Result<Frame> {
        loop {
            match self.frame().await? {
                Some(frame) if frame.opcode == wanted => return Ok(frame),
                Some(frame) if frame.opcode == opcode::CLOSE => bail!("closed: {frame:?}"),
                Some(_) => {}
                None => bail!("the connection ended"),
            }
        }
    }

    /// The payload of the close frame, after which nothing may come but the end.
    pub async fn closed(&mut self) -> Result<Vec<u8>> {
        let frame = loop {
            match self.frame().await? {
                Some(frame) if frame.opcode == opcode::CLOSE => break frame,
                Some(_) => {}
                None => bail!("the connection ended without a close frame"),
            }
        };
        self.finish().await?;
        match self.frame().await? {
            None => Ok(frame.payload),
            Some(frame) => bail!("after its close came {frame:?}"),
        }
    }

    /// Waits for the end, and says how much came before it.
    pub async fn ended(&mut self) -> Result<usize> {
        while self.more().await? {}
        Ok(self.read.len())
    }

    /// Reads more; false at the end.
    async fn more(&mut self) -> Result<bool> {
        let mut buffer = [0; 16 * 1024];
        let read = timeout(DEADLINE, self.stream.read(&mut buffer))
            .await
            .with_context(|| format!("nothing came for {DEADLINE:?}"))?;
        match read {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.read.extend_from_slice(&buffer[..count]);
                Ok(true)
            }
            Err(error) if is_end(error.kind()) => Ok(false),
            Err(error) => Err(error).context("reading"),
        }
    }
}

fn is_end(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|it| it == wanted)
}

/// The frame at the beginning of `bytes` and its length, if all of it is there.
fn parse(bytes: &[u8]) -> Result<Option<(Frame, usize)>> {
    let &[first, second, ref rest @ ..] = bytes else {
        return Ok(None);
    };
    ensure!(
        first & 0xf0 == FIN && second & 0x80 == 0,
        "expected a whole, unmasked frame without reserved bits, got {first:#x} {second:#x}"
    );
    let (digits, length) = match second {
        126 => (
            2,
            rest.first_chunk()
                .map(|it| u64::from(u16::from_be_bytes(*it))),
        ),
        127 => (8, rest.first_chunk().map(|it| u64::from_be_bytes(*it))),
        length => (0, Some(u64::from(length))),
    };
    let Some(length) = length else {
        return Ok(None);
    };
    let start = 2 + digits;
    let end = start + usize::try_from(length)?;
    let payload = bytes.get(start..end).map(<[u8]>::to_vec);
    let opcode = first & 0x0f;
    Ok(payload.map(|payload| (Frame { opcode, payload }, end)))
}
