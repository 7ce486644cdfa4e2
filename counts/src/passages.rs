//! The hot paths, each with how often one count takes it.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use serde_json::value::RawValue;
use signalroom_core::api::{self, Next, Request};
use signalroom_core::audit::{Hash, Record, VERSION};
use signalroom_core::auth::{Claims, Role};
use signalroom_core::config::{Config, RoomConfig};
use signalroom_core::host::Host;
use signalroom_core::room::Event;
use signalroom_core::room::call::{
    Call, Caller, Entry, EventKind, Proposal, Push, Reply, RoomState,
};
use signalroom_core::room::name::RoomName;
use signalroom_core::room::socket::{ConnId, Hello};
use signalroom_core::signals::bar::Bar;
use signalroom_core::signals::past::Past;
use signalroom_core::signals::unslug::AnchorWindow;
use signalroom_core::signals::{RECENT, Suggestion, evaluate, evaluate_after};
use signalroom_core::symbol::Symbol;
use signalroom_core::time::Millis;
use signalroom_core::wire::{client, server};

use crate::sockets::Counting;
use crate::sql::SqliteSql;

/// A hot path: its name, how many passages one count is made of, and the passages.
pub(crate) type Passage = (&'static str, usize, fn(usize));

/// All of them.
pub(crate) const PASSAGES: [Passage; 8] = [
    ("encode an event", 500, encode),
    ("decode a client's message", 500, decode),
    ("broadcast to 1,000 sockets", 20, broadcast),
    ("bar, signal and decision", 20, decide),
    ("evaluate 600 bars", 20, score),
    ("evaluate a new bar", 50, score_one),
    ("route and authenticate", 100, route),
    ("hash a row of the record", 500, seal),
];

/// A moment in a session of 2026.
const NOW: Millis = Millis(1_780_000_000_000);
/// Beyond every passage.
const LASTING: Millis = Millis(4_000_000_000_000);

fn symbol() -> Symbol {
    "AAPL".parse().expect("a symbol")
}

/// A signal as long as they are.
fn signal(seq: usize) -> Box<RawValue> {
    let signal = json!({
        "id": format!("AAPL:2026-05-04:{seq}"),
        "symbol": "AAPL",
        "timestamp": "2026-05-04T21:15:47.123Z",
        "unslug_score": 0.6123,
        "fear_score": 0.3341,
        "combined_trust": 0.5289,
        "status": "PENDING_REVIEW",
        "recommendation": {"suggested": "BUY", "confidence": 0.61, "reasons": ["near the crash's low"]},
        "provisional": false,
        "stale": false,
    });
    RawValue::from_string(signal.to_string()).expect("JSON")
}

/// Daily bars from 2018 on: a slow rise, two waves, and the crash of March 2020.
fn bars(count: usize) -> Vec<Bar> {
    let first = NaiveDate::from_ymd_opt(2019, 9, 2).expect("a date");
    let bar = |n: usize| {
        let x = f64::from(u32::try_from(n).expect("few bars"));
        let crash = if (190..215).contains(&n) { 0.65 } else { 1.0 };
        let close = (100.0 + 0.05 * x + 8.0 * (x / 23.0).sin() + 2.0 * (x / 3.0).cos()) * crash;
        Bar {
            date: first + Days::new(n as u64),
            open: close * 0.995,
            high: close * 1.01,
            low: close * 0.985,
            close,
            volume: 1_000_000.0 + 1_000.0 * x,
        }
    };
    (0..count).map(bar).collect()
}

fn host(name: RoomName) -> Host<SqliteSql> {
    let sql = SqliteSql::new(PathBuf::from(":memory:"));
    Host::new(name, RoomConfig::default(), "e1".to_owned(), sql)
}

fn encode(times: usize) {
    let data = signal(1);
    for seq in 0..times {
        let kind = EventKind::NewSignal.as_str();
        let seq = i64::try_from(seq).expect("few events");
        black_box(server::event(kind, black_box(&data), NOW, seq));
    }
}

fn decode(times: usize) {
    let text = r#"{"type":"subscribe_symbol","data":{"symbols":["AAPL","MSFT","BRK-B","^GSPC"]}}"#;
    for _ in 0..times {
        black_box(client::decode(black_box(text))).expect("a message");
    }
}

/// A new signal comes to the feed; half of its sockets follow another symbol alone.
fn broadcast(times: usize) {
    const SOCKETS: u64 = 1_000;
    let mut feed = host(RoomName::Feed);
    let mut sockets = Counting::default();
    let other: Symbol = "MSFT".parse().expect("a symbol");
    let receive = |seq: usize, feed: &mut Host<SqliteSql>, sockets: &mut Counting| {
        let push = Push {
            source: RoomName::Symbol(symbol()),
            epoch: "s1".to_owned(),
            born: NOW,
            lineage: Vec::new(),
            state: RoomState {
                version: i64::try_from(seq).expect("few events"),
                ..RoomState::default()
            },
            floor: 1,
            audit: None,
            entries: vec![Entry {
                seq: i64::try_from(seq).expect("few events"),
                kind: EventKind::NewSignal,
                data: signal(seq),
                signal: signal(seq),
            }],
        };
        feed.on_call(Call::Receive(push), NOW, sockets)
            .expect("received");
    };
    receive(1, &mut feed, &mut sockets);
    for conn in 0..SOCKETS {
        let hello = Hello {
            sub: format!("user {conn}"),
            role: Role::Viewer,
            expires_at: LASTING,
            issued_at: None,
            batch: true,
            symbols: conn.is_multiple_of(2).then(|| vec![other.clone()]),
            city: false,
            market: false,
            resume: None,
        };
        let event = Event::Connected {
            conn: ConnId(conn),
            hello: Box::new(hello),
        };
        feed.on_event(event, NOW, &mut sockets).expect("connected");
    }
    sockets.frames = 0;
    for n in 0..times {
        receive(n + 2, &mut feed, &mut sockets);
    }
    assert_eq!(
        sockets.frames,
        times * 500,
        "who follows the symbol hears it"
    );
}

/// A bar comes, makes a signal, and somebody decides on it.
fn decide(times: usize) {
    let mut room = host(RoomName::Symbol(symbol()));
    let mut sockets = Counting::default();
    let all = bars(600 + times);
    let (past, new) = all.split_at(600);
    let by = || Caller::new("alice", Role::Admin);
    let put = |bars: &[Bar]| Call::PutBars {
        bars: bars.to_vec(),
        compute: true,
        rejected: 0,
        by: by(),
    };
    room.on_call(put(past), NOW, &mut sockets).expect("history");
    let mut now = NOW;
    for bar in new {
        now = now.plus(60_000);
        let stored = room.on_call(put(&[*bar]), now, &mut sockets);
        let Ok(Reply::BarsStored {
            signal: Some(_), ..
        }) = stored
        else {
            panic!("no signal: {stored:?}");
        };
        let decision = Proposal {
            status: Suggestion::Buy,
            note: Some("as discussed".to_owned()),
            conditions: Vec::new(),
            by: by(),
            retry: None,
        };
        room.on_call(Call::Approve(decision), now, &mut sockets)
            .expect("decided");
    }
}

fn score(times: usize) {
    let bars = bars(600);
    for _ in 0..times {
        let found = black_box(evaluate(black_box(&bars)));
        assert!(found.suggestion.is_some(), "the whole of it is computed");
    }
}

/// What a new bar costs when the past is known.
fn score_one(times: usize) {
    let bars = bars(600);
    let window = AnchorWindow::default();
    let (old, recent) = bars.split_at(bars.len() - RECENT);
    let past = Past::of(old, &window).expect("beyond the crisis");
    for _ in 0..times {
        let found = evaluate_after(Some(black_box(&past)), black_box(recent), &window);
        assert!(
            black_box(found).suggestion.is_some(),
            "the whole of it is computed"
        );
    }
}

/// From a request with a token to the first thing its route wants to know.
fn route(times: usize) {
    let secret = "counts counts counts counts counts counts";
    let config = Config::from_vars(|name| (name == "JWT_SECRET").then(|| secret.to_owned()));
    let config = Arc::new(config.expect("a configuration"));
    let claims = Claims {
        sub: "alice".to_owned(),
        role: Role::Viewer,
        expires_at: LASTING,
        issued_at: Some(NOW),
    };
    let token = config.verifier.sign(&claims).expect("a token");
    let mut headers = HeaderMap::new();
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).expect("a header");
    headers.insert("authorization", bearer);
    headers.insert("origin", HeaderValue::from_static("https://desk.example"));
    headers.insert("user-agent", HeaderValue::from_static("counts"));
    for _ in 0..times {
        let request = Request {
            method: Method::GET,
            path: "/api/v1/signals/AAPL/history".to_owned(),
            query: "limit=50".to_owned(),
            headers: headers.clone(),
            peer: Some("192.0.2.7".to_owned()),
            nonce: "0123456789abcdef0123456789abcdef".to_owned(),
            secure: true,
            local: false,
        };
        let next = api::begin(&config, request, NOW);
        let Next::Limit { then, .. } = next else {
            panic!("the request is not counted");
        };
        let Next::Call { calls, .. } = black_box(then(Ok(()), NOW)) else {
            panic!("nobody is asked");
        };
        assert_eq!(calls.len(), 1);
    }
}

fn seal(times: usize) {
    let mut record = Record {
        action: "approval".to_owned(),
        at: NOW,
        details: RawValue::from_string(
            r#"{"note":"as discussed","signal_id":"AAPL:2026-05-04:1","status":"APPROVED_BUY"}"#
                .to_owned(),
        )
        .expect("JSON"),
        hash: Hash::ZERO,
        ip: Some("192.0.2.7".to_owned()),
        n: 1,
        prev: Hash::ZERO,
        role: "admin".to_owned(),
        room: RoomName::Symbol(symbol()),
        sub: "alice".to_owned(),
        user_agent: Some("counts".to_owned()),
        v: VERSION,
    };
    for _ in 0..times {
        record.prev = black_box(&record).computed_hash();
        record.n += 1;
    }
}
