//! New epochs, after a backup was restored: whoever followed the old ones starts anew.

use serde::Serialize;

use super::problem::Problem;
use super::writes::{complete, optional_object};
use super::{Asked, Next, Replies, Response, failed, mixed_up};
use crate::room::call::{Call, CallError, Caller, Page, Position, Reject, Reply, Slice};
use crate::room::name::RoomName;
use crate::symbol::Symbol;
use crate::wire::limits::{MAX_JSON_BODY, MAX_LIMIT};

/// What became of the rooms.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct Epochs {
    /// The rooms that have new epochs.
    epochs: Vec<RoomEpoch>,
    /// Rooms that have the old one still: ask again.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    failed: Vec<RoomName>,
    /// Where the next page starts; null on the last.
    #[cfg_attr(feature = "openapi", schema(required))]
    next_cursor: Option<String>,
}

/// A room and where its log is.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct RoomEpoch {
    /// `feed`, or `symbol/` and the symbol.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    room: RoomName,
    #[serde(flatten)]
    position: Position,
}

/// The symbols named, or else the feed, all symbols it knows and the watchlist, page by page.
pub(super) fn renew(asked: Asked) -> Result<Next, Problem> {
    let cursor = asked.params.page()?.cursor;
    let by = asked.caller()?;
    Ok(Next::Body {
        limit: MAX_JSON_BODY,
        then: Box::new(move |body, _| {
            let named = complete(body, MAX_JSON_BODY).and_then(|bytes| symbols(&bytes));
            match named {
                Ok(Some(symbols)) => renew_symbols(symbols, &[], &by, Epochs::default()),
                Ok(None) if cursor.is_none() => renew_feed(asked.config.watchlist.clone(), by),
                Ok(None) => renew_known(cursor, Vec::new(), by, Epochs::default()),
                Err(problem) => problem.into(),
            }
        }),
    })
}

fn symbols(bytes: &[u8]) -> Result<Option<Vec<Symbol>>, Problem> {
    let Some(listed) = optional_object(bytes)?.remove("symbols") else {
        return Ok(None);
    };
    serde_json::from_value(listed)
        .ok()
        .filter(|symbols: &Vec<Symbol>| symbols.len() <= MAX_LIMIT as usize)
        .map(|mut symbols| {
            // A room named twice is renewed once.
            symbols.sort();
            symbols.dedup();
            Some(symbols)
        })
        .ok_or_else(|| {
            let detail = format!("\"symbols\" must be a list of at most {MAX_LIMIT} symbols.");
            Problem::invalid("/symbols", detail)
        })
}

/// The feed first: what the symbols' rooms tell it again belongs to its new epoch.
fn renew_feed(watchlist: Vec<Symbol>, by: Caller) -> Next {
    Next::Call {
        calls: vec![(RoomName::Feed, Call::Renew { by: by.clone() })],
        then: Box::new(move |replies: Replies, _| {
            let mut report = Epochs::default();
            report.note([RoomName::Feed], replies, |_| true);
            renew_known(None, watchlist, by, report)
        }),
    }
}

fn renew_known(
    cursor: Option<i64>,
    watchlist: Vec<Symbol>,
    by: Caller,
    mut report: Epochs,
) -> Next {
    let page = Page {
        limit: MAX_LIMIT,
        cursor,
    };
    Next::Call {
        calls: vec![(RoomName::Feed, Call::Sources { page })],
        then: Box::new(move |mut replies, _| match replies.pop() {
            Some(Ok(Reply::Sources(Slice { items, next }))) => {
                report.next_cursor = next.map(|next| next.to_string());
                let mut symbols = items;
                let unknown = |symbol: &&Symbol| !symbols.contains(symbol);
                let watched: Vec<Symbol> = watchlist.iter().filter(unknown).cloned().collect();
                symbols.extend(watched);
                renew_symbols(symbols, &watchlist, &by, report)
            }
            Some(Err(error)) => failed(error, None, false).into(),
            Some(Ok(_)) | None => mixed_up().into(),
        }),
    }
}

/// Of `watchlist` nobody needs to have heard yet.
fn renew_symbols(
    symbols: Vec<Symbol>,
    watchlist: &[Symbol],
    by: &Caller,
    mut report: Epochs,
) -> Next {
    let rooms: Vec<RoomName> = symbols.into_iter().map(RoomName::Symbol).collect();
    let watched: Vec<RoomName> = watchlist.iter().cloned().map(RoomName::Symbol).collect();
    let call = |room: &RoomName| (room.clone(), Call::Renew { by: by.clone() });
    let calls = rooms.iter().map(call);
    Next::Call {
        calls: calls.collect(),
        then: Box::new(move |replies: Replies, _| {
            report.note(rooms, replies, |room| watched.contains(room));
            Next::Reply(Response::json(200, &report))
        }),
    }
}

impl Epochs {
    /// Notes what rooms answered. One that does not exist has nothing to renew, where it need not.
    fn note(
        &mut self,
        rooms: impl IntoIterator<Item = RoomName>,
        replies: Replies,
        may_be_missing: impl Fn(&RoomName) -> bool,
    ) {
        for (room, reply) in rooms.into_iter().zip(replies) {
            match reply {
                Ok(Reply::Renewed(position)) => self.epochs.push(RoomEpoch { room, position }),
                Err(CallError::Reject(Reject::UnknownSymbol)) if may_be_missing(&room) => {}
                Ok(_) | Err(_) => self.failed.push(room),
            }
        }
    }
}
