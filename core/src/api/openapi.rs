//! The API's description, made from the table of routes.

use serde_json::{Map, Value, json};

use super::Response;
use super::routes::ROUTES;
use crate::auth::Need;

/// The OpenAPI 3.1 document. <https://spec.openapis.org/oas/v3.1.0>
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let mut operation = Map::new();
        operation.insert("summary".into(), route.summary.into());
        if route.need != Need::Nothing {
            operation.insert("security".into(), json!([{ "bearer": [] }]));
        }
        let method = route.method.as_str().to_ascii_lowercase();
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[method] = Value::Object(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Signalroom", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
    })
}

pub(super) fn response() -> Response {
    Response::json(200, &document())
}
