//! OTLP over gRPC, by a client of HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use aitrace_otlp::{Encoding, decode_response};
use aitrace_server::{Server, ServerError, ServerOptions, Stores};
use aitrace_store::ErrorKind;
use axum::body::Bytes;
use axum::http::{HeaderMap, Request};
use futures_util::stream;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Body, Frame};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::faults::failing;
use crate::logs::record;
use crate::pb;
use crate::rig::Rig;
use crate::samples::{gzip, otlp, otlp_json, otlp_span, trace_id, zstd};

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

struct Reply {
    http: u16,
    data: Vec<u8>,
    /// The trailers, or the headers of an answer without a body.
    end: HeaderMap,
}

impl Reply {
    fn status(&self) -> &str {
        self.end["grpc-status"].to_str().expect("works")
    }
}

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag], &(message.len() as u32).to_be_bytes()[..], message].concat()
}

fn send(rig: &Rig, addr: SocketAddr, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    send_body(rig, addr, path, headers, Full::new(Bytes::from(body)))
}

fn send_body<B>(rig: &Rig, addr: SocketAddr, path: &str, headers: &[(&str, &str)], body: B) -> Reply
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    rig.runtime.block_on(async {
        let socket = TokioIo::new(TcpStream::connect(addr).await.expect("works"));
        let (mut client, connection) = http2::handshake(TokioExecutor::new(), socket).await.expect("works");
        let driver = tokio::spawn(connection);
        let mut request = Request::post(format!("http://{addr}{path}")).header("te", "trailers");
        if headers.iter().all(|(name, _)| *name != "content-type") {
            request = request.header("content-type", "application/grpc");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = client.send_request(request.body(body).expect("works")).await.expect("works");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("works");
        let end = body.trailers().cloned().unwrap_or(head.headers);
        driver.abort();
        Reply { http: head.status.as_u16(), data: body.to_bytes().to_vec(), end }
    })
}

#[test]
fn every_way_stores_the_same() {
    let rig = Rig::start();
    let plain = otlp(1, 1);
    assert_eq!(rig.post("/v1/traces", crate::samples::PROTOBUF, plain.clone()).status, 200);
    rig.post_json("/v1/traces", &otlp_json(2, 1));
    for (headers, body) in [
        (&[][..], frame(0, &plain)),
        (&[("grpc-encoding", "gzip")], frame(1, &gzip(&plain))),
        (&[("grpc-encoding", "gzip")], frame(0, &plain)),
        (&[("grpc-encoding", "zstd"), ("grpc-timeout", "10S")], frame(1, &zstd(&plain))),
        (&[("content-type", "application/grpc+proto")], frame(0, &plain)),
    ] {
        for addr in [rig.addr, rig.ingest] {
            let reply = send(&rig, addr, TRACES, headers, body.clone());
            assert_eq!((reply.http, reply.status()), (200, "0"), "{headers:?}");
            assert_eq!(reply.data, frame(0, b""), "nothing was refused");
        }
    }
    let trace = rig.get(&format!("/api/trace/{}", trace_id(1))).json();
    assert_eq!(trace["spans"].as_array().unwrap().len(), 1, "one span, however it was sent");
    let logs = pb::request(&[record(1, 1, "gen_ai.choice", "sunny", 1)]);
    assert_eq!(send(&rig, rig.ingest, LOGS, &[], frame(0, &logs)).status(), "0");
    let trace = rig.get(&format!("/api/trace/{}", trace_id(1))).json();
    assert_eq!(trace["spans"][0]["outputs"][0]["parts"][0]["content"], "sunny");
}

#[test]
fn bad_spans_are_counted_and_an_empty_request_is_fine() {
    let rig = Rig::start();
    let bad = pb::span(&[0; 16], &[1; 8], "no id", 1, 2);
    let reply = send(&rig, rig.addr, TRACES, &[], frame(0, &pb::request(&[bad, otlp_span(1, 1)])));
    let partial = decode_response(&reply.data[5..], Encoding::Protobuf).unwrap();
    assert_eq!((reply.status(), partial.rejected), ("0", 1));
    assert_eq!(send(&rig, rig.addr, LOGS, &[], frame(0, b"")).status(), "0");
}

#[test]
fn bad_calls_are_invalid_arguments() {
    let rig = Rig::limited(|limits| limits.decoded_bytes = 1 << 20);
    let plain = otlp(1, 1);
    let short = [&[0], &[0, 0, 0, 9][..], b"abc"].concat();
    let huge = [&[0], &[0xff; 4][..], b"abc"].concat();
    let gzip_named = &[("grpc-encoding", "gzip")][..];
    for (headers, body, code) in [
        (&[][..], vec![], "3"),
        (&[], vec![0, 0, 0], "3"),
        (&[], short, "3"),
        (&[], huge, "3"),
        (&[], [frame(0, &plain), frame(0, &plain)].concat(), "3"),
        (&[], [frame(0, b""), plain.clone()].concat(), "3"),
        (&[], frame(1, &gzip(&plain)), "3"),
        (&[], frame(2, &plain), "3"),
        (&[], frame(0, &[0xff; 20]), "3"),
        (gzip_named, frame(1, &plain), "3"),
        (gzip_named, frame(1, &gzip(&vec![0; 8 << 20])), "3"),
        (&[("grpc-encoding", "zstd")], frame(1, &zstd(&vec![0; 8 << 20])), "3"),
        (&[("grpc-encoding", "br")], frame(1, &plain), "12"),
        (&[("grpc-timeout", "soon")], frame(0, &plain), "3"),
    ] {
        let reply = send(&rig, rig.addr, TRACES, headers, body);
        assert_eq!((reply.http, reply.status()), (200, code), "{headers:?} {:?}", reply.end);
        assert!(reply.end.contains_key("grpc-status-details-bin") && reply.data.is_empty());
    }
    assert_eq!(rig.get("/api/traces").json()["traces"], serde_json::json!([]));
}

#[test]
fn a_passing_fault_is_unavailable() {
    for kind in [ErrorKind::Overloaded, ErrorKind::Unavailable, ErrorKind::Internal, ErrorKind::Closed] {
        let (rig, fail) = failing(Some(kind));
        let reply = send(&rig, rig.addr, TRACES, &[], frame(0, &otlp(1, 1)));
        assert_eq!(reply.status(), "14", "{kind:?} {:?}", reply.end);
        fail.store(false, Ordering::SeqCst);
        assert_eq!(send(&rig, rig.addr, TRACES, &[], frame(0, &otlp(1, 1))).status(), "0");
    }
}

#[test]
fn a_deadline_ends_a_call_that_takes_too_long() {
    let rig = Rig::start();
    let silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let reply = send_body(&rig, rig.addr, TRACES, &[("grpc-timeout", "20m")], silent);
    assert_eq!(reply.status(), "4", "{:?}", reply.end);
}

#[test]
fn what_is_no_call_is_answered_as_http_has_it() {
    let rig = Rig::start();
    let json = send(&rig, rig.addr, TRACES, &[("content-type", "application/json")], b"{}".to_vec());
    assert_eq!(json.http, 415);
    assert_eq!(rig.post(TRACES, "application/grpc", frame(0, b"")).header("grpc-status"), Some("3"));
    let other = send(&rig, SocketAddr::from(([127, 0, 0, 1], rig.addr.port())), "/healthz", &[], vec![]);
    assert_eq!(other.http, 405);
}

#[test]
fn a_port_for_data_shows_none() {
    let rig = Rig::start();
    let call = |path: &str| crate::http::Call::new(rig.ingest, "GET", path).send();
    for path in ["/", "/api/traces", "/healthz", "/assets/x"] {
        assert_eq!(call(path).status, 404, "{path}");
    }
    let post = crate::http::Call::new(rig.ingest, "POST", "/v1/traces");
    assert_eq!(post.body("application/json", otlp_json(1, 1)).send().status, 200);
    let foreign =
        crate::http::Call::new(rig.ingest, "POST", "/v1/traces").header("host", "evil.example:4317");
    assert_eq!(foreign.body("application/json", otlp_json(1, 1)).send().status, 421);
}

#[test]
fn a_taken_port_is_an_error_only_where_it_is_demanded() {
    let rig = Rig::start();
    let server = || {
        let options = ServerOptions::default();
        Server::builder().stores(Stores::of(rig.store.clone())).options(options)
    };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let error = rig.runtime.block_on(server().ingest(rig.ingest, true).bind(any)).unwrap_err();
    assert!(matches!(error, ServerError::Bind { addr, .. } if addr == rig.ingest), "{error}");
    let bound = rig.runtime.block_on(server().ingest(rig.ingest, false).bind(any)).unwrap();
    assert_eq!(bound.ingest_addrs(), []);
}
