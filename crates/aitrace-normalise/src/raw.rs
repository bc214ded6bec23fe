//! The way back: a span or log record of the model as OTLP says it, to be exported.
//!
//! Whoever reads OTLP finds the attributes as they were received; [`crate::normalise_span`] and
//! [`crate::normalise_log`] read everything back to the letter. That is tried here on the spot, and where it
//! would not hold (spans of trace records, numbers beyond 64 bits, …) the trace record goes along; see `exact`.

use std::sync::Arc;

use aitrace_model::record::{exact_record, log_record};
use aitrace_model::{
    AnyValue, Dropped, Json, Level, LogRecord, RawEvent, RawLog, RawSpan, RawStatus, Resource, Scope, Span,
    SpanKind, Status, Timestamp, key,
};

use crate::{Context, exact, normalise_log, normalise_span, otel};

/// Deepest nesting that OTLP is written with.
const DEPTH: usize = 64;
/// A record that is longer goes alone: what repeats it could make the span longer than readers take.
const LONG: usize = 1 << 20;

/// A span as OTLP says it. `lost` as in [`exact_record`].
pub fn raw_span(span: &Span, lost: bool) -> RawSpan {
    let mut raw = bare(span);
    let fits = fits(span, &raw);
    raw.attributes.push(exact::told(&beside(span, lost)));
    if fits && same(&raw, span) {
        return raw;
    }
    raw.attributes.pop();
    let whole = exact::whole(&exact_record(span, lost));
    if whole.1.as_str().is_some_and(|text| text.len() > LONG) {
        (raw.attributes, raw.events, raw.links) = Default::default();
    } else {
        say_contents(&mut raw.attributes, span);
    }
    raw.attributes.push(whole);
    raw
}

/// A log record as OTLP says it.
pub fn raw_log(log: &LogRecord) -> RawLog {
    let mut raw = bare_log(log);
    let mut beside = vec![("project", Json::string(&log.project)), ("id", Json::string(&log.id))];
    beside.extend(log.session_id.as_ref().map(|session| ("session_id", Json::string(session))));
    let fits =
        log.time.nanos() > 0 && depth_fits(raw.attributes.iter().map(|(_, value)| value).chain([&raw.body]));
    raw.attributes.push(exact::told(&beside));
    if fits && normalise_log(raw.clone(), &elsewhere(log.received)) == *log {
        return raw;
    }
    raw.attributes.pop();
    raw.attributes.push(exact::whole(&log_record(log)));
    raw
}

/// A reader that knows nothing of the project.
fn elsewhere(received: Timestamp) -> Context {
    Context { default_project: "\0".to_owned(), forced_project: None, received }
}

/// Whether a span is read back as it is. How far its life has come is told by its end, and what is lost has heartbeats
/// then.
fn same(raw: &RawSpan, span: &Span) -> bool {
    // Whoever reads it does so after it was priced anew.
    let read = span.repriced.map_or(span.received, |at| at.max(span.received));
    let mut again = normalise_span(raw.clone(), &elsewhere(read));
    if span.end.is_none() && again.end.is_none() {
        again.phase = span.phase;
        again.heartbeats &= span.heartbeats;
    } else {
        again.received = span.received;
    }
    again == *span
}

/// What OTLP has no place for.
fn beside(span: &Span, lost: bool) -> Vec<(&'static str, Json)> {
    let yes = || Json::from_trusted("true");
    let time = |time: Timestamp| Json::string(&time.to_string());
    let mut told = vec![("project", Json::string(&span.project))];
    if let Some(formula) = &span.cost_formula {
        told.extend(
            span.cost.filter(|cost| cost.is_finite()).map(|cost| ("cost", Json::from_value(&cost.into()))),
        );
        told.push(("cost_formula", Json::string(formula)));
    }
    told.extend(span.repriced.map(|at| ("repriced", time(at))));
    if span.heartbeats {
        told.push(("heartbeats", yes()));
    }
    if span.end.is_none() {
        told.push(("heard", time(span.received)));
        told.extend(lost.then(|| ("lost", yes())));
    }
    told
}

fn bare(span: &Span) -> RawSpan {
    let mut raw = RawSpan {
        trace_id: span.trace_id,
        span_id: span.span_id,
        parent_span_id: span.parent_span_id,
        name: span.name.clone(),
        otel_kind: 0,
        trace_state: String::new(),
        start: span.start,
        end: span.end,
        attributes: typed(&span.attributes),
        events: Vec::new(),
        links: Vec::new(),
        status: match (span.status, &span.error) {
            (Some(Status::Ok), _) => RawStatus::Ok,
            (None, None) => RawStatus::Unset,
            (_, error) => {
                RawStatus::Error(error.as_ref().map(|error| error.message.clone()).unwrap_or_default())
            }
        },
        dropped: Dropped::default(),
        flags: 0,
        resource: Arc::new(Resource { attributes: typed(&span.resource), ..Resource::default() }),
        scope: Arc::new(Scope { name: span.scope.clone(), ..Scope::default() }),
    };
    let event = |event: &aitrace_model::SpanEvent| RawEvent {
        time: event.time,
        name: event.name.clone(),
        attributes: typed(&event.attributes),
        dropped_attributes: 0,
    };
    raw.events = span.events.iter().map(event).collect();
    let link = |link: &aitrace_model::SpanLink| {
        aitrace_model::RawLink::new(link.trace_id, link.span_id, typed(&link.attributes))
    };
    raw.links = span.links.iter().map(link).collect();
    if let Some(told) = &span.otel {
        otel::say(told, &mut raw);
    }
    raw
}

fn bare_log(log: &LogRecord) -> RawLog {
    let mut attributes = typed(&log.attrs);
    let (mut body, mut severity_text, mut resource) = (AnyValue::Null, String::new(), Vec::new());
    let mut told = None;
    // A body stands behind the attributes, and behind it what the record says besides.
    if let Some(at) = attributes.iter().position(|(key, _)| key == "body") {
        let rest = &attributes[at + 1..];
        if rest.iter().all(|(key, value)| match key.as_str() {
            "severity_text" | "service.name" => value.as_str().is_some(),
            "otel" => matches!(value, AnyValue::Map(_)),
            _ => false,
        }) {
            for (key, value) in attributes.drain(at + 1..) {
                match value {
                    AnyValue::String(text) if key == "severity_text" => severity_text = text,
                    AnyValue::Map(_) => told = Some(value.to_json()),
                    value => resource.push((key, value)),
                }
            }
            body = attributes.pop().map_or(AnyValue::Null, |(_, value)| value);
        }
    }
    let mut raw = RawLog {
        trace_id: log.trace_id,
        span_id: log.span_id,
        time: Some(log.time),
        observed: None,
        severity: match log.level {
            Level::Debug => 5,
            Level::Info => 9,
            Level::Warning => 13,
            Level::Error => 17,
        },
        severity_text,
        event_name: log.event.clone(),
        body,
        attributes,
        dropped_attributes: 0,
        flags: 0,
        resource: Arc::new(Resource { attributes: resource, ..Resource::default() }),
        scope: Arc::new(Scope { name: log.logger.clone().unwrap_or_default(), ..Scope::default() }),
    };
    if let Some(told) = told {
        otel::say_log(&told, &mut raw);
    }
    raw
}

/// The members of an object as attributes.
fn typed(object: &Json) -> Vec<(String, AnyValue)> {
    let members = object.members().unwrap_or_default();
    members.into_iter().map(|(key, value)| (key, AnyValue::from_json(&value))).collect()
}

/// What trace records say beside the attributes, in the words of the dialects that most readers know.
fn say_contents(attributes: &mut Vec<(String, AnyValue)>, span: &Span) {
    let mut say = |key: &str, value: AnyValue| {
        if attributes.iter().all(|(known, _)| known != key) {
            attributes.push((key.to_owned(), value));
        }
    };
    let contents = [
        (key::INPUT_VALUE, &span.inputs),
        (key::OUTPUT_VALUE, &span.outputs),
        (key::METADATA, &span.metadata),
        (key::METRICS, &span.metrics),
        (key::FEEDBACK, &span.feedback),
        (key::CONFIG, &span.config),
        (key::USER_PROPERTIES, &span.user_properties),
    ];
    for (key, value) in contents {
        let text =
            |json: &Json| serde_json::from_str(json.as_str()).unwrap_or_else(|_| json.as_str().to_owned());
        if let Some(value) = value {
            say(key, AnyValue::String(text(value)));
        }
    }
    if span.kind != SpanKind::Span {
        say("openinference.span.kind", AnyValue::String(span.kind.as_str().to_ascii_uppercase()));
    }
    let words = [
        (key::SESSION_ID, &span.session_id),
        (key::USER_ID, &span.user_id),
        ("llm.model_name", &span.model),
        ("llm.provider", &span.provider),
    ];
    for (key, word) in words {
        if let Some(word) = word {
            say(key, AnyValue::from(word.as_str()));
        }
    }
    let counts =
        [("llm.token_count.prompt", span.input_tokens), ("llm.token_count.completion", span.output_tokens)];
    for (key, count) in counts {
        if let Some(count) = count.and_then(|count| i64::try_from(count).ok()) {
            say(key, AnyValue::Int(count));
        }
    }
}

/// Whether OTLP can say the times and the depth.
fn fits(span: &Span, raw: &RawSpan) -> bool {
    let times = span.events.iter().map(|event| event.time).chain([span.start]);
    let (mut times, scope) = (times, raw.scope.attributes.iter());
    let lists = raw.events.iter().flat_map(|event| &event.attributes);
    let lists = lists.chain(raw.links.iter().flat_map(|link| &link.attributes));
    let values = raw.attributes.iter().chain(&raw.resource.attributes).chain(scope).chain(lists);
    times.all(|time| time.nanos() >= 0)
        && span.end.is_none_or(|end| end.nanos() > 0)
        && depth_fits(values.map(|(_, value)| value))
}

fn depth_fits<'a>(mut values: impl Iterator<Item = &'a AnyValue>) -> bool {
    fn within(value: &AnyValue, left: usize) -> bool {
        left > 0
            && match value {
                AnyValue::Array(values) => values.iter().all(|value| within(value, left - 1)),
                AnyValue::Map(members) => members.iter().all(|(_, value)| within(value, left - 1)),
                _ => true,
            }
    }
    values.all(|value| within(value, DEPTH))
}
