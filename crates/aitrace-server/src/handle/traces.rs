//! Reading: lists, single traces, projects.

use aitrace_store::{StoredSpan, Trace};
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use futures_util::stream;

use super::answer::json;
use super::outflow::{self, Broken};
use super::within;
use crate::app::App;
use crate::caller::Caller;
use crate::error::{ApiError, Kind, Result};
use crate::query;
use crate::view;

/// About how many bytes of text are made at once.
pub(super) const PIECE: usize = 64 << 10;

/// `GET /api/traces`.
pub(crate) async fn list(State(app): State<App>, caller: Caller, uri: Uri) -> Result<Response> {
    let (mut filter, page) = query::list(&uri)?;
    filter.scope = caller.scope(filter.scope)?;
    // Conditions on spans look at all spans.
    let _place = if filter.filter.span_leaves().is_empty() { None } else { Some(app.heavy()?) };
    let page = within::list(&app, &filter, &page).await?;
    Ok(json(view::page(&page)))
}

/// `GET /api/trace/{trace_id}`.
pub(crate) async fn one(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response> {
    let Ok(Path(id)) = path else {
        return Err(ApiError::new(Kind::BadRequest, "the trace id in the path is not UTF-8", ""));
    };
    let (scope, id) = (caller.scope(query::project(&uri)?)?, query::trace_id(&id)?);
    let extent = app.answer(app.stores.query.extent(&scope, id)).await?.unwrap_or_default();
    let lease = app.reads.admit(extent.bytes).await?;
    let trace = app.answer(app.stores.telemetry.trace(&scope, id)).await?;
    let Some(mut trace) = trace else {
        return Err(ApiError::new(
            Kind::NotFound,
            format!("there is no trace {id}"),
            "It may not have been received yet.",
        ));
    };
    view::join_logs(&mut trace);
    lease.settle(trace.bytes());
    let pieces = holding(lease, pieces(trace));
    Ok(json(outflow::body(&app.reads, stream::iter(pieces)).await))
}

/// `GET /api/projects`.
pub(crate) async fn projects(State(app): State<App>, caller: Caller, uri: Uri) -> Result<Response> {
    let scope = caller.scope(query::project(&uri)?)?;
    let names = app.answer(app.stores.documents.projects(&scope)).await?;
    Ok(json(view::projects(&names)))
}

/// Pieces whose source holds memory until they are all there.
pub(super) fn holding(
    lease: impl Send + 'static,
    mut pieces: impl Iterator<Item = Bytes> + Send + 'static,
) -> impl Iterator<Item = Result<Bytes, Broken>> + Send + 'static {
    std::iter::from_fn(move || {
        let _held = &lease;
        pieces.next().map(Ok)
    })
}

/// The text of a trace in pieces: a large one is never a second time in memory as a whole, and writing it
/// leaves room for other work in between.
fn pieces(trace: Trace) -> impl Iterator<Item = Bytes> {
    let Trace { summary, spans, logs } = trace;
    let places = view::places(&spans);
    let mut head = String::from("{\"trace\":");
    view::summary(&mut head, &summary);
    head.push_str(",\"spans\":[");
    let write_span = |out: &mut String, (stored, place): (StoredSpan, view::Place)| {
        view::span(out, &stored, place);
    };
    let spans = joined(spans.into_iter().zip(places), write_span, PIECE);
    let logs = joined(logs.into_iter(), |out, log| view::log(out, &log), PIECE);
    std::iter::once(head)
        .chain(spans)
        .chain(std::iter::once("],\"logs\":[".to_owned()))
        .chain(logs)
        .chain(std::iter::once("]}".to_owned()))
        .map(Bytes::from)
}

/// The elements of an array with commas between, in texts of about `size` bytes.
pub(super) fn joined<T>(
    mut values: impl Iterator<Item = T>,
    write: impl Fn(&mut String, T),
    size: usize,
) -> impl Iterator<Item = String> {
    let mut first = true;
    std::iter::from_fn(move || {
        let mut out = String::new();
        while out.len() < size {
            let Some(value) = values.next() else { break };
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            write(&mut out, value);
        }
        (!out.is_empty()).then_some(out)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_joined_by_commas_across_pieces() {
        let write = |out: &mut String, value: u32| out.push_str(&value.to_string());
        for size in [1, 3, 100] {
            let text: String = joined(1..=9, write, size).collect();
            assert_eq!(text, "1,2,3,4,5,6,7,8,9");
        }
        assert_eq!(joined(0..0, write, 1).count(), 0);
    }
}
