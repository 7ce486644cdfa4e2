//! What tests ask of a room on a local runtime, and nobody else: only where the variable
//! `DEV_ROUTES` is `1`, which no deployed environment sets.

use worker::{Env, Request, Response, Result};

const PREFIX: &str = "/dev/";

/// Whether this is a question of a test; the room itself is only reached through [`forward`].
pub(crate) fn asks(request: &Request) -> bool {
    request.path().starts_with(PREFIX)
}

/// Hands `/dev/…` to a room of its own, if this deployment has the routes; none otherwise.
///
/// # Errors
/// The platform's, when the room cannot be reached.
pub async fn forward(request: &Request, env: &Env) -> Result<Option<Response>> {
    let open = env
        .var("DEV_ROUTES")
        .is_ok_and(|value| value.to_string() == "1");
    if !open || !asks(request) {
        return Ok(None);
    }
    let path = request.path();
    let room = path
        .trim_start_matches(PREFIX)
        .split_once('/')
        .map_or("", |(_, room)| room);
    let stub = env.durable_object("ROOM")?.get_by_name(room)?;
    let url = format!("http://room{path}");
    stub.fetch_with_str(&url).await.map(Some)
}

/// `/dev/instance/ROOM`: the id of the instance that answers, another one after hibernation.
pub(crate) fn answer(instance: &str) -> Result<Response> {
    Response::ok(instance)
}
