//! Between a good token and what it is shown for: is it too often, was it revoked?
//!
//! Before that, the request is counted: who asks too often is refused before anything is done.
//!
//! The feed knows what was revoked. What it said is trusted for a few seconds, but never where somebody decides,
//! administers or opens a socket. When it cannot be asked, nobody passes.

use super::problem::Problem;
use super::routes::{Action, Route};
use super::{Asked, Next, act, failed, mixed_up};
use crate::auth::Need;
use crate::rate::Empty;
use crate::revocation::is_revoked;
use crate::room::call::{Call, Reply};
use crate::room::name::RoomName;
use crate::time::Millis;

/// Goes on with the route's action unless there is something against it.
pub(super) fn pass(route: &Route, asked: Asked, now: Millis) -> Result<Next, Problem> {
    let action = route.action;
    let Some(claims) = &asked.claims else {
        return act(action, asked, now);
    };
    // Bars have a rate of their own, and who administers may have much to do at once.
    if !matches!(route.need, Need::Read | Need::Decide) {
        return unrevoked(action, asked, now);
    }
    let key = format!("user {}", claims.sub);
    Ok(counted(key, move |now| unrevoked(action, asked, now)))
}

/// Goes on if this is not one request too many.
pub(super) fn counted(
    key: String,
    then: impl FnOnce(Millis) -> Result<Next, Problem> + Send + 'static,
) -> Next {
    Next::Limit {
        key,
        then: Box::new(move |taken, now| match taken {
            Ok(()) => then(now).unwrap_or_else(Next::from),
            Err(Empty { wait }) => Problem::rate_limited(wait).into(),
        }),
    }
}

/// Goes on with `action` unless the token was revoked.
fn unrevoked(action: Action, asked: Asked, now: Millis) -> Result<Next, Problem> {
    let Some(claims) = &asked.claims else {
        return act(action, asked, now);
    };
    let remembered = asked.config.revoked.of(&claims.sub, now);
    if let Some(before) = remembered
        // What is revoked stays so.
        && (!wants_certainty(action) || is_revoked(claims.issued_at, before))
    {
        return go_on(action, asked, before, now);
    }
    let call = Call::Admit {
        sub: claims.sub.clone(),
        opens: asked
            .symbol
            .clone()
            .filter(|_| action == Action::SymbolSocket),
    };
    Ok(Next::Call {
        calls: vec![(RoomName::Feed, call)],
        then: Box::new(move |mut replies, now| match replies.pop() {
            Some(Ok(Reply::Admitted { revoked_before })) => {
                if let Some(claims) = &asked.claims {
                    asked.config.revoked.note(&claims.sub, revoked_before, now);
                }
                go_on(action, asked, revoked_before, now).unwrap_or_else(Next::from)
            }
            Some(Err(error)) => failed(error, None, false).into(),
            Some(Ok(_)) | None => mixed_up().into(),
        }),
    })
}

fn go_on(
    action: Action,
    asked: Asked,
    before: Option<Millis>,
    now: Millis,
) -> Result<Next, Problem> {
    let issued_at = asked.claims.as_ref().and_then(|claims| claims.issued_at);
    if is_revoked(issued_at, before) {
        return Err(Problem::invalid_token());
    }
    act(action, asked, now)
}

/// Whether a few seconds are too long for what is asked.
fn wants_certainty(action: Action) -> bool {
    matches!(
        action,
        Action::Approve | Action::Renew | Action::Revoke | Action::Socket | Action::SymbolSocket
    )
}
