//! SQL over documented views.

use std::sync::Arc;
use std::time::Duration;

use aitrace_model::Timestamp;
use async_trait::async_trait;

use crate::error::Result;
use crate::filter::ProjectScope;
use crate::room::{FixedRoom, Room};

/// Bounds of one statement.
#[derive(Debug, Clone)]
pub struct SqlLimits {
    /// Rows of the answer. Default 10 000. More are cut off, and the answer says so.
    pub rows: usize,
    /// Time. Default 30 s. A statement that takes longer fails with [`crate::ErrorKind::Overloaded`].
    pub time: Duration,
    /// Memory for the work and the answer. Default 96 MiB of its own. A statement that needs more than there is fails with
    /// [`crate::ErrorKind::Overloaded`]. What the answer takes stays taken when it is there: the caller has it.
    pub room: Arc<dyn Room>,
}

impl Default for SqlLimits {
    fn default() -> Self {
        Self { rows: 10_000, time: Duration::from_secs(30), room: Arc::new(FixedRoom::new(96 << 20)) }
    }
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A signed number.
    Int(i64),
    /// An unsigned number.
    UInt(u64),
    /// A floating-point number.
    Double(f64),
    /// A time.
    Time(Timestamp),
    /// Text, and everything else as the engine writes it.
    Text(String),
}

/// A column of an answer or a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlColumn {
    /// Its name.
    pub name: String,
    /// `bool`, `int`, `uint`, `double`, `time` or `text`.
    pub kind: &'static str,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SqlRows {
    /// Its columns.
    pub columns: Vec<SqlColumn>,
    /// Its rows, each with as many cells as there are columns.
    pub rows: Vec<Vec<SqlValue>>,
    /// Whether there were more rows than allowed.
    pub truncated: bool,
}

/// A view that statements can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlView {
    /// Its name.
    pub name: &'static str,
    /// What a row is.
    pub doc: &'static str,
    /// Its columns.
    pub columns: Vec<SqlColumn>,
}

/// Runs statements that read.
#[async_trait]
pub trait SqlStore: Send + Sync + 'static {
    /// Runs one `SELECT` over the views, each restricted to the projects in scope. Dropping the future stops it.
    ///
    /// Fails with [`crate::ErrorKind::Invalid`] for anything but a query.
    async fn sql(&self, scope: &ProjectScope, sql: &str, limits: &SqlLimits) -> Result<SqlRows>;

    /// The views: `spans, logs, traces, sessions, scores, runs`.
    fn views(&self) -> Vec<SqlView>;
}
