//! Protobuf's wire format: varints, fixed-width integers, length-delimited fields.

mod reader;
mod writer;

pub(crate) use reader::{Reader, Tag};
pub(crate) use writer::Writer;

/// Wire types (protobuf.dev/programming-guides/encoding).
pub(crate) const VARINT: u8 = 0;
pub(crate) const FIXED64: u8 = 1;
pub(crate) const LENGTH: u8 = 2;
pub(crate) const FIXED32: u8 = 5;
