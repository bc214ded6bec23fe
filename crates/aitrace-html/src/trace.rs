//! Records sorted into traces.

use std::collections::{BTreeMap, HashMap, HashSet};

use aitrace_model::record::{Record, Role};
use aitrace_model::tree::{Node, order};
use aitrace_model::{SpanId, Timestamp, TraceId};

/// A span as far as its records tell.
#[derive(Debug)]
pub(crate) struct SpanView<'a> {
    pub(crate) name: &'a str,
    pub(crate) id: SpanId,
    pub(crate) start: Timestamp,
    pub(crate) end: Option<Timestamp>,
    /// The end, else the start.
    pub(crate) record: &'a Record,
    /// Log records of this span in the order of their times.
    pub(crate) logs: Vec<&'a Record>,
    /// Number of spans above it.
    pub(crate) depth: u32,
}

/// A trace.
#[derive(Debug)]
pub(crate) struct TraceView<'a> {
    pub(crate) id: Option<TraceId>,
    /// In tree order.
    pub(crate) spans: Vec<SpanView<'a>>,
    /// Log records of no span that is here.
    pub(crate) logs: Vec<&'a Record>,
}

impl TraceView<'_> {
    pub(crate) fn start(&self) -> Timestamp {
        let spans = self.spans.iter().map(|span| span.start);
        spans.chain(self.logs.iter().map(|log| log.meta.timestamp)).min().unwrap_or_default()
    }

    pub(crate) fn end(&self) -> Timestamp {
        let spans = self.spans.iter().map(|span| span.end.unwrap_or(span.start));
        spans.chain(self.logs.iter().map(|log| log.meta.timestamp)).max().unwrap_or_default()
    }
}

#[derive(Default)]
struct Parts<'a> {
    starts: HashMap<SpanId, &'a Record>,
    ends: HashMap<SpanId, &'a Record>,
    /// Ends that only their suffix tells: log records where no start is known.
    tentative: Vec<&'a Record>,
    logs: Vec<&'a Record>,
}

/// The traces in the order of their beginnings; log records outside any trace stand last.
pub(crate) fn group(records: &[Record]) -> Vec<TraceView<'_>> {
    let mut parts: BTreeMap<Option<TraceId>, Parts<'_>> = BTreeMap::new();
    let mut seen = HashSet::new();
    for record in records {
        if record.meta.id.as_ref().is_some_and(|id| !seen.insert(id.as_str())) {
            continue;
        }
        let own = parts.entry(record.meta.trace_id).or_default();
        match (record.role(), record.meta.span_id) {
            (Role::Start(_), Some(id)) => drop(own.starts.insert(id, record)),
            (Role::End(_), Some(id)) => drop(own.ends.insert(id, record)),
            (Role::TentativeEnd(_), _) => own.tentative.push(record),
            _ => own.logs.push(record),
        }
    }
    let mut traces: Vec<_> = parts.into_iter().map(|(id, parts)| parts.view(id)).collect();
    traces.sort_by_key(|trace| (trace.id.is_none(), trace.start(), trace.id));
    traces
}

impl<'a> Parts<'a> {
    fn view(mut self, id: Option<TraceId>) -> TraceView<'a> {
        for record in std::mem::take(&mut self.tentative) {
            match record.meta.span_id.filter(|id| self.starts.contains_key(id)) {
                Some(id) => drop(self.ends.insert(id, record)),
                None => self.logs.push(record),
            }
        }
        let mut spans: HashMap<SpanId, SpanView<'a>> = HashMap::new();
        // Ends come last, so that they replace starts.
        for (id, record) in self.starts.into_iter().chain(self.ends) {
            let known = spans.remove(&id).map(|start| start.start);
            spans.insert(id, span(id, record, known));
        }
        let nodes: Vec<Node> = spans
            .values()
            .map(|span| Node { start: span.start, id: span.id, parent: span.record.meta.parent_span_id })
            .collect();
        self.logs.sort_by_key(|log| log.meta.timestamp);
        let mut homeless = Vec::new();
        for log in self.logs {
            match log.meta.span_id.and_then(|id| spans.get_mut(&id)) {
                Some(span) => span.logs.push(log),
                None => homeless.push(log),
            }
        }
        let placed = order(&nodes).into_iter().filter_map(|entry| {
            let mut span = spans.remove(&nodes[entry.index].id)?;
            span.depth = entry.depth;
            Some(span)
        });
        TraceView { id, spans: placed.collect(), logs: homeless }
    }
}

fn span(id: SpanId, record: &Record, known_start: Option<Timestamp>) -> SpanView<'_> {
    let (name, ended) = match record.role() {
        Role::Start(name) => (name, false),
        Role::End(name) | Role::TentativeEnd(name) => (name, true),
        Role::Log => (record.meta.event.as_str(), false),
    };
    let time = record.meta.timestamp;
    let from_duration = || time.saturating_add(-record.meta.duration_ns.unwrap_or(0).max(0));
    let start = if ended && record.meta.duration_ns.is_none() {
        known_start.unwrap_or(time)
    } else if ended {
        from_duration()
    } else {
        time
    };
    SpanView { name, id, start, end: ended.then_some(time), record, logs: Vec::new(), depth: 0 }
}
