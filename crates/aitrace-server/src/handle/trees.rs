//! Very large traces: the tree without contents, and the contents of one span.

use aitrace_model::TraceId;
use aitrace_store::{ProjectScope, Skeleton, span_bytes};
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use futures_util::stream;

use super::answer::json;
use super::outflow;
use super::traces;
use crate::app::App;
use crate::caller::Caller;
use crate::error::{ApiError, Kind, Result};
use crate::memory::reads::Lease;
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
    let lease = admit_tree(&app, &scope, id).await?;
    let skeleton = app.answer(app.stores.query.skeleton(&scope, id)).await?;
    let skeleton = skeleton.ok_or_else(|| {
        ApiError::new(Kind::NotFound, format!("there is no trace {id}"), "It may not have been received yet.")
    })?;
    let pieces = traces::holding(lease, pieces(skeleton));
    Ok(json(outflow::body(&app.reads, stream::iter(pieces)).await))
}

/// Memory for the tree of a trace.
async fn admit_tree(app: &App, scope: &ProjectScope, id: TraceId) -> Result<Lease> {
    let extent = app.answer(app.stores.query.extent(scope, id)).await?.unwrap_or_default();
    app.reads.admit(extent.skeleton_bytes()).await
}

/// The text of a tree, piece by piece.
fn pieces(skeleton: Skeleton) -> impl Iterator<Item = Bytes> {
    let places = view::bone_places(&skeleton);
    let mut head = String::from("{\"trace\":");
    view::summary(&mut head, &skeleton.summary);
    head.push_str(",\"spans\":[");
    let bones = skeleton.spans.into_iter().zip(places);
    let bones = traces::joined(bones, |out, (bone, place)| view::bone(out, &bone, place), traces::PIECE);
    std::iter::once(head).chain(bones).chain(std::iter::once("]}".to_owned())).map(Bytes::from)
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
    let (mut scope, mut place) = (scope, view::Place::default());
    if placed {
        // One after the other: whoever waits for memory has none.
        let _lease = admit_tree(&app, &scope, trace_id).await?;
        let skeleton = app.answer(app.stores.query.skeleton(&scope, trace_id)).await?.ok_or_else(gone)?;
        let index = skeleton.spans.iter().position(|bone| bone.span_id == span_id).ok_or_else(gone)?;
        place = view::bone_places(&skeleton).get(index).copied().unwrap_or_default();
        // Of equal ids in several projects the tree and the span are of one.
        scope = ProjectScope::One(skeleton.summary.project);
    }
    let lease = app.reads.admit_span().await?;
    let found = app.answer(app.stores.query.span(&scope, trace_id, span_id)).await?.ok_or_else(gone)?;
    lease.settle(span_bytes(&found.span));
    let mut out = String::new();
    view::span(&mut out, &found, place);
    drop(found);
    let pieces = traces::holding(lease, std::iter::once(Bytes::from(out)));
    Ok(json(outflow::body(&app.reads, stream::iter(pieces)).await))
}

fn not_utf8() -> ApiError {
    ApiError::new(Kind::BadRequest, "the path is not UTF-8", "")
}
