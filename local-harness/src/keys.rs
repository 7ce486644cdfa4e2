//! An identity provider's keys, fetched as the core wants them.

use std::sync::Arc;
use std::time::Duration;

use signalroom_core::auth::{Verifier, WAIT_MS, Want, key_document, key_request};
use tokio::time::sleep;

use crate::clock;
use crate::fetch::fetch;

/// Does what the token wants done before it is judged.
pub(crate) async fn see_to(verifier: &Arc<Verifier>, token: &str) {
    while let Some(want) = verifier.wants(token, clock::now()) {
        match want {
            Want::Wait => sleep(Duration::from_millis(WAIT_MS)).await,
            Want::Fetch(url) => {
                let verifier = Arc::clone(verifier);
                // On its own: others wait for it even if this request's client goes away.
                let fetched = tokio::spawn(async move {
                    let answer = key_document(fetch(&key_request(url)).await);
                    if let Some(error) = verifier.fetched(answer, clock::now()) {
                        tracing::error!(%error, "JWKS_URL");
                    }
                });
                // It ends without a result only when the process does.
                let _ = fetched.await;
            }
        }
    }
}
