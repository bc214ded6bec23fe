//! Deleting: gone for readers when the call returns; the bytes leave with the next rewrite of their files.

use std::collections::BTreeMap;

use aitrace_model::TraceId;
use aitrace_store::{Deleted, Result, Target};

use super::Writer;
use crate::catalog::{Tombstone, TraceRow};
use crate::{codec, document};

/// What is deleted of one trace: spans and log records, and its line.
type Gone = BTreeMap<TraceId, (u64, u64, Option<TraceRow>)>;

impl Writer {
    /// Deletes. One transaction marks rows in files, removes lines and documents, and logs the deletion, so
    /// that batches before it in the log do not bring anything back.
    pub(super) fn delete(&mut self, target: &Target) -> Result<Deleted> {
        self.sound()?;
        let project = target.project().to_owned();
        let gone = self.traces_of(target)?;
        let whole = matches!(target, Target::Project(_));
        let mut targets: Vec<(String, Option<TraceId>)> =
            gone.keys().map(|trace_id| (project.clone(), Some(*trace_id))).collect();
        if whole {
            targets = vec![(project.clone(), None)];
        }
        let mut deleted = Deleted { traces: gone.len() as u64, ..Deleted::default() };
        for (spans, logs, _) in gone.values() {
            deleted.spans += spans;
            deleted.logs += logs;
        }
        let tombs = self.tombs(&project, &gone, whole);
        let body = codec::encode_delete(&targets)?;
        let shared = std::sync::Arc::clone(&self.shared);
        let done = self.catalog.transaction_holding(
            |catalog| {
                tombs.iter().try_for_each(|tomb| catalog.add_tombstone(tomb))?;
                let mut rows = gone.values().filter_map(|(.., row)| row.as_ref());
                rows.try_for_each(|row| catalog.remove_trace(row))?;
                match target {
                    Target::Trace { .. } => {}
                    Target::Session { session_id, .. } => {
                        let removed = document::remove_session(catalog, &project, session_id)?;
                        deleted.sessions = u64::from(removed);
                    }
                    Target::Project(_) => {
                        deleted.logs += catalog.remove_loose_logs(&project)?;
                        (deleted.sessions, deleted.documents) = document::remove_project(catalog, &project)?;
                    }
                }
                if targets.is_empty() { Ok(None) } else { catalog.log_append(&body).map(Some) }
            },
            || shared.moving.write(),
        );
        self.note_failure(done.as_ref().err());
        let (seq, moving) = done?;
        self.applied = seq.unwrap_or(self.applied);
        for tomb in tombs {
            shared.segments.bury(tomb);
        }
        if whole {
            shared.corrections.forget();
            deleted.logs += shared.hot.write().remove_loose(&project);
            self.projects.remove(&project);
        }
        for trace_id in gone.keys() {
            drop(shared.hot.write().remove(&project, *trace_id));
            self.cache.remove(&project, *trace_id);
        }
        drop(moving);
        if self.keeper.is_busy() {
            self.wanted.deleted.extend(targets);
        }
        if deleted.traces > 0 || whole {
            self.wanted.note_deletion(self.shared.options.purge);
        }
        Ok(deleted)
    }

    fn traces_of(&self, target: &Target) -> Result<Gone> {
        let moment = self.shared.moment();
        let (mut gone, hot) = (Gone::new(), self.shared.hot.read());
        for trace in hot.newest_first().filter(|trace| &*trace.project == target.project()) {
            let line = trace.summary(moment);
            let asked = match target {
                Target::Trace { trace_id, .. } => line.trace_id == *trace_id,
                Target::Session { session_id, .. } => line.session_id.as_ref() == Some(session_id),
                Target::Project(_) => true,
            };
            if asked {
                let row = self.catalog.trace(&trace.project, trace.trace_id)?;
                gone.insert(trace.trace_id, (line.spans, line.events, row));
            }
        }
        let rows = match target {
            Target::Trace { project, trace_id } => {
                self.catalog.trace(project, *trace_id)?.into_iter().collect()
            }
            Target::Session { project, session_id } => self.catalog.traces_of_session(project, session_id)?,
            Target::Project(project) => self.catalog.traces_of_project(project)?,
        };
        for row in rows {
            // The line of a hot trace is the one in memory, and counts there.
            if hot.get(&row.project, row.trace_id).is_none() {
                gone.insert(row.trace_id, (row.rollup.spans, row.rollup.events, Some(row)));
            }
        }
        Ok(gone)
    }

    fn tombs(&self, project: &str, gone: &Gone, whole: bool) -> Vec<Tombstone> {
        let tomb = |segment, trace_id| Tombstone { segment, project: project.to_owned(), trace_id };
        if whole {
            let all = self.shared.segments.all();
            return all.iter().map(|(segment, _)| tomb(segment.id, None)).collect();
        }
        let rows = gone.iter().filter_map(|(trace_id, (.., row))| Some((*trace_id, row.as_ref()?)));
        let files = rows.flat_map(|(trace_id, row)| {
            let files = self.shared.segments.resolve(&row.segments);
            files.into_iter().map(move |file| (file.id, trace_id))
        });
        files.map(|(segment, trace_id)| tomb(segment, Some(trace_id))).collect()
    }

    /// Forgets again what a row of the log deletes. The catalog did so with the same transaction, but batches
    /// before it in the log may have been sealed anew on the way here, where memory is small.
    pub(super) fn forget(&mut self, targets: &[(String, Option<TraceId>)]) -> Result<()> {
        for (project, trace_id) in targets {
            let target = match trace_id {
                Some(trace_id) => Target::Trace { project: project.clone(), trace_id: *trace_id },
                None => Target::Project(project.clone()),
            };
            let gone = self.traces_of(&target)?;
            let whole = trace_id.is_none();
            if whole || gone.values().any(|(.., row)| row.is_some()) {
                let tombs = self.tombs(project, &gone, whole);
                self.catalog.transaction(|catalog| {
                    tombs.iter().try_for_each(|tomb| catalog.add_tombstone(tomb))?;
                    let mut rows = gone.values().filter_map(|(.., row)| row.as_ref());
                    rows.try_for_each(|row| catalog.remove_trace(row))?;
                    if whole { catalog.remove_loose_logs(project).map(drop) } else { Ok(()) }
                })?;
                for tomb in tombs {
                    self.shared.segments.bury(tomb);
                }
            }
            let mut hot = self.shared.hot.write();
            for id in gone.keys() {
                hot.remove(project, *id);
                self.cache.remove(project, *id);
            }
            if whole {
                hot.remove_loose(project);
            }
        }
        Ok(())
    }
}
