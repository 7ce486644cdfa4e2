//! A batch on its way to the downstream, and the answers that wait for it to arrive.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use signalroom_core::room::call::{Ack, Call, Push, Reply};
use signalroom_core::room::name::RoomName;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::registry::{Answer, Registry};

/// How long the downstream may take to answer before it counts as not reached.
const DEADLINE: Duration = Duration::from_secs(10);

/// A batch under way. The room goes on with other things meanwhile.
pub(super) struct Delivery(Pin<Box<dyn Future<Output = Option<Ack>> + Send>>);

impl Delivery {
    pub(super) fn new(push: Push, registry: Arc<Registry>) -> Self {
        Self(Box::pin(async move {
            let call = registry.call(&RoomName::Feed, Call::Receive(push));
            match timeout(DEADLINE, call).await {
                Ok(Ok(Reply::Received(ack))) => Some(ack),
                // Why it failed was logged where it failed.
                Ok(Ok(_) | Err(_)) | Err(_) => None,
            }
        }))
    }
}

/// Waits for the delivery's end; for ever without one.
pub(super) async fn arrival(delivery: &mut Option<Delivery>) -> Option<Ack> {
    match delivery {
        Some(Delivery(future)) => future.await,
        None => pending().await,
    }
}

/// An answer that waits until its events were delivered.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) reply: Reply,
    pub(super) answer: oneshot::Sender<Answer>,
    /// Since when it waits.
    pub(super) since: Instant,
    /// When it has waited long enough.
    pub(super) until: Instant,
    /// The first delivery that carries its events.
    pub(super) carrier: u64,
}

impl Waiting {
    /// Answers, with what the downstream said if it said something.
    pub(super) fn finish(mut self, ack: Option<&Ack>) {
        self.reply.settle(ack, self.since.elapsed());
        // The caller may have gone away.
        let _ = self.answer.send(Ok(self.reply));
    }
}
