//! Trees without contents. Rows become bones while they are read: of a trace of a million spans some 200 bytes each
//! are in memory, and texts that many of them share once.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use aitrace_model::tree::{self, Node};
use aitrace_model::{EventType, Phase, Span, SpanId, SpanKind, SpanState, Status, TraceId, TraceStatus};
use aitrace_store::Bone;
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

use crate::columns::{self, Cells};
use crate::hot::Moment;
use crate::rows::SPANS;
use crate::sealed::{self, Damaged};
use crate::segment::{Scan, Segment, Segments, each_batch};

/// Columns of a bone, in the order in which they are read.
const COLUMNS: &[&str] = &[
    "span_id",
    "parent_span_id",
    "heartbeats",
    "name",
    "kind",
    "event_type",
    "status",
    "error_type",
    "start",
    "end",
    "received",
    "provider",
    "model",
    "input_tokens",
    "output_tokens",
    "cost",
];

/// How sealed spans are shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) moment: Moment,
    /// When the trace was last heard of.
    pub(crate) heard: aitrace_model::Timestamp,
    /// Spans that are not.
    pub(crate) hidden: &'a BTreeSet<SpanId>,
}

impl Shown<'_> {
    /// How a span that has not ended stands.
    pub(crate) fn status(&self, state: &SpanState) -> TraceStatus {
        state.status(self.moment.now, &self.moment.lost, self.heard)
    }
}

/// What was read.
#[derive(Debug, Default)]
struct Bones {
    all: Vec<Bone>,
    seen: HashSet<SpanId>,
    texts: HashSet<Arc<str>>,
}

/// The sealed spans of a trace in the given files, which are in the order of their making, in no order.
pub(crate) fn sealed(
    segments: &Segments,
    files: &[Arc<Segment>],
    project: &str,
    trace_id: TraceId,
    shown: &Shown<'_>,
) -> (Vec<Bone>, Damaged) {
    let scan = Scan { project, trace_id, span_id: None, columns: COLUMNS };
    let schema = schema();
    // Of rows with one id the latest counts: the latest file is read first.
    let (bones, damaged) = sealed::read(files, true, |bones: &mut Bones, file| {
        if !file.spans {
            return Ok(());
        }
        each_batch(segments, file, &scan, |batch| bones.add(batch, &schema, trace_id, shown))
    });
    (bones.all, damaged)
}

fn schema() -> SchemaRef {
    let all = columns::schema(SPANS);
    let fields = COLUMNS.iter().filter_map(|name| all.field_with_name(name).ok().cloned());
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

impl Bones {
    /// Adds the rows of a batch; `None` if one of them is not what we write.
    fn add(
        &mut self,
        batch: &RecordBatch,
        schema: &SchemaRef,
        trace_id: TraceId,
        shown: &Shown<'_>,
    ) -> Option<()> {
        let batch = columns::conform(batch, schema).ok()?;
        self.all.reserve(batch.num_rows());
        for row in 0..batch.num_rows() {
            let mut cells = Cells::new(&batch, row);
            let id: SpanId = cells.text()?.parse().ok()?;
            if self.seen.insert(id) && !shown.hidden.contains(&id) {
                let bone = self.bone(id, &mut cells, trace_id, shown)?;
                self.all.push(bone);
            }
        }
        Some(())
    }

    /// Reads the cells behind the first one.
    fn bone(
        &mut self,
        span_id: SpanId,
        cells: &mut Cells<'_>,
        trace_id: TraceId,
        shown: &Shown<'_>,
    ) -> Option<Bone> {
        let parent_span_id = cells.text().map(str::parse).transpose().ok()?;
        let heartbeats = cells.flag();
        let name = self.text(cells.text()?);
        let kind = SpanKind::from_word(cells.text()?)?;
        let event_type = EventType::from_word(cells.text()?)?;
        let (status, error) = (cells.text().and_then(Status::from_word), cells.text());
        let failed = status == Some(Status::Error) || status.is_none() && error.is_some();
        let (start, end, received) = (cells.time()?, cells.time(), cells.time()?);
        let status = match (end, failed) {
            (Some(_), true) => TraceStatus::Error,
            (Some(_), false) => TraceStatus::Ok,
            (None, _) => {
                let mut message = Span::new("", trace_id, span_id, "", start);
                (message.received, message.heartbeats) = (received, heartbeats);
                message.phase = if heartbeats { Phase::Heartbeat } else { Phase::Start };
                shown.status(&SpanState::new(message))
            }
        };
        let mut word = || cells.text().map(|text| self.text(text));
        let (provider, model) = (word(), word());
        let (input_tokens, output_tokens) = (cells.number(), cells.number());
        let cost = cells.double();
        Some(Bone {
            span_id,
            parent_span_id,
            name,
            kind,
            event_type,
            status,
            start,
            end,
            provider,
            model,
            input_tokens,
            output_tokens,
            cost,
        })
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
    }
}

/// Parents first, siblings by start. Each id must be there once.
pub(crate) fn in_tree_order(mut bones: Vec<Bone>) -> Vec<Bone> {
    let node = |bone: &Bone| Node { start: bone.start, id: bone.span_id, parent: bone.parent_span_id };
    let order = tree::order(&bones.iter().map(node).collect::<Vec<_>>());
    let mut from: Vec<usize> = order.into_iter().map(|entry| entry.index).collect();
    debug_assert_eq!(from.len(), bones.len(), "an id is there twice");
    // In place, circle by circle: a second list would be as long as all the rest.
    for first in 0..from.len() {
        let mut place = first;
        loop {
            let next = std::mem::replace(&mut from[place], place);
            if next == first || next == place {
                break;
            }
            bones.swap(place, next);
            place = next;
        }
    }
    bones
}

#[cfg(test)]
mod tests {
    use aitrace_store::conformance::{end, span_id};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_in_place_is_the_order(parents in proptest::collection::vec((0..12_u64, 0..4_i64), 1..12)) {
            let spans = parents.iter().zip(0..).map(|((parent, start), number)| {
                let mut span = end("p", 1, number);
                span.parent_span_id = (*parent != number).then(|| span_id(*parent));
                span.start = aitrace_model::Timestamp::from_nanos(*start);
                aitrace_store::StoredSpan { span, status: TraceStatus::Ok }
            });
            let spans: Vec<_> = spans.collect();
            let sorted = in_tree_order(spans.iter().map(Bone::from).collect());
            let expected: Vec<Bone> = aitrace_store::in_tree_order(spans).iter().map(Bone::from).collect();
            prop_assert_eq!(sorted, expected);
        }
    }
}
