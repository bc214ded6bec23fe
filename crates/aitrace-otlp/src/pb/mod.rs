//! OTLP protobuf.

mod encode;
mod request;
mod span;
mod value;

pub use encode::encode_traces;
pub(crate) use request::decode_traces;
