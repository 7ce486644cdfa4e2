//! `signalroom tail`: what happens, line by line, across reconnects.

mod session;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use futures_util::{SinkExt, StreamExt};
use reqwest::Url;
use serde_json::Value;
use serde_json::value::RawValue;
use signalroom_core::auth::Role;
use signalroom_core::symbol::Symbol;
use signalroom_core::wire::limits;
use signalroom_harness::random;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use self::session::{Session, Todo};
use super::client::{Client, Remote};
use super::say;

/// How long a connect may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(15);
/// How long a JSON ping may stay without an answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// A connection that lived this long was well: the backoff starts anew.
const WELL: Duration = Duration::from_secs(10);
/// A wait longer than any connection's life.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Whom to follow.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// Symbols to follow; all without any
    symbols: Vec<Symbol>,
    /// Print messages as they come
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How a connection ended.
enum End {
    /// Come back.
    Lost(String),
    /// Do not come back.
    Final(String),
}

impl Tail {
    pub(crate) async fn run(self) -> Result<bool> {
        let mut session = Session::new();
        let mut attempt = None;
        loop {
            let client = self.remote.client(Role::Viewer)?;
            let end = match self.connect(&client, &session).await {
                Ok(stream) => {
                    let connected = Instant::now();
                    let end = self.follow(stream, &mut session).await?;
                    if attempt.is_none() || connected.elapsed() > WELL {
                        attempt = Some(0);
                    }
                    end
                }
                // Nobody waits for a server that was never there.
                Err(End::Lost(why)) if attempt.is_none() => bail!("{why}"),
                Err(end) => end,
            };
            match end {
                End::Final(why) => bail!("{why}"),
                End::Lost(why) => {
                    let tries = attempt.unwrap_or(0);
                    let wait = session::wait(tries, session.reconnect_window, random::fraction());
                    eprintln!("{why}; trying again in {:.1} s", wait.as_secs_f64());
                    sleep(wait).await;
                    attempt = Some(tries + 1);
                }
            }
        }
    }

    /// The socket's address, with filters and the position to resume from.
    fn address(&self, client: &Client, session: &Session) -> Result<Url> {
        let mut url = client.url(&["ws"])?;
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        if url.set_scheme(scheme).is_err() {
            bail!("{url} cannot be a WebSocket's address");
        }
        {
            let mut query = url.query_pairs_mut();
            if self.symbols.is_empty() {
                query.append_pair("topics", "city");
            } else {
                let symbols: Vec<&str> = self.symbols.iter().map(Symbol::as_str).collect();
                query.append_pair("symbols", &symbols.join(","));
            }
            if let Some(position) = &session.position {
                query.append_pair("epoch", &position.epoch);
                query.append_pair("since", &position.seq.to_string());
            }
        }
        Ok(url)
    }

    async fn connect(&self, client: &Client, session: &Session) -> Result<Stream, End> {
        let url = self
            .address(client, session)
            .map_err(|error| End::Final(error.to_string()))?;
        let server = url.origin().ascii_serialization();
        let uri = url
            .as_str()
            .parse()
            .map_err(|_| End::Final(format!("{server} is no address")))?;
        let request = ClientRequestBuilder::new(uri)
            .with_sub_protocol(limits::SUBPROTOCOL)
            .with_sub_protocol(format!("bearer.{}", client.token()));
        match timeout(CONNECT_DEADLINE, connect_async(request)).await {
            Ok(Ok((stream, _))) => Ok(stream),
            Ok(Err(Error::Http(refusal))) if refusal.status().as_u16() == 401 => {
                Err(End::Final("the token was refused".to_owned()))
            }
            Ok(Err(Error::Http(refusal))) if refusal.status().is_client_error() => Err(End::Final(
                format!("the socket was refused: {}", refusal.status()),
            )),
            Ok(Err(Error::Http(refusal))) => {
                Err(End::Lost(format!("{server} answered {}", refusal.status())))
            }
            Ok(Err(error)) => Err(End::Lost(format!("cannot reach {server}: {error}"))),
            Err(_) => Err(End::Lost(format!("{server} does not answer"))),
        }
    }

    /// Prints what comes until the connection ends.
    async fn follow(&self, mut stream: Stream, session: &mut Session) -> Result<End> {
        let now = Instant::now();
        let mut ping_at = now + session.ping_interval;
        let mut heard_at = now;
        let mut answer_by = now + NEVER;
        loop {
            let silent_at = heard_at + 2 * session.ping_interval + ANSWER_DEADLINE;
            let heard = tokio::select! {
                heard = stream.next() => heard,
                () = sleep_until(ping_at) => {
                    ping_at = Instant::now() + session.ping_interval;
                    // A failure shows at the next read.
                    let _ = stream.send(Message::text(limits::PING)).await;
                    continue;
                }
                () = sleep_until(silent_at.min(answer_by)) => {
                    return Ok(End::Lost("the server has fallen silent".to_owned()));
                }
            };
            heard_at = Instant::now();
            let text = match heard {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(Some(frame)))) => {
                    let code = u16::from(frame.code);
                    let why = format!("closed by the server: {code} {}", frame.reason);
                    let is_final = session::is_final(code);
                    return Ok(if is_final {
                        End::Final(why)
                    } else {
                        End::Lost(why)
                    });
                }
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return Ok(End::Lost("the connection broke".to_owned())),
            };
            for raw in messages(&text)? {
                let message = serde_json::from_str(raw.get())?;
                self.print(raw.get(), &message)?;
                match session.hear(&message) {
                    Todo::Nothing => {}
                    Todo::Answered => answer_by = heard_at + NEVER,
                    Todo::Reconnect => {
                        return Ok(End::Lost("the server has another log".to_owned()));
                    }
                    Todo::Ask => {
                        answer_by = answer_by.min(heard_at + ANSWER_DEADLINE);
                        let _ = stream
                            .send(Message::text(r#"{"type":"ping","data":{}}"#))
                            .await;
                    }
                }
            }
        }
    }

    fn print(&self, raw: &str, message: &Value) -> Result<()> {
        if self.json {
            return say(format_args!("{raw}"));
        }
        session::lines(message)
            .iter()
            .try_for_each(|line| say(format_args!("{line}")))
    }
}

/// The messages of a frame: one, or several as an array.
fn messages(text: &str) -> Result<Vec<Box<RawValue>>> {
    let messages = if text.starts_with('[') {
        serde_json::from_str(text)
    } else {
        serde_json::from_str(text).map(|one| vec![one])
    };
    messages.context("the server does not speak JSON")
}
