//! What is stored against what the journal says.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::content::{Message, batch, span};
use super::journal::{Fate, Journal};

/// Writer and number of the span that is sent after all faults.
pub(super) const FRESH: u64 = 1_000_000;

#[derive(Debug, Deserialize)]
struct Page {
    traces: Vec<Line>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Line {
    trace_id: String,
    spans: usize,
}

#[derive(Debug, Deserialize)]
struct Trace {
    trace: Line,
    spans: Vec<Stored>,
}

#[derive(Debug, Deserialize)]
struct Stored {
    trace_id: String,
    span_id: String,
    parent_span_id: Option<String>,
    name: String,
    status: String,
    start_ns: String,
    end_ns: Option<String>,
    inputs: Option<Box<RawValue>>,
    attributes: BTreeMap<String, Value>,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) spans: usize,
    pub(super) running: usize,
    pub(super) traces: usize,
}

/// Fails where an acknowledged message is missing, or where something is stored that was not sent, is not what
/// was sent, or is seen more than once.
pub(super) fn verify(url: &str, seed: u64, journal: &Journal) -> Found {
    let mut fates: BTreeMap<Message, Fate> = BTreeMap::new();
    for ((writer, number), fate) in journal.read() {
        let fresh = Message { writer, number, ends: true };
        for message in if writer == FRESH { vec![fresh] } else { batch(writer, number) } {
            let known = fates.entry(message).or_insert(fate);
            *known = (*known).max(fate);
        }
    }
    let known: BTreeMap<(String, String), (u64, u64)> = fates
        .keys()
        .map(|message| {
            let span = span(seed, message.writer, message.number);
            ((span.trace_id, span.own_id), (message.writer, message.number))
        })
        .collect();

    let lines = list(url);
    let mut seen = BTreeSet::new();
    let mut running = 0;
    for line in &lines {
        let trace: Trace = get(&format!("{url}/api/trace/{}", line.trace_id));
        assert_eq!(trace.trace.spans, trace.spans.len(), "{}: its line counts its spans", line.trace_id);
        assert_eq!(line.spans, trace.spans.len(), "{}: the list counts its spans", line.trace_id);
        for stored in &trace.spans {
            let key = (stored.trace_id.clone(), stored.span_id.clone());
            let (writer, number) = *known.get(&key).unwrap_or_else(|| panic!("never sent: {stored:?}"));
            assert_eq!(stored.trace_id, line.trace_id);
            assert!(seen.insert((writer, number)), "seen twice: {stored:?}");
            compare(stored, seed, writer, number, &fates);
            running += usize::from(stored.end_ns.is_none());
        }
    }
    for (message, fate) in &fates {
        let stored = seen.contains(&(message.writer, message.number));
        assert!(stored || *fate == Fate::Sent, "acknowledged and lost: {message:?}");
    }
    Found { spans: seen.len(), running, traces: lines.len() }
}

/// All traces, page by page; each once.
fn list(url: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page: Page = get(&format!("{url}/api/traces?limit=7{cursor}"));
        lines.extend(page.traces);
        let Some(next) = page.next else { break };
        cursor = format!("&cursor={next}");
    }
    let distinct: BTreeSet<&str> = lines.iter().map(|line| line.trace_id.as_str()).collect();
    assert_eq!(distinct.len(), lines.len(), "the list shows each trace once");
    lines
}

fn compare(stored: &Stored, seed: u64, writer: u64, number: u64, fates: &BTreeMap<Message, Fate>) {
    let sent = span(seed, writer, number);
    assert_eq!(stored.name, sent.name);
    assert_eq!(stored.parent_span_id, sent.parent_id, "{}", sent.name);
    assert_eq!(stored.start_ns, sent.start_ns.to_string(), "{}", sent.name);
    assert_eq!(stored.attributes["ledger.note"], sent.note, "{}", sent.name);
    let end = fates.get(&Message { writer, number, ends: true });
    if let Some(end_ns) = &stored.end_ns {
        assert!(end.is_some(), "{}: its end was never sent", sent.name);
        assert_eq!((end_ns.as_str(), stored.status.as_str()), (sent.end_ns.to_string().as_str(), "ok"));
        let inputs = stored.inputs.as_ref().map(|inputs| inputs.get());
        assert_eq!(inputs, Some(sent.inputs.as_str()), "{}: to the letter", sent.name);
    } else {
        assert_ne!(end, Some(&Fate::Acked), "{}: its end was acknowledged and lost", sent.name);
        assert!(fates.contains_key(&Message { writer, number, ends: false }), "{}: never sent", sent.name);
    }
}

fn get<T: DeserializeOwned>(url: &str) -> T {
    let mut response = ureq::get(url).call().unwrap_or_else(|error| panic!("{url}: {error}"));
    let body = response.body_mut().with_config().limit(1 << 30).read_to_string().expect("a body");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{url}: {error}"))
}
