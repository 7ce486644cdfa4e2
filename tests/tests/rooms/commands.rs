//! Random commands on two symbol rooms and the feed, for the properties.

use proptest::prelude::*;
use proptest::sample::select;

const SHAPES: [&str; 6] = ["BUY", "BUY2", "NEUTRAL", "NEUTRAL2", "RISK", "RISK2"];
const STATUSES: [&str; 3] = ["BUY", "NEUTRAL", "RISK"];
const SAID: [&str; 12] = [
    r#"{"type":"subscribe_symbol","data":{"symbol":"A"}}"#,
    r#"{"type":"subscribe_symbol","data":{"symbols":["A","B"]}}"#,
    r#"{"type":"unsubscribe_symbol","data":{"symbol":"A"}}"#,
    r#"{"type":"unsubscribe_symbol","data":{"symbol":"C"}}"#,
    r#"{"type":"subscribe_all","data":{}}"#,
    r#"{"type":"subscribe_city_state","data":{}}"#,
    r#"{"type":"unsubscribe_city_state","data":{}}"#,
    r#"{"type":"ping","data":{"timestamp":7}}"#,
    r#"{"type":"ping"}"#,
    r#"{"type":"nope"}"#,
    "noise",
    "ping",
];

fn symbol() -> impl Strategy<Value = &'static str> {
    select(&["A", "B"][..])
}

fn room() -> impl Strategy<Value = &'static str> {
    select(&["A", "B", "feed"][..])
}

/// New bars, most of them computed at once.
pub fn bars() -> impl Strategy<Value = String> {
    let now = prop::bool::weighted(0.8);
    (symbol(), 0..3, select(&SHAPES[..]), now).prop_map(|(symbol, day, shape, now)| {
        let now = if now { " now" } else { "" };
        format!("bars {symbol} {day} {shape}{now}")
    })
}

/// Decisions, some of them under a condition.
pub fn approve() -> impl Strategy<Value = String> {
    let condition = prop::option::of((25..=26, 1..4));
    (symbol(), select(&STATUSES[..]), condition).prop_map(|(symbol, status, condition)| {
        let condition = condition.map_or_else(String::new, |(day, revision)| {
            format!(" if={symbol}:2021-02-{day}:{revision}")
        });
        format!("approve {symbol} {status} alice{condition}")
    })
}

fn connect() -> impl Strategy<Value = String> {
    let symbols = prop::option::weighted(0.3, select(&["A", "B", "A,C"][..]));
    let since = prop::option::weighted(0.4, prop_oneof![0..6, 28..36, 58..75]);
    (room(), 1..5, any::<(bool, bool)>(), symbols, since).prop_map(
        |(room, conn, (v1, city), symbols, since)| {
            let mut line = format!("connect {room} {conn}");
            line.push_str(if v1 { " v1" } else { "" });
            // The route gives a symbol's own socket no filter and no city.
            if room == "feed" {
                line.push_str(if city { " city" } else { "" });
                line.extend(symbols.map(|symbols| format!(" symbols={symbols}")));
            }
            line.extend(since.map(|since| format!(" since={since}")));
            line
        },
    )
}

fn socket() -> impl Strategy<Value = String> {
    prop_oneof![
        10 => (1..5, select(&SAID[..])).prop_map(|(conn, text)| format!("say {conn} {text}")),
        1 => (1..5).prop_map(|conn| format!("bytes {conn} 5")),
        1 => (1..5).prop_map(|conn| format!("long {conn} 16385")),
        2 => (1..5).prop_map(|conn| format!("gone {conn}")),
    ]
}

fn carry() -> impl Strategy<Value = String> {
    let step = select(&["push", "arrive", "arrive", "ack", "ack", "lost", "deliver"][..]);
    (step, symbol()).prop_map(|(step, symbol)| format!("{step} {symbol}"))
}

fn other() -> impl Strategy<Value = String> {
    prop_oneof![
        symbol().prop_map(|symbol| format!("compute {symbol}")),
        symbol().prop_map(|symbol| format!("latest {symbol}")),
        room().prop_map(|room| format!("approvals {room}")),
        room().prop_map(|room| format!("alarm {room}")),
        room().prop_map(|room| format!("forget {room}")),
        room().prop_map(|room| format!("city {room}")),
        (0..3000).prop_map(|wait| format!("wait {wait}")),
        Just("bars B history".to_owned()),
        Just("signals feed".to_owned()),
        Just("plan feed".to_owned()),
        (1..4, 0..3, 1..4).prop_map(|(first, more, version)| {
            let last = first + more;
            format!("receive feed C e1 {first}..{last} v{version} trust=0.{version}")
        }),
    ]
}

/// Anything that can happen.
pub fn any_command() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => bars(),
        3 => approve(),
        4 => connect(),
        5 => socket(),
        6 => carry(),
        4 => other(),
    ]
}
