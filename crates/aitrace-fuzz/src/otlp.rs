//! OTLP, both encodings, spans and log records.

use aitrace_model::{RawSpan, Timestamp};
use aitrace_normalise::{Context, normalise_log, normalise_span};
use aitrace_otlp::{
    Decoded, Encoding, Limits, Signal, decode_logs, decode_pieces, decode_traces, encode_traces,
    encode_traces_json,
};

use crate::Target;

pub(crate) const PROTOBUF: Target = Target {
    name: "OTLP protobuf",
    seeds: protobuf_seeds,
    law: |bytes| traces(bytes, Encoding::Protobuf),
    read: |bytes| drop(decode_traces(bytes, Encoding::Protobuf, &Limits::default())),
    // Two bytes are an attribute of 56, in a list that may be twice as long while it grows.
    growth: 128,
};

pub(crate) const JSON: Target = Target {
    name: "OTLP/JSON",
    seeds: json_seeds,
    law: |bytes| traces(bytes, Encoding::Json),
    read: |bytes| drop(decode_traces(bytes, Encoding::Json, &Limits::default())),
    growth: 128,
};

pub(crate) const PROTOBUF_LOGS: Target = Target {
    name: "OTLP protobuf, log records",
    seeds: protobuf_log_seeds,
    law: |bytes| logs(bytes, Encoding::Protobuf),
    read: |bytes| drop(decode_logs(bytes, Encoding::Protobuf, &Limits::default())),
    growth: 160,
};

pub(crate) const JSON_LOGS: Target = Target {
    name: "OTLP/JSON, log records",
    seeds: json_log_seeds,
    law: |bytes| logs(bytes, Encoding::Json),
    read: |bytes| drop(decode_logs(bytes, Encoding::Json, &Limits::default())),
    growth: 160,
};

pub(crate) const SALVAGE: Target = Target {
    name: "OTLP protobuf, one bad span among good ones",
    seeds: span_seeds,
    law: salvage,
    read: |bytes| drop(decode_traces(&beside_good(bytes), Encoding::Protobuf, &Limits::default())),
    growth: 160,
};

const FIXTURES: &[&[u8]] = &[
    include_bytes!("../../aitrace-normalise/fixtures/aitrace/wire.json"),
    include_bytes!("../../aitrace-normalise/fixtures/generic/hand-written.json"),
    include_bytes!("../../aitrace-normalise/fixtures/openllmetry/hand-written.json"),
    include_bytes!("../../aitrace-normalise/fixtures/genai/hand-written.json"),
];

const LOGS: &[u8] = include_bytes!(
    "../../aitrace-normalise/fixtures/genai/logs/opentelemetry-instrumentation-openai-v2-2.2b0.logs.json"
);

fn json_seeds() -> Vec<Vec<u8>> {
    let written = spans().chunks(3).map(encode_traces_json).collect::<Vec<_>>();
    FIXTURES.iter().map(|text| text.to_vec()).chain(written).collect()
}

fn protobuf_seeds() -> Vec<Vec<u8>> {
    spans().chunks(3).map(encode_traces).collect()
}

/// Spans of the fixtures, and one that has everything.
fn spans() -> Vec<RawSpan> {
    let read =
        |text: &&[u8]| decode_traces(text, Encoding::Json, &Limits::default()).expect("a fixture").spans;
    let full = br#"{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":{"bytesValue":"AQI="}}],"droppedAttributesCount":1},
        "scopeSpans":[{"scope":{"name":"n","version":"1","attributes":[{"key":"b","value":{"boolValue":true}}]},"schemaUrl":"s",
        "spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","parentSpanId":"eee19b7ec3c1b173","traceState":"a=b",
        "name":"full","kind":3,"startTimeUnixNano":"5","endTimeUnixNano":"6","flags":257,"droppedAttributesCount":2,"droppedEventsCount":3,
        "attributes":[{"key":"c","value":{"arrayValue":{"values":[{"intValue":"-1"},{"doubleValue":0.5},{"kvlistValue":{"values":[{"key":"d","value":{}}]}}]}}}],
        "events":[{"timeUnixNano":"7","name":"e","attributes":[{"key":"f","value":{"stringValue":"g"}}],"droppedAttributesCount":4}],
        "links":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","traceState":"h=i","flags":1}],
        "status":{"code":2,"message":"no"}}]}],"schemaUrl":"r"}]}"#;
    FIXTURES.iter().chain([&full.as_slice()]).flat_map(read).collect()
}

fn json_log_seeds() -> Vec<Vec<u8>> {
    vec![LOGS.to_vec()]
}

/// A request by hand: the crate writes no log records.
fn protobuf_log_seeds() -> Vec<Vec<u8>> {
    let text = |text: &str| field(1, text.as_bytes());
    let attribute = [field(1, b"event.name"), field(2, &text("gen_ai.choice"))].concat();
    let record = [
        [&[0x09][..], &5_u64.to_le_bytes()].concat(),
        vec![0x10, 9],
        field(3, b"INFO"),
        field(5, &text("hello")),
        field(6, &attribute),
        field(9, &[7; 16]),
        field(10, &[8; 8]),
        [&[0x59][..], &6_u64.to_le_bytes()].concat(),
    ]
    .concat();
    let scope = [field(1, &field(1, b"lib")), field(2, &record), field(2, &record)].concat();
    vec![field(1, &field(2, &scope))]
}

fn context() -> Context {
    let received = Timestamp::from_nanos(1_800_000_000_000_000_000);
    Context { default_project: "default".to_owned(), forced_project: None, received }
}

/// Debug text, so that NaN equals itself.
fn show(spans: &[RawSpan]) -> String {
    format!("{spans:?}")
}

fn traces(bytes: &[u8], encoding: Encoding) {
    let limits = Limits::default();
    let Ok(decoded) = decode_traces(bytes, encoding, &limits) else { return };
    assert!(decoded.rejected_count >= decoded.rejected.len() as u64, "the count is of all");
    let again = |body: &[u8], encoding| decode_traces(body, encoding, &limits).expect("our own encoding");
    for (body, encoding) in [
        (encode_traces(&decoded.spans), Encoding::Protobuf),
        (encode_traces_json(&decoded.spans), Encoding::Json),
    ] {
        let Decoded { spans, rejected, .. } = again(&body, encoding);
        assert_eq!((show(&spans), rejected), (show(&decoded.spans), vec![]), "{encoding:?}");
    }
    if encoding == Encoding::Protobuf {
        let mut pieces = Vec::new();
        let mut last = 0;
        let summary = decode_pieces(bytes, Signal::Traces, encoding, &limits, 500, &mut |piece| {
            pieces.extend(piece.spans);
            last += usize::from(piece.last);
            true
        });
        let summary = summary.expect("as before");
        assert_eq!((summary.rejected_count, last), (decoded.rejected_count, 1));
        assert_eq!(show(&pieces), show(&decoded.spans), "in pieces");
    }
    for raw in decoded.spans {
        let sent: std::collections::BTreeSet<String> =
            raw.attributes.iter().map(|(key, _)| key.clone()).collect();
        let span = normalise_span(raw, &context());
        let kept = span.attributes.members().expect("an object").into_iter().map(|(key, _)| key);
        assert_eq!(kept.collect::<std::collections::BTreeSet<_>>(), sent, "everything received is kept");
    }
}

fn logs(bytes: &[u8], encoding: Encoding) {
    let Ok(decoded) = decode_logs(bytes, encoding, &Limits::default()) else { return };
    for raw in decoded.logs {
        let log = normalise_log(raw, &context());
        assert!(log.attrs.members().is_some(), "attributes are an object");
        assert!(!log.id.is_empty() && !log.event.is_empty());
    }
}

/// Single spans, without what is around them.
fn span_seeds() -> Vec<Vec<u8>> {
    let inner = |span: &RawSpan| {
        // Without a schema behind it, the span is the last field of the last field of the last field.
        let mut bare = span.clone();
        bare.resource = std::sync::Arc::default();
        bare.scope = std::sync::Arc::default();
        let bare = encode_traces(std::slice::from_ref(&bare));
        last_field(last_field(last_field(&bare))).to_vec()
    };
    spans().iter().map(inner).collect()
}

/// The content of the last length-delimited field of a message that holds only such.
fn last_field(mut message: &[u8]) -> &[u8] {
    let mut last: &[u8] = &[];
    while let [_, rest @ ..] = message {
        let (length, rest) = length(rest);
        (last, message) = rest.split_at(length);
    }
    last
}

fn length(mut bytes: &[u8]) -> (usize, &[u8]) {
    let (mut value, mut shift) = (0, 0);
    while let [byte, rest @ ..] = bytes {
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        bytes = rest;
        if byte & 0x80 == 0 {
            break;
        }
    }
    (value, bytes)
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
    out
}

/// A request of two good spans with a bad one between them.
fn beside_good(bad: &[u8]) -> Vec<u8> {
    let good = |name: &[u8]| field(2, &[field(1, &[1; 16]), field(2, &[2; 8]), field(5, name)].concat());
    field(1, &field(2, &[good(b"before"), field(2, bad), good(b"after")].concat()))
}

fn salvage(bad: &[u8]) {
    let decoded = decode_traces(&beside_good(bad), Encoding::Protobuf, &Limits::default());
    let decoded = decoded.expect("the framing of the request is sound");
    let names: Vec<&str> = decoded.spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!((names.first(), names.last()), (Some(&"before"), Some(&"after")), "good spans are kept");
    assert_eq!(decoded.spans.len() as u64 + decoded.rejected_count, 3, "each is kept or refused");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mutator;

    #[test]
    fn seeds_are_good() {
        for seed in protobuf_seeds() {
            let decoded = decode_traces(&seed, Encoding::Protobuf, &Limits::default()).expect("good");
            assert!(!decoded.spans.is_empty() && decoded.rejected.is_empty());
        }
        for seed in span_seeds() {
            let decoded =
                decode_traces(&beside_good(&seed), Encoding::Protobuf, &Limits::default()).expect("good");
            assert_eq!(decoded.spans.len(), 3, "{:?}", decoded.rejected);
        }
        let logs =
            decode_logs(&protobuf_log_seeds()[0], Encoding::Protobuf, &Limits::default()).expect("good");
        assert_eq!(logs.logs.len(), 2, "{:?}", logs.rejected);
        let mut mutator = Mutator::new(span_seeds(), 1);
        assert!((0..50).any(|_| {
            let decoded =
                decode_traces(&beside_good(&mutator.input()), Encoding::Protobuf, &Limits::default());
            decoded.expect("sound").rejected_count == 1
        }));
    }
}
