//! HTTP on one machine: hyper outside, the core's `Next` loop inside.
//!
//! What is answered is the core's decision. Headers and queries are never logged: they carry
//! tokens.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use signalroom_core::api::problem::{Problem, Slug};
use signalroom_core::api::{self, Timing};
use signalroom_core::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::drive::{self, Outcome};
use crate::limits::{Limits, Slot, Slots};
use crate::pace::{Overdue, paced};
use crate::page::Page;
use crate::phase::{Phase, Phases};
use crate::room::{self, Accepted, Registry};
use crate::upload::{Unread, Upload};
use crate::{clock, handshake, random};

/// What is taken in of a request line and headers at all, bytes; the core refuses less. Beyond it
/// hyper answers 431 by itself.
const MAX_HEAD: usize = 48 * 1024;
/// How long a refused client may take to read why, and how many may do so at a time.
const GOODBYE: Duration = Duration::from_secs(1);
const GOODBYES: usize = 64;
/// How long requests under way have once the server stops.
pub(crate) const DRAIN_DEADLINE: Duration = Duration::from_secs(4);

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) phases: Phases,
    /// Whether the data are made up, which every answer then says.
    pub(crate) generated: bool,
    pub(crate) page: Page,
    pub(crate) limits: Limits,
    pub(crate) slots: Arc<Slots>,
}

/// What keeps a stopping server waiting, and others out: a connection, until all its clones are
/// dropped.
#[derive(Debug, Clone)]
struct Alive {
    _connections: mpsc::Sender<()>,
    _slot: Arc<Slot>,
}

/// Marks answers about generated data.
pub const DATA_HEADER: &str = "x-signalroom-data";

/// Accepts connections until the server stops.
pub(crate) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    connections: mpsc::Sender<()>,
) {
    let mut phases = shared.phases.clone();
    let goodbyes = Arc::new(Semaphore::new(GOODBYES));
    loop {
        let accepted = tokio::select! {
            () = phases.reached(Phase::Draining) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(slot) = shared.slots.take(peer.ip()) {
                    let alive = Alive {
                        _connections: connections.clone(),
                        _slot: Arc::new(slot),
                    };
                    tokio::spawn(connection(stream, peer, Arc::clone(&shared), alive));
                } else if let Ok(permit) = Arc::clone(&goodbyes).try_acquire_owned() {
                    tokio::spawn(async move {
                        dismiss(stream, &api::busy()).await;
                        drop(permit);
                    });
                }
            }
            // Out of descriptors, or a connection that was gone at once: the next may work.
            Err(error) => {
                tracing::warn!(%error, "accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>, alive: Alive) {
    // Frames are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let mut phases = shared.phases.clone();
    let limits = shared.limits;
    let (stream, mut pace, turns) = paced(stream);
    let service = service_fn(|request| {
        let (shared, alive, turn) = (Arc::clone(&shared), alive.clone(), turns.begin());
        async move {
            let generated = shared.generated;
            let mut answer = answer(request, peer, shared, alive).await;
            if generated {
                let mark = HeaderValue::from_static("generated");
                answer.headers_mut().insert(DATA_HEADER, mark);
            }
            drop(turn);
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Deadlines are kept here, where it is known what has come.
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // Errors are the client's going away or not speaking HTTP: nothing to act on.
    let overdue = tokio::select! {
        _ = &mut connection => return,
        overdue = pace.overdue(limits.head, limits.idle) => Some(overdue),
        () = phases.reached(Phase::Draining) => None,
    };
    match overdue {
        Some(Overdue::Opening) => {
            if let Some(parts) = connection.into_parts() {
                dismiss(parts.io.into_inner().into_inner(), &api::late()).await;
            }
        }
        Some(Overdue::Otherwise) => {}
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            tokio::select! {
                _ = timeout(DRAIN_DEADLINE, connection) => {}
                () = phases.reached(Phase::Stopped) => {}
            }
        }
    }
}

/// Tells a client why it is let go. It is heard out, else the kernel would discard the answer.
async fn dismiss(mut stream: TcpStream, why: &api::Response) {
    let answer = written(why);
    let goodbye = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<(), io::Error>(())
    };
    // A client that is gone, or does not listen, needs no answer.
    let _ = timeout(GOODBYE, goodbye).await;
}

/// An answer as it travels, for a connection that hyper does not serve.
fn written(reply: &api::Response) -> String {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut text = format!("HTTP/1.1 {status}\r\n");
    for (name, value) in &reply.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let bytes = reply.body.len();
    text.push_str(&format!(
        "content-length: {bytes}\r\nconnection: close\r\n\r\n"
    ));
    text + &reply.body
}

async fn answer(
    mut request: Request<Incoming>,
    peer: SocketAddr,
    shared: Arc<Shared>,
    alive: Alive,
) -> Response<Full<Bytes>> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, incoming) = request.into_parts();
    if let Err(problem) = handshake::judge(&head) {
        // Whoever disagrees with us about a request may disagree about where it ends.
        return closing(problem.into());
    }
    let asked = api::Request {
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.clone(),
        peer: Some(peer.ip().to_string()),
        nonce: random::hex::<16>(),
        secure: false,
        local: peer.ip().is_loopback(),
    };
    let timing = Timing::start(clock::ticks());
    let next = api::begin(&shared.config, asked, clock::now());
    let upload = Upload::Wire {
        incoming,
        expects: head.headers.contains_key(header::EXPECT),
        limits: shared.limits,
    };
    match drive::drive(next, &shared.registry, upload, timing).await {
        Outcome::Reply(reply) => response(reply),
        Outcome::Static => {
            let path = head.uri.path();
            shared.page.serve(&head.method, path, &head.headers)
        }
        Outcome::Abandoned(Unread::Late) => closing(api::late()),
        Outcome::Abandoned(Unread::Broken) => {
            let problem = Problem::new(Slug::Invalid, "The body did not arrive as announced.");
            closing(problem.status(400).into())
        }
        Outcome::Upgrade {
            room,
            hello,
            protocol,
        } => {
            let switch = match handshake::switching(&head, protocol) {
                Ok(switch) => switch,
                Err(problem) => return response(problem.into()),
            };
            tokio::spawn(async move {
                // An error is a client that went away between request and upgrade.
                if let Ok(io) = upgrade.await {
                    let registry = Arc::clone(&shared.registry);
                    drop(shared);
                    room::serve(io, Accepted { room, hello }, registry).await;
                }
                drop(alive);
            });
            switch
        }
    }
}

/// An answer after which the connection ends.
fn closing(reply: api::Response) -> Response<Full<Bytes>> {
    let mut response = response(reply);
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

fn response(reply: api::Response) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        match HeaderValue::try_from(value) {
            Ok(value) => {
                response.headers_mut().append(name, value);
            }
            Err(_) => tracing::error!(name, "a header's value cannot be sent"),
        }
    }
    response
}

/// A plain-text answer.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
