//! For tests of traced programs: a clock that stands still, ids that count, a tracer that keeps its spans,
//! and spans as a tree of text.
//!
//! ```
//! use aitrace::testing;
//!
//! let (tracer, clock) = testing::tracer();
//! {
//!     let _plan = tracer.start_span("plan");
//!     clock.advance(1_000_000);
//!     let _search = tracer.start_span("search");
//! }
//! assert_eq!(testing::tree(&tracer.spans()), "plan 1ms\n  search 0ns\n");
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use aitrace_model::ManualClock;
use aitrace_model::{Span, SpanId, Status, Timestamp, TraceId};
use serde_json::Value;

use crate::ids::IdGenerator;
use crate::tracer::Tracer;

/// When the clock of [`tracer`] begins: 2026-01-01T00:00:00Z.
pub const BEGINNING: Timestamp = Timestamp::from_nanos(1_767_225_600_000_000_000);

/// A tracer with the target `memory`, a clock that stands at [`BEGINNING`], and ids that count from 1.
/// Open spans are looked at by [`tick`] only.
pub fn tracer() -> (Tracer, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(BEGINNING));
    let tracer = Tracer::builder()
        .project("test")
        .source("test")
        .session_id("session-1")
        .tracer_id("tracer-1")
        .target("memory")
        .clock(clock.clone())
        .id_generator(Arc::new(SequentialIds::default()))
        .tick(Duration::from_hours(24))
        .disabled(false)
        .build();
    (tracer, clock)
}

/// Ids that count from 1: traces and spans apart.
#[derive(Debug, Default)]
pub struct SequentialIds {
    traces: AtomicU64,
    spans: AtomicU64,
}

impl IdGenerator for SequentialIds {
    fn trace_id(&self) -> TraceId {
        let number = u128::from(self.traces.fetch_add(1, Ordering::Relaxed)) + 1;
        TraceId::from_bytes(number.to_be_bytes()).expect("counts from 1")
    }

    fn span_id(&self) -> SpanId {
        let number = self.spans.fetch_add(1, Ordering::Relaxed) + 1;
        SpanId::from_bytes(number.to_be_bytes()).expect("counts from 1")
    }
}

/// Has the tracer's worker look at open spans now, and waits up to `timeout` until it has sent what it saw.
/// True when it has.
pub fn tick(tracer: &Tracer, timeout: Duration) -> bool {
    tracer.tick(timeout)
}

/// The only span of this name.
///
/// Panics where there is none or several, and says which there are.
///
/// ```
/// let (tracer, _clock) = aitrace::testing::tracer();
/// tracer.start_span("plan").end();
/// assert_eq!(aitrace::testing::span(&tracer, "plan").project, "test");
/// ```
#[track_caller]
pub fn span(tracer: &Tracer, name: &str) -> Span {
    let spans = tracer.spans();
    let mut found = spans.iter().filter(|span| span.name == name);
    match (found.next(), found.next()) {
        (Some(span), None) => span.clone(),
        (None, _) => panic!("no finished span {name:?}; there are:\n{}", tree(&spans)),
        (Some(_), Some(_)) => panic!("several spans {name:?}:\n{}", tree(&spans)),
    }
}

/// An attribute of a span, null where it has none of this name.
///
/// ```
/// use aitrace::testing;
///
/// let (tracer, _clock) = testing::tracer();
/// tracer.start_span("plan").set_attribute("k", 1);
/// assert_eq!(testing::attribute(&testing::span(&tracer, "plan"), "k"), 1);
/// ```
pub fn attribute(span: &Span, name: &str) -> Value {
    let attributes = span.attributes.to_value();
    attributes.and_then(|attributes| attributes.get(name).cloned()).unwrap_or_default()
}

/// Checks the finished spans against the text of [`tree`]. Lines may be indented as a whole, and the text may
/// begin and end with empty lines, so that it can stand in the code as it looks.
///
/// Panics with both texts where they differ.
///
/// ```
/// let (tracer, clock) = aitrace::testing::tracer();
/// {
///     let _plan = tracer.start_span("plan");
///     tracer.start_span("search").end();
///     clock.advance(5_000);
/// }
/// aitrace::testing::assert_tree(&tracer, "
///     plan 5µs
///       search 0ns
/// ");
/// ```
#[track_caller]
pub fn assert_tree(tracer: &Tracer, expected: &str) {
    let lines: Vec<&str> = expected.lines().filter(|line| !line.trim().is_empty()).collect();
    let margin = lines.iter().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let expected: Vec<&str> = lines.iter().map(|line| line[margin..].trim_end()).collect();
    let found = tree(&tracer.spans());
    assert!(
        found.lines().eq(expected.iter().copied()),
        "expected:\n{}\nfound:\n{found}",
        expected.join("\n")
    );
}

/// Log records as text, one a line: level, event and data, in the order they were written.
///
/// ```
/// let (tracer, _clock) = aitrace::testing::tracer();
/// tracer.log(aitrace::Log::new("cache missed").field("key", "k1"));
/// assert_eq!(aitrace::testing::logs(&tracer), "info cache missed {\"key\":\"k1\"}\n");
/// ```
pub fn logs(tracer: &Tracer) -> String {
    let mut out = String::new();
    for log in tracer.logs() {
        writeln!(out, "{} {} {}", log.level.as_str(), log.event, log.attrs)
            .expect("a String takes everything");
    }
    out
}

/// Lets the time pass at once by which the tracer's worker measures its pauses: after a failed request, while
/// the server asked to be left alone.
pub fn advance(tracer: &Tracer, by: Duration) {
    tracer.advance(by);
}

/// Spans as text, one a line: children below their parents, indented by two spaces; siblings in the order
/// of their starts, of equal starts in that of their ids. Behind the name stand the duration, the kind where
/// it is none of `span`, the error, and the metadata.
///
/// A span whose parent is not among them stands at the left.
pub fn tree(spans: &[Span]) -> String {
    let known: std::collections::BTreeSet<_> =
        spans.iter().map(|span| (span.trace_id, span.span_id)).collect();
    let mut children: BTreeMap<_, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        let parent = span.parent_span_id.map(|parent| (span.trace_id, parent));
        let parent = parent.filter(|parent| known.contains(parent) && parent.1 != span.span_id);
        children.entry(parent).or_default().push(span);
    }
    for siblings in children.values_mut() {
        siblings.sort_by_key(|span| (span.start, span.trace_id, span.span_id));
    }
    let mut out = String::new();
    let mut stack: Vec<(usize, &Span)> =
        children.remove(&None).unwrap_or_default().into_iter().map(|span| (0, span)).rev().collect();
    while let Some((depth, span)) = stack.pop() {
        line(&mut out, depth, span);
        let below = children.remove(&Some((span.trace_id, span.span_id))).unwrap_or_default();
        stack.extend(below.into_iter().rev().map(|span| (depth + 1, span)));
    }
    out
}

fn line(out: &mut String, depth: usize, span: &Span) {
    let write = |out: &mut String, text: std::fmt::Arguments<'_>| {
        out.write_fmt(text).expect("a String takes everything");
    };
    write(out, format_args!("{:indent$}{}", "", span.name, indent = depth * 2));
    match span.duration_ns() {
        Some(nanos) => write(out, format_args!(" {:?}", Duration::from_nanos(nanos.unsigned_abs()))),
        None => out.push_str(" running"),
    }
    if span.kind != aitrace_model::SpanKind::Span {
        write(out, format_args!(" [{}]", span.kind));
    }
    if span.status == Some(Status::Error) {
        let message = span.error.as_ref().map_or("", |error| error.message.as_str());
        write(out, format_args!(" error: {message}"));
    }
    if let Some(metadata) = &span.metadata {
        write(out, format_args!(" {metadata}"));
    }
    out.push('\n');
}
