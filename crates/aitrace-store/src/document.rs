//! What is few, mutable and relational.

use aitrace_model::{Json, Timestamp};
use async_trait::async_trait;

use crate::error::Result;
use crate::filter::ProjectScope;

/// A session: several traces that belong together, for example one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Project.
    pub project: String,
    /// Its id.
    pub session_id: String,
    /// Its name.
    pub name: Option<String>,
    /// When it was first heard of.
    pub started: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// Everything the sender said of it: an object (inputs, outputs, metadata, metrics, feedback, …).
    pub data: Json,
}

/// A change of a session. What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPatch {
    /// Project.
    pub project: String,
    /// Its id.
    pub session_id: String,
    /// New name.
    pub name: Option<String>,
    /// When this was said.
    pub at: Timestamp,
    /// Top-level members to set in the session's data; objects below them are merged, not replaced.
    pub data: Option<Json>,
}

/// Keeps documents.
#[async_trait]
pub trait DocumentStore: Send + Sync + std::fmt::Debug + 'static {
    /// Creates or changes a session.
    async fn put_session(&self, patch: SessionPatch) -> Result<Session>;

    /// One session.
    async fn session(&self, project: &str, session_id: &str) -> Result<Option<Session>>;

    /// Names of all projects in scope that have anything, sorted.
    async fn projects(&self, scope: &ProjectScope) -> Result<Vec<String>>;
}
