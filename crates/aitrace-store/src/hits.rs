//! The order of hits, and pages of them.
//!
//! Hits come newest first, and each has its place in that order by what it is, not by when it is found: so pages
//! concatenate to the whole, whatever is written, sealed or merged between them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use aitrace_model::{SpanId, Timestamp, TraceId};

use crate::error::{ErrorKind, StoreError};

/// A span or log record that holds the text; each at most once, with the first field that does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Project.
    pub project: String,
    /// Its trace; a log outside any span has none.
    pub trace_id: Option<TraceId>,
    /// Its span, or the one the record belongs to.
    pub span_id: Option<SpanId>,
    /// Its id, if it is a log record.
    pub log_id: Option<String>,
    /// When it started or happened.
    pub time: Timestamp,
    /// Name of the span, or event.
    pub name: String,
    /// The field: `name`, `inputs`, `outputs`, …, `attributes`, `events`, `event`, `attrs`.
    pub field: &'static str,
    /// What was found with its surroundings, on one line.
    pub excerpt: String,
}

/// A place in the order of hits. Smaller is earlier: newer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HitCursor {
    time: Reverse<Timestamp>,
    // `None` is before all of that time.
    item: Option<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    project: String,
    trace_id: Option<TraceId>,
    span_id: Option<SpanId>,
    log_id: Option<String>,
}

impl HitCursor {
    /// The place of a hit.
    pub fn of(hit: &Hit) -> Self {
        let item = Item {
            project: hit.project.clone(),
            trace_id: hit.trace_id,
            span_id: hit.span_id,
            log_id: hit.log_id.clone(),
        };
        Self { time: Reverse(hit.time), item: Some(item) }
    }

    /// The place before everything of this time and behind everything later.
    pub fn before(time: Timestamp) -> Self {
        Self { time: Reverse(time), item: None }
    }

    /// The time of what stands there.
    pub fn time(&self) -> Timestamp {
        self.time.0
    }
}

/// `NANOS`, or `NANOS.TRACE.SPAN.KIND.LENGTH.PROJECT` with the id of a log record behind it.
impl fmt::Display for HitCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.time.0.nanos())?;
        let Some(Item { project, trace_id, span_id, log_id }) = &self.item else { return Ok(()) };
        let trace_id = trace_id.map_or_else(String::new, TraceId::to_hex);
        let span_id = span_id.map_or_else(String::new, SpanId::to_hex);
        let kind = if log_id.is_some() { 'l' } else { 's' };
        let log_id = log_id.as_deref().unwrap_or_default();
        write!(f, ".{trace_id}.{span_id}.{kind}.{}.{project}{log_id}", project.len())
    }
}

impl FromStr for HitCursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        fn id<T: FromStr>(text: &str) -> Result<Option<T>, T::Err> {
            if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
        }
        let read = || {
            let mut parts = text.splitn(6, '.');
            let time = Reverse(Timestamp::from_nanos(parts.next()?.parse().ok()?));
            let Some(trace_id) = parts.next() else { return Some(Self { time, item: None }) };
            let (trace_id, span_id) = (id(trace_id).ok()?, id(parts.next()?).ok()?);
            let (kind, length) = (parts.next()?, parts.next()?.parse().ok()?);
            let (project, log_id) = parts.next()?.split_at_checked(length)?;
            let log_id = match kind {
                "l" => Some(log_id.to_owned()),
                "s" if log_id.is_empty() => None,
                _ => return None,
            };
            Some(Self { time, item: Some(Item { project: project.to_owned(), trace_id, span_id, log_id }) })
        };
        read()
            .ok_or_else(|| StoreError::new(ErrorKind::Invalid, "cursor is not one that this server gave out"))
    }
}

/// One page of hits, of those that a store finds in any order.
#[derive(Debug)]
pub struct HitPage {
    after: Option<HitCursor>,
    // The best of those found, one more than may still be sent.
    found: BTreeMap<HitCursor, Hit>,
    left: usize,
    sending: Option<HitCursor>,
    // Where everything before was sent.
    reached: Option<HitCursor>,
}

impl HitPage {
    /// An empty page of at most `limit` hits, behind a place.
    pub fn new(after: Option<HitCursor>, limit: usize) -> Self {
        Self { reached: after.clone(), after, found: BTreeMap::new(), left: limit, sending: None }
    }

    /// Whether a hit of this time may be on the page.
    pub fn wants(&self, time: Timestamp) -> bool {
        self.after.as_ref().is_none_or(|after| time <= after.time())
            && self.worst().is_none_or(|worst| time >= worst.time())
    }

    /// Adds a hit, if it is on the page as far as is known.
    pub fn add(&mut self, hit: Hit) {
        if !self.wants(hit.time) {
            return;
        }
        let place = HitCursor::of(&hit);
        if self.after.as_ref().is_some_and(|after| place <= *after) {
            return;
        }
        self.found.insert(place, hit);
        if self.found.len() > self.left + 1 {
            self.found.pop_last();
        }
    }

    /// The next hit to send, if nothing of what is still to be searched can stand before it: that is `latest` at the
    /// latest, `None` where nothing is left.
    pub fn settled(&mut self, latest: Option<Timestamp>) -> Option<Hit> {
        if self.left == 0 {
            return None;
        }
        let entry =
            self.found.first_entry().filter(|entry| latest.is_none_or(|at| entry.key().time() > at))?;
        let (place, hit) = entry.remove_entry();
        self.sending = Some(place);
        Some(hit)
    }

    /// What [`HitPage::settled`] gave was sent.
    pub fn sent(&mut self) {
        if let Some(place) = self.sending.take() {
            (self.left, self.reached) = (self.left - 1, Some(place));
        }
    }

    /// Whether the page is whole, and what is still to be searched cannot change it.
    pub fn is_whole(&self, latest: Option<Timestamp>) -> bool {
        self.worst().is_some_and(|worst| latest.is_none_or(|at| worst.time() > at))
    }

    /// All that [`HitPage::settled`] had to give was sent: what is later than `latest` need not be searched again.
    pub fn all_sent(&mut self, latest: Timestamp) {
        if self.left > 0 {
            self.reached = self.reached.take().max(Some(HitCursor::before(latest)));
        }
    }

    /// Where the next page begins. `over` says that everything was searched and sent.
    pub fn next(self, over: bool) -> Option<HitCursor> {
        if over && self.found.is_empty() {
            None
        } else {
            self.reached.filter(|at| Some(at) != self.after.as_ref())
        }
    }

    /// The one too many.
    fn worst(&self) -> Option<&HitCursor> {
        self.found.last_key_value().map(|(place, _)| place).filter(|_| self.found.len() > self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back_whatever_names_hold() {
        let item = |project: &str, log_id: Option<&str>| {
            let (trace_id, span_id) = (TraceId::from_bytes([7; 16]), SpanId::from_bytes([8; 8]));
            let log_id = log_id.map(str::to_owned);
            Some(Item { project: project.to_owned(), trace_id, span_id, log_id })
        };
        let loose = |log: &str| {
            let log_id = Some(log.to_owned());
            Some(Item { project: "p".to_owned(), trace_id: None, span_id: None, log_id })
        };
        for item in [None, item("a.é.c", None), item("a.b", Some("é.9")), loose(""), loose("x")] {
            let cursor = HitCursor { time: Reverse(Timestamp::from_nanos(-5)), item };
            assert_eq!(cursor.to_string().parse::<HitCursor>().expect("own text"), cursor);
        }
        for bad in
            ["", "x", "1.", "1...s.1.é", "1...s.9.p", "1...s.1.pq", "1...x.1.p", "1.0..s.1.p", "1...l.-1.p"]
        {
            assert_eq!(bad.parse::<HitCursor>().expect_err(bad).kind(), ErrorKind::Invalid);
        }
    }
}
