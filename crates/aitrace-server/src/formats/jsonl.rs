//! Trace records, one a line.

use aitrace_model::record::{Record, exact_record, log_record};
use aitrace_model::{LogRecord, TraceStatus};
use aitrace_store::{ExportFormat, ExportWriter, Result, Trace};

#[derive(Debug)]
pub(crate) struct Jsonl;

impl ExportFormat for Jsonl {
    fn media_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn writer(&self) -> Box<dyn ExportWriter> {
        Box::new(Writer(String::new()))
    }
}

struct Writer(String);

impl Writer {
    fn write(&mut self, record: &Record) {
        record.write_line(&mut self.0, false);
        if !self.0.ends_with('\n') {
            self.0.push('\n');
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
        self.0.len()
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).into_bytes()
    }
}
