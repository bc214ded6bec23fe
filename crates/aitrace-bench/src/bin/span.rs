//! One span, started and ended: ours against the anchors.
//!
//! Ours runs with everything on: a live worker that looks at open spans and exports to a sink in this
//! process, and a bounded queue. Each row is measured in turn within a round; a round is short enough for
//! no queue to fill. For a profiler: `span "aitrace" 4000` measures one row, for so many rounds.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aitrace_bench::{Timing, Work, measure};
use fastrace::local::LocalSpan;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};

/// Counts what arrives.
#[derive(Debug, Clone, Default)]
struct Sink(Arc<AtomicU64>);

impl aitrace::Exporter for Sink {
    fn export(&self, batch: &aitrace::Batch) -> aitrace::Exported {
        self.0.fetch_add(batch.countable(), Ordering::Relaxed);
        aitrace::Exported::Sent { rejected: 0 }
    }

    fn wants_open_spans(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct NoExporter;

impl opentelemetry_sdk::trace::SpanExporter for NoExporter {
    async fn export(
        &self,
        batch: Vec<opentelemetry_sdk::trace::SpanData>,
    ) -> opentelemetry_sdk::error::OTelSdkResult {
        drop(black_box(batch));
        Ok(())
    }
}

struct NoReporter;

impl fastrace::collector::Reporter for NoReporter {
    fn report(&mut self, spans: Vec<fastrace::collector::SpanRecord>) {
        drop(black_box(spans));
    }
}

#[expect(clippy::disallowed_methods, reason = "two readings of the clock are the floor")]
fn two_clock_reads() {
    black_box((SystemTime::now(), SystemTime::now()));
}

fn fastrace_plain() {
    drop(black_box(LocalSpan::enter_with_local_parent("span")));
}

fn fastrace_attributes() {
    let span = LocalSpan::enter_with_local_parent("span");
    drop(black_box(span.with_properties(|| [("one", "1"), ("two", "two"), ("three", "3.0")])));
}

/// In a trace of its own each time: what a local parent can hold is limited, and beyond it nothing is recorded.
fn in_fastrace(calls: u32, work: impl Fn()) {
    let root = fastrace::Span::root("root", fastrace::collector::SpanContext::random());
    let _parent = root.set_local_parent();
    (0..calls).for_each(|_| work());
}

fn otel_attributes(tracer: &opentelemetry_sdk::trace::SdkTracer) {
    let mut span = tracer.start("span");
    span.set_attribute(KeyValue::new("one", 1));
    span.set_attribute(KeyValue::new("two", "two"));
    span.set_attribute(KeyValue::new("three", 3.0));
    drop(black_box(span));
}

fn attributes(tracer: &aitrace::Tracer) {
    let span = tracer.start_span("span");
    span.set_attribute("one", 1);
    span.set_attribute("two", "two");
    span.set_attribute("three", 3.0);
    drop(black_box(span));
}

/// Rounds of as many calls; short enough that no queue fills within one.
const ROUNDS: usize = 400;
const CALLS: u32 = 1000;

fn run(tracer: &aitrace::Tracer, otel: &opentelemetry_sdk::trace::SdkTracer) -> Vec<(&'static str, Timing)> {
    let mut clock = |calls| (0..calls).for_each(|_| two_clock_reads());
    let mut fast = |calls| in_fastrace(calls, fastrace_plain);
    let mut fast3 = |calls| in_fastrace(calls, fastrace_attributes);
    let mut otel_plain = |calls| (0..calls).for_each(|_| drop(black_box(otel.start("span"))));
    let mut otel3 = |calls| (0..calls).for_each(|_| otel_attributes(otel));
    let mut plain = |calls| (0..calls).for_each(|_| drop(black_box(tracer.start_span("span"))));
    let mut plain3 = |calls| (0..calls).for_each(|_| attributes(tracer));
    let mut handle = |calls| (0..calls).for_each(|_| tracer.start(aitrace::SpanOptions::new("span")).end());
    let mut rows: [(&'static str, Work<'_>); 8] = [
        ("two clock reads", &mut clock),
        ("fastrace", &mut fast),
        ("fastrace, 3 attributes", &mut fast3),
        ("opentelemetry_sdk", &mut otel_plain),
        ("opentelemetry_sdk, 3 attributes", &mut otel3),
        ("aitrace", &mut plain),
        ("aitrace, 3 attributes", &mut plain3),
        ("aitrace, handle", &mut handle),
    ];
    let only = std::env::args().nth(1);
    let mut rows: Vec<_> =
        rows.iter_mut().filter(|row| only.as_deref().is_none_or(|only| row.0 == only)).collect();
    let mut borrowed: Vec<(&str, Work<'_>)> =
        rows.iter_mut().map(|row| (row.0, &mut *row.1 as Work<'_>)).collect();
    let rounds = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let timings = measure(rounds, CALLS, &mut borrowed);
    rows.iter().map(|row| row.0).zip(timings).collect()
}

fn main() {
    let sink = Sink::default();
    let tracer = aitrace::Tracer::builder().exporter(sink.clone()).build();
    let provider =
        opentelemetry_sdk::trace::SdkTracerProvider::builder().with_batch_exporter(NoExporter).build();
    let config = fastrace::collector::Config::default().report_interval(Duration::from_millis(100));
    fastrace::set_reporter(NoReporter, config);

    // Ours as children of a span, as they are in a traced program; fastrace's likewise.
    let root = tracer.start_span("root");
    let timings = run(&tracer, &provider.tracer("bench"));
    drop(root);
    let flushed = tracer.flush(Duration::from_secs(20));

    let find = |name: &str| timings.iter().find(|row| row.0 == name).map_or(f64::NAN, |row| row.1.median);
    let mut text =
        String::from("| span, start and end | median ns | fastest ns | aitrace to it |\n|---|---|---|---|\n");
    for (name, timing) in &timings {
        let ours = find(if name.contains('3') { "aitrace, 3 attributes" } else { "aitrace" });
        let ratio = ours / timing.median;
        let Timing { median, fastest } = timing;
        writeln!(text, "| {name} | {median:.1} | {fastest:.1} | {ratio:.2} |")
            .expect("a String takes everything");
    }
    let (sent, dropped, ok) = (flushed.sent, flushed.dropped, flushed.ok);
    writeln!(text, "\naccepted {sent}, dropped {dropped:?}, ok {ok}").expect("a String takes everything");
    std::io::stdout().lock().write_all(text.as_bytes()).expect("stdout takes the table");
}
