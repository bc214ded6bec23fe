//! What taking spans costs before they are stored: each stage by itself, nanoseconds a span on one core, and the
//! whole server over loopback above a store that keeps nothing, clients included. An argument names one of them:
//! `unpack`, `GenAi`, `OpenInference`, `Plain`, `records`, `server`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aitrace_bench::samples::{self, BATCH, Dialect};
use aitrace_bench::sink::Sink;
use aitrace_model::record::{Limits as RecordLimits, read_lines};
use aitrace_model::{LostRules, Span, SpanKind, SystemClock, Timestamp};
use aitrace_normalise::{Context, Message, Normaliser, normalise_record, usage_of};
use aitrace_otlp::{Encoding, Limits, decode_traces};
use aitrace_price::Table;
use aitrace_server::{Server, ServerOptions, Stores};
use aitrace_store::memory::MemoryStore;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

const ROUNDS: usize = 40;
/// Requests of a round.
const REQUESTS: usize = 8;
/// How long clients send to the server.
const LASTS: Duration = Duration::from_secs(4);
const CLIENTS: usize = 4;

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn context() -> Context {
    Context {
        default_project: "default".to_owned(),
        forced_project: None,
        received: Timestamp::from_nanos(1_800_000_000_000_000_000),
    }
}

/// Times of the stages of one way, in the order in which they come.
#[derive(Default)]
struct Stages(Vec<(&'static str, Vec<f64>)>);

impl Stages {
    fn add(&mut self, at: usize, name: &'static str, from: Instant) {
        let taken = from.elapsed().as_nanos() as f64 / (BATCH * REQUESTS) as f64;
        if self.0.len() <= at {
            self.0.push((name, Vec::new()));
        }
        self.0[at].1.push(taken);
    }

    fn rows(mut self, what: &str, bytes: usize, out: &mut String) {
        let (mut medians, mut fastests) = (0.0, 0.0);
        for (name, times) in &mut self.0 {
            times.sort_by(f64::total_cmp);
            let (median, fastest) = (times[times.len() / 2], times[0]);
            (medians, fastests) = (medians + median, fastests + fastest);
            writeln!(out, "| {what} | {bytes} | {name} | {median:.0} | {fastest:.0} |").expect("a String");
        }
        writeln!(out, "| {what} | {bytes} | **all** | {medians:.0} | {fastests:.0} |").expect("a String");
    }
}

/// Decode, normalise, price, let go.
fn otlp(dialect: Dialect, out: &mut String) {
    let (body, prices, context) = (samples::otlp(dialect), Table::built_in(), context());
    let mut stages = Stages::default();
    for _ in 0..ROUNDS {
        let from = now();
        let decoded: Vec<_> = (0..REQUESTS)
            .map(|_| decode_traces(black_box(&body), Encoding::Protobuf, &Limits::default()).expect("OTLP"))
            .collect();
        stages.add(0, "decode", from);
        let from = now();
        let batches: Vec<Vec<Span>> = decoded
            .into_iter()
            .map(|one| {
                let mut normaliser = Normaliser::new(&context);
                one.spans.into_iter().map(|raw| normaliser.span(raw)).collect()
            })
            .collect();
        stages.add(1, "normalise", from);
        let from = now();
        for span in batches.iter().flatten() {
            if matches!(span.kind, SpanKind::Llm | SpanKind::Embedding) {
                black_box(prices.price(&usage_of(span)).map(|price| price.to_string()));
            }
        }
        stages.add(2, "price", from);
        let from = now();
        drop(black_box(batches));
        stages.add(3, "let go", from);
    }
    stages.rows(&format!("{dialect:?}"), body.len() / BATCH, out);
}

/// The same of trace records.
fn records(out: &mut String) {
    let (body, limits, context) = (samples::records(), RecordLimits::default(), context());
    let mut stages = Stages::default();
    for _ in 0..ROUNDS {
        let from = now();
        let read: Vec<Vec<_>> = (0..REQUESTS)
            .map(|_| {
                let lines = read_lines(black_box(&body), &limits);
                lines.map(|(_, record)| record.expect("a record")).collect()
            })
            .collect();
        stages.add(0, "read", from);
        let from = now();
        let messages: Vec<Vec<Message>> = read
            .into_iter()
            .map(|one| one.into_iter().map(|record| normalise_record(record, &context)).collect())
            .collect();
        stages.add(1, "normalise", from);
        let from = now();
        drop(black_box(messages));
        stages.add(2, "let go", from);
    }
    stages.rows("records", body.len() / BATCH, out);
}

/// Unpacking alone, as the server does it.
fn unpacking(out: &mut String) {
    let body = samples::otlp(Dialect::GenAi);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&body).expect("a Vec takes everything");
    let gzip = gzip.finish().expect("a Vec takes everything");
    let zstd = zstd::encode_all(body.as_slice(), 3).expect("packs");
    for (what, packed) in [("gzip", gzip), ("zstd", zstd)] {
        let mut stages = Stages::default();
        for _ in 0..ROUNDS {
            let from = now();
            for _ in 0..REQUESTS {
                let mut plain = Vec::new();
                let packed = black_box(packed.as_slice());
                let done = if what == "gzip" {
                    MultiGzDecoder::new(packed).read_to_end(&mut plain)
                } else {
                    zstd::stream::read::Decoder::with_buffer(packed)
                        .and_then(|mut decoder| decoder.read_to_end(&mut plain))
                };
                assert_eq!(done.expect("it is whole"), body.len());
                black_box(plain);
            }
            stages.add(0, "unpack", from);
        }
        stages.rows(what, packed.len() / BATCH, out);
    }
}

/// A request over a connection that stays; the answer must be 200.
fn send(socket: &mut TcpStream, request: &[u8]) {
    socket.write_all(request).expect("the server reads");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer).expect("the server answers");
        assert!(count > 0, "the server closed the connection");
        answer.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        assert!(head.starts_with("HTTP/1.1 200"), "{text}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length.is_some_and(|length| length.parse() == Ok(body.len())) {
            return;
        }
    }
}

/// Spans a second that clients get into a server.
fn rate(address: SocketAddr, path: &str, media: &str, body: &[u8]) -> f64 {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let request = [head.as_bytes(), body].concat();
    let begun = now();
    let sent: usize = std::thread::scope(|scope| {
        let client = || {
            let mut socket = TcpStream::connect(address).expect("the server listens");
            let mut sent = 0;
            while begun.elapsed() < LASTS {
                send(&mut socket, &request);
                sent += BATCH;
            }
            sent
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().expect("a client ends")).sum()
    });
    sent as f64 / begun.elapsed().as_secs_f64()
}

fn whole(out: &mut String) {
    let store = Arc::new(MemoryStore::new(Arc::new(SystemClock), LostRules::default()));
    let stores = Stores { telemetry: Arc::new(Sink(store.clone())), ..Stores::of(store) };
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let server = Server::builder().stores(stores).options(ServerOptions::default());
    let any = "127.0.0.1:0".parse().expect("an address");
    let bound = runtime.block_on(server.bind(any)).expect("a free port");
    let address = bound.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = runtime.spawn(bound.serve(async { drop(stopped.await) }));
    let protobuf = "application/x-protobuf";
    let rows = [
        ("GenAi", "/v1/traces", protobuf, samples::otlp(Dialect::GenAi)),
        ("OpenInference", "/v1/traces", protobuf, samples::otlp(Dialect::OpenInference)),
        ("Plain", "/v1/traces", protobuf, samples::otlp(Dialect::Plain)),
        ("records", "/api/ingest", "application/x-ndjson", samples::records()),
    ];
    for (what, path, media, body) in rows {
        let rate = rate(address, path, media, &body);
        writeln!(out, "| {what} | {} | {rate:.0} |", body.len() / BATCH).expect("a String");
    }
    drop(stop);
    runtime.block_on(served).expect("the server ends in order");
}

fn main() {
    let mut out =
        String::from("| what | bytes a span | stage | median ns | fastest ns |\n|---|---|---|---|---|\n");
    let only = std::env::args().nth(1);
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if wanted("unpack") {
        unpacking(&mut out);
    }
    for dialect in [Dialect::GenAi, Dialect::OpenInference, Dialect::Plain] {
        if wanted(&format!("{dialect:?}")) {
            otlp(dialect, &mut out);
        }
    }
    if wanted("records") {
        records(&mut out);
    }
    if wanted("server") {
        out.push_str("\n| over loopback, nothing stored | bytes a span | spans/s |\n|---|---|---|\n");
        whole(&mut out);
    }
    std::io::stdout().lock().write_all(out.as_bytes()).expect("stdout takes the tables");
}
