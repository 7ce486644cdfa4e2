//! The record, and whether it is whole: of one room, or of all by pages.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::export::{self, JSON_LINES, JSON_LINES_TYPE};
use super::problem::Problem;
use super::{Asked, Next, Replies, Response, failed, mixed_up};
use crate::audit::{Broken, Checked, Hash, Head, Record};
use crate::room::call::{Call, CallError, Page, Reject, Reply};
use crate::room::name::RoomName;
use crate::store::MAX_SAFE_INTEGER;
use crate::symbol::Symbol;
use crate::wire::limits::MAX_WITNESSED;

/// Rooms of which a list is gathered at the same time.
const ROOMS_AT_ONCE: u32 = 6;

/// How often one request goes on to the next rooms while its page is not full.
const MAX_ROUNDS: u32 = 6;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct AuditList {
    /// The rows.
    entries: Vec<Record>,
    /// Where the next page starts; null on the last.
    #[cfg_attr(feature = "openapi", schema(required))]
    next_cursor: Option<String>,
}

/// How the rooms' records are.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct AuditReport {
    /// Whether all of these rooms were checked and their records are whole.
    ok: bool,
    /// The rooms that were checked.
    rooms: Vec<RoomReport>,
    /// Rooms that could not be checked: ask again.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    failed: Vec<RoomName>,
    /// Where the next page of rooms starts; null on the last.
    #[cfg_attr(feature = "openapi", schema(required))]
    next_cursor: Option<String>,
}

/// How a room's record is.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct RoomReport {
    /// `feed`, or `symbol/` and the symbol.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    room: RoomName,
    /// Rows from the first on that are whole and follow each other.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    entries: i64,
    /// The hash of the last of them; zeros where there is none.
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    head: Hash,
    /// Whether that is the whole record.
    ok: bool,
    /// The first row that is not as it was written.
    #[cfg_attr(feature = "openapi", schema(required))]
    broken: Option<Broken>,
}

/// Where a list goes on: behind a row of a room.
#[derive(Debug, Clone)]
struct Cursor {
    room: RoomName,
    n: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.room, self.n)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (room, n) = text.split_once('@').ok_or(())?;
        let n = n.parse().map_err(|_| ())?;
        let room = room.parse().map_err(|_| ())?;
        let fits = (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(&n);
        fits.then_some(Self { room, n }).ok_or(())
    }
}

/// The one room a request is about, if it names one.
fn only(asked: &Asked) -> Result<Option<RoomName>, Problem> {
    if let Some(symbol) = asked.params.parsed("symbol", "a symbol")? {
        return Ok(Some(RoomName::Symbol(symbol)));
    }
    asked
        .params
        .parsed("room", "\"feed\", or \"symbol/\" and a symbol")
}

pub(super) fn list(asked: &Asked) -> Result<Next, Problem> {
    let only = only(asked)?;
    let limit = asked.params.limit()?;
    let cursor: Option<Cursor> = asked
        .params
        .parsed("cursor", "the next_cursor of the page before")?;
    let json_lines = match asked.params.text("format") {
        None => export::accepts(&asked.request.headers, JSON_LINES),
        Some("json") => false,
        Some("jsonl") => true,
        Some(_) => {
            let detail = "?format= can only be \"json\" or \"jsonl\".";
            return Err(Problem::invalid("/format", detail));
        }
    };
    let start = cursor.unwrap_or_else(|| Cursor {
        room: only.clone().unwrap_or(RoomName::Feed),
        n: before_all(json_lines),
    });
    let watchlist = asked.config.watchlist.clone();
    let page_url = export::PageUrl::of(asked);
    let gathering = Gathering {
        only,
        oldest_first: json_lines,
        limit: limit as usize,
        watchlist,
        entries: Vec::new(),
        rounds: 0,
        render: Box::new(move |entries, next| {
            if json_lines {
                lines(&entries, next.as_ref(), &page_url)
            } else {
                let next_cursor = next.map(|next| next.to_string());
                let list = AuditList {
                    entries,
                    next_cursor,
                };
                Response::json(200, &list)
            }
        }),
    };
    Ok(gathering.ask(vec![start]))
}

/// JSON Lines, <https://jsonlines.org>: a row a line, as it is hashed but for its hash.
fn lines(entries: &[Record], next: Option<&Cursor>, page_url: &export::PageUrl) -> Response {
    let mut body = String::new();
    for entry in entries {
        body.push_str(crate::room::log::json(entry).get());
        body.push('\n');
    }
    let next = next.map(ToString::to_string);
    export::file(
        JSON_LINES_TYPE,
        "audit.jsonl",
        body,
        page_url,
        next.as_deref(),
    )
}

/// Where the first row of a room is yet to come. Behind the last is the opposite.
fn before_all(oldest_first: bool) -> i64 {
    if oldest_first {
        -MAX_SAFE_INTEGER
    } else {
        MAX_SAFE_INTEGER
    }
}

/// A page of rows on its way through the rooms.
struct Gathering {
    only: Option<RoomName>,
    oldest_first: bool,
    limit: usize,
    watchlist: Vec<Symbol>,
    entries: Vec<Record>,
    rounds: u32,
    render: Box<dyn FnOnce(Vec<Record>, Option<Cursor>) -> Response + Send>,
}

impl Gathering {
    /// Reads on behind each of these cursors.
    fn ask(self, cursors: Vec<Cursor>) -> Next {
        let calls = cursors.iter().map(|cursor| {
            let page = Page {
                limit: u32::try_from(self.limit).unwrap_or(u32::MAX),
                cursor: Some(cursor.n),
            };
            let oldest_first = self.oldest_first;
            (cursor.room.clone(), Call::Audit { oldest_first, page })
        });
        Next::Call {
            calls: calls.collect(),
            then: Box::new(move |replies: Replies, _| self.take(cursors, replies)),
        }
    }

    fn take(mut self, cursors: Vec<Cursor>, replies: Replies) -> Next {
        let mut last = None;
        for (cursor, reply) in cursors.into_iter().zip(replies) {
            let room = cursor.room.clone();
            let (items, more) = match reply {
                Ok(Reply::Audit(slice)) => (slice.items, slice.next),
                Ok(_) => return mixed_up().into(),
                // Nobody needs to have heard of the rooms that are all asked.
                Err(CallError::Reject(Reject::UnknownSymbol)) if self.only.is_none() => {
                    (Vec::new(), None)
                }
                Err(error) => {
                    let symbol = match &room {
                        RoomName::Symbol(symbol) => Some(symbol),
                        RoomName::Feed => None,
                    };
                    return failed(error, symbol, false).into();
                }
            };
            let space = self.limit - self.entries.len();
            let cut = items.len() > space;
            self.entries.extend(items.into_iter().take(space));
            let shown = self.entries.last().filter(|entry| entry.room == room);
            let n = match (more, shown) {
                (Some(n), _) if !cut => n,
                (_, Some(entry)) => entry.n,
                (_, None) => -before_all(self.oldest_first),
            };
            let here = Cursor { room, n };
            if cut || more.is_some() || self.entries.len() == self.limit {
                let single = self.only.is_some() && !cut && more.is_none();
                return self.done((!single).then_some(here));
            }
            last = Some(here);
        }
        let Some(last) = last.filter(|_| self.only.is_none()) else {
            return self.done(None);
        };
        if self.rounds == MAX_ROUNDS {
            return self.done(Some(last));
        }
        self.rounds += 1;
        let watchlist = self.watchlist.clone();
        rooms_after(&last.room, ROOMS_AT_ONCE, watchlist, |rooms| {
            if rooms.is_empty() {
                return self.done(None);
            }
            let n = before_all(self.oldest_first);
            let cursor = |symbol| Cursor {
                room: RoomName::Symbol(symbol),
                n,
            };
            self.ask(rooms.into_iter().map(cursor).collect())
        })
    }

    fn done(self, next: Option<Cursor>) -> Next {
        Next::Reply((self.render)(self.entries, next))
    }
}

/// Goes on with the symbols after a room, by name: those the feed knows, and the watchlist.
fn rooms_after(
    room: &RoomName,
    limit: u32,
    watchlist: Vec<Symbol>,
    then: impl FnOnce(Vec<Symbol>) -> Next + Send + 'static,
) -> Next {
    let after = match room {
        RoomName::Symbol(symbol) => Some(symbol.clone()),
        RoomName::Feed => None,
    };
    let call = Call::Known {
        after: after.clone(),
        limit,
    };
    Next::Call {
        calls: vec![(RoomName::Feed, call)],
        then: Box::new(move |mut replies, _| {
            let mut symbols = match replies.pop() {
                Some(Ok(Reply::Known(symbols))) => symbols,
                Some(Err(error)) => return failed(error, None, false).into(),
                Some(Ok(_)) | None => return mixed_up().into(),
            };
            let watched = watchlist.into_iter();
            symbols.extend(watched.filter(|symbol| Some(symbol) > after.as_ref()));
            symbols.sort();
            symbols.dedup();
            symbols.truncate(limit as usize);
            then(symbols)
        }),
    }
}

/// Rooms checked for one request: with the feed's part, fewer calls than the 50 that a Worker on
/// the free plan may make.
/// <https://developers.cloudflare.com/workers/platform/limits/#subrequests>
const MAX_VERIFIED: u32 = 40;

pub(super) fn verify(asked: &Asked) -> Result<Next, Problem> {
    let only = only(asked)?;
    let limit = asked.params.limit()?.min(MAX_VERIFIED);
    let cursor: Option<RoomName> = asked
        .params
        .parsed("cursor", "the next_cursor of the page before")?;
    if let Some(room) = only {
        return Ok(Checking::new(vec![room], true, None).ask_feed());
    }
    let watchlist = asked.config.watchlist.clone();
    let after = cursor.clone().unwrap_or(RoomName::Feed);
    Ok(rooms_after(&after, limit, watchlist, move |symbols| {
        let full = symbols.len() >= limit as usize;
        let next = symbols.last().filter(|_| full).cloned();
        let feed = cursor.is_none().then_some(RoomName::Feed);
        let rooms = symbols.into_iter().map(RoomName::Symbol);
        let rooms = feed.into_iter().chain(rooms).collect();
        Checking::new(rooms, false, next.map(RoomName::Symbol)).ask_feed()
    }))
}

/// A room's record on its way to being checked.
struct Progress {
    room: RoomName,
    head: Head,
    outcome: Option<Outcome>,
}

enum Outcome {
    Whole,
    Broken(Broken),
    Failed,
    /// There is no such room, and the feed knows of no record of it.
    Nothing,
}

/// Rooms whose records are checked together, part by part.
struct Checking {
    rooms: Vec<Progress>,
    /// Whether it is about one room that was named.
    named: bool,
    next: Option<RoomName>,
}

impl Checking {
    fn new(rooms: Vec<RoomName>, named: bool, next: Option<RoomName>) -> Self {
        let progress = |room| Progress {
            room,
            head: Head::START,
            outcome: None,
        };
        Self {
            rooms: rooms.into_iter().map(progress).collect(),
            named,
            next,
        }
    }

    /// First what the feed was told, then the rooms: what a room adds in between is no fault.
    fn ask_feed(self) -> Next {
        let open = self.rooms.iter().filter(|it| it.outcome.is_none());
        let rooms: Vec<_> = open.map(|it| (it.room.clone(), it.head.n)).collect();
        if rooms.is_empty() {
            return self.report();
        }
        Next::Call {
            calls: vec![(RoomName::Feed, Call::Witnessed { rooms })],
            then: Box::new(move |mut replies, _| match replies.pop() {
                Some(Ok(Reply::Witnessed(witnessed))) => self.ask_rooms(witnessed),
                Some(Err(error)) => failed(error, None, false).into(),
                Some(Ok(_)) | None => mixed_up().into(),
            }),
        }
    }

    fn ask_rooms(mut self, witnessed: Vec<Vec<Head>>) -> Next {
        let open = self.rooms.iter().filter(|it| it.outcome.is_none());
        let calls = open.zip(witnessed).map(|(progress, witnessed)| {
            let full = i64::try_from(witnessed.len()).is_ok_and(|it| it >= MAX_WITNESSED);
            let call = Call::CheckAudit {
                from: progress.head,
                until: witnessed.last().filter(|_| full).map(|head| head.n),
                witnessed,
            };
            (progress.room.clone(), call)
        });
        Next::Call {
            calls: calls.collect(),
            then: Box::new(move |replies: Replies, _| {
                let open = self.rooms.iter_mut().filter(|it| it.outcome.is_none());
                for (progress, reply) in open.zip(replies) {
                    progress.take(reply);
                }
                self.ask_feed()
            }),
        }
    }

    fn report(self) -> Next {
        let mut report = AuditReport {
            ok: true,
            rooms: Vec::new(),
            failed: Vec::new(),
            next_cursor: self.next.map(|room| room.to_string()),
        };
        for Progress {
            room,
            head,
            outcome,
        } in self.rooms
        {
            let broken = match outcome {
                Some(Outcome::Whole) => None,
                Some(Outcome::Broken(broken)) => Some(broken),
                Some(Outcome::Nothing) if self.named => {
                    let unknown = CallError::Reject(Reject::UnknownSymbol);
                    let symbol = match &room {
                        RoomName::Symbol(symbol) => Some(symbol),
                        RoomName::Feed => None,
                    };
                    return failed(unknown, symbol, false).into();
                }
                Some(Outcome::Nothing) => continue,
                Some(Outcome::Failed) | None => {
                    report.ok = false;
                    report.failed.push(room);
                    continue;
                }
            };
            report.ok &= broken.is_none();
            report.rooms.push(RoomReport {
                room,
                entries: head.n,
                head: head.hash,
                ok: broken.is_none(),
                broken,
            });
        }
        Next::Reply(Response::json(200, &report))
    }
}

impl Progress {
    fn take(&mut self, reply: Result<Reply, CallError>) {
        self.outcome = match reply {
            Ok(Reply::AuditChecked(Checked { head, more, broken })) => {
                // A part that brings nothing would be asked for ever.
                let stuck = more && head == self.head;
                self.head = head;
                match broken {
                    Some(broken) => Some(Outcome::Broken(broken)),
                    None if stuck => Some(Outcome::Failed),
                    None if more => None,
                    None => Some(Outcome::Whole),
                }
            }
            Err(CallError::Reject(Reject::UnknownSymbol)) => Some(Outcome::Nothing),
            Ok(_) | Err(_) => Some(Outcome::Failed),
        };
    }
}
