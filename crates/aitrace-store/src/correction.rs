//! What is said of a span after it ended: joined with it whenever it is read.

use aitrace_model::{ErrorInfo, Json, Span, SpanId, Status, Timestamp, TraceStatus};

use crate::error::{ErrorKind, Result, StoreError};
use crate::members::merge_members;
use crate::record::{Document, DocumentKind, DocumentWrite};
use crate::stored::StoredSpan;

/// A correction of one span, which need not be known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// Project.
    pub project: String,
    /// The span.
    pub span_id: SpanId,
    /// When this is said.
    pub at: Timestamp,
    /// Members to set, of `inputs, outputs, metadata, metrics, feedback, config, user_properties, error`. Of
    /// objects the members are set, one level deep; everything else is replaced. `error` is a text or
    /// an object {type, message, stacktrace}.
    pub data: Json,
}

impl Correction {
    /// What to write, given what was said before.
    pub fn write(self, known: Option<&Document>) -> Result<DocumentWrite> {
        let Some(changes) = self.data.members() else {
            let text =
                format!("the correction of span {} is not a JSON object: send an object", self.span_id);
            return Err(StoreError::new(ErrorKind::Invalid, text));
        };
        let before = known.and_then(|known| known.data.members()).unwrap_or_default();
        Ok(DocumentWrite {
            kind: DocumentKind::Correction,
            project: self.project,
            id: self.span_id.to_hex(),
            references: Vec::new(),
            at: self.at,
            data: merge_members(before, changes, true),
            expect: known.map(|known| known.version).or(Some(0)),
        })
    }
}

/// Joins a span with a document of kind [`DocumentKind::Correction`] that names it.
pub fn correct(span: &mut Span, correction: &Document) {
    for (name, value) in correction.data.members().unwrap_or_default() {
        let field = match name.as_str() {
            "inputs" => &mut span.inputs,
            "outputs" => &mut span.outputs,
            "metadata" => &mut span.metadata,
            "metrics" => &mut span.metrics,
            "feedback" => &mut span.feedback,
            "config" => &mut span.config,
            "user_properties" => &mut span.user_properties,
            "error" => {
                let error = error(&value);
                if error.is_some() {
                    span.status = Some(Status::Error);
                }
                span.error = error.or(span.error.take());
                continue;
            }
            _ => continue,
        };
        let before = field.as_ref().and_then(Json::members);
        *field = Some(match (before, value.members()) {
            (Some(before), Some(changes)) => merge_members(before, changes, false),
            _ => value,
        });
    }
}

/// The same of a span as it stands: one that is said to have failed after it ended well has failed.
pub fn correct_stored(stored: &mut StoredSpan, correction: &Document) {
    correct(&mut stored.span, correction);
    if stored.status == TraceStatus::Ok && stored.span.is_error() {
        stored.status = TraceStatus::Error;
    }
}

fn error(value: &Json) -> Option<ErrorInfo> {
    let text: Option<String> = serde_json::from_str(value.as_str()).ok();
    match text {
        Some(message) => Some(ErrorInfo { message, ..ErrorInfo::default() }),
        None => serde_json::from_str(value.as_str()).ok(),
    }
}
