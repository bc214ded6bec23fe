//! Laws: what the reference writes we read; what we write the reference reads; both our encodings say the same.

use aitrace_model::RawSpan;
use aitrace_otlp::{Decoded, Encoding, Limits, Salvaged, decode_traces, encode_traces, encode_traces_json};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message as _;

use crate::{generate, reference};

fn decode(body: &[u8], encoding: Encoding) -> Decoded {
    decode_traces(body, encoding, &Limits::default()).expect("a valid request")
}

/// Debug text, so that NaN equals itself.
fn show(spans: &[RawSpan]) -> String {
    format!("{spans:#?}")
}

/// Times before the end of 2261 are the only thing that a round trip may clamp.
fn all_kept(decoded: &Decoded) -> bool {
    decoded.rejected.is_empty() && decoded.rejected_count == 0 && decoded.salvaged == Salvaged::default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_the_reference_writes_we_read(request in generate::request()) {
        let decoded = decode(&request.encode_to_vec(), Encoding::Protobuf);
        prop_assert!(all_kept(&decoded));
        prop_assert_eq!(show(&decoded.spans), show(&reference::spans(&request)));
    }

    #[test]
    fn what_we_write_the_reference_reads(request in generate::request()) {
        let spans = reference::spans(&request);
        let body = encode_traces(&spans);
        let read = ExportTraceServiceRequest::decode(&*body).expect("valid protobuf");
        prop_assert_eq!(show(&reference::spans(&read)), show(&spans));
        // Minimal lengths and tags in order: byte for byte what the reference would write.
        prop_assert_eq!(read.encode_to_vec(), body);
    }

    #[test]
    fn both_encodings_say_the_same(request in generate::request()) {
        let spans = reference::spans(&request);
        let json = decode(&encode_traces_json(&spans), Encoding::Json);
        prop_assert!(all_kept(&json));
        prop_assert_eq!(show(&json.spans), show(&spans));
        let protobuf = decode(&encode_traces(&spans), Encoding::Protobuf);
        prop_assert_eq!(show(&protobuf.spans), show(&spans));
    }

    #[test]
    fn a_request_in_two_parts_is_one_request(first in generate::request(), second in generate::request()) {
        // Protobuf messages concatenate.
        let body = [first.encode_to_vec(), second.encode_to_vec()].concat();
        let spans = [reference::spans(&first), reference::spans(&second)].concat();
        prop_assert_eq!(show(&decode(&body, Encoding::Protobuf).spans), show(&spans));
    }
}

#[test]
fn spans_share_their_resource_and_scope_by_identity() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let request = (0..100)
        .map(|_| generate::request().new_tree(&mut runner).expect("a request").current())
        .find(|request| {
            request.resource_spans.iter().any(|part| part.scope_spans.iter().any(|part| part.spans.len() > 2))
        })
        .expect("one of a hundred has three spans");
    let decoded = decode(&request.encode_to_vec(), Encoding::Protobuf);
    let mut index = 0;
    for of_resource in &request.resource_spans {
        let start = index;
        for of_scope in &of_resource.scope_spans {
            let spans = &decoded.spans[index..index + of_scope.spans.len()];
            assert!(spans.windows(2).all(|pair| std::sync::Arc::ptr_eq(&pair[0].scope, &pair[1].scope)));
            index += of_scope.spans.len();
        }
        let spans = &decoded.spans[start..index];
        assert!(spans.windows(2).all(|pair| std::sync::Arc::ptr_eq(&pair[0].resource, &pair[1].resource)));
    }
}

#[test]
fn an_empty_body_is_a_request_without_spans() {
    assert_eq!(decode(b"", Encoding::Protobuf), Decoded::default());
    for body in ["{}", " {\"resourceSpans\":[]} ", "{\"resourceSpans\":null}", "null"] {
        assert_eq!(decode(body.as_bytes(), Encoding::Json), Decoded::default(), "{body}");
    }
}
