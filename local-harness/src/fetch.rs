//! Fetches, as the core wants them: no redirects, no longer and no larger than it says.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, redirect};
use signalroom_core::fetch::{Answer, FetchError, Fetched, Request};

/// Makes the request.
pub(crate) async fn fetch(request: &Request) -> Fetched {
    let failed = |error: reqwest::Error| match error.is_timeout() {
        true => FetchError::TooSlow,
        false => FetchError::Unreachable,
    };
    let deadline = Duration::from_millis(request.deadline_ms.into());
    let mut asked = client(&request.url)?.get(&request.url).timeout(deadline);
    for (name, value) in &request.headers {
        asked = asked.header(*name, value);
    }
    let mut response = asked.send().await.map_err(failed)?;
    let headers = response.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), value.into_owned())
    });
    let headers = headers.collect();
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > request.max_bytes {
            return Err(FetchError::TooLarge);
        }
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// The client for an address; its connections are kept for the next fetch.
fn client(url: &str) -> Result<&'static Client, FetchError> {
    static ENCRYPTED: OnceLock<Option<Client>> = OnceLock::new();
    static PLAIN: OnceLock<Option<Client>> = OnceLock::new();
    let build = |proxied: bool| {
        // An error means that there is a provider of cryptography already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(redirect::Policy::none());
        let client = if proxied { client } else { client.no_proxy() };
        match client.build() {
            Ok(client) => Some(client),
            Err(error) => {
                tracing::error!(%error, "nothing can be fetched");
                None
            }
        }
    };
    // What is not encrypted does not leave this machine, by a proxy either.
    let client = match url.starts_with("https:") {
        true => ENCRYPTED.get_or_init(|| build(true)),
        false => PLAIN.get_or_init(|| build(false)),
    };
    client.as_ref().ok_or(FetchError::Unreachable)
}
