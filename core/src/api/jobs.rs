//! The jobs of a run: each goes on by itself, from one fetch or call to the next.

use std::sync::{Arc, Mutex};

use super::runs::{is_unknown, locked};
use crate::config::Config;
use crate::fetch::{self, Fetched};
use crate::market::provider::{self, Bars, Need, Provider, ProviderError, Told, Validator};
use crate::market::series::{self, Observations};
use crate::room::call::{
    Call, CallError, Computed, Errand, Grant, Ingest, Ingested, Outcome, ProviderReport, Reply,
    SeriesErrand, SeriesOutcome, SymbolOutcome,
};
use crate::room::name::RoomName;
use crate::symbol::Symbol;
use crate::time::Millis;

/// Something a run does, by itself. It is begun when there is room for it.
pub type Job = Box<dyn FnOnce(Millis) -> Step + Send>;

/// How a job goes on after a fetch.
type AfterFetch = Box<dyn FnOnce(Fetched, Millis) -> Step + Send>;

/// How a job goes on after a call.
type AfterCall = Box<dyn FnOnce(Result<Reply, CallError>, Millis) -> Step + Send>;

/// What a job does next.
pub enum Step {
    /// Fetch this.
    Fetch {
        /// What.
        request: fetch::Request,
        /// Goes on with what came.
        then: AfterFetch,
    },
    /// Ask this room.
    Call {
        /// Whom.
        room: RoomName,
        /// What.
        call: Box<Call>,
        /// Goes on with the reply.
        then: AfterCall,
    },
    /// It has ended.
    Done(Line),
}

/// A line of a run's report.
#[derive(Debug)]
pub enum Line {
    /// A symbol was fetched or computed.
    Symbol {
        /// What became of it.
        outcome: SymbolOutcome,
        /// What was computed, if anything.
        computed: Option<Computed>,
        /// Whether its room answered.
        reached: bool,
    },
    /// A series was fetched.
    Series(SeriesOutcome),
    /// A room was looked at.
    Looked {
        /// Whose.
        symbol: Symbol,
        /// Whether its alarm had not come.
        overdue: bool,
    },
    /// A room that was to be looked at could not be.
    Unreached(Symbol),
}

impl Line {
    /// What orders the lines of a report.
    pub(super) fn key(&self) -> (&str, bool) {
        match self {
            Self::Series(outcome) => (outcome.series.as_str(), true),
            Self::Symbol { outcome, .. } => (outcome.symbol.as_str(), false),
            Self::Looked { symbol, .. } | Self::Unreached(symbol) => (symbol.as_str(), true),
        }
    }
}

/// Outages in a row after which a provider is not asked any more in this run.
const MAX_OUTAGES: u32 = 3;

/// What the jobs of a run share.
#[derive(Debug)]
pub(super) struct Board {
    config: Arc<Config>,
    providers: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    provider: Provider,
    left: u32,
    asked: u32,
    answered: bool,
    outages: u32,
    closed: bool,
    retry_after: Option<i64>,
}

impl Board {
    pub(super) fn new(config: &Arc<Config>, grants: &[Grant]) -> Self {
        let entry = |grant: &Grant| Entry {
            provider: grant.provider,
            left: grant.requests,
            asked: 0,
            answered: false,
            outages: 0,
            closed: false,
            retry_after: None,
        };
        Self {
            config: Arc::clone(config),
            providers: grants.iter().map(entry).collect(),
        }
    }

    /// How the providers did.
    pub(super) fn reports(&self) -> Vec<ProviderReport> {
        let asked = self.providers.iter().filter(|it| it.asked > 0);
        asked
            .map(|it| ProviderReport {
                provider: it.provider,
                asked: it.asked,
                answered: it.answered,
                outage: it.closed,
                retry_after: it.retry_after,
            })
            .collect()
    }

    /// The first provider that is fit, may be asked and was not yet; one request is taken from it.
    fn next(&mut self, tried: &[Provider], fit: impl Fn(Provider) -> bool) -> Option<Provider> {
        let open = |it: &&mut Entry| !it.closed && it.left > 0;
        let entry = self
            .providers
            .iter_mut()
            .filter(open)
            .find(|it| fit(it.provider) && !tried.contains(&it.provider))?;
        entry.left -= 1;
        entry.asked += 1;
        Some(entry.provider)
    }

    /// One more request of a provider that was just asked.
    fn again(&mut self, provider: Provider) -> bool {
        let open = |it: &&mut Entry| it.provider == provider && !it.closed && it.left > 0;
        self.providers.iter_mut().find(open).is_some_and(|entry| {
            entry.left -= 1;
            entry.asked += 1;
            true
        })
    }

    fn note<T>(&mut self, provider: Provider, result: &Result<T, ProviderError>) {
        let Some(entry) = self.providers.iter_mut().find(|it| it.provider == provider) else {
            return;
        };
        match result {
            Err(ProviderError::RateLimited { retry_after }) => {
                entry.closed = true;
                entry.retry_after = entry.retry_after.max(*retry_after);
            }
            Err(error) if error.is_outage() => {
                entry.outages += 1;
                entry.closed |= entry.outages >= MAX_OUTAGES;
            }
            Err(_) => {}
            Ok(_) => {
                entry.answered = true;
                entry.outages = 0;
            }
        }
    }
}

type Shared = Arc<Mutex<Board>>;

/// Computes a symbol's signal from the bars it has.
pub(super) fn compute(symbol: Symbol) -> Job {
    Box::new(move |started| compute_only(Attempt::new(symbol, started)))
}

/// Looks at a symbol's room.
pub(super) fn look(symbol: Symbol) -> Job {
    Box::new(move |_| Step::Call {
        room: RoomName::Symbol(symbol.clone()),
        call: Box::new(Call::Look),
        then: Box::new(move |reply, _| {
            Step::Done(match reply {
                Ok(Reply::Looked { overdue }) => Line::Looked { symbol, overdue },
                Ok(_) | Err(_) => Line::Unreached(symbol),
            })
        }),
    })
}

/// Fetches a symbol's bars and has them kept and computed.
pub(super) fn fetch(errand: Errand, board: &Shared) -> Job {
    let board = Arc::clone(board);
    Box::new(move |started| {
        let mut attempt = Attempt::new(errand.symbol.clone(), started);
        attempt.outcome.fetched = true;
        let need = Need {
            symbol: errand.symbol.clone(),
            from: errand.from,
            to: started.date(),
        };
        ask_next(errand, need, attempt, board)
    })
}

/// A symbol's job on its way.
struct Attempt {
    started: Millis,
    tried: Vec<Provider>,
    errors: Vec<String>,
    refetched: bool,
    outcome: SymbolOutcome,
}

impl Attempt {
    fn new(symbol: Symbol, started: Millis) -> Self {
        Self {
            started,
            tried: Vec::new(),
            errors: Vec::new(),
            refetched: false,
            outcome: SymbolOutcome {
                symbol,
                provider: None,
                outcome: Outcome::Failed,
                bars: None,
                rejected: 0,
                duration_ms: 0,
                error: None,
                fetched: false,
                validator: None,
            },
        }
    }

    fn failed(&mut self, provider: Provider, error: &impl std::fmt::Display) {
        self.errors.push(format!("{provider}: {error}"));
    }

    /// The end, with what was computed.
    fn done(mut self, computed: Option<Computed>, reached: bool, now: Millis) -> Step {
        if let Some(computed) = computed {
            self.outcome.outcome = computed.into();
        }
        self.outcome.duration_ms = (now.0 - self.started.0).max(0);
        self.outcome.error = joined(&self.errors);
        Step::Done(Line::Symbol {
            outcome: self.outcome,
            computed,
            reached,
        })
    }
}

fn joined(errors: &[String]) -> Option<String> {
    (!errors.is_empty()).then(|| errors.join("; "))
}

/// Asks the next provider, until there is none.
fn ask_next(errand: Errand, need: Need, mut attempt: Attempt, board: Shared) -> Step {
    loop {
        let next = locked(&board).next(&attempt.tried, Provider::has_bars);
        let Some(provider) = next else {
            return nobody_left(&errand, attempt);
        };
        attempt.tried.push(provider);
        let endpoints = locked(&board).config.supply.endpoints.clone();
        match provider::plan(provider, &need, &endpoints, errand.validator.as_ref()) {
            Ok(request) => return ask(provider, request, errand, need, attempt, board),
            Err(error) => attempt.failed(provider, &error),
        }
    }
}

/// Whoever might have the bars was asked in vain, or may not be asked.
fn nobody_left(errand: &Errand, mut attempt: Attempt) -> Step {
    if attempt.tried.is_empty() {
        attempt.outcome.outcome = Outcome::Deferred;
    }
    if errand.dirty {
        return compute_only(attempt);
    }
    let now = attempt.started;
    attempt.done(None, true, now)
}

fn ask(
    provider: Provider,
    request: fetch::Request,
    errand: Errand,
    need: Need,
    mut attempt: Attempt,
    board: Shared,
) -> Step {
    Step::Fetch {
        request,
        then: Box::new(move |fetched, now| {
            let endpoints = locked(&board).config.supply.endpoints.clone();
            let told = provider::parse(provider, &need, &endpoints, fetched, now);
            locked(&board).note(provider, &told);
            attempt.outcome.duration_ms = (now.0 - attempt.started.0).max(0);
            match told {
                Ok(Told::New(bars)) => keep(provider, bars, errand, need, attempt, board),
                Ok(Told::Unchanged) => {
                    attempt.outcome.provider = Some(provider);
                    attempt.outcome.validator = errand.validator;
                    if errand.dirty {
                        return compute_only(attempt);
                    }
                    attempt.outcome.outcome = Outcome::Unchanged;
                    attempt.done(None, true, now)
                }
                Err(error) => {
                    attempt.failed(provider, &error);
                    ask_next(errand, need, attempt, board)
                }
            }
        }),
    }
}

fn keep(
    provider: Provider,
    bars: Bars,
    errand: Errand,
    need: Need,
    mut attempt: Attempt,
    board: Shared,
) -> Step {
    let Bars {
        bars,
        rejected,
        validator,
    } = bars;
    let ingest = Ingest {
        provider,
        from: need.from,
        to: need.to,
        bars,
        rejected,
    };
    Step::Call {
        room: RoomName::Symbol(errand.symbol.clone()),
        call: Box::new(Call::Ingest(ingest)),
        then: Box::new(move |reply, now| match reply {
            Ok(Reply::Ingested(Ingested {
                refetch: Some(from),
                ..
            })) => refetch(provider, from, errand, need, attempt, board),
            Ok(Reply::Ingested(Ingested {
                counts, computed, ..
            })) => {
                attempt.outcome.provider = Some(provider);
                attempt.outcome.bars = Some(counts);
                attempt.outcome.rejected = rejected;
                attempt.outcome.validator = validator;
                attempt.outcome.outcome = Outcome::Unchanged;
                attempt.done(computed, true, now)
            }
            Ok(_) | Err(_) => {
                attempt.errors.push(NO_ROOM.to_owned());
                attempt.done(None, false, now)
            }
        }),
    }
}

/// What is said of a room that could not be asked.
const NO_ROOM: &str = "the symbol's room could not be asked";

/// What is held is adjusted otherwise: the whole history is asked for, once.
fn refetch(
    provider: Provider,
    from: chrono::NaiveDate,
    errand: Errand,
    need: Need,
    mut attempt: Attempt,
    board: Shared,
) -> Step {
    let may = !attempt.refetched && locked(&board).again(provider);
    attempt.refetched = true;
    if !may {
        attempt.failed(
            provider,
            &"its bars are adjusted otherwise, and it may not be asked again",
        );
        return ask_next(errand, need, attempt, board);
    }
    let whole = Need { from, ..need };
    let endpoints = locked(&board).config.supply.endpoints.clone();
    match provider::plan(provider, &whole, &endpoints, None) {
        Ok(request) => ask(provider, request, errand, whole, attempt, board),
        Err(error) => {
            attempt.failed(provider, &error);
            ask_next(errand, whole, attempt, board)
        }
    }
}

/// Computes without new bars.
fn compute_only(mut attempt: Attempt) -> Step {
    Step::Call {
        room: RoomName::Symbol(attempt.outcome.symbol.clone()),
        call: Box::new(Call::Compute),
        then: Box::new(move |reply, now| match reply {
            Ok(Reply::Computed(computed)) => attempt.done(Some(computed), true, now),
            Err(error) if is_unknown(&error) && attempt.outcome.fetched => {
                attempt.done(None, true, now)
            }
            Ok(_) | Err(_) => {
                attempt.errors.push(NO_ROOM.to_owned());
                attempt.done(None, false, now)
            }
        }),
    }
}

/// Fetches a series.
pub(super) fn fetch_series(errand: SeriesErrand, board: &Shared) -> Job {
    let board = Arc::clone(board);
    Box::new(move |started| {
        let attempt = SeriesAttempt {
            errand,
            started,
            tried: Vec::new(),
            errors: Vec::new(),
        };
        ask_next_for_series(attempt, board)
    })
}

/// A series' job on its way.
struct SeriesAttempt {
    errand: SeriesErrand,
    started: Millis,
    tried: Vec<Provider>,
    errors: Vec<String>,
}

impl SeriesAttempt {
    fn done(
        self,
        provider: Option<Provider>,
        outcome: Outcome,
        came: Observations,
        now: Millis,
    ) -> Step {
        Step::Done(Line::Series(SeriesOutcome {
            series: self.errand.series,
            provider,
            outcome,
            duration_ms: (now.0 - self.started.0).max(0),
            error: joined(&self.errors),
            values: came.values,
            validator: came.validator,
        }))
    }
}

fn ask_next_for_series(mut attempt: SeriesAttempt, board: Shared) -> Step {
    let SeriesErrand {
        series,
        from,
        validator,
    } = attempt.errand.clone();
    let endpoints = locked(&board).config.supply.endpoints.clone();
    loop {
        let fit = |provider| series.providers().contains(&provider);
        let next = locked(&board).next(&attempt.tried, fit);
        let Some(provider) = next else {
            let outcome = match attempt.tried.is_empty() {
                true => Outcome::Deferred,
                false => Outcome::Failed,
            };
            let now = attempt.started;
            return attempt.done(None, outcome, Observations::default(), now);
        };
        attempt.tried.push(provider);
        let validator: Option<&Validator> = validator.as_ref();
        match series::plan(provider, series, from, &endpoints, validator) {
            Ok(request) => return ask_for_series(provider, request, attempt, board),
            Err(error) => attempt.errors.push(format!("{provider}: {error}")),
        }
    }
}

fn ask_for_series(
    provider: Provider,
    request: fetch::Request,
    mut attempt: SeriesAttempt,
    board: Shared,
) -> Step {
    Step::Fetch {
        request,
        then: Box::new(move |fetched, now| {
            let endpoints = locked(&board).config.supply.endpoints.clone();
            let (name, from) = (attempt.errand.series, attempt.errand.from);
            let told = series::parse(provider, name, from, &endpoints, fetched, now);
            locked(&board).note(provider, &told);
            match told {
                Ok(Told::New(came)) => attempt.done(Some(provider), Outcome::New, came, now),
                Ok(Told::Unchanged) => {
                    let same = Observations {
                        validator: attempt.errand.validator.clone(),
                        ..Observations::default()
                    };
                    attempt.done(Some(provider), Outcome::Unchanged, same, now)
                }
                Err(error) => {
                    attempt.errors.push(format!("{provider}: {error}"));
                    ask_next_for_series(attempt, board)
                }
            }
        }),
    }
}
