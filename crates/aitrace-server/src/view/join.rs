//! Contents that a library sends only as log records and that the store did not join with their span: it forgot them
//! while they waited for it, or both were stored by an earlier version.

use std::collections::HashMap;

use aitrace_model::{LogRecord, Span, SpanId};
use aitrace_normalise::{contents_of_logs, tells_contents};
use aitrace_store::{StoredSpan, Trace};

/// Gives each span without inputs or outputs those that its log records tell.
pub(crate) fn join_logs(trace: &mut Trace) {
    let Trace { spans, logs, .. } = trace;
    let mut of_span: HashMap<SpanId, Vec<&LogRecord>> = HashMap::new();
    for log in logs.iter().filter(|log| tells_contents(log)) {
        if let Some(span_id) = log.span_id {
            of_span.entry(span_id).or_default().push(log);
        }
    }
    if of_span.is_empty() {
        return;
    }
    for StoredSpan { span, .. } in spans {
        if let Some(logs) = of_span.get(&span.span_id) {
            fill(span, logs.iter().copied());
        }
    }
}

/// Gives a span without inputs or outputs those that its log records tell, which come in their order.
fn fill<'l>(span: &mut Span, logs: impl Iterator<Item = &'l LogRecord>) {
    if span.inputs.is_some() && span.outputs.is_some() {
        return;
    }
    let contents = contents_of_logs(logs);
    span.inputs = span.inputs.take().or(contents.inputs);
    span.outputs = span.outputs.take().or(contents.outputs);
}
