//! `GET /api/sessions`, `GET /api/session/{id}`.

use aitrace_store::{PageRequest, ProjectScope, TraceFilter};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;

use super::answer::json;
use crate::app::App;
use crate::caller::Caller;
use crate::error::{ApiError, Kind, Result};
use crate::query;
use crate::question;
use crate::view;

/// Traces of a session in one answer; `next` leads to the others.
const TRACES: usize = 1000;

/// `GET /api/sessions`.
pub(crate) async fn list(State(app): State<App>, caller: Caller, uri: Uri) -> Result<Response> {
    let (mut filter, page) = question::sessions(&uri)?;
    filter.scope = caller.scope(filter.scope)?;
    let page = app.answer(app.stores.query.sessions(&filter, &page)).await?;
    Ok(json(view::sessions(&page)))
}

/// `GET /api/session/{id}`.
pub(crate) async fn one(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response> {
    let Ok(Path(id)) = path else {
        return Err(ApiError::new(Kind::BadRequest, "the session id in the path is not UTF-8", ""));
    };
    let scope = caller.scope(query::project(&uri)?)?;
    let line = app.answer(app.stores.query.session_line(&scope, &id)).await?;
    let line = line.ok_or_else(|| {
        ApiError::new(Kind::NotFound, "there is no such session", "It may not have been received yet.")
    })?;
    let said = app.answer(app.stores.documents.session(&line.project, &id)).await?;
    let filter = TraceFilter {
        scope: ProjectScope::One(line.project.clone()),
        session_id: Some(id),
        ..TraceFilter::default()
    };
    let page = PageRequest { limit: TRACES, cursor: None };
    let traces = app.answer(app.stores.telemetry.list_traces(&filter, &page)).await?;
    Ok(json(view::session(&line, said.as_ref(), &traces)))
}
