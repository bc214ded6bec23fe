//! What flush says is true.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use aitrace::{FlushResult, Tracer};

use crate::stub::{Answer, Stub};

const WAIT: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "how long a call takes is what is tested")]
fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let begun = Instant::now();
    (work(), begun.elapsed())
}

fn tracer(url: &str) -> Tracer {
    let pause = Duration::from_millis(2);
    Tracer::builder()
        .project("truth")
        .target(url)
        .tick(Duration::ZERO)
        .retry_pause(pause)
        .spool(false)
        .build()
}

fn flush_one(stub: &Stub, timeout: Duration) -> FlushResult {
    let tracer = tracer(&stub.url);
    tracer.start_span("s").end();
    tracer.flush(timeout)
}

fn html(status: u16) -> Answer {
    Answer::Http { status, headers: "Content-Type: text/html\r\n", body: b"<html>sign in</html>".to_vec() }
}

#[test]
fn accepted() {
    let stub = Stub::start([]);
    let result = flush_one(&stub, WAIT);
    assert_eq!(result, FlushResult { ok: true, sent: 1, ..FlushResult::default() });
    assert_eq!(stub.spans().len(), 1);
}

#[test]
fn refused_for_good_is_dropped_with_the_reason_and_not_sent_again() {
    let not_ours = "unexpected_response".to_owned();
    for (answer, reason) in [
        (html(200), not_ours.clone()),
        (
            Answer::Http {
                status: 200,
                headers: "Content-Type: application/x-protobuf\r\n",
                body: vec![0xff; 9],
            },
            not_ours.clone(),
        ),
        (
            Answer::Http { status: 302, headers: "Location: http://127.0.0.1:1/\r\n", body: Vec::new() },
            "http_302".into(),
        ),
        (Answer::status(400), "http_400".into()),
        (html(404), "http_404".into()),
        (Answer::status(413), "http_413".into()),
        (Answer::status(500), "http_500".into()),
    ] {
        let stub = Stub::start([answer.clone()]);
        let result = flush_one(&stub, WAIT);
        let dropped = [(reason, 1)].into();
        assert_eq!(result, FlushResult { dropped, ..FlushResult::default() }, "{answer:?}");
        assert_eq!(stub.requests().len(), 1, "{answer:?}");
    }
}

#[test]
fn refused_in_passing_is_sent_again() {
    let pause = Answer::Http { status: 429, headers: "Retry-After: 0\r\n", body: Vec::new() };
    let answers = [pause, Answer::status(502), Answer::status(503), Answer::status(504), Answer::Close];
    for count in 1..=answers.len() {
        let stub = Stub::start(answers[..count].to_vec());
        let result = flush_one(&stub, WAIT);
        assert_eq!(result, FlushResult { ok: true, sent: 1, ..FlushResult::default() });
        let spans = stub.spans();
        assert_eq!(spans.len(), count + 1);
        assert!(spans.iter().all(|span| span.span_id == spans[0].span_id));
    }
}

#[test]
fn a_server_that_asks_for_a_pause_gets_it() {
    let busy = Answer::Http { status: 503, headers: "Retry-After: 3600\r\n", body: Vec::new() };
    let stub = Stub::start([busy]);
    let tracer = tracer(&stub.url);
    tracer.start_span("s").end();
    for _ in 0..3 {
        let result = tracer.flush(Duration::from_millis(20));
        assert!(!result.ok && result.remaining == 1 && result.dropped.is_empty(), "{result:?}");
    }
    assert_eq!(stub.requests().len(), 1);
    assert_eq!(tracer.stats().problem.as_deref(), Some("http_503"));
}

#[test]
fn partial_success_is_counted() {
    // partial_success { rejected_spans: 2, error_message: "no" }
    let body = vec![0x0a, 6, 0x08, 2, 0x12, 2, b'n', b'o'];
    let partial = Answer::Http { status: 200, headers: "Content-Type: application/x-protobuf\r\n", body };
    let stub = Stub::start([partial]);
    let tracer = tracer(&stub.url);
    (0..5).for_each(|_| tracer.start_span("s").end());
    let result = tracer.flush(WAIT);
    assert_eq!(
        result,
        FlushResult { sent: 3, dropped: [("rejected".into(), 2)].into(), ..FlushResult::default() }
    );
    assert_eq!(stub.requests().len(), 1);
}

#[test]
fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let tracer = tracer(&url);
    tracer.start_span("s").end();
    let (result, took) = timed(|| tracer.flush(Duration::from_millis(200)));
    assert_eq!(result, FlushResult { remaining: 1, ..FlushResult::default() });
    assert!(took < Duration::from_millis(1200), "{took:?}");
    let (result, took) = timed(|| tracer.shutdown(Duration::from_millis(200)));
    let dropped = [("shutdown".into(), 1)].into();
    assert_eq!(result, FlushResult { dropped, ..FlushResult::default() });
    assert!(took < Duration::from_millis(1200), "{took:?}");
}

#[test]
fn a_server_that_says_nothing_keeps_nobody_waiting() {
    let stub = Stub::start([Answer::Silence, Answer::Silence]);
    let tracer = tracer(&stub.url);
    tracer.start_span("s").end();
    let (result, took) = timed(|| tracer.flush(Duration::from_millis(100)));
    assert_eq!(result, FlushResult { remaining: 1, ..FlushResult::default() });
    assert!(took < Duration::from_millis(1100), "{took:?}");
    // The program goes on at full speed meanwhile.
    let ((), took) = timed(|| (0..1000).for_each(|_| tracer.start_span("s").end()));
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_request_that_takes_too_long_is_tried_again() {
    let stub = Stub::start([Answer::Silence]);
    let tracer = Tracer::builder()
        .target(&stub.url)
        .tick(Duration::ZERO)
        .export_timeout(Duration::from_millis(50))
        .build();
    tracer.start_span("s").end();
    let result = tracer.flush(WAIT);
    assert_eq!(result, FlushResult { ok: true, sent: 1, ..FlushResult::default() });
    assert_eq!(stub.requests().len(), 2);
}

#[test]
fn bodies_are_compressed_where_asked() {
    let stub = Stub::start([]);
    let tracer = Tracer::builder().target(&stub.url).gzip(true).build();
    tracer.start(aitrace::SpanOptions::new("s").attribute("text", "x".repeat(100_000))).end();
    assert!(tracer.flush(WAIT).ok);
    let request = stub.requests().remove(0);
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    assert!(request.body.len() < 2000, "{}", request.body.len());
    assert_eq!(&request.body[..2], [0x1f, 0x8b]);
}

#[test]
fn connections_are_kept() {
    let stub = Stub::start([]);
    let tracer = tracer(&stub.url);
    for _ in 0..5 {
        tracer.start_span("s").end();
        assert!(tracer.flush(WAIT).ok);
    }
    assert_eq!(stub.requests().len(), 5);
    assert_eq!(stub.connections(), 1);
}

#[test]
fn nothing_to_send_is_fine_at_once() {
    let result = tracer("http://127.0.0.1:9").flush(Duration::ZERO);
    assert_eq!(result, FlushResult { ok: true, ..FlushResult::default() });
}

#[test]
fn a_url_of_the_ingest_route_gets_records() {
    let stub = Stub::start([]);
    let tracer = tracer(&format!("{}/api/ingest", stub.url));
    let span = tracer.start_span("s");
    let requests = stub.wait_for(1);
    assert!(String::from_utf8_lossy(&requests[0].body).contains("s.start"));
    drop(span);
    assert!(tracer.flush(WAIT).ok);
    assert!(stub.requests().iter().all(|request| request.path == "/api/ingest"));
    let last = stub.requests().pop().expect("a request");
    assert!(String::from_utf8_lossy(&last.body).contains("s.end"));
}
