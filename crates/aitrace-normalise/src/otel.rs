//! What OTLP says of a span beside its attributes, times, status, events and links: kept as one object.

use std::fmt::Write as _;

use aitrace_model::{AnyValue, Json, RawEvent, RawLink, RawSpan, Resource, Scope};

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
