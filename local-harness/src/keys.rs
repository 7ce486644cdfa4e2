//! An identity provider's keys, fetched as the core wants them.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, redirect};
use signalroom_core::auth::{
    FETCH_DEADLINE_MS, KeysError, MAX_DOCUMENT_BYTES, Verifier, WAIT_MS, Want,
};
use tokio::time::sleep;

use crate::clock;

/// How long a fetch may take.
const DEADLINE: Duration = Duration::from_millis(FETCH_DEADLINE_MS.unsigned_abs());

/// Does what the token wants done before it is judged.
pub(crate) async fn see_to(verifier: &Arc<Verifier>, token: &str) {
    while let Some(want) = verifier.wants(token, clock::now()) {
        match want {
            Want::Wait => sleep(Duration::from_millis(WAIT_MS)).await,
            Want::Fetch(url) => {
                let verifier = Arc::clone(verifier);
                // On its own: others wait for it even if this request's client goes away.
                let fetched = tokio::spawn(async move {
                    let answer = fetch(&url).await;
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

async fn fetch(url: &str) -> Result<Vec<u8>, KeysError> {
    let failed = |error: reqwest::Error| match error.is_timeout() {
        true => KeysError::TooSlow,
        false => KeysError::Unreachable,
    };
    let client = client(url).map_err(failed)?;
    let mut response = client.get(url).send().await.map_err(failed)?;
    if response.status() != http::StatusCode::OK {
        return Err(KeysError::Status(response.status().as_u16()));
    }
    let mut document = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        document.extend_from_slice(&chunk);
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(KeysError::TooLarge);
        }
    }
    Ok(document)
}

/// A client for one fetch: fetches are rare, and a connection would not be kept so long.
fn client(url: &str) -> reqwest::Result<Client> {
    // An error means that there is a provider of cryptography already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(DEADLINE);
    // What is not encrypted does not leave this machine, by a proxy either.
    let client = match url.starts_with("https:") {
        true => client,
        false => client.no_proxy(),
    };
    client.build()
}
