//! What a tracer has lost and not yet told: it goes out with the next spans, so that a viewer can say "this
//! trace lost 12 spans".

use std::collections::BTreeMap;

use aitrace_model::{TraceId, key};

use crate::data::SpanData;
use crate::text::Text;
use crate::value::Value;

/// Traces that are remembered; what others lost counts in the total only.
const MOST_TRACES: usize = 1024;

/// Losses that no batch has carried yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    traces: BTreeMap<TraceId, u64>,
    reasons: BTreeMap<String, u64>,
}

impl Lost {
    pub(crate) fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Adds spans and log records lost for `reason`.
    pub(crate) fn add(&mut self, reason: &str, items: u64) {
        match self.reasons.get_mut(reason) {
            Some(count) => *count += items,
            None => drop(self.reasons.insert(reason.to_owned(), items)),
        }
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
    }

    /// Writes to finished spans what is to be told: to the first of a trace what the trace lost, to the first
    /// of all the total. Returns what was written.
    pub(crate) fn tell(&mut self, spans: &mut [SpanData]) -> Self {
        let mut told = Self::default();
        for span in spans.iter_mut().filter(|span| span.end.is_some()) {
            if self.is_empty() && self.traces.is_empty() {
                break;
            }
            let trace_id = span.body.context.trace_id;
            if let Some(lost) = self.traces.remove(&trace_id) {
                push(span, key::LOST_IN_TRACE, number(lost));
                told.traces.insert(trace_id, lost);
            }
            if !self.reasons.is_empty() {
                push(span, key::LOST, number(self.reasons.values().sum()));
                told.reasons = std::mem::take(&mut self.reasons);
                let text = serde_json::to_string(&told.reasons).unwrap_or_default();
                push(span, key::LOST_REASONS, Value::from(text));
            }
        }
        told
    }
}

fn number(count: u64) -> Value {
    Value::from(i64::try_from(count).unwrap_or(i64::MAX))
}

fn push(span: &mut SpanData, key: &'static str, value: Value) {
    span.attributes.push((Text::from(key), value));
}
