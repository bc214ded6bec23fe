//! Stage: store. In: a normalised batch. Out: nothing, once it is durable.

use aitrace_model::LogRecord;
use aitrace_normalise::{SessionUpdate, session_update};
use aitrace_store::{Batch, SessionPatch};

use crate::app::App;
use crate::error::{ApiError, Result};

/// Stores a batch and what it says about sessions. Sending the same again after an error is harmless.
pub(crate) async fn append(app: &App, batch: Batch) -> Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let patches: Vec<SessionPatch> = batch.logs.iter().filter_map(session_patch).collect();
    app.stores.telemetry.append(batch).await.map_err(|error| ApiError::writing(&error))?;
    for patch in patches {
        app.stores.documents.put_session(patch).await.map_err(|error| ApiError::writing(&error))?;
    }
    Ok(())
}

fn session_patch(log: &LogRecord) -> Option<SessionPatch> {
    let SessionUpdate { session_id, name, data } = session_update(log)?;
    let data = (data.as_str() != "{}").then_some(data);
    Some(SessionPatch { project: log.project.clone(), session_id, name, at: log.time, data })
}

#[cfg(test)]
mod tests {
    use aitrace_model::{Json, Level, Timestamp};

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
    fn other_records_do_not() {
        assert_eq!(session_patch(&log("session.ended", Some("s"), "{}")), None);
        assert_eq!(session_patch(&log("session.started", None, "{}")), None);
        assert_eq!(session_patch(&log("session.started", None, r#"{"session_id":7}"#)), None);
    }
}
