//! One budget of bytes for all requests: reserved before memory is used, given back when a request is over.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{ApiError, Kind, Result};

/// Permits are KiB, so that they fit a `u32` up to 4 TiB.
const UNIT: usize = 1024;

/// The budget.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    permits: Arc<Semaphore>,
    total: u32,
}

/// A part of the budget; given back on drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    memory: Memory,
    permit: OwnedSemaphorePermit,
}

impl Memory {
    pub(crate) fn new(bytes: usize) -> Self {
        let total = units(bytes).max(1);
        Self { permits: Arc::new(Semaphore::new(total as usize)), total }
    }

    /// Reserves, or refuses at once: a waiting request would hold its connection and its sender's memory.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Reservation> {
        let permit = self.take(units(bytes))?;
        Ok(Reservation { memory: self.clone(), permit })
    }

    fn take(&self, units: u32) -> Result<OwnedSemaphorePermit> {
        // A request that is larger than the budget may have all of it: else it could never be served.
        let units = units.min(self.total);
        Arc::clone(&self.permits).try_acquire_many_owned(units).map_err(|_| {
            ApiError::new(
                Kind::Overloaded,
                "too much is being received at once",
                "Nothing was acknowledged: send it again later, in smaller batches.",
            )
        })
    }

    /// The budget and what of it is reserved, bytes.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let total = self.total as usize;
        (total * UNIT, total.saturating_sub(self.permits.available_permits()) * UNIT)
    }

    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.permits.available_permits() * UNIT
    }
}

impl Reservation {
    /// Makes the reservation at least `bytes` large.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<()> {
        let wanted = units(bytes).min(self.memory.total);
        let held = self.permit.num_permits() as u32;
        if wanted > held {
            self.permit.merge(self.memory.take(wanted - held)?);
        }
        Ok(())
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_given_back() {
        let memory = Memory::new(10 * UNIT);
        let mut first = memory.reserve(4 * UNIT).unwrap();
        let second = memory.reserve(1).unwrap();
        assert_eq!(memory.free(), 5 * UNIT);
        first.grow(9 * UNIT).unwrap();
        assert_eq!(memory.free(), 0);
        first.grow(2 * UNIT).unwrap();
        assert_eq!(memory.reserve(1).unwrap_err().kind(), Kind::Overloaded);
        assert_eq!(first.grow(10 * UNIT).unwrap_err().kind(), Kind::Overloaded);
        drop(second);
        first.grow(10 * UNIT).unwrap();
        drop(first);
        assert_eq!(memory.free(), 10 * UNIT);
    }

    #[test]
    fn one_request_may_have_everything_and_nothing_overflows() {
        let memory = Memory::new(2 * UNIT);
        let all = memory.reserve(usize::MAX).unwrap();
        assert_eq!(memory.free(), 0);
        drop(all);
        assert_eq!(memory.free(), 2 * UNIT);
    }
}
