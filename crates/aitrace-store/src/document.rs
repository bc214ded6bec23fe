//! What is few, mutable and relational.

use aitrace_model::{Json, Timestamp};
use async_trait::async_trait;

use crate::correction::Correction;
use crate::error::{ErrorKind, Result, StoreError};
use crate::filter::ProjectScope;
use crate::members::merge_members;
use crate::record::{Document, DocumentKind, DocumentPage, DocumentQuery, DocumentWrite};

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

impl SessionPatch {
    /// The session after this change. `known` is what it was before, if anything.
    ///
    /// Fails with [`ErrorKind::Invalid`] when the data is not an object.
    pub fn apply(self, known: Option<Session>) -> Result<Session> {
        let mut session = known.unwrap_or_else(|| Session {
            project: self.project,
            session_id: self.session_id,
            name: None,
            started: self.at,
            updated: self.at,
            data: Json::from_trusted("{}"),
        });
        session.started = session.started.min(self.at);
        session.updated = session.updated.max(self.at);
        session.name = self.name.or(session.name);
        if let Some(data) = self.data {
            let Some(changes) = data.members() else {
                return Err(StoreError::new(
                    ErrorKind::Invalid,
                    format!("data of session {:?} is not a JSON object: send an object", session.session_id),
                ));
            };
            session.data = merge_members(session.data.members().unwrap_or_default(), changes, true);
        }
        Ok(session)
    }
}

/// Keeps documents.
#[async_trait]
pub trait DocumentStore: Send + Sync + std::fmt::Debug + 'static {
    /// Creates or changes a session.
    async fn put_session(&self, patch: SessionPatch) -> Result<Session>;

    /// One session.
    async fn session(&self, project: &str, session_id: &str) -> Result<Option<Session>>;

    /// Names of all projects in scope that have anything but keys, sorted.
    async fn projects(&self, scope: &ProjectScope) -> Result<Vec<String>>;

    /// Writes documents, all or none; durable when it returns. Returns them as they are now.
    async fn put_documents(&self, writes: Vec<DocumentWrite>) -> Result<Vec<Document>>;

    /// One document.
    async fn document(&self, kind: DocumentKind, project: &str, id: &str) -> Result<Option<Document>>;

    /// A page of documents.
    async fn documents(&self, query: &DocumentQuery) -> Result<DocumentPage>;

    /// Removes documents. Returns how many there were.
    async fn remove_documents(&self, kind: DocumentKind, project: &str, ids: &[String]) -> Result<u64>;

    /// Says something of a span after the fact; every read shows it from now on, except
    /// [`crate::QueryStore::sent_trace`] and what live readers are told of the span.
    async fn put_correction(&self, correction: Correction) -> Result<Document> {
        let id = correction.span_id.to_hex();
        loop {
            let known = self.document(DocumentKind::Correction, &correction.project, &id).await?;
            match self.put_documents(vec![correction.clone().write(known.as_ref())?]).await {
                Ok(mut written) => {
                    return written
                        .pop()
                        .ok_or_else(|| StoreError::new(ErrorKind::Internal, "nothing written"));
                }
                // Somebody else corrected the same span in between: join with that.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(at: i64, data: &str) -> SessionPatch {
        SessionPatch {
            project: "p".into(),
            session_id: "s".into(),
            name: None,
            at: Timestamp::from_nanos(at),
            data: Some(Json::parse(data).expect("valid")),
        }
    }

    #[test]
    fn objects_merge_and_the_rest_is_replaced() {
        let first = patch(5, r#"{"a":1,"m":{"x":{"deep":1},"y":2}}"#).apply(None).expect("object");
        let second =
            patch(3, r#"{"a":[2],"m":{"x":{"new":1}},"n":null}"#).apply(Some(first)).expect("object");
        assert_eq!(second.data.as_str(), r#"{"a":[2],"m":{"x":{"new":1},"y":2},"n":null}"#);
        assert_eq!((second.started.nanos(), second.updated.nanos()), (3, 5));
    }

    #[test]
    fn data_that_is_no_object_is_refused() {
        assert_eq!(patch(1, "[1]").apply(None).expect_err("array").kind(), ErrorKind::Invalid);
    }
}
