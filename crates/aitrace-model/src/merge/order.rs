//! The total order of messages of one phase. It decides which of two differing messages counts,
//! the same everywhere; equal means: the same message.

use std::cmp::{Ordering, Reverse};

use crate::log::LogRecord;
use crate::span::{Phase, Span};
use crate::time::Timestamp;

/// Compares two messages of one span and one phase.
///
/// Contents decide, and of equal contents the one received first, so that a message sent again
/// changes nothing. Only heartbeats rank by their time of arrival: the last one is the sign of life.
pub(super) fn compare(a: &Span, b: &Span) -> Ordering {
    if a.phase == Phase::Heartbeat && b.phase == Phase::Heartbeat {
        return a.received.cmp(&b.received).then_with(|| contents(a, b));
    }
    contents(a, b).then_with(|| Reverse(received(a)).cmp(&Reverse(received(b))))
}

fn received(span: &Span) -> (Timestamp, Option<Timestamp>) {
    (span.received, span.tentative.as_ref().map(|log| log.received))
}

// Compares the listed fields in turn. The others are named too, so that a field added to the
// type does not compile until it has its place here.
macro_rules! compare_fields {
    ($type:ident, $a:ident, $b:ident: $($field:ident)+; apart from $($other:ident)+) => {{
        let $type { $($field: _,)+ $($other: _,)+ } = $a;
        Ordering::Equal$(.then_with(|| $a.$field.cmp(&$b.$field)))+
    }};
}

// Later ends, failures and richer messages outrank, then what was priced later: a message with a new price holds all
// that was known of its span. The rest only makes the order total.
fn contents(a: &Span, b: &Span) -> Ordering {
    let rank = |span: &Span| (span.end, span.status, span.attributes.as_str().len(), span.repriced);
    let fields = || {
        compare_fields!(Span, a, b:
            end status attributes start name kind event_type parent_span_id error inputs outputs
            input_tokens output_tokens cache_read_tokens cache_write_tokens reasoning_tokens provider model metadata metrics feedback config user_properties
            session_id user_id run_id dataset_id datapoint_id source service code events links otel
            resource scope heartbeats phase project trace_id span_id;
            apart from cost cost_formula repriced tentative received)
    };
    rank(a).cmp(&rank(b)).then_with(fields).then_with(|| costs(a, b)).then_with(|| logs(a, b))
}

fn costs(a: &Span, b: &Span) -> Ordering {
    let cost = match (a.cost, b.cost) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    };
    cost.then_with(|| a.cost_formula.cmp(&b.cost_formula))
}

fn logs(a: &Span, b: &Span) -> Ordering {
    match (a.tentative.as_deref(), b.tentative.as_deref()) {
        (Some(a), Some(b)) => compare_fields!(LogRecord, a, b:
            time event level logger attrs code session_id id project trace_id span_id;
            apart from received),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}
