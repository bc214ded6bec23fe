//! The engine's memory as part of somebody's room.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aitrace_store::{ErrorKind, Room, StoreError};
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryPool, MemoryReservation};
use parking_lot::Mutex;

use crate::faults;

/// A statement that met a bound.
pub(super) fn too_much(met: &str) -> StoreError {
    let text =
        format!("the statement needs too much: {met}; narrow it by project or time, or name fewer columns");
    StoreError::new(ErrorKind::Overloaded, text)
}

/// What the steps of one statement keep: tables of groups and joins, rows to be sorted.
#[derive(Debug)]
pub(super) struct Pool {
    room: Arc<dyn Room>,
    reserved: AtomicUsize,
    /// Why the last request was refused: steps that would write to disk then say only that they may not.
    refused: Mutex<Option<String>>,
}

impl Pool {
    pub(super) fn new(room: Arc<dyn Room>) -> Self {
        Self { room, reserved: AtomicUsize::new(0), refused: Mutex::default() }
    }

    /// An error of the engine, by the bound that was met where it is one of memory.
    pub(super) fn explain(&self, error: DataFusionError) -> StoreError {
        let error = faults::query(error);
        match self.refused.lock().take() {
            Some(text) if error.kind() == ErrorKind::Overloaded => too_much(&text).with_source(error),
            _ => error,
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &'static str {
        "statement"
    }

    fn grow(&self, _reservation: &MemoryReservation, additional: usize) {
        self.room.take_anyway(additional);
        self.reserved.fetch_add(additional, Ordering::Relaxed);
    }

    fn shrink(&self, _reservation: &MemoryReservation, shrink: usize) {
        self.reserved.fetch_sub(shrink, Ordering::Relaxed);
        self.room.give_back(shrink);
    }

    fn try_grow(&self, _reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let taken = self.room.take(additional);
        taken.map_err(|error| {
            *self.refused.lock() = Some(error.to_string());
            DataFusionError::ResourcesExhausted(error.to_string())
        })?;
        self.reserved.fetch_add(additional, Ordering::Relaxed);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.reserved.load(Ordering::Relaxed)
    }
}
