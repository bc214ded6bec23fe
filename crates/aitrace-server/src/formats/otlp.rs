//! OTLP/JSON, one request a line: the form in which the file exporter of OpenTelemetry's Collector writes.

use std::collections::HashMap;
use std::sync::Arc;

use aitrace_model::{LogRecord, RawLog, RawSpan, Resource, Scope, Span, SpanId, TraceStatus};
use aitrace_normalise::{contents_message, raw_log, raw_span, without_told};
use aitrace_otlp::{encode_logs_json, encode_traces_json};
use aitrace_store::{ExportFormat, ExportWriter, Result, Trace};

/// Spans or log records of a request at most.
const MANY: usize = 500;
/// Bytes of a request from which on it takes no more, by estimate.
const LARGE: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Otlp;

impl ExportFormat for Otlp {
    fn media_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn writer(&self) -> Box<dyn ExportWriter> {
        Box::new(Writer::default())
    }
}

#[derive(Default)]
struct Writer {
    spans: Vec<RawSpan>,
    logs: Vec<RawLog>,
    /// Bytes of both, by estimate.
    gathered: usize,
    out: Vec<u8>,
}

impl Writer {
    fn flush(&mut self) {
        if !self.spans.is_empty() {
            share(self.spans.iter_mut().map(|span| (&mut span.resource, &mut span.scope)));
            self.out.extend(encode_traces_json(&self.spans));
            self.out.push(b'\n');
        }
        if !self.logs.is_empty() {
            share(self.logs.iter_mut().map(|log| (&mut log.resource, &mut log.scope)));
            self.out.extend(encode_logs_json(&self.logs));
            self.out.push(b'\n');
        }
        self.spans.clear();
        self.logs.clear();
        self.gathered = 0;
    }

    fn gather(&mut self, bytes: usize) {
        self.gathered += bytes;
        if self.gathered >= LARGE || self.spans.len().max(self.logs.len()) >= MANY {
            self.flush();
        }
    }
}

/// Makes what comes one after the other from the same resource and scope share them: a request names them once.
fn share<'a>(all: impl Iterator<Item = (&'a mut Arc<Resource>, &'a mut Arc<Scope>)>) {
    let mut last: Option<(Arc<Resource>, Arc<Scope>)> = None;
    for (resource, scope) in all {
        if let Some((known, known_scope)) = &last
            && *known == *resource
        {
            resource.clone_from(known);
            if *known_scope == *scope {
                scope.clone_from(known_scope);
            }
        }
        last = Some((Arc::clone(resource), Arc::clone(scope)));
    }
}

impl ExportWriter for Writer {
    fn trace(&mut self, trace: &Trace) -> Result<()> {
        let mut told: HashMap<SpanId, Vec<Span>> = HashMap::new();
        for message in trace.logs.iter().filter_map(contents_message) {
            told.entry(message.span_id).or_default().push(message);
        }
        for stored in &trace.spans {
            let span = &stored.span;
            // Its log records come along, and tell it again.
            let bare = told.get(&span.span_id).map(|told| without_told(span, told));
            let span = bare.as_ref().unwrap_or(span);
            self.spans.push(raw_span(span, stored.status == TraceStatus::Lost));
            let contents =
                span.contents().iter().filter_map(|(_, text)| text.map(|text| text.as_str().len())).sum();
            self.gather(usize::max(span.attributes.as_str().len(), contents));
        }
        trace.logs.iter().try_for_each(|log| self.log(log))
    }

    fn log(&mut self, log: &LogRecord) -> Result<()> {
        self.logs.push(raw_log(log));
        self.gather(log.attrs.as_str().len());
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.flush();
        Ok(())
    }

    fn ready(&self) -> usize {
        self.out.len()
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}
