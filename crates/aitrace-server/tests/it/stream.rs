//! Uploads that are longer than what fits into memory at once, in pieces and as streams.

use std::io::Write as _;

use aitrace_store::ErrorKind;

use crate::faults::failing_after;
use crate::http::{connect, read};
use crate::pb;
use crate::rig::{NOW, Rig};
use crate::samples::{NDJSON, PROTOBUF, gzip, log, zstd};

/// JSON lines of so many distinct log records, of about 4 KB each.
fn lines(count: usize) -> String {
    let filler = "word ".repeat(750);
    let record = |index| log(&format!("e{index}")).replace(r#""n":1"#, &format!(r#""n":"{filler}""#)) + "\n";
    (0..count).map(record).collect()
}

fn stored(rig: &Rig) -> u64 {
    let stats = rig.runtime.block_on(aitrace_store::TelemetryStore::stats(&*rig.store)).expect("counts");
    stats.logs
}

#[test]
fn json_lines_may_be_longer_than_any_body_and_come_packed() {
    let rig = Rig::limited(|limits| {
        limits.body_bytes = 1 << 20;
        // The budget holds two pieces and not the stream.
        limits.memory_bytes = 40 << 20;
    });
    let text = lines(3000);
    assert!(text.len() > 11 << 20);
    for (index, (body, encoding)) in
        [(text.clone().into_bytes(), ""), (gzip(text.as_bytes()), "gzip"), (zstd(text.as_bytes()), "zstd")]
            .into_iter()
            .enumerate()
    {
        let length = body.len();
        let call = rig.call("POST", "/api/ingest").body(NDJSON, body.clone());
        let call = if encoding.is_empty() { call } else { call.header("content-encoding", encoding) };
        let answer = call.send();
        assert_eq!(
            (answer.status, &answer.json()["ingested"]),
            (200, &3000.into()),
            "{encoding} {}",
            answer.text()
        );
        assert_eq!(stored(&rig), 3000, "the same records, however often they come");
        // In chunks, without a length, cut in the middle of a line.
        let mut chunked = Vec::new();
        for part in body.chunks(100_001) {
            chunked.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            chunked.extend_from_slice(part);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\n\r\n");
        let call = rig.call("POST", "/api/ingest").body(NDJSON, chunked).without("content-length");
        let call = if encoding.is_empty() { call } else { call.header("content-encoding", encoding) };
        let answer = call.header("transfer-encoding", "chunked").send();
        assert_eq!((answer.status, &answer.json()["ingested"]), (200, &3000.into()), "{index} {length}");
    }
}

#[test]
fn lines_that_are_refused_are_named_wherever_they_stand() {
    let rig = Rig::start();
    let mut text = lines(400);
    text.push_str("\n{}\n");
    text.push_str(&log("last"));
    let answer = rig.post("/api/ingest", NDJSON, text);
    let json = answer.json();
    assert_eq!((answer.status, &json["ingested"]), (200, &401.into()));
    assert_eq!(json["rejected"][0]["index"], 401);
    assert!(json["rejected"][0]["error"].as_str().expect("words").starts_with("line 402: "), "{json}");
}

#[test]
fn packed_streams_that_are_none_or_too_much_are_refused() {
    let rig = Rig::limited(|limits| limits.decoded_bytes = 1 << 20);
    let good = lines(200);
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 9].to_vec();
    let blank = vec![b' '; 8 << 20];
    for (body, encoding, status) in [
        (cut(gzip(good.as_bytes())), "gzip", 400),
        (cut(zstd(good.as_bytes())), "zstd", 400),
        (good.clone().into_bytes(), "gzip", 400),
        (good.clone().into_bytes(), "zstd", 400),
        (gzip(&blank), "gzip", 413),
        (zstd(&blank), "zstd", 413),
    ] {
        // Chunked, so that short ones are streams, too.
        let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
        let call = rig.call("POST", "/api/ingest").body(NDJSON, chunk).without("content-length");
        let call = call.header("transfer-encoding", "chunked").header("content-encoding", encoding);
        let answer = call.send();
        assert_eq!(answer.status, status, "{encoding}: {}", answer.text());
    }
}

#[test]
fn a_store_that_fails_in_the_middle_says_how_much_is_stored() {
    let (rig, fail) = failing_after(ErrorKind::Unavailable, 1);
    let text = lines(3000);
    let answer = rig.post("/api/ingest", NDJSON, text.clone());
    let message = answer.json()["error"]["message"].to_string();
    assert_eq!(answer.status, 503, "{message}");
    assert!(answer.header("retry-after").is_some());
    let kept = stored(&rig);
    assert!(kept > 0 && kept < 3000, "{kept}");
    assert!(message.contains(&format!("{kept} records before it are stored")), "{message}");
    fail.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(rig.post("/api/ingest", NDJSON, text).json()["ingested"], 3000);
    assert_eq!(stored(&rig), 3000, "sending everything again is harmless");
}

#[test]
fn records_are_stored_while_the_rest_still_comes() {
    let rig = Rig::start();
    let text = lines(3000);
    let mut socket = connect(rig.addr);
    let call = rig.call("POST", "/api/ingest").body(NDJSON, text);
    let bytes = call.bytes();
    let (first, rest) = bytes.split_at(bytes.len() - 100);
    socket.write_all(first).expect("sends");
    let deadline = std::time::Duration::from_secs(20);
    let some = async {
        while aitrace_store::TelemetryStore::stats(&*rig.store).await.expect("counts").logs == 0 {
            tokio::task::yield_now().await;
        }
    };
    let seen = rig.runtime.block_on(async { tokio::time::timeout(deadline, some).await });
    assert!(seen.is_ok(), "something is stored before the end has come");
    socket.write_all(rest).expect("sends");
    assert_eq!(read(&mut socket).expect("an answer").json()["ingested"], 3000);
}

#[test]
fn a_flood_of_tiny_spans_is_stored_in_pieces() {
    let rig = Rig::limited(|limits| limits.memory_bytes = 48 << 20);
    let start = NOW.nanos() as u64;
    // A trace each: the model store is slow with large traces.
    let span = |index: u64| pb::span(&u128::from(index).to_be_bytes(), &[1; 8], "", start, start + 1);
    let spans: Vec<pb::Message> = (1..=20_000).map(span).collect();
    let answer = rig.post("/v1/traces", PROTOBUF, pb::request(&spans));
    assert_eq!((answer.status, answer.body.len()), (200, 0), "{:?}", String::from_utf8_lossy(&answer.body));
    let stats = rig.runtime.block_on(aitrace_store::TelemetryStore::stats(&*rig.store)).expect("counts");
    assert_eq!(stats.spans, 20_000);
}
