//! The language as a whole.

use aitrace_model::{
    Json, Level, LogRecord, Span, SpanId, SpanKind, Timestamp, TraceId, TraceStatus, TraceSummary,
};
use proptest::prelude::*;

use super::field::{Field, FieldKind};
use super::needle::Needle;
use super::pattern::Pattern;
use super::tree::{Filter, Op, Operand, Term};

fn parse(text: &str) -> Filter {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn span() -> Span {
    let (trace, id) = (TraceId::from_bytes([1; 16]), SpanId::from_bytes([2; 8]));
    let start = Timestamp::from_nanos(1_769_860_800_000_000_000);
    let mut span = Span::new("shop", trace.expect("id"), id.expect("id"), "Look up", start);
    (span.kind, span.model) = (SpanKind::Llm, Some("GPT-4o-mini".to_owned()));
    span.end = Some(start.saturating_add(2_500_000_000));
    (span.input_tokens, span.cost) = (Some(100), Some(0.5));
    span.inputs = Some(Json::from_trusted(r#"{"q":"Wo ist \"mein\" Paket?","n":1.50}"#));
    span.metadata = Some(Json::from_trusted(
        r#"{"tid":7,"a.b":{"c":["x",{"d":true}]},"big":9007199254740993,"none":null}"#,
    ));
    span
}

fn log() -> LogRecord {
    LogRecord {
        project: "shop".to_owned(),
        id: "1".to_owned(),
        trace_id: None,
        span_id: None,
        time: Timestamp::from_nanos(0),
        event: "cache.miss".to_owned(),
        level: Level::Warning,
        logger: None,
        code: None,
        session_id: Some("s".to_owned()),
        attrs: Json::from_trusted(r#"{"key":"k1"}"#),
        received: Timestamp::from_nanos(0),
    }
}

#[test]
fn spans_are_judged() {
    for (text, expected) in [
        ("", true),
        ("kind:llm model:gpt-4*", true),
        ("model=gpt-4o-mini", false),
        ("model=GPT-4o-mini", true),
        ("model:gpt", false),
        ("duration>2s duration<=2500ms", true),
        ("duration:2.5s", true),
        ("duration<2.5s", false),
        ("tokens>=100 output_tokens:*", false),
        ("cost<1", true),
        ("start>=2026-01-31 start<2026-02-01", true),
        ("parent:*", false),
        ("-parent:*", true),
        ("status:error OR status:ok", true),
        ("-(status:error OR status:ok)", false),
        ("metadata.tid=7 metadata.tid:7 metadata.tid>6", true),
        ("metadata.tid<7", false),
        ("metadata.a.b.c:x metadata.a.b.c.d=true", true),
        ("metadata.big=9007199254740993", true),
        ("metadata.big=9007199254740992", false),
        ("metadata.none:*", false),
        ("metadata.none=null metadata.a.b:*", true),
        ("inputs.n=1.5 inputs.q:wo*", true),
        ("inputs:\"\\\"MEIN\\\" paket\"", true),
        ("\"look up\" paket", true),
        ("nowhere", false),
        ("NOT nowhere AND look", true),
        ("spans>0", false),
        ("level:warning", false),
        ("trace:01010101* span:*", true),
        ("error:*", false),
    ] {
        assert_eq!(parse(text).holds_of_span(&span(), TraceStatus::Ok), expected, "{text}");
    }
}

#[test]
fn log_records_are_judged() {
    for (text, expected) in [
        ("level>=warning", true),
        ("level>warning", false),
        ("event:cache.* attrs.key:K1", true),
        ("model:*", false),
        ("-model:*", true),
        ("miss session:s", true),
        ("trace:*", false),
    ] {
        assert_eq!(parse(text).holds_of_log(&log()), expected, "{text}");
    }
}

#[test]
fn lines_are_judged_as_far_as_they_can() {
    let line = TraceSummary {
        project: "shop".to_owned(),
        trace_id: TraceId::from_bytes([1; 16]).expect("id"),
        name: "agent".to_owned(),
        session_id: None,
        start: Timestamp::from_nanos(0),
        end: None,
        status: TraceStatus::Running,
        spans: 3,
        events: 0,
        errors: 1,
        input_tokens: None,
        output_tokens: Some(3),
        cost: None,
    };
    for (text, expected) in [
        ("status:running AGE", Some(true)),
        ("0101010 spans>2", Some(true)),
        ("duration:* model:x", Some(false)),
        ("model:x", None),
        ("model:x OR errors>0", Some(true)),
        ("tokens:3 -model:x", None),
    ] {
        assert_eq!(parse(text).holds_of_line(&line), expected, "{text}");
    }
    let filter = parse("kind:tool -model:x agent");
    assert_eq!(filter.span_leaves().len(), 2);
    let marked: Vec<bool> = (0..4).map(|marks| filter.holds_of_trace(&line, marks)).collect();
    assert_eq!(marked, [false, true, false, false]);
}

#[test]
fn mistakes_are_shown_where_they_are() {
    for (text, position) in [
        ("ab colour:red", 3),
        ("é status:bad", 9),
        ("duration>2", 9),
        ("cost>x", 5),
        ("name>x", 5),
        ("\"open", 0),
        ("(a", 0),
        ("a)", 1),
        ("a OR", 4),
        ("OR a", 0),
        ("- a", 0),
        ("model: x", 6),
        ("model.x:1", 0),
        ("metadata=x", 9),
        ("metadata.:x", 0),
        ("start>soon", 6),
        ("name:a(b)", 6),
        (":x", 0),
        ("\"\"", 0),
        ("a ()", 3),
        ("x\\", 1),
    ] {
        let error = text.parse::<Filter>().expect_err(text);
        assert_eq!(error.position, position, "{text}: {error}");
        assert!(!error.hint.is_empty(), "{text}");
    }
    let deep = format!("{}a{}", "(".repeat(100), ")".repeat(100));
    assert!(deep.parse::<Filter>().is_err() && format!("{}a", "-".repeat(4000)).parse::<Filter>().is_err());
    assert!("a ".repeat(65).parse::<Filter>().is_err() && "x".repeat(5000).parse::<Filter>().is_err());
    assert_eq!(parse("a ".repeat(64).trim()).leaves().len(), 64);
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,6}",
        "[ -~]{1,8}",
        "[äöü€ \\\\\"*():<=>-]{1,6}",
        Just("OR".to_owned()),
        Just("NOT".to_owned())
    ]
}

fn terms() -> impl Strategy<Value = Filter> {
    let field = proptest::sample::select(Field::ALL.to_vec());
    let ops =
        proptest::sample::select(vec![Op::Is, Op::Exactly, Op::Less, Op::AtMost, Op::More, Op::AtLeast]);
    let parts = proptest::collection::vec(texts(), 1..4);
    (field, ops, parts, texts(), any::<i64>(), any::<f64>(), any::<bool>()).prop_map(
        |(field, op, parts, path, whole, number, anything)| {
            let ordered = !matches!(op, Op::Is | Op::Exactly);
            let is = if ordered { op } else { Op::Is };
            let number = Operand::Number(if number.is_finite() { number } else { 0.0 });
            let text = |op: Op| match op {
                Op::Exactly => Operand::Text(Pattern::literal(&parts[0])),
                _ => Operand::Text(Pattern::new(parts.clone())),
            };
            let plain = if ordered { Op::Is } else { op };
            let (path, op, value) = match field.kind() {
                _ if anything => (String::new(), Op::Is, Operand::Anything),
                FieldKind::Text => (String::new(), plain, text(plain)),
                FieldKind::Content => (String::new(), Op::Is, text(Op::Is)),
                FieldKind::Json if ordered => (path, op, number),
                FieldKind::Json => (path, op, text(op)),
                FieldKind::Number => (String::new(), is, number),
                FieldKind::Duration => (String::new(), is, Operand::Duration(whole)),
                FieldKind::Time => (String::new(), is, Operand::Time(Timestamp::from_nanos(whole))),
                FieldKind::Word(words) => {
                    let op = if field == Field::Level { is } else { Op::Is };
                    (String::new(), op, Operand::Word(whole.unsigned_abs() as usize % words.len()))
                }
            };
            Filter::Term(Term { field, path, op, value })
        },
    )
}

fn filters() -> impl Strategy<Value = Filter> {
    let text = texts().prop_map(|text| Filter::Text(Needle::new(&text).expect("not empty")));
    prop_oneof![text, terms()].prop_recursive(4, 24, 4, |inner| {
        let several = proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            several.clone().prop_map(Filter::all),
            several.prop_map(Filter::any),
            inner.prop_map(Filter::negate)
        ]
    })
}

proptest! {
    #[test]
    fn the_canonical_text_is_read_as_the_same(filter in filters()) {
        let text = filter.to_string();
        let read: Filter = text.parse().map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(&read, &filter, "{}", text);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn any_text_is_read_or_refused_in_its_bounds(text in "[ -~é\u{0}]{0,40}|([a-z.]{1,8}[:<=>\"()\\\\* -]){1,6}") {
        match text.parse::<Filter>() {
            Ok(filter) => {
                prop_assert_eq!(filter.to_string().parse::<Filter>().expect("canonical"), filter);
            }
            Err(error) => prop_assert!(error.position <= text.chars().count()),
        }
    }
}
