//! Batches on their way, with the room they hold, and what becomes of each.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aitrace_model::TraceId;

use crate::collect::{self, Batches};
use crate::core::{Core, Destination};
use crate::export::Batch;
use crate::hub::Hub;
use crate::lost::Lost;
use crate::prepare::Prepare;
use crate::spool::{Spool, Written};
use crate::state::State;

/// Pieces that are prepared at a time, where each stands for itself.
const PIECES_AT_ONCE: usize = 4096;

/// A batch on its way.
struct Pending {
    number: u64,
    batch: Arc<Batch>,
    /// Losses that it tells of.
    told: Lost,
}

/// What waits to be sent. The worker holds its lock while it changes it, never while it sends.
pub(crate) struct Outbox {
    hub: Arc<Hub>,
    prepare: Prepare,
    pending: VecDeque<Pending>,
    next_number: u64,
    pub(crate) spool: Option<Spool>,
    /// Why the target takes nothing now though it answers (`http_401`): then nothing is spooled.
    pub(crate) barred: Option<String>,
    /// Everything was taken out; nothing may come in any more.
    pub(crate) closed: bool,
}

impl Outbox {
    pub(crate) fn new(core: &Core, hub: Arc<Hub>) -> Self {
        Self {
            prepare: Prepare::new(core, hub.clone()),
            spool: core.options.spool.clone().map(Spool::new),
            hub,
            pending: VecDeque::new(),
            next_number: 1,
            barred: None,
            closed: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether something is held back that time alone makes ripe.
    pub(crate) fn holds(&self) -> bool {
        self.prepare.holds()
    }

    /// The number of the last batch that was put in.
    pub(crate) fn last_number(&self) -> u64 {
        self.next_number - 1
    }

    /// The batch that is next.
    pub(crate) fn front(&self) -> Option<(u64, Arc<Batch>)> {
        self.pending.front().map(|pending| (pending.number, pending.batch.clone()))
    }

    /// Takes over what has finished, with `everything` also what threads still have in hand, and what `open`
    /// adds. With `last`, nothing is held back.
    pub(crate) fn collect(
        &mut self,
        core: &Core,
        state: &State,
        (everything, last): (bool, bool),
        open: impl FnOnce(&mut Vec<collect::Piece>),
    ) {
        if self.closed {
            return;
        }
        let mut batches = Batches::new(core.options.batch_items, !core.plan.records);
        let mut pieces = Vec::new();
        for chunk in collect::finished(state, everything) {
            collect::unpack(core, &self.hub, chunk, &mut pieces);
            // After an outage there are hundreds of thousands: a list of all would be memory beside the bound.
            if pieces.len() >= PIECES_AT_ONCE && !self.prepare.decides() {
                batches.extend(self.prepare.pass(std::mem::take(&mut pieces), false));
            }
        }
        open(&mut pieces);
        batches.extend(self.prepare.pass(pieces, last));
        // What the program itself reads has these counts in `stats()`.
        let rules = matches!(core.destination, Destination::Target(..));
        for mut batch in batches.finish() {
            let told = self.hub.lost().tell(&mut batch.spans, rules);
            self.pending.push_back(Pending { number: self.next_number, batch: Arc::new(batch), told });
            self.next_number += 1;
        }
    }

    /// The next batch was accepted, but for `rejected` items.
    pub(crate) fn delivered(&mut self, rejected: u64) {
        let Some(done) = self.pop(|hub, countable| {
            let rejected = rejected.min(countable);
            hub.count_sent(countable - rejected);
            hub.count_dropped("rejected", rejected);
        }) else {
            return;
        };
        self.reuse(done);
    }

    /// The next batch is lost.
    pub(crate) fn lose(&mut self, reason: &str) {
        let Some(done) = self.pop(|hub, countable| hub.count_dropped(reason, countable)) else { return };
        let mut traces: BTreeMap<TraceId, u64> = BTreeMap::new();
        for span in done.batch.spans.iter().filter(|span| span.cell.end.is_some()) {
            *traces.entry(span.cell.body.context.trace_id).or_default() += 1;
        }
        let mut lost = self.hub.lost();
        lost.restore(done.told);
        for (trace_id, spans) in traces {
            lost.add_to_trace(trace_id, spans);
        }
    }

    /// The next batch will be tried again. What is still open is told of anew then: says whether something is.
    pub(crate) fn hold(&mut self) -> bool {
        let Some(front) = self.pending.front_mut() else { return false };
        let before = front.batch.room();
        // The worker's own reference is gone by now.
        let Some(batch) = Arc::get_mut(&mut front.batch) else { return false };
        let count = batch.spans.len();
        batch.spans.retain(|span| span.cell.end.is_some());
        let dropped = batch.spans.len() < count;
        let (items, bytes) = batch.room();
        self.hub.release(before.0 - items, before.1 - bytes);
        if front.batch.is_empty() {
            self.pending.pop_front();
        }
        dropped
    }

    /// The next batch is too large: its halves take its place, one item alone is lost.
    ///
    /// A batch of n items, one of which is too large, is sent in at most 2·⌈log₂ n⌉ + 1 requests, the refused
    /// ones counted; in 3 where that item is larger than the others together.
    pub(crate) fn split(&mut self, reason: &str) {
        if self.pending.front().is_some_and(|front| front.batch.len() < 2) {
            return self.lose(reason);
        }
        let Some(Pending { number, batch, told }) = self.pending.pop_front() else { return };
        let Ok(batch) = Arc::try_unwrap(batch) else { return };
        let (first, second) = batch.split();
        let half = |batch, told| Pending { number, batch: Arc::new(batch), told };
        self.pending.push_front(half(second, Lost::default()));
        self.pending.push_front(half(first, told));
    }

    /// Puts the next batch aside on disk; says whether there was one. With an error it stays.
    pub(crate) fn put_aside(&mut self, deadline: Option<Instant>) -> io::Result<bool> {
        let (Some(front), Some(spool)) = (self.pending.front(), &mut self.spool) else { return Ok(false) };
        let written = spool.write(&front.batch, deadline);
        if let Ok(written) = &written
            && let Some(done) = self.pop(|hub, _| count(hub, written))
        {
            self.reuse(done);
        }
        written.map(|_| true)
    }

    /// Takes the next batch out and gives its room back; `count` counts its items elsewhere.
    fn pop(&mut self, count: impl FnOnce(&Hub, u64)) -> Option<Pending> {
        let done = self.pending.pop_front()?;
        let (items, bytes) = done.batch.room();
        let moving = self.hub.moving();
        count(&self.hub, items as u64);
        self.hub.release(items, bytes);
        drop(moving);
        Some(done)
    }

    /// Gives the cells of spans that are gone back to those who begin some.
    fn reuse(&self, done: Pending) {
        if let Some(batch) = Arc::into_inner(done.batch) {
            self.hub.reuse(batch.spans.into_iter().map(|span| span.cell));
        }
    }

    /// Takes everything out for good: on disk where that is possible by the deadline, else lost and counted.
    pub(crate) fn close(&mut self, deadline: Instant) {
        self.closed = true;
        let barred = self.barred.take();
        let reason = barred.as_deref().unwrap_or("shutdown");
        let mut spools = barred.is_none() && self.spool.is_some();
        while !self.pending.is_empty() {
            if !spools {
                self.lose(reason);
                continue;
            }
            if let Err(error) = self.put_aside(Some(deadline)) {
                self.hub.note_problem(&error.to_string());
                spools = false;
            }
        }
        if let Some(spool) = &mut self.spool {
            spool.close();
        }
    }

    /// The number of the first batch that is not out; `u64::MAX` where all are.
    pub(crate) fn first_number(&self) -> u64 {
        self.pending.front().map_or(u64::MAX, |pending| pending.number)
    }

    /// How long to wait at most before the next look where nobody looks at open spans.
    pub(crate) fn patience(core: &Core) -> Duration {
        if core.options.tick.is_zero() { core.options.batch_delay } else { core.options.tick }
    }
}

fn count(hub: &Hub, written: &Written) {
    hub.count_spooled(written.items);
    hub.unspool(written.evicted_own);
    hub.count_dropped("spool_full", written.evicted_own);
    hub.count_replayed(0, written.evicted_others);
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").field("pending", &self.pending.len()).finish_non_exhaustive()
    }
}
