//! A request's body, read no further than the core wants it.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use signalroom_core::api::Body;
use tokio::time::timeout;

/// How long a client may take to send a body.
const DEADLINE: Duration = Duration::from_secs(60);
/// How much of a refused body is read and thrown away, so that the client gets to the answer.
const MAX_DISCARDED: usize = 32 * 1024 * 1024;
/// How long that may take.
const DISCARD_DEADLINE: Duration = Duration::from_secs(5);

/// Where a body comes from.
pub(crate) enum Upload {
    /// From a client.
    Wire {
        /// What it sends.
        incoming: Incoming,
        /// Whether it waits for a `100 Continue` before it does.
        expects: bool,
    },
    /// From this process.
    Memory(Vec<u8>),
}

impl Upload {
    /// Reads at most `limit` bytes; none when the client did not send it all.
    pub(crate) async fn read(&mut self, limit: usize) -> Option<Body> {
        match self {
            Self::Memory(bytes) if bytes.len() > limit => Some(Body::TooLarge),
            Self::Memory(bytes) => Some(Body::Complete(std::mem::take(bytes))),
            Self::Wire { incoming, expects } => {
                let announced = usize::try_from(incoming.size_hint().lower()).unwrap_or(usize::MAX);
                if *expects && announced > limit {
                    return Some(Body::TooLarge);
                }
                let body = timeout(DEADLINE, take(incoming, limit))
                    .await
                    .ok()
                    .flatten();
                if matches!(body, Some(Body::TooLarge)) {
                    // Most clients read no answer before they have sent everything. How it ends
                    // does not matter: the answer is the same.
                    let _ = timeout(DISCARD_DEADLINE, discard(incoming)).await;
                }
                body
            }
        }
    }
}

async fn take(incoming: &mut Incoming, limit: usize) -> Option<Body> {
    let mut bytes = Vec::new();
    while let Some(frame) = incoming.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            if bytes.len() + data.len() > limit {
                return Some(Body::TooLarge);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Some(Body::Complete(bytes))
}

async fn discard(incoming: &mut Incoming) {
    let mut seen = 0;
    while let Some(Ok(frame)) = incoming.frame().await {
        seen += frame.data_ref().map_or(0, bytes::Bytes::len);
        if seen > MAX_DISCARDED {
            return;
        }
    }
}
