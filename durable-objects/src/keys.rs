//! An identity provider's keys, fetched as the core wants them.

use std::time::Duration;

use signalroom_core::auth::{Verifier, WAIT_MS, Want, key_document, key_request};
use worker::{Delay, console_error};

use crate::fetch::fetch;
use crate::platform::now;

/// Does what the token wants done before it is judged.
pub async fn see_to(verifier: &Verifier, token: &str) {
    while let Some(want) = verifier.wants(token, now()) {
        match want {
            // A request cannot wait for what another one fetches, only for the time.
            Want::Wait => Delay::from(Duration::from_millis(WAIT_MS)).await,
            Want::Fetch(url) => {
                let answer = key_document(fetch(&key_request(url)).await);
                if let Some(error) = verifier.fetched(answer, now()) {
                    console_error!("JWKS_URL: {error}");
                }
            }
        }
    }
}
