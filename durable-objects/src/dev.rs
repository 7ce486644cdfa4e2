//! What tests and benchmarks ask of a room on a local runtime, and nobody else: only where the
//! variable `DEV_ROUTES` is `1`, which no deployed environment sets.

use chrono::NaiveDate;
use signalroom_core::signals::{evaluate, parse_csv};
use signalroom_core::store::cases;
use worker::{Env, Method, Request, RequestInit, Response, Result};

use crate::sql::DurableSql;

const PREFIX: &str = "/dev/";

/// Whether this is a question of a test; the room itself is only reached through [`forward`].
pub(crate) fn asks(request: &Request) -> bool {
    request.path().starts_with(PREFIX)
}

/// Hands `/dev/…/ROOM` to that room, if this deployment has the routes; none otherwise.
///
/// # Errors
/// The platform's, when the room cannot be reached.
pub async fn forward(request: &mut Request, env: &Env) -> Result<Option<Response>> {
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
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_body(Some(request.text().await?.into()));
    let mut url = request.url()?;
    url.set_path(&path);
    let forwarded = Request::new_with_init(url.as_str(), &init)?;
    let stub = env.durable_object("ROOM")?.get_by_name(room)?;
    stub.fetch_with_request(forwarded).await.map(Some)
}

/// `/dev/instance/ROOM`: the id of the instance that answers, another one after hibernation.
/// `/dev/sql/ROOM`: the `Sql` cases on this runtime's SQLite, a line each.
/// `/dev/evaluate/ROOM?n=`: evaluates the bars of a CSV body so many times.
pub(crate) async fn answer(
    request: &mut Request,
    instance: &str,
    sql: &DurableSql,
) -> Result<Response> {
    let path = request.path();
    if path.starts_with("/dev/instance/") {
        Response::ok(instance)
    } else if path.starts_with("/dev/evaluate/") {
        evaluated(request).await
    } else {
        let outcomes = cases::cases()
            .into_iter()
            .map(|(name, case)| match case(sql) {
                Ok(()) => format!("ok {name}"),
                Err(error) => format!("failed {name}: {error}"),
            });
        Response::ok(outcomes.collect::<Vec<_>>().join("\n"))
    }
}

async fn evaluated(request: &mut Request) -> Result<Response> {
    let url = request.url()?;
    let times = url.query_pairs().find_map(|(name, value)| {
        if name == "n" {
            value.parse().ok()
        } else {
            None
        }
    });
    let body = request.bytes().await?;
    let Ok(parsed) = parse_csv(&body, NaiveDate::MAX) else {
        return Response::error("not bars", 422);
    };
    let mut trust = 0.0;
    for _ in 0..times.unwrap_or(1_u32) {
        let published = evaluate(&parsed.bars).published();
        trust += published.map_or(0.0, |published| published.combined_trust);
    }
    Response::ok(trust.to_string())
}
