//! `GET /healthz`: the process answers. `GET /readyz`: it can take data.

use aitrace_store::ProblemKind;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::error::{ApiError, Kind, Result};

/// Says that the server runs, and its version.
pub(crate) async fn get() -> Response {
    say("ok")
}

/// Says whether data that is sent now would be taken; else 503 with what stands against it.
pub(crate) async fn ready(State(app): State<App>) -> Result<Response> {
    if app.closing.is_closing() {
        return Err(not_ready("the server is stopping"));
    }
    let health = app.stores.upkeep.health().await.map_err(|error| {
        tracing::warn!(%error, "the store does not tell its health");
        not_ready("the store does not answer")
    })?;
    if health.problems.iter().any(|problem| problem.kind == ProblemKind::WritesFail) {
        return Err(not_ready("the store cannot write; the server's log says why"));
    }
    if let Some(disk) = &app.options.disk {
        let free = disk.free().map_err(|error| {
            tracing::warn!(%error, "the disk does not tell its free room");
            not_ready("the disk does not answer")
        })?;
        if free < app.options.min_free {
            return Err(not_ready("the disk is nearly full"));
        }
    }
    Ok(say("ready"))
}

fn say(status: &str) -> Response {
    let body = json!({"status": status, "version": env!("CARGO_PKG_VERSION")}).to_string();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn not_ready(why: &'static str) -> ApiError {
    ApiError::new(Kind::Unavailable, why, "Nothing that was acknowledged is lost.")
}
