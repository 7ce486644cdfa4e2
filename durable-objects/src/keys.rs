//! An identity provider's keys, fetched as the core wants them.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use signalroom_core::auth::{
    FETCH_DEADLINE_MS, KeysError, MAX_DOCUMENT_BYTES, Verifier, WAIT_MS, Want,
};
use worker::{
    AbortController, AbortSignal, CacheMode, Delay, Fetch, Request, RequestInit, RequestRedirect,
    console_error,
};

use crate::platform::now;

/// Does what the token wants done before it is judged.
pub async fn see_to(verifier: &Verifier, token: &str) {
    while let Some(want) = verifier.wants(token, now()) {
        match want {
            // A request cannot wait for what another one fetches, only for the time.
            Want::Wait => Delay::from(Duration::from_millis(WAIT_MS)).await,
            Want::Fetch(url) => {
                let answer = in_time(&url).await;
                if let Some(error) = verifier.fetched(answer, now()) {
                    console_error!("JWKS_URL: {error}");
                }
            }
        }
    }
}

async fn in_time(url: &str) -> Result<Vec<u8>, KeysError> {
    let controller = AbortController::default();
    let signal = controller.signal();
    let deadline = Delay::from(Duration::from_millis(FETCH_DEADLINE_MS.unsigned_abs()));
    let fetch = std::pin::pin!(fetch(url, &signal));
    match select(fetch, deadline).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => {
            controller.abort();
            Err(KeysError::TooSlow)
        }
    }
}

async fn fetch(url: &str, signal: &AbortSignal) -> Result<Vec<u8>, KeysError> {
    let mut init = RequestInit::new();
    init.with_redirect(RequestRedirect::Manual)
        .with_cache(CacheMode::NoStore);
    let unreachable = |_| KeysError::Unreachable;
    let request = Request::new_with_init(url, &init).map_err(unreachable)?;
    let sent = Fetch::Request(request).send_with_signal(signal).await;
    let mut response = sent.map_err(unreachable)?;
    if response.status_code() != 200 {
        return Err(KeysError::Status(response.status_code()));
    }
    let mut document = Vec::new();
    let mut chunks = response.stream().map_err(unreachable)?;
    while let Some(chunk) = chunks.next().await {
        document.extend(chunk.map_err(unreachable)?);
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(KeysError::TooLarge);
        }
    }
    Ok(document)
}
