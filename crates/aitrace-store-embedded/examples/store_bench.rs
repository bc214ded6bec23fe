//! Rates of the embedded store on this machine, as JSON on stdout.
//!
//! `store_bench [SPANS] [DIR]`: appends SPANS (default 300 000) spans of about 2 KB in batches of
//! 500 from 4 tasks, durably, then reads. DIR (default: a temporary one) is removed at the end.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use aitrace_model::{Json, Phase, Span, SpanId, SpanKind, Status, SystemClock, Timestamp, TraceId};
use aitrace_store::{Batch, PageRequest, ProjectScope, TelemetryStore, TraceFilter};
use aitrace_store_embedded::{EmbeddedStore, Options};

const BATCH: u64 = 500;
const TASKS: u64 = 4;
const SPANS_OF_A_TRACE: u64 = 25;

/// A generator of numbers that look random (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }
}

/// Text with the repetitiveness of prose: words from a vocabulary of 4096.
fn prose(numbers: &mut Numbers, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        let mut word = Numbers(u64::from(numbers.next().trailing_zeros()) * 64 + numbers.next() % 64).next();
        for _ in 0..2 + word % 7 {
            text.push(char::from(b'a' + (word % 26) as u8));
            word /= 26;
        }
        text.push(' ');
    }
    text
}

fn span(number: u64) -> Span {
    let mut numbers = Numbers(number);
    let (trace, place) = (number / SPANS_OF_A_TRACE, number % SPANS_OF_A_TRACE);
    let id = |number: u64| SpanId::from_bytes(Numbers(number).next().to_be_bytes()).expect("not zero");
    let trace_bytes = u128::from(Numbers(trace).next()) << 64 | u128::from(trace + 1);
    let trace_id = TraceId::from_bytes(trace_bytes.to_be_bytes()).expect("not zero");
    let start = Timestamp::from_nanos(1_800_000_000_000_000_000 + number as i64 * 1_000_000);
    let mut span =
        Span::new("bench", trace_id, id(number), ["plan", "chat", "lookup"][place as usize % 3], start);
    span.parent_span_id = (place > 0).then(|| id(number - place));
    span.phase = Phase::End;
    span.end = Some(start.saturating_add(1_000_000 + (numbers.next() % 1_000_000_000) as i64));
    span.status = numbers.next().is_multiple_of(50).then_some(Status::Error);
    span.kind = [SpanKind::Chain, SpanKind::Llm, SpanKind::Tool][place as usize % 3];
    (span.model, span.provider) = (Some("gpt-4o-mini".into()), Some("openai".into()));
    (span.input_tokens, span.output_tokens) = (Some(numbers.next() % 4000), Some(numbers.next() % 800));
    span.cost = Some(numbers.next() as f64 / 1e22);
    span.session_id = Some(format!("session-{}", trace / 4));
    (span.service, span.source) = (Some("agent".into()), Some("prod".into()));
    let (input, output) = (prose(&mut numbers, 500), prose(&mut numbers, 300));
    span.inputs = Some(Json::string(&input));
    span.outputs = Some(Json::string(&output));
    let attributes = format!(
        r#"{{"openinference.span.kind":"LLM","input.value":"{input}","output.value":"{output}","llm.model_name":"gpt-4o-mini","llm.token_count.prompt":{},"session.id":"session-{}"}}"#,
        numbers.next() % 4000,
        trace / 4
    );
    span.attributes = Json::from_trusted(attributes);
    span.resource =
        Json::from_trusted(r#"{"service.name":"agent","telemetry.sdk.name":"aitrace","host":"bench"}"#);
    span.scope = "bench".into();
    span.received = start;
    span
}

fn raw_bytes(span: &Span) -> usize {
    serde_json::to_string(span).expect("serialises").len()
}

#[tokio::main(worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
async fn main() {
    let mut args = std::env::args().skip(1);
    let spans: u64 = args.next().map_or(300_000, |text| text.parse().expect("a number of spans"));
    let temporary = tempfile::tempdir().expect("a directory");
    let dir = args.next().map_or(temporary.path().to_owned(), Into::into);
    let store = Arc::new(
        EmbeddedStore::open(&dir, Options { clock: Arc::new(SystemClock), ..Options::default() })
            .expect("opens"),
    );
    let sample: usize = (0..1000).map(|number| raw_bytes(&span(number))).sum();
    let batches: Vec<Vec<Batch>> = (0..TASKS).map(|task| batches(spans, task)).collect();
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let tasks = batches.into_iter().map(|batches| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for batch in batches {
                store.append(batch).await.expect("appends");
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("runs");
    }
    let seconds = start.elapsed().as_secs_f64();
    let used = cpu_seconds() - cpu;
    let list = quantiles(200, async |_| {
        store.list_traces(&TraceFilter::default(), &PageRequest::default()).await.expect("lists");
    })
    .await;
    let trace = quantiles(200, async |number| {
        let number = Numbers(number).next() % spans;
        let found = store.trace(&ProjectScope::All, span(number).trace_id).await.expect("reads");
        assert_eq!(found.expect("is stored").spans.len() as u64, SPANS_OF_A_TRACE);
    })
    .await;
    store.seal().await.expect("seals");
    let sealed = quantiles(200, async |number| {
        let number = Numbers(number).next() % spans;
        let found = store.trace(&ProjectScope::All, span(number).trace_id).await.expect("reads");
        assert!(found.is_some());
    })
    .await;
    let stats = store.stats().await.expect("counts");
    let ratio = stats.disk_bytes as f64 / (sample as f64 / 1000.0 * spans as f64);
    let out = serde_json::json!({
        "spans": stats.spans, "raw_bytes_per_span": sample / 1000, "append_spans_per_s": (spans as f64 / seconds).round(),
        "cpu_us_per_span": used * 1e6 / spans as f64, "segments": stats.segments, "disk_bytes": stats.disk_bytes,
        "disk_per_raw": ratio, "list_ms_p50_p95": list, "trace_ms_p50_p95": trace, "sealed_trace_ms_p50_p95": sealed,
    });
    writeln!(std::io::stdout(), "{out:#}").expect("stdout is open");
}

fn batches(spans: u64, task: u64) -> Vec<Batch> {
    let starts = (0..spans.div_ceil(BATCH)).filter(|index| index % TASKS == task);
    let batch = |index: u64| (index * BATCH..(index * BATCH + BATCH).min(spans)).map(span).collect();
    starts.map(|index| Batch { spans: batch(index), logs: Vec::new() }).collect()
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
async fn quantiles(times: u64, run: impl AsyncFn(u64)) -> [f64; 2] {
    let mut seen = Vec::new();
    for number in 0..times {
        let start = Instant::now();
        run(number).await;
        seen.push(start.elapsed().as_secs_f64() * 1e3);
    }
    seen.sort_by(f64::total_cmp);
    [seen[seen.len() / 2], seen[seen.len() * 95 / 100]]
}

/// Processor time of this process, from Linux's /proc; 0 elsewhere.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2)
        .flat_map(str::parse)
        .collect();
    fields.iter().sum::<f64>() / 100.0
}
