//! Traces and spans that are larger than any that make sense, through the real routes.

use aitrace_otlp::{Encoding, decode_response};

use crate::flood::{MOST, Server};
use crate::pb::{self, Message};
use crate::rig::Rig;
use crate::samples::{PROTOBUF, gzip, log};

const TRACE: [u8; 16] = [7; 16];

fn id() -> String {
    "07".repeat(16)
}

/// A span of the one trace; 0 has no parent.
fn span(number: u64, parent: u64) -> Message {
    let span = pb::span(&TRACE, &number.to_be_bytes(), "link", number, number + 1);
    if parent == 0 { span } else { span.bytes(4, parent.to_be_bytes()) }
}

fn refused(answer: &crate::http::Answer) -> (u64, String) {
    assert_eq!(answer.status, 200);
    let partial = decode_response(&answer.body, Encoding::Protobuf).expect("OTLP's answer");
    (partial.rejected as u64, partial.message)
}

#[test]
fn a_chain_of_spans_of_any_depth_is_read_as_one_trace() {
    const DEPTH: u64 = 1000;
    let rig = chain(DEPTH);
    let whole = rig.get(&format!("/api/trace/{}", id())).json();
    let whole = whole["spans"].as_array().expect("spans");
    assert_eq!((whole.len() as u64, &whole[whole.len() - 1]["depth"]), (DEPTH, &(DEPTH - 1).into()));
}

#[test]
#[ignore = "long: cargo xtask soak"]
fn soak_a_chain_of_a_hundred_thousand() {
    chain(100_000);
}

/// A chain that deep, taken, listed and read without contents; its deepest span with them.
fn chain(depth: u64) -> Rig {
    let rig = Rig::start();
    let spans: Vec<Message> = (1..=depth).map(|number| span(number, number - 1)).collect();
    let answer = rig.post("/v1/traces", PROTOBUF, pb::request(&spans));
    assert_eq!(refused(&answer), (0, String::new()));
    assert_eq!(rig.get("/api/traces").json()["traces"][0]["spans"], depth);
    let skeleton = rig.get(&format!("/api/trace/{}/skeleton", id()));
    assert_eq!((skeleton.status, skeleton.text().contains(&format!("{depth:016x}"))), (200, true));
    let deepest = rig.get(&format!("/api/span/{}/{depth:016x}", id()));
    assert_eq!((deepest.status, deepest.text().contains(&format!("{:016x}", depth - 1))), (200, true));
    rig
}

#[test]
fn a_span_may_have_a_hundred_thousand_attributes_and_no_more() {
    let rig = Rig::start();
    let attribute = |index: u32| pb::text(&format!("key {index}"), "value");
    let many = (0..=100_000).fold(span(1, 0), |span, index| span.message(9, &attribute(index)));
    let answer = rig.post("/v1/traces", PROTOBUF, pb::request(&[many, span(2, 0)]));
    let (count, reason) = refused(&answer);
    assert_eq!(count, 1);
    assert!(reason.contains("span 0") && reason.contains("attributes"), "{reason}");
    let fitting = (0..100_000).fold(span(3, 0), |span, index| span.message(9, &attribute(index)));
    assert_eq!(refused(&rig.post("/v1/traces", PROTOBUF, pb::request(&[fitting]))).0, 0);
    let read = rig.get(&format!("/api/span/{}/{:016x}", id(), 3)).json();
    let kept = read["attributes"].as_object().or_else(|| read["span"]["attributes"].as_object());
    assert_eq!(kept.expect("attributes").len(), 100_000);
}

#[test]
fn a_span_of_63_mib_is_refused_alone() {
    let rig = Rig::start();
    let large = span(1, 0).message(9, &pb::text("input.value", &"x".repeat(63 << 20)));
    let body = pb::request(&[large, span(2, 0)]);
    for (body, encoding) in [(gzip(&body), "gzip"), (body, "identity")] {
        let call = rig.call("POST", "/v1/traces").body(PROTOBUF, body).header("content-encoding", encoding);
        let (count, reason) = refused(&call.send());
        assert_eq!(count, 1);
        assert!(reason.contains("span 0") && reason.contains("bytes"), "{reason}");
    }
    assert_eq!(rig.get("/api/traces").json()["traces"][0]["spans"], 1);
}

/// A trace of a million spans in pieces, from four sides; the memory is that of any other load.
#[test]
#[ignore = "long: cargo xtask soak"]
#[expect(clippy::print_stderr, reason = "tells the figure")]
fn soak_a_trace_of_a_million_spans() {
    const PIECES: u64 = 200;
    const SPANS: u64 = 5_000;
    let server = Server::start();
    let next = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let piece = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if piece >= PIECES {
                        return;
                    }
                    let numbers = piece * SPANS + 1..=(piece + 1) * SPANS;
                    let text = pb::text("input.value", &"what was asked ".repeat(20));
                    let spans: Vec<Message> =
                        numbers.map(|number| span(number, number / 2).message(9, &text)).collect();
                    let answer = server.call("/v1/traces", PROTOBUF, pb::request(&spans)).send();
                    assert_eq!(refused(&answer).0, 0);
                }
            });
        }
    });
    let peak = server.peak();
    eprintln!("a million spans in one trace: at most {} MiB resident", peak.unwrap_or(0) >> 20);
    assert!(peak.is_none_or(|peak| peak < MOST), "{peak:?} bytes");
    let good = server.call("/api/ingest", "application/json", log("e").into_bytes());
    assert_eq!(good.send().status, 200);
}
