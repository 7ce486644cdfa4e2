//! The API's description, an OpenAPI 3.1 document. <https://spec.openapis.org/oas/v3.1.0>
//!
//! What is served is the committed `openapi.json`. The feature `openapi` has the code that makes
//! it, of the table of routes and the types whose JSON is shown; a test compares the two. So the
//! Worker carries a text and none of the machinery.

#[cfg(feature = "openapi")]
mod document;
#[cfg(feature = "openapi")]
mod messages;
#[cfg(feature = "openapi")]
mod operations;
#[cfg(feature = "openapi")]
mod parts;

use super::Response;

#[cfg(feature = "openapi")]
pub use document::{document, text};
#[cfg(feature = "openapi")]
pub(crate) use parts::scalar;

pub(super) fn response() -> Response {
    Response {
        status: 200,
        headers: vec![("content-type", "application/json".to_owned())],
        body: include_str!("../../../openapi.json").to_owned(),
    }
}
