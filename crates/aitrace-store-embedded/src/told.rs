//! Contents that log records tell stand in their spans: there a search finds them, not in the log records besides.

use std::collections::HashMap;

use aitrace_model::{LogRecord, Span, SpanId, TraceId};
use aitrace_store::Finder;

use crate::sealed;
use crate::shared::Shared;
use crate::snapshot::HotRow;

/// Spans that are remembered; beyond, all are forgotten.
const MOST: usize = 10_000;

/// Looks up the spans of log records that one search finds.
pub(crate) struct Told<'a> {
    shared: &'a Shared,
    spans: &'a [HotRow],
    /// Where spans are among those in memory, once anybody asks.
    places: Option<HashMap<(TraceId, SpanId), Vec<usize>>>,
    /// Whether spans are found with the text in their contents.
    known: HashMap<(TraceId, SpanId, String), bool>,
}

impl<'a> Told<'a> {
    pub(crate) fn new(shared: &'a Shared, spans: &'a [HotRow]) -> Self {
        Self { shared, spans, places: None, known: HashMap::new() }
    }

    /// Whether the span of a log record is found with the text in its contents.
    pub(crate) fn stands_in_span(&mut self, finder: &Finder<'_>, log: &LogRecord) -> bool {
        let (Some(trace_id), Some(span_id)) = (log.trace_id, log.span_id) else { return false };
        if !finder.may_be_told(log) {
            return false;
        }
        let key = (trace_id, span_id, log.project.clone());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let tells = match self.in_memory(&key) {
            Some(span) => finder.tells(span),
            None => self.in_files(&key).is_some_and(|span| finder.tells(&span)),
        };
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(key, tells);
        tells
    }

    fn in_memory(&mut self, (trace_id, span_id, project): &(TraceId, SpanId, String)) -> Option<&'a Span> {
        let spans = self.spans;
        let places = self.places.get_or_insert_with(|| {
            let mut places: HashMap<_, Vec<usize>> = HashMap::with_capacity(spans.len());
            for (place, row) in spans.iter().enumerate() {
                let span = &row.stored.span;
                places.entry((span.trace_id, span.span_id)).or_default().push(place);
            }
            places
        });
        let found = places.get(&(*trace_id, *span_id))?.iter().map(|place| &spans[*place].stored.span);
        found.into_iter().find(|span| span.project == *project)
    }

    /// A file that cannot be read is left out: whoever reads it for its own sake says so.
    fn in_files(&self, (trace_id, span_id, project): &(TraceId, SpanId, String)) -> Option<Span> {
        let row = self.shared.reader.lock().trace(project, *trace_id).ok().flatten()?;
        let files = self.shared.segments.resolve(&row.segments);
        let (mut rows, _) = sealed::whole(&self.shared.segments, &files, project, *trace_id, Some(*span_id));
        rows.spans.remove(span_id).map(|(span, _)| span)
    }
}
