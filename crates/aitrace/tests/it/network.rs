//! Every way a network can fail, one cell each. In each the flush is true, what was created is counted once,
//! the call returns in time, and what can be kept is kept.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use aitrace::{FlushResult, SpanOptions, Tracer, TracerBuilder, testing};
use tempfile::TempDir;

use crate::stub::{Answer, Stub};

pub(crate) const WAIT: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_mins(1);

#[expect(clippy::disallowed_methods, reason = "how long a call takes is what is tested")]
pub(crate) fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let begun = Instant::now();
    (work(), begun.elapsed())
}

/// A tracer whose pauses are short, with a spool of its own.
pub(crate) fn builder(url: &str, folder: &TempDir) -> TracerBuilder {
    Tracer::builder()
        .project("network")
        .target(url)
        .tick(Duration::ZERO)
        .retry_pause(Duration::from_millis(1))
        .export_timeout(Duration::from_secs(5))
        .spool_dir(folder.path())
        // Masking gives up on large values where the machine is slow, and sizes matter here.
        .mask(false)
        .on_error(|_| {})
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Each thing that was created is in exactly one place.
#[track_caller]
pub(crate) fn conserved(tracer: &Tracer, created: u64) {
    let stats = tracer.stats();
    let lost: u64 = stats.dropped.values().sum();
    assert_eq!(stats.sent + stats.remaining + stats.spooled + lost, created, "{stats:?}");
}

fn reason(reason: &str, count: u64) -> BTreeMap<String, u64> {
    [(reason.to_owned(), count)].into()
}

/// One span; what its flush says.
#[track_caller]
fn flush_one(builder: TracerBuilder) -> (Tracer, FlushResult) {
    let tracer = builder.build();
    tracer.start_span("s").end();
    let result = tracer.flush(WAIT);
    conserved(&tracer, 1);
    (tracer, result)
}

#[track_caller]
fn spooled(builder: TracerBuilder) -> Tracer {
    let (tracer, result) = flush_one(builder);
    assert_eq!(result, FlushResult { spooled: 1, ..FlushResult::default() }, "{:?}", tracer.stats().problem);
    tracer
}

#[test]
fn refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    spooled(builder(&url, &folder()));
}

/// An address whose connections are neither made nor refused: the queue of its listener is full.
pub(crate) struct BlackHole {
    listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl BlackHole {
    pub(crate) fn dig() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("an address");
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(50)).ok();
        let queued = std::iter::from_fn(connect).take(5000).collect();
        Self { listener, _queued: queued }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().expect("an address"))
    }
}

#[test]
fn black_hole() {
    let hole = BlackHole::dig();
    spooled(builder(&hole.url(), &folder()).export_timeout(Duration::from_millis(30)));
    // A flush and a shutdown do not wait for the connection.
    let folder = folder();
    let tracer = builder(&hole.url(), &folder).build();
    tracer.start_span("s").end();
    let (result, took) = timed(|| tracer.flush(Duration::from_millis(100)));
    assert_eq!(result, FlushResult { remaining: 1, ..FlushResult::default() });
    assert!(took < Duration::from_millis(200), "{took:?}");
    let (result, took) = timed(|| tracer.shutdown(Duration::from_millis(100)));
    assert_eq!(result, FlushResult { spooled: 1, ..FlushResult::default() });
    assert!(took < Duration::from_millis(200), "{took:?}");
    conserved(&tracer, 1);
}

#[test]
fn silence_and_drips_time_out() {
    for answer in [Answer::Silence, Answer::Drip] {
        let (stub, folder) = (Stub::start(vec![answer; 1000]), folder());
        let tracer = spooled(builder(&stub.url, &folder).export_timeout(Duration::from_millis(60)));
        assert!(stub.requests().len() >= 3);
        stub.answer([]);
        // It answers again: what was put aside is sent by the next flush.
        assert_eq!(tracer.flush(WAIT), FlushResult { ok: true, sent: 1, ..FlushResult::default() });
        conserved(&tracer, 1);
    }
}

#[test]
fn connections_that_break_are_tried_again_with_the_same_bytes() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    for answer in
        [Answer::Close, Answer::Reset, Answer::Cut(b""), Answer::Cut(b"HTTP/1.1 2"), Answer::Cut(head)]
    {
        let stub = Stub::start([answer.clone(), answer.clone()]);
        let (_, result) = flush_one(builder(&stub.url, &folder()));
        assert_eq!(result, FlushResult { ok: true, sent: 1, ..FlushResult::default() }, "{answer:?}");
        let requests = stub.requests();
        assert_eq!(requests.len(), 3, "{answer:?}");
        if !matches!(answer, Answer::Reset) {
            // The server may have committed it: the same ids make it one span there.
            assert!(requests.iter().all(|request| request.body == requests[0].body), "{answer:?}");
        }
    }
}

#[test]
fn a_name_that_does_not_exist() {
    let builder = builder("http://nobody.invalid:1", &folder()).export_timeout(Duration::from_millis(300));
    let tracer = builder.build();
    tracer.start_span("s").end();
    let (result, took) = timed(|| tracer.shutdown(Duration::from_secs(1)));
    assert_eq!(result, FlushResult { spooled: 1, ..FlushResult::default() });
    assert!(took < Duration::from_millis(1100), "{took:?}");
    conserved(&tracer, 1);
}

#[test]
fn a_proxy_that_wants_a_password_gets_no_key_and_costs_nothing() {
    let proxy = Stub::start(vec![Answer::status(407); 9]);
    let builder = builder("http://far.invalid", &folder()).api_key("canary-key").proxy(&proxy.url);
    spooled(builder);
    let seen = format!("{:?}", proxy.requests());
    assert!(seen.contains("far.invalid") && !seen.contains("canary-key"), "{seen}");
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = Stub::start([]);
    for status in [301, 302, 303, 307, 308] {
        let location: &'static str = format!("Location: {}/v1/traces\r\n", elsewhere.url).leak();
        let stub = Stub::start([Answer::Http { status, headers: location, body: Vec::new() }]);
        let (_, result) = flush_one(builder(&stub.url, &folder()).api_key("canary-key"));
        let dropped = reason(&format!("http_{status}"), 1);
        assert_eq!(result, FlushResult { dropped, ..FlushResult::default() });
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn answers_without_end_are_read_to_4_mib() {
    let html = Answer::Endless { headers: "", chunk: vec![b'x'; 64 << 10] };
    let stub = Stub::start([html]);
    let (_, result) = flush_one(builder(&stub.url, &folder()));
    assert_eq!(result.dropped, reason("unexpected_response", 1));
    assert!(stub.poured() < 16 << 20, "{} bytes were taken", stub.poured());

    // Much larger when unpacked. All of it would be an answer that accepts.
    let packed = |blanks: usize| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packer, b"{\"partialSuccess\":{}}").expect("packs");
        let blank = std::io::Read::take(std::io::repeat(b' '), blanks as u64);
        std::io::copy(&mut { blank }, &mut packer).expect("packs");
        packer.finish().expect("packs")
    };
    let headers = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    let answer = |blanks| Answer::Http { status: 200, headers, body: packed(blanks) };
    let stub = Stub::start([answer(4_000_000), answer(5_000_000)]);
    assert!(flush_one(builder(&stub.url, &folder())).1.ok);
    let (_, result) = flush_one(builder(&stub.url, &folder()));
    assert_eq!(result.dropped, reason("unexpected_response", 1));
}

#[test]
fn each_status_has_its_meaning() {
    for status in [400, 404, 405, 408, 500, 501, 505, 507] {
        let stub = Stub::start([Answer::status(status)]);
        let (_, result) = flush_one(builder(&stub.url, &folder()));
        assert_eq!(result.dropped, reason(&format!("http_{status}"), 1));
        assert_eq!(stub.requests().len(), 1, "{status}");
    }
    for status in [429, 502, 503, 504] {
        let stub = Stub::start(vec![Answer::status(status); 5]);
        let (_, result) = flush_one(builder(&stub.url, &folder()));
        assert_eq!(result, FlushResult { ok: true, sent: 1, ..FlushResult::default() }, "{status}");
        assert_eq!(stub.requests().len(), 6, "{status}");
    }
}

#[test]
fn a_pause_is_kept_as_the_server_asked_up_to_five_minutes() {
    for (header, pause) in [
        ("Retry-After: 120\r\n", 120),
        ("Retry-After: 1000000000\r\n", 300),
        ("Retry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\n", 300),
    ] {
        let stub = Stub::start([Answer::Http { status: 503, headers: header, body: Vec::new() }]);
        let tracer = builder(&stub.url, &folder()).build();
        tracer.start_span("s").end();
        // A flush does not shorten it.
        while stub.requests().is_empty() {
            assert_eq!(tracer.flush(Duration::from_millis(30)).remaining, 1);
        }
        // The answer may still be under way on a machine that is busy.
        assert_eq!(tracer.flush(Duration::from_millis(500)).remaining, 1);
        testing::advance(&tracer, Duration::from_secs(pause - 10));
        assert_eq!(tracer.flush(Duration::from_millis(30)).remaining, 1, "{header}");
        assert_eq!(stub.requests().len(), 1);
        testing::advance(&tracer, Duration::from_secs(11));
        assert!(tracer.flush(WAIT).ok, "{header}");
        conserved(&tracer, 1);
    }
    for header in
        ["Retry-After: -7\r\n", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", "Retry-After: x\r\n"]
    {
        let stub = Stub::start([Answer::Http { status: 429, headers: header, body: Vec::new() }]);
        assert!(flush_one(builder(&stub.url, &folder())).1.ok, "{header}");
    }
}

#[test]
fn a_refused_key_stops_sending_for_five_minutes_and_loses_nothing() {
    for status in [401, 403] {
        let (stub, folder) = (Stub::start(vec![Answer::status(status); 2]), folder());
        let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let own = heard.clone();
        let note = move |problem: &aitrace::Problem| own.lock().expect("whole").push(problem.message.clone());
        let tracer = builder(&stub.url, &folder).api_key("canary-key").on_error(note).build();
        for _ in 0..3 {
            tracer.start_span("s").end();
            assert_eq!(tracer.flush(Duration::from_millis(20)).sent, 0);
        }
        testing::advance(&tracer, MINUTE * 4);
        tracer.flush(Duration::from_millis(20));
        assert_eq!((stub.requests().len(), tracer.stats().remaining), (1, 3));
        testing::advance(&tracer, MINUTE);
        assert_eq!(stub.wait_for(2).len(), 2);
        // The key was made valid meanwhile. The second refusal may not have been read yet.
        let result = std::iter::repeat_with(|| {
            testing::advance(&tracer, MINUTE * 5);
            tracer.flush(Duration::from_millis(100))
        })
        .take(100)
        .find(|result| result.ok);
        assert_eq!(result, Some(FlushResult { ok: true, sent: 3, ..FlushResult::default() }));
        conserved(&tracer, 3);
        let heard = heard.lock().expect("whole");
        assert!(
            heard[0].contains("refuses the API key") && heard[0].contains(&status.to_string()),
            "{heard:?}"
        );
        assert_eq!(heard.iter().filter(|line| line.contains("canary-key")).count(), 0);

        // At the end what is refused is lost and said to be: a spool is for those who do not answer.
        stub.answer([Answer::status(status)]);
        tracer.start_span("s").end();
        let result = tracer.shutdown(Duration::from_millis(200));
        assert_eq!(result.dropped, reason(&format!("http_{status}"), 1));
        assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 0);
        conserved(&tracer, 4);
    }
}

#[test]
fn one_line_is_said_of_one_cause() {
    let (hole, folder) = (BlackHole::dig(), folder());
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let own = heard.clone();
    let note = move |problem: &aitrace::Problem| own.lock().expect("whole").push(problem.clone());
    let tracer =
        builder(&hole.url(), &folder).export_timeout(Duration::from_millis(5)).on_error(note).build();
    for _ in 0..10 {
        tracer.start_span("s").end();
        tracer.flush(WAIT);
    }
    testing::advance(&tracer, MINUTE);
    tracer.start_span("s").end();
    tracer.flush(WAIT);
    let heard = heard.lock().expect("whole");
    let told: Vec<_> = heard.iter().map(|problem| (problem.cause.as_str(), problem.repeated > 5)).collect();
    assert_eq!(told, [("unreachable", false), ("unreachable", true)], "{heard:?}");
    conserved(&tracer, 11);
}

#[test]
fn partial_success_counts_what_was_rejected_and_the_next_batch_tells_of_it() {
    // partial_success { rejected_spans: 2 }
    let headers = "Content-Type: application/x-protobuf\r\n";
    let partial = Answer::Http { status: 200, headers, body: vec![0x0a, 2, 0x08, 2] };
    let stub = Stub::start([partial]);
    let tracer = builder(&stub.url, &folder()).build();
    (0..5).for_each(|_| tracer.start_span("s").end());
    let result = tracer.flush(WAIT);
    assert_eq!((result.sent, result.dropped), (3, reason("rejected", 2)));
    tracer.start_span("next").end();
    assert!(tracer.flush(WAIT).ok);
    conserved(&tracer, 6);
    let last = stub.spans().pop().expect("a span");
    let attribute =
        |key: &str| last.attributes.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
    assert_eq!(attribute(aitrace_model::key::LOST), Some(aitrace_model::AnyValue::Int(2)));
    assert_eq!(stub.requests().len(), 2);
}

#[test]
fn what_a_trace_lost_is_told_on_its_next_span_and_told_once() {
    use aitrace_model::{AnyValue, key};
    let stub = Stub::start([Answer::status(400)]);
    let tracer = builder(&stub.url, &folder()).build();
    let root = tracer.start_span("root");
    (0..12).for_each(|_| tracer.start_span("lost").end());
    assert_eq!(tracer.flush(WAIT).dropped, reason("http_400", 12));
    tracer.start(SpanOptions::new("elsewhere").parent(aitrace::Parent::Root)).end();
    root.end();
    assert!(tracer.flush(WAIT).ok);
    tracer.start_span("after").end();
    assert!(tracer.flush(WAIT).ok);
    let spans = stub.spans();
    let told: Vec<_> = spans
        .iter()
        .flat_map(|span| {
            span.attributes.iter().map(move |(key, value)| (span.name.as_str(), key.as_str(), value))
        })
        .filter(|(_, key, _)| key.starts_with("aitrace.lost."))
        .collect();
    let reasons = AnyValue::from(r#"{"http_400":12}"#);
    assert_eq!(
        told,
        [
            ("elsewhere", key::LOST, &AnyValue::Int(12)),
            ("elsewhere", key::LOST_REASONS, &reasons),
            ("root", key::LOST_IN_TRACE, &AnyValue::Int(12)),
        ]
    );
    conserved(&tracer, 15);
}

fn span_of(tracer: &Tracer, name: &'static str, bytes: usize) {
    tracer.start(SpanOptions::new(name).attribute("text", "x".repeat(bytes))).end();
}

#[test]
fn a_span_that_is_too_large_goes_alone_and_the_others_arrive() {
    let stub = Stub::start([Answer::Upto(100_000)]);
    let tracer = builder(&stub.url, &folder()).build();
    (0..50).for_each(|_| span_of(&tracer, "small", 100));
    span_of(&tracer, "poison", 300_000);
    (0..49).for_each(|_| span_of(&tracer, "small", 100));
    let result = tracer.flush(WAIT);
    assert_eq!((result.sent, result.dropped), (99, reason("http_413", 1)));
    // All, the others, the poison.
    assert_eq!(stub.requests().len(), 3);
    // Its size is known now: the next is not even tried together with others.
    (0..9).for_each(|_| span_of(&tracer, "small", 100));
    span_of(&tracer, "poison", 400_000);
    let result = tracer.flush(WAIT);
    assert_eq!((result.sent, result.dropped), (9, reason("http_413", 1)));
    assert_eq!(stub.requests().len(), 5);
    conserved(&tracer, 110);
}

#[test]
fn a_batch_that_is_too_large_is_halved_within_the_bound() {
    // Sixteen of a size, of which four fit: 1 + 2 + 4 requests, the refused ones among them.
    let stub = Stub::start([Answer::Upto(50_000)]);
    let tracer = builder(&stub.url, &folder()).build();
    (0..16).for_each(|_| span_of(&tracer, "even", 10_000));
    assert_eq!(tracer.flush(WAIT), FlushResult { ok: true, sent: 16, ..FlushResult::default() });
    assert!(stub.requests().len() <= 7, "{}", stub.requests().len());
    let names: std::collections::BTreeSet<_> = stub.spans().iter().map(|span| span.span_id).collect();
    assert_eq!(names.len(), 16);

    // One of many that is a little too large: at most 2·⌈log₂ 64⌉ + 1 requests.
    let stub = Stub::start([Answer::Upto(10_500)]);
    let tracer = builder(&stub.url, &folder()).build();
    for number in 0..64 {
        span_of(&tracer, "one", if number == 37 { 10_400 } else { 100 });
    }
    let result = tracer.flush(WAIT);
    assert_eq!((result.sent, result.dropped), (63, reason("http_413", 1)));
    assert!(stub.requests().len() <= 13, "{}", stub.requests().len());
    conserved(&tracer, 64);
}
