//! `GET /api/stats`, `POST /api/sql`, `GET /api/sql/schema`.

use std::sync::Arc;

use aitrace_store::{ProjectScope, SqlLimits, SqlRows, SqlStore, Statistics, StatisticsQuery};
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use futures_util::stream;
use serde::Deserialize;

use super::answer::json;
use super::outflow;
use super::traces;
use super::within::within;
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
    let count = |room| {
        let (app, asked) = (&app, StatisticsQuery { room, ..asked.clone() });
        async move { app.stores.query.statistics(&asked).await }
    };
    let (room, answer) = within(&app, |room| count(room)).await?;
    room.has_run();
    let pieces = traces::holding(room, lines(&asked, answer));
    Ok(json(outflow::body(&app.reads, stream::iter(pieces)).await))
}

/// The text of statistics, piece by piece.
fn lines(asked: &StatisticsQuery, answer: Statistics) -> impl Iterator<Item = Bytes> + use<> {
    let (head, end) = view::statistics(asked, answer.groups_left_out);
    let rows =
        traces::joined(answer.rows.into_iter(), |out, row| view::statistics_row(out, &row), traces::PIECE);
    std::iter::once(head).chain(rows).chain(std::iter::once(end)).map(Bytes::from)
}

/// `POST /api/sql {sql, project?}`: reads, within bounds.
pub(crate) async fn sql(State(app): State<App>, caller: Caller, request: Request) -> Result<Response> {
    let statement: Statement = receive_json(&app, request).await?;
    let scope = caller.scope(statement.project.map_or(ProjectScope::All, ProjectScope::One))?;
    let store = engine(&app)?;
    let (room, place) = app.reads.statement().await?;
    let limits = &app.options.limits;
    let limits = SqlLimits { rows: limits.sql_rows, time: limits.query_time, room: room.clone() };
    let answer = store.sql(&scope, &statement.sql, &limits).await.map_err(|error| {
        ApiError::reading(&error).or_hint("Views and columns: GET /api/sql/schema, or `aitrace sql`.")
    })?;
    drop(place);
    room.has_run();
    let pieces = traces::holding(room, pieces(answer));
    Ok(json(outflow::body(&app.reads, stream::iter(pieces)).await))
}

/// The text of an answer, piece by piece.
fn pieces(answer: SqlRows) -> impl Iterator<Item = Bytes> {
    let mut head = String::from("{\"columns\":");
    view::columns(&mut head, &answer.columns);
    head.push_str(",\"rows\":[");
    let rows = traces::joined(answer.rows.into_iter(), |out, row| view::cells(out, &row), traces::PIECE);
    let end = format!("],\"truncated\":{}}}", answer.truncated);
    std::iter::once(head).chain(rows).chain(std::iter::once(end)).map(Bytes::from)
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
