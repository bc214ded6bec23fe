//! What the worker shares with a thread that shuts its tracer down.

use std::sync::{MutexGuard, Weak};
use std::time::Instant;

use crate::core::Core;
use crate::lock::Mutex;
use crate::outbox::Outbox;
use crate::page;
use crate::state::{Rescue, State};

/// The outbox and its lock.
#[derive(Debug)]
pub(crate) struct Desk {
    core: Weak<Core>,
    outbox: Mutex<Outbox>,
}

impl Desk {
    pub(crate) fn new(core: Weak<Core>, outbox: Outbox) -> Self {
        Self { core, outbox: Mutex::new(outbox) }
    }

    pub(crate) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock()
    }
}

impl Rescue for Desk {
    fn rescue(&self, state: &State, deadline: Instant) {
        let Some(core) = self.core.upgrade() else { return };
        // The worker holds it for moments, unless it writes to a slow disk.
        let Some(mut outbox) = self.outbox.lock_until(deadline) else { return };
        if outbox.closed {
            return;
        }
        outbox.collect(&core, state, (true, true), |_| {});
        outbox.close(deadline);
        let files = outbox.spool.as_ref().map(crate::spool::Spool::own_paths).unwrap_or_default();
        drop(outbox);
        page::write(&core, &state.hub, &files);
    }
}
