//! Runs: what is due is fetched, kept, computed and told of, and what became of it is kept too.
//!
//! The feed hands out work; every symbol and series is a [`Job`] of its own, a few at a time; what
//! they learn of providers they share, so that one which is in trouble is not asked by everybody.

use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde_json::value::RawValue;

use super::jobs::{Board, Job, Line, compute, fetch, fetch_series, locked, look};
use super::problem::{Problem, Slug};
use super::reads::cursor;
use super::writes::{complete, optional_object, symbols, text};
use super::{Asked, Next, Response, failed, mixed_up};
use crate::config::Config;
use crate::room::call::{
    Call, Computed, Finished, Outcome, Plan, Planning, Reply, RunName, RunReport,
};
use crate::room::name::RoomName;
use crate::symbol::Symbol;
use crate::time::Millis;
use crate::wire::limits::{MAX_JSON_BODY, MAX_LIMIT};

/// Longest `cron` of a run, characters; it is only ever echoed.
pub(super) const MAX_CRON_CHARS: usize = 100;

/// The symbol that stands for the market.
const BENCHMARK: &str = "SPY";

/// Closes of it that are looked at: a year's percentiles of a 125-session mean, and some more.
const CLOSES: u32 = 420;

/// What a run is for.
#[derive(Debug, Clone, Default)]
pub(super) struct Purpose {
    /// What started it.
    pub(super) cron: String,
    /// These symbols alone.
    pub(super) only: Option<Vec<Symbol>>,
    /// Whether their whole history is wanted.
    pub(super) backfill: bool,
}

pub(super) fn start(asked: Asked) -> Next {
    Next::Body {
        limit: MAX_JSON_BODY,
        then: Box::new(move |body, now| {
            let purpose = complete(body, MAX_JSON_BODY).and_then(|bytes| purpose(&bytes));
            match purpose {
                Ok(purpose) => run(&asked.config, purpose, &asked.request.nonce, now),
                Err(problem) => problem.into(),
            }
        }),
    }
}

fn purpose(bytes: &[u8]) -> Result<Purpose, Problem> {
    let members = optional_object(bytes)?;
    let backfill = match members.get("backfill") {
        None | Some(serde_json::Value::Null) => false,
        Some(serde_json::Value::Bool(backfill)) => *backfill,
        Some(_) => {
            return Err(Problem::invalid(
                "/backfill",
                "\"backfill\" must be true or false.",
            ));
        }
    };
    let only = symbols(&members, MAX_LIMIT as usize)?;
    if backfill && only.is_none() {
        let detail = "A backfill names its \"symbols\".";
        return Err(Problem::invalid("/symbols", detail));
    }
    Ok(Purpose {
        cron: text(&members, "cron", MAX_CRON_CHARS)?.unwrap_or_else(|| "manual".to_owned()),
        only,
        backfill,
    })
}

pub(super) fn local(asked: &Asked, now: Millis) -> Result<Next, Problem> {
    if !asked.request.local {
        return Err(Problem::new(Slug::NotFound, "There is no such address."));
    }
    let purpose = Purpose {
        cron: asked.params.text("cron").unwrap_or("manual").to_owned(),
        ..Purpose::default()
    };
    Ok(run(&asked.config, purpose, &asked.request.nonce, now))
}

/// Asks the feed what is to be done, does it, and tells the feed. `nonce` is random.
pub(super) fn run(config: &Arc<Config>, purpose: Purpose, nonce: &str, now: Millis) -> Next {
    let config = Arc::clone(config);
    let name = RunName {
        id: nonce.chars().take(16).collect(),
        cron: purpose.cron,
    };
    let planning = Planning {
        run: Some(name.clone()),
        watchlist: config.watchlist.clone(),
        means: config.supply.means(),
        only: purpose.only,
        backfill: purpose.backfill,
    };
    let calls = vec![(RoomName::Feed, Call::Plan(Box::new(planning)))];
    Next::Call {
        calls,
        then: Box::new(move |mut replies, _| match replies.pop() {
            Some(Ok(Reply::Planned(plan))) => carry_out(&config, name, plan, now),
            Some(Err(error)) => failed(error, None, false).into(),
            Some(Ok(_)) | None => mixed_up().into(),
        }),
    }
}

fn carry_out(config: &Arc<Config>, name: RunName, plan: Plan, started_at: Millis) -> Next {
    let mut report = RunReport {
        id: name.id,
        cron: name.cron,
        started_at,
        deferred: plan.deferred,
        ..RunReport::default()
    };
    if plan.overdue {
        report.overdue.push(RoomName::Feed);
    }
    let board = Arc::new(Mutex::new(Board::new(config, &plan)));
    let series = plan.series.into_iter().map(|it| fetch_series(it, &board));
    let symbols = plan.fetch.into_iter().map(|it| fetch(it, &board));
    let dirty = plan.dirty.into_iter().map(compute);
    let look = plan.look.into_iter().map(look);
    let jobs: Vec<Job> = dirty.chain(series).chain(symbols).chain(look).collect();
    let config = Arc::clone(config);
    Next::Work {
        jobs,
        then: Box::new(move |lines, _| {
            let mut lines = lines;
            // They end in any order.
            lines.sort_by(|a, b| a.key().cmp(&b.key()));
            for line in lines {
                take_down(&mut report, line);
            }
            let finished = Finished {
                report,
                providers: locked(&board).reports(),
                benchmark: None,
                means: config.supply.means(),
                watchlist: config.watchlist.clone(),
            };
            with_benchmark(finished)
        }),
    }
}

fn take_down(report: &mut RunReport, line: Line) {
    match line {
        Line::Looked { overdue: false, .. } => {}
        Line::Looked { symbol, .. } => report.overdue.push(RoomName::Symbol(symbol)),
        Line::Unreached(symbol) => report.failed.push(symbol),
        Line::Series(outcome) => report.series.push(outcome),
        Line::Symbol {
            outcome,
            computed,
            reached,
        } => {
            if let Some(computed) = computed {
                report.planned += 1;
                match computed {
                    Computed::New => report.new += 1,
                    Computed::Unchanged => report.unchanged += 1,
                    Computed::InsufficientHistory => report.insufficient_history += 1,
                }
            }
            if !reached {
                report.planned += 1;
                report.failed.push(outcome.symbol.clone());
            }
            match (outcome.fetched, outcome.provider) {
                (true, Some(_)) => report.fetched += 1,
                // Nobody was asked; what was sent may have been computed all the same.
                (true, None) if outcome.error.is_none() => report.deferred += 1,
                (true, None) => report.unfetched += 1,
                (false, _) => {}
            }
            report.outcomes.push(outcome);
        }
    }
}

/// Asks for the benchmark's closes if they may have changed.
fn with_benchmark(mut finished: Finished) -> Next {
    let benchmark: Option<Symbol> = BENCHMARK.parse().ok();
    let changed = finished
        .report
        .outcomes
        .iter()
        .any(|it| Some(&it.symbol) == benchmark.as_ref() && it.outcome != Outcome::Deferred);
    let Some(symbol) = benchmark.filter(|_| changed) else {
        return finish(finished);
    };
    let call = Call::Closes { limit: CLOSES };
    Next::Call {
        calls: vec![(RoomName::Symbol(symbol), call)],
        then: Box::new(move |mut replies, _| {
            // Without them the feed goes by those it has.
            if let Some(Ok(Reply::Closes(closes))) = replies.pop() {
                finished.benchmark = Some(closes);
            }
            finish(finished)
        }),
    }
}

fn finish(finished: Finished) -> Next {
    let call = Call::Finish(Box::new(finished));
    super::ask(RoomName::Feed, call, |reply| {
        match reply.map_err(|error| failed(error, None, false))? {
            Reply::Finished(report) => Ok(Response::json(200, &report)),
            _ => Err(mixed_up()),
        }
    })
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct RunList {
    /// The runs.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<RunReport>))]
    runs: Vec<Box<RawValue>>,
    /// Where the next page starts; null on the last.
    #[cfg_attr(feature = "openapi", schema(required))]
    next_cursor: Option<String>,
}

pub(super) fn list(asked: &Asked) -> Result<Next, Problem> {
    let page = asked.params.page()?;
    Ok(super::ask(
        RoomName::Feed,
        Call::Runs { page },
        |reply| match reply.map_err(|error| failed(error, None, false))? {
            Reply::Runs(slice) => {
                let next_cursor = cursor(&slice);
                let runs = slice.items;
                Ok(Response::json(200, &RunList { runs, next_cursor }))
            }
            _ => Err(mixed_up()),
        },
    ))
}
