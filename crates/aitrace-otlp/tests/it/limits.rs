//! Limits refuse one span with the limit's name, in both encodings.

use aitrace_model::RawSpan;
use aitrace_otlp::{Decoded, Encoding, Limits, TOO_DEEP, decode_traces, encode_traces, encode_traces_json};

use crate::bytes::{attribute, decode, field, nested, outcome, request, span};

/// A small span, `large`, a small span, under `limits` and in both encodings.
fn refuses(large: Vec<u8>, limits: &Limits, expected: &str) {
    let body = request(&[span("a", &[]), large, span("c", &[])]);
    let spans = decode(&body).spans;
    assert_eq!(spans.len(), 3, "allowed by default");
    for (body, encoding) in
        [(encode_traces(&spans), Encoding::Protobuf), (encode_traces_json(&spans), Encoding::Json)]
    {
        let decoded = decode_traces(&body, encoding, limits).expect("readable");
        let (names, rejected) = outcome(&decoded);
        assert_eq!(names, ["a", "c"], "{encoding:?}");
        assert_eq!(rejected[0].0, 1);
        assert!(rejected[0].1.contains(expected), "{encoding:?}: {}", rejected[0].1);
    }
}

#[test]
fn attributes_events_and_links_are_limited() {
    let link = [field(1, &[1; 16]), field(2, &[2; 8])].concat();
    let limits = Limits { max_values: 4, max_events: 2, max_links: 1, ..Limits::default() };
    refuses(span("b", &attribute(b"k", &field(1, b"v")).repeat(5)), &limits, "more than 4 attributes");
    let array = field(5, &field(1, &field(1, b"v")).repeat(4));
    refuses(span("b", &attribute(b"k", &array)), &limits, "more than 4 attributes and values");
    refuses(span("b", &field(11, b"").repeat(3)), &limits, "more than 2 events");
    refuses(span("b", &field(13, &link).repeat(2)), &limits, "more than 1 links");
}

#[test]
fn a_limit_itself_is_allowed() {
    let limits = Limits { max_values: 5, max_events: 5, ..Limits::default() };
    let more = [attribute(b"k", &field(1, b"v")).repeat(5), field(11, b"").repeat(5)].concat();
    let spans = decode(&request(&[span("a", &more)])).spans;
    for (body, encoding) in
        [(encode_traces(&spans), Encoding::Protobuf), (encode_traces_json(&spans), Encoding::Json)]
    {
        assert_eq!(decode_traces(&body, encoding, &limits).map(|decoded| decoded.spans), Ok(spans.clone()));
    }
}

#[test]
fn the_size_of_a_span_is_limited() {
    let limits = Limits { max_span_bytes: 1000, ..Limits::default() };
    refuses(span("b", &attribute(b"k", &field(1, &[b'x'; 1000]))), &limits, "at most 1000");
}

#[test]
fn depth_is_the_same_in_both_encodings() {
    let limits = Limits { max_depth: 3, ..Limits::default() };
    let map = |value: &[u8]| field(6, &field(1, &[field(1, b"m"), field(2, value)].concat()));
    for value in [nested(6), map(&map(&map(&nested(1)))), map(&nested(5))] {
        let spans = decode(&request(&[span("a", &attribute(b"k", &value))])).spans;
        check_depth(&spans, &limits);
    }
}

fn check_depth(spans: &[RawSpan], limits: &Limits) {
    let protobuf = decode_traces(&encode_traces(spans), Encoding::Protobuf, limits).expect("readable");
    let json = decode_traces(&encode_traces_json(spans), Encoding::Json, limits).expect("readable");
    assert_eq!(protobuf.salvaged.values, 1);
    assert_eq!(protobuf, json);
}

#[test]
fn what_is_too_deep_is_not_written_either() {
    let mut value = aitrace_model::AnyValue::from("leaf");
    for _ in 0..1000 {
        value = aitrace_model::AnyValue::Array(vec![value]);
    }
    let mut spans = decode(&request(&[span("a", &[])])).spans;
    spans[0].attributes.push(("k".to_owned(), value));
    let written = decode(&encode_traces(&spans));
    let bytes = encode_traces(&spans);
    let reference = String::from_utf8_lossy(&bytes);
    assert!(
        reference.contains(TOO_DEEP) && !reference.contains("leaf"),
        "the writer stopped, not the reader"
    );
    let json = decode_traces(&encode_traces_json(&spans), Encoding::Json, &Limits::default());
    assert_eq!(json, Ok(written));
}

/// Small bodies that grow when decoded must not take the memory of the machine.
#[test]
fn memory_is_limited() {
    let limits = Limits { max_memory: 10_000, ..Limits::default() };
    let body = request(&vec![span("a", &[]); 100]);
    let decoded = decode_traces(&body, Encoding::Protobuf, &limits).expect("readable");
    assert!((10..40).contains(&decoded.spans.len()), "{}", decoded.spans.len());
    assert_eq!(decoded.spans.len() + decoded.rejected.len(), 100);
    assert!(decoded.rejected[0].reason.contains("10000 bytes of memory"), "{:?}", decoded.rejected[0]);
    let attributes = attribute(b"", b"").repeat(90);
    let decoded = decode_traces(&request(&[span("a", &attributes)]), Encoding::Protobuf, &limits);
    assert!(decoded.is_ok_and(|decoded| decoded.spans.is_empty()), "attributes count");
}

#[test]
fn refusals_are_all_counted_and_not_all_listed() {
    let limits = Limits { max_reported: 3, ..Limits::default() };
    let body = request(&vec![Vec::new(); 1000]);
    let decoded = decode_traces(&body, Encoding::Protobuf, &limits).expect("readable");
    let Decoded { spans, rejected, rejected_count, .. } = decoded;
    assert_eq!((spans.len(), rejected.len(), rejected_count), (0, 3, 1000));
}
