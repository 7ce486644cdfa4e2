//! A series' job: asked for of one provider after the other, at once or day by day.

use std::sync::Arc;

use super::{Job, Line, Shared, Step, endpoints, joined, locked};
use crate::fetch;
use crate::market::provider::{Provider, ProviderError, Told, Validator};
use crate::market::series::{self, Observation, Observations};
use crate::room::call::{Outcome, SeriesErrand, SeriesOutcome};
use crate::time::Millis;

/// Fetches a series.
pub(in super::super) fn fetch_series(errand: SeriesErrand, board: &Shared) -> Job {
    let board = Arc::clone(board);
    Box::new(move |started| {
        let mut attempt = SeriesAttempt {
            errand,
            started,
            tried: Vec::new(),
            errors: Vec::new(),
            came: Vec::new(),
        };
        // The newest first: taken from the end.
        attempt.errand.days.reverse();
        ask_next_for_series(attempt, board, started)
    })
}

/// A series' job on its way.
struct SeriesAttempt {
    errand: SeriesErrand,
    started: Millis,
    tried: Vec<Provider>,
    errors: Vec<String>,
    /// What came of the days before.
    came: Vec<Observation>,
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

impl SeriesAttempt {
    /// The end of a series that was asked for day by day.
    fn ended(mut self, provider: Provider, now: Millis) -> Step {
        let outcome = match (self.came.is_empty(), self.errors.is_empty()) {
            (false, _) => Outcome::New,
            (true, true) => Outcome::Unchanged,
            (true, false) => Outcome::Failed,
        };
        let mut values = std::mem::take(&mut self.came);
        values.sort_by_key(|(date, _)| *date);
        let came = Observations {
            values,
            ..Observations::default()
        };
        let provider = Some(provider).filter(|_| outcome != Outcome::Failed);
        self.done(provider, outcome, came, now)
    }
}

fn ask_next_for_series(mut attempt: SeriesAttempt, board: Shared, now: Millis) -> Step {
    let SeriesErrand {
        series,
        from,
        validator,
        ..
    } = attempt.errand.clone();
    let servers = endpoints(&board);
    loop {
        let fit = |provider| series.providers().contains(&provider);
        let next = locked(&board).next(&attempt.tried, fit);
        let Some(provider) = next else {
            let outcome = match attempt.tried.is_empty() {
                true => Outcome::Deferred,
                false => Outcome::Failed,
            };
            return attempt.done(None, outcome, Observations::default(), now);
        };
        attempt.tried.push(provider);
        let validator: Option<&Validator> = validator.as_ref();
        if !attempt.errand.days.is_empty() {
            return ask_for_next_day(provider, attempt, board, now);
        }
        match series::plan(provider, series, from, &servers, validator) {
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
            let servers = endpoints(&board);
            let (name, from) = (attempt.errand.series, attempt.errand.from);
            let told = series::parse(provider, name, from, &servers, fetched, now);
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
                    ask_next_for_series(attempt, board, now)
                }
            }
        }),
    }
}

/// Asks for one day after the other, until there is none or something is wrong.
fn ask_for_next_day(
    provider: Provider,
    mut attempt: SeriesAttempt,
    board: Shared,
    now: Millis,
) -> Step {
    let series = attempt.errand.series;
    let Some(day) = attempt.errand.days.pop() else {
        return attempt.ended(provider, now);
    };
    let servers = endpoints(&board);
    let request = match series::plan(provider, series, day, &servers, None) {
        Ok(request) => request,
        Err(error) => {
            attempt.errors.push(format!("{provider}: {error}"));
            return attempt.ended(provider, now);
        }
    };
    Step::Fetch {
        request,
        then: Box::new(move |fetched, now| {
            let told = series::parse(provider, series, day, &servers, fetched, now);
            locked(&board).note(provider, &told);
            match told {
                Ok(Told::New(came)) => attempt.came.extend(came.values),
                // A day without a file is none of the provider's trouble.
                Ok(Told::Unchanged) | Err(ProviderError::Empty) => {}
                Err(error) => {
                    attempt.errors.push(format!("{provider}: {error}"));
                    return attempt.ended(provider, now);
                }
            }
            let more = !attempt.errand.days.is_empty();
            if more && locked(&board).again(provider, 0) {
                return ask_for_next_day(provider, attempt, board, now);
            }
            attempt.ended(provider, now)
        }),
    }
}
