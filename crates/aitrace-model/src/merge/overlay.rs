//! One message laid over another.

use std::collections::BTreeMap;

use crate::json::Json;
use crate::key;
use crate::span::{EventType, Phase, Span, SpanKind};

/// The end over the heartbeat over the start.
pub(super) fn merge(start: Option<&Span>, heartbeat: Option<&Span>, end: Option<Span>) -> Option<Span> {
    let Some(mut top) = end else {
        return match (heartbeat, start) {
            (Some(beat), Some(start)) => Some(over(start, beat.clone())),
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        };
    };
    top.tentative = None;
    if let Some(beat) = heartbeat {
        top = over(beat, top);
    }
    if let Some(start) = start {
        top = over(start, top);
    }
    Some(top)
}

/// A span with the contents that log records tell, where it has none itself.
pub(super) fn tell(mut span: Span, told: &BTreeMap<String, Span>) -> Span {
    if told.is_empty() || span.inputs.is_some() && span.outputs.is_some() {
        return span;
    }
    let mut told: Vec<&Span> = told.values().collect();
    told.sort_by_key(|message| (message.start, &message.name));
    span.inputs = span.inputs.or_else(|| joined(told.iter().filter_map(|message| message.inputs.as_ref())));
    span.outputs =
        span.outputs.or_else(|| joined(told.iter().filter_map(|message| message.outputs.as_ref())));
    span
}

/// Lists, such as messages are, one behind the other; of anything else the last.
fn joined<'j>(contents: impl Iterator<Item = &'j Json>) -> Option<Json> {
    let contents: Vec<&Json> = contents.collect();
    let items = |list: &&'j Json| {
        Some(list.as_str().trim().strip_prefix('[')?.strip_suffix(']')?.trim())
            .filter(|items| !items.is_empty())
    };
    let is_list = |json: &&Json| json.as_str().trim_start().starts_with('[');
    if contents.len() < 2 || !contents.iter().all(is_list) {
        return contents.last().copied().cloned();
    }
    let items: Vec<&str> = contents.iter().filter_map(items).collect();
    Some(Json::from_trusted(format!("[{}]", items.join(","))))
}

/// `upper` with what it lacks taken from `lower`.
fn over(lower: &Span, mut upper: Span) -> Span {
    upper.start = lower.start;
    upper.received = upper.received.max(lower.received);
    upper.heartbeats |= lower.heartbeats || lower.phase == Phase::Heartbeat;
    if upper.name.is_empty() {
        upper.name.clone_from(&lower.name);
    }
    // Kind and type have no "unset": their defaults together say that the upper message had none.
    if (upper.kind, upper.event_type) == (SpanKind::Span, EventType::Tool) {
        (upper.kind, upper.event_type) = (lower.kind, lower.event_type);
    }
    // A status that was set says by its lack of an error that there is none.
    if upper.status.is_none() {
        upper.status = lower.status;
        fill(&mut upper.error, lower.error.as_ref());
    }
    fill_words(lower, &mut upper);
    fill_contents(lower, &mut upper);
    upper
}

fn fill_words(lower: &Span, upper: &mut Span) {
    fill(&mut upper.parent_span_id, lower.parent_span_id.as_ref());
    fill(&mut upper.source, lower.source.as_ref());
    fill(&mut upper.service, lower.service.as_ref());
    fill(&mut upper.session_id, lower.session_id.as_ref());
    fill(&mut upper.user_id, lower.user_id.as_ref());
    fill(&mut upper.run_id, lower.run_id.as_ref());
    fill(&mut upper.dataset_id, lower.dataset_id.as_ref());
    fill(&mut upper.datapoint_id, lower.datapoint_id.as_ref());
    fill(&mut upper.provider, lower.provider.as_ref());
    fill(&mut upper.model, lower.model.as_ref());
    fill(&mut upper.input_tokens, lower.input_tokens.as_ref());
    fill(&mut upper.output_tokens, lower.output_tokens.as_ref());
    fill(&mut upper.cache_read_tokens, lower.cache_read_tokens.as_ref());
    fill(&mut upper.cache_write_tokens, lower.cache_write_tokens.as_ref());
    fill(&mut upper.reasoning_tokens, lower.reasoning_tokens.as_ref());
    if upper.cost.is_none() {
        upper.cost = lower.cost;
        (upper.cost_formula, upper.repriced) = (lower.cost_formula.clone(), lower.repriced);
    }
    fill(&mut upper.code, lower.code.as_ref());
    if upper.scope.is_empty() {
        upper.scope.clone_from(&lower.scope);
    }
}

fn fill_contents(lower: &Span, upper: &mut Span) {
    fill(&mut upper.inputs, lower.inputs.as_ref());
    fill(&mut upper.outputs, lower.outputs.as_ref());
    fill(&mut upper.metadata, lower.metadata.as_ref());
    fill(&mut upper.metrics, lower.metrics.as_ref());
    fill(&mut upper.feedback, lower.feedback.as_ref());
    fill(&mut upper.config, lower.config.as_ref());
    fill(&mut upper.user_properties, lower.user_properties.as_ref());
    upper.attributes = united(&lower.attributes, &upper.attributes);
    if upper.resource.as_str() == "{}" {
        upper.resource = lower.resource.clone();
    }
    fill(&mut upper.otel, lower.otel.as_ref());
    if upper.events.is_empty() {
        upper.events.clone_from(&lower.events);
    }
    if upper.links.is_empty() {
        upper.links.clone_from(&lower.links);
    }
}

fn fill<T: Clone>(upper: &mut Option<T>, lower: Option<&T>) {
    if upper.is_none() {
        *upper = lower.cloned();
    }
}

/// The members of both; of equal keys the upper value counts. The mark of a provisional message
/// does not outlive it.
fn united(lower: &Json, upper: &Json) -> Json {
    if lower.as_str() == "{}" || lower == upper {
        return upper.clone();
    }
    let (Some(mut below), Some(above)) = (lower.members(), upper.members()) else { return upper.clone() };
    let known: std::collections::HashSet<&str> = above.iter().map(|(key, _)| key.as_str()).collect();
    below.retain(|(key, _)| key != key::LIFECYCLE && !known.contains(key.as_str()));
    if below.is_empty() {
        return upper.clone();
    }
    Json::object(above.iter().chain(&below).map(|(key, value)| (key.as_str(), value)))
}
