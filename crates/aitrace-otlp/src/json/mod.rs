//! OTLP/JSON (opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
//!
//! As the specification has it, ids are hex and enums may be numbers; field names in snake_case,
//! enums by name, 64-bit integers as numbers, and null for an unset field are read as well.

mod encode;
mod message;
mod request;
mod scalar;
mod span;
mod value;

pub use encode::encode_traces_json;
pub(crate) use request::decode_traces;
