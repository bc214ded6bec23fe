//! Stage: store. In: [`Batch`] of normalised spans and log records. Out: pages, traces, changes.
//!
//! Two kinds of data, two traits. [`TelemetryStore`] keeps spans and log records: append-only,
//! columnar, large. [`DocumentStore`] keeps what is few, mutable and relational. A store never
//! knows HTTP, a server never writes SQL. Everything is keyed by project first.

mod change;
#[cfg(feature = "conformance")]
pub mod conformance;
mod correction;
mod counter;
mod document;
mod error;
mod export;
mod filter;
mod histogram;
mod hits;
mod language;
mod members;
#[cfg(feature = "conformance")]
pub mod memory;
mod query;
mod record;
mod reprice;
mod rollup;
mod room;
mod search;
mod session;
mod skeleton;
mod sql;
mod statistics;
mod stored;
mod telemetry;
mod tree;
mod upkeep;
mod usage;
mod weight;

pub use change::{Change, LostSpan};
pub use correction::{Correction, correct, correct_stored};
pub use counter::{Counted, Counter, Overlap};
pub use document::{DocumentStore, Session, SessionPatch};
pub use error::{ErrorKind, Result, StoreError};
pub use export::{ExportFormat, ExportWriter};
pub use filter::{Cursor, PageRequest, ProjectScope, TraceFilter, newest_first};
pub use histogram::Histogram;
pub use hits::{Hit, HitCursor, HitPage};
pub use language::{
    Field, FieldKind, Filter, FilterError, Has, Needle, Op, Operand, Pattern, Plain, Term, duration,
};
pub use query::{Extent, QueryStore};
pub use record::{
    Datapoint, Dataset, Document, DocumentCursor, DocumentKind, DocumentPage, DocumentQuery, DocumentWrite,
    Key, Record, Run, Score, document_page,
};
pub use reprice::{Reading, Repriced, Repricing, Verdict, reprice};
pub use rollup::{Head, Rollup};
pub use room::{FixedRoom, Room, Taken};
pub use search::{Finder, Search, Searched, standing};
pub use session::{
    SessionCursor, SessionFilter, SessionPage, SessionPageRequest, SessionSummary, session_page,
};
pub use skeleton::{Bone, Skeleton};
pub use sql::{SqlColumn, SqlLimits, SqlRows, SqlStore, SqlValue, SqlView};
pub use statistics::{Dimension, Facts, Statistics, StatisticsQuery, StatisticsRow};
pub use stored::StoredSpan;
pub use telemetry::{Appended, Batch, StoreStats, TelemetryStore, Trace, TracePage};
pub use tree::in_tree_order;
pub use upkeep::{Deleted, Health, Problem, ProblemKind, Retention, Retired, Target, Upkeep};
pub use usage::{Usage, UsageTree};
pub use weight::{log_bytes, span_bytes};
