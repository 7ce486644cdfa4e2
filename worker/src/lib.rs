//! The Worker: HTTP requests and cron, carried out as the core decided.
//!
//! Decides nothing: it reads bodies, asks rooms, and sends what comes out. What the core remembers
//! between requests is all that it holds.

mod body;
mod limit;

use futures_util::StreamExt;
use futures_util::stream;
use signalroom_core::api::{self, FAN_OUT, Job, Line, Next, Replies, Step, Timing};
use signalroom_core::config::Config;
use signalroom_core::room::call::RunReport;
use signalroom_durable_objects::platform::{now, ticks};
use signalroom_durable_objects::{ask, config, dev, fetch::fetch as fetch_elsewhere, keys};
use worker::{
    Context, Env, Error, Headers, Request, Response, Result, ScheduleContext, ScheduledEvent,
    console_error, console_log, console_warn, event,
};

pub use signalroom_durable_objects::Room;

/// Answers a request, or hands it to its room.
#[event(fetch)]
async fn fetch(mut request: Request, env: Env, _context: Context) -> Result<Response> {
    let config = match config::of(&env) {
        Ok(config) => config,
        Err(error) => return render(api::misconfigured(&error)),
    };
    if let Some(response) = dev::forward(&mut request, &env).await? {
        return Ok(response);
    }
    let timing = Timing::start(ticks());
    let next = api::begin(&config, head(&request)?, now());
    drive(&env, &config, next, Some(request), timing).await
}

/// A cron trigger fired.
#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    let cron = event.cron();
    let config = match config::of(&env) {
        Ok(config) => config,
        Err(error) => return console_error!("cron {cron}: {error}"),
    };
    let run = api::run(&config, &cron, &ask::fresh_id(), now());
    match drive(&env, &config, run, None, Timing::start(ticks())).await {
        Ok(mut response) => {
            let body = response.text().await.unwrap_or_default();
            // A line that is JSON is taken apart by Workers Logs.
            // <https://developers.cloudflare.com/workers/observability/logs/workers-logs/>
            match RunReport::read(&body) {
                Some(report) if report.is_troubled() => console_warn!("{}", report.summary()),
                Some(report) => console_log!("{}", report.summary()),
                None => console_error!("cron {cron}: {} {body}", response.status_code()),
            }
        }
        Err(error) => console_error!("cron {cron}: {error}"),
    }
}

/// Goes on until the core has an answer.
async fn drive(
    env: &Env,
    config: &Config,
    mut next: Next,
    mut request: Option<Request>,
    mut timing: Timing,
) -> Result<Response> {
    loop {
        timing.enter(&next, ticks());
        next = match next {
            Next::Reply(response) => return render(timing.seal(response)),
            Next::Keys { token, then } => {
                keys::see_to(&config.verifier, &token).await;
                then(now())
            }
            Next::Body { limit, then } => then(body::read(request.as_mut(), limit).await?, now()),
            Next::Limit { key, then } => then(limit::take(env, key).await, now()),
            Next::Call { calls, then } => {
                let asked = calls.iter().map(|(room, call)| ask::ask(env, room, call));
                let replies: Replies = stream::iter(asked).buffered(FAN_OUT).collect().await;
                timing.heard(&replies);
                then(replies, now())
            }
            Next::Work { jobs, then } => {
                let work = jobs.into_iter().map(|job| work(env, job));
                let lines = stream::iter(work).buffer_unordered(FAN_OUT).collect().await;
                then(lines, now())
            }
            Next::Upgrade { room, hello, .. } => {
                return ask::open_socket(env, &room, &hello).await;
            }
            Next::Static => return Response::error("not found", 404),
        };
    }
}

/// Goes on with a job until it has ended.
async fn work(env: &Env, job: Job) -> Line {
    let mut step = job(now());
    loop {
        step = match step {
            Step::Done(line) => return line,
            Step::Fetch { request, then } => then(fetch_elsewhere(&request).await, now()),
            Step::Call { room, call, then } => then(ask::ask(env, &room, &call).await, now()),
        };
    }
}

/// The request as the core reads it.
fn head(request: &Request) -> Result<api::Request> {
    let url = request.url()?;
    let mut headers = http::HeaderMap::new();
    // A name or value that HTTP does not allow cannot mean anything to us.
    for (name, value) in request.headers() {
        if let (Ok(name), Ok(value)) = (
            name.parse::<http::HeaderName>(),
            // Text beyond ASCII stays in: an Origin that nobody can read must not look absent.
            http::HeaderValue::from_bytes(value.as_bytes()),
        ) {
            headers.append(name, value);
        }
    }
    Ok(api::Request {
        // Not `Request::method`, which takes any method it does not know for GET.
        method: http::Method::from_bytes(request.inner().method().as_bytes())
            .map_err(|error| Error::RustError(error.to_string()))?,
        path: url.path().to_owned(),
        query: url.query().unwrap_or_default().to_owned(),
        // Set by the network in front of the Worker; a client's own is replaced there.
        peer: request.headers().get("cf-connecting-ip")?,
        nonce: format!("{}{}", ask::fresh_id(), ask::fresh_id()),
        secure: url.scheme() == "https",
        headers,
        // The runtime fires cron by itself, and `wrangler dev` has a route of its own for it.
        local: false,
    })
}

fn render(response: api::Response) -> Result<Response> {
    let headers = Headers::new();
    for (name, value) in &response.headers {
        headers.append(name, value)?;
    }
    // 204 and 304 may not carry a body, not even an empty one.
    let rendered = if response.body.is_empty() {
        Response::empty()?
    } else {
        Response::ok(response.body)?
    };
    Ok(rendered.with_status(response.status).with_headers(headers))
}
