//! HTTP on one machine: hyper outside, the core's `Next` loop inside.
//!
//! What is answered is the core's decision. Headers and queries are never logged: they carry
//! tokens.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use signalroom_core::api;
use signalroom_core::config::Config;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::clock;
use crate::drive::{self, Outcome};
use crate::page::Page;
use crate::phase::{Phase, Phases};
use crate::random;
use crate::room::{self, Accepted, Registry};
use crate::upload::Upload;

/// Largest request line and headers, bytes.
const MAX_HEAD: usize = 64 * 1024;
/// How long a client may take to send its headers, and keep a connection without a request.
const HEAD_DEADLINE: Duration = Duration::from_secs(60);
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
}

/// Marks answers about generated data.
pub const DATA_HEADER: &str = "x-signalroom-data";

/// Accepts connections until the server stops.
pub(crate) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    alive: tokio::sync::mpsc::Sender<()>,
) {
    let mut phases = shared.phases.clone();
    loop {
        let accepted = tokio::select! {
            () = phases.reached(Phase::Draining) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (shared, alive) = (Arc::clone(&shared), alive.clone());
                tokio::spawn(async move {
                    connection(stream, peer, shared, alive.clone()).await;
                    drop(alive);
                });
            }
            // Out of descriptors, or a connection that was gone at once: the next may work.
            Err(error) => {
                tracing::warn!(%error, "accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    alive: tokio::sync::mpsc::Sender<()>,
) {
    // Frames are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let mut phases = shared.phases.clone();
    let service = service_fn(|request| {
        let (shared, alive) = (Arc::clone(&shared), alive.clone());
        async move {
            let generated = shared.generated;
            let mut answer = answer(request, peer, shared, alive).await;
            if generated {
                let mark = HeaderValue::from_static("generated");
                answer.headers_mut().insert(DATA_HEADER, mark);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // Errors are the client's going away or not speaking HTTP: nothing to act on.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = phases.reached(Phase::Draining) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = timeout(DRAIN_DEADLINE, connection) => {}
        () = phases.reached(Phase::Stopped) => {}
    }
}

async fn answer(
    mut request: Request<Incoming>,
    peer: SocketAddr,
    shared: Arc<Shared>,
    alive: tokio::sync::mpsc::Sender<()>,
) -> Response<Full<Bytes>> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, incoming) = request.into_parts();
    let asked = api::Request {
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.clone(),
        peer: Some(peer.ip().to_string()),
        nonce: random::hex::<16>(),
        local: peer.ip().is_loopback(),
    };
    let next = api::begin(&shared.config, asked, clock::now());
    let upload = Upload::Wire {
        incoming,
        expects: head.headers.contains_key(header::EXPECT),
    };
    match drive::drive(next, &shared.registry, upload).await {
        Outcome::Reply(reply) => response(reply),
        Outcome::Static => {
            let path = head.uri.path();
            shared.page.serve(&head.method, path, &head.headers)
        }
        Outcome::Abandoned => plain(StatusCode::BAD_REQUEST, "the body did not arrive\n"),
        Outcome::Upgrade {
            room,
            hello,
            protocol,
        } => {
            let Some(switch) = switching(&head.headers, protocol) else {
                return plain(StatusCode::BAD_REQUEST, "not a WebSocket handshake\n");
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

/// The answer that turns the connection into a WebSocket, if that was asked for.
fn switching(headers: &HeaderMap, protocol: Option<&'static str>) -> Option<Response<Full<Bytes>>> {
    let version = headers.get(header::SEC_WEBSOCKET_VERSION)?;
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?;
    if version != "13" {
        return None;
    }
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).ok()?;
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = protocol {
        headers.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(protocol),
        );
    }
    Some(response)
}

/// A plain-text answer.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
