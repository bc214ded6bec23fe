//! No input panics, overflows the stack or takes unbounded memory.

use aitrace_otlp::{
    DecodeError, Encoding, Limits, WireError, decode_response, decode_traces, encode_traces,
    encode_traces_json,
};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

use crate::bytes::{attribute, field, nested, outcome, request, span};
use crate::{generate, reference};

/// Runs on a small stack, so that recursion shows.
fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(test).expect("a thread");
    thread.join().expect("no panic");
}

fn decode_all(body: &[u8]) {
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        let limits = Limits { max_reported: 5, ..Limits::default() };
        if let Ok(decoded) = decode_traces(body, encoding, &limits) {
            assert!(decoded.rejected.len() <= 5 && decoded.rejected.len() as u64 <= decoded.rejected_count);
            // What was kept can be written and read again.
            let again = decode_traces(&encode_traces(&decoded.spans), Encoding::Protobuf, &Limits::default());
            assert_eq!(again.expect("our own").spans.len(), decoded.spans.len());
        }
        decode_response(body, encoding).ok();
    }
}

/// A change to a valid body: at a place (in thousandths), of a kind, with a byte.
fn mutate(body: &mut Vec<u8>, (place, kind, byte): (usize, u8, u8)) {
    let at = body.len() * place / 1000;
    match kind {
        _ if body.is_empty() => body.push(byte),
        0 => body[at] = byte,
        1 => body[at] ^= 1 << (byte % 8),
        2 => body.insert(at, byte),
        3 => drop(body.remove(at)),
        4 => body.truncate(at),
        _ => {
            let end = (at + usize::from(byte)).min(body.len());
            let copy = body[at..end].to_vec();
            body.extend(copy);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_bytes(body in vec(any::<u8>(), 0..300)) {
        decode_all(&body);
    }

    /// Random bytes where they get further: as a span, a value, a resource.
    #[test]
    fn random_bytes_below_the_outer_message(bytes in vec(any::<u8>(), 0..60)) {
        let good = span("good", &[]);
        for bad in [bytes.clone(), span("", &bytes), span("", &attribute(b"k", &bytes)), span("", &field(11, &bytes))] {
            let body = request(&[bad, good.clone()]);
            let decoded = decode_traces(&body, Encoding::Protobuf, &Limits::default()).expect("outer is fine");
            prop_assert_eq!(&decoded.spans.last().expect("the good one").name, "good");
            prop_assert_eq!(decoded.spans.len() as u64 + decoded.rejected_count, 2);
        }
        decode_all(&field(1, &bytes));
        decode_all(&field(1, &field(2, &bytes)));
        decode_all(&field(1, &field(1, &bytes)));
    }

    #[test]
    fn mutated_requests(
        request in generate::request(),
        changes in vec((0_usize..1000, 0_u8..6, any::<u8>()), 1..6),
    ) {
        let mut protobuf = request.encode_to_vec();
        let mut json = encode_traces_json(&reference::spans(&request));
        for change in changes {
            mutate(&mut protobuf, change);
            mutate(&mut json, change);
        }
        decode_all(&protobuf);
        decode_all(&json);
    }

    /// Whatever the reference takes, with ids that are ids, we take as well.
    #[test]
    fn mutated_requests_that_the_reference_takes(
        request in generate::request(),
        change in (0_usize..1000, 0_u8..2, any::<u8>()),
    ) {
        let mut body = request.encode_to_vec();
        mutate(&mut body, change);
        let read = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest::decode(&*body);
        if let Ok(read) = read {
            let decoded = decode_traces(&body, Encoding::Protobuf, &Limits::default());
            let count: usize =
                read.resource_spans.iter().flat_map(|part| &part.scope_spans).map(|part| part.spans.len()).sum();
            let decoded = decoded.expect("the reference reads it");
            // The reference skips groups, which we refuse; the span is refused then, never lost.
            prop_assert!(decoded.spans.len() + decoded.rejected.len() >= count);
        }
    }
}

#[test]
fn a_body_that_is_no_message_is_an_error_that_says_so() {
    let good = request(&[span("a", &[])]);
    let cut = &good[..good.len() - 1];
    let error = decode_traces(cut, Encoding::Protobuf, &Limits::default()).expect_err("cut off");
    assert!(matches!(error, DecodeError::Protobuf { offset: 0, problem: WireError::Truncated { .. }, .. }));
    for body in [&b"{\"resourceSpans\":[]}"[..], b"\x1f\x8b\x08\x00gzip", b"hello", &[0xff; 12]] {
        let error = decode_traces(body, Encoding::Protobuf, &Limits::default()).expect_err("not protobuf");
        assert!(error.to_string().contains("check Content-Type"), "{error}");
    }
    for body in [&b"{"[..], b"", b"[]", b"3", b"\"x\"", b"{} x", &good, b"{\"resourceSpans\":3}"] {
        assert!(decode_traces(body, Encoding::Json, &Limits::default()).is_err(), "{body:?}");
    }
}

#[test]
fn a_length_of_two_gigabytes_allocates_nothing() {
    for head in [&[0x0a, 255, 255, 255, 255, 7][..], &[0x0a, 255, 255, 255, 255, 255, 255, 255, 255, 127]] {
        assert!(decode_traces(head, Encoding::Protobuf, &Limits::default()).is_err());
        let body = request(&[head.to_vec(), span("b", &[])]);
        let decoded = decode_traces(&body, Encoding::Protobuf, &Limits::default()).expect("outer is fine");
        assert_eq!(outcome(&decoded).0, ["b"]);
    }
}

#[test]
fn deep_protobuf_needs_no_stack() {
    on_small_stack(|| {
        // Each level's length must be written before it: 20 000 levels are enough for any stack of 512 KiB.
        let body = request(&[span("a", &attribute(b"k", &nested(20_000))), span("b", &[])]);
        let decoded = decode_traces(&body, Encoding::Protobuf, &Limits::default()).expect("readable");
        assert_eq!(outcome(&decoded).0, ["a", "b"]);
        assert_eq!(decoded.salvaged.values, 1);
    });
}

#[test]
fn deep_json_needs_no_stack() {
    on_small_stack(|| {
        let ids = r#""traceId":"01010101010101010101010101010101","spanId":"0202020202020202""#;
        let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
        let value = deep(r#"{"arrayValue":{"values":["#, "]}}");
        for field in [
            format!(r#""attributes":[{{"key":"k","value":{value}}}]"#),
            format!(r#""unknown":{}"#, deep("[", "]")),
            format!(r#""unknown":{}0{}"#, r#"{"a":"#.repeat(100_000), "}".repeat(100_000)),
        ] {
            let body = format!(
                r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{ids},{field}}},{{{ids}}}]}}]}}]}}"#
            );
            let decoded =
                decode_traces(body.as_bytes(), Encoding::Json, &Limits::default()).expect("readable");
            assert_eq!(decoded.spans.len(), 2, "{:?}", decoded.rejected);
        }
        for body in [deep("[", "]"), deep(r#"{"resourceSpans":["#, "]}"), "[".repeat(1_000_000)] {
            decode_all(body.as_bytes());
        }
    });
}

/// A hundred thousand empty spans are a body of 200 kB: refusing them must stay small and quick.
#[test]
fn many_empty_messages() {
    let spans = field(2, b"").repeat(100_000);
    let body = field(1, &field(2, &spans));
    let decoded = decode_traces(&body, Encoding::Protobuf, &Limits::default()).expect("readable");
    assert_eq!(decoded.rejected_count, 100_000);
    assert_eq!(decoded.rejected.len(), Limits::default().max_reported);
    decode_all(&field(1, b"").repeat(100_000));
    decode_all(&field(1, &field(2, b"").repeat(100_000)));
}
