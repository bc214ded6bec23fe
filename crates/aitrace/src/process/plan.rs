//! Rules made ready for one tracer: in order, without those that are for other tracers.

use std::sync::Arc;

use aitrace_model::{AnyValue, EventType, Json, SpanKind, TraceId};

use super::mask::MaskPlan;
use super::pattern::Pattern;
use super::rules::{Changes, Condition, Mask, Rule, Rules, Tail, When};
use crate::data::SpanData;
use crate::identity::Identity;
use crate::value::Value;

/// What a tracer does with its spans before they are exported.
#[derive(Debug, Default)]
pub(crate) struct ProcessPlan {
    /// `None`: nothing is masked.
    pub(crate) mask: Option<MaskPlan>,
    pub(crate) tail: Option<Tail>,
    /// Rules of the worker, in their order.
    pub(crate) steps: Vec<Step>,
    /// Rules of a trace's beginning, in their order.
    head: Vec<Head>,
    /// Open spans are not told of: whether they are kept is only known at their end.
    pub(crate) hold_open: bool,
}

/// A rule of the worker.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: Arc<str>,
    pub(crate) when: When,
    pub(crate) drop: bool,
    pub(crate) changes: Changes,
    /// What its redaction masks; `None` where it masks no keys and values.
    pub(crate) mask: Option<MaskPlan>,
}

#[derive(Debug)]
struct Head {
    when: When,
    ratio: f64,
}

impl ProcessPlan {
    /// The plan of a tracer.
    pub(crate) fn new(rules: Rules, identity: &Identity, hold_open: bool) -> Self {
        let Rules { mask, tail, rules } = rules;
        let mut named: Vec<(Arc<str>, Rule)> = rules
            .into_iter()
            .enumerate()
            .map(|(index, rule)| {
                (rule.name.clone().unwrap_or_else(|| format!("rule_{}", index + 1).into()), rule)
            })
            .filter(|(_, rule)| rule.when.is_for(identity))
            .collect();
        named.sort_by_key(|(_, rule)| rule.priority);
        let mut plan = Self { mask: mask_plan(mask), tail, hold_open, ..Self::default() };
        for (name, rule) in named {
            let Rule { when, drop, sample, changes, .. } = rule;
            if let Some(ratio) = sample {
                plan.head.push(Head { when: when.clone(), ratio: ratio.0 });
            }
            if drop || !changes.is_empty() {
                plan.hold_open |= drop && !when.attributes.is_empty();
                let mask = redaction(&changes, &name);
                plan.steps.push(Step { name, when, drop, changes, mask });
            }
        }
        plan
    }

    /// Whether there is anything to do for the worker.
    pub(crate) fn works(&self) -> bool {
        self.mask.is_some() || self.tail.is_some() || !self.steps.is_empty() || self.hold_open
    }

    /// Whether some traces are not recorded at all.
    pub(crate) fn samples(&self) -> bool {
        !self.head.is_empty()
    }

    /// Whether a trace that begins with this span is recorded: the first rule that matches says how many are.
    pub(crate) fn records(
        &self,
        trace_id: TraceId,
        name: &str,
        kind: Option<SpanKind>,
        event_type: Option<EventType>,
    ) -> bool {
        let kind = effective_kind(kind, event_type);
        let event_type = event_type.unwrap_or(EventType::Tool);
        let rule = self.head.iter().find(|head| head.when.is_about(name, kind, event_type));
        rule.is_none_or(|head| within(low_bits(trace_id), head.ratio))
    }
}

/// The kind that was set, else what the event type suggests.
pub(crate) fn effective_kind(kind: Option<SpanKind>, event_type: Option<EventType>) -> SpanKind {
    kind.unwrap_or(match event_type {
        Some(EventType::Model) => SpanKind::Llm,
        Some(EventType::Tool) => SpanKind::Tool,
        Some(EventType::Chain | EventType::Session) => SpanKind::Chain,
        None => SpanKind::Span,
    })
}

/// The 56 bits of a trace id that W3C wants to be random: every process decides the same.
fn low_bits(trace_id: TraceId) -> u64 {
    let bytes = trace_id.to_bytes();
    bytes[9..].iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

/// 56 other bits, so that a second ratio is independent of the first.
pub(crate) fn mixed_bits(trace_id: TraceId) -> u64 {
    let bytes = trace_id.to_bytes();
    let mut bits = bytes.iter().fold(0_u64, |bits, byte| bits.rotate_left(8) ^ u64::from(*byte));
    // The finisher of splitmix64.
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    (bits ^ bits >> 31) >> 8
}

/// Whether 56 random bits fall into a part.
pub(crate) fn within(bits: u64, ratio: f64) -> bool {
    // 53 bits are what a float holds exactly.
    ((bits >> 3) as f64) < ratio * (1_u64 << 53) as f64
}

/// What is masked everywhere; `None`: nothing.
pub(crate) fn mask_plan(mask: Mask) -> Option<MaskPlan> {
    if mask.enabled == Some(false) {
        return None;
    }
    let keys = mask.keys.iter().map(|key| (key.any_case(), format!("key:{}", key.text).into()));
    let values = mask.values.into_iter().map(|value| {
        let name = format!("value:{}", value.0.as_str()).into();
        (value.0, name)
    });
    Some(MaskPlan {
        defaults: mask.defaults.unwrap_or(true),
        keys: keys.collect(),
        allowed: mask.allow_keys.iter().map(Pattern::any_case).collect(),
        values: values.collect(),
        key_text: mask.key_text.unwrap_or(false),
    })
}

/// What rules mask in a log record, in their order; each where its `when` says so.
pub(crate) fn line_plans(rules: Vec<Rule>) -> Vec<(When, MaskPlan)> {
    let mut rules = rules;
    rules.retain(|rule| rule.when.is_about_all());
    rules.sort_by_key(|rule| rule.priority);
    let plan = |rule: Rule| Some((rule.when, redaction(&rule.changes, &rule.name.unwrap_or_default())?));
    rules.into_iter().filter_map(plan).collect()
}

fn redaction(changes: &Changes, name: &Arc<str>) -> Option<MaskPlan> {
    let redact =
        changes.redact.as_ref().filter(|redact| !redact.keys.is_empty() || !redact.values.is_empty())?;
    Some(MaskPlan {
        keys: redact.keys.iter().map(|key| (key.any_case(), name.clone())).collect(),
        values: redact.values.iter().map(|value| (value.0.clone(), name.clone())).collect(),
        ..MaskPlan::default()
    })
}

impl When {
    /// Whether it can be true of a tracer's spans.
    fn is_for(&self, identity: &Identity) -> bool {
        self.is_within(&identity.project, &identity.source)
    }

    /// Whether it can be true of what this project and source record.
    pub(crate) fn is_within(&self, project: &str, source: &str) -> bool {
        let matches =
            |pattern: &Option<Pattern>, text: &str| pattern.as_ref().is_none_or(|p| p.is_match(text));
        matches(&self.project, project) && matches(&self.source, source)
    }

    /// Whether it is about everything that a tracer records, not about some spans.
    pub(crate) fn is_about_all(&self) -> bool {
        self.name.is_none() && self.kind.is_none() && self.event_type.is_none() && self.attributes.is_empty()
    }

    fn is_about(&self, name: &str, kind: SpanKind, event_type: EventType) -> bool {
        self.kind.is_none_or(|wanted| wanted.0 == kind)
            && self.event_type.is_none_or(|wanted| wanted.0 == event_type)
            && self.name.as_ref().is_none_or(|pattern| pattern.is_match(name))
    }

    /// Whether it is true of a span of this tracer.
    pub(crate) fn matches(&self, span: &SpanData) -> bool {
        let body = &span.cell.body;
        let kind = effective_kind(body.kind, body.event_type);
        self.is_about(&body.name, kind, body.event_type.unwrap_or(EventType::Tool))
            && self.attributes.iter().all(|(key, condition)| condition.holds(find(span, key).as_ref()))
    }
}

impl Condition {
    fn holds(&self, found: Option<&Found<'_>>) -> bool {
        match (self, found) {
            (Self::Present(present), found) => *present == found.is_some(),
            (_, None) => false,
            (Self::Matches(pattern), Some(found)) => match found {
                Found::Text(text) => pattern.is_match(text),
                Found::Json(json) => match serde_json::from_str::<String>(json.as_str()) {
                    Ok(text) => pattern.is_match(&text),
                    Err(_) => pattern.is_match(json.as_str()),
                },
            },
            (Self::Equals(wanted), Some(Found::Text(text))) => wanted.as_str() == Some(text),
            (Self::Equals(wanted), Some(Found::Json(json))) => match (json.to_value(), wanted.as_f64()) {
                // 1 and 1.0 are the same number.
                (Some(value), Some(number)) => value.as_f64() == Some(number),
                (value, _) => value.as_ref() == Some(wanted),
            },
        }
    }
}

/// The value of an attribute.
enum Found<'s> {
    Text(&'s str),
    Json(Json),
}

/// An attribute by its key; `metadata.…`, `metrics.…` and the like find members of these groups.
fn find<'s>(span: &'s SpanData, key: &str) -> Option<Found<'s>> {
    if let Some((_, value)) = span.cell.attributes.iter().find(|(known, _)| known.as_str() == key) {
        return Some(match value {
            Value::Text(text) => Found::Text(text),
            Value::Short(text) => Found::Text(text.as_str()),
            value => Found::Json(AnyValue::to_json(&value.to_any())),
        });
    }
    let fields = span.cell.body.extra.as_ref()?.said();
    let (group, member) = key.split_once('.').unwrap_or((key, ""));
    let members = match group {
        "metadata" => &fields.metadata,
        "metrics" => &fields.metrics,
        "feedback" => &fields.feedback,
        "config" => &fields.config,
        "user_properties" => &fields.user_properties,
        "user" if member == "id" => return fields.user_id.as_ref().map(|id| Found::Text(id)),
        "session" if member == "id" => return fields.session_id.as_ref().map(|id| Found::Text(id)),
        _ => return None,
    };
    let (_, json) = members.iter().find(|(known, _)| known.as_str() == member)?;
    Some(Found::Json(json.clone()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Whether a ratio at the beginning of a trace keeps it.
    pub(in crate::process) fn head(trace_id: TraceId, ratio: f64) -> bool {
        within(low_bits(trace_id), ratio)
    }

    #[test]
    fn a_ratio_is_taken_of_the_random_bits() {
        let id = |low: u64| {
            TraceId::from_bytes((1_u128 << 100 | u128::from(low)).to_be_bytes()).expect("not zero")
        };
        assert!(!within(low_bits(id(0)), 0.0));
        assert!(within(low_bits(id((1 << 56) - 1)), 1.0));
        assert!(head(id(1 << 54), 0.26) && !head(id(1 << 54), 0.25));
        assert!(head(id(0xAB << 56), 0.001), "the upper bits do not count");
    }
}
