//! Cron in process: fires scheduled runs when they are due by the time of day.
//!
//! An expression that was due while the machine slept fires once when it wakes, however often it
//! was due; and never twice for the same minute.

use std::sync::Arc;
use std::time::Duration;

use signalroom_core::api::{self, Timing};
use signalroom_core::cron::Cron;
use signalroom_core::room::call::RunReport;
use signalroom_core::time::Millis;
use tokio::time::sleep;

use crate::clock;
use crate::drive::{Outcome, drive};
use crate::http::Shared;
use crate::phase::Phase;
use crate::random;
use crate::upload::Upload;

/// How long it sleeps at most: the time of day may be set, and a machine may sleep meanwhile.
const LOOK: Duration = Duration::from_secs(20);

/// Fires until the server stops.
pub(crate) async fn run(crons: Vec<Cron>, shared: Arc<Shared>) {
    let mut phases = shared.phases.clone();
    tokio::select! {
        () = phases.reached(Phase::Draining) => {}
        () = fire(Timetable::new(crons, clock::now()), &shared) => {}
    }
}

async fn fire(mut timetable: Timetable, shared: &Shared) {
    while let Some(next) = timetable.next() {
        let left = next.0.saturating_sub(clock::now().0);
        sleep(Duration::from_millis(u64::try_from(left).unwrap_or_default()).min(LOOK)).await;
        for cron in timetable.due(clock::now()) {
            scheduled(&cron, shared).await;
        }
    }
}

/// One scheduled run, as `POST /runs` starts it.
pub(crate) async fn scheduled(cron: &str, shared: &Shared) {
    let upload = Upload::Memory(Vec::new());
    let next = api::run(&shared.config, cron, &random::hex::<8>(), clock::now());
    let outcome = drive(
        next,
        &shared.registry,
        upload,
        Timing::start(clock::ticks()),
    )
    .await;
    match outcome {
        Outcome::Reply(reply) if reply.status < 400 => tell(cron, &reply.body),
        Outcome::Reply(reply) => tracing::warn!(cron, problem = reply.body, "run"),
        Outcome::Upgrade { .. } | Outcome::Static | Outcome::Abandoned(_) => {
            tracing::error!(cron, "a run came to something that is no report");
        }
    }
}

/// Logs a run; louder when somebody should look at it, hardly when there was nothing to do.
fn tell(cron: &str, report: &str) {
    let Some(report) = RunReport::read(report) else {
        return tracing::error!(cron, "a run came to something that is no report");
    };
    let run = report.summary();
    if report.is_troubled() {
        tracing::warn!(cron, %run, "not all went well");
    } else if report.is_idle() {
        tracing::debug!(cron, %run, "nothing to do");
    } else {
        tracing::info!(cron, %run, "done");
    }
}

/// When each expression fires next.
struct Timetable(Vec<(Cron, Option<Millis>)>);

impl Timetable {
    fn new(crons: Vec<Cron>, now: Millis) -> Self {
        let rows = crons.into_iter().map(|cron| {
            let next = cron.next_after(now);
            (cron, next)
        });
        Self(rows.collect())
    }

    fn next(&self) -> Option<Millis> {
        self.0.iter().filter_map(|(_, next)| *next).min()
    }

    /// The expressions that are due, each once.
    fn due(&mut self, now: Millis) -> Vec<String> {
        let mut due = Vec::new();
        for (cron, next) in &mut self.0 {
            if next.is_some_and(|at| at <= now) {
                due.push(cron.to_string());
                *next = cron.next_after(now);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Millis {
        Millis::parse(text).expect("a time")
    }

    #[test]
    fn fires_once_a_minute_and_once_after_a_long_sleep() {
        let crons = ["* * * * *", "*/5 * * * *", "0 22 * * MON-FRI"];
        let crons = crons
            .iter()
            .map(|cron| cron.parse().expect("valid"))
            .collect();
        let mut timetable = Timetable::new(crons, at("2026-11-20T21:53:30Z"));
        assert_eq!(timetable.next(), Some(at("2026-11-20T21:54:00Z")));
        assert!(timetable.due(at("2026-11-20T21:53:59Z")).is_empty());
        assert_eq!(timetable.due(at("2026-11-20T21:54:00Z")), ["* * * * *"]);
        assert!(timetable.due(at("2026-11-20T21:54:59Z")).is_empty());
        let all = ["* * * * *", "*/5 * * * *", "0 22 * * MON-FRI"];
        assert_eq!(timetable.due(at("2026-11-20T23:17:10Z")), all);
        assert!(timetable.due(at("2026-11-20T23:17:30Z")).is_empty());
        // A clock that is set back fires nothing a second time.
        assert!(timetable.due(at("2026-11-20T22:00:00Z")).is_empty());
        assert_eq!(timetable.next(), Some(at("2026-11-20T23:18:00Z")));
    }
}
