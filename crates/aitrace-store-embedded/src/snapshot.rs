//! All rows at one moment, for reads that look at everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use aitrace_model::{LogRecord, SpanState};
use aitrace_store::{ProjectScope, StoredSpan};

use crate::corrections::Need;
use crate::hot::Hot;
use crate::overlay;
use crate::segment::{Dead, Segment};
use crate::shared::Shared;

/// A span in memory.
#[derive(Debug, Clone)]
pub(crate) struct HotRow {
    pub(crate) stored: Arc<StoredSpan>,
    /// Its messages, where they are more than the span itself.
    pub(crate) state: Option<Arc<SpanState>>,
    /// Whether a model call is below it.
    pub(crate) wraps: bool,
}

/// What is in memory and which files there are, with their rows that do not count.
#[derive(Debug, Default)]
pub(crate) struct Everything {
    pub(crate) spans: Vec<HotRow>,
    pub(crate) logs: Vec<Arc<LogRecord>>,
    pub(crate) files: Vec<(Arc<Segment>, Arc<Dead>)>,
}

impl Everything {
    /// Pointers to all of it in scope, spans as they were corrected as far as that is needed: nothing moves meanwhile.
    pub(crate) fn take(shared: &Shared, scope: &ProjectScope, need: Need) -> Self {
        let _still = overlay::hold(shared, need);
        let hot = shared.hot.read();
        let (mut all, mut over) = (Self::default(), BTreeMap::<i64, Dead>::new());
        for trace in hot.newest_first().filter(|trace| scope.contains(&trace.project)) {
            for (id, span) in &trace.spans {
                let orphans = span.state().into_iter().flat_map(SpanState::orphan_logs);
                all.logs.extend(orphans.map(|log| Arc::new(log.clone())));
                if let Some(stored) = span.shown() {
                    all.spans.push(HotRow {
                        stored: Arc::clone(stored),
                        state: span.shared_state(),
                        wraps: trace.usage.wraps(id),
                    });
                }
                if span.is_over() {
                    for file in shared.segments.resolve(&trace.sealed.segments) {
                        let over = over.entry(file.id).or_default();
                        over.add_span(trace.project.to_string(), trace.trace_id, *id);
                    }
                }
            }
            all.logs.extend(trace.logs.values().cloned());
        }
        all.logs.extend(hot.loose().filter(|log| scope.contains(&log.project)).cloned());
        all.files = shared.segments.all();
        all.correct(shared, &hot, scope, need, &mut over);
        for (file, dead) in &mut all.files {
            if let Some(over) = over.get(&file.id).filter(|_| file.spans) {
                Arc::make_mut(dead).extend(over);
            }
        }
        all
    }

    /// Bytes that the pointers take; what they point to is the store's.
    pub(crate) fn bytes(&self) -> usize {
        self.spans.capacity() * size_of::<HotRow>()
            + self.logs.capacity() * size_of::<Arc<LogRecord>>()
            + self.files.capacity() * size_of::<(Arc<Segment>, Arc<Dead>)>()
    }

    /// Joins spans with what was said of them. Those in files come from memory instead: their rows do not count.
    fn correct(
        &mut self,
        shared: &Shared,
        hot: &Hot,
        scope: &ProjectScope,
        need: Need,
        over: &mut BTreeMap<i64, Dead>,
    ) {
        let state = shared.corrections.state();
        if !state.has(need) {
            return;
        }
        self.spans.iter_mut().for_each(|row| state.correct_shared(&mut row.stored, need));
        for (file, found) in state.found(&shared.segments, need) {
            let (project, span) = (&found.stored.span.project, &found.stored.span);
            let known = hot.get(project, span.trace_id);
            if !scope.contains(project) || known.is_some_and(|trace| trace.spans.contains_key(&span.span_id))
            {
                continue;
            }
            let mut stored = Arc::clone(&found.stored);
            state.correct_shared(&mut stored, need);
            self.logs.extend(found.state.orphan_logs().map(|log| Arc::new(log.clone())));
            self.spans.push(HotRow { stored, state: Some(Arc::clone(&found.state)), wraps: found.wraps });
            over.entry(file.id).or_default().add_span(project.clone(), span.trace_id, span.span_id);
        }
    }
}
