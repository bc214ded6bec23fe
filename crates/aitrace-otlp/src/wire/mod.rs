//! Protobuf's wire format: varints, fixed-width integers, length-delimited fields.

mod reader;
mod writer;
