//! Questions, answered by looking at everything.

use std::collections::BTreeMap;

use aitrace_model::{LogRecord, Span, SpanId, Timestamp, TraceId, TraceSummary};
use async_trait::async_trait;
use tokio::sync::mpsc;

use super::MemoryStore;
use crate::change::LostSpan;
use crate::counter::Counter;
use crate::error::Result;
use crate::filter::ProjectScope;
use crate::hits::Hit;
use crate::hits::HitPage;
use crate::query::{Extent, QueryStore};
use crate::search::{Search, Searched};
use crate::session::{SessionFilter, SessionPage, SessionPageRequest, SessionSummary, session_page};
use crate::skeleton::{Bone, Skeleton};
use crate::statistics::{Facts, Statistics, StatisticsQuery};
use crate::stored::StoredSpan;
use crate::telemetry::{TelemetryStore, Trace};

impl MemoryStore {
    fn session_lines(&self) -> Result<Vec<SessionSummary>> {
        let now = self.clock.now();
        self.with(|state| {
            let mut traces: BTreeMap<(String, String), Vec<TraceSummary>> = BTreeMap::new();
            for line in state.summaries(now, &self.lost) {
                if let Some(session) = &line.session_id {
                    traces.entry((line.project.clone(), session.clone())).or_default().push(line);
                }
            }
            for key in state.sessions.keys() {
                traces.entry(key.clone()).or_default();
            }
            let lines = traces.iter().map(|(key, lines)| SessionSummary::sum(state.sessions.get(key), lines));
            lines.flatten().collect()
        })
    }
}

#[async_trait]
impl QueryStore for MemoryStore {
    async fn skeleton(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Skeleton>> {
        let trace = self.trace(scope, trace_id).await?;
        Ok(trace.map(|trace| {
            let spans = trace.spans.iter().map(Bone::from).collect();
            Skeleton { summary: trace.summary, spans }
        }))
    }

    async fn extent(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Extent>> {
        let trace = self.trace(scope, trace_id).await?;
        Ok(trace.map(|trace| Extent {
            spans: trace.summary.spans,
            logs: trace.summary.events,
            bytes: trace.bytes(),
        }))
    }

    async fn span(
        &self,
        scope: &ProjectScope,
        trace_id: TraceId,
        span_id: SpanId,
    ) -> Result<Option<StoredSpan>> {
        let trace = self.trace(scope, trace_id).await?;
        Ok(trace.and_then(|trace| trace.spans.into_iter().find(|stored| stored.span.span_id == span_id)))
    }

    async fn sent_trace(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Trace>> {
        let now = self.clock.now();
        self.with(|state| state.sent_trace(scope, trace_id, now, &self.lost))
    }

    async fn sessions(&self, filter: &SessionFilter, page: &SessionPageRequest) -> Result<SessionPage> {
        let mut lines = self.session_lines()?;
        lines.retain(|line| filter.matches(line));
        lines.retain(|line| page.cursor.as_ref().is_none_or(|cursor| cursor.precedes(line)));
        Ok(session_page(lines, page.bounded_limit()))
    }

    async fn session_line(&self, scope: &ProjectScope, session_id: &str) -> Result<Option<SessionSummary>> {
        let mut lines = self.session_lines()?;
        lines.retain(|line| line.session_id == session_id && scope.contains(&line.project));
        Ok(session_page(lines, 1).sessions.pop())
    }

    async fn search(&self, search: &Search, hits: mpsc::Sender<Hit>) -> Result<Searched> {
        let Some(finder) = search.finder() else {
            return Ok(Searched { complete: true, ..Searched::default() });
        };
        let mut page = HitPage::new(search.after.clone(), search.limit);
        self.with(|state| {
            let (spans, logs) = state.contents();
            spans.iter().filter_map(|(span, _)| finder.span(span)).for_each(|hit| page.add(hit));
            let of = |log: &LogRecord, span: &Span| {
                let ids = (Some(span.trace_id), Some(span.span_id));
                span.project == log.project && (log.trace_id, log.span_id) == ids
            };
            let told = |log: &LogRecord| {
                finder.may_be_told(log) && spans.iter().any(|(span, _)| of(log, span) && finder.tells(span))
            };
            let logs = logs.iter().filter_map(|log| finder.log(log).filter(|_| !told(log)));
            logs.for_each(|hit| page.add(hit));
            let loose = state.loose.values().flat_map(BTreeMap::values);
            loose.filter_map(|log| finder.log(log)).for_each(|hit| page.add(hit));
        })?;
        let mut sent = 0;
        while let Some(hit) = page.settled(None) {
            if hits.send(hit).await.is_err() {
                return Ok(Searched { hits: sent, complete: false, next: page.next(false) });
            }
            page.sent();
            sent += 1;
        }
        let next = page.next(true);
        Ok(Searched { hits: sent, complete: next.is_none(), next })
    }

    async fn loose_logs(&self, scope: &ProjectScope, logs: mpsc::Sender<LogRecord>) -> Result<()> {
        let loose: Vec<LogRecord> = self.with(|state| {
            let of = state.loose.iter().filter(|(project, _)| scope.contains(project));
            of.flat_map(|(_, logs)| logs.values().cloned()).collect()
        })?;
        for log in loose {
            if logs.send(log).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn became_lost(&self, after: Timestamp, until: Timestamp) -> Result<Vec<LostSpan>> {
        self.with(|state| state.became_lost(after, until, &self.lost))
    }

    async fn statistics(&self, query: &StatisticsQuery) -> Result<Statistics> {
        let mut counter = Counter::new(query.clone())?;
        self.with(|state| {
            for (span, wraps) in state.contents().0 {
                if let Some(facts) = Facts::of(&span, wraps).filter(|_| query.admits(&span)) {
                    counter.add(&facts);
                }
            }
        })?;
        counter.finish()
    }
}
