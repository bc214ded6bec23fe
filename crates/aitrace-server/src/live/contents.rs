//! Contents that a library sends only as log records, joined into the spans of the live stream as they are where a
//! trace is read.
//!
//! Records and spans come in any order and from several connections. What may still be joined is held for a while,
//! bounded in bytes; the oldest is forgotten first, and is then whole only where the trace is read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aitrace_model::{LogRecord, SpanId, TraceId};
use aitrace_normalise::tells_contents;
use aitrace_store::{StoredSpan, span_bytes};

use super::event::{Event, What};
use crate::view;

type Key = (TraceId, SpanId, String);

/// Spans without contents, and log records that tell some.
#[derive(Debug)]
pub(crate) struct Contents {
    held: HashMap<Key, Held>,
    // When each was first heard of.
    order: BTreeMap<u64, Key>,
    next: u64,
    bytes: usize,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct Held {
    age: u64,
    weight: usize,
    logs: Vec<Arc<LogRecord>>,
    span: Option<Arc<StoredSpan>>,
}

impl Contents {
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { held: HashMap::new(), order: BTreeMap::new(), next: 0, bytes: 0, most_bytes }
    }

    /// The event with the contents that are known, and what it tells of a span besides.
    pub(crate) fn join(&mut self, event: Event) -> (Event, Option<Event>) {
        match &event.what {
            What::Span(stored) => {
                let what = What::Span(self.span(stored));
                (Event { what, ..event }, None)
            }
            What::Log(log) => {
                let updated = self.log(log).map(Event::updated);
                (event, updated)
            }
            What::Line(_) => (event, None),
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.most_bytes);
    }

    fn span(&mut self, stored: &Arc<StoredSpan>) -> Arc<StoredSpan> {
        let span = &stored.span;
        let key = (span.trace_id, span.span_id, span.project.clone());
        if span.inputs.is_some() && span.outputs.is_some() {
            self.remove(&key);
            return Arc::clone(stored);
        }
        let held = self.hold(key, span_bytes(span));
        held.span = Some(Arc::clone(stored));
        let joined = filled(stored, &held.logs).unwrap_or_else(|| Arc::clone(stored));
        self.shrink();
        joined
    }

    /// The span that the record belongs to, where it has more contents now.
    fn log(&mut self, log: &Arc<LogRecord>) -> Option<Arc<StoredSpan>> {
        let key = (log.trace_id?, log.span_id?, log.project.clone());
        if !tells_contents(log) {
            return None;
        }
        let held = self.hold(key, log.attrs.as_str().len() + size_of::<LogRecord>() + 256);
        let place = |other: &LogRecord| (other.time, other.id.clone());
        let at = held.logs.partition_point(|other| place(other) <= place(log));
        held.logs.insert(at, Arc::clone(log));
        let joined = held.span.as_ref().and_then(|stored| filled(stored, &held.logs));
        self.shrink();
        joined
    }

    fn hold(&mut self, key: Key, weight: usize) -> &mut Held {
        self.bytes += weight;
        let (next, order) = (&mut self.next, &mut self.order);
        let held = self.held.entry(key).or_insert_with_key(|key| {
            *next += 1;
            order.insert(*next, key.clone());
            Held { age: *next, ..Held::default() }
        });
        held.weight += weight;
        held
    }

    fn remove(&mut self, key: &Key) {
        if let Some(held) = self.held.remove(key) {
            self.bytes -= held.weight;
            self.order.remove(&held.age);
        }
    }

    fn shrink(&mut self) {
        while self.bytes > self.most_bytes {
            let Some((_, key)) = self.order.pop_first() else { return };
            self.remove(&key);
        }
    }
}

/// The span with what its log records tell; `None` where they add nothing.
fn filled(stored: &Arc<StoredSpan>, logs: &[Arc<LogRecord>]) -> Option<Arc<StoredSpan>> {
    if logs.is_empty() {
        return None;
    }
    let mut joined = StoredSpan::clone(stored);
    let added = view::fill(&mut joined.span, logs.iter().map(Arc::as_ref));
    added.then(|| Arc::new(joined))
}

#[cfg(test)]
mod tests {
    use aitrace_model::{Json, Level, Span, Timestamp, TraceStatus};

    use super::*;

    fn span(number: u8, project: &str) -> Arc<StoredSpan> {
        let (trace, own) = (TraceId::from_bytes([1; 16]).unwrap(), SpanId::from_bytes([number; 8]).unwrap());
        let span = Span::new(project, trace, own, "chat", Timestamp::from_nanos(0));
        Arc::new(StoredSpan { span, status: TraceStatus::Ok })
    }

    fn log(number: u8, project: &str, event: &str, nanos: i64) -> Event {
        let stored = span(number, project);
        let log = LogRecord {
            project: project.to_owned(),
            id: format!("{event}{nanos}"),
            trace_id: Some(stored.span.trace_id),
            span_id: Some(stored.span.span_id),
            time: Timestamp::from_nanos(nanos),
            event: event.to_owned(),
            level: Level::Info,
            logger: None,
            code: None,
            session_id: None,
            attrs: Json::from_trusted(r#"{"body":{"content":"sunny"}}"#),
            received: Timestamp::from_nanos(0),
        };
        Event { name: "log", what: What::Log(Arc::new(log)) }
    }

    fn shown((event, updated): (Event, Option<Event>)) -> Option<(bool, bool)> {
        let event = if matches!(event.what, What::Span(_)) { Some(event) } else { updated };
        match event?.what {
            What::Span(stored) => Some((stored.span.inputs.is_some(), stored.span.outputs.is_some())),
            _ => None,
        }
    }

    #[test]
    fn contents_are_joined_in_any_order() {
        let told = |stored| Event { name: "span.ended", what: What::Span(stored) };
        let mut contents = Contents::new(1 << 20);
        assert_eq!(shown(contents.join(log(1, "p", "gen_ai.user.message", 1))), None);
        assert_eq!(shown(contents.join(told(span(1, "q")))), Some((false, false)), "another project");
        assert_eq!(shown(contents.join(told(span(1, "p")))), Some((true, false)));
        assert_eq!(shown(contents.join(log(1, "p", "order.sold", 2))), None, "tells no contents");
        assert_eq!(shown(contents.join(log(1, "p", "gen_ai.choice", 3))), Some((true, true)));
    }

    #[test]
    fn a_whole_span_is_not_held() {
        let mut contents = Contents::new(1 << 20);
        let mut whole = StoredSpan::clone(&span(1, "p"));
        contents.join(log(1, "p", "gen_ai.choice", 3));
        (whole.span.inputs, whole.span.outputs) = (Some(Json::string("a")), Some(Json::string("b")));
        let whole = Arc::new(whole);
        let (told, _) = contents.join(Event { name: "span.ended", what: What::Span(Arc::clone(&whole)) });
        assert!(matches!(told.what, What::Span(stored) if Arc::ptr_eq(&stored, &whole)));
        assert_eq!((contents.held.len(), contents.order.len(), contents.bytes), (0, 0, 0));
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut contents = Contents::new(5000);
        for number in 1..=200 {
            contents.join(log(number, "p", "gen_ai.choice", 1));
            assert!(contents.bytes <= 5000);
            assert_eq!(contents.held.len(), contents.order.len());
        }
        let told = |number| Event { name: "span.ended", what: What::Span(span(number, "p")) };
        assert_eq!(shown(contents.join(told(200))), Some((false, true)));
        assert_eq!(shown(contents.join(told(1))), Some((false, false)));
    }
}
