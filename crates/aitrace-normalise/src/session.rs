//! Sessions, which travel as log records.

use aitrace_model::{Json, LogRecord};

/// What a log record says of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionUpdate {
    /// The session's id.
    pub session_id: String,
    /// Its name, where the record has one.
    pub name: Option<String>,
    /// What the record says of it: an object of inputs, outputs, metadata, … as sent, without id and name.
    pub data: Json,
}

/// The change of a session that a log record `session.started` or `session.updated` stands for;
/// `None` for any other record, and for one that names no session.
pub fn session_update(log: &LogRecord) -> Option<SessionUpdate> {
    if !matches!(log.event.as_str(), "session.started" | "session.updated") {
        return None;
    }
    let mut members = log.attrs.members()?;
    let mut take = |name: &str| {
        let at = members.iter().position(|(key, _)| key == name)?;
        let text = serde_json::from_str::<String>(members[at].1.as_str()).ok()?;
        members.remove(at);
        Some(text)
    };
    let told = take("session_id");
    let session_id = log.session_id.clone().or(told).filter(|id| !id.is_empty())?;
    let name = take("session_name").or_else(|| take("name"));
    let data = Json::object(members.iter().map(|(key, value)| (key.as_str(), value)));
    Some(SessionUpdate { session_id, name, data })
}
