//! Symbols and their data: the watchlist, what is known of each, what providers changed; and the
//! market's mood.

use serde::Serialize;

use super::problem::Problem;
use super::reads::cursor;
use super::writes::{complete, object, symbols};
use super::{Asked, Next, Response, failed, mixed_up};
use crate::calendar;
use crate::market::mood::{Inputs, mood};
use crate::room::call::{
    BarRevision, Call, Market, Reply, SymbolSupply, WatchlistChange, WatchlistSource,
};
use crate::room::name::RoomName;
use crate::time::Millis;
use crate::wire::limits::{MAX_JSON_BODY, MAX_WATCHED};

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct SymbolList {
    /// The symbols.
    symbols: Vec<SymbolSupply>,
    /// Whose watchlist it is.
    source: WatchlistSource,
    /// Where the next page starts; null on the last.
    #[cfg_attr(feature = "openapi", schema(required))]
    next_cursor: Option<String>,
}

pub(super) fn list(asked: &Asked) -> Result<Next, Problem> {
    let call = Call::Supply {
        watchlist: asked.config.watchlist.clone(),
        fetching: asked.config.supply.has_bars(),
        page: asked.params.page()?,
    };
    Ok(super::ask(RoomName::Feed, call, |reply| {
        match reply.map_err(|error| failed(error, None, false))? {
            Reply::Supply {
                symbols: slice,
                source,
            } => {
                let next_cursor = cursor(&slice);
                let list = SymbolList {
                    symbols: slice.items,
                    source,
                    next_cursor,
                };
                Ok(Response::json(200, &list))
            }
            _ => Err(mixed_up()),
        }
    }))
}

/// Makes the symbols of the body the watchlist.
pub(super) fn set(asked: Asked) -> Next {
    Next::Body {
        limit: MAX_JSON_BODY,
        then: Box::new(move |body, _| {
            let change = complete(body, MAX_JSON_BODY).and_then(|bytes| {
                let named = symbols(&object(&bytes)?, MAX_WATCHED)?;
                let missing = || Problem::invalid("/symbols", "\"symbols\" is missing.");
                named.map(WatchlistChange::Set).ok_or_else(missing)
            });
            change
                .and_then(|change| watch(&asked, change))
                .unwrap_or_else(Next::from)
        }),
    }
}

pub(super) fn add(asked: &Asked) -> Result<Next, Problem> {
    let symbol = asked.symbol.clone().ok_or_else(mixed_up)?;
    watch(asked, WatchlistChange::Add(symbol))
}

pub(super) fn remove(asked: &Asked) -> Result<Next, Problem> {
    let symbol = asked.symbol.clone().ok_or_else(mixed_up)?;
    watch(asked, WatchlistChange::Remove(symbol))
}

pub(super) fn reset(asked: &Asked) -> Result<Next, Problem> {
    watch(asked, WatchlistChange::Reset)
}

fn watch(asked: &Asked, change: WatchlistChange) -> Result<Next, Problem> {
    let call = Call::Watch {
        configured: asked.config.watchlist.clone(),
        change,
        by: asked.caller()?,
    };
    let symbol = asked.symbol.clone();
    Ok(super::ask(RoomName::Feed, call, move |reply| {
        match reply.map_err(|error| failed(error, symbol.as_ref(), false))? {
            Reply::Watching(watchlist) => Ok(Response::json(200, &watchlist)),
            _ => Err(mixed_up()),
        }
    }))
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct RevisionList {
    /// The changes.
    revisions: Vec<BarRevision>,
    /// Where the next page starts; null on the last.
    #[cfg_attr(feature = "openapi", schema(required))]
    next_cursor: Option<String>,
}

pub(super) fn revisions(asked: Asked) -> Result<Next, Problem> {
    let page = asked.params.page()?;
    let revisions = |reply| match reply {
        Reply::BarRevisions(slice) => Some(slice),
        _ => None,
    };
    let call = Call::BarRevisions { page };
    Ok(super::reads::list(asked, call, revisions, |slice| {
        let next_cursor = cursor(&slice);
        let revisions = slice.items;
        Ok(Response::json(
            200,
            &RevisionList {
                revisions,
                next_cursor,
            },
        ))
    }))
}

/// The market's mood; before there is any, what is missing.
pub(super) fn market(now: Millis) -> Next {
    super::ask(RoomName::Feed, Call::Market, move |reply| {
        match reply.map_err(|error| failed(error, None, false))? {
            Reply::Market(Some(market)) => Ok(Response::json(200, &market)),
            Reply::Market(None) => {
                let nothing = Inputs {
                    series: &std::collections::BTreeMap::new(),
                    benchmark: &[],
                    marks: &[],
                    due: calendar::newest_due(now),
                };
                let market = Market {
                    mood: mood(&nothing),
                    updated_at: None,
                };
                Ok(Response::json(200, &market))
            }
            _ => Err(mixed_up()),
        }
    })
}
