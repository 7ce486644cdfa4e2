//! Sockets: dialling with every kind of token, and waiting for messages with a deadline.
//!
//! Every socket checks by itself what holds for all of them: the envelope of each message, arrays
//! of messages only where `signalroom.v1` was negotiated, `seq` strictly growing, and growing past
//! the position that the socket resumes from, or that its snapshot stands for.

use std::collections::VecDeque;
use std::io::{Error as IoError, ErrorKind};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

/// How long a message may take to come.
const MESSAGE_DEADLINE: Duration = Duration::from_secs(60);

/// How a socket is to be opened.
#[derive(Debug, Clone)]
pub struct Dial {
    base: String,
    path: String,
    query: Vec<String>,
    protocols: Vec<String>,
    origin: Option<String>,
    since: Option<u64>,
    window: Option<u32>,
}

/// An upgrade that was refused.
#[derive(Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Dial {
    /// To `path` of the server at `base` (`http://…`), without a token.
    pub fn new(base: &str, path: &str) -> Self {
        Self {
            base: base.replacen("http", "ws", 1),
            path: path.to_owned(),
            query: Vec::new(),
            protocols: Vec::new(),
            origin: None,
            since: None,
            window: None,
        }
    }

    /// With the token as a subprotocol, beside `signalroom.v1`.
    pub fn bearer(mut self, token: &str) -> Self {
        self.protocols = vec!["signalroom.v1".to_owned(), format!("bearer.{token}")];
        self
    }

    /// With one more member of the query.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push(format!("{name}={value}"));
        self
    }

    /// Resuming after `since` of `epoch`.
    pub fn resume(mut self, epoch: &Value, since: u64) -> Self {
        let epoch = epoch
            .as_str()
            .map_or_else(|| epoch.to_string(), str::to_owned);
        self.since = Some(since);
        self.query("epoch", &epoch)
            .query("since", &since.to_string())
    }

    /// As a browser's page of that origin.
    pub fn origin(mut self, origin: &str) -> Self {
        self.origin = Some(origin.to_owned());
        self
    }

    /// Unencrypted, with room for about so many bytes that nobody has read yet.
    pub fn window(mut self, bytes: u32) -> Self {
        self.window = Some(bytes);
        self
    }

    async fn handshake(&self, request: Request) -> Result<(Stream, Response), Error> {
        let Some(bytes) = self.window else {
            return connect_async(request).await;
        };
        let host = request.uri().authority().map_or("", |it| it.as_str());
        let address = lookup_host(host).await?.next();
        let address = address.ok_or(IoError::from(ErrorKind::AddrNotAvailable))?;
        let socket = TcpSocket::new_v4()?;
        // Before it connects: the window is agreed on then.
        socket.set_recv_buffer_size(bytes)?;
        let stream = socket.connect(address).await?;
        client_async(request, MaybeTlsStream::Plain(stream)).await
    }

    /// Dials; the inner error is the server's refusal.
    pub async fn attempt(&self) -> Result<Result<Socket, Refusal>> {
        let mut url = format!("{}{}", self.base, self.path);
        if !self.query.is_empty() {
            url = format!("{url}?{}", self.query.join("&"));
        }
        let mut request = url.as_str().into_client_request().context("a handshake")?;
        if !self.protocols.is_empty() {
            let value = HeaderValue::from_str(&self.protocols.join(", "))?;
            request
                .headers_mut()
                .insert("sec-websocket-protocol", value);
        }
        if let Some(origin) = &self.origin {
            request
                .headers_mut()
                .insert("origin", HeaderValue::from_str(origin)?);
        }
        let dialled = tokio::time::timeout(MESSAGE_DEADLINE, self.handshake(request))
            .await
            .with_context(|| format!("no answer to the handshake at {}", self.path))?;
        match dialled {
            Ok((stream, reply)) => {
                let protocol = reply
                    .headers()
                    .get("sec-websocket-protocol")
                    .and_then(|value| value.to_str().ok())
                    .map(str::to_owned);
                Ok(Ok(Socket {
                    stream,
                    batches: protocol.as_deref() == Some("signalroom.v1"),
                    protocol,
                    queue: VecDeque::new(),
                    seq: self.since,
                    welcome: None,
                    pings: 0,
                }))
            }
            Err(Error::Http(reply)) => {
                let body = reply.body().as_deref().map(String::from_utf8_lossy);
                Ok(Err(Refusal {
                    status: reply.status().as_u16(),
                    body: body.unwrap_or_default().into_owned(),
                }))
            }
            Err(error) => Err(error).with_context(|| format!("the handshake at {}", self.path)),
        }
    }

    /// Dials and expects to be let in.
    pub async fn connect(&self) -> Result<Socket> {
        match self.attempt().await? {
            Ok(socket) => Ok(socket),
            Err(refusal) => bail!("expected {} to open, got {refusal:?}", self.path),
        }
    }

    /// Dials and expects to be refused with `status`.
    pub async fn refused(&self, status: u16) -> Result<()> {
        match self.attempt().await? {
            Ok(_) => bail!(
                "expected {} to be refused with {status}, it opened",
                self.path
            ),
            Err(refusal) => ensure!(
                refusal.status == status,
                "expected {} to be refused with {status}, got {refusal:?}",
                self.path
            ),
        }
        Ok(())
    }

    /// Dials, and reads `welcome` and `snapshot`.
    pub async fn open(&self) -> Result<Opened> {
        let mut socket = self.connect().await?;
        let welcome = socket.expect("welcome").await?["data"].take();
        let snapshot = socket.expect("snapshot").await?["data"].take();
        Ok(Opened {
            socket,
            welcome,
            snapshot,
        })
    }

    /// Dials with a resume: reads `welcome` and everything up to `resumed`.
    pub async fn resumed(&self) -> Result<Resumed> {
        let mut socket = self.connect().await?;
        let welcome = socket.expect("welcome").await?["data"].take();
        let (missed, mut resumed) = socket
            .until("resumed", |it| it["type"] == "resumed")
            .await?;
        Ok(Resumed {
            socket,
            welcome,
            missed,
            resumed: resumed["data"].take(),
        })
    }
}

/// A socket past its `snapshot`.
pub struct Opened {
    /// The socket.
    pub socket: Socket,
    /// `data` of the welcome.
    pub welcome: Value,
    /// `data` of the snapshot.
    pub snapshot: Value,
}

/// A socket past its `resumed`.
pub struct Resumed {
    /// The socket.
    pub socket: Socket,
    /// `data` of the welcome.
    pub welcome: Value,
    /// What came between.
    pub missed: Vec<Value>,
    /// `data` of `resumed`.
    pub resumed: Value,
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What comes from a socket.
pub enum Frame {
    /// A text frame, with its messages.
    Text(Utf8Bytes, Vec<Value>),
    /// The server's close, with its code.
    Closed(u16),
    /// The end without a close.
    Broke(Error),
}

/// An open socket.
pub struct Socket {
    stream: Stream,
    /// The subprotocol the server chose.
    pub protocol: Option<String>,
    batches: bool,
    queue: VecDeque<Value>,
    /// No event up to here may come any more.
    seq: Option<u64>,
    /// Where the log stood when the socket opened.
    welcome: Option<u64>,
    pings: u64,
}

impl Socket {
    /// Sends `{"type":kind,"data":data}`.
    pub async fn send(&mut self, kind: &str, data: Value) -> Result<()> {
        self.send_text(&json!({"type": kind, "data": data}).to_string())
            .await
    }

    /// Sends a text frame as it is.
    pub async fn send_text(&mut self, text: &str) -> Result<()> {
        self.stream
            .send(Message::text(text))
            .await
            .context("sending a frame")
    }

    /// Sends a binary frame.
    pub async fn send_binary(&mut self, bytes: &'static [u8]) -> Result<()> {
        let message = Message::Binary(Bytes::from_static(bytes));
        self.stream
            .send(message)
            .await
            .context("sending a binary frame")
    }

    /// The next message.
    pub async fn next(&mut self) -> Result<Value> {
        self.next_or_close()
            .await?
            .map_err(|code| anyhow::anyhow!("the server closed with {code}"))
    }

    /// The next message, which must be of this type.
    pub async fn expect(&mut self, kind: &str) -> Result<Value> {
        let message = self
            .next()
            .await
            .with_context(|| format!("waiting for {kind}"))?;
        ensure!(message["type"] == kind, "expected {kind}, got {message}");
        Ok(message)
    }

    /// Reads up to the first message for which `wanted` holds; also what came before it.
    pub async fn until(
        &mut self,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<(Vec<Value>, Value)> {
        let deadline = tokio::time::Instant::now() + MESSAGE_DEADLINE;
        let mut before = Vec::new();
        loop {
            let message = match tokio::time::timeout_at(deadline, self.next()).await {
                Ok(next) => next.with_context(|| waiting(what, &before))?,
                Err(_) => bail!("{}: it did not come", waiting(what, &before)),
            };
            if wanted(&message) {
                return Ok((before, message));
            }
            before.push(message);
        }
    }

    /// Reads up to the first message of this type.
    pub async fn kind(&mut self, kind: &str) -> Result<Value> {
        Ok(self.until(kind, |it| it["type"] == kind).await?.1)
    }

    /// Reads up to the first message of this type about this symbol.
    pub async fn event(&mut self, kind: &str, symbol: &str) -> Result<Value> {
        let what = format!("{kind} of {symbol}");
        Ok(self
            .until(&what, |it| {
                it["type"] == kind && it["data"]["symbol"] == symbol
            })
            .await?
            .1)
    }

    /// Reads until a message of this type about each of `symbols` has come, in any order.
    pub async fn events(&mut self, kind: &str, symbols: &[&str]) -> Result<()> {
        let mut open = symbols.to_vec();
        while !open.is_empty() {
            let (_, message) = self
                .until(&format!("{kind} of {open:?}"), |it| {
                    it["type"] == kind && open.iter().any(|symbol| it["data"]["symbol"] == *symbol)
                })
                .await?;
            open.retain(|symbol| message["data"]["symbol"] != *symbol);
        }
        Ok(())
    }

    /// A JSON ping: everything that came before its pong, and the pong's `data`.
    pub async fn barrier(&mut self) -> Result<(Vec<Value>, Value)> {
        self.pings += 1;
        let mark = 1_000_000 + self.pings;
        self.send("ping", json!({"timestamp": mark})).await?;
        let (before, mut pong) = self
            .until("pong with the echo", |it| {
                it["type"] == "pong" && it["data"]["echo"] == mark
            })
            .await?;
        Ok((before, pong["data"].take()))
    }

    /// Pings until the stream has reached `seq`; everything that came up to then.
    pub async fn reach(&mut self, seq: u64) -> Result<Vec<Value>> {
        let deadline = tokio::time::Instant::now() + MESSAGE_DEADLINE;
        let mut seen = Vec::new();
        loop {
            let (before, pong) = self.barrier().await?;
            seen.extend(before);
            if pong["seq"].as_u64().is_some_and(|top| top >= seq) {
                return Ok(seen);
            }
            ensure!(
                tokio::time::Instant::now() < deadline,
                "expected the stream to reach seq {seq}, its pong says {pong}"
            );
        }
    }

    /// The position that a pong reports now.
    pub async fn position(&mut self) -> Result<u64> {
        let (_, pong) = self.barrier().await?;
        pong["seq"]
            .as_u64()
            .with_context(|| format!("expected seq in the pong, got {pong}"))
    }

    /// The bare text `ping`, and the `data` of the first pong without echo.
    pub async fn heartbeat(&mut self) -> Result<Value> {
        self.send_text("ping").await?;
        let (_, mut pong) = self
            .until("bare pong", |it| {
                it["type"] == "pong" && it["data"].get("echo").is_none()
            })
            .await?;
        Ok(pong["data"].take())
    }

    /// Reads until the server closes, and gives the close code.
    pub async fn closed(&mut self) -> Result<u16> {
        let deadline = tokio::time::Instant::now() + MESSAGE_DEADLINE;
        loop {
            match tokio::time::timeout_at(deadline, self.next_or_close()).await {
                Ok(next) => {
                    if let Err(code) = next? {
                        return Ok(code);
                    }
                }
                Err(_) => bail!("expected the server to close, it did not"),
            }
        }
    }

    /// Closes as a client that goes away does.
    pub async fn close(mut self) -> Result<()> {
        self.stream.close(None).await.context("closing")
    }

    async fn next_or_close(&mut self) -> Result<Result<Value, u16>> {
        loop {
            if let Some(message) = self.queue.pop_front() {
                return Ok(Ok(message));
            }
            match self.frame().await? {
                Frame::Text(_, messages) => self.queue.extend(messages),
                Frame::Closed(code) => return Ok(Err(code)),
                Frame::Broke(Error::ConnectionClosed) => return Ok(Err(1006)),
                Frame::Broke(error) => return Err(error).context("the socket broke"),
            }
        }
    }

    /// The next frame as it came. May be dropped while it waits.
    pub async fn frame(&mut self) -> Result<Frame> {
        loop {
            let frame = tokio::time::timeout(MESSAGE_DEADLINE, self.stream.next())
                .await
                .with_context(|| format!("nothing came for {MESSAGE_DEADLINE:?}"))?;
            match frame {
                Some(Ok(Message::Text(text))) => {
                    let messages = self.unfold(text.as_str())?;
                    return Ok(Frame::Text(text, messages));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(bytes))) => {
                    bail!("expected text frames, got {} bytes of binary", bytes.len())
                }
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map_or(1005, |frame| frame.code.into());
                    return Ok(Frame::Closed(code));
                }
                Some(Err(error)) => return Ok(Frame::Broke(error)),
                None => return Ok(Frame::Broke(Error::ConnectionClosed)),
            }
        }
    }

    fn unfold(&mut self, text: &str) -> Result<Vec<Value>> {
        let value: Value =
            serde_json::from_str(text).with_context(|| format!("expected JSON, got {text:?}"))?;
        let messages = match value {
            Value::Array(messages) => {
                ensure!(
                    self.batches,
                    "expected one object per frame without signalroom.v1, got {text}"
                );
                messages
            }
            other => vec![other],
        };
        for message in &messages {
            self.check(message)?;
        }
        Ok(messages)
    }

    /// What holds for every message.
    fn check(&mut self, message: &Value) -> Result<()> {
        let kind = message["type"].as_str().unwrap_or_default();
        ensure!(
            !kind.is_empty() && message["data"].is_object(),
            "expected an envelope of type and data, got {message}"
        );
        if kind != "pong" {
            crate::check::time("timestamp of a message", &message["timestamp"])
                .with_context(|| message.to_string())?;
        }
        match kind {
            "welcome" => self.welcome = message["data"]["seq"].as_u64(),
            // It stands for all up to then; a position that was ahead of the log is void.
            "snapshot" => self.seq = self.welcome,
            "resumed" if message["data"]["recovered"] == true => {
                self.seq = self.seq.max(self.welcome);
            }
            _ => {}
        }
        let logged = matches!(kind, "new_signal" | "approval_notification");
        match message.get("seq") {
            Some(seq) => {
                let seq = seq.as_u64().with_context(|| format!("seq of {message}"))?;
                ensure!(
                    self.seq.is_none_or(|last| seq > last),
                    "expected seq to grow past {:?}, got {message}",
                    self.seq
                );
                self.seq = Some(seq);
            }
            None => ensure!(!logged, "expected a seq, got {message}"),
        }
        Ok(())
    }
}

fn waiting(what: &str, before: &[Value]) -> String {
    let kinds: Vec<String> = before
        .iter()
        .map(|it| {
            format!(
                "{} {}",
                it["type"].as_str().unwrap_or("?"),
                it["data"]["symbol"]
            )
        })
        .collect();
    format!("waiting for {what} (came: {kinds:?})")
}

/// Of `messages`, those of this type about this symbol.
pub fn about<'a>(messages: &'a [Value], kind: &str, symbol: &str) -> Vec<&'a Value> {
    messages
        .iter()
        .filter(|it| it["type"] == kind && it["data"]["symbol"] == symbol)
        .collect()
}
