//! A request's body, read no further than the core wants it.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use signalroom_core::api::Body;
use tokio::time::{timeout, timeout_at};

use crate::clock;
use crate::limits::Limits;

/// What a body gets on by in a step at least, bytes.
const STEP_BYTES: usize = 1024;
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
        /// How long it may take.
        limits: Limits,
    },
    /// From this process.
    Memory(Vec<u8>),
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It came too slowly.
    Late,
    /// It broke off, or was not framed as HTTP has it.
    Broken,
}

impl Upload {
    /// Reads at most `limit` bytes.
    ///
    /// # Errors
    /// [`Unread`] when the client did not send it all.
    pub(crate) async fn read(&mut self, limit: usize) -> Result<Body, Unread> {
        match self {
            Self::Memory(bytes) if bytes.len() > limit => Ok(Body::TooLarge),
            Self::Memory(bytes) => Ok(Body::Complete(std::mem::take(bytes))),
            Self::Wire {
                incoming,
                expects,
                limits,
            } => {
                let announced = usize::try_from(incoming.size_hint().lower()).unwrap_or(usize::MAX);
                if *expects && announced > limit {
                    return Ok(Body::TooLarge);
                }
                let body = timeout(limits.body, take(incoming, limit, limits.body_step))
                    .await
                    .unwrap_or(Err(Unread::Late));
                if matches!(body, Ok(Body::TooLarge)) {
                    // Most clients read no answer before they have sent everything. How it ends
                    // does not matter: the answer is the same.
                    let _ = timeout(DISCARD_DEADLINE, discard(incoming)).await;
                }
                body
            }
        }
    }
}

async fn take(incoming: &mut Incoming, limit: usize, step: Duration) -> Result<Body, Unread> {
    let mut bytes = Vec::new();
    let mut had = 0;
    let mut until = clock::in_(step);
    loop {
        let frame = match timeout_at(until, incoming.frame()).await {
            Ok(Some(frame)) => frame.map_err(|_| Unread::Broken)?,
            Ok(None) => return Ok(Body::Complete(bytes)),
            Err(_) if bytes.len() < had + STEP_BYTES => return Err(Unread::Late),
            Err(_) => {
                had = bytes.len();
                until = clock::in_(step);
                continue;
            }
        };
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > limit {
                return Ok(Body::TooLarge);
            }
            bytes.extend_from_slice(&data);
        }
    }
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
