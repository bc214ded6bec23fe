//! What a rule changes on a span.

use std::sync::Arc;

use aitrace_model::{ErrorInfo, Json};

use super::mask::PLACEHOLDER;
use super::plan::Step;
use super::rules::Bucket;
use crate::data::{Attribute, Extra, MAX_PARTS, SpanData};
use crate::fields::Fields;
use crate::text::Text;
use crate::value::Value;

/// Applies the changes of a rule, but for masking by keys and values. How many values were masked whole.
pub(super) fn apply(step: &Step, span: &mut SpanData) -> u64 {
    let changes = &step.changes;
    if let Some(name) = &changes.rename {
        span.cell.body.name = renamed(step, name, &span.cell.body.name);
    }
    span.cell.body.kind = changes.kind.or(span.cell.body.kind);
    span.cell.body.event_type = changes.event_type.or(span.cell.body.event_type);
    for (key, value) in &changes.set {
        set(span, key, Value::from(value.clone()));
    }
    let buckets = changes.redact.iter().flat_map(|redact| &redact.buckets);
    buckets.map(|bucket| hide(*bucket, span)).sum()
}

/// Sets an attribute within the limit.
fn set(span: &mut SpanData, key: &Arc<str>, value: Value) {
    if let Some((_, known)) = span.cell.attributes.iter_mut().find(|(known, _)| known.as_str() == &**key) {
        *known = value;
    } else if span.cell.attributes.len() < MAX_PARTS {
        span.cell.attributes.push((Text::Shared(key.clone()), value));
    } else {
        span.cell.body.extra().dropped += 1;
    }
}

/// The new name; `$1` stands for a group of the expression that the name matched.
fn renamed(step: &Step, name: &Arc<str>, old: &str) -> Text {
    let expression = step.when.name.as_ref().filter(|pattern| pattern.text.starts_with('/'));
    match expression.and_then(|pattern| pattern.regex.captures(old)) {
        Some(groups) if name.contains('$') => {
            let mut out = String::new();
            groups.expand(name, &mut out);
            out.into()
        }
        _ => Text::Shared(name.clone()),
    }
}

/// Masks a part of a span whole; its keys stay. How many values it had.
fn hide(bucket: Bucket, span: &mut SpanData) -> u64 {
    if bucket == Bucket::Attributes {
        return hide_attributes(&mut span.cell.attributes);
    }
    let Some(extra) = &mut span.cell.body.extra else { return 0 };
    let fields = extra.fields.as_deref_mut();
    match bucket {
        Bucket::Events => extra.events.iter_mut().map(|event| hide_attributes(&mut event.attributes)).sum(),
        Bucket::Error => hide_error(extra),
        Bucket::Inputs => fields.map_or(0, |fields| hide_content(&mut fields.inputs)),
        Bucket::Outputs => fields.map_or(0, |fields| hide_content(&mut fields.outputs)),
        group => fields.map_or(0, |fields| hide_members(group, fields)),
    }
}

fn hide_content(content: &mut Option<Json>) -> u64 {
    match content {
        Some(json) => {
            *json = Json::string(PLACEHOLDER);
            1
        }
        None => 0,
    }
}

fn hide_attributes(attributes: &mut [Attribute]) -> u64 {
    for (_, value) in &mut *attributes {
        *value = PLACEHOLDER.into();
    }
    attributes.len() as u64
}

fn hide_error(extra: &mut Extra) -> u64 {
    let Some(ErrorInfo { message, stacktrace, .. }) = &mut extra.error else { return 0 };
    PLACEHOLDER.clone_into(message);
    stacktrace.clear();
    // The same words stand in the event of the exception.
    for event in
        extra.events.iter_mut().filter(|event| event.name.as_str() == aitrace_model::key::EXCEPTION_EVENT)
    {
        hide_attributes(&mut event.attributes);
    }
    1
}

fn hide_members(group: Bucket, fields: &mut Fields) -> u64 {
    let members = match group {
        Bucket::Metadata => &mut fields.metadata,
        Bucket::Metrics => &mut fields.metrics,
        Bucket::Feedback => &mut fields.feedback,
        Bucket::Config => &mut fields.config,
        Bucket::UserProperties => &mut fields.user_properties,
        _ => return 0,
    };
    for (_, json) in &mut *members {
        *json = Json::string(PLACEHOLDER);
    }
    members.len() as u64
}
