//! Rooms that answer with what real ones would, in a chosen mood.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use signalroom_core::audit::{Breach, Broken, Checked, Hash, Head, Record};
use signalroom_core::market::mood::{Inputs, mood};
use signalroom_core::market::provider::Provider;
use signalroom_core::market::series::Series;
use signalroom_core::room::call::{
    BarCounts, BarRevision, Call, CallError, City, Computed, Ingested, Market, Outcome, Plan,
    Position, Reject, Reply, RunReport, SeriesOutcome, Slice, Stale, SymbolOutcome, SymbolSupply,
    Watchlist, WatchlistChange, WatchlistSource,
};
use signalroom_core::room::name::RoomName;
use signalroom_core::room::signal::{Approval, Signal, SignalId, Status};
use signalroom_core::signals::city::CityMood;
use signalroom_core::signals::{Bar, Suggestion, evaluate, parse_csv};
use signalroom_core::symbol::Symbol;
use signalroom_core::time::Millis;

/// 2026-05-04T21:15:47.123Z.
pub(crate) const NOW: Millis = Millis(1_777_929_347_123);

/// The id of the signal that is shown.
pub(crate) const ID: &str = "QQQ:2026-05-04:1";

/// Its ETag.
pub(crate) const ETAG: &str = "\"QQQ:2026-05-04:1;PENDING_REVIEW\"";

/// What state the rooms are in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mood {
    Good,
    /// There is nothing yet, or no more.
    Empty,
    Unknown,
    NoSignal,
    Insufficient,
    Decided,
    Stale,
    /// The user has asked for too much.
    Busy,
    Fault,
}

impl Mood {
    pub(crate) const ALL: [Self; 9] = [
        Self::Good,
        Self::Empty,
        Self::Unknown,
        Self::NoSignal,
        Self::Insufficient,
        Self::Decided,
        Self::Stale,
        Self::Busy,
        Self::Fault,
    ];
}

fn symbol() -> Symbol {
    "QQQ".parse().unwrap()
}

fn bars(csv: &str) -> Vec<Bar> {
    parse_csv(csv.as_bytes(), NOW.date()).unwrap().bars
}

fn record() -> Record {
    Record {
        action: "approval".to_owned(),
        at: NOW,
        details: raw(&serde_json::json!({ "signal_id": ID, "note": null })),
        hash: Hash::of(b"this row"),
        ip: None,
        n: 4,
        prev: Hash::ZERO,
        role: "admin".to_owned(),
        room: RoomName::Symbol(symbol()),
        sub: "ann".to_owned(),
        user_agent: Some("curl".to_owned()),
        v: 1,
    }
}

fn approval() -> Approval {
    Approval {
        symbol: symbol(),
        approved_status: Suggestion::Buy,
        approved_by: "ann".to_owned(),
        approved_at: NOW,
        note: None,
        signal_id: SignalId(ID.to_owned()),
    }
}

/// Real signals in every status, of prices that rise, stand still and have gaps.
pub(crate) fn signals() -> Vec<Signal> {
    let fixtures = [
        include_str!("../fixtures/walk.csv"),
        include_str!("../fixtures/flat.csv"),
        include_str!("../fixtures/gap.csv"),
        include_str!("../fixtures/ties.csv"),
    ];
    let contents = fixtures
        .iter()
        .filter_map(|csv| evaluate(&bars(csv)).published());
    let mut all = Vec::new();
    for content in contents {
        for (status, approval) in [
            (Status::PendingReview, None),
            (Status::ApprovedRisk, Some(approval())),
            (Status::Superseded, None),
        ] {
            all.push(Signal {
                id: SignalId(ID.to_owned()),
                symbol: symbol(),
                date: NOW.date(),
                revision: 1,
                computed_at: NOW,
                provisional: true,
                status,
                content: content.clone(),
                approval,
            });
        }
    }
    assert!(all.len() > 3, "the fixtures give signals");
    all
}

fn slice<T>(items: Vec<T>, mood: Mood) -> Slice<T> {
    match mood {
        Mood::Empty => Slice {
            items: Vec::new(),
            next: None,
        },
        _ => Slice {
            items,
            next: Some(17),
        },
    }
}

fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).unwrap()
}

fn city(mood: Mood) -> City {
    let trust = match mood {
        Mood::Empty => None,
        _ => Some(0.5),
    };
    City {
        city_state: trust.map(|_| CityMood::Stable),
        unslug_trust: trust,
        fear_trust: trust,
        flow_trust: trust,
        notes: "All is calm.".to_owned(),
    }
}

/// What a room in this mood refuses, if it is asked this. The same as the rooms' own code.
fn refusal(call: &Call, mood: Mood) -> Option<Reject> {
    let reads_signal = matches!(call, Call::Latest | Call::History { .. });
    let reads_bars = matches!(call, Call::Bars { .. } | Call::BarRevisions { .. });
    let of_symbol = reads_signal || reads_bars || matches!(call, Call::Compute);
    let decides = matches!(call, Call::Approve(_));
    let of_record = matches!(call, Call::Audit { .. } | Call::CheckAudit { .. });
    let current = || Box::new(signals().remove(0));
    match mood {
        Mood::Unknown if of_symbol || of_record => Some(Reject::UnknownSymbol),
        Mood::NoSignal if reads_signal || decides => Some(Reject::NoSignal),
        Mood::Insufficient if reads_signal => {
            let evaluation = evaluate(&bars(include_str!("../fixtures/hole.csv")));
            Some(Reject::InsufficientHistory(evaluation.missing()))
        }
        Mood::Decided if decides => Some(Reject::AlreadyDecided(current(), NOW)),
        Mood::Busy if matches!(call, Call::PutBars { .. }) || decides => {
            Some(Reject::RateLimited { wait: 1500 })
        }
        Mood::Stale if decides => Some(Reject::StaleSignal(current(), NOW)),
        _ => None,
    }
}

fn revisions() -> Vec<BarRevision> {
    let bars = bars(include_str!("../fixtures/walk.csv"));
    let (at, provider) = (NOW, Provider::Yahoo);
    vec![
        BarRevision::Correction {
            at,
            provider,
            before: bars[0],
            after: Some(bars[1]),
        },
        BarRevision::Adjustment {
            at,
            provider,
            from: bars[0].date,
            to: bars[1].date,
            bars: 2,
            ratio: 0.1,
        },
    ]
}

fn supply(absent: bool) -> SymbolSupply {
    let date = (!absent).then(|| NOW.date());
    SymbolSupply {
        symbol: symbol(),
        watched: true,
        first_bar: date,
        last_bar: date,
        provisional: true,
        due: NOW.date(),
        stale: absent,
        data_age: date.map(|_| 0),
        provider: (!absent).then_some(Provider::Stooq),
        fetched_at: date.map(|_| NOW),
        next_fetch_at: date.map(|_| NOW),
        failures: 1,
        error: (!absent).then(|| "yahoo: it answered 500".to_owned()),
        missing_from: date,
    }
}

fn run() -> RunReport {
    RunReport {
        id: "5f0c".to_owned(),
        cron: "* * * * *".to_owned(),
        started_at: NOW,
        ended_at: Some(NOW),
        duration_ms: Some(7),
        outcomes: vec![SymbolOutcome {
            symbol: symbol(),
            provider: Some(Provider::Yahoo),
            outcome: Outcome::New,
            bars: Some(BarCounts::default()),
            rejected: 0,
            duration_ms: 7,
            error: None,
            fetched: false,
            validator: None,
        }],
        series: vec![SeriesOutcome {
            series: Series::Vix,
            provider: None,
            outcome: Outcome::Failed,
            duration_ms: 7,
            error: Some("fred: it answered 500".to_owned()),
            values: Vec::new(),
            validator: None,
        }],
        ..RunReport::default()
    }
}

fn market() -> Market {
    let nothing = Inputs {
        series: &std::collections::BTreeMap::new(),
        benchmark: &[],
        marks: &[],
        due: NOW.date(),
    };
    Market {
        mood: mood(&nothing),
        updated_at: Some(NOW),
    }
}

/// A room's answer; `feed` says whether the feed is asked.
pub(crate) fn reply(call: &Call, mood: Mood, feed: bool) -> Result<Reply, CallError> {
    if matches!(mood, Mood::Fault) {
        return Err(CallError::Fault {
            id: "5f0c".to_owned(),
        });
    }
    let unknown = matches!((call, mood), (Call::Approvals { .. }, Mood::Unknown));
    if unknown && !feed {
        return Err(Reject::UnknownSymbol.into());
    }
    if let Some(reject) = refusal(call, mood) {
        return Err(reject.into());
    }
    let views = || {
        signals()
            .iter()
            .map(|signal| raw(&signal.view(NOW)))
            .collect()
    };
    let position = || Position {
        epoch: "e1".to_owned(),
        seq: 7,
    };
    let absent = matches!(mood, Mood::Empty);
    Ok(match call {
        Call::PutBars { compute, .. } => Reply::BarsStored {
            counts: BarCounts {
                accepted: 1,
                replaced: 0,
                unchanged: 0,
            },
            signal: (*compute && !absent).then(|| Box::new(signals().remove(0))),
        },
        Call::Bars { .. } => Reply::Bars(slice(bars(include_str!("../fixtures/walk.csv")), mood)),
        Call::Compute => Reply::Computed(Computed::New),
        Call::Latest => Reply::Latest(Box::new(signals().remove(0))),
        Call::History { .. } => Reply::History(slice(signals(), mood)),
        Call::Approve(_) => Reply::Approved {
            approval: approval(),
            room: position(),
            feed: (!absent).then(position),
            waited: None,
        },
        Call::Approvals { .. } => Reply::Approvals(slice(vec![raw(&approval())], mood)),
        Call::Signals { .. } | Call::Top { .. } => Reply::Signals(slice(views(), mood)),
        Call::City => Reply::City(city(mood)),
        Call::Plan(_) => Reply::Planned(Plan {
            dirty: vec![symbol()],
            look: vec![symbol()],
            stale: vec![Stale {
                symbol: symbol(),
                last_bar: None,
            }],
            overdue: true,
            ..Plan::default()
        }),
        Call::Finish(finished) => Reply::Finished(Box::new(RunReport {
            city: (!absent).then(|| city(mood)),
            ..finished.report.clone()
        })),
        Call::Ingest(_) => Reply::Ingested(Ingested::default()),
        Call::Closes { .. } => Reply::Closes(Vec::new()),
        Call::BarRevisions { .. } => Reply::BarRevisions(slice(revisions(), mood)),
        Call::Supply { .. } => Reply::Supply {
            symbols: slice(vec![supply(absent)], mood),
            source: WatchlistSource::Config,
        },
        Call::Watch {
            change: WatchlistChange::Remove(_),
            ..
        } if matches!(mood, Mood::Unknown) => return Err(Reject::NotWatched.into()),
        Call::Watch { .. } => Reply::Watching(Watchlist {
            symbols: vec![symbol()],
            source: WatchlistSource::Desk,
        }),
        Call::Runs { .. } => Reply::Runs(slice(vec![raw(&run())], mood)),
        Call::Market => Reply::Market((!absent).then(market)),
        Call::Look => Reply::Looked { overdue: true },
        Call::Renew { .. } => Reply::Renewed(position()),
        Call::Sources { .. } => Reply::Sources(slice(vec![symbol()], mood)),
        // One room after the feed, and none after that.
        Call::Known { after, .. } => Reply::Known(match after {
            Some(_) => Vec::new(),
            None => vec![symbol()],
        }),
        Call::Audit { .. } => Reply::Audit(match mood {
            Mood::Decided => Slice {
                items: Vec::new(),
                next: None,
            },
            _ => slice(vec![record()], mood),
        }),
        Call::Witnessed { rooms } => Reply::Witnessed(vec![Vec::new(); rooms.len()]),
        Call::CheckAudit { .. } => Reply::AuditChecked(Checked {
            head: Head {
                n: 3,
                hash: Hash::of(b"a row"),
            },
            more: false,
            broken: matches!(mood, Mood::Decided).then_some(Broken {
                n: 4,
                reason: Breach::CutOff,
            }),
        }),
        Call::Admit { .. } => Reply::Admitted {
            revoked_before: None,
        },
        Call::KeepTicket { .. } => Reply::TicketKept { until: NOW },
        Call::Redeem { .. } => Reply::Redeemed(None),
        Call::Revoke { .. } => Reply::Revoked { before: NOW },
        Call::Dismiss { .. } => Reply::Dismissed,
        // The last page: this is asked until it comes.
        Call::Visited { .. } => Reply::Visited(Slice {
            items: vec![symbol()],
            next: None,
        }),
        Call::Receive(_) => unreachable!("only rooms send it"),
    })
}
