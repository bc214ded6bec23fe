//! `GET /api/stats`, `POST /api/sql`, `GET /api/sql/schema`.

use std::sync::Arc;

use aitrace_store::{ProjectScope, SqlLimits, SqlStore};
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;

use super::answer::json;
use crate::app::App;
use crate::caller::Caller;
use crate::error::{ApiError, Kind, Result};
use crate::ingest::receive_json;
use crate::query;
use crate::question;
use crate::view;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    sql: String,
    project: Option<String>,
}

/// `GET /api/stats`.
pub(crate) async fn stats(State(app): State<App>, caller: Caller, uri: Uri) -> Result<Response> {
    let asked = question::statistics(&uri, app.options.clock.now())?;
    let scope = caller.scope(asked.scope.clone())?;
    let asked = question::narrowed(asked, scope);
    let _place = app.heavy()?;
    let answer = app.answer(app.stores.query.statistics(&asked)).await?;
    Ok(json(view::statistics(&asked, &answer)))
}

/// `POST /api/sql {sql, project?}`: reads, within bounds.
pub(crate) async fn sql(State(app): State<App>, caller: Caller, request: Request) -> Result<Response> {
    let statement: Statement = receive_json(&app, request).await?;
    let scope = caller.scope(statement.project.map_or(ProjectScope::All, ProjectScope::One))?;
    let store = engine(&app)?;
    let _place = app.heavy()?;
    let limits = &app.options.limits;
    let limits = SqlLimits { rows: limits.sql_rows, time: limits.query_time, memory: limits.sql_memory };
    let answer = store.sql(&scope, &statement.sql, &limits).await.map_err(|error| {
        ApiError::reading(&error).or_hint("Views and columns: GET /api/sql/schema, or `aitrace sql`.")
    })?;
    let cells = answer.rows.len() * answer.columns.len();
    Ok(json(app.work(cells * 16, move || view::rows(&answer)).await?))
}

/// `GET /api/sql/schema`.
pub(crate) async fn schema(State(app): State<App>, uri: Uri) -> Result<Response> {
    query::project(&uri)?;
    Ok(json(view::views(&engine(&app)?.views())))
}

fn engine(app: &App) -> Result<Arc<dyn SqlStore>> {
    app.stores.sql.clone().ok_or_else(|| {
        ApiError::new(
            Kind::NotFound,
            "the store of this server has no SQL",
            "Use /api/traces and /api/search.",
        )
    })
}
