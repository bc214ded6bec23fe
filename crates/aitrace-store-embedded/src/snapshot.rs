//! All rows at one moment, for reads that look at everything.

use std::sync::Arc;

use aitrace_model::{LogRecord, SpanState};
use aitrace_store::{ProjectScope, StoredSpan};

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
    /// Pointers to all of it in scope: nothing moves meanwhile.
    pub(crate) fn take(shared: &Shared, scope: &ProjectScope) -> Self {
        let _still = shared.moving.read();
        let hot = shared.hot.read();
        let (mut all, mut over) = (Self::default(), Dead::default());
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
                    over.add_span(trace.project.to_string(), trace.trace_id, *id);
                }
            }
            all.logs.extend(trace.logs.values().cloned());
        }
        all.logs.extend(hot.loose().filter(|log| scope.contains(&log.project)).cloned());
        all.files = shared.segments.all();
        if !over.is_empty() {
            for (_, dead) in all.files.iter_mut().filter(|(file, _)| file.spans) {
                Arc::make_mut(dead).extend(&over);
            }
        }
        all
    }
}
