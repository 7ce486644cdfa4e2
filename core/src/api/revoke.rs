//! Shutting a user out: at the feed, then in every room that may hold a socket of theirs.

use serde::Serialize;

use super::problem::Problem;
use super::writes::{complete, optional_object, text};
use super::{Asked, Next, Replies, Response, failed, mixed_up};
use crate::auth::{SUBJECT_RULE, is_subject};
use crate::room::call::{Call, Page, Reply, Slice};
use crate::room::name::RoomName;
use crate::symbol::Symbol;
use crate::time::Millis;
use crate::wire::limits::{MAX_JSON_BODY, MAX_LIMIT};

/// Longest reason, characters.
pub(super) const MAX_REASON_CHARS: usize = 500;

/// What became of a revocation.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct Revoked {
    /// Whose tokens are refused.
    sub: String,
    /// Those issued before that moment, and those that do not say when.
    before: Millis,
    /// Rooms that could not be told and may hold open sockets: ask again.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    failed: Vec<RoomName>,
}

/// Revokes, then tells the rooms.
pub(super) fn revoke(asked: Asked) -> Result<Next, Problem> {
    let sub = asked.parameter.clone().unwrap_or_default();
    if !is_subject(&sub) {
        let detail = format!("A user is {SUBJECT_RULE}.");
        return Err(Problem::invalid("/sub", detail));
    }
    Ok(Next::Body {
        limit: MAX_JSON_BODY,
        then: Box::new(move |body, _| {
            let call = complete(body, MAX_JSON_BODY).and_then(|bytes| {
                let reason = text(&optional_object(&bytes)?, "reason", MAX_REASON_CHARS)?;
                Ok(Call::Revoke {
                    sub: sub.clone(),
                    by: asked.caller()?,
                    reason: reason.filter(|reason| !reason.is_empty()),
                })
            });
            match call {
                Ok(call) => ask_feed(call, sub, asked),
                Err(problem) => problem.into(),
            }
        }),
    })
}

fn ask_feed(call: Call, sub: String, asked: Asked) -> Next {
    Next::Call {
        calls: vec![(RoomName::Feed, call)],
        then: Box::new(move |mut replies, now| match replies.pop() {
            Some(Ok(Reply::Revoked { before })) => {
                asked.config.revoked.note(&sub, Some(before), now);
                let failed = Vec::new();
                tell(
                    None,
                    Revoked {
                        sub,
                        before,
                        failed,
                    },
                )
            }
            Some(Err(error)) => failed(error, None, false).into(),
            Some(Ok(_)) | None => mixed_up().into(),
        }),
    }
}

/// Tells the rooms from `cursor` on.
fn tell(cursor: Option<i64>, report: Revoked) -> Next {
    let page = Page {
        limit: MAX_LIMIT,
        cursor,
    };
    let sub = report.sub.clone();
    Next::Call {
        calls: vec![(RoomName::Feed, Call::Visited { sub, page })],
        then: Box::new(move |mut replies, _| match replies.pop() {
            Some(Ok(Reply::Visited(visited))) => tell_rooms(visited, report),
            Some(Err(error)) => failed(error, None, false).into(),
            Some(Ok(_)) | None => mixed_up().into(),
        }),
    }
}

fn tell_rooms(visited: Slice<Symbol>, mut report: Revoked) -> Next {
    let rooms: Vec<RoomName> = visited.items.into_iter().map(RoomName::Symbol).collect();
    let call = Call::Dismiss {
        sub: report.sub.clone(),
        before: report.before,
    };
    Next::Call {
        calls: rooms
            .iter()
            .map(|room| (room.clone(), call.clone()))
            .collect(),
        then: Box::new(move |replies: Replies, _| {
            for (room, reply) in rooms.into_iter().zip(replies) {
                if !matches!(reply, Ok(Reply::Dismissed)) {
                    report.failed.push(room);
                }
            }
            match visited.next {
                Some(cursor) => tell(Some(cursor), report),
                None => Next::Reply(Response::json(200, &report)),
            }
        }),
    }
}
