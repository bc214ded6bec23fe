//! From chunks and open spans to batches.

use std::sync::Arc;
use std::time::Duration;

use aitrace_model::Phase;

use crate::core::Core;
use crate::data::{LogData, SpanData};
use crate::export::Batch;
use crate::hub::{Chunk, Hub, Item};
use crate::state::State;

/// Estimated bytes of a batch before another is begun.
const BATCH_BYTES: usize = 4 << 20;

/// Something to be exported.
pub(crate) enum Piece {
    /// A message about a span, and how many items of room it holds in the queue.
    Span(SpanData, usize),
    /// A log record, and the bytes of room it holds: masking changes its size.
    Log(Box<LogData>, usize),
}

impl Piece {
    /// The room it holds: items and bytes.
    pub(crate) fn room(&self) -> (usize, usize) {
        match self {
            Self::Span(span, items) => (*items, span.weight()),
            Self::Log(_, weight) => (1, *weight),
        }
    }
}

/// What has finished, oldest first within each thread. Without `all`, only what threads have handed over:
/// to look at theirs disturbs them.
pub(crate) fn finished(state: &State, all: bool) -> impl Iterator<Item = Chunk> {
    let shards = if all { state.shards() } else { Vec::new() };
    let last: Vec<Chunk> = shards.iter().map(|shard| shard.collect()).collect();
    // Full chunks went before the ones just taken.
    state.hub.take_queue().into_iter().chain(last)
}

/// Takes what is in a chunk, which is used again.
pub(crate) fn unpack(core: &Core, hub: &Hub, mut chunk: Chunk, pieces: &mut Vec<Piece>) {
    let time = &core.plan.time;
    pieces.reserve(chunk.items.len());
    for item in chunk.items.drain(..) {
        let (mut cell, phase) = match item {
            Item::Start(cell) => (cell, Phase::Start),
            Item::End(cell) => (cell, Phase::End),
            Item::Log(mut log) => {
                let weight = log.weight();
                log.room = weight;
                pieces.push(Piece::Log(log, weight));
                continue;
            }
        };
        cell.body.start(time);
        if phase == Phase::End && cell.end.is_none() {
            cell.end = Some(cell.body.at(time, cell.ended));
        }
        let identity = core.identity.clone();
        // A start is not a loss while the end is to come, so it is not counted.
        let items = usize::from(cell.end.is_some());
        pieces.push(Piece::Span(SpanData { identity, phase, cell }, items));
    }
    hub.recycle(chunk);
}

/// What is open and was never told of, has changed, or is due for a heartbeat.
pub(crate) fn open(
    core: &Core,
    state: &Arc<State>,
    heartbeat: Duration,
    everything: bool,
    pieces: &mut Vec<Piece>,
) {
    let now = core.plan.time.timestamp().nanos();
    let heartbeat = i64::try_from(heartbeat.as_nanos()).unwrap_or(i64::MAX);
    for shard in state.shards() {
        shard.glimpse(now, heartbeat, everything, &mut |glimpse| {
            let identity = core.identity.clone();
            let span = SpanData::open(identity, glimpse.phase, glimpse.body, glimpse.attributes);
            pieces.push(Piece::Span(span, 0));
        });
    }
}

/// Pieces on their way into batches within the bounds.
pub(crate) struct Batches {
    most: usize,
    apart: bool,
    /// Each with its bytes.
    out: Vec<(Batch, usize)>,
    /// Where spans are being put.
    spans: Option<usize>,
    /// Where log records are being put, if not there.
    logs: Option<usize>,
}

impl Batches {
    /// Batches of `most` items. With `apart`, log records do not share a batch with spans: they go elsewhere
    /// and fail for other reasons.
    pub(crate) fn new(most: usize, apart: bool) -> Self {
        Self { most, apart, out: Vec::new(), spans: None, logs: None }
    }

    pub(crate) fn extend(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            let (_, bytes) = piece.room();
            let is_log = matches!(piece, Piece::Log(..));
            let place = if is_log && self.apart { &mut self.logs } else { &mut self.spans };
            let fits = |index: &usize| {
                let (batch, held): &(Batch, usize) = &self.out[*index];
                batch.len() < self.most && (batch.is_empty() || held + bytes <= BATCH_BYTES)
            };
            let index = if let Some(index) = place.filter(fits) {
                index
            } else {
                self.out.push((Batch::default(), 0));
                self.out.len() - 1
            };
            *place = Some(index);
            let (batch, held) = &mut self.out[index];
            *held += bytes;
            match piece {
                Piece::Span(span, _) => batch.spans.push(span),
                Piece::Log(log, _) => batch.logs.push(*log),
            }
        }
    }

    pub(crate) fn finish(self) -> impl Iterator<Item = Batch> {
        self.out.into_iter().map(|(batch, _)| batch)
    }
}
