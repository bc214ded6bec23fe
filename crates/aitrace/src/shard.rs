//! What one thread has in hand of one tracer: its open spans, and a chunk of finished ones.
//!
//! The thread comes all the time and by the lock's short way; now and then the worker comes, rarely a thread
//! that ends a span of another. Nothing of the user's runs while the lock is held.

use std::sync::Arc;

use aitrace_model::Phase;

use crate::context::{Mark, Place};
use crate::data::{Attribute, Body, Cell, LogData};
use crate::hub::{Chunk, Credit, Hub, Item};
use crate::lock::{BiasedLock, Owner};
use crate::ticks::{Tick, TimeSource};

/// Open spans that the worker looks at before it lets go of the lock.
const SLICE: usize = 64;

/// A place for an open span.
#[derive(Debug, Default)]
struct Slot {
    /// Odd while a span is open here. It grows with each start and each end, so that it names one span.
    generation: u32,
    /// Whether the span has changed since the worker told of it.
    changed: bool,
    /// When the worker last told of it.
    told: Option<i64>,
    cell: Box<Cell>,
}

/// A span that is still open, as the worker tells of it.
pub(crate) struct Glimpse {
    pub(crate) phase: Phase,
    pub(crate) body: Body,
    pub(crate) attributes: Vec<Attribute>,
}

/// One thread's part of one tracer.
pub(crate) type Shard = BiasedLock<Head, Inner>;

/// A shard in the hands of its thread.
pub(crate) type Own = Owner<Head, Inner>;

/// What never changes about a shard.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) hub: Arc<Hub>,
    pub(crate) time: TimeSource,
    pub(crate) key: u64,
    pub(crate) number: u32,
    /// Whether starts are written at once.
    pub(crate) records: bool,
}

/// What changes about a shard.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    slots: Vec<Slot>,
    free: Vec<u32>,
    chunk: Chunk,
    credit: Credit,
    /// The worker found nothing here and may sleep: the next to come has to ring.
    quiet: bool,
}

impl Shard {
    /// A shard without an owner.
    pub(crate) fn of(head: Head) -> Self {
        let chunk = head.hub.spare();
        Self::new(head, Inner { chunk, quiet: true, ..Inner::default() })
    }

    /// Takes what has finished, and gives unused credit back.
    pub(crate) fn collect(&self) -> Chunk {
        let spare = self.hub.spare();
        let _moving = self.hub.moving();
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
        let quiet = (!live || inner.none_open()) && inner.chunk.items.is_empty();
        inner.quiet = quiet;
        quiet
    }

    /// Whether nothing is left here and nobody owns it.
    pub(crate) fn is_done(&self) -> bool {
        if self.is_owned() {
            return false;
        }
        let inner = self.lock();
        inner.none_open() && inner.chunk.items.is_empty()
    }

    /// Credit that is not used.
    pub(crate) fn unused(&self) -> usize {
        self.lock().credit.items
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
                .filter_map(|slot| slot.glimpse(&self.time, now, heartbeat, everything))
                .collect();
            drop(inner);
            slice.into_iter().for_each(&mut *show);
            from = until;
        }
    }
}

impl Slot {
    fn is_open(&self) -> bool {
        !self.generation.is_multiple_of(2)
    }

    fn glimpse(&mut self, time: &TimeSource, now: i64, heartbeat: i64, everything: bool) -> Option<Glimpse> {
        if !self.is_open() {
            return None;
        }
        let due = self.told.is_none_or(|told| now.saturating_sub(told) >= heartbeat);
        if !(due || self.changed || everything) {
            return None;
        }
        let phase = if self.told.is_none() { Phase::Start } else { Phase::Heartbeat };
        self.told = Some(now);
        self.changed = false;
        // All that is said of a span says the same start.
        self.cell.body.start(time);
        Some(Glimpse { phase, body: self.cell.body.clone(), attributes: self.cell.attributes.clone() })
    }
}

impl Inner {
    /// A place for a span that begins, with an empty cell. [`Inner::opened`] is to follow.
    #[inline]
    pub(crate) fn open(&mut self, head: &Head) -> (Place, &mut Cell) {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.add_slot(),
        };
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.changed = false;
        slot.told = None;
        let generation = slot.generation;
        let place = Place { key: head.key, shard: head.number, slot: index, generation, mark: Mark::Set };
        (place, &mut slot.cell)
    }

    /// The cell is filled.
    #[inline]
    pub(crate) fn opened(&mut self, head: &Head, place: &Place) {
        if head.records || self.quiet {
            self.announce(head, place.slot);
        }
    }

    #[cold]
    fn add_slot(&mut self) -> u32 {
        self.slots.push(Slot::default());
        self.slots.len() as u32 - 1
    }

    /// A start that somebody has to hear of: the worker sleeps, or writes starts at once.
    #[cold]
    fn announce(&mut self, head: &Head, index: u32) {
        self.quiet = false;
        if head.records {
            let slot = &mut self.slots[index as usize];
            slot.told = Some(slot.cell.body.start(&head.time));
            let Cell { body, attributes, .. } = &*slot.cell;
            let mut cell = Cell { body: body.clone(), attributes: attributes.clone(), ..Cell::default() };
            let weight = cell.weigh();
            // What does not fit is only missed until the span's end.
            if pay(&mut self.credit, &head.hub, 0, weight) {
                cell.weight = narrow(weight);
                self.chunk.push(Item::Start(Box::new(cell)), weight);
            }
        }
        head.hub.ring(head.records);
    }

    /// Ends a span; false where it has ended before. `last` changes it for the last time.
    #[inline]
    pub(crate) fn close(
        &mut self,
        head: &Head,
        place: &Place,
        (tick, end): (Tick, Option<i64>),
        last: impl FnOnce(&mut Body),
    ) -> bool {
        let Some(slot) = self.slots.get_mut(place.slot as usize) else { return false };
        if slot.generation != place.generation {
            return false;
        }
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(place.slot);
        let cell = &mut *slot.cell;
        cell.ended = tick;
        if end.is_some() {
            cell.end = end;
        }
        last(&mut cell.body);
        let weight = cell.weigh();
        cell.weight = narrow(weight);
        if !pay(&mut self.credit, &head.hub, 1, weight) {
            let trace_id = cell.body.context.trace_id;
            cell.clear();
            head.hub.lose_span(trace_id, "queue_full");
            return true;
        }
        let fresh = self.chunk.cells.pop().unwrap_or_default();
        let full = std::mem::replace(&mut slot.cell, fresh);
        self.chunk.push(Item::End(full), weight);
        if self.chunk.is_full() {
            self.hand_over(head);
        }
        if head.records || self.quiet {
            self.quiet = false;
            head.hub.ring(head.records);
        }
        true
    }

    #[cold]
    fn hand_over(&mut self, head: &Head) {
        let left = std::mem::take(&mut self.chunk.cells);
        self.chunk = head.hub.hand_over(std::mem::take(&mut self.chunk));
        if self.chunk.cells.is_empty() {
            self.chunk.cells = left;
        }
    }

    /// Changes an open span; `None` where it has ended.
    #[inline]
    pub(crate) fn change<R>(
        &mut self,
        place: &Place,
        change: impl FnOnce(&mut Body, &mut Vec<Attribute>) -> R,
    ) -> Option<R> {
        let slot = self.slots.get_mut(place.slot as usize)?;
        if slot.generation != place.generation {
            return None;
        }
        slot.changed = true;
        Some(change(&mut slot.cell.body, &mut slot.cell.attributes))
    }

    /// A copy of an open span; `None` where it has ended.
    pub(crate) fn peek(&mut self, head: &Head, place: &Place) -> Option<(Body, Vec<Attribute>)> {
        let slot = self.slots.get_mut(place.slot as usize)?;
        if slot.generation != place.generation {
            return None;
        }
        slot.cell.body.start(&head.time);
        Some((slot.cell.body.clone(), slot.cell.attributes.clone()))
    }

    /// Queues a log record.
    pub(crate) fn log(&mut self, head: &Head, log: Box<LogData>) {
        let weight = log.weight();
        if pay(&mut self.credit, &head.hub, 1, weight) {
            self.chunk.push(Item::Log(log), weight);
            self.quiet = false;
        } else {
            head.hub.count_dropped("queue_full", 1);
        }
        head.hub.ring(true);
    }

    /// Whether something has finished that the worker has not taken.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.chunk.items.is_empty()
    }

    fn none_open(&self) -> bool {
        self.free.len() == self.slots.len()
    }
}

fn narrow(weight: usize) -> u32 {
    u32::try_from(weight).unwrap_or(u32::MAX)
}

/// Pays from the credit, which is extended where it does not suffice.
#[inline]
fn pay(credit: &mut Credit, hub: &Hub, items: usize, weight: usize) -> bool {
    credit.pay(items, weight) || {
        hub.extend(credit, weight);
        credit.pay(items, weight)
    }
}
