//! What an open span carries, under the names that people use.

use std::collections::BTreeMap;

use aitrace_model::{Json, Span, SpanKind, key};
use serde_json::Value;

use crate::registry;
use crate::span::SpanHandle;
use crate::tracer::Tracer;

/// Objects within objects that are flattened; what is deeper stays a value.
const DEPTH: usize = 16;

/// Attributes of the wire that stand under names of their own.
const ON_THE_WIRE: [&str; 14] = [
    key::CONFIG,
    key::DATASET_ID,
    key::DATAPOINT_ID,
    key::EVENT_TYPE,
    key::FEEDBACK,
    key::METRICS,
    key::RUN_ID,
    key::USER_PROPERTIES,
    key::INPUT_VALUE,
    key::INPUT_MIME_TYPE,
    key::OUTPUT_VALUE,
    key::OUTPUT_MIME_TYPE,
    key::METADATA,
    key::SPAN_KIND,
];

impl SpanHandle {
    /// What it carries while it is open, flattened: `project`, `session_id`, `event_type`, `metadata.order`,
    /// `metrics.hits`, its plain attributes, with names in lower case and `-` as `_`. Lists stay values. Empty
    /// once it has ended. What is stored keeps keys, types and nesting as they were given.
    ///
    /// Costs a copy of all that it carries: for tests and for code that passes something on.
    ///
    /// ```
    /// let tracer = aitrace::Tracer::builder().project("support").target("memory").build();
    /// let span = tracer.start_span("plan");
    /// span.enrich(aitrace::Enrich::new().metadata("Order-Id", 7));
    /// let attributes = span.attributes();
    /// assert_eq!((&attributes["project"], &attributes["metadata.order_id"]), (&"support".into(), &7.into()));
    /// ```
    pub fn attributes(&self) -> BTreeMap<String, Value> {
        let tracer = self.tracer().and_then(registry::by_number).map(Tracer::from_alive);
        let data = tracer.and_then(|tracer| tracer.peek(self));
        data.map_or_else(BTreeMap::new, |data| flat(&data.to_span()))
    }
}

fn flat(span: &Span) -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    let value = |json: &Json| json.to_value();
    if let Some(Value::Object(attributes)) = value(&span.attributes) {
        for (name, value) in attributes.into_iter().filter(|(name, _)| !ON_THE_WIRE.contains(&name.as_str()))
        {
            flatten(&mut out, &name, value, 0);
        }
    }
    for (name, group) in [
        ("inputs", &span.inputs),
        ("outputs", &span.outputs),
        ("metadata", &span.metadata),
        ("metrics", &span.metrics),
        ("feedback", &span.feedback),
        ("config", &span.config),
        ("user_properties", &span.user_properties),
    ] {
        if let Some(value) = group.as_ref().and_then(value) {
            flatten(&mut out, name, value, 0);
        }
    }
    let text = |text: &Option<String>| text.clone().map(Value::from);
    let error = span.error.as_ref().map(|error| {
        let said = if error.message.is_empty() { &error.kind } else { &error.message };
        Value::from(said.as_str())
    });
    let kind = (span.kind != SpanKind::Span).then(|| Value::from(span.kind.as_str()));
    for (name, value) in [
        ("project", Some(Value::from(span.project.as_str()))),
        ("source", text(&span.source)),
        ("service", text(&span.service)),
        ("session_id", text(&span.session_id)),
        ("user_id", text(&span.user_id)),
        ("run_id", text(&span.run_id)),
        ("dataset_id", text(&span.dataset_id)),
        ("datapoint_id", text(&span.datapoint_id)),
        ("event_type", Some(Value::from(span.event_type.as_str()))),
        ("kind", kind),
        ("error", error),
    ] {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    }
    out
}

fn flatten(out: &mut BTreeMap<String, Value>, name: &str, value: Value, depth: usize) {
    let name = name.to_lowercase().replace('-', "_");
    match value {
        Value::Object(members) if !members.is_empty() && depth < DEPTH => {
            for (key, value) in members {
                flatten(out, &format!("{name}.{key}"), value, depth + 1);
            }
        }
        value => {
            out.insert(name, value);
        }
    }
}
