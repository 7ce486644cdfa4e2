//! The messages of the sockets, for clients that make their types of this document.

use serde_json::{Map, Value, json};

use super::parts::{add, schema};
use crate::room::call::City;
use crate::room::signal::Approval;
use crate::wire::limits::{MAX_SUBSCRIPTIONS, SUBPROTOCOL};
use crate::wire::server;

/// Adds the schemas of all messages.
pub(super) fn add_messages(named: &mut Map<String, Value>) {
    add::<server::Welcome<'static>>(named);
    add::<server::Snapshot<'static>>(named);
    add::<server::Resumed>(named);
    add::<server::Pong<'static>>(named);
    add::<server::Expiry>(named);
    add::<server::ErrorData<'static>>(named);
    add::<server::SymbolData<'static>>(named);
    add::<City>(named);
    add::<Approval>(named);
    named.insert("ServerMessage".into(), of_the_server());
    named.insert("BarePong".into(), bare_pong());
    named.insert("ClientMessage".into(), of_the_client());
}

fn of_the_server() -> Value {
    let nothing = json!({ "type": "object", "maxProperties": 0 });
    let message = |kind: &str, data: Value| {
        json!({
            "type": "object",
            "required": ["type", "data", "timestamp"],
            "properties": {
                "type": { "const": kind },
                "data": data,
                "timestamp": schema("Time"),
            },
        })
    };
    let event = |kind: &str, data: &str| {
        let mut event = message(kind, schema(data));
        event["required"] = json!(["type", "data", "timestamp", "seq"]);
        event["properties"]["seq"] = json!({
            "type": "integer", "minimum": 1, "description": "Place in the socket's log.",
        });
        event
    };
    json!({
        "description": format!(
            "What a socket tells. `timestamp` is of an event (it has a `seq`) the time of its \
             commit, else the time of sending. With `{SUBPROTOCOL}` a frame may be an array of \
             messages. Other types and members may come."
        ),
        "oneOf": [
            message("welcome", schema("Welcome")),
            message("snapshot", schema("Snapshot")),
            message("resumed", schema("Resumed")),
            event("new_signal", "Signal"),
            event("approval_notification", "Approval"),
            message("city_state_update", schema("City")),
            message("pong", schema("Pong")),
            message("subscription_confirmed", schema("SymbolData")),
            message("unsubscription_confirmed", schema("SymbolData")),
            message("city_state_subscription_confirmed", nothing.clone()),
            message("city_state_unsubscription_confirmed", nothing.clone()),
            message("market_update", schema("Market")),
            message("market_subscription_confirmed", nothing.clone()),
            message("market_unsubscription_confirmed", nothing),
            message("token_expiring", schema("Expiry")),
            message("authenticated", schema("Expiry")),
            message("error", schema("ErrorData")),
        ],
    })
}

fn bare_pong() -> Value {
    json!({
        "type": "object",
        "description": "The answer to the bare text `ping`: the log's newest `seq`. It has no time.",
        "required": ["type", "data"],
        "properties": { "type": { "const": "pong" }, "data": schema("Position") },
    })
}

fn of_the_client() -> Value {
    let message = |kind: &str, data: Value| {
        let mut required = vec!["type"];
        if data.get("required").is_some() || data.get("oneOf").is_some() {
            required.push("data");
        }
        json!({
            "type": "object",
            "required": required,
            "properties": { "type": { "const": kind }, "data": data },
        })
    };
    let symbol = schema("Symbol");
    let symbols = json!({
        "oneOf": [
            { "type": "object", "required": ["symbol"], "properties": { "symbol": symbol } },
            {
                "type": "object",
                "required": ["symbols"],
                "properties": { "symbols": {
                    "type": "array", "items": symbol, "minItems": 1, "maxItems": MAX_SUBSCRIPTIONS,
                } },
            },
        ],
    });
    let nothing = json!({ "type": "object" });
    json!({
        "description": "What a client tells, a message per frame; or the bare text `ping`.",
        "oneOf": [
            message("subscribe_symbol", symbols.clone()),
            message("unsubscribe_symbol", symbols),
            message("subscribe_all", nothing.clone()),
            message("subscribe_city_state", nothing.clone()),
            message("unsubscribe_city_state", nothing.clone()),
            message("subscribe_market", nothing.clone()),
            message("unsubscribe_market", nothing),
            message("ping", json!({
                "type": "object",
                "properties": { "timestamp": { "description": "Comes back as `echo`." } },
            })),
            message("authenticate", json!({
                "type": "object",
                "required": ["token"],
                "properties": { "token": { "type": "string", "description": "A JWT." } },
            })),
        ],
    })
}
