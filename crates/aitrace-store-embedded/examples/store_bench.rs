//! Rates and sizes of the embedded store on this machine, beside their goals.
//!
//! `store_bench [SPANS] [DIR] [agent|words]`: appends SPANS (default 300 000) spans in batches of 500 from 4 tasks,
//! durably, seals, merges, and reads. DIR (default: a temporary one) must be empty; then a DIR with KEEP in its name
//! stays, and is only read the next time.
//!
//! `agent` (default) is what agents send: each model call repeats the conversation so far, OpenInference attributes
//! hold the contents, and the normalised inputs and outputs hold them again. `words` is the hard case: every span has
//! its own random words. Words come from a vocabulary of 4096, frequent ones more often, so that a text without any
//! repetition compresses about as well as English. Raw bytes are what OTLP carries: attributes once, ids, times.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use aitrace_allocator as _;
use aitrace_model::{Json, Phase, Span, SpanId, SpanKind, Status, Timestamp, TraceId, TraceStatus};
use aitrace_store::{
    Batch, Dimension, Filter, PageRequest, ProjectScope, QueryStore, Search, StatisticsQuery, TelemetryStore,
    TraceFilter, Upkeep,
};
use aitrace_store_embedded::{EmbeddedStore, Options};

const BATCH: u64 = 500;
const TASKS: u64 = 4;
const SPANS_OF_A_TRACE: u64 = 25;
const START: i64 = 1_800_000_000_000_000_000;
/// Bytes of a span on the wire beside its attributes: ids, times, name, framing.
const FRAME: usize = 110;

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

fn trace_id(trace: u64) -> TraceId {
    let bytes = u128::from(Numbers(trace).next()) << 64 | u128::from(trace + 1);
    TraceId::from_bytes(bytes.to_be_bytes()).expect("not zero")
}

fn message(role: &str, content: &str) -> String {
    format!(r#"{{"role":"{role}","content":{}}}"#, Json::string(content).as_str())
}

/// The spans of a trace: an agent that calls a model and tools in turn.
fn trace(trace: u64, agent: bool) -> Vec<Span> {
    let mut numbers = Numbers(trace ^ 0xA6E7);
    let mut history = vec![
        message("system", &prose(&mut Numbers(trace % 8), 700)),
        message("user", &prose(&mut numbers, 160)),
    ];
    (0..SPANS_OF_A_TRACE)
        .map(|place| {
            let number = trace * SPANS_OF_A_TRACE + place;
            let mut span = bare(trace, place, &mut numbers);
            let (input, output) = match span.kind {
                _ if !agent => (
                    Json::string(&prose(&mut numbers, 900)).as_str().to_owned(),
                    Json::string(&prose(&mut numbers, 500)).as_str().to_owned(),
                ),
                SpanKind::Llm => {
                    let input = format!(r#"{{"messages":[{}]}}"#, history.join(","));
                    let said = prose(&mut numbers, 120);
                    history.push(message("assistant", &said));
                    (input, message("assistant", &said))
                }
                SpanKind::Tool => {
                    let id = numbers.next();
                    let query = prose(&mut numbers, 40);
                    let found = format!("order {id:016x} of span {number}: {}", prose(&mut numbers, 180));
                    history.push(message("tool", &found));
                    (format!(r#"{{"query":"{query}"}}"#), Json::string(&found).as_str().to_owned())
                }
                _ => (history[1].clone(), Json::string(&prose(&mut numbers, 80)).as_str().to_owned()),
            };
            fill(&mut span, &input, &output, trace);
            span
        })
        .collect()
}

fn bare(trace: u64, place: u64, numbers: &mut Numbers) -> Span {
    let number = trace * SPANS_OF_A_TRACE + place;
    let id = |number: u64| SpanId::from_bytes(Numbers(number).next().to_be_bytes()).expect("not zero");
    let start = Timestamp::from_nanos(START + number as i64 * 1_000_000);
    let (name, kind) = match place % 3 {
        _ if place == 0 => ("agent", SpanKind::Agent),
        1 => ("chat", SpanKind::Llm),
        2 => ("lookup", SpanKind::Tool),
        _ => ("plan", SpanKind::Chain),
    };
    let mut span = Span::new("bench", trace_id(trace), id(number), name, start);
    span.parent_span_id = (place > 0).then(|| id(number - place));
    (span.phase, span.kind) = (Phase::End, kind);
    span.end = Some(start.saturating_add(1_000_000 + (numbers.next() % 1_000_000_000) as i64));
    span.status = numbers.next().is_multiple_of(50).then_some(Status::Error);
    if kind == SpanKind::Llm {
        let model = ["gpt-5", "claude-5", "qwen-4"][trace as usize % 3];
        (span.model, span.provider) = (Some(model.into()), Some("openai".into()));
        (span.input_tokens, span.output_tokens) = (Some(numbers.next() % 4000), Some(numbers.next() % 800));
        span.cost = Some((numbers.next() % 100_000) as f64 / 1e7);
    }
    span.session_id = Some(format!("session-{}", trace / 4));
    (span.service, span.source) = (Some("agent".into()), Some("prod".into()));
    span.received = start;
    span
}

/// Contents, and the attributes that brought them.
fn fill(span: &mut Span, input: &str, output: &str, trace: u64) {
    let quoted = |text: &str| Json::string(text).as_str().to_owned();
    let attributes = format!(
        r#"{{"openinference.span.kind":"{}","input.value":{},"input.mime_type":"application/json","output.value":{},"output.mime_type":"application/json","llm.model_name":"{}","llm.token_count.prompt":{},"session.id":"session-{}"}}"#,
        span.kind.as_str().to_uppercase(),
        quoted(input),
        quoted(output),
        span.model.as_deref().unwrap_or_default(),
        span.input_tokens.unwrap_or(0),
        trace / 4
    );
    (span.inputs, span.outputs) = (Some(Json::from_trusted(input)), Some(Json::from_trusted(output)));
    span.attributes = Json::from_trusted(attributes);
    span.resource =
        Json::from_trusted(r#"{"service.name":"agent","telemetry.sdk.name":"aitrace","host":"bench"}"#);
    span.scope = "bench".into();
}

fn raw(spans: &[Span]) -> usize {
    spans.iter().map(|span| span.attributes.as_str().len() + FRAME).sum()
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// What was measured, one line each.
struct Report(std::io::Stdout);

impl Report {
    fn line(&mut self, what: &str, figure: f64, unit: &str, goal: Option<f64>) {
        let goal = goal.map(|goal| format!("  goal {goal}, {:.2} of it", figure / goal)).unwrap_or_default();
        writeln!(self.0, "{what:<44}{figure:>12.3} {unit}{goal}").expect("stdout is open");
    }
}

fn open(dir: &Path) -> EmbeddedStore {
    EmbeddedStore::open(dir, Options::default()).expect("opens")
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut args = std::env::args().skip(1);
    let spans: u64 = args.next().map_or(300_000, |text| text.parse().expect("a number of spans"));
    let temporary = tempfile::tempdir().expect("a directory");
    let dir = args.next().map_or(temporary.path().to_owned(), std::path::PathBuf::from);
    let agent = args.next().is_none_or(|text| text == "agent");
    let keep = dir.to_string_lossy().contains("KEEP");
    let (traces, mut report) = (spans / SPANS_OF_A_TRACE, Report(std::io::stdout()));
    if !(keep && dir.join("aitrace.db").is_file()) {
        write_all(&dir, traces, agent, &mut report).await;
    }
    let start = now();
    let store = open(&dir);
    report.line("start", start.elapsed().as_secs_f64(), "s", Some(0.3));
    // As the server does when it is calm.
    if let Some(give_back) = aitrace_allocator::GIVE_BACK {
        give_back();
    }
    report.line("memory after the start", status_mb("VmRSS:"), "MB", Some(80.0));
    read(&store, traces, &mut report).await;
    report.line("memory after all that was read", status_mb("VmRSS:"), "MB", None);
    report.line("most memory", status_mb("VmHWM:"), "MB", Some(512.0));
    drop(store);
    if !keep {
        drop(std::fs::remove_dir_all(&dir));
    }
}

/// Appends, seals and merges all spans.
async fn write_all(dir: &Path, traces: u64, agent: bool, report: &mut Report) {
    let store = Arc::new(open(dir));
    let spans = (traces * SPANS_OF_A_TRACE) as f64;
    let cpu = cpu_seconds();
    let sample: usize = (0..400).map(|number| raw(&trace(number, agent))).sum();
    let making = (cpu_seconds() - cpu) / 400.0 * traces as f64;
    let raw = sample as f64 / 400.0 * traces as f64;
    let (start, cpu) = (now(), cpu_seconds());
    let tasks = (0..TASKS).map(|task| tokio::spawn(write(Arc::clone(&store), task, traces, agent)));
    let mut acks = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        acks.extend(task.await.expect("runs"));
    }
    let (seconds, used) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu - making);
    acks.sort_by(f64::total_cmp);
    report.line("raw bytes of a span", raw / spans, "B", None);
    report.line("appended, durable, texts made meanwhile", spans / seconds, "spans/s", None);
    report.line("processor time of the texts", making * 1e6 / spans, "us/span", None);
    report.line("processor time without making the texts", used * 1e6 / spans, "us/span", None);
    report.line("acknowledgement of 500 spans, p50", acks[acks.len() / 2], "ms", None);
    report.line("acknowledgement of 500 spans, p99", acks[acks.len() * 99 / 100], "ms", Some(250.0));
    report.line("most memory while writing", status_mb("VmHWM:"), "MB", Some(512.0));
    let (start, cpu) = (now(), cpu_seconds());
    store.seal().await.expect("seals");
    store.compact().await.expect("merges");
    report.line("sealing the rest and merging", start.elapsed().as_secs_f64(), "s", None);
    report.line("processor time of that", cpu_seconds() - cpu, "s", None);
    let disk = store.stats().await.expect("counts");
    report.line("files", disk.segments as f64, "", None);
    report.line("bytes on disk to raw bytes", disk.disk_bytes as f64 / raw, "", Some(0.16));
}

/// Appends the share of one task; milliseconds to each acknowledgement.
async fn write(store: Arc<EmbeddedStore>, task: u64, traces: u64, agent: bool) -> Vec<f64> {
    let per = BATCH / SPANS_OF_A_TRACE;
    let mut acks = Vec::new();
    for first in (0..traces).step_by(per as usize).skip(task as usize).step_by(TASKS as usize) {
        let spans = (first..(first + per).min(traces)).flat_map(|number| trace(number, agent)).collect();
        let start = now();
        store.append(Batch { spans, logs: Vec::new() }).await.expect("appends");
        acks.push(start.elapsed().as_secs_f64() * 1e3);
    }
    acks
}

async fn read(store: &EmbeddedStore, traces: u64, report: &mut Report) {
    let list = async |filter: &TraceFilter| {
        quantile(100, async |_| {
            drop(store.list_traces(filter, &PageRequest::default()).await.expect("lists"));
        })
        .await
    };
    report.line("list of traces, p95", list(&TraceFilter::default()).await, "ms", Some(50.0));
    let failed = TraceFilter { status: Some(TraceStatus::Error), ..TraceFilter::default() };
    report.line("list of failed traces, p95", list(&failed).await, "ms", Some(50.0));
    let one = quantile(200, async |number| {
        let id = trace_id(Numbers(number).next() % traces);
        let found = store.trace(&ProjectScope::All, id).await.expect("reads").expect("is stored");
        assert_eq!(found.spans.len() as u64, SPANS_OF_A_TRACE);
    })
    .await;
    report.line("one trace, p95", one, "ms", Some(20.0));
    statistics(store, traces, report).await;
    let number = traces / 3 * SPANS_OF_A_TRACE + 2;
    for (what, text) in [
        ("a text that stands in one trace", format!("of span {number}:")),
        ("a frequent word", "order".into()),
    ] {
        let (first, all) = search(store, &text).await;
        report.line(&format!("search of {what}, first hit"), first, "s", Some(3.0));
        report.line(&format!("search of {what}, to its end"), all, "s", Some(3.0));
    }
}

async fn statistics(store: &EmbeddedStore, traces: u64, report: &mut Report) {
    let until = START.saturating_add((traces * SPANS_OF_A_TRACE) as i64 * 1_000_000);
    let mut query = StatisticsQuery::new(Timestamp::from_nanos(START), Timestamp::from_nanos(until));
    let count = async |query: &StatisticsQuery| {
        quantile(5, async |_| drop(store.statistics(query).await.expect("counts"))).await
    };
    report.line("statistics of everything", count(&query).await, "ms", Some(500.0));
    // As /api/stats chooses buckets: at most 60, of a round length.
    let lengths = [1, 10, 60, 300, 900, 3_600, 21_600, 86_400].map(|length| length * 1_000_000_000);
    query.bucket_ns = lengths.into_iter().find(|length| (until - START) / length <= 60);
    query.by = Some(Dimension::Model);
    report.line("statistics by model in round buckets", count(&query).await, "ms", Some(500.0));
    query.filter = "model:gpt-* status:error".parse().expect("a filter");
    report.line("the same of failed calls of a model", count(&query).await, "ms", Some(500.0));
    query.filter = Filter::default();
    query.bucket_ns = Some((until - START) / 24);
    report.line("statistics by model in 24 odd buckets", count(&query).await, "ms", Some(500.0));
}

/// Seconds to the first hit and to the end.
async fn search(store: &EmbeddedStore, text: &str) -> (f64, f64) {
    let (sender, mut hits) = tokio::sync::mpsc::channel(100);
    let search = Search::new(text);
    let start = now();
    let wait = async {
        let first = hits.recv().await.map(|_| start.elapsed().as_secs_f64());
        while hits.recv().await.is_some() {}
        // In the hard case there is no such text.
        first.unwrap_or(f64::NAN)
    };
    let (first, done) = tokio::join!(wait, store.search(&search, sender));
    done.expect("searches");
    (first, start.elapsed().as_secs_f64())
}

/// Milliseconds that 95 % of so many runs did not exceed.
async fn quantile(times: u64, run: impl AsyncFn(u64)) -> f64 {
    let mut seen = Vec::new();
    for number in 0..times {
        let start = now();
        run(number).await;
        seen.push(start.elapsed().as_secs_f64() * 1e3);
    }
    seen.sort_by(f64::total_cmp);
    seen[(seen.len() * 95 / 100).min(seen.len() - 1)]
}

/// A figure of `/proc/self/status` in MB; 0 elsewhere than on Linux.
fn status_mb(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
        / 1e6
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
