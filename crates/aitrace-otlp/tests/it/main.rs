//! The codec against the reference and against hostile input.
