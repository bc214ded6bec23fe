//! Between batching and exporting: what every finished span and log record passes, whatever its target.
//!
//! All that leaves the process has come through [`Prepare::pass`]: requests, files, the spool, the page made
//! from it, the memory target. Rules that drop, change or mask belong here and nowhere else.

use std::sync::Arc;

use crate::collect::Piece;
use crate::core::Core;
use crate::hub::Hub;

/// The rules of one tracer in one process, with what they hold back.
pub(crate) struct Prepare {
    hub: Arc<Hub>,
}

impl Prepare {
    pub(crate) fn new(_core: &Core, hub: Arc<Hub>) -> Self {
        Self { hub }
    }

    /// What goes on of `pieces`, and what was held back and is ripe now. With `last`, nothing may be held
    /// back: no other call follows, or a flush waits.
    ///
    /// What does not go on gives its room back and is counted: [`Prepare::drop_piece`].
    #[expect(clippy::unused_self, reason = "rules hold state")]
    pub(crate) fn pass(&mut self, pieces: Vec<Piece>, _last: bool) -> Vec<Piece> {
        pieces
    }

    /// Lets go of a piece for `reason`, counted.
    #[expect(dead_code, reason = "for rules that drop")]
    pub(crate) fn drop_piece(&self, piece: &Piece, reason: &str) {
        let (items, bytes) = piece.room();
        self.hub.count_dropped(reason, items as u64);
        self.hub.release(items, bytes);
    }
}
