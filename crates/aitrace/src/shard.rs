//! What one thread has in hand of one tracer: its open spans, and a chunk of finished ones.
//!
//! The lock is taken by the owning thread, now and then by the worker, rarely by a thread that ends a span
//! of another: it is almost never contended. Nothing of the user's runs while it is held.

use std::sync::Arc;

use crate::lock::{QuickGuard, QuickLock};
use aitrace_model::Phase;

use crate::context::Place;
use crate::data::{Attribute, Body, LogData, attributes_heap};
use crate::hub::{Chunk, Credit, Hub, Item};
use crate::ticks::TimeSource;

/// Attributes for which a slot keeps room when its span has gone.
const KEPT_ATTRIBUTES: usize = 64;
/// Open spans that the worker looks at before it lets go of the lock.
const SLICE: usize = 64;

/// An open span.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    generation: u32,
    /// When the worker last told of it.
    told: Option<i64>,
    /// Whether it has changed since.
    changed: bool,
    pub(crate) body: Option<Body>,
    pub(crate) attributes: Vec<Attribute>,
}

/// A span that is still open, as the worker tells of it.
pub(crate) struct Glimpse {
    pub(crate) phase: Phase,
    pub(crate) body: Body,
    pub(crate) attributes: Vec<Attribute>,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    slots: Vec<Slot>,
    free: Vec<u32>,
    pub(crate) chunk: Chunk,
    credit: Credit,
    /// The worker found nothing here and may sleep: the next to come has to ring.
    quiet: bool,
    /// The owning thread has ended; another may take over.
    pub(crate) orphan: bool,
}

/// One thread's part of one tracer.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) hub: Arc<Hub>,
    pub(crate) time: TimeSource,
    pub(crate) key: u64,
    pub(crate) number: u32,
    /// Whether starts are written at once.
    pub(crate) records: bool,
    inner: QuickLock<Inner>,
}

impl Shard {
    pub(crate) fn new(hub: Arc<Hub>, time: TimeSource, key: u64, number: u32, records: bool) -> Self {
        let chunk = hub.spare();
        let inner = QuickLock::new(Inner { chunk, quiet: true, ..Inner::default() });
        Self { hub, time, key, number, records, inner }
    }

    #[inline]
    pub(crate) fn lock(&self) -> QuickGuard<'_, Inner> {
        self.inner.lock()
    }

    /// Keeps a span that has begun. The body is made in its place, which saves copies of it.
    #[inline]
    pub(crate) fn open(&self, attributes: &mut Vec<Attribute>, body: impl FnOnce() -> Body) -> Place {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let index = inner.free_slot();
        let slot = &mut inner.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1).max(1);
        slot.changed = false;
        slot.told = None;
        let body = slot.body.insert(body());
        if self.records {
            slot.told = Some(body.start);
            push_start(&mut inner.chunk, &mut inner.credit, &self.hub, body, attributes);
        }
        if !attributes.is_empty() {
            slot.attributes.append(attributes);
        }
        let generation = slot.generation;
        let ring = std::mem::take(&mut inner.quiet);
        drop(guard);
        if ring || self.records {
            self.hub.ring(self.records);
        }
        Place { key: self.key, shard: self.number, slot: index, generation }
    }

    /// Ends a span; false where it has ended before.
    #[inline]
    pub(crate) fn close(&self, place: Place, end: Option<i64>, last: impl FnOnce(&mut Body)) -> bool {
        let mut inner = self.lock();
        let Some(slot) = inner.slot(place) else { return false };
        let Some(body) = slot.body.as_mut() else { return false };
        last(body);
        let end = end.unwrap_or_else(|| body.start.saturating_add(self.time.elapsed(body.begun)));
        let ring = inner.finish(&self.hub, place.slot, end) || self.records;
        drop(inner);
        if ring {
            self.hub.ring(self.records);
        }
        true
    }

    /// Changes an open span; `None` where it has ended.
    #[inline]
    pub(crate) fn change<R>(
        &self,
        place: Place,
        change: impl FnOnce(&mut Body, &mut Vec<Attribute>) -> R,
    ) -> Option<R> {
        let mut inner = self.lock();
        let slot = inner.slot(place)?;
        slot.changed = true;
        Some(change(slot.body.as_mut()?, &mut slot.attributes))
    }

    /// A copy of an open span; `None` where it has ended.
    pub(crate) fn peek(&self, place: Place) -> Option<(Body, Vec<Attribute>)> {
        let mut inner = self.lock();
        let slot = inner.slot(place)?;
        Some((slot.body.clone()?, slot.attributes.clone()))
    }

    /// Queues a log record.
    pub(crate) fn log(&self, log: Box<LogData>) {
        let mut inner = self.lock();
        let weight = log.weight();
        let guard = &mut *inner;
        if pay(&mut guard.credit, &self.hub, 1, weight) {
            inner.chunk.push(Item::Log(log), weight);
            inner.quiet = false;
        } else {
            self.hub.count_dropped("queue_full", 1);
        }
        drop(inner);
        self.hub.ring(true);
    }

    /// Takes what has finished, and gives unused credit back.
    pub(crate) fn collect(&self) -> Chunk {
        let spare = self.hub.spare();
        let mut inner = self.lock();
        let credit = std::mem::take(&mut inner.credit);
        let chunk = std::mem::replace(&mut inner.chunk, spare);
        drop(inner);
        self.hub.release(credit.items, credit.bytes);
        chunk
    }

    /// Marks this shard as quiet if nothing is open and nothing waits; says whether it is.
    /// Where nobody looks at open spans (`live` is false), they do not count.
    pub(crate) fn settle(&self, live: bool) -> bool {
        let mut inner = self.lock();
        let none_open = !live || inner.free.len() == inner.slots.len();
        let quiet = none_open && inner.chunk.items.is_empty();
        inner.quiet = quiet;
        quiet
    }

    /// Whether nothing is left here and nobody owns it.
    pub(crate) fn is_done(&self) -> bool {
        let inner = self.lock();
        inner.orphan && inner.free.len() == inner.slots.len() && inner.chunk.items.is_empty()
    }

    /// Items that are finished and still here, and credit that is not used.
    pub(crate) fn load(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.chunk.items.len(), inner.credit.items)
    }

    /// Shows the open spans that were never told of, have changed since, or are due for a heartbeat.
    ///
    /// The lock is let go of after each slice, so that the owner never waits for a walk over all.
    pub(crate) fn glimpse(&self, now: i64, heartbeat: i64, everything: bool, show: &mut dyn FnMut(Glimpse)) {
        let mut from = 0;
        loop {
            let mut inner = self.lock();
            let until = inner.slots.len().min(from + SLICE);
            if from >= until {
                return;
            }
            let slice: Vec<Glimpse> = inner.slots[from..until]
                .iter_mut()
                .filter_map(|slot| slot.glimpse(now, heartbeat, everything))
                .collect();
            drop(inner);
            slice.into_iter().for_each(&mut *show);
            from = until;
        }
    }
}

impl Slot {
    fn glimpse(&mut self, now: i64, heartbeat: i64, everything: bool) -> Option<Glimpse> {
        let body = self.body.as_ref()?;
        let due = self.told.is_none_or(|told| now.saturating_sub(told) >= heartbeat);
        if !(due || self.changed || everything) {
            return None;
        }
        let phase = if self.told.is_none() { Phase::Start } else { Phase::Heartbeat };
        self.told = Some(now);
        self.changed = false;
        Some(Glimpse { phase, body: body.clone(), attributes: self.attributes.clone() })
    }
}

impl Inner {
    /// The slot of an open span.
    #[inline]
    fn slot(&mut self, place: Place) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(place.slot as usize)?;
        (slot.generation == place.generation && slot.body.is_some()).then_some(slot)
    }

    #[inline]
    fn free_slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        })
    }

    /// Moves a span from its slot to the chunk; says whether to ring.
    #[inline]
    fn finish(&mut self, hub: &Hub, index: u32, end: i64) -> bool {
        let slot = &mut self.slots[index as usize];
        // Moved out without a stop on the way: a span is two cache lines.
        let Some(body) = slot.body.take() else { return false };
        self.free.push(index);
        let weight = body.weight() + attributes_heap(&slot.attributes);
        if !pay(&mut self.credit, hub, 1, weight) {
            hub.count_dropped("queue_full", 1);
            slot.attributes.clear();
            return false;
        }
        let count = slot.attributes.len() as u32;
        self.chunk.push(Item::End(body, count, end), weight);
        if count > 0 {
            self.chunk.attributes.append(&mut slot.attributes);
            if slot.attributes.capacity() > KEPT_ATTRIBUTES {
                slot.attributes = Vec::new();
            }
        }
        if self.chunk.is_full() {
            self.chunk = hub.hand_over(std::mem::take(&mut self.chunk));
        }
        std::mem::take(&mut self.quiet)
    }
}

/// Tells of a start at once. What does not fit is only missed until the span's end.
fn push_start(chunk: &mut Chunk, credit: &mut Credit, hub: &Hub, body: &Body, attributes: &[Attribute]) {
    let weight = body.weight() + attributes_heap(attributes);
    if pay(credit, hub, 0, weight) {
        chunk.attributes.extend_from_slice(attributes);
        chunk.push(Item::Start(body.clone(), attributes.len() as u32), weight);
    }
}

/// Pays from the credit, which is extended where it does not suffice.
#[inline]
fn pay(credit: &mut Credit, hub: &Hub, items: usize, weight: usize) -> bool {
    credit.pay(items, weight) || {
        hub.extend(credit, weight);
        credit.pay(items, weight)
    }
}
