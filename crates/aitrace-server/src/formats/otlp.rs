//! OTLP/JSON, one request a line: the form in which the file exporter of OpenTelemetry's Collector writes.

use std::sync::Arc;

use aitrace_model::{LogRecord, RawLog, RawSpan, Resource, Scope, TraceStatus};
use aitrace_normalise::{raw_log, raw_span};
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
        for stored in &trace.spans {
            let span = &stored.span;
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
