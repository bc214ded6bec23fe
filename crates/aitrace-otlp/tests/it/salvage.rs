//! One bad value never costs a batch, a bad span never its siblings.

use aitrace_model::{AnyValue, RawStatus, Timestamp};
use aitrace_otlp::{Salvaged, TOO_DEEP};

use crate::bytes::{SPAN, TRACE, attribute, decode, field, nested, outcome, request, span};

/// A good span, `bad`, a good span: the outcome's reason for `bad`.
fn reason(bad: Vec<u8>) -> String {
    let decoded = decode(&request(&[span("a", &[]), bad, span("c", &[])]));
    let (names, rejected) = outcome(&decoded);
    assert_eq!(names, ["a", "c"]);
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    assert_eq!(rejected[0].0, 1);
    assert_eq!(decoded.rejected_count, 1);
    assert_eq!(decoded.salvaged, Salvaged::default(), "what was refused was not salvaged");
    rejected[0].1.to_owned()
}

#[test]
fn text_that_is_not_utf8_is_repaired() {
    let more = [
        attribute(b"k\xff", &field(1, b"a\xf0\x9f")),
        field(3, b"\xc0"),
        field(15, &[field(2, b"no\xff"), vec![0x18, 2]].concat()),
        field(11, &field(2, b"\xfe event")),
    ];
    let body = request(&[span("a", &[]), [span("", &more.concat()), field(5, b"x\x80y")].concat()]);
    let decoded = decode(&body);
    let bad = &decoded.spans[1];
    assert_eq!(bad.name, "x\u{fffd}y");
    assert_eq!(bad.attributes, [("k\u{fffd}".to_owned(), AnyValue::from("a\u{fffd}"))]);
    assert_eq!(bad.trace_state, "\u{fffd}");
    assert_eq!(bad.status, RawStatus::Error("no\u{fffd}".to_owned()));
    assert_eq!(bad.events[0].name, "\u{fffd} event");
    assert_eq!(decoded.salvaged, Salvaged { strings: 6, ..Salvaged::default() });
    assert_eq!(decoded.rejected_count, 0);
}

#[test]
fn values_are_kept_to_the_64th_level() {
    let body = request(&[span("a", &attribute(b"k", &nested(64))), span("b", &attribute(b"k", &nested(65)))]);
    let decoded = decode(&body);
    let leaf = |index: usize| {
        let mut value = &decoded.spans[index].attributes[0].1;
        let mut depth = 1;
        while let AnyValue::Array(list) = value {
            value = &list[0];
            depth += 1;
        }
        (depth, value.clone())
    };
    assert_eq!(leaf(0), (64, AnyValue::from("leaf")));
    assert_eq!(leaf(1), (65, AnyValue::from(TOO_DEEP)));
    assert_eq!(decoded.salvaged, Salvaged { values: 1, ..Salvaged::default() });
}

#[test]
fn a_link_that_leads_nowhere_is_left_out() {
    let good = [field(1, &TRACE), field(2, &SPAN)].concat();
    let zero = [field(1, &[0; 16]), field(2, &SPAN)].concat();
    let more = [field(13, &zero), field(13, &good), field(13, b"")].concat();
    let decoded = decode(&request(&[span("a", &more)]));
    assert_eq!(decoded.spans[0].links.len(), 1);
    assert_eq!(decoded.salvaged, Salvaged { links: 2, ..Salvaged::default() });
}

#[test]
fn ids_that_are_none_refuse_the_span() {
    for id in [&[][..], &[0; 16], &[1; 15], &[1; 17], &[1; 32]] {
        let text = reason([field(1, id), field(2, &SPAN)].concat());
        assert!(text.starts_with("trace_id: must be 16 bytes, not all zero; got "), "{text}");
    }
    for id in [&[][..], &[0; 8], &[1; 7], &[1; 16]] {
        let text = reason([field(1, &TRACE), field(2, id)].concat());
        assert!(text.starts_with("span_id: must be 8 bytes, not all zero; got "), "{text}");
    }
    assert_eq!(reason(field(2, &SPAN)), "trace_id is missing");
    assert_eq!(reason(field(1, &TRACE)), "span_id is missing");
    assert!(reason(span("b", &field(4, &[1; 5]))).starts_with("parent_span_id: "));
}

#[test]
fn a_parent_of_zeros_is_no_parent() {
    let decoded = decode(&request(&[span("a", &field(4, &[0; 8])), span("b", &field(4, &[]))]));
    assert!(decoded.spans.iter().all(|span| span.parent_span_id.is_none()));
    assert_eq!(decoded.spans.len(), 2);
}

#[test]
fn broken_framing_within_a_span_refuses_it_alone() {
    assert!(reason(span("b", &[0x4a, 0x05, 1])).starts_with("attributes: a field of 5 bytes where 1 "));
    assert!(reason(span("b", &attribute(b"k", &[0x0a, 0x7f]))).starts_with("attributes: "));
    assert!(reason(span("b", &[0x4b, 0x4c])).contains("wire type 3 where 2 belongs"), "a group");
    assert!(reason(span("b", &[0xa3, 0x06])).starts_with("field 100: wire type 3"), "an unknown group");
    assert!(reason(span("b", &[0x30, 255, 255, 255, 255, 255, 255, 255, 255, 255, 9])).starts_with("kind: "));
    assert!(reason(span("b", &[0x38, 1])).contains("start_time_unix_nano: wire type 0 where 1 belongs"));
    assert!(reason(span("b", &[0x00])).contains("no field number"));
}

#[test]
fn a_broken_resource_or_scope_refuses_its_own_spans() {
    let spans = [field(2, &span("a", &[])), field(2, &span("b", &[]))].concat();
    let broken_scope = [field(1, b"\x0a\x7f"), spans.clone()].concat();
    let broken_resource = [field(2, &spans), field(1, b"\x0a\x7f")].concat();
    let body = [
        field(1, &field(2, &field(2, &span("first", &[])))),
        field(1, &[field(2, &broken_scope), field(2, &spans)].concat()),
        field(1, &broken_resource),
        field(1, &field(2, &spans)),
    ];
    let decoded = decode(&body.concat());
    let (names, rejected) = outcome(&decoded);
    assert_eq!(names, ["first", "a", "b", "a", "b"]);
    assert_eq!(rejected.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 2, 5, 6]);
    assert!(rejected[0].1.starts_with("scope: "), "{rejected:?}");
    assert!(rejected[2].1.starts_with("resource: "), "{rejected:?}");
}

#[test]
fn what_was_repaired_in_a_refused_span_does_not_count() {
    let more = [attribute(b"\xff", &nested(65)), field(13, b""), vec![0x4b]];
    reason(span("b", &more.concat()));
}

#[test]
fn a_resource_or_scope_that_is_no_message_is_noted() {
    let spans = field(2, &span("a", &[]));
    for body in [
        field(1, &[field(2, &spans), vec![0x08, 1]].concat()),
        field(1, &field(2, &[spans.clone(), vec![0x08, 1]].concat())),
    ] {
        let decoded = decode(&body);
        let (names, rejected) = outcome(&decoded);
        assert_eq!((names, rejected[0].0), (vec!["a"], 1));
        assert!(rejected[0].1.ends_with("_spans: wire type 0 where 2 belongs"), "{rejected:?}");
    }
}

#[test]
fn broken_framing_between_spans_keeps_what_came_before() {
    let cut = [field(2, &span("a", &[])), vec![0x12, 0x50, 1, 2]].concat();
    let body = [field(1, &field(2, &cut)), request(&[span("b", &[])])].concat();
    let decoded = decode(&body);
    let (names, rejected) = outcome(&decoded);
    assert_eq!(names, ["a", "b"]);
    assert_eq!(rejected[0].0, 1);
    assert!(rejected[0].1.starts_with("scope_spans: a field of 80 bytes"), "{rejected:?}");
}

#[test]
fn fields_may_come_in_any_order_and_more_than_once() {
    let resource = |value: &[u8]| field(1, &field(1, &[field(1, b"k"), field(2, &field(1, value))].concat()));
    let scope_spans = field(2, &[field(2, &span("a", &[])), field(1, &field(1, b"scope"))].concat());
    let body = field(1, &[resource(b"1"), scope_spans, resource(b"2")].concat());
    let decoded = decode(&body);
    let span = &decoded.spans[0];
    assert_eq!(span.scope.name, "scope");
    let values: Vec<_> = span.resource.attributes.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, [Some("1"), Some("2")]);
}

#[test]
fn a_list_that_comes_twice_grows_and_a_scalar_counts_last() {
    let array = |text: &[u8]| field(5, &field(1, &field(1, text)));
    let value = [array(b"1"), array(b"2")].concat();
    let last = [array(b"1"), field(1, b"text")].concat();
    let more = [attribute(b"k", &value), attribute(b"k", &last)].concat();
    let decoded = decode(&request(&[span("a", &more)]));
    let attributes = &decoded.spans[0].attributes;
    assert_eq!(attributes[0].1, AnyValue::Array(vec![AnyValue::from("1"), AnyValue::from("2")]));
    assert_eq!(attributes[1].1, AnyValue::from("text"));
}

#[test]
fn times_are_kept_as_received() {
    let times = |start: u64, end: u64| {
        let mut more = vec![0x39];
        more.extend(start.to_le_bytes());
        more.push(0x41);
        more.extend(end.to_le_bytes());
        more
    };
    let spans = [span("a", &times(9, 3)), span("b", &times(5, 0)), span("c", &times(0, u64::MAX))];
    let decoded = decode(&request(&spans));
    let seen: Vec<_> = decoded.spans.iter().map(|span| (span.start.nanos(), span.end)).collect();
    let at = Timestamp::from_nanos;
    assert_eq!(seen, [(9, Some(at(3))), (5, None), (0, Some(at(i64::MAX)))]);
}

#[test]
fn unknown_fields_are_passed_over() {
    let unknown =
        [field(900, b"new"), vec![0xa0, 6, 7], vec![0xa5, 6, 1, 2, 3, 4], vec![0xa1, 6], vec![0; 8]];
    let decoded = decode(&request(&[span("a", &unknown.concat())]));
    assert_eq!(outcome(&decoded), (vec!["a"], vec![]));
}
