//! `GET /api/live` for readers that come back or are slow, and what it tells besides what came.

use std::time::Duration;

use aitrace_model::{Phase, Span, SpanId, TraceId};
use aitrace_server::Scope;
use aitrace_store::{Batch, TelemetryStore as _};
use serde_json::Value;

use crate::live::Events;
use crate::logs::record;
use crate::pb;
use crate::rig::{NOW, Rig};
use crate::samples::{NDJSON, PROTOBUF, log, otlp_span, span, trace_id};

/// The next log record's name.
fn named(events: &mut Events) -> String {
    loop {
        let (name, data) = events.next();
        assert_ne!(name, "reset", "{data}");
        if name == "log" {
            return data["event"].as_str().expect("a name").to_owned();
        }
    }
}

#[test]
fn who_comes_back_is_told_what_it_missed_in_order() {
    let rig = Rig::start();
    let mut first = Events::open(&rig, "");
    let before = first.id.clone();
    for number in 0..300 {
        rig.post_json("/api/ingest", &log(&format!("e{number}")));
    }
    // Each from another place: from before the first, and from each third of what it heard.
    let mut places = vec![(0, before)];
    for number in 0..300 {
        assert_eq!(named(&mut first), format!("e{number}"));
        if number % 100 == 99 {
            places.push((number + 1, first.id.clone()));
        }
    }
    drop(first);
    for (next, place) in &places {
        let by_query = format!("?last_event_id={place}");
        for mut again in [Events::again(&rig, "", place), Events::open(&rig, &by_query)] {
            for number in *next..300 {
                assert_eq!(named(&mut again), format!("e{number}"));
            }
        }
    }
    let mut again = Events::again(&rig, "", &places[3].1);
    rig.post_json("/api/ingest", &log("after"));
    assert_eq!(named(&mut again), "after", "and then what comes");
}

#[test]
fn what_is_not_kept_any_more_is_told_as_a_reset() {
    let rig = Rig::limited(|limits| limits.live_events = 4);
    let first = Events::open(&rig, "");
    let (before, mut reader) = (first.id.clone(), first);
    for number in 0..9 {
        rig.post_json("/api/ingest", &log(&format!("e{number}")));
    }
    while reader.next().1["event"] != "e8" {}
    let last = reader.id.clone();
    let epoch = last.split('-').next().expect("an epoch").to_owned();
    for (place, reason) in [
        (before, "behind"),
        (format!("{epoch}-99"), "behind"),
        (format!("{epoch}-x"), "behind"),
        ("0123456789abcdef-3".to_owned(), "restarted"),
        ("nonsense".to_owned(), "restarted"),
    ] {
        let mut again = Events::again(&rig, "", &place);
        let (name, data) = again.next();
        assert_eq!((name.as_str(), data["reason"].as_str()), ("reset", Some(reason)), "{place}");
        assert_eq!(again.id, last, "from there it goes on");
        drop(again);
    }
    let mut again = Events::again(&rig, "", "nonsense");
    assert_eq!(again.next().0, "reset");
    rig.post_json("/api/ingest", &log("next"));
    assert_eq!(named(&mut again), "next", "one reset, then what comes");
    assert_eq!(named(&mut reader), "next");
}

#[test]
fn another_server_knows_no_place_of_this_one() {
    let (one, other) = (Rig::start(), Rig::start());
    let place = Events::open(&one, "").id;
    let mut again = Events::again(&other, "", &place);
    assert_eq!(again.next().1["reason"], "restarted");
}

#[test]
fn nothing_is_kept_where_nobody_reads() {
    let rig = Rig::limited(|limits| {
        limits.live_linger = Duration::ZERO;
        limits.lost_every = Duration::from_millis(1);
        // The end of a connection is noticed by its next ping at the latest.
        limits.ping_interval = Duration::from_millis(1);
    });
    let epoch = |id: &str| id.split('-').next().expect("an epoch").to_owned();
    let first = Events::open(&rig, "").id;
    loop {
        while !rig.get("/metrics").text().contains("aitrace_live_readers 0\n") {}
        let mut again = Events::again(&rig, "", &first);
        if epoch(&again.id) != epoch(&first) {
            assert_eq!(again.next().1["reason"], "restarted");
            break;
        }
    }
}

#[test]
fn filters_and_projects_hold_for_what_was_missed() {
    let rig = Rig::start();
    let key = |project: &str| rig.key(project, &[Scope::Read, Scope::Ingest]).key;
    let (mine, theirs) = (key("mine"), key("theirs"));
    let open = |key: &str, query: &str, id: &str| {
        let call = rig.call("GET", &format!("/api/live{query}")).bearer(key).header("last-event-id", id);
        Events::send(&call, &rig)
    };
    let place = open(&mine, "", "").id;
    let post = |key: &str, body: String| {
        let sent = rig.call("POST", "/api/ingest").bearer(key).body(NDJSON, body).send();
        assert_eq!(sent.status, 200, "{}", sent.text());
    };
    for number in 1..=3 {
        post(&theirs, span("end", number, number, 0, "{}"));
        post(&theirs, log(&format!("theirs {number}")));
        post(&mine, span("end", number, number, 0, "{}"));
        post(&mine, log(&format!("mine {number}")));
    }
    let mut all = open(&mine, "", &place);
    let mut one = open(&mine, &format!("?trace_id={}", trace_id(2)), &place);
    let mut logs = open(&mine, "?q=level:info%20event:*3", &place);
    for number in 1..=3 {
        let told: Vec<(String, Value)> = (0..3).map(|_| all.next()).collect();
        let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["span.ended", "trace.updated", "log"]);
        assert!(told.iter().all(|(_, data)| data["project"] == "mine"), "{told:?}");
        assert_eq!(told[2].1["event"], format!("mine {number}"));
    }
    let (name, data) = one.next();
    assert_eq!((name.as_str(), &data["trace_id"]), ("span.ended", &trace_id(2).into()));
    assert_eq!(one.next().0, "trace.updated");
    let event = loop {
        let (name, data) = logs.next();
        match name.as_str() {
            "log" => break data["event"].clone(),
            // The line of a trace is told unless it says itself that it does not fit.
            _ => assert_eq!((name.as_str(), &data["project"]), ("trace.updated", &"mine".into())),
        }
    };
    assert_eq!(event, "mine 3");
    // The same ids with the other key: nothing of it.
    let mut other = open(&theirs, "?q=level:*", &place);
    assert_eq!(other.next().1["project"], "theirs");
}

#[test]
fn pings_carry_the_place_past_what_did_not_concern_the_reader() {
    let rig = Rig::limited(|limits| {
        limits.ping_interval = Duration::from_millis(10);
        limits.live_events = 4;
    });
    let mut reader = Events::open(&rig, "?project=nobody");
    let mut all = Events::open(&rig, "");
    for number in 0..9 {
        rig.post_json("/api/ingest", &log(&format!("e{number}")));
    }
    while named(&mut all) != "e8" {}
    reader.wait_for_id(&all.id);
    let place = reader.id.clone();
    drop(reader);
    rig.post_json("/api/ingest", &log("e9"));
    assert_eq!(named(&mut Events::again(&rig, "", &place)), "e9", "the ring reaches back to there");
}

#[test]
fn a_reader_that_does_not_read_holds_nobody_up() {
    let rig = Rig::limited(|limits| limits.live_bytes = 1 << 20);
    let mut slow = Events::open(&rig, "");
    let mut quick = Events::open(&rig, "?q=event:last");
    let filler = "word ".repeat(100_000);
    // More than the ring and all buffers of a connection hold: it is sent without the slow one reading anything.
    for number in 0..60 {
        let body = log(&format!("e{number}")).replace(r#""n":1"#, &format!(r#""n":"{filler}""#));
        assert_eq!(rig.post_json("/api/ingest", &body).status, 200);
    }
    rig.post_json("/api/ingest", &log("last"));
    // It may be told that it fell behind as well: all events are in one ring.
    loop {
        let (name, data) = quick.next();
        if name == "reset" || data["event"] == "last" {
            break;
        }
    }
    loop {
        let (name, data) = slow.next();
        assert_ne!(data["event"], "last", "it was told that it fell behind");
        if name == "reset" {
            break;
        }
    }
    rig.post_json("/api/ingest", &log("after"));
    assert_eq!(named(&mut slow), "after", "and goes on");
}

fn beating(own: u8, heartbeats: bool, phase: Phase, received_s: i64) -> Batch {
    let trace = TraceId::from_bytes([own; 16]).expect("an id");
    let mut span = Span::new("p", trace, SpanId::from_bytes([own; 8]).expect("an id"), "work", NOW);
    (span.heartbeats, span.phase) = (heartbeats, phase);
    span.received = NOW.saturating_add(received_s * 1_000_000_000);
    Batch { spans: vec![span], logs: Vec::new() }
}

#[test]
fn a_span_that_fell_silent_is_told_and_so_is_its_return() {
    let rig = Rig::limited(|limits| limits.lost_every = Duration::from_millis(5));
    let append = |batch| rig.runtime.block_on(rig.store.append(batch)).expect("appends");
    append(beating(1, true, Phase::Start, 0));
    let mut events = Events::open(&rig, "");
    append(beating(2, false, Phase::Start, 0));
    let mut told = |count: usize| -> Vec<(String, Value)> { (0..count).map(|_| events.next()).collect() };
    assert_eq!(told(2)[0].0, "span.started");
    rig.clock.set(NOW.saturating_add(59_999_999_999));
    append(beating(3, true, Phase::Start, 59));
    let names = |told: &[(String, Value)]| -> Vec<String> {
        told.iter().map(|(name, data)| format!("{name} {}", data["status"].as_str().expect("set"))).collect()
    };
    assert_eq!(names(&told(2)), ["span.started running", "trace.updated running"], "nothing before its time");
    rig.clock.set(NOW.saturating_add(60_000_000_000));
    let lost = told(2);
    assert_eq!(names(&lost), ["span.lost lost", "trace.updated lost"]);
    assert!(lost.iter().all(|(_, data)| data["trace_id"] == "01".repeat(16)), "{lost:?}");
    // It was only away: its heartbeat is an update of the trace, and of the span.
    append(beating(1, true, Phase::Heartbeat, 60));
    assert_eq!(names(&told(2)), ["trace.updated running", "span.updated running"]);
    // Without heartbeats silence of the trace counts: 15 minutes. The two others go before.
    rig.clock.set(NOW.saturating_add(899_999_999_999));
    let mut gone = told(4);
    gone.sort_by_key(|(name, data)| (name.clone(), data["trace_id"].to_string()));
    assert_eq!(names(&gone)[..2], ["span.lost lost", "span.lost lost"]);
    rig.clock.set(NOW.saturating_add(900_000_000_000));
    let lost = told(2);
    assert_eq!(names(&lost), ["span.lost lost", "trace.updated lost"]);
    assert_eq!(lost[0].1["span_id"], "02".repeat(8));
}

#[test]
fn losses_are_told_to_those_who_asked_for_them() {
    let rig = Rig::limited(|limits| limits.lost_every = Duration::from_millis(5));
    let mut lost = Events::open(&rig, "?q=status:lost&project=p");
    let place = lost.id.clone();
    let mut other = Events::open(&rig, "?project=q");
    rig.runtime.block_on(rig.store.append(beating(1, true, Phase::Start, 0))).expect("appends");
    rig.clock.set(NOW.saturating_add(60_000_000_000));
    assert_eq!(lost.next().0, "span.lost");
    assert_eq!(lost.next().0, "trace.updated");
    assert_eq!(Events::again(&rig, "?q=status:lost", &place).next().0, "span.lost", "also afterwards");
    let elsewhere = log("e").replace(r#""level""#, r#""project":"q","level""#);
    rig.post_json("/api/ingest", &elsewhere);
    assert_eq!(other.next().0, "log", "of another project");
}

#[test]
fn contents_that_come_as_log_records_stand_in_the_span_that_is_told() {
    let rig = Rig::start();
    let mut events = Events::open(&rig, "?q=-event:nothing");
    let logs = |record| assert_eq!(rig.post("/v1/logs", PROTOBUF, pb::request(&[record])).status, 200);
    let mut span_named = |wanted: &str| loop {
        let (name, data) = events.next();
        if name.starts_with("span") {
            assert_eq!(name, wanted, "{data}");
            break data;
        }
    };
    // The question comes before the span, the answer behind it.
    logs(record(1, 1, "gen_ai.user.message", "Weather?", 10));
    assert_eq!(rig.post("/v1/traces", PROTOBUF, pb::request(&[otlp_span(1, 1)])).status, 200);
    let ended = span_named("span.ended");
    assert!(ended["inputs"].is_array() && ended["outputs"].is_null(), "{ended}");
    logs(record(1, 1, "gen_ai.choice", "sunny", 20));
    let updated = span_named("span.updated");
    let mut read = rig.get(&format!("/api/trace/{}", trace_id(1))).json()["spans"][0].clone();
    assert!(read["outputs"].is_array());
    // Where it stands in the tree is known to who has the tree.
    for key in ["depth", "has_children"] {
        read[key] = updated[key].clone();
    }
    assert_eq!(updated, read);
}
