//! HTTP/1.1, by hand: a server that misbehaves needs its connections for itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use signalroom_core::market::provider::Provider;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::answer::Answer;
use super::ask::{self, Target};
use super::control::Order;
use super::fault::{self, Fault};
use super::log::Asked;
use super::state::State;

pub(super) type Shared = Arc<Mutex<State>>;

/// The state, also after a panic of somebody else.
pub(super) fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

const HEAD_LIMIT: usize = 32 << 10;
const BODY_LIMIT: usize = 1 << 20;

/// Accepts for ever.
pub(super) async fn accept(listener: TcpListener, state: Shared) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            // A client that goes away, or sends no HTTP, has its answer.
            let _ = serve(stream, &state).await;
        });
    }
}

/// A request.
struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(held, _)| held == name);
        named.map(|(_, value)| value.as_str())
    }
}

/// The next request of a connection; none when the client closed it in between.
async fn read(stream: &mut BufReader<TcpStream>) -> Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) if head.is_empty() => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        ensure!(head.len() <= HEAD_LIMIT, "a head of that length");
    }
    let head = String::from_utf8(head).context("a head that is no text")?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next(), words.next());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let mut request = Request {
        method: method.unwrap_or_default().to_owned(),
        target: target.unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body: Vec::new(),
    };
    let length = match request.header("content-length") {
        Some(length) => length.parse().context("content-length")?,
        None => 0,
    };
    ensure!(length <= BODY_LIMIT, "a body of that length");
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body).await?;
    Ok(Some(request))
}

async fn serve(stream: TcpStream, state: &Shared) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        if request.target == "/control" {
            let answer = control(state, &request);
            write(&mut stream, &answer, None).await?;
            continue;
        }
        let Some(target) = ask::read(&request.target) else {
            let answer = Answer::text(404, "no provider of that name");
            write(&mut stream, &answer, None).await?;
            continue;
        };
        let flight = begin(state, &target, &request);
        match flight.fault {
            Some(Fault::Reset) => {
                // Closes with a reset in place of an end.
                stream.get_ref().set_zero_linger()?;
                return Ok(());
            }
            Some(Fault::Silent) => {
                released(&mut stream, flight.releases()).await;
                return Ok(());
            }
            Some(Fault::Slow(millis)) => tokio::time::sleep(Duration::from_millis(millis)).await,
            _ => {}
        }
        let Some(answer) = &flight.answer else {
            return Ok(());
        };
        let part = answer.body.len() * 3 / 5;
        match flight.fault {
            Some(Fault::CutOff) => {
                write(&mut stream, answer, Some(part)).await?;
                stream.shutdown().await?;
                return Ok(());
            }
            Some(Fault::Stalled) => {
                let releases = flight.releases();
                write(&mut stream, answer, Some(part)).await?;
                released(&mut stream, releases).await;
                return Ok(());
            }
            Some(Fault::Endless) => return endless(&mut stream, answer).await,
            _ => write(&mut stream, answer, None).await?,
        }
    }
    Ok(())
}

/// A request that is being answered.
struct Flight<'a> {
    state: &'a Shared,
    provider: Provider,
    fault: Option<Fault>,
    answer: Option<Answer>,
}

impl Flight<'_> {
    fn releases(&self) -> watch::Receiver<u64> {
        locked(self.state).releases.subscribe()
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        locked(self.state).log.end(self.provider);
    }
}

fn begin<'a>(state: &'a Shared, target: &Target, request: &Request) -> Flight<'a> {
    let mut held = locked(state);
    let fault = fault::take(&mut held.rules, target.provider, &target.what);
    let header = |name: &str| request.header(name).map(str::to_owned);
    let answer = match fault {
        Some(Fault::Silent | Fault::Reset) => None,
        _ if request.method != "GET" => Some(Answer::text(405, "Method Not Allowed")),
        _ => Some(held.answer(target, &request.target, fault, &header)),
    };
    let asked = Asked {
        at: held.clock(),
        provider: target.provider,
        what: target.what.clone(),
        target: request.target.clone(),
        headers: request.headers.clone(),
        status: answer.as_ref().map(|answer| answer.status),
    };
    held.log.begin(asked);
    drop(held);
    Flight {
        state,
        provider: target.provider,
        fault,
        answer,
    }
}

/// Waits until those who wait are let go, or the client goes.
async fn released(stream: &mut BufReader<TcpStream>, mut releases: watch::Receiver<u64>) {
    let mut byte = [0];
    tokio::select! {
        _ = releases.changed() => {}
        _ = stream.read(&mut byte) => {}
    }
}

/// Sends an answer that goes on with spaces, which any format allows, until nobody takes them.
async fn endless(stream: &mut BufReader<TcpStream>, answer: &Answer) -> Result<()> {
    let head = format!(
        "HTTP/1.1 {} Said\r\nconnection: close\r\n\r\n",
        answer.status
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&answer.body).await?;
    loop {
        stream.write_all(&[b' '; 64 << 10]).await?;
    }
}

/// Sends an answer, or its first `part` bytes of body under the whole one's length.
async fn write(
    stream: &mut BufReader<TcpStream>,
    answer: &Answer,
    part: Option<usize>,
) -> Result<()> {
    let mut head = format!("HTTP/1.1 {} Said\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if answer.status != 304 {
        head += &format!("content-length: {}\r\n", answer.body.len());
    }
    head += "\r\n";
    stream.write_all(head.as_bytes()).await?;
    let part = part.unwrap_or(answer.body.len());
    stream.write_all(&answer.body[..part]).await?;
    stream.flush().await?;
    Ok(())
}

/// `GET /control` tells what was asked, `POST /control` takes an order or an array of them.
fn control(state: &Shared, request: &Request) -> Answer {
    let mut held = locked(state);
    if request.method == "POST" {
        let orders = serde_json::from_slice::<Value>(&request.body).and_then(|told| match told {
            Value::Array(_) => serde_json::from_value::<Vec<Order>>(told),
            one => serde_json::from_value(one).map(|order| vec![order]),
        });
        let done = orders.context("an order").and_then(|orders| {
            let mut orders = orders.into_iter();
            orders.try_for_each(|order| held.obey(order))
        });
        if let Err(error) = done {
            let told = json!({"error": format!("{error:#}")});
            return Answer::json(422, told.to_string());
        }
    }
    let counts = held.log.counts().iter();
    let counts: Vec<_> = counts
        .map(|((provider, what), count)| json!({"provider": provider, "what": what, "requests": count}))
        .collect();
    let told = json!({"now": held.clock(), "newest": held.view().newest, "through": held.through,
        "rules": held.rules, "asked": counts, "at_once": held.log.now(),
        "at_once_most": held.log.most(None)});
    Answer::json(200, told.to_string())
}
