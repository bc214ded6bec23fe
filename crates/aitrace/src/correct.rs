//! Late corrections: what is said about a span, or an event, that has gone out already.
//!
//! They travel as log records `event.updated` with the `event_id` that they are about. Whoever keeps spans
//! joins them: metadata, metrics, feedback, config and user properties are merged key by key, inputs and
//! outputs replaced, an error marks the span.

use aitrace_model::{ErrorInfo, Json, LogRecord, Span, Status};

/// The event of a correction.
pub(crate) const UPDATED: &str = "event.updated";

/// Joins corrections to their spans, in the order in which they were said.
pub(crate) fn apply(spans: &mut [Span], logs: &[LogRecord]) {
    for log in logs.iter().filter(|log| log.event == UPDATED) {
        let members = log.attrs.members().unwrap_or_default();
        let id = members.iter().find(|(key, _)| key == "event_id").map(|(_, id)| id.as_str());
        let is_it = |span: &&mut Span| id.is_some_and(|id| id.trim_matches('"') == span.span_id.to_hex());
        for span in spans.iter_mut().filter(is_it) {
            for (key, value) in &members {
                correct(span, key, value);
            }
        }
    }
}

fn correct(span: &mut Span, key: &str, value: &Json) {
    match key {
        "metadata" => merge(&mut span.metadata, value),
        "metrics" => merge(&mut span.metrics, value),
        "feedback" => merge(&mut span.feedback, value),
        "config" => merge(&mut span.config, value),
        "user_properties" => merge(&mut span.user_properties, value),
        "inputs" => span.inputs = Some(value.clone()),
        "outputs" => span.outputs = Some(value.clone()),
        "error" => {
            let message = serde_json::from_str(value.as_str()).unwrap_or_else(|_| value.as_str().to_owned());
            span.error = Some(ErrorInfo { message, ..ErrorInfo::default() });
            span.status = Some(Status::Error);
        }
        _ => {}
    }
}

fn merge(place: &mut Option<Json>, value: &Json) {
    let mut members = place.as_ref().and_then(Json::members).unwrap_or_default();
    for (key, json) in value.members().unwrap_or_default() {
        match members.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = json,
            None => members.push((key, json)),
        }
    }
    *place = Some(Json::object(members.iter().map(|(key, json)| (key.as_str(), json))));
}

#[cfg(test)]
mod tests {
    use crate::{Enrich, Tracer, testing};

    #[test]
    fn a_correction_reaches_its_span_and_no_other() {
        let (tracer, _clock) = testing::tracer();
        let first = {
            let span = tracer.start_span("first");
            let id = tracer.current_span().expect("recorded").span_id.to_hex();
            tracer.enrich_span(Enrich::new().metric("score", 1).metadata("k", "kept").outputs("old"));
            drop(span);
            id
        };
        drop(tracer.start_span("second"));
        let about = Enrich::new().metric("score", 2).feedback("good", true).outputs("new").error("late");
        assert!(tracer.update_event(&first, about));
        assert!(tracer.update_event("0123456789abcdef", Enrich::new().metric("score", 3)));
        let spans = tracer.spans();
        assert_eq!(spans[0].metrics.as_ref().expect("some").as_str(), r#"{"score":2}"#);
        assert_eq!(spans[0].metadata.as_ref().expect("some").as_str(), r#"{"k":"kept"}"#);
        assert_eq!(spans[0].feedback.as_ref().expect("some").as_str(), r#"{"good":true}"#);
        assert_eq!(spans[0].outputs.as_ref().expect("some").as_str(), r#""new""#);
        assert_eq!(spans[0].error.as_ref().expect("some").message, "late");
        assert_eq!(spans[1].metrics, None);
        assert_eq!(tracer.logs().len(), 2);
        let off = Tracer::builder().target("memory").disabled(true).build();
        assert!(!off.update_event(&first, Enrich::new()));
    }
}
