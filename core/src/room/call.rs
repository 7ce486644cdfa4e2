//! What REST, cron and other rooms ask of a room, and what it answers.
//!
//! The same values travel as JSON between Durable Objects and over a channel in the harness.

use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use super::caller::{Caller, Holder};
use super::name::RoomName;
pub use super::proposal::{ApprovalFilter, Proposal, RetryKey};
pub use super::reject::{CallError, Reject};
pub use super::run::{
    BarRevision, Errand, Finished, Grant, Ingest, Ingested, Market, Means, Outcome, Plan, Planning,
    ProviderReport, RunName, RunReport, SeriesErrand, SeriesOutcome, SymbolOutcome, SymbolSupply,
    Watchlist, WatchlistChange, WatchlistSource,
};
use super::signal::{Approval, Signal, Status};
use crate::audit::{Checked, Hash, Head, Record};
use crate::market::marks::Marks;
use crate::market::series::Observation;
use crate::signals::bar::Bar;
use crate::store::audit::Tip;
use crate::symbol::Symbol;
use crate::time::Millis;

/// A place in a log: its epoch and the sequence number of the newest event meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Position {
    /// Identity of the log; another epoch is another log.
    pub epoch: String,
    /// Sequence number, 0 before the first event.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub seq: i64,
}

/// A slice of a list: at most `limit` items after `cursor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// 1..=500 items.
    pub limit: u32,
    /// Where the previous page ended; opaque outside.
    pub cursor: Option<i64>,
}

/// A page's items and where the next one starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice<T> {
    /// The items.
    pub items: Vec<T>,
    /// Cursor of the next page, absent on the last.
    pub next: Option<i64>,
}

/// A request to a room.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Symbol room: store bars; compute at once if asked.
    PutBars {
        /// Checked bars, ascending, unique dates.
        bars: Vec<Bar>,
        /// Whether to compute in the same turn.
        compute: bool,
        /// Rows that came with them and were not kept.
        rejected: u32,
        /// Who sends them.
        by: Caller,
    },
    /// Symbol room: the bars held, ascending.
    Bars {
        /// First date wanted.
        from: Option<NaiveDate>,
        /// Last date wanted.
        to: Option<NaiveDate>,
        /// Which slice; the cursor is the day number of the last date already read.
        page: Page,
    },
    /// Symbol room: compute the signal of the bars held.
    Compute,
    /// Symbol room: the latest signal.
    Latest,
    /// Symbol room: all revisions, newest first.
    History {
        /// Which slice.
        page: Page,
    },
    /// Symbol room: decide.
    Approve(Proposal),
    /// Symbol room: its decisions; feed: everybody's. Newest first.
    Approvals {
        /// Which.
        filter: ApprovalFilter,
        /// Which slice.
        page: Page,
    },
    /// Feed: events and state of another room.
    Receive(Push),
    /// Feed: the latest signal of each symbol, newest event first.
    Signals {
        /// Only this status.
        status: Option<Status>,
        /// Which slice.
        page: Page,
    },
    /// Feed: the best `n` by combined trust.
    Top {
        /// 1..=100.
        n: u32,
    },
    /// Feed: the city state.
    City,
    /// Feed: what a run has to do.
    Plan(Box<Planning>),
    /// Symbol room: see to what should have happened by now.
    Look,
    /// Any room: its database came from a backup, so its log is another one from here on.
    Renew {
        /// Who says so.
        by: Caller,
    },
    /// Feed: the symbols it knows, by name; the cursor counts them.
    Sources {
        /// Which slice.
        page: Page,
    },
    /// Feed: somebody asks for something that is not given on what is remembered of revocations.
    Admit {
        /// Who.
        sub: String,
        /// In whose room they are about to open a socket.
        opens: Option<Symbol>,
    },
    /// Feed: a ticket stands in for its holder's token, once and for a little while.
    KeepTicket {
        /// SHA-256 of the ticket.
        ticket: Hash,
        /// Whom it stands in for.
        holder: Holder,
    },
    /// Feed: somebody shows a ticket to open a socket.
    Redeem {
        /// SHA-256 of the ticket.
        ticket: Hash,
        /// In whose room, if not the feed's.
        opens: Option<Symbol>,
    },
    /// Feed: refuse whatever was issued to a subject until now, and close its sockets.
    Revoke {
        /// Whose tokens.
        sub: String,
        /// Who revokes them.
        by: Caller,
        /// Why, in that person's words.
        reason: Option<String>,
    },
    /// Symbol room: the feed revoked what was issued to a subject before that moment.
    Dismiss {
        /// Whose tokens.
        sub: String,
        /// The moment.
        before: Millis,
    },
    /// Feed: the symbols in whose rooms a subject opened sockets, by name; the cursor counts them.
    Visited {
        /// Who.
        sub: String,
        /// Which slice.
        page: Page,
    },
    /// Feed: a run has ended; keep what it tells, and bring derived state up to date.
    Finish(Box<Finished>),
    /// Symbol room: keep what a provider had, and compute.
    Ingest(Ingest),
    /// Symbol room: the newest closes, ascending.
    Closes {
        /// How many at most.
        limit: u32,
    },
    /// Symbol room: what providers changed of bars that were held, newest first.
    BarRevisions {
        /// Which slice.
        page: Page,
    },
    /// Feed: what is known of symbols' data, by name; the cursor counts those already shown.
    Supply {
        /// The configured watchlist.
        watchlist: Vec<Symbol>,
        /// Whether anybody is asked for data.
        fetching: bool,
        /// Which slice.
        page: Page,
    },
    /// Feed: change the watchlist.
    Watch {
        /// The configured one.
        configured: Vec<Symbol>,
        /// How.
        change: WatchlistChange,
        /// Who.
        by: Caller,
    },
    /// Feed: past runs, newest first.
    Runs {
        /// Which slice.
        page: Page,
    },
    /// Feed: the market's mood.
    Market,
    /// Any room: its record.
    Audit {
        /// Whether the oldest row comes first.
        oldest_first: bool,
        /// Which slice; the cursor is the last row already read.
        page: Page,
    },
    /// Any room: check a part of its record; how much that is the room decides.
    CheckAudit {
        /// The last row that was found whole.
        from: Head,
        /// Up to which row, for a part of `witnessed`.
        until: Option<i64>,
        /// Rows after `from` that the feed was told of, ascending.
        witnessed: Vec<Head>,
    },
    /// Feed: the rows it was told of each of these rooms' records, after some row.
    Witnessed {
        /// The rooms, each with the row.
        rooms: Vec<(RoomName, i64)>,
    },
    /// Feed: the symbols it knows, by name, after one of them.
    Known {
        /// The one before; none for the first.
        after: Option<Symbol>,
        /// How many at most.
        limit: u32,
    },
}

impl Call {
    /// How long an answer waits for the room's events to reach the feed.
    pub fn patience(&self) -> Option<Duration> {
        match self {
            Self::Approve(_) => Some(Duration::from_secs(1)),
            Self::PutBars { .. }
            | Self::Ingest(_)
            | Self::Compute
            | Self::Look
            | Self::Renew { .. } => Some(Duration::from_secs(10)),
            Self::Bars { .. }
            | Self::Latest
            | Self::History { .. }
            | Self::Approvals { .. }
            | Self::Receive(_)
            | Self::Signals { .. }
            | Self::Top { .. }
            | Self::City
            | Self::Plan(_)
            | Self::Closes { .. }
            | Self::BarRevisions { .. }
            | Self::Supply { .. }
            | Self::Watch { .. }
            | Self::Runs { .. }
            | Self::Market
            | Self::Sources { .. }
            | Self::Admit { .. }
            | Self::KeepTicket { .. }
            | Self::Redeem { .. }
            | Self::Revoke { .. }
            | Self::Dismiss { .. }
            | Self::Visited { .. }
            | Self::Finish(_)
            | Self::Audit { .. }
            | Self::CheckAudit { .. }
            | Self::Witnessed { .. }
            | Self::Known { .. } => None,
        }
    }
}

/// One event on its way from a room to its downstream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Sequence number in the source's log.
    pub seq: i64,
    /// The message's `type`.
    pub kind: EventKind,
    /// The message's `data`, as it is sent.
    pub data: Box<RawValue>,
    /// The symbol's latest signal after this event, as lists show it.
    pub signal: Box<RawValue>,
}

/// The kinds of events a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A signal was computed.
    NewSignal,
    /// A person decided.
    ApprovalNotification,
}

impl EventKind {
    /// The message's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewSignal => "new_signal",
            Self::ApprovalNotification => "approval_notification",
        }
    }
}

impl std::str::FromStr for EventKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "new_signal" => Ok(Self::NewSignal),
            "approval_notification" => Ok(Self::ApprovalNotification),
            _ => Err(()),
        }
    }
}

/// The three trusts of a symbol that the city state is made of, each 0..1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trusts {
    /// `unslug_score`.
    pub unslug: f64,
    /// `fear_score` on the wire's scale.
    pub fear: f64,
    /// Market-flow trust.
    pub flow: f64,
}

/// What the feed has to know of a symbol room beside its events. Newest version wins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RoomState {
    /// Grows with every change.
    pub version: i64,
    /// Bars came that no run has looked at.
    pub dirty: bool,
    /// What the last computation found, if it found all three.
    pub trusts: Option<Trusts>,
    /// Date of its newest bar.
    pub last_bar: Option<NaiveDate>,
    /// Date of its oldest bar.
    #[serde(default)]
    pub first_bar: Option<NaiveDate>,
    /// Whether its newest bar's session had not ended when it was fetched.
    #[serde(default)]
    pub provisional: bool,
    /// Whether a provider was asked for its whole history.
    #[serde(default)]
    pub filled: bool,
    /// The earliest session that is not held and was not looked for in vain.
    #[serde(default)]
    pub missing: Option<NaiveDate>,
    /// What its closes say of the market.
    #[serde(default)]
    pub marks: Option<Marks>,
}

/// A symbol whose due bar is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stale {
    /// The symbol.
    pub symbol: Symbol,
    /// Date of its newest bar; null when it has none.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub last_bar: Option<NaiveDate>,
}

/// A batch from a room's log, with its state, to the room's downstream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Push {
    /// Who sends.
    pub source: RoomName,
    /// The source's epoch.
    pub epoch: String,
    /// When that began: of two epochs the later one counts.
    #[serde(default)]
    pub born: Millis,
    /// Its epochs before that, oldest first, each with the newest event the downstream was known
    /// to have when it ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lineage: Vec<Position>,
    /// The source's state.
    pub state: RoomState,
    /// Oldest event the source still holds.
    pub floor: i64,
    /// The newest row of its record, and the row that began the epoch; none before the first.
    #[serde(default)]
    pub audit: Option<Tip>,
    /// Consecutive events, oldest first; may be empty.
    pub entries: Vec<Entry>,
}

/// How far a batch goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Its newest event, 0 when it has none.
    pub seq: i64,
    /// The version of its state.
    pub version: i64,
}

/// What the downstream has after a [`Push`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Newest sequence number of the source it holds.
    pub seq: i64,
    /// Newest state version of the source it holds.
    pub version: i64,
    /// What the batch carried that is answered here.
    pub carried: Carried,
    /// Its own position, at or after the source's newest event.
    pub position: Position,
}

/// What became of the bars of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BarCounts {
    /// New dates.
    pub accepted: u32,
    /// Dates held with other values.
    pub replaced: u32,
    /// Dates held with the same values.
    pub unchanged: u32,
}

/// What a computation led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Computed {
    /// A signal or revision was published.
    New,
    /// Same published content, or a decision that stands.
    Unchanged,
    /// The bars do not suffice for a score.
    InsufficientHistory,
}

/// The state of the whole desk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct City {
    /// `dim`, `stable`, `thriving`, or null while there are no data.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub city_state: Option<crate::signals::city::CityMood>,
    /// Mean `unslug_score` over the symbols that have all three trusts.
    #[cfg_attr(feature = "openapi", schema(required, minimum = 0, maximum = 1))]
    pub unslug_trust: Option<f64>,
    /// Mean `fear_score`, 0..1.
    #[cfg_attr(feature = "openapi", schema(required, minimum = 0, maximum = 1))]
    pub fear_trust: Option<f64>,
    /// Mean market-flow trust.
    #[cfg_attr(feature = "openapi", schema(required, minimum = 0, maximum = 1))]
    pub flow_trust: Option<f64>,
    /// One plain sentence.
    pub notes: String,
}

/// A room's answer to a [`Call`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `PutBars`; `signal` when it was asked to compute and there is one.
    BarsStored {
        /// Counts.
        counts: BarCounts,
        /// The latest signal.
        signal: Option<Box<Signal>>,
    },
    /// To `Bars`.
    Bars(Slice<Bar>),
    /// To `Compute`.
    Computed(Computed),
    /// To `Latest`.
    Latest(Box<Signal>),
    /// To `History`.
    History(Slice<Signal>),
    /// To `Approve`.
    Approved {
        /// The decision.
        approval: Approval,
        /// The symbol room's position of its event.
        room: Position,
        /// The feed's position, when it was reached in time.
        feed: Option<Position>,
        /// How long the answer waited for the feed, microseconds, if it did.
        #[serde(default)]
        waited: Option<u64>,
    },
    /// To `Approvals`.
    Approvals(Slice<Box<RawValue>>),
    /// To `Receive`.
    Received(Ack),
    /// To `Signals` and `Top`.
    Signals(Slice<Box<RawValue>>),
    /// To `City`.
    City(City),
    /// To `Finish`: the report with what the feed added.
    Finished(Box<RunReport>),
    /// To `Ingest`.
    Ingested(Ingested),
    /// To `Closes`.
    Closes(Vec<Observation>),
    /// To `BarRevisions`.
    BarRevisions(Slice<BarRevision>),
    /// To `Supply`.
    Supply {
        /// The symbols.
        symbols: Slice<SymbolSupply>,
        /// Whose watchlist it is.
        source: WatchlistSource,
    },
    /// To `Watch`.
    Watching(Watchlist),
    /// To `Runs`.
    Runs(Slice<Box<RawValue>>),
    /// To `Market`.
    Market(Option<Market>),
    /// To `Plan`.
    Planned(Plan),
    /// To `Look`.
    Looked {
        /// Whether the room's alarm had not come when it should have.
        overdue: bool,
    },
    /// To `Renew`: where the log is now.
    Renewed(Position),
    /// To `Sources`.
    Sources(Slice<Symbol>),
    /// To `Audit`.
    Audit(Slice<Record>),
    /// To `CheckAudit`.
    AuditChecked(Checked),
    /// To `Witnessed`, room by room: at most [`MAX_WITNESSED`](crate::wire::limits::MAX_WITNESSED)
    /// rows of each, ascending.
    Witnessed(Vec<Vec<Head>>),
    /// To `Known`.
    Known(Vec<Symbol>),
    /// To `Admit`.
    Admitted {
        /// Tokens issued before that moment are refused.
        revoked_before: Option<Millis>,
    },
    /// To `KeepTicket`: until when it is good.
    TicketKept {
        /// The moment.
        until: Millis,
    },
    /// To `Redeem`: whose it was; none when it is not good.
    Redeemed(Option<Holder>),
    /// To `Revoke`.
    Revoked {
        /// Tokens issued before that moment are refused.
        before: Millis,
    },
    /// To `Dismiss`.
    Dismissed,
    /// To `Visited`.
    Visited(Slice<Symbol>),
}

impl Reply {
    /// Fills in what the room could only learn from its downstream: what that acknowledged, if it
    /// did, and how long the answer waited for it.
    pub fn settle(&mut self, ack: Option<&Ack>, took: Duration) {
        let Self::Approved {
            room, feed, waited, ..
        } = self
        else {
            return;
        };
        *waited = Some(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if let Some(ack) = ack
            && ack.seq >= room.seq
        {
            *feed = Some(ack.position.clone());
        }
    }
}
