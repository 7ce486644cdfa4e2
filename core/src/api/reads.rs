//! What is asked: parameters in, one room's answer out.

use serde::Serialize;
use serde_json::value::RawValue;

use super::problem::Problem;
use super::{Asked, Next, Response, export, failed, mixed_up, origin};
use crate::room::call::{ApprovalFilter, Call, CallError, Page, Reject, Reply, Slice};
use crate::room::log::json;
use crate::room::name::RoomName;
#[cfg(feature = "openapi")]
use crate::room::signal::SignalView;
use crate::room::signal::{Signal, Status};
use crate::time::Millis;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct SignalList {
    /// The signals.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<SignalView<'static>>))]
    signals: Vec<Box<RawValue>>,
    /// Where the next page starts; null on the last.
    #[cfg_attr(feature = "openapi", schema(required))]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct ApprovalList {
    /// The decisions.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::room::signal::Approval>))]
    approvals: Vec<Box<RawValue>>,
    /// Where the next page starts; null on the last.
    #[cfg_attr(feature = "openapi", schema(required))]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct BarList {
    /// The bars.
    bars: Vec<crate::signals::bar::Bar>,
    /// Where the next page starts; null on the last.
    #[cfg_attr(feature = "openapi", schema(required))]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = TopSignals))]
pub(super) struct Top {
    /// The signals, the most trusted first.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<SignalView<'static>>))]
    signals: Vec<Box<RawValue>>,
}

pub(super) fn cursor<T>(slice: &Slice<T>) -> Option<String> {
    slice.next.map(|next| next.to_string())
}

fn signal_list(reply: Reply) -> Result<Response, Problem> {
    let Reply::Signals(slice) = reply else {
        return Err(mixed_up());
    };
    let next_cursor = cursor(&slice);
    Ok(Response::json(
        200,
        &SignalList {
            signals: slice.items,
            next_cursor,
        },
    ))
}

pub(super) fn signals(asked: &Asked) -> Result<Next, Problem> {
    let status: Option<Status> = asked
        .params
        .parsed("status", "a status such as PENDING_REVIEW")?;
    let page = asked.params.page()?;
    Ok(feed(Call::Signals { status, page }, signal_list))
}

pub(super) fn top(asked: &Asked) -> Result<Next, Problem> {
    const SHAPE: &str = "a whole number from 1 to 100";
    let n = asked.params.parsed("n", SHAPE)?.unwrap_or(10);
    if !(1..=100).contains(&n) {
        return Err(Problem::invalid("/n", format!("?n= must be {SHAPE}.")));
    }
    Ok(feed(Call::Top { n }, |reply| {
        let Reply::Signals(slice) = reply else {
            return Err(mixed_up());
        };
        Ok(Response::json(
            200,
            &Top {
                signals: slice.items,
            },
        ))
    }))
}

pub(super) fn city() -> Next {
    feed(Call::City, |reply| {
        let Reply::City(city) = reply else {
            return Err(mixed_up());
        };
        Ok(Response::json(200, &city))
    })
}

fn feed(
    call: Call,
    render: impl FnOnce(Reply) -> Result<Response, Problem> + Send + 'static,
) -> Next {
    super::ask(RoomName::Feed, call, move |reply| {
        render(reply.map_err(|error| failed(error, None, false))?)
    })
}

pub(super) fn signal(asked: Asked, now: Millis) -> Result<Next, Problem> {
    let known = origin::header(&asked.request.headers, "if-none-match").map(str::to_owned);
    Ok(asked.ask(Call::Latest, move |reply| {
        let Reply::Latest(signal) = reply else {
            return Err(mixed_up());
        };
        let etag = format!("\"{};{}\"", signal.id, signal.status.as_str());
        let unchanged = known.is_some_and(|known| {
            known
                .split(',')
                .map(|tag| tag.trim().trim_start_matches("W/"))
                .any(|tag| tag == etag || tag == "*")
        });
        let mut response = if unchanged {
            Response {
                status: 304,
                headers: Vec::new(),
                body: String::new(),
            }
        } else {
            Response::json(200, &signal.view_with_explain(now))
        };
        response.headers.push(("etag", etag));
        Ok(response)
    }))
}

pub(super) fn history(asked: Asked, now: Millis) -> Result<Next, Problem> {
    let page = asked.params.page()?;
    Ok(asked.ask(Call::History { page }, move |reply| {
        let Reply::History(slice) = reply else {
            return Err(mixed_up());
        };
        let next_cursor = cursor(&slice);
        let view = |signal: &Signal| json(&signal.view_with_explain(now));
        let signals = slice.items.iter().map(view).collect();
        Ok(Response::json(
            200,
            &SignalList {
                signals,
                next_cursor,
            },
        ))
    }))
}

pub(super) fn approvals(asked: Asked) -> Result<Next, Problem> {
    let params = &asked.params;
    let filter = ApprovalFilter {
        // On a symbol's own route the path says which.
        symbol: match &asked.symbol {
            Some(symbol) => Some(symbol.clone()),
            None => params.parsed("symbol", "a symbol")?,
        },
        by: params.text("by").map(str::to_owned),
        from: params.time("from")?,
        to: params.end_time("to")?,
    };
    let page = params.page()?;
    let approvals = |reply| match reply {
        Reply::Approvals(slice) => Some(slice),
        _ => None,
    };
    let call = Call::Approvals { filter, page };
    if export::accepts(&asked.request.headers, &["text/csv"]) {
        let page_url = export::PageUrl::of(&asked);
        return Ok(list(asked, call, approvals, move |slice| {
            let next = cursor(&slice);
            export::approvals(&slice.items, &page_url, next.as_deref())
        }));
    }
    Ok(list(asked, call, approvals, |slice| {
        let next_cursor = cursor(&slice);
        let approvals = slice.items;
        Ok(Response::json(
            200,
            &ApprovalList {
                approvals,
                next_cursor,
            },
        ))
    }))
}

pub(super) fn bars(asked: Asked) -> Result<Next, Problem> {
    let (from, to) = (asked.params.date("from")?, asked.params.date("to")?);
    let page: Page = asked.params.page()?;
    let bars = |reply| match reply {
        Reply::Bars(slice) => Some(slice),
        _ => None,
    };
    Ok(list(asked, Call::Bars { from, to, page }, bars, |slice| {
        let next_cursor = cursor(&slice);
        let bars = slice.items;
        Ok(Response::json(200, &BarList { bars, next_cursor }))
    }))
}

/// Asks for a list. A symbol of the watchlist has been heard of: before its first bar its lists
/// are empty.
pub(super) fn list<T: 'static>(
    asked: Asked,
    call: Call,
    pick: fn(Reply) -> Option<Slice<T>>,
    render: impl FnOnce(Slice<T>) -> Result<Response, Problem> + Send + 'static,
) -> Next {
    let (symbol, watched) = (asked.symbol.clone(), asked.watched());
    super::ask(asked.room(), call, move |reply| match reply {
        Ok(reply) => pick(reply).ok_or_else(mixed_up).and_then(render),
        Err(CallError::Reject(Reject::UnknownSymbol)) if watched => render(Slice {
            items: Vec::new(),
            next: None,
        }),
        Err(error) => Err(failed(error, symbol.as_ref(), watched)),
    })
}
