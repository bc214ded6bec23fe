//! Answers that are JSON.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

/// A JSON text as an answer.
pub(crate) fn json(body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}
