//! What OTLP says of a span beside its attributes, times, status, events and links, and of a log record beside its
//! attributes and body: kept as one object, with the version of the mapping.

use std::fmt::Write as _;
use std::sync::Arc;

use aitrace_model::{
    AnyValue, Dropped, Json, RawEvent, RawLink, RawLog, RawSpan, Resource, Scope, SpanId, TraceId,
};
use serde::Deserialize;

/// OTLP's kinds from 2 on; 0 and 1 both mean internal, which is not said.
const KINDS: [&str; 4] = ["server", "client", "producer", "consumer"];

/// The object; `None` where it would be empty.
pub(crate) fn beside(raw: &RawSpan) -> Option<Json> {
    let mut out = Members::default();
    match raw.otel_kind {
        0 | 1 => {}
        2..=5 => out.text("kind", KINDS[raw.otel_kind as usize - 2]),
        other => out.plain("kind", other),
    }
    out.text("trace_state", &raw.trace_state);
    out.count("flags", raw.flags);
    out.count("dropped_attributes_count", raw.dropped.attributes);
    out.count("dropped_events_count", raw.dropped.events);
    out.count("dropped_links_count", raw.dropped.links);
    scope(&mut out, &raw.scope);
    resource(&mut out, &raw.resource);
    out.list("events", raw.events.iter().filter_map(event));
    out.list("links", raw.links.iter().filter_map(link));
    out.count("mapper", crate::MAPPER);
    out.finish()
}

/// The same of a log record.
pub(crate) fn beside_log(raw: &RawLog) -> Option<Json> {
    let mut out = Members::default();
    out.count("flags", raw.flags);
    out.count("dropped_attributes_count", raw.dropped_attributes);
    scope(&mut out, &raw.scope);
    resource(&mut out, &raw.resource);
    out.finish()
}

fn scope(out: &mut Members, scope: &Scope) {
    out.text("scope_version", &scope.version);
    if !scope.attributes.is_empty() {
        out.json("scope_attributes", &AnyValue::object_to_json(&scope.attributes));
    }
    out.count("scope_dropped_attributes_count", scope.dropped_attributes);
    out.text("scope_schema_url", &scope.schema_url);
}

fn resource(out: &mut Members, resource: &Resource) {
    out.count("resource_dropped_attributes_count", resource.dropped_attributes);
    out.text("resource_schema_url", &resource.schema_url);
}

/// An event that misses attributes, by its name and time.
fn event(event: &RawEvent) -> Option<Json> {
    if event.dropped_attributes == 0 {
        return None;
    }
    let mut out = Members::default();
    out.text("name", &event.name);
    out.plain("time_ns", format_args!("\"{}\"", event.time.nanos()));
    out.count("dropped_attributes_count", event.dropped_attributes);
    out.finish()
}

/// A link of which more is said than the model holds, by its ids.
fn link(link: &RawLink) -> Option<Json> {
    if link.trace_state.is_empty() && link.flags == 0 && link.dropped_attributes == 0 {
        return None;
    }
    let mut out = Members::default();
    out.text("trace_id", &link.trace_id.to_hex());
    out.text("span_id", &link.span_id.to_hex());
    out.text("trace_state", &link.trace_state);
    out.count("flags", link.flags);
    out.count("dropped_attributes_count", link.dropped_attributes);
    out.finish()
}

/// What [`beside`] wrote, back where it came from. What is not of its form says nothing.
pub(crate) fn say(told: &Json, raw: &mut RawSpan) {
    say_origin(told, Arc::make_mut(&mut raw.scope), Arc::make_mut(&mut raw.resource));
    let Ok(told) = serde_json::from_str::<Told>(told.as_str()) else { return };
    raw.otel_kind = match &told.kind {
        Some(Kind::Word(word)) => KINDS.iter().position(|known| known == word).map_or(0, |at| at as i32 + 2),
        Some(Kind::Number(number)) => *number,
        None => 0,
    };
    raw.trace_state = told.trace_state;
    raw.flags = told.flags;
    raw.dropped = Dropped {
        attributes: told.dropped_attributes_count,
        events: told.dropped_events_count,
        links: told.dropped_links_count,
    };
    let mut cut = told.events.into_iter().peekable();
    for event in &mut raw.events {
        let named = |cut: &CutEvent| cut.name == event.name && cut.time_ns == event.time.nanos().to_string();
        event.dropped_attributes = cut.next_if(named).map_or(0, |cut| cut.dropped_attributes_count);
    }
    let mut more = told.links.into_iter().peekable();
    for link in &mut raw.links {
        let named = |more: &MoreOfLink| (more.trace_id, more.span_id) == (link.trace_id, link.span_id);
        if let Some(more) = more.next_if(named) {
            (link.trace_state, link.flags) = (more.trace_state, more.flags);
            link.dropped_attributes = more.dropped_attributes_count;
        }
    }
}

/// What [`beside_log`] wrote, back where it came from.
pub(crate) fn say_log(told: &Json, raw: &mut RawLog) {
    say_origin(told, Arc::make_mut(&mut raw.scope), Arc::make_mut(&mut raw.resource));
    let Ok(told) = serde_json::from_str::<Told>(told.as_str()) else { return };
    (raw.flags, raw.dropped_attributes) = (told.flags, told.dropped_attributes_count);
}

fn say_origin(told: &Json, scope: &mut Scope, resource: &mut Resource) {
    let Ok(told) = serde_json::from_str::<ToldOrigin>(told.as_str()) else { return };
    scope.version = told.scope_version;
    scope.dropped_attributes = told.scope_dropped_attributes_count;
    scope.schema_url = told.scope_schema_url;
    let members = told.scope_attributes.as_ref().and_then(Json::members).unwrap_or_default();
    scope.attributes = members.into_iter().map(|(key, value)| (key, AnyValue::from_json(&value))).collect();
    resource.dropped_attributes = told.resource_dropped_attributes_count;
    resource.schema_url = told.resource_schema_url;
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Kind {
    Word(String),
    Number(i32),
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    kind: Option<Kind>,
    trace_state: String,
    flags: u32,
    dropped_attributes_count: u32,
    dropped_events_count: u32,
    dropped_links_count: u32,
    events: Vec<CutEvent>,
    links: Vec<MoreOfLink>,
}

/// What spans and log records share.
#[derive(Deserialize, Default)]
#[serde(default)]
struct ToldOrigin {
    scope_version: String,
    scope_attributes: Option<Json>,
    scope_dropped_attributes_count: u32,
    scope_schema_url: String,
    resource_dropped_attributes_count: u32,
    resource_schema_url: String,
}

#[derive(Deserialize)]
struct CutEvent {
    #[serde(default)]
    name: String,
    time_ns: String,
    dropped_attributes_count: u32,
}

#[derive(Deserialize)]
struct MoreOfLink {
    trace_id: TraceId,
    span_id: SpanId,
    #[serde(default)]
    trace_state: String,
    #[serde(default)]
    flags: u32,
    #[serde(default)]
    dropped_attributes_count: u32,
}

/// An object being written: empty texts and zeros are left out.
#[derive(Default)]
struct Members(String);

impl Members {
    fn key(&mut self, key: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
    }

    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.key(key);
            self.0.push_str(Json::string(text).as_str());
        }
    }

    fn plain(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        write!(self.0, "{value}").expect("a String takes everything");
    }

    fn count(&mut self, key: &str, count: u32) {
        if count != 0 {
            self.plain(key, count);
        }
    }

    fn json(&mut self, key: &str, json: &Json) {
        self.plain(key, json);
    }

    fn list(&mut self, key: &str, items: impl Iterator<Item = Json>) {
        let items: Vec<Json> = items.collect();
        if !items.is_empty() {
            self.json(key, &crate::parts::array(items));
        }
    }

    fn finish(mut self) -> Option<Json> {
        if self.0.is_empty() {
            return None;
        }
        self.0.push('}');
        Some(Json::from_trusted(self.0))
    }
}
