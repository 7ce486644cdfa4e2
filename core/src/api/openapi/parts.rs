//! What operations are described with: parameters, bodies, problems, schemas.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use super::super::problem::{CHALLENGES, Slug};
use super::super::{audit, epochs, reads, revoke, runs, symbols, tickets, writes};
use super::messages::add_messages;
use crate::room::call::{City, Market, RunReport, Watchlist};
use crate::room::signal::{SignalView, Status};
use crate::signals::parse::MAX_ROWS;
use crate::signals::published::Missing;
use crate::signals::trust::Suggestion;
use crate::store::MAX_SAFE_INTEGER;
use crate::wire::limits::{
    DEFAULT_LIMIT, MAX_BARS_BODY, MAX_JSON_BODY, MAX_LIMIT, MAX_NOTE_CHARS, MAX_WATCHED,
};

/// The media type of problems.
pub(super) const PROBLEM: &str = "application/problem+json";

/// A number, a text or null.
pub(crate) fn scalar() -> utoipa::openapi::Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([
            Type::Number,
            Type::String,
            Type::Null,
        ]))
        .description(Some("A number, a text, or null where it is missing."))
        .build()
}

/// A reference to a named schema.
pub(super) fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A reference to a named parameter.
pub(super) fn shared(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// A parameter of the query; none is required.
pub(super) fn query(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

/// A header of the request; none is required.
pub(super) fn header(name: &str, description: &str) -> Value {
    json!({
        "name": name, "in": "header", "description": description,
        "schema": { "type": "string" },
    })
}

/// An answer with JSON of the named schema.
pub(super) fn answer(description: &str, name: &str) -> Value {
    json!({
        "description": description,
        "content": { "application/json": { "schema": schema(name) } },
    })
}

/// The parameters that several routes share.
pub(super) fn parameters() -> Value {
    let mut symbol = query(
        "symbol",
        "A ticker symbol; small letters count as capitals.",
        symbol_text(),
    );
    symbol["in"] = "path".into();
    symbol["required"] = true.into();
    json!({
        "symbol": symbol,
        "limit": query("limit", "Items at most.", json!({
            "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT,
        })),
        "cursor": query(
            "cursor",
            "The `next_cursor` of the page before; opaque.",
            json!({ "type": "string" }),
        ),
        "epoch": query(
            "epoch",
            "Resume: the `epoch` of the log that `since` is of.",
            json!({ "type": "string" }),
        ),
        "since": query("since", "Resume: the last `seq` seen.", position()),
    })
}

/// A symbol as a client may write it.
pub(super) fn symbol_text() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9.^=-]{1,15}$", "example": "AAPL" })
}

/// A date.
pub(super) fn date() -> Value {
    json!({ "type": "string", "format": "date" })
}

/// An instant, or a date that stands for its midnight.
pub(super) fn time() -> Value {
    json!({ "type": "string", "anyOf": [{ "format": "date-time" }, { "format": "date" }] })
}

fn position() -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_SAFE_INTEGER })
}

/// A limit in bytes, for people.
fn megabytes(bytes: usize) -> String {
    format!("{} MB", bytes / (1024 * 1024))
}

/// The body of a decision.
pub(super) fn decision_body() -> Value {
    json!({
        "required": true,
        "description": format!("At most {}, read as JSON whatever its type.", megabytes(MAX_JSON_BODY)),
        "content": { "application/json": { "schema": schema("Decision") } },
    })
}

/// A body that may be absent, of this schema.
pub(super) fn optional_body(name: &str) -> Value {
    json!({
        "required": false,
        "description": "May be absent. Read as JSON whatever its type.",
        "content": { "application/json": { "schema": schema(name) } },
    })
}

/// A body of this schema.
pub(super) fn needed_body(name: &str) -> Value {
    let mut body = optional_body(name);
    body["required"] = true.into();
    body["description"] = "Read as JSON whatever its type.".into();
    body
}

/// The body that brings bars.
pub(super) fn bars_body() -> Value {
    json!({
        "required": true,
        "description": format!(
            "At most {MAX_ROWS} rows and {}, JSON {}. A body of another type is read as JSON if \
             it starts like it, else as CSV.",
            megabytes(MAX_BARS_BODY),
            megabytes(MAX_JSON_BODY),
        ),
        "content": {
            "text/csv": {
                "schema": {
                    "type": "string",
                    "description": "A header that names these six columns, in any order and case, \
                        among others; then a line per bar.",
                },
                "example": "date,open,high,low,close,volume\n2026-05-04,10.1,10.4,9.9,10.2,120000\n",
            },
            "application/json": { "schema": schema("BarsUpload") },
        },
    })
}

/// Every named schema.
pub(super) fn schemas() -> Value {
    let mut named = Map::new();
    add::<SignalView<'static>>(&mut named);
    add::<reads::SignalList>(&mut named);
    add::<reads::ApprovalList>(&mut named);
    add::<reads::BarList>(&mut named);
    add::<reads::Top>(&mut named);
    add::<writes::Approved>(&mut named);
    add::<writes::BarsStored>(&mut named);
    add::<runs::RunList>(&mut named);
    add::<symbols::SymbolList>(&mut named);
    add::<symbols::RevisionList>(&mut named);
    add::<Watchlist>(&mut named);
    add::<Market>(&mut named);
    add::<RunReport>(&mut named);
    add::<epochs::Epochs>(&mut named);
    add::<audit::AuditList>(&mut named);
    add::<audit::AuditReport>(&mut named);
    add::<revoke::Revoked>(&mut named);
    add::<tickets::Ticket>(&mut named);
    add::<City>(&mut named);
    add::<Missing>(&mut named);
    add::<Status>(&mut named);
    add::<Suggestion>(&mut named);
    named.insert(
        "Health".into(),
        json!({
            "type": "object",
            "required": ["status", "version"],
            "properties": { "status": { "const": "ok" }, "version": { "type": "string" } },
        }),
    );
    named.insert(
        "ExplainedSignal".into(),
        json!({
            "description": "A signal with its reasons.",
            "allOf": [schema("Signal"), { "required": ["explain"] }],
        }),
    );
    named.insert(
        "ExplainedSignalList".into(),
        json!({
            "description": "Signals with their reasons.",
            "allOf": [schema("SignalList"), {
                "properties": { "signals": { "items": { "required": ["explain"] } } },
            }],
        }),
    );
    named.insert("Decision".into(), decision());
    named.insert(
        "RunRequest".into(),
        json!({
            "type": "object",
            "properties": {
                "cron": {
                    "type": ["string", "null"],
                    "maxLength": runs::MAX_CRON_CHARS,
                    "description": "What the report calls the run's cause.",
                    "default": "manual",
                },
                "symbols": {
                    "type": ["array", "null"],
                    "items": symbol_text(),
                    "maxItems": MAX_LIMIT,
                    "description": "Only these symbols.",
                },
                "backfill": {
                    "type": ["boolean", "null"],
                    "description": "Whether the whole history of `symbols` is wanted.",
                },
            },
        }),
    );
    named.insert(
        "SymbolsRequest".into(),
        json!({
            "type": "object",
            "required": ["symbols"],
            "properties": { "symbols": {
                "type": "array",
                "items": symbol_text(),
                "maxItems": MAX_WATCHED,
            } },
        }),
    );
    named.insert(
        "RevokeRequest".into(),
        json!({
            "type": "object",
            "properties": { "reason": {
                "type": ["string", "null"],
                "maxLength": revoke::MAX_REASON_CHARS,
                "description": "Why, for the record.",
            } },
        }),
    );
    named.insert(
        "EpochsRequest".into(),
        json!({
            "type": "object",
            "properties": { "symbols": {
                "type": "array",
                "items": symbol_text(),
                "maxItems": MAX_LIMIT,
                "description": "Only the rooms of these symbols.",
            } },
        }),
    );
    named.insert(
        "BarsUpload".into(),
        json!({
            "oneOf": [
                { "type": "array", "items": schema("Bar"), "maxItems": MAX_ROWS },
                {
                    "type": "object",
                    "required": ["bars"],
                    "properties": {
                        "bars": { "type": "array", "items": schema("Bar"), "maxItems": MAX_ROWS },
                    },
                },
            ],
        }),
    );
    named.insert("Problem".into(), problem());
    add_messages(&mut named);
    Value::Object(named)
}

/// Adds a type's schema and those it refers to.
pub(super) fn add<T: ToSchema>(named: &mut Map<String, Value>) {
    let mut all = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut all);
    for (name, schema) in all {
        let schema = serde_json::to_value(schema).expect("a schema is plain data");
        named.insert(name, schema);
    }
}

fn decision() -> Value {
    json!({
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": schema("Suggestion"),
            "note": {
                "type": ["string", "null"],
                "maxLength": MAX_NOTE_CHARS,
                "description": "Why, plain text.",
            },
            "signal_id": {
                "type": ["string", "null"],
                "maxLength": writes::MAX_SIGNAL_ID_CHARS,
                "description": "The signal looked at: the decision fails if it is not current.",
            },
        },
    })
}

/// `type` of a problem.
pub(super) fn problem_type(slug: Slug) -> String {
    format!("/problems/{}", slug.as_str())
}

/// RFC 9457 problem details, with the members that some kinds add.
fn problem() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong. <https://www.rfc-editor.org/rfc/rfc9457>",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string", "enum": Slug::ALL.map(problem_type) },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "What to do, for people." },
            "pointer": {
                "type": "string",
                "pattern": "^(/.*)?$",
                "description": "JSON pointer to the wrong member of the body, or `/` and the \
                    name of the wrong parameter; empty for the whole body.",
            },
            "id": { "type": "string", "description": "Of an internal error: its id in the log." },
            "missing": {
                "type": "array",
                "items": schema("Missing"),
                "description": "Where the history does not suffice: what is missing.",
            },
            "signal": schema("Signal"),
        },
    })
}

/// The name of the shared answer for these problems, and the answer.
pub(super) fn problem_answer(status: u16, slugs: &[Slug]) -> (String, Value) {
    let names: Vec<&str> = slugs.iter().map(|slug| slug.as_str()).collect();
    let titles: Vec<&str> = slugs.iter().map(|slug| slug.title()).collect();
    let types: Vec<String> = slugs.iter().copied().map(problem_type).collect();
    let mut narrowed = json!({ "properties": {
        "type": { "enum": types },
        "status": { "const": status },
    } });
    if status == 409 {
        narrowed["required"] = json!(["signal"]);
    }
    let mut answer = json!({
        "description": titles.join(", or: "),
        "content": { PROBLEM: { "schema": { "allOf": [schema("Problem"), narrowed] } } },
    });
    let header = match status {
        401 => Some(("WWW-Authenticate", true, json!({ "enum": CHALLENGES }))),
        // It is about one connection (RFC 9110 section 7.6.1): what stands between may drop it.
        426 => Some(("Upgrade", false, json!({ "const": "websocket" }))),
        _ => None,
    };
    if let Some((name, required, mut values)) = header {
        values["type"] = json!("string");
        answer["headers"] = json!({ name: { "required": required, "schema": values } });
    }
    (format!("{status}_{}", names.join("_")), answer)
}
