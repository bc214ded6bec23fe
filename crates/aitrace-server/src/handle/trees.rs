//! Very large traces: the tree without contents, and the contents of one span.

use aitrace_store::ProjectScope;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;

use super::answer::json;
use crate::app::App;
use crate::caller::Caller;
use crate::error::{ApiError, Kind, Result};
use crate::query;
use crate::view;

/// `GET /api/trace/{trace_id}/skeleton`.
pub(crate) async fn skeleton(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response> {
    let Ok(Path(id)) = path else { return Err(not_utf8()) };
    let (scope, id) = (caller.scope(query::project(&uri)?)?, query::trace_id(&id)?);
    let skeleton = app.answer(app.stores.query.skeleton(&scope, id)).await?;
    let skeleton = skeleton.ok_or_else(|| {
        ApiError::new(Kind::NotFound, format!("there is no trace {id}"), "It may not have been received yet.")
    })?;
    // About 200 bytes of text a span.
    let text = app.work(skeleton.spans.len() * 200, move || view::skeleton(&skeleton)).await?;
    Ok(json(text))
}

/// `GET /api/span/{trace_id}/{span_id}`: `S`. With `place=false` its place in the tree is left at 0 and false: only so
/// the tree need not be read for it.
pub(crate) async fn span(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response> {
    let Ok(Path((trace, span))) = path else { return Err(not_utf8()) };
    let (scope, placed) = query::span(&uri)?;
    let scope = caller.scope(scope)?;
    let (trace_id, span_id) = (query::trace_id(&trace)?, query::span_id(&span)?);
    let gone =
        || ApiError::new(Kind::NotFound, format!("there is no span {span_id} in trace {trace_id}"), "");
    let found = app.answer(app.stores.query.span(&scope, trace_id, span_id)).await?.ok_or_else(gone)?;
    // Of equal ids in several projects the tree and the span are of one.
    let scope = ProjectScope::One(found.span.project.clone());
    let mut place = view::Place::default();
    if placed {
        let skeleton = app.answer(app.stores.query.skeleton(&scope, trace_id)).await?.ok_or_else(gone)?;
        let index = skeleton.spans.iter().position(|bone| bone.span_id == span_id).ok_or_else(gone)?;
        place = view::bone_places(&skeleton).get(index).copied().unwrap_or_default();
    }
    let mut out = String::new();
    view::span(&mut out, &found, place);
    Ok(json(out))
}

fn not_utf8() -> ApiError {
    ApiError::new(Kind::BadRequest, "the path is not UTF-8", "")
}
