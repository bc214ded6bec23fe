//! Stage: view. In: changes as a store tells them. Out: the events of the live stream, numbered and kept for a while.
//!
//! One task, the hub, takes the store's changes, adds what they leave out (losses)
//! and puts events into a ring that all readers read, each from its own place. So a reader that comes back finds
//! what it missed, a slow one costs nobody anything, and where nobody reads nothing is done.

mod event;
mod hub;
mod losses;
mod ring;

pub(crate) use event::Event;
pub(crate) use hub::{Hub, Presence, open};
pub(crate) use ring::Read;
