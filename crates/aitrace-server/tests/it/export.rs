//! What is exported and imported elsewhere is the same to the letter, in every form.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use aitrace_model::{LogRecord, SpanId, Timestamp, TraceId};
use aitrace_store::{
    Appended, Batch, Change, ErrorKind, Extent, Hit, LostSpan, PageRequest, ProjectScope, QueryStore, Result,
    Search, Searched, SessionFilter, SessionPage, SessionPageRequest, SessionSummary, Skeleton, Statistics,
    StatisticsQuery, StoreError, StoreStats, StoredSpan, TelemetryStore, Trace, TraceFilter, TracePage,
};
use async_trait::async_trait;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};

use crate::http::connect;
use crate::rig::Rig;
use crate::samples::{NDJSON, log, span, span_id, trace_id};

const SECOND: i64 = 1_000_000_000;

fn send(rig: &Rig, records: &[String]) {
    let answer = rig.post("/api/ingest", NDJSON, records.join("\n")).json();
    assert_eq!(answer["ingested"], records.len(), "{answer}");
}

/// A record with further metadata, as JSON members.
fn with(record: &str, members: &str) -> String {
    record.replacen(r#""level""#, &format!(r#"{members},"level""#), 1)
}

/// What the API says of everything, apart from what is said of the time of reading.
fn everything(rig: &Rig) -> Vec<String> {
    let list = rig.get("/api/traces?limit=1000");
    let mut all = vec![list.text()];
    for trace in list.json()["traces"].as_array().expect("traces") {
        let id = trace["trace_id"].as_str().expect("an id");
        let project = trace["project"].as_str().expect("a project");
        let whole = rig.get(&format!("/api/trace/{id}?project={project}"));
        for span in whole.json()["spans"].as_array().expect("spans") {
            let own = span["span_id"].as_str().expect("an id");
            all.push(rig.get(&format!("/api/span/{id}/{own}?project={project}")).text());
        }
        all.extend([whole.text(), rig.get(&format!("/api/trace/{id}/skeleton?project={project}")).text()]);
    }
    let sessions = rig.get("/api/sessions");
    for session in sessions.json()["sessions"].as_array().expect("sessions") {
        let id = session["session_id"].as_str().expect("an id").replace('/', "%2F");
        all.push(rig.get(&format!("/api/session/{id}")).text());
    }
    all.push(sessions.text());
    let stats = "/api/stats?since=2026-01-30T00:00:00Z&until=2026-02-02T00:00:00Z&by=model";
    for target in ["/api/search?q=e&limit=1000", "/api/search?q=loose", "/api/projects", "/api/scores", stats]
    {
        all.push(rig.get(target).text());
    }
    all
}

fn import(rig: &Rig, form: &str, lines: &[&str]) {
    if form == "jsonl" {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        return send(rig, &lines);
    }
    for line in lines {
        let value: Value = serde_json::from_str(line).expect("JSON");
        let target = if value.get("resourceSpans").is_some() { "/v1/traces" } else { "/v1/logs" };
        let answer = rig.post_json(target, line);
        assert_eq!((answer.status, answer.text().contains("rejected")), (200, false), "{}", answer.text());
    }
}

/// Exports in both forms, imports into empty servers in both directions, and compares.
pub(crate) fn comes_back(rig: &Rig) {
    let here = everything(rig);
    for form in ["jsonl", "otlp"] {
        let exported = rig.get(&format!("/api/export?format={form}"));
        assert_eq!(exported.header("content-type"), Some(NDJSON));
        let text = exported.text();
        let mut lines: Vec<&str> = text.lines().collect();
        for order in ["as written", "backwards"] {
            let other = Rig::start();
            other.clock.advance(rig_time(rig) - rig_time(&other));
            import(&other, form, &lines);
            let there = everything(&other);
            for (here, there) in here.iter().zip(&there) {
                assert_eq!(there, here, "{form}, {order}\n{text}");
            }
            assert_eq!(there.len(), here.len());
            lines.reverse();
        }
    }
}

fn rig_time(rig: &Rig) -> i64 {
    use aitrace_model::Clock as _;
    rig.clock.now().nanos()
}

fn fill(rig: &Rig) {
    let llm = r#"{"gen_ai.operation.name":"chat","gen_ai.request.model":"gpt-4o-mini","gen_ai.usage.input_tokens":10,"metadata":{"tid":1}}"#;
    let odd = r#"{"inputs":"x","input.value":"\u0078y","z":1.50,"big":9007199254740993,"huge":123456789012345678901234567890,"session_id":"other","gen_ai.request.model":"m","metadata":{"b":1,"a":[null]}}"#;
    let failed = span("end", 3, 4, 0, r#"{"outputs":"Größe \"XL\""}"#).replace(
        r#""status":"ok""#,
        r#""status":"error","error":{"type":"E","message":"m","stacktrace":"s"}"#,
    );
    let inside = with(&log("inside"), &format!(r#""trace_id":"{}","span_id":"{}""#, trace_id(1), span_id(2)));
    let session = |event: &str, at: u8, data: &str| {
        format!(
            r#"{{"__tracer_meta__":{{"timestamp":"2026-01-31T12:00:0{at}Z","event":"session.{event}","trace_id":"{}","span_id":"{}","session_id":"s/1","level":"info","version":"2.1","id":"x{at}","lifecycle":"log"}},{data}}}"#,
            trace_id(3 - at.min(2)),
            span_id(1),
        )
    };
    let corrected = format!(
        r#"{{"__tracer_meta__":{{"timestamp":"2026-01-31T12:00:05Z","event":"event.updated","level":"info","version":"2.1","id":"u"}},"event_id":"{}","metrics":{{"score":0.50}}}}"#,
        span_id(6)
    );
    send(
        rig,
        &[
            span("end", 1, 1, 0, r#"{"inputs":{"q":"Wo ist mein Paket?"}}"#),
            span("end", 1, 2, 1, llm),
            span("start", 2, 3, 0, "{}"),
            with(&failed, r#""session_id":"s/1","file":"a.py","line":7,"function":"f","user_id":"ü""#),
            log("loose.event"),
            span("end", 5, 6, 0, odd),
            with(&span("end", 7, 7, 0, "{}"), r#""project":"p""#),
            with(&span("end", 5, 9, 0, "{}"), r#""project":"p""#),
            inside,
            session("started", 1, r#""session_name":"Demo","metadata":{"a":1,"z":0}"#),
            session("updated", 2, r#""session_name":"Later","metadata":{"b":2,"a":3}"#),
            corrected,
        ],
    );
    let score = json!({"trace_id": trace_id(1), "name": "good", "value": 0.5, "source": "human"});
    assert_eq!(rig.post_json("/api/scores", &score.to_string()).status, 200);
    rig.clock.advance(SECOND);
    let again = json!({"id": "one", "session_id": "s/1", "name": "n", "label": "x"}).to_string();
    assert_eq!(rig.post_json("/api/scores", &again).status, 200);
    rig.clock.advance(SECOND);
    assert_eq!(rig.post_json("/api/scores", &again).status, 200);
    assert_eq!(rig.post("/v1/traces", crate::samples::PROTOBUF, crate::samples::otlp(4, 9)).status, 200);
}

#[test]
fn a_world_comes_back_to_the_letter() {
    let rig = Rig::start();
    fill(&rig);
    comes_back(&rig);
    // A session and a correction before and after, two scores.
    let text = rig.get("/api/export").text();
    assert_eq!(text.lines().filter(|line| line.contains("aitrace.document")).count(), 6, "{text}");
    // What came as OTLP goes as it came, with its project.
    let wire = rig.get("/api/export?format=otlp").text();
    let requests = wire.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let mut spans = requests.flat_map(|request| list(&request, "resourceSpans")).flat_map(|of| {
        list(&of, "scopeSpans").into_iter().flat_map(|of| list(&of, "spans")).collect::<Vec<_>>()
    });
    let span = spans.find(|span| span["traceId"] == trace_id(4)).expect("is exported");
    let exact = json!([{"key": "aitrace.exact", "value": {"stringValue": r#"{"project":"default"}"#}}]);
    assert_eq!((&span["attributes"], &span["name"]), (&exact, &json!("chat")));
    let one = rig.get("/api/export?q=model:gpt*").text();
    assert_eq!(one.lines().count(), 4, "a trace with its records: {one}");
    assert_eq!(rig.get("/api/export?project=p").text().lines().count(), 2);
    for bad in ["limit=3", "format=xml"] {
        assert_eq!(rig.get(&format!("/api/export?{bad}")).status, 400, "{bad}");
    }
    assert_eq!(rig.get("/api/traces?format=otlp").status, 400);
    let none = rig.get("/api/export?format=parquet");
    assert_eq!((none.status, none.kind().as_str()), (404, "not_found"));
}

#[test]
fn what_runs_or_is_lost_stays_so() {
    let beating = |own: u8| {
        let lifecycle =
            r#""attributes":[{"key":"aitrace.lifecycle","value":{"stringValue":"heartbeat"}}],"kind""#;
        crate::samples::otlp_json(own, own)
            .replace(r#""kind""#, lifecycle)
            .replace("endTimeUnixNano\":\"1", "ignored\":\"1")
    };
    let rig = Rig::start();
    assert_eq!(rig.post_json("/v1/traces", &beating(1)).status, 200);
    send(&rig, &[span("start", 2, 2, 0, "{}"), span("end", 2, 3, 2, "{}")]);
    let states = |rig: &Rig| {
        let traces = rig.get("/api/traces").json();
        let word = |trace: &Value| trace["status"].as_str().expect("a word").to_owned();
        traces["traces"].as_array().expect("traces").iter().map(word).collect::<Vec<_>>()
    };
    comes_back(&rig);
    rig.clock.advance(50 * SECOND);
    assert_eq!(states(&rig), ["running", "running"]);
    let text = rig.get("/api/export").text();
    let other = Rig::start();
    other.clock.advance(50 * SECOND);
    import(&other, "jsonl", &text.lines().collect::<Vec<_>>());
    assert_eq!(states(&other), states(&rig));
    for rig in [&rig, &other] {
        rig.clock.advance(10 * SECOND);
    }
    // Ten seconds later the heartbeats are a minute old, there as here.
    assert_eq!((states(&rig).contains(&"lost".to_owned()), states(&other)), (true, states(&rig)));
    comes_back(&rig);
    rig.clock.advance(1000 * SECOND);
    assert_eq!(states(&rig), ["lost", "lost"]);
    comes_back(&rig);
    // An end that comes later still ends it, also there.
    let text = rig.get("/api/export?format=otlp").text();
    let other = Rig::start();
    import(&other, "otlp", &text.lines().collect::<Vec<_>>());
    send(&other, &[span("end", 2, 2, 0, "{}")]);
    assert!(states(&other).contains(&"ok".to_owned()), "{:?}", states(&other));
}

/// A store that fails in the middle of the log records that are in no trace.
#[derive(Debug)]
struct Cut(Arc<dyn QueryStore>);

#[async_trait]
impl TelemetryStore for Cut {
    async fn append(&self, batch: Batch) -> Result<Appended> {
        self.0.append(batch).await
    }

    async fn list_traces(&self, filter: &TraceFilter, page: &PageRequest) -> Result<TracePage> {
        self.0.list_traces(filter, page).await
    }

    async fn trace(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Trace>> {
        self.0.trace(scope, trace_id).await
    }

    fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }

    async fn seal(&self) -> Result<()> {
        self.0.seal().await
    }

    async fn stats(&self) -> Result<StoreStats> {
        self.0.stats().await
    }

    async fn shutdown(&self) -> Result<()> {
        self.0.shutdown().await
    }
}

#[async_trait]
impl QueryStore for Cut {
    async fn extent(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Extent>> {
        self.0.extent(scope, trace_id).await
    }

    async fn skeleton(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Skeleton>> {
        self.0.skeleton(scope, trace_id).await
    }

    async fn span(&self, scope: &ProjectScope, trace: TraceId, span: SpanId) -> Result<Option<StoredSpan>> {
        self.0.span(scope, trace, span).await
    }

    async fn sent_trace(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Trace>> {
        self.0.sent_trace(scope, trace_id).await
    }

    async fn sessions(&self, filter: &SessionFilter, page: &SessionPageRequest) -> Result<SessionPage> {
        self.0.sessions(filter, page).await
    }

    async fn session_line(&self, scope: &ProjectScope, id: &str) -> Result<Option<SessionSummary>> {
        self.0.session_line(scope, id).await
    }

    async fn search(&self, search: &Search, hits: mpsc::Sender<Hit>) -> Result<Searched> {
        self.0.search(search, hits).await
    }

    async fn loose_logs(&self, scope: &ProjectScope, logs: mpsc::Sender<LogRecord>) -> Result<()> {
        self.0.loose_logs(scope, logs).await?;
        Err(StoreError::new(ErrorKind::Unavailable, "the disk is gone"))
    }

    async fn became_lost(&self, after: Timestamp, until: Timestamp) -> Result<Vec<LostSpan>> {
        self.0.became_lost(after, until).await
    }

    async fn statistics(&self, query: &StatisticsQuery) -> Result<Statistics> {
        self.0.statistics(query).await
    }
}

/// Whether the last chunk of an export came.
fn is_whole(rig: &Rig, form: &str) -> bool {
    let mut socket = connect(rig.addr);
    let call = rig.call("GET", &format!("/api/export?format={form}"));
    socket.write_all(&call.bytes()).expect("sends");
    let mut received = Vec::new();
    // What is cut may be reset as well.
    drop(socket.read_to_end(&mut received));
    // One that is cut at once may be cut before its head.
    let head = received.is_empty() || received.starts_with(b"HTTP/1.1 200");
    assert!(head, "{}", String::from_utf8_lossy(&received));
    let text = String::from_utf8_lossy(&received);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    // A short one says its length, a long one ends with an empty chunk.
    let length = head.to_lowercase().split_once("content-length: ").map(|(_, rest)| rest.to_owned());
    match length.as_deref().and_then(|rest| rest.lines().next()) {
        Some(length) => length.parse() == Ok(body.len()),
        None => text.ends_with("\r\n0\r\n\r\n"),
    }
}

#[test]
fn an_export_that_breaks_off_does_not_look_whole() {
    let cut = Rig::of(|_| {}, |stores| stores.query = Arc::new(Cut(stores.query.clone())));
    let good = Rig::start();
    for (rig, whole) in [(cut, false), (good, true)] {
        send(&rig, &[log("loose")]);
        for form in ["jsonl", "otlp"] {
            assert_eq!(is_whole(&rig, form), whole, "{form}");
        }
    }
}

/// A value as OTLP/JSON has it.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "(\\PC|[\\\\\"\n\u{7f}]){0,12}".prop_map(|text| json!({"stringValue": text})),
        any::<i64>().prop_map(|int| json!({"intValue": int.to_string()})),
        prop_oneof![any::<f64>().prop_filter("JSON", |double| double.is_finite()), Just(-0.0), Just(1.0)]
            .prop_map(|double| json!({"doubleValue": double})),
        prop::sample::select(vec!["NaN", "Infinity", "-Infinity"])
            .prop_map(|word| json!({"doubleValue": word})),
        any::<bool>().prop_map(|flag| json!({"boolValue": flag})),
        prop::sample::select(vec!["", "AA==", "AP8=", "YWJj"]).prop_map(|bytes| json!({"bytesValue": bytes})),
        Just(json!({})),
        prop::sample::select(vec![r#"{"a": [1.50, "ü"]}"#, "[]", "gpt-4o-mini", "pending_span", "LLM", "7"])
            .prop_map(|text| json!({"stringValue": text})),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|values| json!({"arrayValue": {"values": values}})),
            prop::collection::vec((key(), inner), 0..4).prop_map(|members| {
                let members: Vec<Value> =
                    members.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
                json!({"kvlistValue": {"values": members}})
            }),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let known = vec![
        "input.value",
        "output.value",
        "inputs",
        "outputs",
        "metadata",
        "session.id",
        "user.id",
        "gen_ai.request.model",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.cost",
        "openinference.span.kind",
        "aitrace.project",
        "aitrace.event_type",
        "aitrace.metrics",
        "aitrace.exact",
        "logfire.span_type",
        "kind",
        "body",
        "$bytes",
        "code.file.path",
        "code.line.number",
        "code.function.name",
        "severity_text",
        "service.name",
        "gen_ai.operation.name",
        "gen_ai.input.messages",
        "event.name",
        "log.record.uid",
        "aitrace.lifecycle",
    ];
    prop_oneof![3 => prop::sample::select(known).prop_map(str::to_owned), 1 => "[a-c.]{0,3}"]
}

fn attributes() -> impl Strategy<Value = Vec<Value>> {
    let one = (key(), value()).prop_map(|(key, value)| json!({"key": key, "value": value}));
    prop::collection::vec(one, 0..7)
}

/// A request with one span and one with one log record, and a trace record.
fn messages() -> impl Strategy<Value = (Value, Value, String)> {
    let numbers = (1_u8..4, 1_u8..6, 0_u8..4, -2_i64..3);
    let flags = (0_u32..3, 0_i32..7, 0_u8..3, any::<bool>());
    (numbers, flags, attributes(), attributes(), attributes(), value(), "\\PC{0,8}").prop_map(
        |((trace, own, parent, lasts), (dropped, kind, code, ended), first, second, third, body, text)| {
            let now = 1_769_860_800_000_000_000_i64;
            let end = if ended { now + lasts * 1_000_000 } else { 0 };
            let events = json!([{"timeUnixNano": now.to_string(), "name": text, "attributes": second,
                "droppedAttributesCount": dropped}]);
            let links = json!([{"traceId": trace_id(9), "spanId": span_id(9), "traceState": text, "flags": dropped,
                "attributes": second}]);
            let parent = if parent == 0 || parent == own { String::new() } else { span_id(parent) };
            let spans = json!([{"traceId": trace_id(trace), "spanId": span_id(own), "parentSpanId": parent, "name": text,
                "kind": kind, "startTimeUnixNano": now.to_string(), "endTimeUnixNano": end.to_string(), "attributes": first,
                "status": {"code": code, "message": text}, "events": events, "links": links,
                "droppedLinksCount": dropped}]);
            let scope = json!({"name": text, "version": "1", "attributes": second});
            let traces = json!({"resourceSpans": [{"resource": {"attributes": third},
                "scopeSpans": [{"scope": scope, "spans": spans, "schemaUrl": "u"}]}]});
            let outside = dropped == 0;
            let logs = json!([{"timeUnixNano": (now + lasts).to_string(), "severityNumber": kind * 3,
                "severityText": text, "body": body, "attributes": first,
                "traceId": if outside { String::new() } else { trace_id(trace) },
                "spanId": if outside { String::new() } else { span_id(own) }}]);
            let logs = json!({"resourceLogs": [{"resource": {"attributes": third},
                "scopeLogs": [{"scope": scope, "logRecords": logs}]}]});
            let word = json!(text).to_string();
            let record = span("end", trace, own + 10, own, &format!(r#"{{"inputs":{word},"kind":"x","n":1.50}}"#));
            (traces, logs, with(&record, &format!(r#""session_id":{word},"cost":0.25"#)))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn whatever_came_comes_back(
        sent in prop::collection::vec(messages(), 1..5), later in prop::sample::select(vec![0, 100, 1000]),
    ) {
        let rig = Rig::start();
        for (traces, logs, record) in &sent {
            prop_assert_eq!(rig.post_json("/v1/traces", &traces.to_string()).status, 200);
            prop_assert_eq!(rig.post_json("/v1/logs", &logs.to_string()).status, 200);
            send(&rig, std::slice::from_ref(record));
        }
        rig.clock.advance(later * SECOND);
        comes_back(&rig);
    }
}
