//! The Worker: HTTP requests and cron, handed to the room they are for.
//!
//! Holds no state and decides nothing: what a request means is the core's business.

use std::collections::BTreeMap;

pub use signalroom_durable_objects::Room;
use worker::{Context, Env, Request, Response, Result, ScheduleContext, ScheduledEvent, event};

/// Answers a request, or hands it to its room.
#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let path = request.path();
    if path == "/healthz" {
        return Response::from_json(&BTreeMap::from([("status", "ok")]));
    }
    match path.strip_prefix("/ws/") {
        Some(name) => {
            let room = env.durable_object("ROOM")?.get_by_name(name)?;
            room.fetch_with_request(request).await
        }
        None => Response::error("not found", 404),
    }
}

/// A cron trigger fired.
#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, _env: Env, _context: ScheduleContext) {
    worker::console_log!("cron {}", event.cron());
}
