//! REST without I/O: a request goes in, and what to do next comes out.
//!
//! Routing, authentication, limits, rooms to ask and the shape of every answer are decided here,
//! once for both runtimes. An adapter loops: it reads a body, asks rooms, and hands the outcome
//! to the continuation until there is a [`Response`], a socket to accept or a file to serve.

mod audit;
mod bounds;
mod epochs;
mod export;
mod gate;
mod identity;
mod jobs;
pub mod openapi;
mod origin;
mod params;
pub mod problem;
mod reads;
mod revoke;
mod routes;
mod runs;
mod sockets;
mod symbols;
mod tickets;
mod timing;
mod writes;

use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::auth::{Claims, Need};
use crate::config::{Config, ConfigError};
use crate::rate::Empty;
use crate::room::call::{Call, CallError, Caller, Reply};
use crate::room::name::RoomName;
use crate::room::socket::Hello;
use crate::symbol::{InvalidSymbol, Symbol};
use crate::text::plain;
use crate::time::Millis;
pub use bounds::{busy, late};
pub use jobs::{Job, Line, Step};
use origin::{Origin, Reader};
use params::Params;
use problem::{Problem, Slug};
use routes::{Action, Found, Route};
pub use timing::Timing;

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
    /// The client's IP address, as far as the runtime knows it.
    pub peer: Option<String>,
    /// Random, 32 hexadecimal digits: what is handed out once and must not be guessed.
    pub nonce: String,
    /// Whether it came over TLS.
    pub secure: bool,
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
    /// Do these jobs, at most [`FAN_OUT`] at a time.
    Work {
        /// What.
        jobs: Vec<Job>,
        /// Goes on with what became of them, in any order.
        then: Box<dyn FnOnce(Vec<Line>, Millis) -> Next + Send>,
    },
    /// Do what [`Verifier::wants`](crate::auth::Verifier::wants) says of this token until it wants
    /// nothing.
    Keys {
        /// What the request is to be judged by. Never to be logged.
        token: String,
        /// Goes on with the keys that are there then.
        then: Box<dyn FnOnce(Millis) -> Next + Send>,
    },
    /// Count a request of a user, or of an address, who may make
    /// [`Config::reads`](crate::config::Config) in a minute.
    Limit {
        /// Whose.
        key: String,
        /// Goes on, if it was one too many with how long to wait.
        then: Box<dyn FnOnce(Result<(), Empty>, Millis) -> Next + Send>,
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

/// Characters of a `User-Agent` that are kept on record.
const MAX_AGENT_CHARS: usize = 200;

/// Rooms asked at the same time (a Worker has six outgoing connections).
pub const FAN_OUT: usize = 6;

/// Takes a request.
pub fn begin(config: &Arc<Config>, request: Request, now: Millis) -> Next {
    let reader = origin::judge(config, &request);
    if let Err(problem) = bounds::judge(&request) {
        return origin::open_to(problem.into(), reader);
    }
    let next = match routes::find(&request.method, &request.path) {
        Found::Nothing if !routes::is_api(&request.path) => return Next::Static,
        Found::Nothing => Err(Problem::new(Slug::NotFound, "There is no such address.")),
        Found::Route(..) | Found::OtherMethods(_) if request.method == Method::OPTIONS => {
            let methods = routes::methods_of(&request.path);
            Ok(Next::Reply(origin::preflight(&request, &reader, &methods)))
        }
        Found::OtherMethods(methods) => Err(other_methods(&methods)),
        Found::Route(route, parameter) => {
            let token =
                identity::lacking_keys(&config.verifier, &request, route, &reader.origin, now);
            let (config, of) = (Arc::clone(config), reader.clone());
            let admit = move |now| admitted(&config, request, route, parameter, &of, now);
            match token {
                Some(token) => Ok(Next::Keys {
                    token,
                    then: Box::new(move |now| admit(now).unwrap_or_else(Next::from)),
                }),
                None => admit(now),
            }
        }
    };
    origin::open_to(next.unwrap_or_else(Next::from), reader)
}

/// A scheduled run: `cron` is the expression that fired, `nonce` random, hexadecimal.
pub fn run(config: &Arc<Config>, cron: &str, nonce: &str, now: Millis) -> Next {
    let purpose = runs::Purpose {
        cron: cron.to_owned(),
        ..runs::Purpose::default()
    };
    runs::run(config, purpose, nonce, now)
}

/// Answers every route of a deployment that lacks something.
pub fn misconfigured(error: &ConfigError) -> Response {
    Problem::new(Slug::Misconfigured, error.to_string()).into()
}

fn admitted(
    config: &Arc<Config>,
    request: Request,
    route: &'static Route,
    parameter: Option<String>,
    reader: &Reader,
    now: Millis,
) -> Result<Next, Problem> {
    let socket = route.is_socket();
    if socket && reader.origin == Origin::Foreign {
        return Err(origin::refused());
    }
    let params = Params::new(&request.query);
    let token = identity::token(&request.headers, socket.then_some(&params), &reader.origin);
    let ticket = socket && token.is_none() && params.text("ticket").is_some();
    let claims = match route.need {
        Need::Nothing => None,
        // Whose it is, the feed knows; sockets take any role.
        _ if ticket => None,
        need @ (Need::Read | Need::Decide | Need::Feed | Need::Administer) => {
            let claims = identity::judge(&config.verifier, token, now)?;
            // A request may come a little late; a socket would be closed as soon as it is open.
            if socket && claims.expires_at <= now {
                return Err(Problem::invalid_token());
            }
            if !claims.role.may(need) {
                let role = claims.role.as_str();
                let detail = format!("The role {role} does not suffice for this.");
                return Err(Problem::new(Slug::Forbidden, detail));
            }
            Some(claims)
        }
    };
    let symbol = match &parameter {
        Some(text) if route.path.contains("{symbol}") => Some(
            text.parse()
                .map_err(|error: InvalidSymbol| Problem::invalid("/symbol", format!("{error}.")))?,
        ),
        Some(_) | None => None,
    };
    let asked = Asked {
        config: Arc::clone(config),
        request,
        params,
        claims,
        symbol,
        parameter,
    };
    if ticket {
        return tickets::redeem(asked);
    }
    gate::pass(route, asked, now)
}

/// Does what was asked by somebody who may.
fn act(action: Action, asked: Asked, now: Millis) -> Result<Next, Problem> {
    match action {
        Action::Health => Ok(Next::Reply(Response::json(
            200,
            &serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }),
        ))),
        Action::OpenApi => Ok(Next::Reply(openapi::response())),
        Action::Planned => Err(Problem::new(
            Slug::NotImplemented,
            "This version does not have it yet.",
        )),
        Action::Signals => reads::signals(&asked),
        Action::Signal => reads::signal(asked, now),
        Action::History => reads::history(asked, now),
        Action::Top => reads::top(&asked),
        Action::SymbolApprovals | Action::Approvals => reads::approvals(asked),
        Action::Bars => reads::bars(asked),
        Action::City => Ok(reads::city()),
        Action::Approve => writes::approve(asked),
        Action::PutBars => writes::put_bars(asked),
        Action::Run => Ok(runs::start(asked)),
        Action::Runs => runs::list(&asked),
        Action::Symbols => symbols::list(&asked),
        Action::SetSymbols => Ok(symbols::set(asked)),
        Action::ResetSymbols => symbols::reset(&asked),
        Action::AddSymbol => symbols::add(&asked),
        Action::RemoveSymbol => symbols::remove(&asked),
        Action::BarRevisions => symbols::revisions(asked),
        Action::Market => Ok(symbols::market(now)),
        Action::Renew => epochs::renew(asked),
        Action::Audit => audit::list(&asked),
        Action::VerifyAudit => audit::verify(&asked),
        Action::Revoke => revoke::revoke(asked),
        Action::Ticket => tickets::issue(asked),
        Action::LocalRun => runs::local(&asked, now),
        Action::Socket | Action::SymbolSocket => sockets::upgrade(asked),
    }
}

/// An authenticated request on its way to a handler.
#[derive(Debug)]
struct Asked {
    config: Arc<Config>,
    request: Request,
    params: Params,
    claims: Option<Claims>,
    symbol: Option<Symbol>,
    /// The text of the path's `{…}` segment.
    parameter: Option<String>,
}

impl Asked {
    /// Who asks, for the record.
    fn caller(&self) -> Result<Caller, Problem> {
        let claims = self.claims.as_ref().ok_or_else(Problem::unauthorized)?;
        // What is no text is kept as far as it is: it tells of who asks all the same.
        let agent = self.request.headers.get("user-agent");
        let agent = agent.map(|agent| plain(&String::from_utf8_lossy(agent.as_bytes())));
        Ok(Caller {
            sub: claims.sub.clone(),
            role: claims.role,
            ip: self.request.peer.clone(),
            user_agent: agent.map(|agent| agent.chars().take(MAX_AGENT_CHARS).collect()),
        })
    }

    fn watched(&self) -> bool {
        self.symbol
            .as_ref()
            .is_some_and(|symbol| self.config.watchlist.contains(symbol))
    }

    /// The room of the path's symbol, or the feed on a path without one.
    fn room(&self) -> RoomName {
        self.symbol.clone().map_or(RoomName::Feed, RoomName::Symbol)
    }

    /// Asks one room; `render` makes the answer of its reply.
    fn ask(
        self,
        call: Call,
        render: impl FnOnce(Reply) -> Result<Response, Problem> + Send + 'static,
    ) -> Next {
        let (symbol, watched) = (self.symbol.clone(), self.watched());
        ask(self.room(), call, move |reply| {
            render(reply.map_err(|error| failed(error, symbol.as_ref(), watched))?)
        })
    }
}

/// Asks one room and answers with what `render` makes of it.
fn ask(
    room: RoomName,
    call: Call,
    render: impl FnOnce(Result<Reply, CallError>) -> Result<Response, Problem> + Send + 'static,
) -> Next {
    Next::Call {
        calls: vec![(room, call)],
        then: Box::new(move |mut replies, _| {
            let reply = replies.pop().unwrap_or_else(|| Err(lost()));
            render(reply).map_or_else(Next::from, Next::Reply)
        }),
    }
}

/// A room's failure, for the client.
fn failed(error: CallError, symbol: Option<&Symbol>, watched: bool) -> Problem {
    match error {
        CallError::Reject(reject) => Problem::rejected(reject, symbol, watched),
        CallError::Fault { id } => Problem::internal(&id),
    }
}

/// A reply of another call than the one made: the adapter mixed them up.
fn lost() -> CallError {
    CallError::Fault {
        id: "no-reply".to_owned(),
    }
}

fn mixed_up() -> Problem {
    failed(lost(), None, false)
}

fn other_methods(methods: &[&Method]) -> Problem {
    let allowed: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
    let allowed = allowed.join(", ");
    Problem::new(
        Slug::MethodNotAllowed,
        format!("This address takes {allowed}."),
    )
    .header("allow", allowed)
}

impl Response {
    /// A JSON answer.
    fn json(status: u16, value: &impl serde::Serialize) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: serde_json::to_string(value)
                .expect("plain data with string keys always serialises"),
        }
    }
}

impl From<Problem> for Next {
    fn from(problem: Problem) -> Self {
        Self::Reply(problem.into())
    }
}
