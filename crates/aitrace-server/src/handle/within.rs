//! Questions that take little memory or much, depending on what they ask: they are tried with little first, so that those
//! that need no more wait for nothing large.

use std::sync::Arc;

use aitrace_store::{ErrorKind, PageRequest, StoreError, TraceFilter, TracePage};

use crate::app::App;
use crate::error::{Kind, Result};
use crate::memory::reads::{Lease, Statement};

/// Asks, and asks again with a statement's memory where others kept it short. The answer, and the memory that it has.
pub(super) async fn within<T, F>(app: &App, ask: impl Fn(Arc<Statement>) -> F) -> Result<(Arc<Statement>, T)>
where
    F: Future<Output = std::result::Result<T, StoreError>>,
{
    let room = app.reads.little().await?;
    let asked = ask(room.clone());
    let tried = app.answer(async {
        match asked.await {
            Err(error) if error.kind() == ErrorKind::Overloaded && room.was_kept_short() => Ok(None),
            tried => tried.map(Some),
        }
    });
    if let Some(answer) = tried.await? {
        return Ok((room, answer));
    }
    drop(room);
    let (room, _place) = app.reads.statement().await?;
    let answer = app.answer(ask(room.clone())).await?;
    Ok((room, answer))
}

/// The same for work that has begun: it waits for memory as long as that takes, and holds none meanwhile.
pub(super) async fn list_patiently(
    app: &App,
    filter: &TraceFilter,
    page: &PageRequest,
) -> aitrace_store::Result<TracePage> {
    loop {
        match list(app, filter, page).await {
            Ok(page) => return Ok(page),
            Err(error) if error.kind() != Kind::Overloaded || app.closing.is_closing() => {
                return Err(StoreError::new(ErrorKind::Unavailable, "listing traces broke off"));
            }
            Err(_) => {}
        }
    }
}

/// Memory for a trace, in the same way.
pub(super) async fn admit_patiently(app: &App, bytes: usize) -> aitrace_store::Result<Lease> {
    loop {
        match app.reads.admit(bytes).await {
            Ok(lease) => return Ok(lease),
            Err(_) if app.closing.is_closing() => {
                return Err(StoreError::new(ErrorKind::Closed, "the server stops"));
            }
            Err(_) => {}
        }
    }
}

/// A page of traces. Conditions on spans look at all spans.
pub(super) async fn list(app: &App, filter: &TraceFilter, page: &PageRequest) -> Result<TracePage> {
    let store = &app.stores.telemetry;
    if filter.filter.span_leaves().is_empty() {
        return app.answer(store.list_traces(filter, page)).await;
    }
    let (_, page) = within(app, |room| store.list_traces_within(filter, page, room)).await?;
    Ok(page)
}
