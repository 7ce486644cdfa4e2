//! What a scheduled run is told by the feed, what it asks of symbols' rooms, and what it reports.
//!
//! A run fetches where the adapter can, outside of any room; so the feed hands out work with a
//! claim on it, and what becomes of it comes back in one piece at the end. A run that dies leaves
//! claims that lapse, and nothing marked as done.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::{BarCounts, City, Computed, Stale};
use super::name::RoomName;
use crate::market::mood::Mood;
use crate::market::provider::{Provider, Validator};
use crate::market::series::{Observation, Series};
use crate::signals::Bar;
use crate::symbol::Symbol;
use crate::time::Millis;

/// What somebody wants to be done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Planning {
    /// The run's name; none for one that leaves no trace.
    pub run: Option<RunName>,
    /// The configured watchlist, for as long as the desk has none of its own.
    pub watchlist: Vec<Symbol>,
    /// Who may be asked for data; none when nobody is.
    pub means: Option<Means>,
    /// These symbols alone, whether or not they are due.
    pub only: Option<Vec<Symbol>>,
    /// Whether their whole history is wanted.
    pub backfill: bool,
}

/// A run's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunName {
    /// Random, 16 hexadecimal digits.
    pub id: String,
    /// What started it.
    pub cron: String,
}

/// How a run may ask for data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Means {
    /// Who, in order.
    pub providers: Vec<Provider>,
    /// Requests a minute and provider; none for as many as are wanted.
    pub rates: Vec<Option<u32>>,
    /// Requests and calls one invocation may make.
    pub subrequests: u32,
    /// Minutes between two looks at a session under way; 0 for none.
    pub intraday_minutes: u32,
}

impl Means {
    /// Calls a run makes beside those for symbols and series: plan, finish, the benchmark, who asks.
    pub(crate) const OVERHEAD: u32 = 4;
}

/// What a run has to do, and what it should say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Symbols with bars no run has looked at, and nothing to be fetched.
    pub dirty: Vec<Symbol>,
    /// Symbols not heard of for long: their rooms are to be looked at.
    pub look: Vec<Symbol>,
    /// Symbols whose due bar is missing.
    pub stale: Vec<Stale>,
    /// Whether the feed's own alarm has not come.
    pub overdue: bool,
    /// Symbols to fetch, the one that waits longest first.
    #[serde(default)]
    pub fetch: Vec<Errand>,
    /// Series to fetch.
    #[serde(default)]
    pub series: Vec<SeriesErrand>,
    /// How often each provider may be asked, in order; one that is not named is not to be.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// Symbols that are due and that this run has no means for.
    #[serde(default)]
    pub deferred: usize,
}

/// Bars of a symbol that are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// Whose.
    pub symbol: Symbol,
    /// The first date.
    pub from: NaiveDate,
    /// Whether it has bars that no run has looked at.
    pub dirty: bool,
    /// What was said of the version held.
    pub validator: Option<Validator>,
    /// Whether whatever comes is to be taken for the symbol's, however unlike what is held:
    /// somebody asked for the whole history.
    #[serde(default)]
    pub anew: bool,
}

/// Values of a series that are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesErrand {
    /// Which.
    pub series: Series,
    /// The first date.
    pub from: NaiveDate,
    /// Of a series with a file a day: the days that are wanted, each a request.
    #[serde(default)]
    pub days: Vec<NaiveDate>,
    /// What was said of the version held.
    pub validator: Option<Validator>,
}

/// How often a provider may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Whom.
    pub provider: Provider,
    /// How often.
    pub requests: u32,
}

/// Bars that a provider had, for a symbol's room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ingest {
    /// Whose they are.
    pub provider: Provider,
    /// The first date that was asked for.
    pub from: NaiveDate,
    /// The last date that was asked for.
    pub to: NaiveDate,
    /// Checked, ascending, unique dates.
    pub bars: Vec<Bar>,
    /// Rows that came with them and were no bars.
    pub rejected: u32,
    /// Whether they are taken for the symbol's, however unlike what is held.
    #[serde(default)]
    pub anew: bool,
}

/// What became of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ingested {
    /// What was stored.
    pub counts: BarCounts,
    /// What came of it; none when nothing had to be computed.
    pub computed: Option<Computed>,
    /// The whole history is wanted, from this date on: what is held is adjusted otherwise.
    /// Nothing was stored.
    pub refetch: Option<NaiveDate>,
    /// They are of another symbol. Nothing was stored.
    #[serde(default)]
    pub stranger: bool,
}

/// What became of a symbol in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A signal or revision was published.
    New,
    /// Nothing else than before.
    Unchanged,
    /// Bars, but no score.
    InsufficientHistory,
    /// Nobody had data, or the room could not be asked.
    Failed,
    /// Left for the next run.
    Deferred,
}

impl From<Computed> for Outcome {
    fn from(computed: Computed) -> Self {
        match computed {
            Computed::New => Self::New,
            Computed::Unchanged => Self::Unchanged,
            Computed::InsufficientHistory => Self::InsufficientHistory,
        }
    }
}

/// One symbol's line of a run's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SymbolOutcome {
    /// Which.
    pub symbol: Symbol,
    /// Who had its bars; null when nothing was fetched.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub provider: Option<Provider>,
    /// What became of it.
    pub outcome: Outcome,
    /// What was stored; null when nothing was fetched.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub bars: Option<BarCounts>,
    /// Rows that were no bars.
    pub rejected: u32,
    /// How long it took, milliseconds.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub duration_ms: i64,
    /// Whoever was asked in vain, and why.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub error: Option<String>,
    /// Whether a fetch was tried.
    #[serde(default, skip_serializing_if = "is_false")]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub fetched: bool,
    /// For the next request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub validator: Option<Validator>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes by reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// One series' line of a run's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SeriesOutcome {
    /// Which.
    pub series: Series,
    /// Who had it.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub provider: Option<Provider>,
    /// `new`, `unchanged`, `failed` or `deferred`.
    pub outcome: Outcome,
    /// How long it took, milliseconds.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub duration_ms: i64,
    /// Whoever was asked in vain, and why.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub error: Option<String>,
    /// What came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub values: Vec<Observation>,
    /// For the next request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub validator: Option<Validator>,
}

/// How a provider did in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderReport {
    /// Who.
    pub provider: Provider,
    /// How often it was asked.
    pub asked: u32,
    /// Whether it answered something of use at least once.
    pub answered: bool,
    /// Whether it is in trouble, or wants to be left alone.
    pub outage: bool,
    /// For how long, milliseconds, if it said.
    pub retry_after: Option<i64>,
}

/// A run's report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunReport {
    /// Its name.
    pub id: String,
    /// What started it.
    pub cron: String,
    /// When it began.
    pub started_at: Millis,
    /// When it ended; null while it is under way, and for ever if it died.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub ended_at: Option<Millis>,
    /// How long it took, milliseconds.
    #[cfg_attr(feature = "openapi", schema(required, minimum = 0))]
    pub duration_ms: Option<i64>,
    /// Symbols computed.
    pub planned: usize,
    /// Symbols with a new signal or revision.
    pub new: usize,
    /// Symbols whose signal stays.
    pub unchanged: usize,
    /// Symbols with bars, but no score.
    pub insufficient_history: usize,
    /// Symbols whose bars were asked for and came.
    pub fetched: usize,
    /// Symbols whose bars were asked for in vain; tried again later.
    pub unfetched: usize,
    /// Symbols that are due and are left for the next run.
    pub deferred: usize,
    /// Symbols whose rooms could not be asked; the next run does.
    pub failed: Vec<Symbol>,
    /// Rooms whose alarm had not come: what they owed is on its way now.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub overdue: Vec<RoomName>,
    /// Symbols whose due bar is missing, at most 100.
    pub stale: Vec<Stale>,
    /// What became of each symbol.
    pub outcomes: Vec<SymbolOutcome>,
    /// What became of each series.
    pub series: Vec<SeriesOutcome>,
    /// The city state afterwards.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub city: Option<City>,
}

impl RunReport {
    /// Reads the answer to a run; none if it is a problem.
    pub fn read(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }

    /// Whether there was nothing to do.
    pub fn is_idle(&self) -> bool {
        self.outcomes.is_empty()
            && self.series.is_empty()
            && self.deferred == 0
            && self.overdue.is_empty()
            && self.failed.is_empty()
    }

    /// Whether somebody should look at it.
    pub fn is_troubled(&self) -> bool {
        let failed = |it: &SeriesOutcome| it.outcome == Outcome::Failed;
        self.unfetched > 0
            || !self.failed.is_empty()
            || !self.overdue.is_empty()
            || self.series.iter().any(failed)
    }

    /// What a log says of it: its numbers, and what went wrong of the first few that did.
    pub fn summary(&self) -> Value {
        let symbols = self.outcomes.iter();
        let symbols = symbols.filter_map(|it| Some((it.symbol.as_str(), it.error.as_ref()?)));
        let series = self.series.iter();
        let series = series.filter_map(|it| Some((it.series.as_str(), it.error.as_ref()?)));
        let errors: BTreeMap<&str, &String> = symbols.chain(series).take(LOGGED_ERRORS).collect();
        json!({
            "event": "run",
            "id": self.id,
            "cron": self.cron,
            "duration_ms": self.duration_ms,
            "planned": self.planned,
            "new": self.new,
            "unchanged": self.unchanged,
            "insufficient_history": self.insufficient_history,
            "fetched": self.fetched,
            "unfetched": self.unfetched,
            "deferred": self.deferred,
            "failed": self.failed,
            "overdue": self.overdue,
            "stale": self.stale.len(),
            "errors": errors,
        })
    }
}

/// Errors of a run that are logged, at most; all of them are in its report.
const LOGGED_ERRORS: usize = 20;

/// What a run tells the feed at its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Its report, without the city state.
    pub report: RunReport,
    /// How providers did.
    pub providers: Vec<ProviderReport>,
    /// Closes of the benchmark, ascending, where they may have changed.
    pub benchmark: Option<Vec<Observation>>,
    /// How a run may ask for data, for what is due next.
    pub means: Option<Means>,
    /// The configured watchlist.
    pub watchlist: Vec<Symbol>,
}

/// The market's mood and when it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Market {
    /// What it is.
    #[serde(flatten)]
    pub mood: Mood,
    /// When it last became another; null before the first run that found any.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub updated_at: Option<Millis>,
}

/// What the desk knows of a symbol's data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SymbolSupply {
    /// Which.
    pub symbol: Symbol,
    /// Whether it is on the watchlist, and therefore fetched.
    pub watched: bool,
    /// Date of its oldest bar.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub first_bar: Option<NaiveDate>,
    /// Date of its newest bar.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub last_bar: Option<NaiveDate>,
    /// Whether that bar's session had not ended when it was fetched.
    pub provisional: bool,
    /// The session whose bar should be here by now.
    pub due: NaiveDate,
    /// Whether it is not.
    pub stale: bool,
    /// Seconds since the newest bar was final; 0 while it is provisional, null without bars.
    #[cfg_attr(feature = "openapi", schema(required, minimum = 0))]
    pub data_age: Option<i64>,
    /// Who had its bars last.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub provider: Option<Provider>,
    /// When they came.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub fetched_at: Option<Millis>,
    /// When they are asked for next; null when nobody is.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub next_fetch_at: Option<Millis>,
    /// Failed tries in a row.
    pub failures: u32,
    /// Why the last one failed.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub error: Option<String>,
    /// The earliest session that is not held and is still asked for.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub missing_from: Option<NaiveDate>,
}

/// A change to the watchlist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchlistChange {
    /// These and no others.
    Set(Vec<Symbol>),
    /// One more.
    Add(Symbol),
    /// One less; its data stay.
    Remove(Symbol),
    /// The configured one again.
    Reset,
}

/// The watchlist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Watchlist {
    /// The symbols, by name.
    pub symbols: Vec<Symbol>,
    /// Whether it is the configured one or the desk's own.
    pub source: WatchlistSource,
}

/// Whose watchlist it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WatchlistSource {
    /// `WATCHLIST`.
    Config,
    /// The desk's own.
    Desk,
}

/// A change of bars that were held: a provider corrected them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BarRevision {
    /// One bar has other values.
    Correction {
        /// When it was found.
        at: Millis,
        /// Whose it is.
        provider: Provider,
        /// What was held.
        before: Bar,
        /// What is now; null when it was withdrawn.
        #[cfg_attr(feature = "openapi", schema(required))]
        after: Option<Bar>,
    },
    /// The whole history is adjusted otherwise, as after a split or a dividend.
    Adjustment {
        /// When it was found.
        at: Millis,
        /// Whose it is.
        provider: Provider,
        /// The first bar that changed.
        from: NaiveDate,
        /// The last bar that changed.
        to: NaiveDate,
        /// How many changed.
        bars: u32,
        /// The first bar's close now, over what it was.
        ratio: f64,
    },
}
