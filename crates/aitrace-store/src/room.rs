//! Memory with a bound that several kinds of work share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{ErrorKind, Result, StoreError};

/// Memory that its owner keeps account of. Whoever works within it takes before it uses, and gives back what it has
/// freed.
pub trait Room: Send + Sync + fmt::Debug {
    /// Takes so many bytes more. Fails with [`ErrorKind::Overloaded`] where they cannot be had, and takes nothing then;
    /// the text names the bound that was met.
    fn take(&self, bytes: usize) -> Result<()>;

    /// Takes bytes that are in use already, whether they can be had or not.
    fn take_anyway(&self, bytes: usize);

    /// Gives back bytes that were taken.
    fn give_back(&self, bytes: usize);
}

/// So many bytes and no more.
#[derive(Debug)]
pub struct FixedRoom {
    most: usize,
    taken: AtomicUsize,
}

impl FixedRoom {
    /// Room for so many bytes.
    pub fn new(most: usize) -> Self {
        Self { most, taken: AtomicUsize::new(0) }
    }

    /// What is taken now, bytes.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Room for FixedRoom {
    fn take(&self, bytes: usize) -> Result<()> {
        let more = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= self.most);
        match self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(()),
            Err(_) => Err(full(self.most)),
        }
    }

    fn take_anyway(&self, bytes: usize) {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The error of work that needs more than `most` bytes.
fn full(most: usize) -> StoreError {
    let text = format!("it needs more than the {} MiB of memory that it may take", most >> 20);
    StoreError::new(ErrorKind::Overloaded, text)
}

/// Bytes that were taken; given back on drop.
#[derive(Debug)]
pub struct Taken {
    room: Arc<dyn Room>,
    bytes: usize,
}

impl Taken {
    /// Nothing, of a room.
    pub fn nothing(room: Arc<dyn Room>) -> Self {
        Self { room, bytes: 0 }
    }

    /// The room.
    pub fn room(&self) -> &Arc<dyn Room> {
        &self.room
    }

    /// Takes so many bytes more. Fails as [`Room::take`] does.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        self.room.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Leaves what was taken with the room's owner, who knows when it is free.
    pub fn leave(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_never_overfull_and_gets_back_what_was_taken() {
        let room = Arc::new(FixedRoom::new(10));
        let mut one = Taken::nothing(room.clone());
        one.grow(6).unwrap();
        let mut other = Taken::nothing(room.clone());
        assert_eq!(other.grow(5).unwrap_err().kind(), ErrorKind::Overloaded);
        assert_eq!(other.grow(usize::MAX).unwrap_err().kind(), ErrorKind::Overloaded);
        other.grow(4).unwrap();
        assert_eq!(room.taken(), 10);
        drop(one);
        assert_eq!(room.taken(), 4);
        other.leave();
        assert_eq!(room.taken(), 4, "its owner's now");
    }
}
