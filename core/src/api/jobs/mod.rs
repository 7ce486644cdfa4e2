//! The jobs of a run: each goes on by itself, from one fetch or call to the next.

mod series;
mod symbol;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Config;
use crate::fetch::{self, Fetched};
use crate::market::provider::{Endpoints, Provider, ProviderError};
use crate::room::call::{
    Call, CallError, Computed, Grant, Means, Plan, ProviderReport, Reply, SeriesOutcome,
    SymbolOutcome,
};
use crate::room::name::RoomName;
use crate::symbol::Symbol;
use crate::time::Millis;
pub(super) use series::fetch_series;
pub(super) use symbol::{compute, fetch, look};

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
    /// Requests and second calls that the run may still make.
    left: u32,
    /// Of these, what is kept for symbols under way, should they need more than one.
    kept: u32,
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
    pub(super) fn new(config: &Arc<Config>, plan: &Plan) -> Self {
        let entry = |grant: &Grant| Entry {
            provider: grant.provider,
            left: grant.requests,
            asked: 0,
            answered: false,
            outages: 0,
            closed: false,
            retry_after: None,
        };
        let calls = plan.dirty.len() + plan.look.len() + plan.fetch.len();
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        let calls = calls.saturating_add(Means::OVERHEAD);
        Self {
            config: Arc::clone(config),
            left: config.supply.subrequests.saturating_sub(calls),
            kept: 0,
            providers: plan.grants.iter().map(entry).collect(),
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

    /// What a symbol may need beside its first request: everybody else's answer, and a second one
    /// with its call.
    fn reserve(&self) -> u32 {
        let others = self.providers.iter().filter(|it| it.provider.has_bars());
        others.map(|_| 1).sum::<u32>() + 1
    }

    /// Begins with a symbol, if there is enough for it. One that is alone always goes on, so that
    /// every run gets on.
    fn admit(&mut self) -> bool {
        let more = self.reserve();
        let admitted = self.kept == 0 || self.left > self.kept + more;
        if admitted {
            self.kept += more;
        }
        admitted
    }

    /// The first provider that is fit, may be asked and was not yet; one request is taken from it.
    fn next(&mut self, tried: &[Provider], fit: impl Fn(Provider) -> bool) -> Option<Provider> {
        let open = |it: &&mut Entry| !it.closed && it.left > 0;
        let left = self.left.checked_sub(1)?;
        let entry = self
            .providers
            .iter_mut()
            .filter(open)
            .find(|it| fit(it.provider) && !tried.contains(&it.provider))?;
        self.left = left;
        entry.left -= 1;
        entry.asked += 1;
        Some(entry.provider)
    }

    /// One more request of a provider that was just asked, and so many more calls.
    fn again(&mut self, provider: Provider, calls: u32) -> bool {
        let open = |it: &&mut Entry| it.provider == provider && !it.closed && it.left > 0;
        let entry = self.providers.iter_mut().find(open);
        let (Some(entry), Some(left)) = (entry, self.left.checked_sub(1 + calls)) else {
            return false;
        };
        self.left = left;
        entry.left -= 1;
        entry.asked += 1;
        true
    }

    /// A request that was taken was not made.
    fn give_back(&mut self, provider: Provider) {
        if let Some(entry) = self.providers.iter_mut().find(|it| it.provider == provider) {
            self.left += 1;
            entry.left += 1;
            entry.asked -= 1;
        }
    }

    /// Whether somebody fit was not tried, and is therefore to be asked another time.
    fn has_others(&self, tried: &[Provider], fit: impl Fn(Provider) -> bool) -> bool {
        let all = &self.config.supply.providers;
        all.iter().any(|it| fit(*it) && !tried.contains(it))
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
            // It answers, if nothing of use.
            Err(_) => entry.outages = 0,
            Ok(_) => {
                entry.answered = true;
                entry.outages = 0;
            }
        }
    }
}

type Shared = Arc<Mutex<Board>>;

/// A symbol under way; what was kept for it is free when it ends.
struct Admitted(Shared);

impl Admitted {
    fn to(board: &Shared) -> Option<Self> {
        let admitted = locked(board).admit();
        admitted.then(|| Self(Arc::clone(board)))
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut board = locked(&self.0);
        board.kept -= board.reserve();
    }
}

pub(super) fn locked(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    // Nothing panics while the lock is held.
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

fn endpoints(board: &Shared) -> Endpoints {
    locked(board).config.supply.endpoints.clone()
}

/// Whoever was asked in vain, in one line.
fn joined(errors: &[String]) -> Option<String> {
    (!errors.is_empty()).then(|| errors.join("; "))
}

#[cfg(test)]
mod tests;
