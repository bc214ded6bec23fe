//! Small spans and log records to test with.

use aitrace_model::{Json, Level, LogRecord, Phase, Span, SpanId, SpanKind, Timestamp, TraceId};

/// A trace id from a number.
pub fn trace_id(number: u64) -> TraceId {
    let number = u128::from(number) << 64 | 0xA1;
    TraceId::from_bytes(number.to_be_bytes()).expect("never zero")
}

/// A span id from a number.
pub fn span_id(number: u64) -> SpanId {
    SpanId::from_bytes((number + 1).to_be_bytes()).expect("never zero")
}

/// A time, so many seconds after the suite's beginning.
pub fn time(seconds: i64) -> Timestamp {
    Timestamp::from_nanos((1_800_000_000 + seconds) * 1_000_000_000)
}

/// A start of span `id`, a child of span 0 (which is a root), `id` seconds after the beginning.
pub fn start(project: &str, trace: u64, id: u64) -> Span {
    let mut span = Span::new(project, trace_id(trace), span_id(id), &format!("span {id}"), time(id as i64));
    span.parent_span_id = (id > 0).then(|| span_id(0));
    span.inputs = Some(Json::string(&format!("in {trace}/{id}")));
    span.received = time(id as i64);
    span
}

/// A heartbeat of span `id`, received at `seconds`.
pub fn heartbeat(project: &str, trace: u64, id: u64, seconds: i64) -> Span {
    let mut span = start(project, trace, id);
    (span.phase, span.heartbeats, span.received) = (Phase::Heartbeat, true, time(seconds));
    span
}

/// What a log record `id` of a span says: contents, at `seconds`.
pub fn contents(project: &str, trace: u64, span: u64, id: &str, seconds: i64) -> Span {
    let mut told = Span::new(project, trace_id(trace), span_id(span), id, time(seconds));
    told.phase = Phase::Contents;
    (told.inputs, told.outputs) = (Some(Json::from_trusted(format!(r#"["asked {id}"]"#))), None);
    told
}

/// The end of span `id`, a model call of 3 tokens that took 10 s.
pub fn end(project: &str, trace: u64, id: u64) -> Span {
    let mut span = start(project, trace, id);
    span.phase = Phase::End;
    span.end = Some(span.start.saturating_add(10_000_000_000));
    span.received = time(id as i64 + 10);
    span.outputs = Some(Json::string(&format!("out {trace}/{id}")));
    span.kind = SpanKind::Llm;
    (span.input_tokens, span.output_tokens, span.cost) = (Some(2), Some(1), Some(0.25));
    span
}

/// A log record of a trace, or of none.
pub fn log(project: &str, trace: Option<u64>, id: &str, seconds: i64) -> LogRecord {
    LogRecord {
        project: project.to_owned(),
        id: id.to_owned(),
        trace_id: trace.map(trace_id),
        span_id: trace.map(|_| span_id(0)),
        time: time(seconds),
        event: format!("event {id}"),
        level: Level::Info,
        logger: Some("suite".to_owned()),
        code: None,
        session_id: None,
        attrs: Json::from_trusted(format!(r#"{{"n":{seconds}}}"#)),
        received: time(seconds),
    }
}

/// An end that only its suffix tells: a log record unless a span of that name is known.
pub fn tentative(project: &str, trace: u64, id: u64) -> Span {
    let mut span = end(project, trace, id);
    let record = format!("tentative {trace}/{id}");
    span.tentative = Some(Box::new(log(project, Some(trace), &record, id as i64 + 10)));
    span
}
