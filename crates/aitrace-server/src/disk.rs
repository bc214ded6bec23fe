//! The disk of the store, as far as the server needs to know it.

use std::fmt::Debug;
use std::io;

/// Tells how much room is left.
pub trait Disk: Send + Sync + Debug + 'static {
    /// Free bytes.
    fn free(&self) -> io::Result<u64>;
}
