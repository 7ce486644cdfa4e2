//! What changes something: decisions, bars, runs.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::problem::{Problem, Slug};
use super::{Asked, Body, Next, Response, failed, mixed_up, origin};
use crate::audit::Hash;
use crate::room::call::{BarCounts, Call, CallError, Position, Proposal, Reject, Reply, RetryKey};
use crate::room::log::json;
#[cfg(feature = "openapi")]
use crate::room::signal::SignalView;
use crate::room::signal::{Approval, SignalId};
use crate::signals::parse::{Format, Parsed, Rejected, header_line, parse_csv, parse_json};
use crate::symbol::{InvalidSymbol, Symbol};
use crate::text::{plain, without_bom};
use crate::time::Millis;
use crate::wire::depth::is_shallow;
use crate::wire::limits::{MAX_BARS_BODY, MAX_JSON_BODY, MAX_JSON_DEPTH, MAX_NOTE_CHARS};

/// Longest `Idempotency-Key`, characters.
const MAX_KEY_CHARS: usize = 255;

/// Longest `signal_id` of a decision, characters; a longer one is no signal's.
pub(super) const MAX_SIGNAL_ID_CHARS: usize = 100;

pub(super) fn complete(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    match body {
        Body::Complete(bytes) => Ok(bytes),
        Body::TooLarge => Err(Problem::new(
            Slug::TooLarge,
            format!("The body is over {} MB.", limit / (1024 * 1024)),
        )),
    }
}

/// A JSON object, or the problem with it.
pub(super) fn object(bytes: &[u8]) -> Result<serde_json::Map<String, Value>, Problem> {
    if !is_shallow(bytes) {
        let detail = format!("The body is nested over {MAX_JSON_DEPTH} levels deep.");
        return Err(Problem::invalid("", detail).status(400));
    }
    match serde_json::from_slice(without_bom(bytes)) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Problem::invalid("", "The body must be a JSON object.")),
        Err(error) => {
            Err(Problem::invalid("", format!("The body is not JSON: {error}.")).status(400))
        }
    }
}

/// The object of a body that may be absent.
pub(super) fn optional_object(bytes: &[u8]) -> Result<serde_json::Map<String, Value>, Problem> {
    if without_bom(bytes).trim_ascii().is_empty() {
        return Ok(serde_json::Map::new());
    }
    object(bytes)
}

/// A member that is a list of symbols, at most so many; none when it is absent.
pub(super) fn symbols(
    members: &serde_json::Map<String, Value>,
    max: usize,
) -> Result<Option<Vec<Symbol>>, Problem> {
    let list = match members.get("symbols") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(list)) if list.len() <= max => list,
        Some(_) => {
            let detail = format!("\"symbols\" must be a list of at most {max} symbols.");
            return Err(Problem::invalid("/symbols", detail));
        }
    };
    let symbol = |(place, item): (usize, &Value)| {
        let symbol = item.as_str().and_then(|text| text.parse().ok());
        symbol.ok_or_else(|| {
            let pointer = format!("/symbols/{place}");
            Problem::invalid(&pointer, format!("{InvalidSymbol}."))
        })
    };
    let all: Result<Vec<Symbol>, Problem> = list.iter().enumerate().map(symbol).collect();
    all.map(Some)
}

/// A text member, made plain before it is measured; null counts as absent.
pub(super) fn text(
    members: &serde_json::Map<String, Value>,
    name: &str,
    max_chars: usize,
) -> Result<Option<String>, Problem> {
    let given = match members.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => Some(plain(text)),
        Some(_) => None,
    };
    given
        .filter(|text| text.chars().count() <= max_chars)
        .map(Some)
        .ok_or_else(|| {
            Problem::invalid(
                &format!("/{name}"),
                format!("\"{name}\" must be text of at most {max_chars} characters."),
            )
        })
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct Approved {
    approval: Approval,
    /// Where the decision is in the symbol room's log.
    room: Position,
    /// A place in the feed's log that holds the decision; null when the feed did not get it
    /// within a second.
    #[cfg_attr(feature = "openapi", schema(required))]
    feed: Option<Position>,
}

pub(super) fn approve(asked: Asked) -> Result<Next, Problem> {
    let key = retry_key(&asked)?;
    Ok(Next::Body {
        limit: MAX_JSON_BODY,
        then: Box::new(move |body, _| {
            proposal(body, key, &asked).map_or_else(Next::from, |proposal| {
                let symbol = asked.symbol.clone();
                super::ask(asked.room(), Call::Approve(proposal), move |reply| {
                    let reply = reply.map_err(|error| undecided(error, symbol.as_ref()))?;
                    let Reply::Approved {
                        approval,
                        room,
                        feed,
                        ..
                    } = reply
                    else {
                        return Err(mixed_up());
                    };
                    Ok(Response::json(
                        200,
                        &Approved {
                            approval,
                            room,
                            feed,
                        },
                    ))
                })
            })
        }),
    })
}

/// There is no signal to decide on, whether or not anybody has heard of the symbol.
fn undecided(error: CallError, symbol: Option<&Symbol>) -> Problem {
    let known = error != CallError::Reject(Reject::UnknownSymbol);
    let problem = failed(error, symbol, false);
    if known {
        problem
    } else {
        problem.renamed(Slug::NoSignal)
    }
}

/// The client's key for a retry.
fn retry_key(asked: &Asked) -> Result<Option<String>, Problem> {
    let Some(value) = asked.request.headers.get("idempotency-key") else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .map(str::trim)
        .filter(|key| (1..=MAX_KEY_CHARS).contains(&key.len()))
        .map(|key| Some(key.to_owned()))
        .ok_or_else(|| {
            let detail = format!("Idempotency-Key must have 1 to {MAX_KEY_CHARS} characters.");
            Problem::invalid("", detail)
        })
}

fn proposal(body: Body, key: Option<String>, asked: &Asked) -> Result<Proposal, Problem> {
    let if_match = origin::header(&asked.request.headers, "if-match");
    let bytes = complete(body, MAX_JSON_BODY)?;
    let retry = key.map(|key| RetryKey {
        key,
        request: digest(&[if_match.unwrap_or_default().as_bytes(), &bytes]),
    });
    let members = object(&bytes)?;
    let status = members
        .get("status")
        .and_then(Value::as_str)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| {
            Problem::invalid(
                "/status",
                "\"status\" must be \"BUY\", \"NEUTRAL\" or \"RISK\".",
            )
        })?;
    let note = text(&members, "note", MAX_NOTE_CHARS)?.filter(|note| !note.is_empty());
    let signal_id = text(&members, "signal_id", MAX_SIGNAL_ID_CHARS)?;
    Ok(Proposal {
        status,
        note,
        conditions: signal_id
            .map(|id| vec![SignalId(id)])
            .into_iter()
            .chain(if_match.and_then(etag_ids))
            .collect(),
        by: asked.caller()?,
        retry,
    })
}

/// SHA-256 over these parts, each with its length before it; hexadecimal.
fn digest(parts: &[&[u8]]) -> String {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    Hash::of(&bytes).to_string()
}

/// The signal ids of an `If-Match` list of `"<id>;<status>"`; none for `*`, which any signal
/// fulfils.
fn etag_ids(header: &str) -> Option<Vec<SignalId>> {
    if header.trim() == "*" {
        return None;
    }
    let id = |tag: &str| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
        SignalId(tag.split(';').next().unwrap_or_default().to_owned())
    };
    Some(header.split(',').map(id).collect())
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct BarsStored {
    #[serde(flatten)]
    counts: BarCounts,
    /// The rows that were not kept.
    rejected: Vec<Rejected>,
    /// The latest signal, where computing was asked for and there is one.
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<SignalView<'static>>, nullable = false)
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<Box<RawValue>>,
}

pub(super) fn put_bars(asked: Asked) -> Result<Next, Problem> {
    let compute = match asked.params.text("compute") {
        None => false,
        Some("now") => true,
        Some(_) => {
            return Err(Problem::invalid(
                "/compute",
                "?compute= can only be \"now\".",
            ));
        }
    };
    let content_type = origin::header(&asked.request.headers, "content-type").unwrap_or_default();
    let json_declared = content_type.to_ascii_lowercase().contains("json");
    let limit = if json_declared {
        MAX_JSON_BODY
    } else {
        MAX_BARS_BODY
    };
    Ok(Next::Body {
        limit,
        then: Box::new(move |body, now| {
            let parsed = complete(body, limit).and_then(|bytes| {
                if json_declared || Format::of(&bytes) == Format::Json {
                    json_bars(bytes, now)
                } else {
                    csv_bars(&bytes, now)
                }
            });
            let Parsed { bars, rejected } = match parsed {
                Ok(parsed) => parsed,
                Err(problem) => return problem.into(),
            };
            let by = match asked.caller() {
                Ok(by) => by,
                Err(problem) => return problem.into(),
            };
            let call = Call::PutBars {
                bars,
                compute,
                rejected: u32::try_from(rejected.len()).unwrap_or(u32::MAX),
                by,
            };
            asked.ask(call, move |reply| {
                let Reply::BarsStored { counts, signal } = reply else {
                    return Err(mixed_up());
                };
                let signal = signal.map(|signal| json(&signal.view(now)));
                Ok(Response::json(
                    200,
                    &BarsStored {
                        counts,
                        rejected,
                        signal,
                    },
                ))
            })
        }),
    })
}

fn csv_bars(bytes: &[u8], now: Millis) -> Result<Parsed, Problem> {
    match parse_csv(bytes, now.date()) {
        Ok(parsed) => Ok(parsed),
        Err(error) if error.is_too_large() => {
            Err(Problem::new(Slug::TooLarge, format!("{error}.")))
        }
        // A header that cannot be used is a bad line like any other: no row after it is good.
        Err(error) => Ok(Parsed {
            bars: Vec::new(),
            rejected: vec![Rejected {
                line: header_line(bytes),
                reason: error.to_string(),
            }],
        }),
    }
}

fn json_bars(bytes: Vec<u8>, now: Millis) -> Result<Parsed, Problem> {
    let body = if bytes.len() > MAX_JSON_BODY {
        Body::TooLarge
    } else {
        Body::Complete(bytes)
    };
    let bytes = complete(body, MAX_JSON_BODY)?;
    parse_json(&bytes, now.date()).map_err(|error| {
        if error.is_too_large() {
            Problem::new(Slug::TooLarge, format!("{error}."))
        } else {
            let status = if error.is_syntax() { 400 } else { 422 };
            Problem::invalid("", format!("{error}.")).status(status)
        }
    })
}
