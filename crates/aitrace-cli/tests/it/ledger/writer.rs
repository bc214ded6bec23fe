//! Writers: they send, note what came back, and go on when there is a server again.

use std::fmt::Write as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use aitrace_model::{AnyValue, Dropped, RawSpan, RawStatus, Resource, Timestamp};
use serde_json::Value;

use super::content::{Message, Random, Span, batch, span};
use super::journal::Journal;

const PATIENCE: Duration = Duration::from_secs(30);

/// What writers and the test share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) seed: u64,
    pub(super) journal: Journal,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Where the server is, while there is one.
    url: Option<String>,
    /// Counts servers.
    generation: u64,
    /// Batches acknowledged by this server.
    acks: u64,
    finishing: bool,
}

impl Shared {
    pub(super) fn new(seed: u64, journal: Journal) -> Self {
        Self { seed, journal, state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no writer panics")
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    pub(super) fn open(&self, url: &str) {
        self.change(|state| {
            state.url = Some(url.to_owned());
            state.generation += 1;
            state.acks = 0;
        });
    }

    pub(super) fn close(&self) {
        self.change(|state| state.url = None);
    }

    pub(super) fn finish(&self) {
        self.change(|state| state.finishing = true);
    }

    pub(super) fn wait_for_acks(&self, count: u64) {
        let waited = self.changed.wait_timeout_while(self.state(), PATIENCE, |state| state.acks < count);
        let (state, timeout) = waited.expect("no writer panics");
        assert!(!timeout.timed_out(), "only {} of {count} batches were acknowledged in time", state.acks);
    }

    /// A server that was not tried before; `None` when there is nothing more to do.
    fn server(&self, tried: u64) -> Option<(String, u64)> {
        let waited = self.changed.wait_while(self.state(), |state| {
            let untried = state.url.is_some() && state.generation > tried;
            !untried && !state.finishing
        });
        let state = waited.expect("no writer panics");
        let url = state.url.clone().filter(|_| state.generation > tried);
        url.map(|url| (url, state.generation))
    }

    /// After all faults, the next span goes the whole way at once.
    pub(super) fn fresh_span_works(&self, url: &str) {
        let number = super::verify::FRESH;
        let fresh = Message { writer: number, number, ends: true };
        self.journal.sent(number, number);
        assert!(send(&agent(), url, self.seed, 0, &[fresh]), "a fresh span is taken");
        self.journal.acked(number, number);
    }
}

/// Sends batch after batch until the test is over.
pub(super) fn write(shared: &Shared, writer: u64) {
    let mut random = Random::new(shared.seed ^ writer);
    let (mut number, mut tried) = (0, 0);
    while let Some((url, generation)) = shared.server(tried) {
        let agent = agent();
        loop {
            shared.journal.sent(writer, number);
            if send(&agent, &url, shared.seed, writer, &batch(writer, number)) {
                shared.journal.acked(writer, number);
                number += 1;
                shared.change(|state| state.acks += 1);
            } else {
                shared.journal.unknown(writer, number);
                // Senders that try again and senders that give up are both to be expected.
                number += random.below(2);
                tried = generation;
                break;
            }
            if shared.state().finishing {
                return;
            }
        }
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into()
}

/// Sends messages; whether they were acknowledged. Writers with even numbers speak OTLP.
fn send(agent: &ureq::Agent, url: &str, seed: u64, writer: u64, messages: &[Message]) -> bool {
    let spans: Vec<(Span, bool)> =
        messages.iter().map(|message| (span(seed, message.writer, message.number), message.ends)).collect();
    let (path, content_type, body) = if writer.is_multiple_of(2) {
        ("/v1/traces", "application/x-protobuf", otlp(&spans))
    } else {
        ("/api/ingest", "application/x-ndjson", records(&spans))
    };
    let request = agent.post(format!("{url}{path}")).header("content-type", content_type);
    let Ok(mut response) = request.send(&body[..]) else { return false };
    let Ok(answer) = response.body_mut().read_to_vec() else { return false };
    match response.status().as_u16() {
        200 => {}
        429 | 503 => return false,
        status => panic!("{path}: {status}: {}", String::from_utf8_lossy(&answer)),
    }
    if writer.is_multiple_of(2) {
        assert!(answer.is_empty(), "nothing was refused");
    } else {
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        assert_eq!(answer["ingested"], spans.len(), "nothing was refused: {answer}");
    }
    true
}

fn otlp(spans: &[(Span, bool)]) -> Vec<u8> {
    let resource = Arc::new(Resource {
        attributes: vec![("service.name".to_owned(), AnyValue::from("ledger"))],
        ..Resource::default()
    });
    let scope = Arc::default();
    let raw = |(span, ends): &(Span, bool)| {
        let text = |key: &str, value: &str| (key.to_owned(), AnyValue::from(value));
        let mut attributes = vec![text("ledger.note", &span.note)];
        if *ends {
            attributes.push(text("input.value", &span.inputs));
            attributes.push(text("input.mime_type", "application/json"));
        } else {
            attributes.push(text("aitrace.lifecycle", "start"));
        }
        RawSpan {
            trace_id: span.trace_id.parse().expect("an id"),
            span_id: span.own_id.parse().expect("an id"),
            parent_span_id: span.parent_id.as_ref().map(|id| id.parse().expect("an id")),
            name: span.name.clone(),
            otel_kind: 1,
            trace_state: String::new(),
            start: Timestamp::from_nanos(span.start_ns),
            end: ends.then(|| Timestamp::from_nanos(span.end_ns)),
            attributes,
            events: Vec::new(),
            links: Vec::new(),
            status: RawStatus::Unset,
            dropped: Dropped::default(),
            flags: 0,
            resource: Arc::clone(&resource),
            scope: Arc::clone(&scope),
        }
    };
    aitrace_otlp::encode_traces(&spans.iter().map(raw).collect::<Vec<_>>())
}

fn records(spans: &[(Span, bool)]) -> Vec<u8> {
    let mut out = String::new();
    for (span, ends) in spans {
        let (lifecycle, time) = if *ends { ("end", span.end_ns) } else { ("start", span.start_ns) };
        let mut meta = serde_json::json!({
            "timestamp": Timestamp::from_nanos(time), "event": format!("{}.{lifecycle}", span.name),
            "trace_id": span.trace_id, "span_id": span.own_id, "parent_span_id": span.parent_id,
            "lifecycle": lifecycle, "version": "2.1", "level": "info", "id": format!("{}-{lifecycle}", span.own_id),
        });
        if *ends {
            meta["status"] = "ok".into();
            meta["duration_ns"] = (span.end_ns - span.start_ns).into();
        } else {
            meta["provisional"] = true.into();
        }
        let inputs = if *ends { format!("\"inputs\":{},", span.inputs) } else { String::new() };
        let note = Value::from(span.note.as_str());
        writeln!(out, "{{\"__tracer_meta__\":{meta},\"attributes\":{{{inputs}\"ledger.note\":{note}}}}}")
            .expect("a String takes everything");
    }
    out.into_bytes()
}
