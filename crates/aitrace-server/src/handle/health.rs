//! `GET /healthz`: the process answers.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Says that the server runs, and its version.
pub(crate) async fn get() -> Response {
    let body = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}).to_string();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
