//! A symbol's job: its bars are asked for of one provider after the other, kept, and computed.

use std::sync::Arc;

use super::{Admitted, Job, Line, Shared, Step, endpoints, joined, locked};
use crate::fetch;
use crate::market::provider::{self, Bars, Need, Provider, ProviderError, Told};
use crate::room::call::{
    Call, CallError, Computed, Errand, Ingest, Ingested, Outcome, Reject, Reply, SymbolOutcome,
};
use crate::room::name::RoomName;
use crate::symbol::Symbol;
use crate::time::Millis;

/// Computes a symbol's signal from the bars it has.
pub(in super::super) fn compute(symbol: Symbol) -> Job {
    Box::new(move |started| compute_only(Attempt::new(symbol, started)))
}

/// Looks at a symbol's room.
pub(in super::super) fn look(symbol: Symbol) -> Job {
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
pub(in super::super) fn fetch(errand: Errand, board: &Shared) -> Job {
    let board = Arc::clone(board);
    Box::new(move |started| {
        let mut attempt = Attempt::new(errand.symbol.clone(), started);
        attempt.outcome.fetched = true;
        let need = Need {
            symbol: errand.symbol.clone(),
            from: errand.from,
            to: started.date(),
        };
        attempt.admitted = Admitted::to(&board);
        if attempt.admitted.is_none() {
            return nobody_left(&errand, attempt, &board, started);
        }
        ask_next(errand, need, attempt, board, started)
    })
}

/// A symbol's job on its way.
struct Attempt {
    started: Millis,
    tried: Vec<Provider>,
    errors: Vec<String>,
    admitted: Option<Admitted>,
    asked: bool,
    refetched: bool,
    outcome: SymbolOutcome,
}

impl Attempt {
    fn new(symbol: Symbol, started: Millis) -> Self {
        Self {
            started,
            tried: Vec::new(),
            errors: Vec::new(),
            admitted: None,
            asked: false,
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

/// Asks the next provider, until there is none.
fn ask_next(errand: Errand, need: Need, mut attempt: Attempt, board: Shared, now: Millis) -> Step {
    loop {
        let next = locked(&board).next(&attempt.tried, Provider::has_bars);
        let Some(provider) = next else {
            return nobody_left(&errand, attempt, &board, now);
        };
        attempt.tried.push(provider);
        let servers = endpoints(&board);
        match provider::plan(provider, &need, &servers, errand.validator.as_ref()) {
            Ok(request) => return ask(provider, request, errand, need, attempt, board),
            Err(error) => {
                locked(&board).give_back(provider);
                attempt.failed(provider, &error);
            }
        }
    }
}

/// Whoever might have the bars was asked in vain, or may not be asked.
fn nobody_left(errand: &Errand, mut attempt: Attempt, board: &Shared, now: Millis) -> Step {
    let (waits, spent) = {
        let board = locked(board);
        let waits = board.has_others(&attempt.tried, Provider::has_bars);
        (waits, board.left == 0)
    };
    if waits && (spent || !attempt.asked) {
        attempt.outcome.outcome = Outcome::Deferred;
        attempt.errors.clear();
    }
    if errand.dirty {
        return compute_only(attempt);
    }
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
    attempt.asked = true;
    Step::Fetch {
        request,
        then: Box::new(move |fetched, now| {
            let servers = endpoints(&board);
            let told = provider::parse(provider, &need, &servers, fetched, now);
            locked(&board).note(provider, &told);
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
                    ask_next(errand, need, attempt, board, now)
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
        anew: errand.anew,
    };
    Step::Call {
        room: RoomName::Symbol(errand.symbol.clone()),
        call: Box::new(Call::Ingest(ingest)),
        then: Box::new(move |reply, now| match reply {
            Ok(Reply::Ingested(Ingested {
                refetch: Some(from),
                ..
            })) => {
                let whole = Need { from, ..need };
                refetch(provider, whole, errand, attempt, board, now)
            }
            Ok(Reply::Ingested(Ingested { stranger: true, .. })) => {
                attempt.failed(provider, &ProviderError::WrongSymbol);
                ask_next(errand, need, attempt, board, now)
            }
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
    whole: Need,
    errand: Errand,
    mut attempt: Attempt,
    board: Shared,
    now: Millis,
) -> Step {
    let may = !attempt.refetched && locked(&board).again(provider, 1);
    attempt.refetched = true;
    if !may {
        attempt.failed(
            provider,
            &"its bars are adjusted otherwise, and it may not be asked again",
        );
        return ask_next(errand, whole, attempt, board, now);
    }
    let servers = endpoints(&board);
    match provider::plan(provider, &whole, &servers, None) {
        Ok(request) => ask(provider, request, errand, whole, attempt, board),
        Err(error) => {
            attempt.failed(provider, &error);
            ask_next(errand, whole, attempt, board, now)
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
            Err(CallError::Reject(Reject::UnknownSymbol)) if attempt.outcome.fetched => {
                attempt.done(None, true, now)
            }
            Ok(_) | Err(_) => {
                attempt.errors.push(NO_ROOM.to_owned());
                attempt.done(None, false, now)
            }
        }),
    }
}
