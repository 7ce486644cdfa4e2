//! Who asked what, and how many at once.

use std::collections::{BTreeMap, VecDeque};

use signalroom_core::market::provider::Provider;
use signalroom_core::time::Millis;
use tokio::sync::watch;

/// Requests that are remembered in full.
const KEPT: usize = 20_000;

/// A request, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// When.
    pub at: Millis,
    /// Who was asked.
    pub provider: Provider,
    /// About what: a symbol in upper case with `-` for `.`, the name of a series (`VIXCLS`,
    /// `BAMLH0A0HYM2`, `T10Y2Y`, `DGS10`) or file (`VIX_HISTORY`, `TOTALPC`, `DAILY_OPTIONS`).
    pub what: String,
    /// Path and query.
    pub target: String,
    /// Headers, lower case.
    pub headers: Vec<(String, String)>,
    /// The status it was answered with; none when there was no answer.
    pub status: Option<u16>,
}

impl Asked {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(held, _)| held == name);
        named.map(|(_, value)| value.as_str())
    }
}

/// How many at once, now and at most.
#[derive(Debug, Clone, Copy, Default)]
struct Flight {
    now: usize,
    most: usize,
}

impl Flight {
    fn up(&mut self) {
        self.now += 1;
        self.most = self.most.max(self.now);
    }
}

/// All requests since the start, or since [`Log::forget`].
#[derive(Debug)]
pub(super) struct Log {
    asked: VecDeque<Asked>,
    counts: BTreeMap<(Provider, String), usize>,
    flights: BTreeMap<Provider, Flight>,
    all: Flight,
    total: watch::Sender<usize>,
}

impl Log {
    pub fn new() -> Self {
        Self {
            asked: VecDeque::new(),
            counts: BTreeMap::new(),
            flights: BTreeMap::new(),
            all: Flight::default(),
            total: watch::Sender::new(0),
        }
    }

    /// Forgets everything but who is being answered now.
    pub fn forget(&mut self) {
        self.asked.clear();
        self.counts.clear();
        for flight in self.flights.values_mut().chain([&mut self.all]) {
            flight.most = flight.now;
        }
        self.total.send_replace(0);
    }

    pub fn begin(&mut self, asked: Asked) {
        self.flights.entry(asked.provider).or_default().up();
        self.all.up();
        let named = (asked.provider, asked.what.clone());
        *self.counts.entry(named).or_default() += 1;
        self.asked.push_back(asked);
        if self.asked.len() > KEPT {
            self.asked.pop_front();
        }
        self.total.send_modify(|total| *total += 1);
    }

    pub fn end(&mut self, provider: Provider) {
        if let Some(flight) = self.flights.get_mut(&provider) {
            flight.now -= 1;
        }
        self.all.now -= 1;
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.iter().cloned().collect()
    }

    pub fn count(&self, provider: Option<Provider>, what: Option<&str>) -> usize {
        let of = self.counts.iter().filter(|((by, about), _)| {
            provider.is_none_or(|it| it == *by) && what.is_none_or(|it| it == about)
        });
        of.map(|(_, count)| count).sum()
    }

    pub fn counts(&self) -> &BTreeMap<(Provider, String), usize> {
        &self.counts
    }

    pub fn most(&self, provider: Option<Provider>) -> usize {
        match provider {
            Some(provider) => self.flights.get(&provider).map_or(0, |it| it.most),
            None => self.all.most,
        }
    }

    pub fn now(&self) -> usize {
        self.all.now
    }

    pub fn total(&self) -> watch::Receiver<usize> {
        self.total.subscribe()
    }
}
