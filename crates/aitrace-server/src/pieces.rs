//! Decoded items on their way to the store, piece by piece: a request of any form never has more than one piece
//! of itself in memory besides its body.

use std::mem::size_of;

use aitrace_model::Span;
use aitrace_store::Batch;
use tokio::runtime::Handle;

use crate::app::App;
use crate::append::append;
use crate::error::{ApiError, Result};
use crate::memory::Reservation;

/// Bytes of decoded items that are normalised and stored at once, by estimate.
pub(crate) const PIECE: usize = 4 << 20;

/// What a batch takes in the store until it is durable, as a multiple of itself: itself and its encoded form.
const STORED: usize = 2;

/// Where pieces go. Made before the work on a body, taken apart after it.
#[derive(Debug)]
pub(crate) struct Pieces {
    app: App,
    /// The runtime, where the work on the body runs beside its threads and may wait.
    runtime: Option<Handle>,
    reservation: Reservation,
    /// Bytes in use beside the pieces: the body.
    held: usize,
    last: Batch,
    /// Items that are stored already.
    stored: usize,
    fault: Option<ApiError>,
}

/// What is left to be stored, and the memory it takes until then.
#[derive(Debug)]
pub(crate) struct Rest {
    batch: Batch,
    stored: usize,
    _reservation: Reservation,
}

impl Rest {
    /// Stores it. The number of all items of the request that are stored then.
    pub(crate) async fn store(self, app: &App) -> Result<usize> {
        let count = self.batch.spans.len() + self.batch.logs.len();
        append(app, self.batch).await?;
        Ok(self.stored + count)
    }
}

impl Pieces {
    /// `waits` says that the work runs where it may wait for the store.
    pub(crate) fn new(app: &App, waits: bool, reservation: Reservation, held: usize) -> Self {
        Self {
            app: app.clone(),
            runtime: waits.then(Handle::current),
            reservation,
            held,
            last: Batch::default(),
            stored: 0,
            fault: None,
        }
    }

    /// Items that are stored already.
    pub(crate) fn stored(&self) -> usize {
        self.stored
    }

    /// Makes sure that items of so many bytes may be normalised to so many messages. False: the work must end.
    pub(crate) fn admit(&mut self, memory: usize, messages: usize) -> bool {
        let batch = memory.saturating_add(messages.saturating_mul(size_of::<Span>()));
        let all = self.held.saturating_add(memory).saturating_add(batch.saturating_mul(STORED));
        let admitted = self.reservation.grow(all);
        self.note(admitted)
    }

    /// Stores a piece, the last one excepted, which is left to [`Pieces::finish`]. False: the work must end.
    pub(crate) fn put(&mut self, mut batch: Batch, last: bool) -> bool {
        let (Some(runtime), false) = (&self.runtime, last) else {
            if self.last.is_empty() {
                // Nearly always: nothing is copied.
                self.last = batch;
            } else {
                self.last.spans.append(&mut batch.spans);
                self.last.logs.append(&mut batch.logs);
            }
            return true;
        };
        let count = batch.spans.len() + batch.logs.len();
        let stored = runtime.block_on(append(&self.app, batch));
        if stored.is_ok() {
            self.stored += count;
        }
        self.note(stored)
    }

    /// Makes sure that so many bytes may be in use beside pieces, more than at first. False: the work must end.
    pub(crate) fn hold(&mut self, more: usize) -> bool {
        let admitted = self.reservation.grow(self.held.saturating_add(more));
        self.note(admitted)
    }

    /// Why the work has to end.
    pub(crate) fn fault(&self) -> Option<ApiError> {
        self.fault.clone()
    }

    fn note(&mut self, done: Result<()>) -> bool {
        match done {
            Ok(()) => self.fault.is_none(),
            Err(fault) => {
                self.fault = Some(fault);
                false
            }
        }
    }

    /// What is left, or why the work had to end.
    pub(crate) fn finish(self) -> Result<Rest> {
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(Rest { batch: self.last, stored: self.stored, _reservation: self.reservation }),
        }
    }
}
