//! Mutated input for every decoder, on the stable toolchain.
//!
//! A [`Target`] is a decoder with seeds, which are good input, and a law that must hold for any bytes.
//! [`Mutator`] makes any number of inputs of the seeds, the same for the same number to begin with: a failure is
//! repeated by its round. The tests run each target for a moment, `cargo xtask soak` for minutes; what was found
//! becomes a test of the decoder's own crate.

mod mutate;
mod otlp;
mod record;
mod table;

pub use mutate::Mutator;

/// A decoder and what must hold of it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What is read.
    pub name: &'static str,
    /// Good input.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Panics where a law is broken.
    pub law: fn(&[u8]),
    /// Reads the bytes and nothing else: what is allocated meanwhile is measured.
    pub read: fn(&[u8]),
    /// Bytes that reading may allocate for each byte of input, beside a quarter of a MiB.
    pub growth: usize,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    otlp::PROTOBUF,
    otlp::SALVAGE,
    otlp::JSON,
    otlp::PROTOBUF_LOGS,
    otlp::JSON_LOGS,
    record::RECORD,
    record::LINES,
    record::ARRAY,
    record::FORMAT_1,
    table::PRICES,
];
