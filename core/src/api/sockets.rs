//! WebSocket requests: who may open one, and what it follows from the start.

use http::HeaderMap;

use super::identity::bearer;
use super::origin::header;
use super::params::Params;
use super::problem::{Problem, Slug};
use super::{Asked, Next};
use crate::room::socket::{Hello, ResumeFrom};
use crate::symbol::Symbol;
use crate::wire::limits::{MAX_SUBSCRIPTIONS, SUBPROTOCOL};

/// Marks the subprotocol entry that carries the token: a browser can set no header.
const BEARER: &str = "bearer.";

fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all("sec-websocket-protocol")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// The token of a socket request: subprotocol, header, or `?token=` for tools.
pub(super) fn token<'a>(headers: &'a HeaderMap, params: &'a Params) -> Option<&'a str> {
    offered(headers)
        .find_map(|protocol| protocol.strip_prefix(BEARER))
        .or_else(|| bearer(headers))
        .or_else(|| params.text("token"))
}

pub(super) fn upgrade(asked: Asked) -> Result<Next, Problem> {
    let headers = &asked.request.headers;
    if !header(headers, "upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        let problem = Problem::new(Slug::Invalid, "This address speaks WebSocket.");
        return Err(problem.status(426).header("upgrade", "websocket"));
    }
    let claims = asked.claims.as_ref().ok_or_else(Problem::unauthorized)?;
    let params = &asked.params;
    let symbols: Option<Vec<Symbol>> = params.list("symbols", "a comma list of symbols")?;
    if symbols
        .as_ref()
        .is_some_and(|symbols| symbols.len() > MAX_SUBSCRIPTIONS)
    {
        return Err(Problem::invalid(
            "/symbols",
            "?symbols= takes at most 500 symbols.",
        ));
    }
    let topics: Vec<String> = params
        .list("topics", "a comma list of topics")?
        .unwrap_or_default();
    let known = |topic: &String| matches!(topic.as_str(), "city" | "market");
    if !topics.iter().all(known) {
        return Err(Problem::invalid(
            "/topics",
            "?topics= is a comma list of \"city\" and \"market\".",
        ));
    }
    let follows = |topic: &str| asked.symbol.is_none() && topics.iter().any(|it| it == topic);
    let since = params.position("since", "the last seq seen")?;
    let batch = offered(headers).any(|protocol| protocol == SUBPROTOCOL);
    let hello = Hello {
        sub: claims.sub.clone(),
        role: claims.role,
        expires_at: claims.expires_at,
        issued_at: claims.issued_at,
        batch,
        // A symbol's own socket follows that symbol, whatever the query says.
        symbols: symbols.filter(|_| asked.symbol.is_none()),
        city: follows("city"),
        market: follows("market"),
        resume: since.map(|since| ResumeFrom {
            epoch: params.text("epoch").unwrap_or_default().to_owned(),
            since,
        }),
    };
    Ok(Next::Upgrade {
        room: asked.room(),
        hello: Box::new(hello),
        protocol: batch.then_some(SUBPROTOCOL),
    })
}
