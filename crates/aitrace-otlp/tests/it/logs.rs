//! Log records, in both encodings.

use aitrace_model::{AnyValue, RawLog, Timestamp};
use aitrace_otlp::{DecodedLogs, Encoding, Limits, TOO_DEEP, decode_logs, encode_logs_response};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message as _;

type Any = opentelemetry_proto::tonic::common::v1::AnyValue;

fn decode(body: &[u8], encoding: Encoding) -> DecodedLogs {
    decode_logs(body, encoding, &Limits::default()).expect("a request")
}

fn text(text: &str) -> Any {
    Any { value: Some(Value::StringValue(text.to_owned())) }
}

fn request(records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope = InstrumentationScope { name: "lib".to_owned(), ..Default::default() };
    let scope = ScopeLogs { scope: Some(scope), log_records: records, ..Default::default() };
    let service =
        KeyValue { key: "service.name".to_owned(), value: Some(text("shop")), ..Default::default() };
    let resource = Resource { attributes: vec![service], ..Default::default() };
    let logs = ResourceLogs { resource: Some(resource), scope_logs: vec![scope], ..Default::default() };
    ExportLogsServiceRequest { resource_logs: vec![logs] }
}

fn record(body: &str) -> LogRecord {
    LogRecord {
        time_unix_nano: 5,
        observed_time_unix_nano: 6,
        severity_number: 13,
        severity_text: "WARN".to_owned(),
        event_name: "gen_ai.user.message".to_owned(),
        body: Some(text(body)),
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        flags: 1,
        dropped_attributes_count: 3,
        ..Default::default()
    }
}

/// [`record`] in the two spellings of OTLP/JSON.
const JSON: [&str; 2] = [
    r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
    "scopeLogs":[{"scope":{"name":"lib"},"logRecords":[{"timeUnixNano":"5","observedTimeUnixNano":"6",
    "severityNumber":13,"severityText":"WARN","eventName":"gen_ai.user.message","body":{"stringValue":"hé"},
    "traceId":"01010101010101010101010101010101","spanId":"0202020202020202","flags":1,"droppedAttributesCount":3}]}]}]}"#,
    r#"{"resource_logs":[{"scope_logs":[{"log_records":[{"time_unix_nano":5,"observed_time_unix_nano":6,
    "severity_number":"SEVERITY_NUMBER_WARN","severity_text":"WARN","event_name":"gen_ai.user.message",
    "body":{"string_value":"hé"},"trace_id":"01010101010101010101010101010101","span_id":"0202020202020202",
    "flags":1,"dropped_attributes_count":"3","unknown":{"a":[1]}}],"scope":{"name":"lib"}}],
    "resource":{"attributes":[{"key":"service.name","value":{"string_value":"shop"}}]}}]}"#,
];

fn only(mut decoded: DecodedLogs) -> RawLog {
    assert_eq!((decoded.logs.len(), decoded.rejected_count), (1, 0), "{decoded:?}");
    decoded.logs.remove(0)
}

#[test]
fn both_encodings_say_the_same() {
    let log = only(decode(&request(vec![record("hé")]).encode_to_vec(), Encoding::Protobuf));
    assert_eq!((log.time.map(Timestamp::nanos), log.observed.map(Timestamp::nanos)), (Some(5), Some(6)));
    assert_eq!((log.severity, log.severity_text.as_str()), (13, "WARN"));
    assert_eq!((log.event_name.as_str(), &log.body), ("gen_ai.user.message", &AnyValue::from("hé")));
    assert_eq!(log.span_id.expect("an id").to_bytes(), [2; 8]);
    assert_eq!((log.flags, log.dropped_attributes), (1, 3));
    for json in JSON {
        assert_eq!(only(decode(json.as_bytes(), Encoding::Json)), log, "{json}");
    }
}

#[test]
fn a_bad_record_does_not_cost_its_siblings() {
    let mut scope = ScopeLogs { log_records: vec![record("a")], ..Default::default() }.encode_to_vec();
    // A record whose time has the wrong wire type, then one that claims 9 bytes of body and has 1.
    scope.extend_from_slice(&[0x12, 2, 0x08, 1, 0x12, 3, 0x2a, 9, 0]);
    scope.extend_from_slice(
        &ScopeLogs { log_records: vec![record("b")], ..Default::default() }.encode_to_vec(),
    );
    let mut body = vec![0x0a];
    let mut logs = vec![0x12];
    prost::encoding::encode_varint(scope.len() as u64, &mut logs);
    logs.extend_from_slice(&scope);
    prost::encoding::encode_varint(logs.len() as u64, &mut body);
    body.extend_from_slice(&logs);
    let decoded = decode(&body, Encoding::Protobuf);
    assert_eq!((decoded.logs.len(), decoded.rejected_count), (2, 2));
    let reasons: Vec<_> =
        decoded.rejected.iter().map(|rejected| (rejected.index, &*rejected.reason)).collect();
    assert!(reasons[0].0 == 1 && reasons[0].1.starts_with("time_unix_nano: "), "{reasons:?}");
    assert!(reasons[1].0 == 2 && reasons[1].1.starts_with("body: "), "{reasons:?}");
    let json = JSON[0].replace(r#""logRecords":["#, r#""logRecords":[7,{"severityNumber":"LOUD"},"#);
    let decoded = decode(json.as_bytes(), Encoding::Json);
    assert_eq!((decoded.logs.len(), decoded.rejected_count), (1, 2), "{:?}", decoded.rejected);
}

#[test]
fn ids_that_are_none_leave_a_record_without() {
    for (trace_id, counted) in [(vec![], 0), (vec![0; 16], 0), (vec![1; 15], 1), (vec![1; 17], 1)] {
        let decoded =
            decode(&request(vec![LogRecord { trace_id, ..record("a") }]).encode_to_vec(), Encoding::Protobuf);
        assert_eq!((decoded.logs[0].trace_id, decoded.salvaged.ids), (None, counted));
    }
    let json = JSON[0].replace("01010101010101010101010101010101", "zz");
    let decoded = decode(json.as_bytes(), Encoding::Json);
    assert_eq!((decoded.logs[0].trace_id, decoded.salvaged.ids), (None, 1));
}

#[test]
fn bodies_are_bounded_and_texts_repaired() {
    let mut deep = Any { value: Some(Value::IntValue(1)) };
    for _ in 0..200 {
        deep = Any { value: Some(Value::ArrayValue(ArrayValue { values: vec![deep] })) };
    }
    let body = request(vec![LogRecord { body: Some(deep), ..record("") }]).encode_to_vec();
    let decoded = decode(&body, Encoding::Protobuf);
    assert_eq!((decoded.logs.len(), decoded.salvaged.values), (1, 1));
    assert!(format!("{:?}", decoded.logs[0].body).contains(TOO_DEEP));
    let mut body = request(vec![record("ab")]).encode_to_vec();
    let at = body.windows(2).position(|two| two == b"ab").expect("the body");
    body[at] = 0xff;
    let decoded = decode(&body, Encoding::Protobuf);
    assert_eq!((&decoded.logs[0].body, decoded.salvaged.strings), (&AnyValue::from("\u{fffd}b"), 1));
    let limits = Limits { max_span_bytes: 10, ..Limits::default() };
    let decoded = decode_logs(&body, Encoding::Protobuf, &limits).expect("a request");
    assert!(decoded.rejected[0].reason.starts_with("log record of "), "{:?}", decoded.rejected);
}

#[test]
fn empty_and_unreadable_requests() {
    assert_eq!(decode(b"", Encoding::Protobuf), DecodedLogs::default());
    assert_eq!(decode(b"{}", Encoding::Json), DecodedLogs::default());
    for (body, encoding) in [(&b"\xff\xff"[..], Encoding::Protobuf), (b"[", Encoding::Json)] {
        let error = decode_logs(body, encoding, &Limits::default()).expect_err("unreadable");
        assert!(error.to_string().contains("ExportLogsServiceRequest"), "{error}");
    }
}

#[test]
fn answers_count_log_records() {
    let json = String::from_utf8(encode_logs_response(2, "why", Encoding::Json)).expect("UTF-8");
    assert!(json.contains(r#""rejectedLogRecords":"2""#), "{json}");
    assert_eq!(encode_logs_response(0, "", Encoding::Protobuf), b"");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_comes_breaks_it(mut body in Just(request(vec![record("a"), record("b")]).encode_to_vec()),
        changes in proptest::collection::vec((0_usize..400, any::<u8>()), 1..8)) {
        for (at, byte) in changes {
            let at = at % body.len();
            body[at] = byte;
        }
        if let Ok(decoded) = decode_logs(&body, Encoding::Protobuf, &Limits::default()) {
            prop_assert_eq!(decoded.rejected_count, decoded.rejected.len() as u64);
            prop_assert!(decoded.logs.len() <= body.len() / 2);
        }
        prop_assert!(decode_logs(&body, Encoding::Json, &Limits::default()).is_err());
    }
}
