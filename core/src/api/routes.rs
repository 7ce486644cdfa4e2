//! The table of routes: what there is, who may ask, and what is not there yet. Routing and the
//! API's description both read it.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::auth::Need;

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Liveness.
    Health,
    /// The API's description.
    OpenApi,
    /// Latest signal per symbol.
    Signals,
    /// One symbol's latest signal.
    Signal,
    /// One symbol's revisions.
    History,
    /// The best by combined trust.
    Top,
    /// Decide.
    Approve,
    /// One symbol's decisions.
    SymbolApprovals,
    /// Everybody's decisions.
    Approvals,
    /// Send bars.
    PutBars,
    /// Read bars.
    Bars,
    /// The city state.
    City,
    /// A scheduled run now.
    Run,
    /// Past runs.
    Runs,
    /// What is known of symbols' data.
    Symbols,
    /// Another watchlist.
    SetSymbols,
    /// The configured watchlist again.
    ResetSymbols,
    /// One more symbol on the watchlist.
    AddSymbol,
    /// One less.
    RemoveSymbol,
    /// What providers changed of a symbol's bars.
    BarRevisions,
    /// The market's mood.
    Market,
    /// New epochs, after a backup was restored.
    Renew,
    /// The rooms' records.
    Audit,
    /// Whether they are whole.
    VerifyAudit,
    /// A single-use socket ticket.
    Ticket,
    /// Shuts a user out.
    Revoke,
    /// A scheduled run now, without a token, on local runtimes.
    LocalRun,
    /// The feed's socket.
    Socket,
    /// A symbol room's socket.
    SymbolSocket,
    /// Answers 501.
    Planned,
}

/// A row of the table.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path; `{…}` stands for one segment.
    pub path: &'static str,
    /// What it takes to ask.
    pub need: Need,
    /// What it does.
    pub action: Action,
    /// One line for people.
    #[cfg_attr(
        not(feature = "openapi"),
        expect(dead_code, reason = "only the description, made beforehand, shows it")
    )]
    pub summary: &'static str,
}

impl Route {
    /// Whether it opens a WebSocket.
    pub fn is_socket(&self) -> bool {
        matches!(self.action, Action::Socket | Action::SymbolSocket)
    }
}

const fn route(
    method: Method,
    path: &'static str,
    need: Need,
    action: Action,
    summary: &'static str,
) -> Route {
    Route {
        method,
        path,
        need,
        action,
        summary,
    }
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const DELETE: Method = Method::DELETE;

/// Every route of the API, sockets and health included.
pub static ROUTES: &[Route] = &[
    route(
        GET,
        "/healthz",
        Need::Nothing,
        Action::Health,
        "Whether the service answers",
    ),
    route(
        GET,
        "/openapi.json",
        Need::Nothing,
        Action::OpenApi,
        "This description",
    ),
    route(
        GET,
        "/api/v1/healthz",
        Need::Nothing,
        Action::Health,
        "Whether the service answers",
    ),
    route(
        GET,
        "/api/v1/openapi.json",
        Need::Nothing,
        Action::OpenApi,
        "This description",
    ),
    route(
        GET,
        "/api/v1/signals",
        Need::Read,
        Action::Signals,
        "Latest signal per symbol, the newest event first",
    ),
    route(
        GET,
        "/api/v1/signals/{symbol}",
        Need::Read,
        Action::Signal,
        "The latest signal of a symbol, with reasons",
    ),
    route(
        GET,
        "/api/v1/signals/{symbol}/history",
        Need::Read,
        Action::History,
        "All revisions of a symbol's signal, newest first, with reasons",
    ),
    route(
        GET,
        "/api/v1/scan/top",
        Need::Read,
        Action::Top,
        "The best by combined trust",
    ),
    route(
        POST,
        "/api/v1/signals/{symbol}/approve",
        Need::Decide,
        Action::Approve,
        "Decides on a symbol's current signal",
    ),
    route(
        GET,
        "/api/v1/signals/{symbol}/approvals",
        Need::Read,
        Action::SymbolApprovals,
        "A symbol's decisions, newest first",
    ),
    route(
        GET,
        "/api/v1/approvals",
        Need::Read,
        Action::Approvals,
        "Everybody's decisions, newest first",
    ),
    route(
        PUT,
        "/api/v1/symbols/{symbol}/bars",
        Need::Feed,
        Action::PutBars,
        "Sends daily bars, in any order, idempotent by date",
    ),
    route(
        GET,
        "/api/v1/symbols/{symbol}/bars",
        Need::Read,
        Action::Bars,
        "The daily bars held, ascending",
    ),
    route(
        GET,
        "/api/v1/city",
        Need::Read,
        Action::City,
        "The city state",
    ),
    route(
        POST,
        "/api/v1/runs",
        Need::Feed,
        Action::Run,
        "A scheduled run now",
    ),
    route(
        POST,
        "/api/v1/epochs",
        Need::Administer,
        Action::Renew,
        "Begins new epochs, after a backup was restored",
    ),
    route(
        GET,
        "/cdn-cgi/handler/scheduled",
        Need::Nothing,
        Action::LocalRun,
        "Fires cron; local runtimes only",
    ),
    route(
        POST,
        "/cdn-cgi/handler/scheduled",
        Need::Nothing,
        Action::LocalRun,
        "Fires cron; local runtimes only",
    ),
    route(
        GET,
        "/ws",
        Need::Read,
        Action::Socket,
        "WebSocket for many symbols",
    ),
    route(
        GET,
        "/ws/{symbol}",
        Need::Read,
        Action::SymbolSocket,
        "WebSocket of one symbol",
    ),
    route(
        POST,
        "/api/v1/ws/ticket",
        Need::Read,
        Action::Ticket,
        "A single-use socket ticket",
    ),
    route(
        GET,
        "/api/v1/ws/stats",
        Need::Administer,
        Action::Planned,
        "Connections and queues",
    ),
    route(
        GET,
        "/api/v1/audit",
        Need::Administer,
        Action::Audit,
        "Who did what, hash-chained",
    ),
    route(
        GET,
        "/api/v1/audit/verify",
        Need::Administer,
        Action::VerifyAudit,
        "Whether the audit log is whole",
    ),
    route(
        GET,
        "/api/v1/approvals/stats",
        Need::Read,
        Action::Planned,
        "Statistics",
    ),
    route(GET, "/api/v1/alerts", Need::Read, Action::Planned, "Alerts"),
    route(
        GET,
        "/api/v1/portfolio",
        Need::Read,
        Action::Planned,
        "Paper portfolio",
    ),
    route(
        GET,
        "/api/v1/market/fear-greed",
        Need::Read,
        Action::Market,
        "The market's mood: Fear & Greed",
    ),
    route(
        GET,
        "/api/v1/symbols",
        Need::Read,
        Action::Symbols,
        "The watchlist, and what is known of each symbol's data",
    ),
    route(
        PUT,
        "/api/v1/symbols",
        Need::Administer,
        Action::SetSymbols,
        "Sets the watchlist",
    ),
    route(
        DELETE,
        "/api/v1/symbols",
        Need::Administer,
        Action::ResetSymbols,
        "Returns to the configured watchlist",
    ),
    route(
        PUT,
        "/api/v1/symbols/{symbol}",
        Need::Administer,
        Action::AddSymbol,
        "Puts a symbol on the watchlist",
    ),
    route(
        DELETE,
        "/api/v1/symbols/{symbol}",
        Need::Administer,
        Action::RemoveSymbol,
        "Takes a symbol off the watchlist; its data stay",
    ),
    route(
        GET,
        "/api/v1/symbols/{symbol}/revisions",
        Need::Read,
        Action::BarRevisions,
        "What providers changed of bars that were held, newest first",
    ),
    route(
        GET,
        "/api/v1/runs",
        Need::Read,
        Action::Runs,
        "Past runs, newest first",
    ),
    route(
        POST,
        "/api/v1/users/{sub}/revoke",
        Need::Administer,
        Action::Revoke,
        "Refuses everything issued to a user until now",
    ),
];

/// What a path and method lead to.
#[derive(Debug)]
pub enum Found {
    /// A route, with the text of its `{…}` segment.
    Route(&'static Route, Option<String>),
    /// The path exists with these methods.
    OtherMethods(Vec<&'static Method>),
    /// No path of the API; perhaps a file.
    Nothing,
}

/// Looks up a path. `HEAD` is answered as `GET`.
pub fn find(method: &Method, path: &str) -> Found {
    let wanted = if *method == Method::HEAD {
        &GET
    } else {
        method
    };
    let mut others = Vec::new();
    for route in ROUTES {
        let Some(parameter) = matches(route.path, path) else {
            continue;
        };
        if route.method == *wanted {
            return Found::Route(route, parameter);
        }
        others.push(&route.method);
    }
    if others.is_empty() {
        Found::Nothing
    } else {
        Found::OtherMethods(others)
    }
}

/// The methods a path takes.
pub fn methods_of(path: &str) -> Vec<&'static Method> {
    let of_path = ROUTES
        .iter()
        .filter(|route| matches(route.path, path).is_some());
    of_path.map(|route| &route.method).collect()
}

/// Matches segment by segment; returns the decoded text of the `{…}` segment.
fn matches(pattern: &str, path: &str) -> Option<Option<String>> {
    let mut parameter = None;
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        if expected.starts_with('{') {
            parameter = Some(percent_decode_str(segment).decode_utf8_lossy().into_owned());
        } else if expected != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(parameter)
}

/// Whether a path is the API's even where no route matches: it must never be answered by a page.
pub fn is_api(path: &str) -> bool {
    ["/api/", "/ws/", "/cdn-cgi/"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
        || path == "/api"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_routes_and_their_parameter() {
        let Found::Route(route, Some(symbol)) = find(&GET, "/api/v1/signals/%5EGSPC") else {
            panic!("not found");
        };
        assert_eq!((route.action, symbol.as_str()), (Action::Signal, "^GSPC"));
        assert!(matches!(find(&Method::HEAD, "/healthz"), Found::Route(..)));
        assert!(matches!(
            find(&Method::DELETE, "/api/v1/city"),
            Found::OtherMethods(_)
        ));
        for path in [
            "/",
            "/api/v1/signals/",
            "/api/v1/signals/A/b/c",
            "/api/v2/signals",
        ] {
            let found = find(&GET, path);
            let empty_symbol = matches!(&found, Found::Route(_, Some(text)) if text.is_empty());
            assert!(matches!(found, Found::Nothing) || empty_symbol, "{path}");
        }
    }
}
