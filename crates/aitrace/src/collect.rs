//! From chunks and open spans to batches.

use std::sync::Arc;
use std::time::Duration;

use aitrace_model::Phase;

use crate::core::Core;
use crate::data::{LogData, SpanData};
use crate::export::Batch;
use crate::hub::{Chunk, Item};
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
            Self::Span(span, items) => (*items, span.weight),
            Self::Log(_, weight) => (1, *weight),
        }
    }
}

/// What has finished, oldest first within each thread. Without `all`, only what threads have handed over:
/// to look at theirs disturbs them.
pub(crate) fn finished(core: &Core, state: &State, all: bool) -> Vec<Piece> {
    let shards = if all { state.shards() } else { Vec::new() };
    let last: Vec<Chunk> = shards.iter().map(|shard| shard.collect()).collect();
    // Full chunks went before the ones just taken.
    let chunks = state.hub.take_queue().into_iter().chain(last);
    let mut pieces = Vec::new();
    for mut chunk in chunks {
        unpack(core, &mut chunk, &mut pieces);
        state.hub.recycle(chunk);
    }
    pieces
}

fn unpack(core: &Core, chunk: &mut Chunk, pieces: &mut Vec<Piece>) {
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
        let end = (phase == Phase::End).then(|| cell.end.unwrap_or_else(|| cell.body.at(time, cell.ended)));
        let weight = cell.weight as usize;
        let (body, attributes) = cell.take();
        chunk.cells.push(cell);
        let identity = core.identity.clone();
        // A start is not a loss while the end is to come, so it is not counted.
        let items = usize::from(end.is_some());
        pieces.push(Piece::Span(SpanData { identity, phase, body, end, attributes, weight }, items));
    }
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
            let span = SpanData {
                identity: core.identity.clone(),
                phase: glimpse.phase,
                body: glimpse.body,
                end: None,
                attributes: glimpse.attributes,
                weight: 0,
            };
            pieces.push(Piece::Span(span, 0));
        });
    }
}

/// Batches within the bounds. With `apart`, log records do not share a batch with spans: they go elsewhere and
/// fail for other reasons.
pub(crate) fn batches(pieces: Vec<Piece>, most: usize, apart: bool) -> Vec<Batch> {
    let mut out: Vec<(Batch, usize)> = Vec::new();
    // Where spans and log records are being put.
    let (mut spans, mut logs) = (None, None);
    for piece in pieces {
        let (_, bytes) = piece.room();
        let is_log = matches!(piece, Piece::Log(..));
        let place = if is_log && apart { &mut logs } else { &mut spans };
        let fits = |index: &usize| {
            let (batch, held): &(Batch, usize) = &out[*index];
            batch.len() < most && (batch.is_empty() || held + bytes <= BATCH_BYTES)
        };
        let index = if let Some(index) = place.filter(fits) {
            index
        } else {
            out.push((Batch::default(), 0));
            out.len() - 1
        };
        *place = Some(index);
        let (batch, held) = &mut out[index];
        *held += bytes;
        match piece {
            Piece::Span(span, _) => batch.spans.push(span),
            Piece::Log(log, _) => batch.logs.push(*log),
        }
    }
    out.into_iter().map(|(batch, _)| batch).collect()
}
