//! Cron in process: fires scheduled runs when they are due by the time of day.
//!
//! An expression that was due while the machine slept fires once when it wakes, however often it
//! was due. A clock that is set back by less than a period fires nothing a second time; set back
//! by more, the next time is computed anew, so that no expression stands still until the clock
//! has caught up.

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
struct Timetable(Vec<Entry>);

/// One expression.
struct Entry {
    cron: Cron,
    next: Option<Millis>,
    /// When it fired last.
    fired: Option<Millis>,
}

impl Entry {
    fn new(cron: Cron, now: Millis) -> Self {
        let next = cron.next_after(now);
        Self {
            cron,
            next,
            fired: None,
        }
    }

    /// Computes the next time anew if the clock was set back since it was computed: there is an
    /// earlier one then, and not just the minute in which it fired last.
    fn follow(&mut self, now: Millis) {
        let earliest = self.cron.next_after(now);
        let (Some(earlier), Some(planned)) = (earliest, self.next) else {
            return;
        };
        let fired = self.fired.is_some_and(|at| minute(at) == minute(earlier));
        if earlier < planned && !fired {
            tracing::warn!(cron = %self.cron, %planned, next = %earlier, "the clock was set back");
            self.next = earliest;
        }
    }
}

fn minute(at: Millis) -> i64 {
    at.0.div_euclid(60_000)
}

impl Timetable {
    fn new(crons: Vec<Cron>, now: Millis) -> Self {
        let entries = crons.into_iter().map(|cron| Entry::new(cron, now));
        Self(entries.collect())
    }

    fn next(&self) -> Option<Millis> {
        self.0.iter().filter_map(|entry| entry.next).min()
    }

    /// The expressions that are due, each once.
    fn due(&mut self, now: Millis) -> Vec<String> {
        let mut due = Vec::new();
        for entry in &mut self.0 {
            entry.follow(now);
            if entry.next.is_some_and(|at| at <= now) {
                due.push(entry.cron.to_string());
                entry.next = entry.cron.next_after(now);
                entry.fired = Some(now);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 3] = ["* * * * *", "*/5 * * * *", "0 22 * * MON-FRI"];

    fn at(text: &str) -> Millis {
        Millis::parse(text).expect("a time")
    }

    fn timetable(start: &str) -> Timetable {
        let crons = ALL.iter().map(|cron| cron.parse().expect("valid"));
        Timetable::new(crons.collect(), at(start))
    }

    #[test]
    fn fires_once_a_minute_and_once_after_a_long_sleep() {
        let mut timetable = timetable("2026-11-20T21:53:30Z");
        assert_eq!(timetable.next(), Some(at("2026-11-20T21:54:00Z")));
        assert!(timetable.due(at("2026-11-20T21:53:59Z")).is_empty());
        assert_eq!(timetable.due(at("2026-11-20T21:54:00Z")), ["* * * * *"]);
        assert!(timetable.due(at("2026-11-20T21:54:59Z")).is_empty());
        assert_eq!(timetable.due(at("2026-11-20T23:17:10Z")), ALL);
        assert!(timetable.due(at("2026-11-20T23:17:30Z")).is_empty());
    }

    #[test]
    fn clock_set_back_by_seconds_fires_no_minute_twice() {
        let mut timetable = timetable("2026-11-20T21:59:30Z");
        assert_eq!(timetable.due(at("2026-11-20T22:00:00Z")), ALL);
        for again in ["2026-11-20T21:59:57Z", "2026-11-20T22:00:00Z"] {
            assert!(timetable.due(at(again)).is_empty(), "{again}");
        }
        assert_eq!(timetable.next(), Some(at("2026-11-20T22:01:00Z")));
        assert_eq!(timetable.due(at("2026-11-20T22:01:00Z")), ["* * * * *"]);
    }

    #[test]
    fn clock_set_back_by_more_than_a_period_does_not_stop_cron() {
        // A Saturday by the clock; a Friday, once it is right.
        let mut timetable = timetable("2026-11-21T12:00:30Z");
        assert_eq!(timetable.due(at("2026-11-21T12:01:00Z")), ["* * * * *"]);
        assert!(timetable.due(at("2026-11-20T12:01:20Z")).is_empty());
        assert_eq!(timetable.next(), Some(at("2026-11-20T12:02:00Z")));
        assert_eq!(timetable.due(at("2026-11-20T12:02:00Z")), ["* * * * *"]);
        assert_eq!(timetable.due(at("2026-11-20T12:05:00Z")), &ALL[..2]);
        assert_eq!(timetable.due(at("2026-11-20T22:00:00Z")), ALL);
    }

    #[test]
    fn daily_run_that_fired_on_time_is_not_repeated_after_a_set_back_of_hours() {
        let mut timetable = timetable("2026-11-20T21:59:30Z");
        assert_eq!(timetable.due(at("2026-11-20T22:00:00Z")), ALL);
        assert!(timetable.due(at("2026-11-20T19:59:00Z")).is_empty());
        assert_eq!(timetable.due(at("2026-11-20T20:00:00Z")), &ALL[..2]);
        assert_eq!(timetable.due(at("2026-11-20T22:00:00Z")), &ALL[..2]);
    }
}
