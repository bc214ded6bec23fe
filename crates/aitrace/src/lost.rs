//! What a tracer has lost, left out and masked, and not yet told: it goes out with the next spans, so that a
//! viewer can say "this trace lost 12 spans".

use std::collections::BTreeMap;

use aitrace_model::{TraceId, key};

use crate::data::SpanData;
use crate::text::Text;
use crate::value::Value;

/// Traces that are remembered; what others lost counts in the total only.
const MOST_TRACES: usize = 1024;

/// Counts that no batch has carried yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    traces: BTreeMap<TraceId, u64>,
    reasons: BTreeMap<String, u64>,
    /// By rule: what was left out, and which values were masked.
    filtered: BTreeMap<String, u64>,
    masked: BTreeMap<String, u64>,
}

impl Lost {
    /// Whether nothing is lost.
    pub(crate) fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Adds spans and log records lost for `reason`.
    pub(crate) fn add(&mut self, reason: &str, items: u64) {
        add(&mut self.reasons, reason, items);
    }

    /// Adds spans and log records that a rule left out.
    pub(crate) fn add_filtered(&mut self, rule: &str, items: u64) {
        add(&mut self.filtered, rule, items);
    }

    /// Adds values that a rule masked.
    pub(crate) fn add_masked(&mut self, rule: &str, values: u64) {
        add(&mut self.masked, rule, values);
    }

    /// Says that `spans` of what was added are spans of this trace.
    pub(crate) fn add_to_trace(&mut self, trace_id: TraceId, spans: u64) {
        if self.traces.len() < MOST_TRACES || self.traces.contains_key(&trace_id) {
            *self.traces.entry(trace_id).or_default() += spans;
        }
    }

    /// Takes back what a batch was to tell and did not.
    pub(crate) fn restore(&mut self, told: Self) {
        for (trace_id, spans) in told.traces {
            self.add_to_trace(trace_id, spans);
        }
        for (reason, items) in told.reasons {
            self.add(&reason, items);
        }
        for (rule, items) in told.filtered {
            self.add_filtered(&rule, items);
        }
        for (rule, values) in told.masked {
            self.add_masked(&rule, values);
        }
    }

    /// Writes to finished spans what is to be told: to the first of a trace what the trace lost, to the first
    /// of all the total; with `rules`, also what was left out and masked. Returns what was written.
    pub(crate) fn tell(&mut self, spans: &mut [SpanData], rules: bool) -> Self {
        let mut told = Self::default();
        for span in spans.iter_mut().filter(|span| span.cell.end.is_some()) {
            if rules {
                tell_counts(span, key::FILTERED, &mut self.filtered, &mut told.filtered);
                tell_counts(span, key::MASKED, &mut self.masked, &mut told.masked);
            }
            if self.is_empty() && self.traces.is_empty() {
                break;
            }
            let trace_id = span.cell.body.context.trace_id;
            if let Some(lost) = self.traces.remove(&trace_id) {
                push(span, key::LOST_IN_TRACE, number(lost));
                told.traces.insert(trace_id, lost);
            }
            if !self.reasons.is_empty() {
                push(span, key::LOST, number(self.reasons.values().sum()));
                tell_counts(span, key::LOST_REASONS, &mut self.reasons, &mut told.reasons);
            }
        }
        told
    }
}

fn add(counts: &mut BTreeMap<String, u64>, what: &str, more: u64) {
    match counts.get_mut(what) {
        Some(count) => *count += more,
        None => drop(counts.insert(what.to_owned(), more)),
    }
}

fn tell_counts(
    span: &mut SpanData,
    key: &'static str,
    counts: &mut BTreeMap<String, u64>,
    told: &mut BTreeMap<String, u64>,
) {
    if !counts.is_empty() {
        push(span, key, Value::from(serde_json::to_string(counts).unwrap_or_default()));
        *told = std::mem::take(counts);
    }
}

fn number(count: u64) -> Value {
    Value::from(i64::try_from(count).unwrap_or(i64::MAX))
}

fn push(span: &mut SpanData, key: &'static str, value: Value) {
    span.cell.attributes.push((Text::from(key), value));
}
