//! Puts the document together and writes it so that a change shows as few changed lines.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::super::problem::Slug;
use super::super::routes::{Action, ROUTES, Route};
use super::operations::{Operation, describe};
use super::parts::{parameters, problem_answer, schemas, shared};
use crate::auth::Need;
use crate::wire::limits::SUBPROTOCOL;

/// Where all routes are but those that are also, or only, at the root.
const PREFIX: &str = "/api/v1/";

/// How deep the written document is broken into lines.
const LINES_TO_DEPTH: usize = 4;

/// The OpenAPI 3.1 document.
pub fn document() -> Value {
    let mut paths = Map::new();
    let mut problems = Map::new();
    for route in ROUTES {
        let method = route.method.as_str().to_ascii_lowercase();
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[method] = operation(route, describe(route), &mut problems);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Signalroom",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Trading signals that people decide on. Times are RFC 3339, UTC. An \
                empty parameter counts as absent. HEAD is answered as GET; another method than \
                those described with 405 `method-not-allowed` and `Allow`.",
            "license": {
                "name": env!("CARGO_PKG_LICENSE"),
                "identifier": env!("CARGO_PKG_LICENSE"),
            },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "signals" },
            { "name": "approvals" },
            { "name": "bars" },
            { "name": "runs" },
            { "name": "sockets" },
            { "name": "audit" },
            { "name": "users" },
            { "name": "service" },
            { "name": "planned", "description": "Answered 501 by this version." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "parameters": parameters(),
            "responses": problems,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "HS256, with `sub`, `exp` and the claim `role`: `viewer`, \
                        `approver`, `admin` or `service`.",
                },
                "subprotocol": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Sec-WebSocket-Protocol",
                    "description": format!("`{SUBPROTOCOL}, bearer.<jwt>`, for browsers."),
                },
                "token": {
                    "type": "apiKey",
                    "in": "query",
                    "name": "token",
                    "description": "The JWT, for tools that can set no header.",
                },
                "ticket": {
                    "type": "apiKey",
                    "in": "query",
                    "name": "ticket",
                    "description": "From `POST /api/v1/ws/ticket`, looked at when there is no token.",
                },
            },
        },
    })
}

/// One route; its problems are shared between routes and gathered in `problems`.
fn operation(route: &Route, told: Operation, problems: &mut Map<String, Value>) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "tags": [told.tag],
        "summary": route.summary,
        "security": security(route),
    });
    if !told.description.is_empty() {
        operation["description"] = told.description.into();
    }
    let of_path = path_parameter(route.path);
    let parameters: Vec<Value> = of_path.into_iter().chain(told.parameters).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = told.body {
        operation["requestBody"] = body;
    }
    let mut responses = Map::new();
    for (status, answer) in told.answers {
        responses.insert(status.to_string(), answer);
    }
    for (status, slugs) in by_status(&told.problems) {
        let (name, answer) = problem_answer(status, &slugs);
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        responses.insert(status.to_string(), reference);
        problems.insert(name, answer);
    }
    operation["responses"] = responses.into();
    operation
}

/// The slugs of each status, each once, in the order of [`Slug::ALL`].
fn by_status(problems: &[(u16, Slug)]) -> BTreeMap<u16, Vec<Slug>> {
    let mut by_status: BTreeMap<u16, Vec<Slug>> = BTreeMap::new();
    for slug in Slug::ALL {
        for (status, _) in problems.iter().filter(|(_, other)| *other == slug) {
            let slugs = by_status.entry(*status).or_default();
            if !slugs.contains(&slug) {
                slugs.push(slug);
            }
        }
    }
    by_status
}

/// A way of showing a token per entry; an empty list needs none.
fn security(route: &Route) -> Value {
    if route.need == Need::Nothing {
        return json!([]);
    }
    match route.action {
        Action::Socket | Action::SymbolSocket => {
            json!([{ "subprotocol": [] }, { "bearer": [] }, { "token": [] }, { "ticket": [] }])
        }
        _ => json!([{ "bearer": [] }]),
    }
}

/// The method and the words of the path, such as `get_signals_symbol_history`.
fn operation_id(route: &Route) -> String {
    let path = route.path;
    let twin = format!("{PREFIX}{}", &path[1..]);
    let root = if ROUTES.iter().any(|other| other.path == twin) {
        "_root"
    } else {
        ""
    };
    let words: String = path
        .strip_prefix(PREFIX)
        .unwrap_or(&path[1..])
        .chars()
        .filter(|letter| !matches!(letter, '{' | '}'))
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '_'
            }
        })
        .collect();
    format!(
        "{}{root}_{words}",
        route.method.as_str().to_ascii_lowercase()
    )
}

fn path_parameter(path: &str) -> Option<Value> {
    let (_, rest) = path.split_once('{')?;
    let (name, _) = rest.split_once('}')?;
    Some(if name == "symbol" {
        shared(name)
    } else {
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
    })
}

/// The document as it is committed and served: an operation or a schema's part is a line.
pub fn text() -> String {
    let mut text = String::new();
    write(&document(), 0, &mut text);
    text.push('\n');
    text
}

fn write(value: &Value, depth: usize, text: &mut String) {
    let Value::Object(members) = value else {
        return push(value, text);
    };
    if depth == LINES_TO_DEPTH || members.is_empty() {
        return push(value, text);
    }
    text.push('{');
    for (index, (name, member)) in members.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', depth + 1));
        push(&Value::from(name.as_str()), text);
        text.push(':');
        write(member, depth + 1, text);
    }
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', depth));
    text.push('}');
}

fn push(value: &Value, text: &mut String) {
    write!(text, "{value}").expect("writing to a string does not fail");
}
