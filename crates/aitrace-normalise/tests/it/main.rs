//! Dialects against fixtures, and the way of records.

mod fixtures;
mod record;
mod speed;
