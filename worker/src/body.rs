//! Request bodies, read no further than allowed.

use futures_util::StreamExt;
use signalroom_core::api::Body;
use worker::{Request, Result};

/// Reads at most `limit` bytes.
///
/// # Errors
/// The platform's, when the client goes away.
pub(crate) async fn read(request: Option<&mut Request>, limit: usize) -> Result<Body> {
    let mut bytes = Vec::new();
    let Some(request) = request else {
        return Ok(Body::Complete(bytes));
    };
    let declared = request.headers().get("content-length")?;
    if declared
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: usize| length > limit)
    {
        return Ok(Body::TooLarge);
    }
    if request.inner().body().is_none() {
        return Ok(Body::Complete(bytes));
    }
    let mut chunks = request.stream()?;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if bytes.len() + chunk.len() > limit {
            return Ok(Body::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Body::Complete(bytes))
}
