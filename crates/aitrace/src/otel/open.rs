//! Open spans that providers made, by their ids: OpenTelemetry's context hands out nothing else.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::thread::{self, ThreadId};

use crate::context::{Context, SpanContext};
use crate::lock::Mutex;

/// The context inside of an open span, and the thread that began it. Ids that count from 1, as tests have
/// them, are given by several tracers: then the calling thread's own span is meant.
type Open = HashMap<SpanContext, Vec<(ThreadId, Context)>>;

static OPEN: LazyLock<Mutex<Open>> = LazyLock::new(Mutex::default);

/// Notes a span and the context inside of it.
pub(super) fn add(span: SpanContext, inside: Context) {
    // A lock that another thread held over a fork is never free: then the span counts as a remote one.
    if let Some(mut open) = OPEN.lock_soon() {
        open.entry(span).or_default().push((thread::current().id(), inside));
    }
}

/// Forgets the span of a tracer, by the tracer's number.
pub(super) fn remove(span: SpanContext, tracer: Option<u32>) {
    let Some(mut open) = OPEN.lock_soon() else { return };
    let Some(known) = open.get_mut(&span) else { return };
    let place = known.iter().position(|(_, inside)| inside.span.and_then(|span| span.tracer()) == tracer);
    let removed = place.map(|place| known.swap_remove(place));
    if known.is_empty() {
        open.remove(&span);
    }
    drop(open);
    drop(removed);
}

pub(super) fn find(span: SpanContext) -> Option<Context> {
    let open = OPEN.lock_soon()?;
    let known = open.get(&span)?;
    let own = known.iter().find(|(thread, _)| *thread == thread::current().id());
    own.or(known.last()).map(|(_, inside)| inside.clone())
}
