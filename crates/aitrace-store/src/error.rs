//! Errors say what the caller must do, not what broke inside.

use std::error::Error;

/// What the caller must do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is wrong: change it.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// It was changed by somebody else, or the directory is in use: look again.
    Conflict,
    /// Passing: try again later.
    Unavailable,
    /// Too much at once: try again later, with less.
    Overloaded,
    /// Stored data cannot be read: run `aitrace doctor`.
    Corrupt,
    /// The store was shut down.
    Closed,
    /// A defect of ours.
    Internal,
}

/// An error of a store.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The result of a store's call.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    /// An error with what was wrong, where, and what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same with its cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller must do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}
