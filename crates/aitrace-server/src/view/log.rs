//! `L`, a log record.

use aitrace_model::LogRecord;

use super::object::Object;

/// Appends `L`. Beside the contract's fields stand `id`, so that a reader that gets a record twice can
/// tell, and `project` and `session_id`, since one stream may carry several.
pub(crate) fn log(out: &mut String, log: &LogRecord) {
    let mut object = Object::begin(out);
    object.text("id", &log.id);
    object.text("project", &log.project);
    object.maybe_text("session_id", log.session_id.as_deref());
    object.maybe_plain("trace_id", log.trace_id);
    object.maybe_plain("span_id", log.span_id);
    object.plain("ts", log.time);
    object.text("event", &log.event);
    object.plain("level", log.level);
    object.maybe_text("logger", log.logger.as_deref());
    object.code(log.code.as_ref());
    object.json("attrs", &log.attrs);
    object.end();
}

#[cfg(test)]
mod tests {
    use aitrace_model::{CodeLocation, Json, Level, Timestamp};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_log_is_as_the_contract_says() {
        let record = LogRecord {
            project: "p".to_owned(),
            id: "1\u{7}".to_owned(),
            trace_id: None,
            span_id: None,
            time: Timestamp::from_nanos(0),
            event: "order.placed".to_owned(),
            level: Level::Warning,
            logger: None,
            code: Some(CodeLocation { file: "a.py".to_owned(), line: 3, function: String::new() }),
            session_id: None,
            attrs: Json::from_trusted(r#"{"order":9007199254740993}"#),
            received: Timestamp::from_nanos(0),
        };
        let mut out = String::new();
        log(&mut out, &record);
        let read: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            read,
            json!({
                "id": "1\u{7}", "project": "p", "session_id": null, "trace_id": null, "span_id": null, "ts": "1970-01-01T00:00:00.000000Z",
                "event": "order.placed", "level": "warning", "logger": null,
                "code": {"file": "a.py", "line": 3, "function": ""}, "attrs": {"order": "9007199254740993"},
            })
        );
    }
}
