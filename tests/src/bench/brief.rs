//! Frames and replies in few words, for transcripts that people read.

use serde_json::Value as Json;
use signalroom_core::audit::Record;
use signalroom_core::room::call::{BarRevision, City, Ingested, Push, Reject, Reply, SymbolSupply};
use signalroom_core::room::signal::Signal;
use signalroom_core::symbol::Symbol;

fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A frame.
pub fn frame(text: &str) -> String {
    match serde_json::from_str(text).expect("frames are JSON") {
        Json::Array(messages) => {
            let messages: Vec<String> = messages.iter().map(message).collect();
            format!("[{}]", messages.join("; "))
        }
        single => message(&single),
    }
}

fn message(message: &Json) -> String {
    let data = &message["data"];
    let seq = match &message["seq"] {
        Json::Null => String::new(),
        seq => format!("#{seq} "),
    };
    let kind = text(&message["type"]);
    let rest = match kind.as_str() {
        "welcome" | "pong" => {
            let echo = match &data["echo"] {
                Json::Null => String::new(),
                echo => format!(" echo {echo}"),
            };
            let bare = if message["timestamp"].is_null() {
                " bare"
            } else {
                ""
            };
            format!("{} #{}{echo}{bare}", text(&data["epoch"]), data["seq"])
        }
        "snapshot" => {
            let signals = data["signals"].as_array().expect("signals");
            let city = match &data["city"] {
                Json::Null => "no city".to_owned(),
                city => format!("city {}", text(&city["city_state"])),
            };
            format!("{}, {city}", list(signals.iter().map(signal)))
        }
        "resumed" => format!("{} {}", data["recovered"], data["count"]),
        "new_signal" => signal(data),
        "approval_notification" => decision(data),
        "city_state_update" => text(&data["city_state"]),
        "error" => text(&data["code"]),
        _ => data["symbol"].as_str().unwrap_or_default().to_owned(),
    };
    format!("{seq}{kind} {rest}").trim_end().to_owned()
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("[{}]", items.join(", "))
}

fn signal(signal: &Json) -> String {
    format!(
        "{} {} {}",
        text(&signal["id"]),
        text(&signal["recommendation"]["suggested"]),
        text(&signal["status"])
    )
}

fn decision(approval: &Json) -> String {
    format!(
        "{} {} by {}",
        text(&approval["signal_id"]),
        text(&approval["approved_status"]),
        text(&approval["approved_by"])
    )
}

fn full(full: &Signal) -> String {
    signal(&serde_json::to_value(full.view(full.computed_at)).expect("a signal is JSON"))
}

fn raw(items: &[Box<serde_json::value::RawValue>], show: fn(&Json) -> String) -> String {
    list(items.iter().map(|item| {
        let item = serde_json::from_str(item.get()).expect("items are JSON");
        show(&item)
    }))
}

/// An answer.
pub fn reply(reply: &Reply) -> String {
    match reply {
        Reply::BarsStored { counts, signal } => {
            let signal = signal
                .as_ref()
                .map_or_else(String::new, |signal| format!(", signal {}", full(signal)));
            format!(
                "{} accepted, {} replaced, {} unchanged{signal}",
                counts.accepted, counts.replaced, counts.unchanged
            )
        }
        Reply::Bars(slice) => format!("{} bars", slice.items.len()),
        Reply::Computed(computed) => format!("{computed:?}"),
        Reply::Latest(signal) => full(signal),
        Reply::History(slice) => list(slice.items.iter().map(full)),
        Reply::Approved { approval, room, .. } => format!(
            "{} {} by {} at #{}",
            approval.signal_id, approval.approved_status, approval.approved_by, room.seq
        ),
        Reply::Approvals(slice) => raw(&slice.items, decision),
        Reply::Received(ack) => format!(
            "has #{} v{}, own #{}",
            ack.seq, ack.version, ack.position.seq
        ),
        Reply::Signals(slice) => raw(&slice.items, signal),
        Reply::City(it) => city(it),
        Reply::Planned(plan) => {
            let symbols = |symbols: &[Symbol]| list(symbols.iter().map(ToString::to_string));
            let mut said = symbols(&plan.dirty);
            if !plan.look.is_empty() {
                said += &format!(", look {}", symbols(&plan.look));
            }
            if !plan.stale.is_empty() {
                let stale = plan.stale.iter().map(|it| match it.last_bar {
                    Some(date) => format!("{} {date}", it.symbol),
                    None => format!("{} never", it.symbol),
                });
                said += &format!(", stale {}", list(stale));
            }
            if !plan.fetch.is_empty() {
                let fetch = plan.fetch.iter().map(|it| {
                    let changed = it.validator.as_ref().map_or("", |_| " if changed");
                    format!("{} {}{changed}", it.symbol, it.from)
                });
                said += &format!(", fetch {}", list(fetch));
            }
            if !plan.series.is_empty() {
                let series = plan.series.iter().map(|it| it.series.to_string());
                said += &format!(", series {}", list(series));
            }
            if !plan.grants.is_empty() {
                let grants = plan.grants.iter();
                let grants = grants.map(|it| format!("{} {}", it.provider, it.requests));
                said += &format!(", grants {}", list(grants));
            }
            if plan.deferred > 0 {
                said += &format!(", {} deferred", plan.deferred);
            }
            if plan.overdue {
                said += ", overdue";
            }
            said
        }
        Reply::Finished(report) => match &report.city {
            Some(it) => city(it),
            None => "finished".to_owned(),
        },
        Reply::Ingested(ingested) => ingest(ingested),
        Reply::Closes(closes) => format!("{} closes", closes.len()),
        Reply::BarRevisions(slice) => list(slice.items.iter().map(revision)),
        Reply::Supply { symbols, source } => {
            let symbols = symbols.items.iter().map(supply);
            format!("{source:?}: {}", list(symbols))
        }
        Reply::Watching(watchlist) => {
            let symbols = watchlist.symbols.iter().map(ToString::to_string);
            format!("{:?}: {}", watchlist.source, list(symbols))
        }
        Reply::Runs(slice) => raw(&slice.items, |run| {
            let end = if run["ended_at"].is_null() {
                " open"
            } else {
                ""
            };
            format!("{}{end}", text(&run["id"]))
        }),
        Reply::Market(None) => "no mood".to_owned(),
        Reply::Market(Some(market)) => format!("mood {:?}", market.mood.score),
        Reply::Looked { overdue } => if *overdue { "overdue" } else { "in time" }.to_owned(),
        Reply::Renewed(position) => format!("renewed at #{}", position.seq),
        Reply::Sources(slice) | Reply::Visited(slice) => {
            list(slice.items.iter().map(ToString::to_string))
        }
        Reply::Admitted { revoked_before } => match revoked_before {
            Some(before) => format!("admitted, revoked before {before}"),
            None => "admitted".to_owned(),
        },
        Reply::TicketKept { until } => format!("good until {until}"),
        Reply::Redeemed(Some(holder)) => format!("of {} {}", holder.sub, holder.role.as_str()),
        Reply::Redeemed(None) => "of nobody".to_owned(),
        Reply::Revoked { before } => format!("revoked before {before}"),
        Reply::Dismissed => "dismissed".to_owned(),
        Reply::Known(symbols) => list(symbols.iter().map(ToString::to_string)),
        Reply::Audit(slice) => list(slice.items.iter().map(record)),
        Reply::AuditChecked(checked) => match checked.broken {
            Some(broken) => format!("row {}: {}", broken.n, broken.reason),
            None => format!("{} rows are whole", checked.head.n),
        },
        Reply::Witnessed(rooms) => list(rooms.iter().map(|heads| {
            let rows = heads.iter().map(|head| format!("#{}", head.n));
            list(rows)
        })),
    }
}

fn city(city: &City) -> String {
    let state = city.city_state.map_or("null", |mood| mood.as_str());
    format!("{state}: {}", city.notes)
}

fn ingest(ingested: &Ingested) -> String {
    let Ingested {
        counts,
        computed,
        refetch,
        stranger,
    } = ingested;
    match refetch {
        _ if *stranger => "another symbol's".to_owned(),
        Some(from) => format!("wants everything from {from}"),
        None => format!(
            "{} accepted, {} replaced, {} unchanged, {computed:?}",
            counts.accepted, counts.replaced, counts.unchanged
        ),
    }
}

fn revision(revision: &BarRevision) -> String {
    match revision {
        BarRevision::Correction { before, after, .. } => {
            let after = after.map_or("nothing".to_owned(), |bar| bar.close.to_string());
            format!("{} {} is {after}", before.date, before.close)
        }
        BarRevision::Adjustment {
            from,
            to,
            bars,
            ratio,
            ..
        } => format!("{bars} bars {from} to {to} by {ratio}"),
    }
}

fn supply(supply: &SymbolSupply) -> String {
    let mut said = supply.symbol.to_string();
    for (flag, name) in [
        (supply.watched, "watched"),
        (supply.stale, "stale"),
        (supply.provisional, "provisional"),
    ] {
        if flag {
            said += &format!(" {name}");
        }
    }
    if let Some(next) = supply.next_fetch_at {
        said += &format!(" next {next}");
    }
    if supply.failures > 0 {
        said += &format!(" {} failed", supply.failures);
    }
    if let Some(missing) = supply.missing_from {
        said += &format!(" missing {missing}");
    }
    if let Some(error) = &supply.error {
        said += &format!(" ({error})");
    }
    said
}

/// A row of a record; hashes are left out.
fn record(record: &Record) -> String {
    let details: Json = serde_json::from_str(record.details.get()).expect("details are JSON");
    let mut said = format!("#{} {} by {}", record.n, record.action, record.sub);
    for name in [
        "reason",
        "signal_id",
        "current",
        "status",
        "accepted",
        "replaced",
        "rejected",
    ] {
        match &details[name] {
            Json::Null => {}
            Json::String(text) => said += &format!(" {text}"),
            other => said += &format!(" {name}={other}"),
        }
    }
    said
}

/// A refusal.
pub fn reject(reject: &Reject) -> String {
    match reject {
        Reject::AlreadyDecided(signal, _) => format!("AlreadyDecided: {}", full(signal)),
        Reject::StaleSignal(signal, _) => format!("StaleSignal: {}", full(signal)),
        Reject::InsufficientHistory(missing) => format!(
            "InsufficientHistory: {}",
            list(missing.iter().map(|missing| missing.what.to_string()))
        ),
        Reject::RateLimited { wait } => format!("RateLimited: wait {wait} ms"),
        Reject::UnknownSymbol
        | Reject::NoSignal
        | Reject::KeyReused
        | Reject::RetiredEpoch
        | Reject::NotWatched
        | Reject::TooManyWatched
        | Reject::Misdirected => {
            format!("{reject:?}")
        }
    }
}

/// A batch between rooms.
pub fn push(push: &Push) -> String {
    let seqs = push.entries.iter().map(|entry| format!("#{}", entry.seq));
    let dirty = if push.state.dirty { " dirty" } else { "" };
    format!("{} v{}{dirty}", list(seqs), push.state.version)
}
