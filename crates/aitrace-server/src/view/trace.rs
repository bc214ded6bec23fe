//! `T`, a line of the list of traces, and its page.

use aitrace_model::TraceSummary;
use aitrace_store::TracePage;

use super::object::{Object, push_array, push_string};

/// Appends `T`.
pub(crate) fn summary(out: &mut String, trace: &TraceSummary) {
    let mut object = Object::begin(out);
    object.plain("trace_id", trace.trace_id);
    object.text("name", &trace.name);
    object.text("project", &trace.project);
    object.maybe_text("session_id", trace.session_id.as_deref());
    object.plain("start_ts", trace.start);
    object.maybe_plain("end_ts", trace.end);
    let duration = trace.end.map(|end| end.since(trace.start).max(0) as f64 / 1e6);
    object.maybe_double("duration_ms", duration);
    object.plain("status", trace.status);
    object.count("spans", trace.spans);
    object.count("events", trace.events);
    object.count("errors", trace.errors);
    object.maybe_count("input_tokens", trace.input_tokens);
    object.maybe_count("output_tokens", trace.output_tokens);
    object.maybe_double("cost", trace.cost);
    object.end();
}

/// `{"traces": […], "next": …}`.
pub(crate) fn page(page: &TracePage) -> String {
    let mut out = String::with_capacity(64 + page.traces.len() * 384);
    let mut object = Object::begin(&mut out);
    push_array(object.key("traces"), &page.traces, summary);
    object.maybe_text("next", page.next.as_ref().map(ToString::to_string).as_deref());
    object.end();
    out
}

/// `{"projects": […]}`.
pub(crate) fn projects(names: &[String]) -> String {
    let mut out = String::new();
    let mut object = Object::begin(&mut out);
    push_array(object.key("projects"), names, |out, name| push_string(out, name));
    object.end();
    out
}

#[cfg(test)]
mod tests {
    use aitrace_model::{Timestamp, TraceId, TraceStatus};
    use aitrace_store::Cursor;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_page_is_as_the_contract_says() {
        let trace_id = TraceId::from_bytes([1; 16]).unwrap();
        let line = TraceSummary {
            project: "p\"q".to_owned(),
            trace_id,
            name: "a\nb".to_owned(),
            session_id: None,
            start: Timestamp::from_nanos(1_500_000),
            end: Some(Timestamp::from_nanos(3_000_000)),
            status: TraceStatus::Ok,
            spans: 3,
            events: 1,
            errors: 0,
            input_tokens: Some(u64::MAX),
            output_tokens: Some(7),
            cost: Some(0.25),
        };
        let next = Cursor { start: line.start, trace_id, project: "p".to_owned() };
        let text = page(&TracePage { traces: vec![line.clone(), line], next: Some(next) });
        let read: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({
            "trace_id": "01010101010101010101010101010101", "name": "a\nb", "project": "p\"q", "session_id": null,
            "start_ts": "1970-01-01T00:00:00.001500Z", "end_ts": "1970-01-01T00:00:00.003000Z",
            "duration_ms": 1.5, "status": "ok", "spans": 3, "events": 1, "errors": 0,
            "input_tokens": "18446744073709551615", "output_tokens": 7, "cost": 0.25,
        });
        assert_eq!(read["traces"], json!([expected, expected]));
        assert_eq!(read["next"], "1500000.01010101010101010101010101010101.p");
        assert_eq!(page(&TracePage::default()), r#"{"traces":[],"next":null}"#);
        assert_eq!(projects(&["a\\".to_owned()]), r#"{"projects":["a\\"]}"#);
    }
}
