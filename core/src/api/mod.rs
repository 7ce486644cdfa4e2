//! REST without I/O: a request goes in, and what to do next comes out.
//!
//! Routing, authentication, limits, rooms to ask and the shape of every answer are decided here,
//! once for both runtimes. An adapter loops: it reads a body, asks rooms, and hands the outcome
//! to the continuation until there is a [`Response`], a socket to accept or a file to serve.

use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::config::Config;
use crate::room::call::{Call, CallError, Reply};
use crate::room::name::RoomName;
use crate::room::socket::Hello;
use crate::time::Millis;

/// A request, without its body.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query without `?`, still percent-encoded; empty when there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// Whether the peer is this machine and the runtime a local one: opens
    /// `/cdn-cgi/handler/scheduled`.
    pub local: bool,
}

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers, lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body, empty for none.
    pub body: String,
}

/// A request's body, as far as it was read.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Complete(Vec<u8>),
    /// More than the limit; the rest was not read.
    TooLarge,
}

/// What rooms said, in the order they were asked.
pub type Replies = Vec<Result<Reply, CallError>>;

/// What an adapter does next.
pub enum Next {
    /// Send this.
    Reply(Response),
    /// Read the body, at most `limit` bytes.
    Body {
        /// Bytes to read at most.
        limit: usize,
        /// Goes on with the body.
        then: Box<dyn FnOnce(Body, Millis) -> Next + Send>,
    },
    /// Ask these rooms, at most [`FAN_OUT`] at a time.
    Call {
        /// Whom and what.
        calls: Vec<(RoomName, Call)>,
        /// Goes on with the replies.
        then: Box<dyn FnOnce(Replies, Millis) -> Next + Send>,
    },
    /// Accept a WebSocket in this room.
    Upgrade {
        /// Who holds it.
        room: RoomName,
        /// Who it is.
        hello: Box<Hello>,
        /// The subprotocol to answer with.
        protocol: Option<&'static str>,
    },
    /// Not ours: a static file, or 404.
    Static,
}

/// Rooms asked at the same time (a Worker has six outgoing connections).
pub const FAN_OUT: usize = 6;

/// Takes a request.
pub fn begin(config: &Arc<Config>, request: Request, now: Millis) -> Next {
    let _ = (config, request, now);
    Next::Static
}

/// A scheduled run: `cron` is the expression that fired.
pub fn run(cron: &str) -> Next {
    let _ = cron;
    Next::Static
}
