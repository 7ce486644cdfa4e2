//! Carries out what the core wants next, until there is an outcome.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use signalroom_core::api::{FAN_OUT, Job, Line, Next, Replies, Response, Step, Timing};
use signalroom_core::room::name::RoomName;
use signalroom_core::room::socket::Hello;

use crate::clock;
use crate::fetch::fetch;
use crate::keys;
use crate::room::Registry;
use crate::upload::{Unread, Upload};

/// What a request comes to.
pub(crate) enum Outcome {
    /// Send this.
    Reply(Response),
    /// Accept a WebSocket.
    Upgrade {
        /// Who holds it.
        room: RoomName,
        /// Who it is.
        hello: Box<Hello>,
        /// The subprotocol to answer with.
        protocol: Option<&'static str>,
    },
    /// A static file, or nothing.
    Static,
    /// The body did not come.
    Abandoned(Unread),
}

/// Goes on until there is an outcome. `upload` is the request's body, `timing` runs since the
/// request is looked at.
pub(crate) async fn drive(
    mut next: Next,
    registry: &Arc<Registry>,
    mut upload: Upload,
    mut timing: Timing,
) -> Outcome {
    loop {
        timing.enter(&next, clock::ticks());
        next = match next {
            Next::Reply(response) => return Outcome::Reply(timing.seal(response)),
            Next::Static => return Outcome::Static,
            Next::Upgrade {
                room,
                hello,
                protocol,
            } => {
                return Outcome::Upgrade {
                    room,
                    hello,
                    protocol,
                };
            }
            Next::Keys { token, then } => {
                keys::see_to(registry.verifier(), &token).await;
                then(clock::now())
            }
            Next::Body { limit, then } => match upload.read(limit).await {
                Ok(body) => then(body, clock::now()),
                Err(why) => return Outcome::Abandoned(why),
            },
            Next::Limit { key, then } => {
                let now = clock::now();
                then(registry.settings.reads.take(&key, now), now)
            }
            Next::Call { calls, then } => {
                let asked = calls.into_iter().map(|(room, call)| {
                    let registry = Arc::clone(registry);
                    async move { registry.call(&room, call).await }
                });
                let replies: Replies = stream::iter(asked).buffered(FAN_OUT).collect().await;
                timing.heard(&replies);
                then(replies, clock::now())
            }
            Next::Work { jobs, then } => {
                let work = |job| work(job, Arc::clone(registry));
                let work: Vec<_> = jobs.into_iter().map(work).collect();
                let lines = stream::iter(work).buffer_unordered(FAN_OUT).collect().await;
                then(lines, clock::now())
            }
        };
    }
}

/// Goes on with a job until it has ended.
async fn work(job: Job, registry: Arc<Registry>) -> Line {
    let mut step = job(clock::now());
    loop {
        step = match step {
            Step::Done(line) => return line,
            Step::Fetch { request, then } => then(fetch(&request).await, clock::now()),
            Step::Call { room, call, then } => {
                then(registry.call(&room, *call).await, clock::now())
            }
        };
    }
}
