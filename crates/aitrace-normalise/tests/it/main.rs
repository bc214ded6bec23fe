//! Dialects against fixtures, and the way of records.

mod chat;
mod fixtures;
mod laws;
mod logs;
mod pinned;
mod record;
