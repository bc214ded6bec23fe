//! Durable ingest over loopback against the real binary: spans a second and time to the acknowledgement.
//!
//! `cargo run --release -p aitrace-cli --example ingest_bench -- target/release/aitrace [otlp|records] [SPANS]
//! [BATCH] [CLIENTS]`; defaults: otlp, 200000 spans, 512 a batch, 4 clients. A span is about 2 KB as OTLP protobuf
//! and 1 KB as a trace record. Bodies are made beforehand and only given new ids, so that the client costs little:
//! it shares the machine with the server.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aitrace_model::{AnyValue, Dropped, RawSpan, RawStatus, Resource, Scope, SpanId, Timestamp, TraceId};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Otlp,
    Records,
}

#[derive(Debug, Clone)]
struct Plan {
    wire: Wire,
    spans: u64,
    batch: u64,
    clients: u64,
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let binary = args.next().ok_or("the path of the binary is missing")?;
    let wire = match args.next().as_deref() {
        None | Some("otlp") => Wire::Otlp,
        Some("records") => Wire::Records,
        Some(other) => return Err(format!("{other:?} is neither otlp nor records").into()),
    };
    let mut number = |default| args.next().map_or(Ok(default), |text| text.parse::<u64>());
    let plan = Plan { wire, spans: number(200_000)?, batch: number(512)?, clients: number(4)? };
    let folder = tempfile::tempdir()?;
    let server = Server::start(&binary, folder.path())?;
    // The first batches open files and grow buffers.
    run(&Plan { spans: plan.batch * plan.clients * 4, ..plan.clone() }, &server.address, 1)?;
    let before = server.used()?;
    let report = run(&plan, &server.address, 2)?;
    let after = server.used()?;
    let disk = disk_bytes(folder.path())?;
    let a_span = |ticks: u64| ticks as f64 * 1e6 / TICKS / plan.spans as f64;
    let text = format!(
        "{report}{:>12.1} us of processor time of the server a span ({:.1} of it in the system)\n\
         {:>12} MiB, the most memory\n{disk:>12} bytes in the data directory, before it is sealed\n",
        a_span(after.all - before.all),
        a_span(after.system - before.system),
        after.most_kib >> 10,
    );
    std::io::stdout().write_all(text.as_bytes())?;
    drop(server);
    Ok(())
}

/// Ticks of a second in `/proc`: the same on every Linux.
const TICKS: f64 = 100.0;

/// What a process has used so far.
struct Used {
    /// Ticks of processor time, and of it in the system.
    all: u64,
    system: u64,
    most_kib: u64,
}

/// The server; killed at the end.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(binary: &str, folder: &Path) -> Result<Self> {
        let mut command = Command::new(binary);
        command.args(["serve", "--port", "0", "--data-dir"]).arg(folder).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut url = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut url)?;
        let address = url.trim().strip_prefix("http://").ok_or("the first line is no URL")?.to_owned();
        Ok(Self { child, address })
    }

    /// What it has used; nothing where the system does not say.
    fn used(&self) -> Result<Used> {
        let read = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", self.child.id()));
        let (Ok(stat), Ok(status)) = (read("stat"), read("status")) else {
            return Ok(Used { all: 0, system: 0, most_kib: 0 });
        };
        // The second field is a name in parentheses, which may hold blanks.
        let (_, rest) = stat.rsplit_once(") ").ok_or("no stat")?;
        let ticks = |at: usize| {
            Ok::<u64, Box<dyn Error + Send + Sync>>(rest.split(' ').nth(at).ok_or("no ticks")?.parse()?)
        };
        let (user, system) = (ticks(11)?, ticks(12)?);
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        Ok(Used { all: user + system, system, most_kib: most.ok_or("no VmHWM")?.trim().parse()? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn run(plan: &Plan, address: &str, round: u64) -> Result<String> {
    let batches = plan.spans.div_ceil(plan.batch);
    let next = Arc::new(AtomicU64::new(0));
    let clients: Vec<Client> = (0..plan.clients).map(|number| Client::new(plan, number)).collect();
    let bytes = clients[0].bodies[0].bytes.len() as u64 / plan.batch;
    let begin = now();
    let threads: Vec<_> = clients
        .into_iter()
        .map(|client| {
            let (next, address) = (Arc::clone(&next), address.to_owned());
            let send = move || client.send(&address, &next, batches, round);
            thread::Builder::new().name("client".to_owned()).spawn(send)
        })
        .collect::<Result<_, _>>()?;
    let mut times = Vec::new();
    for thread in threads {
        times.extend(thread.join().map_err(|_| "a client broke")??);
    }
    let seconds = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    let spans = times.len() as f64 * plan.batch as f64;
    let mut out = String::new();
    let Plan { wire, batch, clients, .. } = plan;
    writeln!(out, "{wire:?}: {spans} spans of {bytes} bytes, {batch} a request, {clients} clients")?;
    writeln!(out, "{:>12.0} spans/s, acknowledged when durable", spans / seconds)?;
    writeln!(out, "{:>12.1} MB/s as sent", spans * bytes as f64 / seconds / 1e6)?;
    writeln!(out, "{:>12.1} ms to the acknowledgement, p50", at(0.5))?;
    writeln!(out, "{:>12.1} ms, p99", at(0.99))?;
    Ok(out)
}

/// A body and where its ids are.
struct Body {
    bytes: Vec<u8>,
    trace_ids: Vec<usize>,
    span_ids: Vec<usize>,
}

struct Client {
    wire: Wire,
    number: u64,
    bodies: Vec<Body>,
}

impl Client {
    fn new(plan: &Plan, number: u64) -> Self {
        let bodies = (0..8).map(|body| Body::new(plan, number * 8 + body)).collect();
        Self { wire: plan.wire, number, bodies }
    }

    fn send(mut self, address: &str, next: &AtomicU64, batches: u64, round: u64) -> Result<Vec<Duration>> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let (path, content_type) = match self.wire {
            Wire::Otlp => ("/v1/traces", "application/x-protobuf"),
            Wire::Records => ("/api/ingest", "application/x-ndjson"),
        };
        let mut times = Vec::new();
        loop {
            let batch = next.fetch_add(1, Ordering::Relaxed);
            if batch >= batches {
                return Ok(times);
            }
            let count = self.bodies.len() as u64;
            let body = &mut self.bodies[(batch % count) as usize];
            body.rename(self.wire, round << 40 | self.number << 32 | batch);
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
                body.bytes.len()
            );
            let begin = now();
            socket.write_all(head.as_bytes())?;
            socket.write_all(&body.bytes)?;
            read_ok(&mut socket)?;
            times.push(begin.elapsed());
        }
    }
}

/// Reads an answer, which must be 200.
fn read_ok(socket: &mut TcpStream) -> Result<()> {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer)?;
        received.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&received);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() < length.ok_or("no length")?.parse()? {
            continue;
        }
        return if head.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(text.into_owned().into()) };
    }
}

impl Body {
    fn new(plan: &Plan, seed: u64) -> Self {
        let mut words = Words(seed + 1);
        // Ids that stand nowhere else, to be found and written over.
        let trace_id = [0xa1; 16];
        let span_id = [0xb2; 8];
        let bytes = match plan.wire {
            Wire::Otlp => otlp(plan.batch, &mut words, trace_id, span_id),
            Wire::Records => records(plan.batch, &mut words),
        };
        let places = |wanted: &[u8]| {
            let windows = bytes.windows(wanted.len()).enumerate();
            windows.filter(|(_, window)| *window == wanted).map(|(at, _)| at).collect::<Vec<_>>()
        };
        let (trace_ids, span_ids) = match plan.wire {
            Wire::Otlp => (places(&trace_id), places(&span_id)),
            Wire::Records => (places("a1".repeat(16).as_bytes()), places("b2".repeat(8).as_bytes())),
        };
        Self { bytes, trace_ids, span_ids }
    }

    /// Gives new ids: a trace for every 20 spans.
    fn rename(&mut self, wire: Wire, number: u64) {
        for (index, at) in self.span_ids.iter().enumerate() {
            let id = (number << 16 | index as u64).to_be_bytes();
            write_id(&mut self.bytes[*at..], wire, &id);
        }
        for (index, at) in self.trace_ids.iter().enumerate() {
            let id = u128::from(number << 16 | (index / 20) as u64) | 1 << 127;
            write_id(&mut self.bytes[*at..], wire, &id.to_be_bytes());
        }
    }
}

fn write_id(place: &mut [u8], wire: Wire, id: &[u8]) {
    match wire {
        Wire::Otlp => place[..id.len()].copy_from_slice(id),
        Wire::Records => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            for (pair, byte) in place.chunks_exact_mut(2).zip(id) {
                pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
            }
        }
    }
}

/// Text that compresses about as well as prose.
struct Words(u64);

impl Words {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn text(&mut self, length: usize) -> String {
        const SYLLABLES: [&str; 32] = [
            "an", "be", "con", "de", "er", "for", "ing", "ly", "ment", "no", "or", "pre", "re", "ti", "un",
            "ver", "al", "ca", "di", "en", "ga", "ho", "in", "ka", "lo", "mi", "ne", "pa", "sa", "to", "us",
            "ze",
        ];
        let mut text = String::with_capacity(length + 8);
        while text.len() < length {
            let random = self.next();
            for part in 0..=random % 3 {
                text.push_str(SYLLABLES[(random >> (8 * part + 8)) as usize % 32]);
            }
            text.push(' ');
        }
        text
    }
}

const START: i64 = 1_769_860_800_000_000_000;

fn otlp(batch: u64, words: &mut Words, trace_id: [u8; 16], span_id: [u8; 8]) -> Vec<u8> {
    let text = |key: &str, value: &str| (key.to_owned(), AnyValue::from(value));
    let resource = Arc::new(Resource {
        attributes: vec![text("service.name", "shop"), text("aitrace.project", "bench")],
        ..Resource::default()
    });
    let scope = Arc::new(Scope { name: "bench".to_owned(), ..Scope::default() });
    let mut span = |index: u64| {
        let inputs =
            serde_json::json!({"messages": [{"role": "user", "content": words.text(900)}]}).to_string();
        let outputs = serde_json::json!({"role": "assistant", "content": words.text(500)}).to_string();
        let start = Timestamp::from_nanos(START + index as i64 * 1000);
        RawSpan {
            trace_id: TraceId::from_bytes(trace_id).expect("not zero"),
            span_id: SpanId::from_bytes(span_id).expect("not zero"),
            parent_span_id: None,
            name: format!("chat {}", index % 10),
            otel_kind: 3,
            trace_state: String::new(),
            start,
            end: Some(start.saturating_add(words.next() as i64 & 0xfff_ffff)),
            attributes: vec![
                text("openinference.span.kind", "LLM"),
                text("llm.model_name", ["gpt-5", "claude-5", "qwen-4"][index as usize % 3]),
                text("llm.provider", "openai"),
                ("llm.token_count.prompt".to_owned(), AnyValue::Int((words.next() % 4000) as i64)),
                ("llm.token_count.completion".to_owned(), AnyValue::Int((words.next() % 800) as i64)),
                text("input.value", &inputs),
                text("input.mime_type", "application/json"),
                text("output.value", &outputs),
                text("output.mime_type", "application/json"),
                text("session.id", &format!("session-{}", words.next() % 100)),
                text("user.id", &format!("user-{}", words.next() % 100)),
                ("temperature".to_owned(), AnyValue::Double(0.7)),
            ],
            events: Vec::new(),
            links: Vec::new(),
            status: RawStatus::Ok,
            dropped: Dropped::default(),
            flags: 0,
            resource: Arc::clone(&resource),
            scope: Arc::clone(&scope),
        }
    };
    let spans: Vec<RawSpan> = (0..batch).map(&mut span).collect();
    aitrace_otlp::encode_traces(&spans)
}

fn records(batch: u64, words: &mut Words) -> Vec<u8> {
    let mut out = String::new();
    for index in 0..batch {
        let time = Timestamp::from_nanos(START + index as i64 * 1000);
        let record = serde_json::json!({
            "__tracer_meta__": {
                "timestamp": time, "event": "chat.end", "trace_id": "a1".repeat(16), "span_id": "b2".repeat(8),
                "lifecycle": "end", "level": "info", "version": "2.1", "status": "ok", "duration_ns": words.next() >> 40,
                "project": "bench", "session_id": format!("session-{}", words.next() % 100),
            },
            "attributes": {"inputs": {"q": words.text(400)}, "outputs": words.text(200)},
        });
        out.push_str(&record.to_string());
        out.push('\n');
    }
    out.into_bytes()
}

fn disk_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { disk_bytes(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}
