//! What is known of one span, and the laws by which messages about it are joined.
//!
//! Messages about a span arrive in any order, twice, or not at all. [`SpanState`] is a
//! join-semilattice over them: joining is commutative, associative and idempotent, so that
//! whoever saw the same messages knows the same span.

mod order;
mod overlay;

use std::collections::BTreeMap;

use crate::log::LogRecord;
use crate::span::{Phase, Span};
use crate::summary::TraceStatus;
use crate::time::Timestamp;

/// When a span that has not ended is called lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostRules {
    /// Nanoseconds without a heartbeat, where the sender sends them. Default: 60 s.
    pub heartbeat_ns: i64,
    /// Nanoseconds of silence of the whole trace, where it does not. Default: 15 min.
    pub silent_ns: i64,
}

impl Default for LostRules {
    fn default() -> Self {
        Self { heartbeat_ns: 60 * 1_000_000_000, silent_ns: 15 * 60 * 1_000_000_000 }
    }
}

/// All that is known of one span: the greatest start, heartbeat and end, each under a total
/// order of contents, the ends that are ends only if the span is known, and what log records tell.
///
/// Invariant: all messages have one identity (project, trace, span).
#[derive(Debug, Clone, PartialEq)]
pub struct SpanState {
    start: Option<Box<Span>>,
    heartbeat: Option<Box<Span>>,
    end: Option<Box<Span>>,
    // By the id of the log record that each of them is otherwise. Nearly always empty.
    tentative: BTreeMap<String, Span>,
    // By the id of the log record that tells it. Mostly empty.
    told: BTreeMap<String, Span>,
}

impl SpanState {
    /// What one message says.
    pub fn new(message: Span) -> Self {
        let mut state = Self {
            start: None,
            heartbeat: None,
            end: None,
            tentative: BTreeMap::new(),
            told: BTreeMap::new(),
        };
        state.join(message);
        state
    }

    /// Adds a message about the same span. Returns whether anything is known now that was not
    /// before: `false` for a message that was known already or is outranked.
    pub fn join(&mut self, message: Span) -> bool {
        debug_assert!(self.messages().all(|known| same_identity(known, &message)), "another span's message");
        match (message.phase, &message.tentative) {
            (Phase::Start, _) => raise(&mut self.start, message),
            (Phase::Heartbeat, _) => raise(&mut self.heartbeat, message),
            (Phase::End, None) => raise(&mut self.end, message),
            (Phase::End, Some(log)) => raise_at(&mut self.tentative, log.id.clone(), message),
            (Phase::Contents, _) => raise_at(&mut self.told, message.name.clone(), message),
        }
    }

    /// Adds everything that another state of the same span knows.
    pub fn join_state(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for message in other.messages() {
            changed |= self.join(message.clone());
        }
        changed
    }

    /// The messages that make up this state; joined in any order they give it again.
    pub fn messages(&self) -> impl Iterator<Item = &Span> {
        self.of_life().chain(self.told.values())
    }

    /// The messages of the span itself.
    fn of_life(&self) -> impl Iterator<Item = &Span> {
        let slots = [&self.start, &self.heartbeat, &self.end];
        slots.into_iter().filter_map(|slot| slot.as_deref()).chain(self.tentative.values())
    }

    /// The span as one: its end over its last heartbeat over its start. `None` while nothing but
    /// tentative ends are known, which are log records then, or contents that log records tell.
    ///
    /// The time of the start is the start's where that is known; what the end lacks is filled
    /// from below; attributes are united, and of equal keys the end's value counts. Inputs and outputs that
    /// are in none of them are what log records tell, in the order of their times.
    pub fn merged(&self) -> Option<Span> {
        let end = self.effective_end().cloned();
        let span = overlay::merge(self.start.as_deref(), self.heartbeat.as_deref(), end)?;
        Some(overlay::tell(span, &self.told))
    }

    /// [`SpanState::merged`] without a copy where only the end is known.
    pub fn into_merged(mut self) -> Option<Span> {
        let end = match self.end.take() {
            Some(end) => Some(*end),
            None => self.effective_end().cloned(),
        };
        let span = overlay::merge(self.start.as_deref(), self.heartbeat.as_deref(), end)?;
        Some(overlay::tell(span, &self.told))
    }

    /// Whether the span has ended.
    pub fn is_ended(&self) -> bool {
        self.effective_end().is_some()
    }

    /// Whether the sender of the span sends heartbeats while it runs.
    pub fn has_heartbeats(&self) -> bool {
        self.heartbeat.is_some() || self.start.as_ref().is_some_and(|start| start.heartbeats)
    }

    /// When the server last heard of this span. What log records tell of it is no sign that it lives.
    pub fn last_seen(&self) -> Timestamp {
        let last = self.of_life().map(|message| message.received).max();
        last.or_else(|| self.told.values().map(|message| message.received).max()).unwrap_or_default()
    }

    /// How the span stands at `now`. `trace_last_seen` is when the server last heard anything of the
    /// span's trace. An end that comes after a loss still ends it.
    pub fn status(&self, now: Timestamp, rules: &LostRules, trace_last_seen: Timestamp) -> TraceStatus {
        if let Some(end) = self.effective_end() {
            // The whole merge is only needed where the end does not say how it went.
            let failed = match end.status {
                Some(_) => end.is_error(),
                None => self.merged().is_some_and(|span| span.is_error()),
            };
            return if failed { TraceStatus::Error } else { TraceStatus::Ok };
        }
        let lost = if self.has_heartbeats() {
            now.since(self.last_seen()) >= rules.heartbeat_ns
        } else {
            now.since(trace_last_seen.max(self.last_seen())) >= rules.silent_ns
        };
        if lost { TraceStatus::Lost } else { TraceStatus::Running }
    }

    /// The tentative ends that are no ends: the log records they are instead.
    ///
    /// An end that is told only by its suffix `.end` counts once the span of that name is known,
    /// in whatever order they arrive.
    pub fn orphan_logs(&self) -> impl Iterator<Item = &LogRecord> {
        let name = self.known_name();
        let orphans = self.tentative.values().filter(move |end| Some(end.name.as_str()) != name);
        orphans.filter_map(|end| end.tentative.as_deref())
    }

    fn known_name(&self) -> Option<&str> {
        let known = self.start.as_ref().or(self.heartbeat.as_ref()).or(self.end.as_ref())?;
        Some(&known.name)
    }

    fn effective_end(&self) -> Option<&Span> {
        if self.end.is_some() || self.tentative.is_empty() {
            return self.end.as_deref();
        }
        let name = self.known_name()?;
        self.tentative.values().filter(|end| end.name == name).max_by(|a, b| order::compare(a, b))
    }
}

fn raise(slot: &mut Option<Box<Span>>, message: Span) -> bool {
    if let Some(known) = slot {
        return raise_known(known, message);
    }
    *slot = Some(Box::new(message));
    true
}

fn raise_at(known: &mut BTreeMap<String, Span>, id: String, message: Span) -> bool {
    match known.get_mut(&id) {
        Some(known) => raise_known(known, message),
        None => known.insert(id, message).is_none(),
    }
}

fn raise_known(known: &mut Span, message: Span) -> bool {
    let greater = order::compare(&message, known).is_gt();
    if greater {
        *known = message;
    }
    greater
}

fn same_identity(a: &Span, b: &Span) -> bool {
    (a.span_id, a.trace_id, &a.project) == (b.span_id, b.trace_id, &b.project)
}
