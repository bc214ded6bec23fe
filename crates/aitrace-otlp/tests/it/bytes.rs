//! Requests made by hand, where the reference's types cannot say what is wrong.

use aitrace_otlp::{Decoded, Encoding, Limits, decode_traces};
use prost::encoding::encode_varint;

pub(crate) const TRACE: [u8; 16] = [1; 16];
pub(crate) const SPAN: [u8; 8] = [2; 8];

/// A length-delimited field.
pub(crate) fn field(number: u64, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_varint(number << 3 | 2, &mut out);
    encode_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

/// A span with ids and a name, and more fields.
pub(crate) fn span(name: &str, more: &[u8]) -> Vec<u8> {
    [field(1, &TRACE), field(2, &SPAN), field(5, name.as_bytes()), more.to_vec()].concat()
}

/// An attribute of a span whose value is `value`, an encoded AnyValue.
pub(crate) fn attribute(key: &[u8], value: &[u8]) -> Vec<u8> {
    field(9, &[field(1, key), field(2, value)].concat())
}

/// A value nested `depth` deep: 1 is a string alone.
pub(crate) fn nested(depth: usize) -> Vec<u8> {
    (1..depth).fold(field(1, b"leaf"), |value, _| field(5, &field(1, &value)))
}

/// A request of one resource and scope.
pub(crate) fn request(spans: &[Vec<u8>]) -> Vec<u8> {
    let spans: Vec<u8> = spans.iter().flat_map(|span| field(2, span)).collect();
    field(1, &field(2, &spans))
}

pub(crate) fn decode(body: &[u8]) -> Decoded {
    decode_traces(body, Encoding::Protobuf, &Limits::default()).expect("readable")
}

/// The outcome in short: names of the spans, and index and reason of what was refused.
pub(crate) fn outcome(decoded: &Decoded) -> (Vec<&str>, Vec<(usize, &str)>) {
    let names = decoded.spans.iter().map(|span| &*span.name).collect();
    (names, decoded.rejected.iter().map(|rejected| (rejected.index, &*rejected.reason)).collect())
}
