//! Real time, which waiting is measured by.

use std::time::Instant;

/// The moment now in real time: what waiting is measured by.
#[expect(clippy::disallowed_methods, reason = "real time is what waiting is measured by")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}
