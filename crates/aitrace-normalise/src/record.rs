//! Trace records.

use aitrace_model::record::{Meta, Record, Role};
use aitrace_model::{
    AnyValue, CodeLocation, Json, Level, LogRecord, Phase, Span, SpanEvent, SpanId, SpanKind, SpanLink,
    Timestamp, TraceId,
};
use serde::Deserialize;

use crate::draft::Draft;
use crate::span::{describe, empty};
use crate::{Context, Message, dialect, kind};

/// A record as the model has it: a span's start or end, or a log record.
///
/// An end that only its suffix tells comes out as a span's end with the log record that it otherwise
/// is ([`Span::tentative`]).
pub fn normalise_record(record: Record, context: &Context) -> Message {
    match record.role() {
        Role::Log => Message::Log(Box::new(log_record(record, context))),
        Role::Start(name) => {
            let name = name.to_owned();
            Message::Span(Box::new(span(record, &name, Phase::Start, context)))
        }
        Role::End(name) => {
            let name = name.to_owned();
            Message::Span(Box::new(span(record, &name, Phase::End, context)))
        }
        Role::TentativeEnd(name) => {
            let name = name.to_owned();
            let log = log_record(record.clone(), context);
            let mut span = span(record, &name, Phase::End, context);
            span.tentative = Some(Box::new(log));
            Message::Span(Box::new(span))
        }
    }
}

fn log_record(record: Record, context: &Context) -> LogRecord {
    let Record { meta, data } = record;
    LogRecord {
        project: context.project(meta.project.as_deref()),
        code: code(&meta),
        id: meta.id.unwrap_or_default(),
        trace_id: meta.trace_id,
        span_id: meta.span_id,
        time: meta.timestamp,
        event: meta.event,
        level: meta.level.unwrap_or(Level::Info),
        logger: meta.logger,
        session_id: meta.session_id,
        attrs: Json::object(data.iter().map(|(key, value)| (key.as_str(), value))),
        received: context.received,
    }
}

fn span(record: Record, name: &str, phase: Phase, context: &Context) -> Span {
    let Record { meta, data } = record;
    // The role of the record says that both are there.
    let ids = meta.trace_id.zip(meta.span_id);
    let (trace_id, span_id) = ids.expect("a record about a span has both ids");
    // An exported record says all there is to say of its span: nothing is concluded from its attributes.
    let exact = meta.extra.iter().any(|(key, _)| key == RECEIVED);
    let mut parts = Parts::default();
    parts.sort(data, meta.version.is_some());
    let known: Vec<(String, AnyValue)> =
        parts.attributes.iter().filter(|(key, _)| dialect::knows(key)).filter_map(typed).collect();
    let mut draft = Draft::default();
    dialect::read(&mut draft, &known);
    let mut span =
        Span::new(&context.project(meta.project.as_deref()), trace_id, span_id, name, meta.timestamp);
    if !exact {
        describe(&mut span, &draft);
    }
    span.phase = phase;
    if phase == Phase::End {
        let least = if exact { i64::MIN + 1 } else { 0 };
        span.start = meta.timestamp.saturating_add(-meta.duration_ns.unwrap_or(0).max(least));
        span.end = Some(meta.timestamp);
    }
    span.parent_span_id = meta.parent_span_id;
    span.received = context.received;
    parts.fill(&mut span);
    let kind_told = draft.kind.is_some();
    fill_from_meta(&mut span, meta, kind_told);
    span
}

/// Key of the metadata of an exported record that holds attributes as received.
const RECEIVED: &str = "received_attributes";

fn typed((key, value): &(String, Json)) -> Option<(String, AnyValue)> {
    Some((key.clone(), AnyValue::from(&value.to_value()?)))
}

/// The user's side of a span's record, sorted.
#[derive(Default)]
struct Parts {
    attributes: Vec<(String, Json)>,
    contents: Vec<(String, Json)>,
    events: Vec<SpanEvent>,
    links: Vec<SpanLink>,
}

const CONTENTS: [&str; 7] =
    ["inputs", "outputs", "metadata", "metrics", "feedback", "config", "user_properties"];

impl Parts {
    /// What stands in `attributes` counts as the span's; everything else at the top level is kept
    /// beside it. `events` and `links` have their meaning since 2.1, where they have the right form.
    fn sort(&mut self, data: Vec<(String, Json)>, since_2_1: bool) {
        let mut beside = Vec::new();
        for (key, value) in data {
            match key.as_str() {
                "attributes" if let Some(members) = value.members() => {
                    for (key, value) in members {
                        let content = CONTENTS.contains(&key.as_str());
                        if content { &mut self.contents } else { &mut self.attributes }.push((key, value));
                    }
                }
                "events"
                    if since_2_1 && let Ok(events) = serde_json::from_str::<Vec<Event>>(value.as_str()) =>
                {
                    self.events = events.into_iter().map(SpanEvent::from).collect();
                }
                "links" if since_2_1 && let Ok(links) = serde_json::from_str::<Vec<Link>>(value.as_str()) => {
                    self.links = links.into_iter().map(SpanLink::from).collect();
                }
                _ => beside.push((key, value)),
            }
        }
        beside.retain(|(key, _)| self.attributes.iter().all(|(known, _)| known != key));
        self.attributes.append(&mut beside);
    }

    fn fill(self, span: &mut Span) {
        for (key, value) in self.contents {
            let slot = match key.as_str() {
                "inputs" => &mut span.inputs,
                "outputs" => &mut span.outputs,
                "metadata" => &mut span.metadata,
                "metrics" => &mut span.metrics,
                "feedback" => &mut span.feedback,
                "config" => &mut span.config,
                _ => &mut span.user_properties,
            };
            *slot = Some(value);
        }
        span.attributes = Json::object(self.attributes.iter().map(|(key, value)| (key.as_str(), value)));
        span.events = self.events;
        span.links = self.links;
    }
}

/// An event as records have it.
#[derive(Deserialize)]
struct Event {
    timestamp: Timestamp,
    name: String,
    #[serde(default = "empty")]
    attributes: Json,
}

impl From<Event> for SpanEvent {
    fn from(event: Event) -> Self {
        Self { time: event.timestamp, name: event.name, attributes: event.attributes }
    }
}

/// A link as records have it.
#[derive(Deserialize)]
struct Link {
    trace_id: TraceId,
    span_id: SpanId,
    #[serde(default = "empty")]
    attributes: Json,
}

impl From<Link> for SpanLink {
    fn from(link: Link) -> Self {
        Self { trace_id: link.trace_id, span_id: link.span_id, attributes: link.attributes }
    }
}

/// What the metadata say counts before what the attributes do.
fn fill_from_meta(span: &mut Span, meta: Meta, kind_told: bool) {
    if let Some(event_type) = meta.event_type {
        span.event_type = event_type;
        if !kind_told {
            span.kind = kind::of_event_type(event_type);
        }
    }
    span.status = meta.status;
    span.code = code(&meta).or(span.code.take());
    set(&mut span.error, meta.error);
    set(&mut span.source, meta.source);
    set(&mut span.service, meta.service);
    set(&mut span.session_id, meta.session_id);
    set(&mut span.run_id, meta.run_id);
    set(&mut span.dataset_id, meta.dataset_id);
    set(&mut span.datapoint_id, meta.datapoint_id);
    for (key, value) in &meta.extra {
        fill_from_extra(span, key, value);
    }
}

/// The keys that we write beyond the format's table.
pub(crate) fn fill_from_extra(span: &mut Span, key: &str, value: &Json) {
    let word = || serde_json::from_str::<String>(value.as_str()).ok();
    match key {
        "kind" => span.kind = word().and_then(|word| SpanKind::from_word(&word)).unwrap_or(span.kind),
        "user_id" => set(&mut span.user_id, word()),
        "provider" => set(&mut span.provider, word()),
        "model" => set(&mut span.model, word()),
        "input_tokens" => set(&mut span.input_tokens, value.as_str().parse().ok()),
        "output_tokens" => set(&mut span.output_tokens, value.as_str().parse().ok()),
        "cache_read_tokens" => set(&mut span.cache_read_tokens, value.as_str().parse().ok()),
        "cache_write_tokens" => set(&mut span.cache_write_tokens, value.as_str().parse().ok()),
        "reasoning_tokens" => set(&mut span.reasoning_tokens, value.as_str().parse().ok()),
        "cost" => set(&mut span.cost, value.as_str().parse().ok().filter(|cost: &f64| cost.is_finite())),
        "scope" => span.scope = word().unwrap_or_default(),
        "otel" if value.as_str().starts_with('{') => span.otel = Some(value.clone()),
        "resource" if value.as_str().starts_with('{') => span.resource = value.clone(),
        "cost_formula" => set(&mut span.cost_formula, word()),
        // Not after now: what is priced anew later must outrank it.
        "repriced" => {
            let told = word().and_then(|time| time.parse::<Timestamp>().ok());
            set(&mut span.repriced, told.map(|at| at.min(span.received)));
        }
        "heartbeats" => span.heartbeats |= value.as_str() == "true",
        // It is lost at once where it was lost, whether or not its sender had heartbeats.
        "lost" if span.end.is_none() => span.heartbeats |= value.as_str() == "true",
        "heard" if span.end.is_none() => {
            let heard = word().and_then(|time| time.parse::<Timestamp>().ok());
            span.received = heard.map_or(span.received, |heard| heard.clamp(earliest(span), span.received));
        }
        RECEIVED if value.as_str().starts_with('{') => span.attributes = value.clone(),
        _ => {}
    }
}

/// What a record says of when its span was last heard of is believed for so long: it decides when the span's row may go.
fn earliest(span: &Span) -> Timestamp {
    const WEEK_NS: i64 = 7 * 86_400 * 1_000_000_000;
    span.received.saturating_add(-WEEK_NS)
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}

fn code(meta: &Meta) -> Option<CodeLocation> {
    if meta.file.is_none() && meta.function.is_none() {
        return None;
    }
    Some(CodeLocation {
        file: meta.file.clone().unwrap_or_default(),
        line: meta.line.unwrap_or(0),
        function: meta.function.clone().unwrap_or_default(),
    })
}
