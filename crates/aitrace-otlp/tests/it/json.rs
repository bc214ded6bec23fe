//! OTLP/JSON in the forms that senders write it.

use aitrace_model::{AnyValue, Dropped, RawStatus};
use aitrace_otlp::{Decoded, Encoding, Limits, Piece, Salvaged, Signal, decode_pieces, decode_traces};

use crate::bytes::outcome;

const IDS: &str = r#""traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174""#;

fn decode(body: &str) -> Decoded {
    decode_traces(body.as_bytes(), Encoding::Json, &Limits::default()).expect("readable")
}

/// A request with these spans.
fn request(spans: &[String]) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","))
}

/// A span with good ids and more fields.
fn span(fields: &str) -> String {
    format!("{{{IDS},{fields}}}")
}

/// The value of an attribute that is sent as `value`.
fn value(value: &str) -> Result<AnyValue, String> {
    let body = request(&[span(&format!(r#""attributes":[{{"key":"k","value":{value}}}]"#))]);
    let mut decoded = decode(&body);
    match decoded.spans.pop() {
        Some(mut span) => Ok(span.attributes.remove(0).1),
        None => Err(decoded.rejected.remove(0).reason),
    }
}

/// A good span, `bad`, a good span: the reason for refusing `bad`.
fn reason(bad: &str) -> String {
    let decoded = decode(&request(&[span(r#""name":"a""#), bad.to_owned(), span(r#""name":"c""#)]));
    let (names, rejected) = outcome(&decoded);
    assert_eq!(names, ["a", "c"], "{rejected:?}");
    assert_eq!((rejected.len(), rejected[0].0), (1, 1));
    rejected[0].1.to_owned()
}

#[test]
fn the_specification_example() {
    let body = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"my.service"}}]},
        "scopeSpans":[{"scope":{"name":"my.library","version":"1.0.0","attributes":[{"key":"my.scope.attribute","value":{"stringValue":"some scope attribute"}}]},
        "spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"EEE19B7EC3C1B173","name":"I'm a server span",
        "startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000","kind":2,
        "attributes":[{"key":"my.span.attr","value":{"stringValue":"some value"}}]}]}]}]}"#;
    let decoded = decode(body);
    let span = &decoded.spans[0];
    assert_eq!(span.trace_id.to_hex(), "5b8efff798038103d269b633813fc60c");
    assert_eq!(span.parent_span_id.map(aitrace_model::SpanId::to_hex).as_deref(), Some("eee19b7ec3c1b173"));
    assert_eq!((span.name.as_str(), span.otel_kind), ("I'm a server span", 2));
    assert_eq!(span.start.nanos(), 1_544_712_660_000_000_000);
    assert_eq!(span.end.map(aitrace_model::Timestamp::nanos), Some(1_544_712_661_000_000_000));
    assert_eq!(span.attributes, [("my.span.attr".to_owned(), AnyValue::from("some value"))]);
    assert_eq!(span.resource.attributes[0].1, AnyValue::from("my.service"));
    assert_eq!((span.scope.name.as_str(), span.scope.version.as_str()), ("my.library", "1.0.0"));
}

#[test]
fn snake_case_numbers_and_names_say_the_same() {
    let camel = r#"{"resourceSpans":[{"schemaUrl":"r","scopeSpans":[{"scope":{"name":"lib","droppedAttributesCount":"6"},"schemaUrl":"s","spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",
        "traceState":"a=b","kind":3,"startTimeUnixNano":"5","endTimeUnixNano":"6","status":{"code":2,"message":"no"},"droppedAttributesCount":1,"droppedEventsCount":2,"droppedLinksCount":3,"flags":257,
        "events":[{"timeUnixNano":"7","name":"e","attributes":[],"droppedAttributesCount":4}],"links":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","traceState":"c=d","flags":1,"droppedAttributesCount":5}],
        "attributes":[{"key":"k","value":{"intValue":"8"}},{"key":"l","value":{"kvlistValue":{"values":[{"key":"m","value":{"boolValue":true}}]}}}]}]}]}]}"#;
    let snake = r#"{"new":[[{}]],"resource_spans":[{"resource":{},"scope_spans":[{"scope":{"name":"lib","dropped_attributes_count":6},"spans":[{"trace_id":"5B8EFFF798038103D269B633813FC60C","span_id":"EEE19B7EC3C1B174",
        "trace_state":"a=b","kind":"SPAN_KIND_CLIENT","start_time_unix_nano":5,"end_time_unix_nano":6,"status":{"code":"STATUS_CODE_ERROR","message":"no"},
        "dropped_attributes_count":1,"dropped_events_count":2,"dropped_links_count":3,"flags":257,
        "events":[{"time_unix_nano":7,"name":"e","attributes":null,"dropped_attributes_count":4}],"links":[{"trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174","trace_state":"c=d","flags":1,"dropped_attributes_count":5}],
        "attributes":[{"key":"k","value":{"int_value":8}},{"key":"l","value":{"kvlist_value":{"values":[{"key":"m","value":{"bool_value":true}}]}}}]}],"schema_url":"s"}],"schema_url":"r"}]}"#;
    let (camel, snake) = (decode(camel), decode(snake));
    assert_eq!(camel, snake);
    assert_eq!(camel.spans[0].status, RawStatus::Error("no".to_owned()));
    assert_eq!(camel.spans[0].links.len(), 1);
    assert_eq!(camel.spans[0].otel_kind, 3);
    let span = &camel.spans[0];
    assert_eq!((span.dropped, span.flags), (Dropped { attributes: 1, events: 2, links: 3 }, 257));
    assert_eq!(span.events[0].dropped_attributes, 4);
    let link = &span.links[0];
    assert_eq!((link.trace_state.as_str(), link.flags, link.dropped_attributes), ("c=d", 1, 5));
    assert_eq!((span.resource.schema_url.as_str(), span.scope.schema_url.as_str()), ("r", "s"));
    assert_eq!(span.scope.dropped_attributes, 6);
}

#[test]
fn values_in_every_form() {
    for (json, expected) in [
        (r#"{"stringValue":"a\u00e9\ud83d\ude00"}"#, AnyValue::from("aé😀")),
        (r#"{"intValue":9223372036854775807}"#, AnyValue::Int(i64::MAX)),
        (r#"{"intValue":"-9223372036854775808"}"#, AnyValue::Int(i64::MIN)),
        (r#"{"doubleValue":0.1}"#, AnyValue::Double(0.1)),
        (r#"{"doubleValue":5}"#, AnyValue::Double(5.0)),
        (r#"{"doubleValue":"Infinity"}"#, AnyValue::Double(f64::INFINITY)),
        (r#"{"boolValue":false}"#, AnyValue::Bool(false)),
        (r#"{"bytesValue":"AQL/"}"#, AnyValue::Bytes(vec![1, 2, 255])),
        (
            r#"{"arrayValue":{"values":[{"intValue":1},null,{}]}}"#,
            AnyValue::Array(vec![AnyValue::Int(1), AnyValue::Null, AnyValue::Null]),
        ),
        (r#"{"arrayValue":{}}"#, AnyValue::Array(vec![])),
        (r#"{"kvlistValue":{"values":null}}"#, AnyValue::Map(vec![])),
        ("null", AnyValue::Null),
        ("{}", AnyValue::Null),
        (r#"{"doubleValue":null}"#, AnyValue::Null),
        (r#"{"stringValue":"a","intValue":null,"arrayValue":null}"#, AnyValue::from("a")),
        (r#"{"newValue":{"deep":[1]}}"#, AnyValue::Null),
    ] {
        assert_eq!(value(json), Ok(expected), "{json}");
    }
    assert!(matches!(value(r#"{"doubleValue":"NaN"}"#), Ok(AnyValue::Double(nan)) if nan.is_nan()));
}

#[test]
fn wrong_values_refuse_the_span_and_say_where() {
    for (json, expected) in [
        (r#"{"intValue":9223372036854775808}"#, "out of range"),
        (r#"{"intValue":1.5}"#, "whole number"),
        (r#"{"intValue":true}"#, "whole number"),
        (r#"{"doubleValue":"x"}"#, "\"x\" is no number"),
        (r#"{"doubleValue":1e400}"#, "out of range"),
        (r#"{"boolValue":"true"}"#, "a boolean"),
        (r#"{"bytesValue":"%"}"#, "base64"),
        (r#"{"stringValue":{}}"#, "a string"),
        (r#""text""#, "an object"),
        (r#"{"arrayValue":[1]}"#, "an object"),
    ] {
        let reason = value(json).expect_err(json);
        assert!(reason.starts_with("attributes: ") && reason.contains(expected), "{json}: {reason}");
    }
}

#[test]
fn ids_are_hex() {
    let with = |trace: &str, span: &str| reason(&format!(r#"{{"traceId":{trace},"spanId":{span}}}"#));
    let good = r#""5b8efff798038103d269b633813fc60c""#;
    let base64 = with(r#""W47/95gDgQPSabYzgT/GDA==""#, r#""eee19b7ec3c1b174""#);
    assert!(base64.contains("traceId: must be 32 hex digits") && base64.contains("base64"), "{base64}");
    for bad in [r#""""#, r#""00000000000000000000000000000000""#, r#""5b8e""#, "12", "{}"] {
        assert!(with(bad, r#""eee19b7ec3c1b174""#).starts_with("traceId: "), "{bad}");
    }
    assert!(with(good, r#""0000000000000000""#).starts_with("spanId: must be 16 hex digits"));
    assert_eq!(with(good, "null"), "span_id is missing");
    assert!(reason(&span(r#""parentSpanId":"xyz""#)).starts_with("parentSpanId: "));
    let roots = ["\"\"", "null", "\"0000000000000000\""].map(|id| span(&format!("\"parentSpanId\":{id}")));
    assert!(decode(&request(&roots)).spans.iter().all(|span| span.parent_span_id.is_none()));
}

#[test]
fn a_bad_span_is_refused_alone() {
    for bad in ["null", "3", "[]", "\"x\"", "{}"] {
        reason(bad);
    }
    for (fields, field) in [
        (r#""startTimeUnixNano":-1"#, "startTimeUnixNano: -1 is out of range"),
        (r#""kind":"SPAN_KIND_ODD""#, "kind: \"SPAN_KIND_ODD\" is none of"),
        (r#""name":5"#, "name: "),
        (r#""attributes":{}"#, "attributes: "),
        (r#""events":[5]"#, "events: "),
        (r#""status":"OK""#, "status: "),
    ] {
        let reason = reason(&span(fields));
        assert!(reason.starts_with(field), "{reason}");
    }
}

#[test]
fn what_is_wrong_above_the_spans_stays_there() {
    let body = format!(
        r#"{{"resourceSpans":[5,{{"scopeSpans":[7,{{"spans":8}},{{"spans":[{a}]}},{{"scope":9,"spans":[{a},{a}]}}]}},
        {{"resource":{{"attributes":5}},"scopeSpans":[{{"spans":[{a}]}}]}},null,{{"scopeSpans":[{{"spans":[{a}]}}]}}]}}"#,
        a = span(r#""name":"a""#)
    );
    let decoded = decode(&body);
    let (names, rejected) = outcome(&decoded);
    assert_eq!(names, ["a", "a"]);
    let starts: Vec<_> = rejected
        .iter()
        .map(|(index, reason)| (*index, reason.split(':').next().unwrap_or_default()))
        .collect();
    assert_eq!(
        starts,
        [(0, "resourceSpans"), (1, "scopeSpans"), (2, "spans"), (4, "scope"), (5, "scope"), (6, "resource")]
    );
}

#[test]
fn text_that_is_not_unicode_is_repaired() {
    let decoded = decode(&request(&[span(
        r#""name":"a\ud800b","attributes":[{"key":"\udfff","value":{"stringValue":"\ud800\ud800"}}]"#,
    )]));
    let span = &decoded.spans[0];
    assert_eq!(span.name, "a\u{fffd}b");
    assert_eq!(span.attributes[0], ("\u{fffd}".to_owned(), AnyValue::from("\u{fffd}\u{fffd}")));
    assert_eq!(decoded.salvaged, Salvaged { strings: 3, ..Salvaged::default() });
    let mut body = request(&[format!("{{{IDS},\"name\":\"x?y\"}}")]).into_bytes();
    let at = body.iter().position(|byte| *byte == b'?').expect("there");
    body[at] = 0xff;
    let decoded = decode_traces(&body, Encoding::Json, &Limits::default()).expect("readable");
    assert_eq!(decoded.spans[0].name, "x\u{fffd}y");
    assert_eq!(decoded.salvaged.strings, 1);
}

#[test]
fn a_field_name_that_is_not_unicode_is_unknown() {
    let body = request(&[span(r#""\ud800":1,"name":"a""#)]).replacen('{', r#"{"\ud800":1,"#, 2);
    assert_eq!(outcome(&decode(&body)), (vec!["a"], vec![]));
}

#[test]
fn the_resource_and_scope_may_come_last() {
    let last = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{a},5],"scope":{{"name":"s"}}}},{{"spans":7}}],
        "resource":{{"attributes":[{{"key":"k"}}]}}}}]}}"#,
        a = span(r#""name":"a""#)
    );
    let decoded = decode(&last);
    assert_eq!(outcome(&decoded).0, ["a"]);
    assert_eq!(decoded.rejected.iter().map(|rejected| rejected.index).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(decoded.spans[0].scope.name, "s");
    assert_eq!(decoded.spans[0].resource.attributes, [("k".to_owned(), AnyValue::Null)]);
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    assert_eq!(decode(&format!("\u{feff}{}", request(&[span(r#""name":"a""#)]))).spans.len(), 1);
}

/// Items of a request in pieces of so many bytes, as strings of what names their schemas.
fn schemas_in_pieces(body: &str, signal: Signal, piece: usize) -> (usize, Vec<String>) {
    let (mut pieces, mut found) = (0, Vec::new());
    let mut sink = |piece: Piece| {
        pieces += 1;
        let spans = piece.spans.iter().map(|span| (&span.resource, &span.scope));
        let logs = piece.logs.iter().map(|log| (&log.resource, &log.scope));
        let named = spans.chain(logs).map(|(resource, scope)| {
            format!(
                "{} {} {} {}",
                resource.attributes.len(),
                resource.schema_url,
                scope.name,
                scope.schema_url
            )
        });
        found.extend(named);
        true
    };
    let limits = Limits::default();
    let summary = decode_pieces(body.as_bytes(), signal, Encoding::Json, &limits, piece, &mut sink);
    assert_eq!(summary.expect("a request").rejected_count, 0);
    (pieces, found)
}

#[test]
fn a_schema_behind_many_pieces_of_items_is_told_to_all_of_them() {
    let span = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}"#;
    let resource = r#""resource":{"attributes":[{"key":"a","value":{"intValue":"1"}}]}"#;
    for (signal, [of_resource, of_scope, items], item) in [
        (Signal::Traces, ["resourceSpans", "scopeSpans", "spans"], span),
        (Signal::Logs, ["resourceLogs", "scopeLogs", "logRecords"], r#"{"severityNumber":9}"#),
    ] {
        let list = vec![item; 500].join(",");
        let scope = format!(r#"{{"scope":{{"name":"lib"}},"{items}":[{list}],"schemaUrl":"s"}}"#);
        let body =
            format!(r#"{{"{of_resource}":[{{{resource},"{of_scope}":[{scope},{scope}],"schemaUrl":"r"}}]}}"#);
        let whole = schemas_in_pieces(&body, signal, usize::MAX);
        assert_eq!(whole, (1, vec!["1 r lib s".to_owned(); 1000]));
        let (pieces, found) = schemas_in_pieces(&body, signal, 10_000);
        assert!(pieces > 10, "{pieces}");
        assert_eq!(found, whole.1);
    }
}
