//! Stage: normalise. In: what was decoded. Out: a batch for the store.

use aitrace_model::RawSpan;
use aitrace_model::record::Record;
use aitrace_normalise::{Context, Message, normalise_record, normalise_span};
use aitrace_store::Batch;

use crate::app::App;

/// What holds for all data of a request that comes now.
pub(crate) fn context(app: &App) -> Context {
    Context {
        default_project: app.options.default_project.clone(),
        // Keys will decide the project of whoever uses one.
        forced_project: None,
        received: app.options.clock.now(),
    }
}

/// Spans as a batch.
pub(crate) fn spans(spans: Vec<RawSpan>, context: &Context) -> Batch {
    let spans = spans.into_iter().map(|span| normalise_span(span, context)).collect();
    Batch { spans, logs: Vec::new() }
}

/// Trace records as a batch.
pub(crate) fn records(records: Vec<Record>, context: &Context) -> Batch {
    let mut batch = Batch::default();
    for record in records {
        match normalise_record(record, context) {
            Message::Span(span) => batch.spans.push(*span),
            Message::Log(log) => batch.logs.push(*log),
        }
    }
    batch
}
