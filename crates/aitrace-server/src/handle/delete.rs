//! Deleting traces, sessions, projects.

use aitrace_store::{Deleted, ProjectScope, Target};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::app::App;
use crate::audit;
use crate::caller::Caller;
use crate::error::{ApiError, Kind, Result};
use crate::query;

type Name = Result<Path<String>, PathRejection>;

/// `DELETE /api/trace/{trace_id}`.
pub(crate) async fn trace(State(app): State<App>, caller: Caller, uri: Uri, path: Name) -> Result<Response> {
    let trace_id = query::trace_id(&name(path)?)?;
    let scope = caller.scope(query::project(&uri)?)?;
    let what = format!("trace {trace_id}");
    everywhere(&app, &caller, &scope, &what, |project| Target::Trace { project, trace_id }).await
}

/// `DELETE /api/session/{id}`: the session and its traces.
pub(crate) async fn session(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    path: Name,
) -> Result<Response> {
    let id = name(path)?;
    let scope = caller.scope(query::project(&uri)?)?;
    // Ids of sessions are the user's words.
    let session = |project| Target::Session { project, session_id: id.clone() };
    everywhere(&app, &caller, &scope, "session", session).await
}

/// `DELETE /api/project/{project}`: everything in it but its keys.
pub(crate) async fn project(State(app): State<App>, caller: Caller, path: Name) -> Result<Response> {
    let scope = caller.scope(ProjectScope::One(name(path)?))?;
    everywhere(&app, &caller, &scope, "project", Target::Project).await
}

fn name(path: Name) -> Result<String> {
    let bad = |_| ApiError::new(Kind::BadRequest, "the name in the path is not UTF-8", "");
    path.map(|Path(name)| name).map_err(bad)
}

/// Deletes the same in each project in scope, and says how much it was.
async fn everywhere(
    app: &App,
    caller: &Caller,
    scope: &ProjectScope,
    what: &str,
    target: impl Fn(String) -> Target,
) -> Result<Response> {
    let projects = app.stores.documents.projects(scope).await.map_err(|error| ApiError::reading(&error))?;
    let mut all = Deleted::default();
    for project in projects {
        let deleted = app.stores.upkeep.delete(target(project.clone())).await;
        let deleted = deleted.map_err(|error| ApiError::writing(&error))?;
        if deleted != Deleted::default() {
            audit::did(caller, "deleted", &project, what);
        }
        all.traces += deleted.traces;
        all.spans += deleted.spans;
        all.logs += deleted.logs;
        all.sessions += deleted.sessions;
        all.documents += deleted.documents;
    }
    if all == Deleted::default() {
        return Err(ApiError::new(Kind::NotFound, "there is nothing of this name to delete", ""));
    }
    let body = json!({"deleted": all}).to_string();
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}
