//! The types that travel between the stages, and the trace record format.
//!
//! ```text
//! start → context → enrich → end → batch → export ⇒ ingest → decode → normalise → store → query → view
//! ```
//!
//! This crate is every arrow and no stage: [`RawSpan`] is what a decoder
//! hands to a normaliser, [`Span`] and [`LogRecord`] are what a store keeps,
//! [`TraceSummary`] is what a list shows. It does no I/O and depends on nothing of ours.

mod clock;
mod error;
mod id;
mod json;
pub mod key;
mod log;
pub mod merge;
mod place;
mod raw;
pub mod record;
mod scan;
mod span;
mod summary;
mod text;
mod time;
pub mod tree;
mod usage;
mod value;
mod words;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{ModelError, Result};
pub use id::{SpanId, TraceId};
pub use json::Json;
pub use log::{Level, LogRecord};
pub use merge::{LostRules, SpanState};
pub use place::CodeLocation;
pub use raw::{Dropped, RawEvent, RawLink, RawLog, RawSpan, RawStatus, Resource, Scope};
pub use span::{ErrorInfo, EventType, Phase, Span, SpanEvent, SpanKind, SpanLink, Status};
pub use summary::{TraceStatus, TraceSummary};
pub use time::Timestamp;
pub use usage::Usage;
pub use value::AnyValue;
