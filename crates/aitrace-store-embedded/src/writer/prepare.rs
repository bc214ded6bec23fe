//! What must be known of sealed rows before a batch is applied.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use aitrace_model::{Span, SpanId, TraceId};
use aitrace_store::{Batch, Result};

use super::Writer;
use crate::cache::Ids;
use crate::catalog::TraceRow;
use crate::hot::{Prepared, Prior, SealedPart};
use crate::sealed;

impl Writer {
    /// Looks up what is sealed of the traces in the batches. Most are new: one look into an index each.
    pub(super) fn prepare<'a>(
        &mut self,
        batches: &(impl Iterator<Item = &'a Batch> + Clone),
    ) -> Result<Prepared> {
        let mut prepared = Prepared::default();
        let mut ids: BTreeMap<(TraceId, &str), Vec<SpanId>> = BTreeMap::new();
        for batch in batches.clone() {
            let together =
                |one: &Span, other: &Span| one.trace_id == other.trace_id && one.project == other.project;
            for spans in batch.spans.chunk_by(together) {
                let of_trace = ids.entry((spans[0].trace_id, &spans[0].project)).or_default();
                of_trace.extend(spans.iter().map(|span| span.span_id));
            }
            for log in &batch.logs {
                match log.trace_id {
                    Some(trace_id) => drop(ids.entry((trace_id, &log.project)).or_default()),
                    None if self.catalog.has_loose_log(&log.project, &log.id)? => {
                        prepared.loose.insert((log.project.clone(), log.id.clone()));
                    }
                    None => {}
                }
            }
        }
        let is_cold = |(id, project): &&(TraceId, &str)| self.shared.hot.read().get(project, *id).is_none();
        let cold: Vec<(TraceId, &str)> = ids.keys().filter(is_cold).copied().collect();
        let rows = self.catalog.traces(&cold)?.into_iter();
        let mut rows: BTreeMap<_, _> = rows.map(|row| ((row.trace_id, row.project.clone()), row)).collect();
        for ((trace_id, project), spans) in ids {
            let row = rows.remove(&(trace_id, project.to_owned()));
            self.prepare_trace(project, trace_id, row, &spans, &mut prepared)?;
        }
        Ok(prepared)
    }

    /// `row` is its line, where it has one and is not hot.
    fn prepare_trace(
        &mut self,
        project: &str,
        trace_id: TraceId,
        row: Option<TraceRow>,
        spans: &[SpanId],
        prepared: &mut Prepared,
    ) -> Result<()> {
        let key = || (trace_id, project.to_owned());
        let hot = self.shared.hot.read().get(project, trace_id).map(|trace| {
            let again =
                spans.iter().any(|id| trace.sealed.spans.contains(id) && !trace.spans.contains_key(id));
            (again, trace.sealed.segments.clone())
        });
        let (again, segments) = if let Some(hot) = hot {
            hot
        } else {
            let Some(row) = row else { return Ok(()) };
            let part = self.part_of(row)?;
            let again = spans.iter().any(|id| part.spans.contains(id));
            let segments = part.segments.clone();
            prepared.sealed.insert(key(), part);
            (again, segments)
        };
        if again {
            let wanted: BTreeSet<SpanId> = spans.iter().copied().collect();
            prepared.priors.insert(key(), self.prior(project, trace_id, &segments, &wanted)?);
        }
        Ok(())
    }

    /// What a trace's line says of its sealed part, and which ids it has.
    fn part_of(&mut self, mut row: TraceRow) -> Result<SealedPart> {
        let (counted, project, trace_id) = (row.counts(), row.project.as_str(), row.trace_id);
        let ids = if let Some(ids) = self.cache.get(project, trace_id) {
            ids
        } else {
            let prior = self.prior(project, trace_id, &row.segments, &BTreeSet::new())?;
            // Where a file was lost, the line counts what is left.
            let rollup = prior.rollup(|_| false);
            if (rollup.spans, rollup.events) != (row.rollup.spans, row.rollup.events) {
                row.rollup = rollup;
            }
            let logs: HashSet<String> = prior.log_ids().cloned().collect();
            let ids = Ids { spans: Arc::new(prior.into_usage()), logs: Arc::new(logs) };
            self.cache.insert(&Arc::from(project), trace_id, ids.clone());
            ids
        };
        Ok(SealedPart {
            counted,
            rollup: row.rollup,
            segments: row.segments,
            spans: ids.spans,
            logs: ids.logs,
        })
    }

    /// What is sealed of a trace, with the messages of the spans that are wanted. A file that cannot be read is set
    /// aside: its rows are gone.
    pub(super) fn prior(
        &mut self,
        project: &str,
        trace_id: TraceId,
        segments: &[i64],
        wanted: &BTreeSet<SpanId>,
    ) -> Result<Prior> {
        let files = self.shared.segments.resolve(segments);
        let (prior, damaged) = sealed::prior(&self.shared.segments, &files, project, trace_id, wanted);
        for (id, why) in damaged {
            self.quarantine(id, &why)?;
        }
        Ok(prior)
    }

    /// Names of projects in the batches that are not remembered yet.
    pub(super) fn new_projects<'a>(&self, batches: impl Iterator<Item = &'a Batch>) -> BTreeSet<String> {
        let mut new = BTreeSet::new();
        for batch in batches {
            let spans = batch.spans.chunk_by(|one, other| one.project == other.project);
            let spans = spans.map(|spans| &spans[0].project);
            for name in spans.chain(batch.logs.iter().map(|log| &log.project)) {
                if !self.projects.contains(name) && !new.contains(name) {
                    new.insert(name.clone());
                }
            }
        }
        new
    }
}
