//! Trace records, one a line.

use aitrace_model::record::{Record, exact_record, log_record};
use aitrace_model::{LogRecord, TraceStatus};
use aitrace_store::{ExportFormat, ExportWriter, Result, Trace};

#[derive(Debug)]
pub(crate) struct Jsonl {
    /// Whether records repeat their timestamp at the top level.
    pub(crate) compat: bool,
}

impl ExportFormat for Jsonl {
    fn media_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn writer(&self) -> Box<dyn ExportWriter> {
        Box::new(Writer { text: String::new(), compat: self.compat })
    }
}

struct Writer {
    text: String,
    compat: bool,
}

impl Writer {
    fn write(&mut self, record: &Record) {
        record.write_line(&mut self.text, self.compat);
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}

impl ExportWriter for Writer {
    fn trace(&mut self, trace: &Trace) -> Result<()> {
        for stored in &trace.spans {
            self.write(&exact_record(&stored.span, stored.status == TraceStatus::Lost));
        }
        trace.logs.iter().try_for_each(|log| self.log(log))
    }

    fn log(&mut self, log: &LogRecord) -> Result<()> {
        self.write(&log_record(log));
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }

    fn ready(&self) -> usize {
        self.text.len()
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text).into_bytes()
    }
}
