//! Fetches, as the core wants them: no redirects, no longer and no larger than it says.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use signalroom_core::fetch::{Answer, FetchError, Fetched, Request as Wanted};
use worker::{
    AbortController, AbortSignal, CacheMode, Delay, Fetch, Headers, Request, RequestInit,
    RequestRedirect,
};

/// Makes the request.
///
/// # Errors
/// [`FetchError`] when there is no answer.
pub async fn fetch(wanted: &Wanted) -> Fetched {
    let controller = AbortController::default();
    let signal = controller.signal();
    let deadline = Delay::from(Duration::from_millis(wanted.deadline_ms.into()));
    let answer = std::pin::pin!(exchange(wanted, &signal));
    match select(answer, deadline).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => {
            controller.abort();
            Err(FetchError::TooSlow)
        }
    }
}

async fn exchange(wanted: &Wanted, signal: &AbortSignal) -> Fetched {
    let unreachable = |_| FetchError::Unreachable;
    let headers = Headers::new();
    for (name, value) in &wanted.headers {
        headers.set(name, value).map_err(unreachable)?;
    }
    let mut init = RequestInit::new();
    init.with_redirect(RequestRedirect::Manual)
        .with_cache(CacheMode::NoStore)
        .with_headers(headers);
    let request = Request::new_with_init(&wanted.url, &init).map_err(unreachable)?;
    let sent = Fetch::Request(request).send_with_signal(signal).await;
    let mut response = sent.map_err(unreachable)?;
    let headers = response.headers().entries().collect();
    let status = response.status_code();
    let mut body = Vec::new();
    // 204 and 304 have none.
    if let Ok(mut chunks) = response.stream() {
        while let Some(chunk) = chunks.next().await {
            body.extend(chunk.map_err(unreachable)?);
            if body.len() > wanted.max_bytes {
                return Err(FetchError::TooLarge);
            }
        }
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}
