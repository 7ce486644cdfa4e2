//! The messages of the sockets are those of the protocol's description, whose examples were
//! recorded.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use signalroom_core::api::openapi;
use signalroom_core::wire::client::decode;

use super::validator;

const PROTOCOL: &str = include_str!("../../../docs/protocol.md");

/// The recorded messages, one per line.
fn examples() -> Vec<Value> {
    let lines = PROTOCOL
        .lines()
        .filter(|line| line.starts_with("    {\"type\":"));
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The schema of a kind of messages, and the types it knows.
fn schema(name: &str) -> (jsonschema::Validator, BTreeSet<String>) {
    let document = openapi::document();
    let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
    let members = &document["components"]["schemas"][name]["oneOf"];
    let kinds = members.as_array().unwrap().iter().map(|member| {
        let kind = member["properties"]["type"]["const"].as_str();
        kind.unwrap().to_owned()
    });
    (validator(&document, &reference), kinds.collect())
}

#[test]
fn the_recorded_messages_fit_and_are_all_there_are() {
    let (server, server_kinds) = schema("ServerMessage");
    let (client, client_kinds) = schema("ClientMessage");
    let document = openapi::document();
    let reference = json!({ "$ref": "#/components/schemas/BarePong" });
    let bare_pong = validator(&document, &reference);
    let (mut told, mut asked) = (BTreeSet::new(), BTreeSet::new());
    for message in examples() {
        let kind = message["type"].as_str().unwrap().to_owned();
        if message.get("timestamp").is_some() {
            let error = server.iter_errors(&message).next();
            assert!(error.is_none(), "{error:?} in {message}");
            told.insert(kind);
        } else if kind == "pong" {
            assert!(bare_pong.is_valid(&message), "{message}");
        } else {
            assert!(client.is_valid(&message), "{message}");
            decode(&message.to_string()).unwrap();
            asked.insert(kind);
        }
    }
    assert_eq!(told, server_kinds);
    assert_eq!(asked, client_kinds);
}

#[test]
fn what_a_client_may_say_is_what_is_understood() {
    let (client, kinds) = schema("ClientMessage");
    let data = [
        json!({}),
        json!({"symbol": "AAPL"}),
        json!({"symbols": ["AAPL", "^VIX"]}),
        json!({"symbols": []}),
        json!({"symbol": "A B"}),
        json!({"symbol": 7}),
        json!({"token": "jwt"}),
        json!({"token": null}),
        json!({"timestamp": [1, "x"]}),
    ];
    for kind in kinds {
        for data in &data {
            let message = json!({ "type": kind, "data": data });
            assert_eq!(
                client.is_valid(&message),
                decode(&message.to_string()).is_ok(),
                "{message}"
            );
        }
        let message = json!({ "type": kind });
        assert_eq!(
            client.is_valid(&message),
            decode(&message.to_string()).is_ok(),
            "{message}"
        );
    }
}
