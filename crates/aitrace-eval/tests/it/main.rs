//! Runs through the crate's public names.

mod dataset;
mod runs;
