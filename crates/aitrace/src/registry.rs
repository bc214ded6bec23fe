//! All tracers of the process, by weak references: how free functions find theirs.
//!
//! This is the one thing that tracers share. It keeps nothing alive.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, MutexGuard, Weak};

use crate::lock::Mutex;

use crate::context::Place;
use crate::core::{Alive, Core};
use crate::fork;
use crate::shard::Shard;
use crate::state::State;

/// A tracer that may be gone. Its core outlives it while its last spans are sent.
#[derive(Debug, Clone)]
struct Entry {
    number: u32,
    core: Weak<Core>,
    alive: Weak<Alive>,
}

#[derive(Debug)]
struct Table {
    entries: Vec<Entry>,
    default: Option<Weak<Alive>>,
}

static TABLE: Mutex<Table> = Mutex::new(Table { entries: Vec::new(), default: None });
static NUMBERS: AtomicU32 = AtomicU32::new(1);

/// A number for a new tracer: never 0, never given twice.
pub(crate) fn next_number() -> u32 {
    fork::install(before_fork, after_fork);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// Makes a tracer known.
pub(crate) fn add(alive: &Arc<Alive>) {
    let mut table = TABLE.lock();
    table.entries.retain(|entry| entry.core.strong_count() > 0);
    let entry =
        Entry { number: alive.0.number(), core: Arc::downgrade(&alive.0), alive: Arc::downgrade(alive) };
    table.entries.push(entry);
}

/// The tracer that free functions use where the context names none.
pub(crate) fn set_default(alive: Option<&Arc<Alive>>) {
    TABLE.lock().default = alive.map(Arc::downgrade);
}

/// The tracer with this number.
pub(crate) fn by_number(number: u32) -> Option<Arc<Alive>> {
    let table = TABLE.lock();
    let entry = table.entries.iter().find(|entry| entry.number == number)?;
    entry.alive.upgrade()
}

/// The tracer with this id.
pub(crate) fn by_id(tracer_id: &str) -> Option<Arc<Alive>> {
    living().into_iter().find(|alive| alive.0.identity.tracer_id.as_ref() == tracer_id)
}

/// The default tracer, else the oldest that is there.
pub(crate) fn default() -> Option<Arc<Alive>> {
    let set = TABLE.lock().default.as_ref().and_then(Weak::upgrade);
    set.or_else(|| living().into_iter().next())
}

/// All tracers that are there or still sending, oldest first; none if the table is held by a thread that is
/// gone.
pub(crate) fn cores() -> Vec<Arc<Core>> {
    let Some(table) = TABLE.lock_soon() else { return Vec::new() };
    table.entries.iter().filter_map(|entry| entry.core.upgrade()).collect()
}

/// All tracers that are there, oldest first.
fn living() -> Vec<Arc<Alive>> {
    // Upgraded under the lock, dropped outside of it: dropping the last reference takes other locks.
    let table = TABLE.lock();
    let living = table.entries.iter().filter_map(|entry| entry.alive.upgrade()).collect();
    drop(table);
    living
}

/// The shard that holds a span of this process, whosever thread it belongs to.
pub(crate) fn shard(place: &Place) -> Option<Arc<Shard>> {
    let number = (place.key >> 32) as u32;
    let table = TABLE.lock();
    let core = table.entries.iter().find(|entry| entry.number == number)?.core.upgrade();
    drop(table);
    let core = core?;
    if place.key != State::key(number) {
        return None;
    }
    core.state().shard(place.shard)
}

thread_local! {
    /// The table's lock while this thread forks, so that the child finds the table whole and unlocked.
    static HELD: Cell<Option<MutexGuard<'static, Table>>> = const { Cell::new(None) };
}

extern "C" fn before_fork() {
    // While the thread is being torn down nothing is held; a fork at that point takes the risk.
    HELD.try_with(|held| held.set(Some(TABLE.lock()))).unwrap_or_default();
}

extern "C" fn after_fork() {
    drop(HELD.try_with(Cell::take));
}
