//! What an export is written with: formats that know no store, for servers that know no format.

use std::fmt;

use aitrace_model::LogRecord;

use crate::error::Result;
use crate::telemetry::Trace;

/// A format to export to.
pub trait ExportFormat: Send + Sync + fmt::Debug {
    /// Media type of what is written.
    fn media_type(&self) -> &'static str;

    /// Bytes of memory that a writer gathers at most before it writes, beside a row that is larger. Default 0.
    fn gathered(&self) -> usize {
        0
    }

    /// A writer of one export.
    fn writer(&self) -> Box<dyn ExportWriter>;
}

/// Writes one export, piece by piece. Memory stays bounded where what is ready is taken after each call.
pub trait ExportWriter: Send {
    /// A whole trace: its spans and log records.
    fn trace(&mut self, trace: &Trace) -> Result<()>;

    /// A log record that is in no trace.
    fn log(&mut self, log: &LogRecord) -> Result<()>;

    /// Nothing more comes.
    fn finish(&mut self) -> Result<()>;

    /// How many bytes are ready.
    fn ready(&self) -> usize;

    /// Takes what is ready.
    fn take(&mut self) -> Vec<u8>;
}
