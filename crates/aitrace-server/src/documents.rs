//! Sessions, late corrections and scores as log records: how they travel in an export, and what becomes of them here.
//!
//! The event is `aitrace.document`; the data are `kind`, `id`, `created`, `updated` and, as the store keeps it, `data` (of a
//! session `name` too). A reader that does not know it has a log record; this server has the document again, and no log record.

use aitrace_model::{Json, Level, LogRecord, Timestamp};
use aitrace_store::{
    Batch, Correction, Document, DocumentKind, DocumentWrite, Record as _, Score, Session, SessionPatch,
};
use serde::Deserialize;

use crate::app::App;
use crate::error::{ApiError, Result};

const EVENT: &str = "aitrace.document";
const SESSION: &str = "session";

/// Kinds of documents that are exported, those that log records change the last. Keys never are.
pub(crate) const KINDS: [DocumentKind; 2] = [DocumentKind::Score, DocumentKind::Correction];
/// The number of the first kind that log records change.
pub(crate) const CHANGED: usize = 1;

/// A document to be written.
#[derive(Clone)]
pub(crate) enum Write {
    Session(SessionPatch),
    Document(DocumentWrite),
}

#[derive(Deserialize)]
struct Told {
    kind: String,
    id: String,
    created: Timestamp,
    updated: Timestamp,
    name: Option<String>,
    data: Json,
}

pub(crate) fn log_of_session(session: &Session) -> LogRecord {
    let name = session.name.as_deref().map(Json::string);
    let Session { project, session_id, started, updated, data, .. } = session;
    log(project, SESSION, session_id, (*started, *updated), data, name.as_ref())
}

pub(crate) fn log_of(document: &Document) -> LogRecord {
    let times = (document.created, document.updated);
    log(&document.project, document.kind.as_str(), &document.id, times, &document.data, None)
}

fn log(
    project: &str,
    kind: &str,
    id: &str,
    (created, updated): (Timestamp, Timestamp),
    data: &Json,
    name: Option<&Json>,
) -> LogRecord {
    let text = Json::string;
    let (created, at) = (text(&created.to_string()), text(&updated.to_string()));
    let (kind_text, id_text) = (text(kind), text(id));
    let mut members =
        vec![("kind", &kind_text), ("id", &id_text), ("created", &created), ("updated", &at), ("data", data)];
    members.extend(name.map(|name| ("name", name)));
    LogRecord {
        project: project.to_owned(),
        id: format!("{EVENT}-{kind}-{id}"),
        trace_id: None,
        span_id: None,
        time: updated,
        event: EVENT.to_owned(),
        level: Level::Info,
        logger: None,
        code: None,
        session_id: None,
        attrs: Json::object(members),
        received: updated,
    }
}

/// Takes the documents out of a batch. What is not of their form stays a log record.
pub(crate) fn take(batch: &mut Batch) -> Vec<Write> {
    if batch.logs.iter().all(|log| log.event != EVENT) {
        return Vec::new();
    }
    let mut writes = Vec::new();
    batch.logs.retain(|log| match writes_of(log) {
        Some(more) => {
            writes.extend(more);
            false
        }
        None => true,
    });
    writes
}

/// What brings a document to where it was: it was made at one time and changed last at another.
fn writes_of(log: &LogRecord) -> Option<Vec<Write>> {
    if log.event != EVENT {
        return None;
    }
    let told: Told = serde_json::from_str(log.attrs.as_str()).ok()?;
    let Told { kind, id, created, updated, name, data } = told;
    data.members()?;
    let project = log.project.clone();
    let times = if created == updated { vec![created] } else { vec![created, updated] };
    if kind == SESSION {
        let data = Some(data).filter(|data| data.as_str() != "{}");
        let patch = |at| SessionPatch {
            project: project.clone(),
            session_id: id.clone(),
            name: name.clone(),
            at,
            data: data.clone(),
        };
        return Some(times.into_iter().map(patch).map(Write::Session).collect());
    }
    let write = |at| match DocumentKind::from_word(&kind)? {
        DocumentKind::Correction => {
            let correction =
                Correction { project: project.clone(), span_id: id.parse().ok()?, at, data: data.clone() };
            // In the place of what is there, whatever that is.
            Some(DocumentWrite { expect: None, ..correction.write(None).ok()? })
        }
        DocumentKind::Score => {
            let mut score: Score = serde_json::from_str(data.as_str()).ok()?;
            (score.project, score.id) = (project.clone(), id.clone());
            score.write(at).ok()
        }
        _ => None,
    };
    let writes: Option<Vec<DocumentWrite>> = times.into_iter().map(write).collect();
    Some(writes?.into_iter().map(Write::Document).collect())
}

/// Writes documents, one after the other.
pub(crate) async fn put(app: &App, writes: &[Write]) -> Result<()> {
    let documents = &app.stores.documents;
    for write in writes {
        let written = match write.clone() {
            Write::Session(patch) => documents.put_session(patch).await.map(drop),
            Write::Document(write) => documents.put_documents(vec![write]).await.map(drop),
        };
        written.map_err(|error| ApiError::writing(&error))?;
    }
    Ok(())
}
