//! The API's description says what the API does, and the committed file is that description.
//!
//! Requests of every kind go through the API with rooms of every mood behind it. Whatever it
//! answers must be described and fit its schema, and whatever is described must have been answered.

#![allow(
    clippy::unwrap_used,
    reason = "what is not there is a failed test, in helpers too"
)]

mod messages;
mod requests;
mod rooms;

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use requests::{Asked, Operation, answer, config, operations, requests};
use rooms::{Mood, NOW};
use serde_json::{Value, json};
use signalroom_core::api::{self, Response, openapi};
use signalroom_core::config::ConfigError;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn the_committed_file_is_what_the_code_says() {
    let generated = openapi::text();
    if std::env::var_os("WRITE_OPENAPI").is_some() {
        std::fs::write(FILE, &generated).unwrap();
    }
    assert!(
        std::fs::read_to_string(FILE).unwrap() == generated,
        "core/openapi.json is out of date. Write and commit it:\n  WRITE_OPENAPI=1 cargo test -p \
         signalroom-core --features openapi --test openapi"
    );
}

#[test]
fn the_document_holds_together() {
    let document = openapi::document();
    let parsed: Value = serde_json::from_str(&openapi::text()).unwrap();
    assert_eq!(parsed, document);
    let mut used = BTreeSet::new();
    references(&document, &mut used);
    for reference in &used {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
    for kind in ["responses", "parameters"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(&reference), "{reference} is not used");
        }
    }
    for schema in document["components"]["schemas"]
        .as_object()
        .unwrap()
        .values()
    {
        jsonschema::meta::validate(schema).unwrap();
    }
    let operations = operations(&document);
    let ids: BTreeSet<&str> = operations.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids.len(), operations.len(), "an operationId is used twice");
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.insert(reference.clone());
            }
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// The part of the document that says how a body looks.
fn validator(document: &Value, schema: &Value) -> Validator {
    let mut whole = json!({ "allOf": [schema] });
    whole["components"] = document["components"].clone();
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&whole)
        .unwrap()
}

fn check(
    document: &Value,
    operation: &Operation,
    response: &Response,
    validators: &mut BTreeMap<String, Validator>,
) {
    let status = response.status.to_string();
    let place = format!("{} {status}: {}", operation.id, response.body);
    let described = operation.responses.get(&status);
    let described = described.unwrap_or_else(|| panic!("not described: {place}"));
    let sent = |name: &str| {
        let found = response
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    for (name, header) in described["headers"].as_object().into_iter().flatten() {
        assert!(
            header["required"] != true || sent(name).is_some(),
            "no {name}: {place}"
        );
    }
    let Some(content) = described["content"].as_object() else {
        return assert_eq!(response.body, "", "{place}");
    };
    let content_type = sent("content-type").unwrap();
    let schema = &content[content_type]["schema"];
    let validator = validators
        .entry(schema.to_string())
        .or_insert_with(|| validator(document, schema));
    let body = if content_type.contains("json") && !content_type.ends_with("jsonl") {
        serde_json::from_str(&response.body).unwrap()
    } else {
        Value::from(response.body.as_str())
    };
    let errors: Vec<String> = validator
        .iter_errors(&body)
        .map(|error| format!("{} {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?} in {place}");
}

fn slug(response: &Response) -> String {
    let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
    body["type"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn it_describes_what_is_answered_and_nothing_else() {
    let (document, config) = (openapi::document(), config());
    let mut validators = BTreeMap::new();
    let operations = operations(&document);
    let (mut seen, mut described) = (BTreeSet::new(), BTreeSet::new());
    for operation in &operations {
        let refused = api::misconfigured(&ConfigError::NoSecret);
        let mut answers = vec![refused, api::busy(), api::late()];
        for asked in requests(operation) {
            answers.extend(Mood::ALL.map(|mood| answer(&config, operation, &asked, mood)));
        }
        for response in &answers {
            check(&document, operation, response, &mut validators);
            seen.insert((&operation.id, response.status.to_string(), slug(response)));
        }
        for (status, response) in &operation.responses {
            let content = &response["content"]["application/problem+json"];
            let types = content.pointer("/schema/allOf/1/properties/type/enum");
            let no_problem = vec![json!("")];
            for kind in types.and_then(Value::as_array).unwrap_or(&no_problem) {
                described.insert((&operation.id, status.clone(), kind.as_str().unwrap().into()));
            }
        }
    }
    let only = |these: &BTreeSet<_>, those: &BTreeSet<_>| {
        these
            .difference(those)
            .cloned()
            .collect::<Vec<(&String, String, String)>>()
    };
    assert_eq!(only(&seen, &described), [], "answered, not described");
    assert_eq!(only(&described, &seen), [], "described, not answered");
}

#[test]
fn a_wrong_parameter_is_refused_by_its_name() {
    const ANY_TEXT: [&str; 3] = ["by", "epoch", "cron"];
    let (document, config) = (openapi::document(), config());
    for operation in &operations(&document) {
        for parameter in operation
            .parameters
            .iter()
            .filter(|one| one["in"] == "query")
        {
            let name = parameter["name"].as_str().unwrap();
            let good = requests(operation).remove(0);
            let asked = Asked {
                query: format!("{name}=%00"),
                ..good
            };
            let response = answer(&config, operation, &asked, Mood::Good);
            if ANY_TEXT.contains(&name) {
                assert!(response.status < 300, "{} {name}", operation.id);
                continue;
            }
            let body: Value = serde_json::from_str(&response.body).unwrap();
            assert_eq!(body["pointer"], format!("/{name}"), "{}", operation.id);
        }
    }
}

#[test]
fn ranges_and_values_of_parameters_are_the_true_ones() {
    let (document, config) = (openapi::document(), config());
    for operation in &operations(&document) {
        for parameter in operation
            .parameters
            .iter()
            .filter(|one| one["in"] == "query")
        {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            let schema = match schema["$ref"].as_str() {
                Some(reference) => document.pointer(&reference[1..]).unwrap(),
                None => schema,
            };
            let mut cases = Vec::new();
            if let (Some(least), Some(most)) =
                (schema["minimum"].as_i64(), schema["maximum"].as_i64())
            {
                cases.extend(
                    [
                        (least, true),
                        (most, true),
                        (least - 1, false),
                        (most + 1, false),
                    ]
                    .map(|(number, fits)| (number.to_string(), fits)),
                );
            }
            for value in schema["enum"].as_array().into_iter().flatten() {
                cases.push((value.as_str().unwrap().to_owned(), true));
            }
            for (value, fits) in cases {
                let good = requests(operation).remove(0);
                let asked = Asked {
                    query: format!("{name}={value}"),
                    ..good
                };
                let status = answer(&config, operation, &asked, Mood::Good).status;
                assert_eq!(status != 422, fits, "{} {name}={value}", operation.id);
            }
        }
    }
}

#[test]
fn bodies_that_fit_are_taken() {
    let (document, config) = (openapi::document(), config());
    let bar = json!({"date":"2026-01-02","open":1.0,"high":2.0,"low":0.5,"close":1.5,"volume":0});
    let cases = [
        (
            "Decision",
            "/approve",
            json!({"status":"RISK","note":"so","signal_id":rooms::ID}),
            true,
        ),
        (
            "Decision",
            "/approve",
            json!({"status":"RISK","note":"x".repeat(2000)}),
            true,
        ),
        (
            "Decision",
            "/approve",
            json!({"status":"RISK","note":"x".repeat(2001)}),
            false,
        ),
        ("Decision", "/approve", json!({"status":"buy"}), false),
        ("Decision", "/approve", json!({}), false),
        ("RunRequest", "/runs", json!({"cron":"* * * * *"}), true),
        (
            "RunRequest",
            "/runs",
            json!({"cron":"x".repeat(101)}),
            false,
        ),
        ("RevokeRequest", "/revoke", json!({"reason":"left"}), true),
        (
            "RevokeRequest",
            "/revoke",
            json!({"reason":"x".repeat(501)}),
            false,
        ),
        ("BarsUpload", "/bars", json!([bar]), true),
        ("BarsUpload", "/bars", json!({"bars":[bar]}), true),
        ("BarsUpload", "/bars", json!({"data":[bar]}), false),
    ];
    for (schema, path, body, fits) in cases {
        let reference = json!({ "$ref": format!("#/components/schemas/{schema}") });
        assert_eq!(
            validator(&document, &reference).is_valid(&body),
            fits,
            "{body}"
        );
        let operations = operations(&document);
        let takes = |one: &&Operation| one.body && one.path.ends_with(path);
        let operation = operations.iter().find(takes).unwrap();
        let good = requests(operation).remove(0);
        let asked = Asked {
            body: Some(body.to_string()),
            ..good
        };
        let status = answer(&config, operation, &asked, Mood::Good).status;
        assert_eq!(status == 200, fits, "{body}");
    }
}

#[test]
fn signals_fit_with_and_without_reasons() {
    let document = openapi::document();
    let [plain, explained] = ["Signal", "ExplainedSignal"].map(|name| {
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        validator(&document, &reference)
    });
    for signal in rooms::signals() {
        let view = serde_json::to_value(signal.view(NOW)).unwrap();
        assert!(
            plain.is_valid(&view) && !explained.is_valid(&view),
            "{view}"
        );
        let view = serde_json::to_value(signal.view_with_explain(NOW)).unwrap();
        assert!(plain.is_valid(&view) && explained.is_valid(&view), "{view}");
        for name in view.as_object().unwrap().keys() {
            let described = &document["components"]["schemas"]["Signal"]["properties"][name];
            assert!(described.is_object(), "{name} is not described");
        }
    }
}
