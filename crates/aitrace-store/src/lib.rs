//! Stage: store. In: [`Batch`] of normalised spans and log records. Out: pages, traces, changes.
//!
//! Two kinds of data, two traits. [`TelemetryStore`] keeps spans and log records: append-only,
//! columnar, large. [`DocumentStore`] keeps what is few, mutable and relational. A store never
//! knows HTTP, a server never writes SQL. Everything is keyed by project first.

mod change;
#[cfg(feature = "conformance")]
pub mod conformance;
mod document;
mod error;
mod filter;
#[cfg(feature = "conformance")]
pub mod memory;
mod rollup;
mod stored;
mod telemetry;
mod tree;

pub use change::Change;
pub use document::{DocumentStore, Session, SessionPatch};
pub use error::{ErrorKind, Result, StoreError};
pub use filter::{Cursor, PageRequest, ProjectScope, TraceFilter, newest_first};
pub use rollup::{Head, Rollup, worst_open};
pub use stored::StoredSpan;
pub use telemetry::{Appended, Batch, StoreStats, TelemetryStore, Trace, TracePage};
pub use tree::in_tree_order;
