//! The metadata of a run's records.

use serde_json::{Map, Value, json};

use aitrace_model::Timestamp;

pub(crate) const META_KEY: &str = "__tracer_meta__";

/// One log record as a line of JSON with its line end: the user's data at the top, then the metadata.
pub(crate) fn line(
    time: Timestamp,
    run_id: &str,
    event: &str,
    data: Map<String, Value>,
    more: &[(&str, &str)],
) -> String {
    let mut meta = json!({
        "timestamp": time.to_string(),
        "event": event,
        "level": "info",
        "version": "2.1",
        "id": random_id(),
        "lifecycle": "log",
        "run_id": run_id,
    });
    for (key, value) in more {
        meta[*key] = Value::from(*value);
    }
    let mut record = data;
    record.insert(META_KEY.to_owned(), meta);
    let mut line = Value::Object(record).to_string();
    line.push('\n');
    line
}

/// 32 hex digits. Without a source of randomness: zeros; the record is then known by its bytes.
fn random_id() -> String {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        bytes = [0; 16];
    }
    format!("{:032x}", u128::from_be_bytes(bytes))
}
