//! Documents: what is few and mutable, each kind typed, all kept alike.

use std::fmt;
use std::str::FromStr;

use aitrace_model::{Json, SpanId, Timestamp, TraceId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{ErrorKind, Result, StoreError};
use crate::filter::ProjectScope;

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    /// A key to the server.
    Key,
    /// A score of a span, trace, session or run.
    Score,
    /// What was said of a span after it had ended.
    Correction,
    /// A set of datapoints.
    Dataset,
    /// One datapoint.
    Datapoint,
    /// An evaluation run.
    Run,
    /// A named configuration (prompt, model, parameters).
    Configuration,
    /// A named metric.
    Metric,
}

impl DocumentKind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Key,
        Self::Score,
        Self::Correction,
        Self::Dataset,
        Self::Datapoint,
        Self::Run,
        Self::Configuration,
        Self::Metric,
    ];

    /// The word stores keep it under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Score => "score",
            Self::Correction => "correction",
            Self::Dataset => "dataset",
            Self::Datapoint => "datapoint",
            Self::Run => "run",
            Self::Configuration => "configuration",
            Self::Metric => "metric",
        }
    }

    /// The kind of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }
}

/// A document as stores keep it. The identity is (kind, project, id).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Kind.
    pub kind: DocumentKind,
    /// Project.
    pub project: String,
    /// Its id.
    pub id: String,
    /// By what it is found: `trace:…`, `session:…`, `dataset:…`, `hash:…`, …
    pub references: Vec<String>,
    /// When it was first put.
    pub created: Timestamp,
    /// When it was last put.
    pub updated: Timestamp,
    /// How often it was put.
    pub version: u64,
    /// Its contents, an object.
    pub data: Json,
}

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentWrite {
    /// Kind.
    pub kind: DocumentKind,
    /// Project.
    pub project: String,
    /// Its id.
    pub id: String,
    /// By what it is found, instead of what it was found by before.
    pub references: Vec<String>,
    /// When this is said.
    pub at: Timestamp,
    /// Its contents, instead of what they were before.
    pub data: Json,
    /// The version that must be there now, 0 for none; `None` writes in any case. Where it differs,
    /// nothing is written and the call fails with [`ErrorKind::Conflict`].
    pub expect: Option<u64>,
}

impl DocumentWrite {
    /// The document after this write. `known` is what it was before.
    pub fn apply(mut self, known: Option<&Document>) -> Result<Document> {
        self.references.sort_unstable();
        self.references.dedup();
        let version = known.map_or(0, |known| known.version);
        if self.expect.is_some_and(|expected| expected != version) {
            let text = format!("{} {:?} was changed meanwhile: read it again", self.kind.as_str(), self.id);
            return Err(StoreError::new(ErrorKind::Conflict, text));
        }
        if self.data.members().is_none() {
            let text = format!("{} {:?} is not a JSON object: send an object", self.kind.as_str(), self.id);
            return Err(StoreError::new(ErrorKind::Invalid, text));
        }
        Ok(Document {
            created: known.map_or(self.at, |known| known.created),
            version: version + 1,
            updated: self.at,
            kind: self.kind,
            project: self.project,
            id: self.id,
            references: self.references,
            data: self.data,
        })
    }
}

/// Which documents to list, newest creation first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentQuery {
    /// Kind.
    pub kind: DocumentKind,
    /// Projects.
    pub scope: ProjectScope,
    /// Only those found by this.
    pub reference: Option<String>,
    /// At most this many, 1 to 1000.
    pub limit: usize,
    /// Begin after this place.
    pub cursor: Option<DocumentCursor>,
}

impl DocumentQuery {
    /// All of a kind in a project, the first 1000.
    pub fn new(kind: DocumentKind, scope: ProjectScope) -> Self {
        Self { kind, scope, reference: None, limit: 1000, cursor: None }
    }

    /// Only those found by `name:value`.
    pub fn by(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.reference = Some(format!("{name}:{value}"));
        self
    }

    /// The limit within its bounds.
    pub fn bounded_limit(&self) -> usize {
        self.limit.clamp(1, 1000)
    }

    /// Whether a document is asked for, the cursor included.
    pub fn matches(&self, document: &Document) -> bool {
        let place = |document: &Document| (document.created, document.id.clone(), document.project.clone());
        document.kind == self.kind
            && self.scope.contains(&document.project)
            && self.reference.as_ref().is_none_or(|reference| document.references.contains(reference))
            && self
                .cursor
                .as_ref()
                .is_none_or(|at| place(document) < (at.created, at.id.clone(), at.project.clone()))
    }
}

/// A place in a list of documents. Opaque to callers: creation, length of the id, id, project, joined by `.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentCursor {
    /// Creation of the last document of the page before.
    pub created: Timestamp,
    /// Its id.
    pub id: String,
    /// Its project.
    pub project: String,
}

impl fmt::Display for DocumentCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, id, project } = self;
        write!(f, "{}.{}.{id}.{project}", created.nanos(), id.len())
    }
}

impl FromStr for DocumentCursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let read = || {
            let mut parts = text.splitn(3, '.');
            let created = Timestamp::from_nanos(parts.next()?.parse().ok()?);
            let length: usize = parts.next()?.parse().ok()?;
            let (id, project) = parts.next()?.split_at_checked(length)?;
            Some(Self { created, id: id.to_owned(), project: project.strip_prefix('.')?.to_owned() })
        };
        read()
            .ok_or_else(|| StoreError::new(ErrorKind::Invalid, "cursor is not one that this server gave out"))
    }
}

/// A page of documents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DocumentPage {
    /// Newest creation first, then id and project descending.
    pub documents: Vec<Document>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<DocumentCursor>,
}

/// Cuts a page out of documents in any order.
pub fn document_page(mut documents: Vec<Document>, limit: usize) -> DocumentPage {
    documents.sort_by(|a, b| (b.created, &b.id, &b.project).cmp(&(a.created, &a.id, &a.project)));
    let more = documents.len() > limit;
    documents.truncate(limit);
    let next = documents.last().filter(|_| more).map(|last| DocumentCursor {
        created: last.created,
        id: last.id.clone(),
        project: last.project.clone(),
    });
    DocumentPage { documents, next }
}

/// A typed document: its fields are the document's data.
pub trait Record: Serialize + DeserializeOwned {
    /// Its kind.
    const KIND: DocumentKind;

    /// Its project.
    fn project(&self) -> &str;

    /// Its id.
    fn id(&self) -> String;

    /// By what it is found.
    fn references(&self) -> Vec<String>;

    /// What to write, in any case.
    fn write(&self, at: Timestamp) -> Result<DocumentWrite> {
        let data = Json::from_serialize(self).map_err(|error| {
            StoreError::new(ErrorKind::Internal, "a document cannot be written as JSON").with_source(error)
        })?;
        Ok(DocumentWrite {
            kind: Self::KIND,
            project: self.project().to_owned(),
            id: self.id(),
            references: self.references(),
            at,
            data,
            expect: None,
        })
    }

    /// The record that a document of its kind holds.
    fn read(document: &Document) -> Result<Self> {
        serde_json::from_str(document.data.as_str()).map_err(|error| {
            let what = format!("{} {:?}", Self::KIND.as_str(), document.id);
            StoreError::new(ErrorKind::Corrupt, format!("{what} cannot be read: run `aitrace doctor`"))
                .with_source(error)
        })
    }
}

macro_rules! record {
    ($(#[$doc:meta])* $name:ident, $kind:ident, ($self:ident) id $id:expr, found by [$($by:literal => $value:expr),*] {
        $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            /// Project.
            pub project: String,
            $($(#[$field_doc])* #[serde(default)] pub $field: $type),+
        }

        impl Record for $name {
            const KIND: DocumentKind = DocumentKind::$kind;

            fn project(&self) -> &str {
                &self.project
            }

            fn id(&$self) -> String {
                $id
            }

            fn references(&$self) -> Vec<String> {
                let found: [(&str, Option<String>); _] = [$(($by, $value)),*];
                found.into_iter().filter_map(|(name, value)| Some(format!("{name}:{}", value?))).collect()
            }
        }
    };
}

record! {
    /// A key to the server. Of the secret only a hash is kept.
    Key, Key, (self) id self.id.clone(), found by ["hash" => Some(self.hash.clone())] {
        /// Its public id.
        id: String,
        /// Hash of the secret, hex.
        hash: String,
        /// What it allows: `ingest`, `read`, `admin`.
        scopes: Vec<String>,
        /// A name for people.
        name: Option<String>,
        /// From when on it is void of itself; `None` for never.
        expires: Option<Timestamp>,
        /// When it was last used, to the minute.
        last_used: Option<Timestamp>,
        /// Since when it is void.
        revoked: Option<Timestamp>,
    }
}
record! {
    /// A score.
    Score, Score, (self) id self.id.clone(), found by [
        "trace" => self.trace_id.map(TraceId::to_hex), "span" => self.span_id.map(SpanId::to_hex),
        "session" => self.session_id.clone(), "run" => self.run_id.clone(), "name" => Some(self.name.clone())
    ] {
        /// Its id.
        id: String,
        /// The trace it judges.
        trace_id: Option<TraceId>,
        /// The span it judges.
        span_id: Option<SpanId>,
        /// The session it judges.
        session_id: Option<String>,
        /// The run it belongs to.
        run_id: Option<String>,
        /// What is judged.
        name: String,
        /// The judgement, any JSON.
        value: Option<serde_json::Value>,
        /// The judgement in a word.
        label: Option<String>,
        /// Why.
        comment: Option<String>,
        /// Who judged: `code`, `llm`, `human`.
        source: Option<String>,
    }
}
record! {
    /// A set of datapoints.
    Dataset, Dataset, (self) id self.id.clone(), found by ["name" => Some(self.name.clone())] {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// Everything else that was said of it, an object.
        data: Option<serde_json::Value>,
    }
}
record! {
    /// A datapoint.
    Datapoint, Datapoint, (self) id self.id.clone(), found by [
        "dataset" => self.dataset_id.clone(), "span" => self.linked_event.clone()
    ] {
        /// Its id.
        id: String,
        /// Its dataset.
        dataset_id: Option<String>,
        /// Its place in the dataset.
        position: Option<u64>,
        /// What goes in.
        inputs: Option<serde_json::Value>,
        /// What should come out.
        ground_truth: Option<serde_json::Value>,
        /// The span it was made of.
        linked_event: Option<String>,
        /// Everything else that was said of it, an object.
        data: Option<serde_json::Value>,
    }
}
record! {
    /// An evaluation run.
    Run, Run, (self) id self.id.clone(), found by [
        "dataset" => self.dataset_id.clone(), "name" => self.name.clone(), "status" => self.status.clone()
    ] {
        /// Its id.
        id: String,
        /// Its name.
        name: Option<String>,
        /// `running`, `completed`, `failed`, `interrupted`.
        status: Option<String>,
        /// Its dataset.
        dataset_id: Option<String>,
        /// Everything else that was said of it, an object.
        data: Option<serde_json::Value>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_by_what_they_name() {
        let trace_id = TraceId::from_bytes([7; 16]).expect("not zero");
        let text = format!(r#"{{"project":"p","id":"1","trace_id":"{trace_id}","name":"good","value":0.5}}"#);
        let score: Score = serde_json::from_str(&text).expect("reads");
        let write = score.write(Timestamp::from_nanos(5)).expect("writes");
        assert_eq!(write.references, [format!("trace:{trace_id}"), "name:good".to_owned()]);
        let document = write.apply(None).expect("applies");
        assert_eq!((Score::read(&document).expect("reads"), document.version), (score, 1));
    }
}
