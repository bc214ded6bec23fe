//! Dialects of trace data to the trace model.
//!
//! Stage: normalise. In: [`aitrace_model::RawSpan`] and [`aitrace_model::RawLog`] from a decoder, or [`aitrace_model::record::Record`].
//! Out: [`aitrace_model::Span`] or [`aitrace_model::LogRecord`]. And the way back, for exports: [`raw_span`], [`raw_log`].
//!
//! A dialect is a table: which attribute key says what, in one file of the `dialect` module with
//! recorded fixtures of real libraries. What several dialects say of one thing is decided by their
//! order there. The raw attributes are kept as received beside what was understood.

mod chat;
mod content;
mod dialect;
mod draft;
mod embed;
mod exact;
mod failure;
mod kind;
mod log;
mod messages;
mod nest;
mod otel;
mod parts;
mod pending;
mod provider;
mod raw;
mod reason;
mod record;
mod session;
mod span;

use aitrace_model::{LogRecord, Span, Timestamp};

pub use exact::{Normaliser, normalise_log, normalise_span};
pub use log::{Contents, contents_message, contents_of_logs, tells_contents, without_told};
pub use raw::{raw_log, raw_span};
pub use record::normalise_record;
pub use session::{SessionUpdate, session_update};
pub use span::usage_of;

/// Version of the mapping from dialects: it stands in `otel` of each span that came as OTLP, as `mapper`. Raised whenever what
/// comes out of some input changes, so that one can see which spans an older mapping told, and tell them anew: attributes are
/// kept as received, so exporting as OTLP/JSON and importing that maps them again.
pub const MAPPER: u32 = 1;

/// What a normaliser knows of the request that brought the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Project of data that names none. Not empty.
    pub default_project: String,
    /// Project that the sender's key decides, whatever the data says.
    pub forced_project: Option<String>,
    /// When the server received the data.
    pub received: Timestamp,
}

impl Context {
    fn project(&self, named: Option<&str>) -> String {
        let named = named.filter(|name| !name.is_empty());
        self.forced_project.as_deref().or(named).unwrap_or(&self.default_project).to_owned()
    }
}

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// A span's start or end.
    Span(Box<Span>),
    /// A log record.
    Log(Box<LogRecord>),
}
