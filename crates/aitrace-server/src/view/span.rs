//! `S`, a span.

use aitrace_model::{Span, SpanEvent, SpanLink, Timestamp, TraceStatus};
use aitrace_store::StoredSpan;

use super::object::{Object, push_array};

/// Where a span stands in its trace's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// 0 on a root.
    pub(crate) depth: u32,
    pub(crate) has_children: bool,
}

/// Appends `S`.
pub(crate) fn span(out: &mut String, stored: &StoredSpan, place: Place) {
    let span = &stored.span;
    let mut object = Object::begin(out);
    object.plain("trace_id", span.trace_id);
    object.plain("span_id", span.span_id);
    object.maybe_plain("parent_span_id", span.parent_span_id);
    object.text("name", &span.name);
    object.plain("kind", span.kind);
    object.plain("event_type", span.event_type);
    // One that ended well may have been said to have failed afterwards.
    let corrected = stored.status == TraceStatus::Ok && stored.span.is_error();
    object.plain("status", if corrected { TraceStatus::Error } else { stored.status });
    error(&mut object, span);
    object.plain("start_ns", span.start.nanos());
    object.maybe_plain("end_ns", span.end.map(Timestamp::nanos));
    identity(&mut object, span);
    usage(&mut object, span);
    contents(&mut object, span);
    object.code(span.code.as_ref());
    push_array(object.key("events"), &span.events, event);
    push_array(object.key("links"), &span.links, link);
    object.maybe_json("otel", span.otel.as_ref());
    object.count("depth", u64::from(place.depth));
    object.flag("has_children", place.has_children);
    object.end();
}

fn error(object: &mut Object<'_>, span: &Span) {
    let Some(error) = &span.error else { return object.null("error") };
    let mut inner = Object::begin(object.key("error"));
    inner.text("type", &error.kind);
    inner.text("message", &error.message);
    inner.text("stacktrace", &error.stacktrace);
    inner.end();
}

fn identity(object: &mut Object<'_>, span: &Span) {
    object.text("project", &span.project);
    for (key, value) in [
        ("source", &span.source),
        ("service", &span.service),
        ("session_id", &span.session_id),
        ("user_id", &span.user_id),
        ("run_id", &span.run_id),
        ("dataset_id", &span.dataset_id),
        ("datapoint_id", &span.datapoint_id),
    ] {
        object.maybe_text(key, value.as_deref());
    }
}

fn usage(object: &mut Object<'_>, span: &Span) {
    object.maybe_text("provider", span.provider.as_deref());
    object.maybe_text("model", span.model.as_deref());
    object.maybe_count("input_tokens", span.input_tokens);
    object.maybe_count("output_tokens", span.output_tokens);
    object.maybe_double("cost", span.cost);
    object.maybe_text("cost_formula", span.cost_formula.as_deref());
    object.maybe_count("cache_read_tokens", span.cache_read_tokens);
    object.maybe_count("cache_write_tokens", span.cache_write_tokens);
    object.maybe_count("reasoning_tokens", span.reasoning_tokens);
}

fn contents(object: &mut Object<'_>, span: &Span) {
    for (key, value) in [
        ("inputs", &span.inputs),
        ("outputs", &span.outputs),
        ("metadata", &span.metadata),
        ("metrics", &span.metrics),
        ("feedback", &span.feedback),
        ("config", &span.config),
        ("user_properties", &span.user_properties),
    ] {
        object.maybe_json(key, value.as_ref());
    }
    object.json("attributes", &span.attributes);
}

fn event(out: &mut String, event: &SpanEvent) {
    let mut object = Object::begin(out);
    object.text("name", &event.name);
    object.plain("time_ns", event.time.nanos());
    object.json("attributes", &event.attributes);
    object.end();
}

fn link(out: &mut String, link: &SpanLink) {
    let mut object = Object::begin(out);
    object.plain("trace_id", link.trace_id);
    object.plain("span_id", link.span_id);
    object.json("attributes", &link.attributes);
    object.end();
}

#[cfg(test)]
mod tests {
    use aitrace_model::{ErrorInfo, Json, SpanId, TraceId, TraceStatus};
    use serde_json::{Value, json};

    use super::*;

    fn bare() -> Span {
        let trace_id = TraceId::from_bytes([1; 16]).unwrap();
        let span_id = SpanId::from_bytes([2; 8]).unwrap();
        Span::new("p", trace_id, span_id, "work", Timestamp::from_nanos(1_772_323_199_999_999_001))
    }

    fn read(span_: Span, status: TraceStatus) -> Value {
        let mut out = String::new();
        span(&mut out, &StoredSpan { span: span_, status }, Place { depth: 2, has_children: true });
        serde_json::from_str(&out).unwrap()
    }

    /// Every field of the contract, in its order, and ours among them: tokens of the cache and of reasoning, `otel`.
    const FIELDS: &str = "trace_id, span_id, parent_span_id, name, kind, event_type, status, error, start_ns, \
        end_ns, project, source, service, session_id, user_id, run_id, dataset_id, datapoint_id, provider, model, \
        input_tokens, output_tokens, cost, cost_formula, cache_read_tokens, cache_write_tokens, reasoning_tokens, inputs, outputs, metadata, metrics, feedback, config, user_properties, \
        attributes, code, events, links, otel, depth, has_children";

    #[test]
    fn a_span_has_the_fields_of_the_contract() {
        let value = read(bare(), TraceStatus::Running);
        let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys.join(", "), FIELDS);
        assert_eq!(value["start_ns"], "1772323199999999001");
        assert_eq!(value["end_ns"], Value::Null);
        assert_eq!(value["status"], "running");
        assert_eq!((&value["depth"], &value["has_children"]), (&json!(2), &json!(true)));
        assert_eq!(value["attributes"], json!({}));
    }

    #[test]
    fn user_data_comes_out_as_it_was_but_for_numbers_that_javascript_cannot_read() {
        let mut span = bare();
        span.inputs = Some(Json::from_trusted(r#"{"z":1,"a":[9007199254740993,1.50]}"#));
        span.cost = Some(f64::NAN);
        span.input_tokens = Some(1 << 53);
        span.output_tokens = Some((1 << 53) + 1);
        span.error = Some(ErrorInfo {
            kind: "E".to_owned(),
            message: "\u{1b}[31m".to_owned(),
            stacktrace: String::new(),
        });
        span.events.push(SpanEvent {
            time: Timestamp::from_nanos(-5),
            name: "e".to_owned(),
            attributes: Json::from_trusted("{}"),
        });
        span.links.push(SpanLink {
            trace_id: span.trace_id,
            span_id: span.span_id,
            attributes: Json::from_trusted(r#"{"k":1}"#),
        });
        let value = read(span, TraceStatus::Error);
        assert_eq!(value["inputs"].to_string(), r#"{"z":1,"a":["9007199254740993",1.5]}"#);
        assert_eq!(value["cost"], Value::Null);
        assert_eq!(value["input_tokens"], json!(9_007_199_254_740_992_u64));
        assert_eq!(value["output_tokens"], "9007199254740993");
        assert_eq!(value["error"]["message"], "\u{1b}[31m");
        assert_eq!(value["events"], json!([{"name": "e", "time_ns": "-5", "attributes": {}}]));
        assert_eq!(value["links"][0]["attributes"], json!({"k": 1}));
    }
}
