//! Stage: store. In: a normalised batch. Out: nothing, once it is durable.

use std::collections::BTreeMap;

use aitrace_model::{Json, LogRecord};
use aitrace_normalise::{SessionUpdate, contents_message, session_update};
use aitrace_store::{Batch, Correction, SessionPatch};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::app::App;
use crate::documents;
use crate::error::{ApiError, Result};

/// Corrections that are written at once; those of one span come one after the other.
const AT_ONCE: usize = 32;

/// Stores a batch and what it says about sessions and earlier spans. Sending the same again after an error is
/// harmless.
pub(crate) async fn append(app: &App, mut batch: Batch) -> Result<()> {
    let documents = documents::take(&mut batch);
    // Before and after what is said step by step: whatever the order was, this is where it ends.
    documents::put(app, &documents).await?;
    if batch.is_empty() {
        return Ok(());
    }
    let patches: Vec<SessionPatch> = batch.logs.iter().filter_map(session_patch).collect();
    let mut corrections: BTreeMap<_, Vec<Correction>> = BTreeMap::new();
    for correction in batch.logs.iter().filter_map(correction) {
        corrections.entry((correction.project.clone(), correction.span_id)).or_default().push(correction);
    }
    let (spans, logs) = (batch.spans.len(), batch.logs.len());
    batch.spans.extend(batch.logs.iter().filter_map(contents_message));
    app.stores.telemetry.append(batch).await.map_err(|error| ApiError::writing(&error))?;
    for patch in patches {
        app.stores.documents.put_session(patch).await.map_err(|error| ApiError::writing(&error))?;
    }
    let write = |of_span: Vec<Correction>| async move {
        for correction in of_span {
            let written = app.stores.documents.put_correction(correction).await;
            written.map_err(|error| ApiError::writing(&error))?;
        }
        Ok::<_, ApiError>(())
    };
    let all = stream::iter(corrections.into_values()).map(write).buffer_unordered(AT_ONCE);
    all.try_collect::<()>().await?;
    documents::put(app, &documents).await?;
    app.metrics.ingested(spans, logs);
    Ok(())
}

/// What a record `event.updated` says of the span that its `event_id` names; `None` for any other record, and for
/// one that names no span.
fn correction(log: &LogRecord) -> Option<Correction> {
    if log.event != "event.updated" {
        return None;
    }
    let mut members = log.attrs.members()?;
    let at = members.iter().position(|(key, _)| key == "event_id")?;
    let id: String = serde_json::from_str(members.remove(at).1.as_str()).ok()?;
    let data = Json::object(members.iter().map(|(key, value)| (key.as_str(), value)));
    Some(Correction { project: log.project.clone(), span_id: id.parse().ok()?, at: log.time, data })
}

fn session_patch(log: &LogRecord) -> Option<SessionPatch> {
    let SessionUpdate { session_id, name, data } = session_update(log)?;
    let data = (data.as_str() != "{}").then_some(data);
    Some(SessionPatch { project: log.project.clone(), session_id, name, at: log.time, data })
}

#[cfg(test)]
mod tests {
    use aitrace_model::{Level, Timestamp};

    use super::*;

    fn log(event: &str, session_id: Option<&str>, attrs: &str) -> LogRecord {
        LogRecord {
            project: "p".to_owned(),
            id: "1".to_owned(),
            trace_id: None,
            span_id: None,
            time: Timestamp::from_nanos(5),
            event: event.to_owned(),
            level: Level::Info,
            logger: None,
            code: None,
            session_id: session_id.map(str::to_owned),
            attrs: Json::from_trusted(attrs.to_owned()),
            received: Timestamp::from_nanos(6),
        }
    }

    #[test]
    fn session_records_become_patches() {
        let patch = session_patch(&log(
            "session.started",
            Some("s"),
            r#"{"session_name":"demo","metadata":{"a":1}}"#,
        ));
        let expected = SessionPatch {
            project: "p".to_owned(),
            session_id: "s".to_owned(),
            name: Some("demo".to_owned()),
            at: Timestamp::from_nanos(5),
            data: Some(Json::from_trusted(r#"{"metadata":{"a":1}}"#)),
        };
        assert_eq!(patch, Some(expected));
        let updated = session_patch(&log("session.updated", None, r#"{"session_id":"t"}"#)).unwrap();
        assert_eq!((updated.session_id.as_str(), updated.name, updated.data), ("t", None, None));
    }

    #[test]
    fn updates_of_events_become_corrections() {
        let told = r#"{"event_id":"00f067aa0ba902b7","metrics":{"score":0.50}}"#;
        let found = correction(&log("event.updated", None, told)).unwrap();
        assert_eq!((found.project.as_str(), found.span_id.to_hex().as_str()), ("p", "00f067aa0ba902b7"));
        assert_eq!(found.data.as_str(), r#"{"metrics":{"score":0.50}}"#);
        for other in [r#"{"event_id":"no span"}"#, r#"{"event_id":7}"#, "{}"] {
            assert_eq!(correction(&log("event.updated", None, other)), None, "{other}");
        }
        assert_eq!(correction(&log("event.created", None, told)), None);
    }

    #[test]
    fn other_records_do_not() {
        assert_eq!(session_patch(&log("session.ended", Some("s"), "{}")), None);
        assert_eq!(session_patch(&log("session.started", None, "{}")), None);
        assert_eq!(session_patch(&log("session.started", None, r#"{"session_id":7}"#)), None);
    }
}
