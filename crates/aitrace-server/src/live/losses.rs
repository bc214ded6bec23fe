//! Spans that fall silent: the store tells what came, and silence is what did not come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aitrace_model::{SpanId, Timestamp, TraceId, TraceStatus};
use aitrace_store::{LostSpan, ProjectScope, QueryStore, StoreError, StoredSpan};

use super::event::{Event, What};

/// Traces of which lost spans are remembered, so that it is told when one is heard of again.
const REMEMBERED: usize = 1024;

type Trace = (TraceId, String);

/// What is known of losses.
#[derive(Debug)]
pub(crate) struct Losses {
    /// Until when they are found.
    after: Timestamp,
    told: BTreeMap<Trace, BTreeSet<SpanId>>,
    /// Traces of these that something came of since.
    stirred: BTreeSet<Trace>,
}

/// A question to the store.
#[derive(Debug)]
pub(crate) struct Question {
    after: Timestamp,
    until: Timestamp,
    stirred: Vec<(Trace, SpanId)>,
}

/// Its answer.
#[derive(Debug)]
pub(crate) struct Answer {
    until: Timestamp,
    lost: Vec<LostSpan>,
    /// Spans that were lost, as they stand now; `None` for what is gone.
    stirred: Vec<(Trace, SpanId, Option<StoredSpan>)>,
}

impl Losses {
    /// Those from a moment on.
    pub(crate) fn since(now: Timestamp) -> Self {
        Self { after: now, told: BTreeMap::new(), stirred: BTreeSet::new() }
    }

    /// Takes note of an event.
    pub(crate) fn note(&mut self, event: &Event) {
        if self.told.is_empty() {
            return;
        }
        if let What::Line(line) = &event.what {
            let trace = (line.trace_id, line.project.clone());
            if self.told.contains_key(&trace) {
                self.stirred.insert(trace);
            }
        }
    }

    /// What to ask at a moment.
    pub(crate) fn question(&mut self, now: Timestamp) -> Question {
        // A clock that was set back: what was told before may be told again, rather than nothing for long.
        self.after = self.after.min(now);
        let spans = |trace: Trace| {
            let ids = self.told.get(&trace).cloned().unwrap_or_default();
            ids.into_iter().map(move |id| (trace.clone(), id))
        };
        let stirred = std::mem::take(&mut self.stirred).into_iter().flat_map(spans).collect();
        Question { after: self.after, until: now, stirred }
    }

    /// The events that an answer means.
    pub(crate) fn answered(&mut self, answer: Answer) -> Vec<Event> {
        self.after = answer.until;
        let mut events = Vec::new();
        for (trace, id, stored) in answer.stirred {
            if stored.as_ref().is_some_and(|stored| stored.status == TraceStatus::Lost) {
                continue;
            }
            if let Some(told) = self.told.get_mut(&trace) {
                told.remove(&id);
                if told.is_empty() {
                    self.told.remove(&trace);
                }
            }
            // Of an end the store has told.
            let running = stored.filter(|stored| stored.status == TraceStatus::Running);
            events.extend(running.map(|stored| Event::updated(Arc::new(stored))));
        }
        let mut lines = BTreeMap::new();
        for LostSpan { stored, line } in answer.lost {
            let trace = (stored.span.trace_id, stored.span.project.clone());
            if self.told.len() < REMEMBERED || self.told.contains_key(&trace) {
                self.told.entry(trace.clone()).or_default().insert(stored.span.span_id);
            }
            lines.insert(trace, line);
            events.push(Event::lost(stored));
        }
        events.extend(lines.into_values().map(Event::line));
        events
    }
}

/// Asks the store.
pub(crate) async fn ask(store: Arc<dyn QueryStore>, question: Question) -> Result<Answer, StoreError> {
    let Question { after, until, stirred } = question;
    let lost = if after < until { store.became_lost(after, until).await? } else { Vec::new() };
    let mut answers = Vec::with_capacity(stirred.len());
    for (trace, id) in stirred {
        let found = store.span(&ProjectScope::One(trace.1.clone()), trace.0, id).await?;
        answers.push((trace, id, found));
    }
    Ok(Answer { until, lost, stirred: answers })
}
