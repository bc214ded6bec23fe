//! `/api/scores`: judgements of spans, traces, sessions, runs.

use aitrace_model::{SpanId, Timestamp, TraceId};
use aitrace_store::{
    Document, DocumentCursor, DocumentKind, DocumentQuery, Filter, Needle, PageRequest, ProjectScope,
    Record as _, Score, TraceFilter,
};
use axum::extract::{Request, State};
use axum::http::{Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::hex;
use crate::caller::Caller;
use crate::error::{ApiError, Kind, Result};
use crate::ingest::receive_json;
use crate::query::{self, ScoreParams};

/// Longest text of a name or an id, bytes.
const NAME_BYTES: usize = 512;
/// Scores of one request.
const MOST: usize = 1000;

/// What is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    id: Option<String>,
    project: Option<String>,
    trace_id: Option<String>,
    span_id: Option<String>,
    session_id: Option<String>,
    run_id: Option<String>,
    name: String,
    value: Option<Value>,
    label: Option<String>,
    comment: Option<String>,
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Body {
    One(Box<Sent>),
    Many(Vec<Sent>),
}

/// `POST /api/scores`: one score or an array of them, all or none. A score that is sent again under its id takes
/// the place of the one before.
pub(crate) async fn post(State(app): State<App>, caller: Caller, request: Request) -> Result<Response> {
    let body: Body = receive_json(&app, request).await?;
    let (single, sent) = match body {
        Body::One(one) => (true, vec![*one]),
        Body::Many(many) => (false, many),
    };
    if sent.len() > MOST {
        return Err(bad(format!("{} scores are too many for one request", sent.len()), "Send up to 1000."));
    }
    let now = app.options.clock.now();
    let mut writes = Vec::with_capacity(sent.len());
    for (index, sent) in sent.into_iter().enumerate() {
        let score = score(&app, &caller, sent).await.map_err(|error| error.at(&format!("score {index}")))?;
        writes.push(score.write(now).map_err(|error| ApiError::writing(&error))?);
    }
    let written =
        app.stores.documents.put_documents(writes).await.map_err(|error| ApiError::writing(&error))?;
    let lines = written.iter().map(line).collect::<Result<Vec<_>>>()?;
    let answer = match <[Value; 1]>::try_from(lines) {
        Ok([line]) if single => line,
        Ok(one) => json!({"scores": one}),
        Err(lines) => json!({"scores": lines}),
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response())
}

async fn score(app: &App, caller: &Caller, sent: Sent) -> Result<Score> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let trace_id = given(sent.trace_id).map(|id| query::trace_id(&id)).transpose()?;
    let span_id = given(sent.span_id).map(|id| span_id(&id)).transpose()?;
    let (session_id, run_id) = (given(sent.session_id), given(sent.run_id));
    if sent.name.is_empty() || sent.name.len() > NAME_BYTES {
        return Err(bad("name must have 1 to 512 bytes", ""));
    }
    if trace_id.is_none() && span_id.is_none() && session_id.is_none() && run_id.is_none() {
        return Err(bad("it judges nothing", "Send trace_id, span_id, session_id or run_id."));
    }
    let value = sent.value.filter(|value| !value.is_null());
    if value.is_none() && sent.label.is_none() {
        return Err(bad("it has neither value nor label", ""));
    }
    if sent.source.as_deref().is_some_and(|source| !["code", "llm", "human"].contains(&source)) {
        return Err(bad("source is none of those that exist", "Use code, llm or human."));
    }
    let project = match (caller.project(), sent.project) {
        (Some(project), _) => project.to_owned(),
        (None, Some(project)) if !project.is_empty() => project,
        _ => home(app, trace_id, session_id.as_deref()).await?,
    };
    let id = match given(sent.id) {
        Some(id) if id.len() > NAME_BYTES => return Err(bad("id has more than 512 bytes", "")),
        Some(id) => id,
        None => hex(&*app.options.random, 16)
            .map_err(|_| ApiError::new(Kind::Unavailable, "the system has no randomness", ""))?,
    };
    let (name, label, comment, source) = (sent.name, sent.label, sent.comment, sent.source);
    Ok(Score { project, id, trace_id, span_id, session_id, run_id, name, value, label, comment, source })
}

/// The project of what is judged, for a score that names none.
async fn home(app: &App, trace_id: Option<TraceId>, session_id: Option<&str>) -> Result<String> {
    if let Some(trace_id) = trace_id {
        let id = Filter::Text(Needle::new(&trace_id.to_hex()).expect("an id is not empty"));
        let filter = TraceFilter { filter: id, ..TraceFilter::default() };
        let found = app.stores.telemetry.list_traces(&filter, &PageRequest::default()).await;
        let found = found.map_err(|error| ApiError::reading(&error))?.traces;
        if let Some(trace) = found.into_iter().find(|trace| trace.trace_id == trace_id) {
            return Ok(trace.project);
        }
    }
    if let Some(session_id) = session_id {
        let found = app.stores.query.session_line(&ProjectScope::All, session_id).await;
        if let Some(session) = found.map_err(|error| ApiError::reading(&error))? {
            return Ok(session.project);
        }
    }
    Ok(app.options.default_project.clone())
}

/// `GET /api/scores?trace_id&span_id&session_id&run_id&name&project&limit&cursor`, newest first.
pub(crate) async fn list(State(app): State<App>, caller: Caller, uri: Uri) -> Result<Response> {
    let ScoreParams { scope, references, limit, cursor } = query::scores(&uri)?;
    let mut wanted = DocumentQuery::new(DocumentKind::Score, caller.scope(scope)?);
    wanted.reference = references.first().cloned();
    wanted.cursor = cursor;
    let mut found: Vec<Document> = Vec::new();
    let more = loop {
        let page = app.answer(app.stores.documents.documents(&wanted)).await?;
        let fits = |document: &Document| references.iter().all(|name| document.references.contains(name));
        found.extend(page.documents.into_iter().filter(fits));
        wanted.cursor = page.next;
        if found.len() > limit || wanted.cursor.is_none() {
            break found.len() > limit;
        }
    };
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| {
        let Document { created, id, project, .. } = last.clone();
        DocumentCursor { created, id, project }.to_string()
    });
    let lines = found.iter().map(line).collect::<Result<Vec<_>>>()?;
    let body = json!({"scores": lines, "next": next}).to_string();
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn line(document: &Document) -> Result<Value> {
    let score = Score::read(document).map_err(|error| ApiError::reading(&error))?;
    let mut line = serde_json::to_value(&score)
        .map_err(|_| ApiError::new(Kind::Internal, "a score cannot be written as JSON", ""))?;
    let time = |at: Timestamp| Value::from(at.to_string());
    line["created"] = time(document.created);
    line["updated"] = time(document.updated);
    Ok(line)
}

fn span_id(text: &str) -> Result<SpanId> {
    text.parse().map_err(|error: aitrace_model::ModelError| bad(error.to_string(), ""))
}

fn bad(
    message: impl Into<std::borrow::Cow<'static, str>>,
    hint: impl Into<std::borrow::Cow<'static, str>>,
) -> ApiError {
    ApiError::new(Kind::BadRequest, message, hint)
}
