//! Rules as people write them: `mask`, `tail` and a list of `rules`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aitrace_model::{EventType, SpanKind};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::pattern::{Expression, Pattern};

/// Rules for what happens to spans before they are exported: which are dropped, sampled, changed, masked.
///
/// Read by [`Rules::parse`] or [`Rules::read`], given to
/// [`TracerBuilder::rules`](crate::TracerBuilder::rules). The default has no rules and masks credentials.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names are those of the file's tables")]
pub struct Rules {
    pub(crate) mask: Mask,
    pub(crate) tail: Option<Tail>,
    pub(crate) rules: Vec<Rule>,
}

/// What is masked besides the defaults.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mask {
    /// Whether anything is masked; unset is yes.
    pub(crate) enabled: Option<bool>,
    /// Whether the default keys and shapes are masked; unset is yes.
    pub(crate) defaults: Option<bool>,
    /// Whether secrets in the texts of keys are masked; unset is no.
    pub(crate) key_text: Option<bool>,
    /// More keys.
    pub(crate) keys: Vec<Pattern>,
    /// Keys that are not masked by their name.
    pub(crate) allow_keys: Vec<Pattern>,
    /// More shapes of values.
    pub(crate) values: Vec<Expression>,
}

/// Which traces are kept when they are over.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tail {
    pub(crate) keep_errors: bool,
    #[serde(deserialize_with = "duration")]
    pub(crate) keep_slower_than: Option<Duration>,
    /// Part of the other traces that is kept.
    pub(crate) ratio: Ratio,
    /// Longest wait for the end of a trace.
    #[serde(deserialize_with = "sure_duration")]
    pub(crate) wait: Duration,
    /// Bytes of spans that wait.
    #[serde(deserialize_with = "bytes")]
    pub(crate) buffer: usize,
}

impl Default for Tail {
    fn default() -> Self {
        Self {
            keep_errors: true,
            keep_slower_than: None,
            ratio: Ratio(1.0),
            wait: Duration::from_secs(30),
            buffer: 16 << 20,
        }
    }
}

/// A part from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio(pub(crate) f64);

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ratio = f64::deserialize(deserializer)?;
        if (0.0..=1.0).contains(&ratio) {
            return Ok(Self(ratio));
        }
        Err(D::Error::custom(format!("{ratio} is no part: write a number from 0 to 1")))
    }
}

/// One rule: on which spans, and what is done.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Rule {
    /// For the counts; made from its place where it has none.
    pub(crate) name: Option<Arc<str>>,
    /// Smaller ones come first; equal ones in the order written.
    pub(crate) priority: i64,
    pub(crate) when: When,
    pub(crate) drop: bool,
    /// The part of traces that are recorded, decided where they begin.
    pub(crate) sample: Option<Ratio>,
    pub(crate) changes: Changes,
}

/// What is changed on a span.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    pub(crate) rename: Option<Arc<str>>,
    pub(crate) kind: Option<SpanKind>,
    pub(crate) event_type: Option<EventType>,
    pub(crate) set: Vec<(Arc<str>, serde_json::Value)>,
    pub(crate) redact: Option<Redact>,
}

/// A rule as written, before it is checked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    name: Option<String>,
    priority: i64,
    when: When,
    drop: bool,
    sample: Option<Ratio>,
    rename: Option<String>,
    kind: Option<Kind>,
    event_type: Option<Type>,
    set: BTreeMap<String, serde_json::Value>,
    redact: Option<Redact>,
}

impl TryFrom<Written> for Rule {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { name, priority, when, drop, sample, rename, kind, event_type, set, redact } = written;
        let changes = Changes {
            rename: rename.map(Arc::from),
            kind: kind.map(|kind| kind.0),
            event_type: event_type.map(|event_type| event_type.0),
            set: set.into_iter().map(|(key, value)| (key.into(), value)).collect(),
            redact,
        };
        if !drop && sample.is_none() && changes.is_empty() {
            return Err(
                "the rule does nothing: give it drop, sample, rename, kind, event_type, set or redact".into(),
            );
        }
        if drop && (sample.is_some() || !changes.is_empty()) {
            return Err("the rule drops the span, so it can do nothing else with it".into());
        }
        if sample.is_some() && !when.attributes.is_empty() {
            return Err(
                "sample is decided when a trace begins: it cannot ask for attributes, use [tail]".into()
            );
        }
        Ok(Self { name: name.map(Arc::from), priority, when, drop, sample, changes })
    }
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.rename.is_none()
            && self.kind.is_none()
            && self.event_type.is_none()
            && self.set.is_empty()
            && self.redact.is_none()
    }
}

/// What must be true of a span: all that is given.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct When {
    pub(crate) name: Option<Pattern>,
    pub(crate) kind: Option<Kind>,
    pub(crate) event_type: Option<Type>,
    pub(crate) project: Option<Pattern>,
    pub(crate) source: Option<Pattern>,
    pub(crate) attributes: BTreeMap<String, Condition>,
}

/// What must be true of an attribute: `true` it is there, `false` it is not, `/regex/`, or its value.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Present(bool),
    Matches(Pattern),
    Equals(serde_json::Value),
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Object(object) => {
                let mut members = object.into_iter();
                match (members.next(), members.next()) {
                    (Some((word, serde_json::Value::Bool(present))), None) if word == "present" => {
                        Ok(Self::Present(present))
                    }
                    (Some((word, value)), None) if word == "equals" => Ok(Self::Equals(value)),
                    _ => Err(D::Error::custom(
                        "write a value, a pattern, {present = true} or {equals = value}",
                    )),
                }
            }
            serde_json::Value::String(text) => {
                Pattern::parse(&text).map(Self::Matches).map_err(D::Error::custom)
            }
            value => Ok(Self::Equals(value)),
        }
    }
}

/// What is masked on the spans of one rule.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Redact {
    pub(crate) keys: Vec<Pattern>,
    pub(crate) values: Vec<Expression>,
    pub(crate) buckets: Vec<Bucket>,
}

/// A part of a span that is masked whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bucket {
    Inputs,
    Outputs,
    Metadata,
    Metrics,
    Feedback,
    Config,
    UserProperties,
    Attributes,
    Events,
    Error,
}

/// A kind by its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind(pub(crate) SpanKind);

/// An event type by its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Type(pub(crate) EventType);

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        SpanKind::from_word(&word).map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "{word:?} is no kind: llm, chain, tool, retriever, embedding, agent, reranker, guardrail, evaluator, prompt or span"
            ))
        })
    }
}

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let wrong = || D::Error::custom(format!("{word:?} is no event type: model, tool, chain or session"));
        EventType::from_word(&word).map(Self).ok_or_else(wrong)
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    sure_duration(deserializer).map(Some)
}

fn sure_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || D::Error::custom(format!("{text:?} is no duration: write it like 250ms, 2s or 5m"));
    let (number, millis) =
        quantity(&text, &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]).ok_or_else(wrong)?;
    Ok(Duration::from_millis((number * millis as f64) as u64))
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || D::Error::custom(format!("{text:?} is no size: write it like 512KiB or 16MiB"));
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
    let (number, unit) = quantity(&text, &units).ok_or_else(wrong)?;
    Ok((number * unit as f64) as usize)
}

/// A number that is not negative, and its unit.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<(f64, u64)> {
    let text = text.trim();
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let unit = units.iter().find(|(unit, _)| *unit == text[digits..].trim())?.1;
    Some((text[..digits].parse::<f64>().ok()?, unit))
}
