//! What is asked of a store again and again.

use aitrace_model::{Span, SpanId, SpanKind, TraceId, TraceStatus, TraceSummary};

use crate::filter::{PageRequest, ProjectScope, TraceFilter};
use crate::telemetry::{Batch, TelemetryStore, Trace};

pub(super) fn spans(spans: impl IntoIterator<Item = aitrace_model::Span>) -> Batch {
    Batch { spans: spans.into_iter().collect(), logs: Vec::new() }
}

pub(super) fn one(project: &str) -> ProjectScope {
    ProjectScope::One(project.to_owned())
}

pub(super) async fn trace(store: &impl TelemetryStore, project: &str, id: TraceId) -> Option<Trace> {
    let trace = store.trace(&one(project), id).await.expect("trace is read");
    if let Some(trace) = &trace {
        adds_up(trace);
    }
    trace
}

/// All pages of a list, each of `limit` traces.
pub(super) async fn list(
    store: &impl TelemetryStore,
    filter: &TraceFilter,
    limit: usize,
) -> Vec<TraceSummary> {
    let (mut all, mut request) = (Vec::new(), PageRequest { limit, cursor: None });
    loop {
        let page = store.list_traces(filter, &request).await.expect("page is read");
        assert!(page.traces.len() <= limit, "a page of {limit} holds {}", page.traces.len());
        all.extend(page.traces);
        request.cursor = page.next;
        if request.cursor.is_none() {
            return all;
        }
    }
}

/// Everything that readers see of a project: the list and each trace in it.
pub(super) async fn everything(store: &impl TelemetryStore, project: &str) -> Vec<Trace> {
    let filter = TraceFilter { scope: one(project), ..TraceFilter::default() };
    let mut traces = Vec::new();
    for summary in list(store, &filter, 7).await {
        let trace = trace(store, project, summary.trace_id).await.expect("what is listed is there");
        assert_eq!(trace.summary, summary, "list and trace agree");
        traces.push(trace);
    }
    traces
}

/// The summary is what its spans and records say, counted anew here, naively.
pub(super) fn adds_up(trace: &Trace) {
    let line = &trace.summary;
    let key = |stored: &&crate::StoredSpan| (stored.span.start, stored.span.span_id);
    let spans = || trace.spans.iter();
    let roots = || spans().filter(|stored| stored.span.parent_span_id.is_none());
    let has = |status| spans().any(|stored| stored.status == status);
    let head = roots().min_by_key(key).or_else(|| spans().min_by_key(key));
    let Some(head) = head else {
        assert_eq!(line.name, trace.logs.first().expect("a trace holds something").event);
        return;
    };
    let failed = if roots().next().is_some() {
        head.status == TraceStatus::Error || (head.span.end.is_none() && head.span.is_error())
    } else {
        has(TraceStatus::Error)
    };
    let status = match () {
        () if has(TraceStatus::Running) => TraceStatus::Running,
        () if has(TraceStatus::Lost) => TraceStatus::Lost,
        () if failed => TraceStatus::Error,
        () => TraceStatus::Ok,
    };
    assert_eq!((&line.name, line.status), (&head.span.name, status));
    assert_eq!((line.spans, line.events), (trace.spans.len() as u64, trace.logs.len() as u64));
    assert_eq!(line.errors, spans().filter(|stored| stored.span.is_error()).count() as u64);
    assert_eq!(Some(line.start), spans().map(|stored| stored.span.start).min());
    let end = spans().filter_map(|stored| stored.span.end).max();
    assert_eq!(line.end, end.filter(|_| status != TraceStatus::Running));
    let calls =
        || spans().map(|stored| &stored.span).filter(|span| is_call(span) && !wraps(trace, span.span_id));
    assert_eq!(line.input_tokens.unwrap_or(0), calls().filter_map(|span| span.input_tokens).sum::<u64>());
    assert_eq!(line.output_tokens.unwrap_or(0), calls().filter_map(|span| span.output_tokens).sum::<u64>());
    let cost: f64 = calls().filter_map(|span| span.cost).sum();
    assert!((line.cost.unwrap_or(0.0) - cost).abs() < 1e-9, "cost {:?}, spans say {cost}", line.cost);
    let mut ids: Vec<_> = spans().map(|stored| stored.span.span_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), trace.spans.len(), "each span exactly once");
}

fn is_call(span: &Span) -> bool {
    let model = matches!(span.kind, SpanKind::Llm | SpanKind::Embedding);
    model && (span.input_tokens.is_some() || span.output_tokens.is_some() || span.cost.is_some())
}

/// Whether a call is below a span: its own figures repeat that.
fn wraps(trace: &Trace, id: SpanId) -> bool {
    let parent = |id: SpanId| {
        let span = trace.spans.iter().find(|stored| stored.span.span_id == id)?;
        span.span.parent_span_id.filter(|parent| *parent != id)
    };
    trace.spans.iter().filter(|stored| is_call(&stored.span)).any(|stored| {
        let ups = std::iter::successors(parent(stored.span.span_id), |id| parent(*id));
        ups.take(trace.spans.len()).any(|up| up == id)
    })
}
