//! The lines of sessions: sums over the lines of their traces.

use std::collections::{BTreeMap, BTreeSet};

use aitrace_model::{TraceId, TraceSummary};
use aitrace_store::{
    ProjectScope, Result, SessionFilter, SessionPage, SessionPageRequest, SessionSummary, session_page,
};

use crate::catalog::Catalog;
use crate::corrections::{Failures, Need};
use crate::document;
use crate::hot::Moment;
use crate::overlay;
use crate::shared::Shared;

type Key = (String, String);

/// Hot traces by their sessions, and which traces are hot: their lines in the catalog do not count.
#[derive(Default)]
struct HotLines {
    sessions: BTreeMap<Key, Vec<TraceSummary>>,
    traces: BTreeSet<(TraceId, String)>,
    failures: Failures,
}

impl HotLines {
    fn take(shared: &Shared, catalog: &Catalog, moment: Moment, scope: &ProjectScope) -> Result<Self> {
        let hot = shared.hot.read();
        let failures = overlay::failures(shared, &hot, scope);
        let mut lines = Self { failures, ..Self::default() };
        for trace in hot.newest_first().filter(|trace| scope.contains(&trace.project)) {
            let line = lines.failures.line(trace, moment);
            let project = trace.project.to_string();
            if let Some(session) = &line.session_id {
                let of = lines.sessions.entry((project.clone(), session.clone())).or_default();
                of.push(TraceSummary::clone(&line));
            }
            if !trace.sealed.segments.is_empty() {
                // Its line in the catalog may name another session, whose sum changes too.
                if let Some(session) = catalog.session_of(&project, trace.trace_id)? {
                    lines.sessions.entry((project.clone(), session)).or_default();
                }
                lines.traces.insert((trace.trace_id, project));
            }
        }
        Ok(lines)
    }

    fn line(&self, catalog: &Catalog, moment: Moment, key: &Key) -> Result<Option<SessionSummary>> {
        let (project, session_id) = key;
        let rows = catalog.traces_of_session(project, session_id)?.into_iter();
        let cold = rows.filter(|row| !self.traces.contains(&(row.trace_id, row.project.clone())));
        let mut traces: Vec<TraceSummary> = cold.map(|row| self.failures.row_line(&row, moment)).collect();
        traces.extend(self.sessions.get(key).into_iter().flatten().cloned());
        let document = document::session(catalog, project, session_id)?;
        Ok(SessionSummary::sum(document.as_ref(), &traces))
    }
}

/// A page of sessions.
pub(crate) fn list(
    shared: &Shared,
    filter: &SessionFilter,
    page: &SessionPageRequest,
) -> Result<SessionPage> {
    let (limit, after, moment) = (page.bounded_limit(), page.cursor.as_ref(), shared.moment());
    let _still = overlay::hold(shared, Need::Failures);
    let catalog = shared.reader.lock();
    let hot = HotLines::take(shared, &catalog, moment, &filter.scope)?;
    let mut found = Vec::new();
    let wanted =
        |line: &SessionSummary| filter.matches(line) && after.is_none_or(|after| after.precedes(line));
    for key in hot.sessions.keys() {
        found.extend(hot.line(&catalog, moment, key)?.filter(wanted));
    }
    let mut cold = Vec::new();
    catalog.each_session(filter, after, |project, session_id| {
        let key = (project, session_id);
        if !hot.sessions.contains_key(&key) {
            cold.extend(hot.line(&catalog, moment, &key)?.filter(wanted));
        }
        Ok(cold.len() <= limit)
    })?;
    found.extend(cold);
    Ok(session_page(found, limit))
}

/// The line of one session; of several projects in scope the one that started last.
pub(crate) fn one(shared: &Shared, scope: &ProjectScope, session_id: &str) -> Result<Option<SessionSummary>> {
    let moment = shared.moment();
    let _still = overlay::hold(shared, Need::Failures);
    let catalog = shared.reader.lock();
    let hot = HotLines::take(shared, &catalog, moment, scope)?;
    let mut keys: BTreeSet<Key> = hot.sessions.keys().filter(|(_, id)| id == session_id).cloned().collect();
    let cold = catalog.projects_of_session(session_id)?.into_iter().filter(|project| scope.contains(project));
    keys.extend(cold.map(|project| (project, session_id.to_owned())));
    let mut found = Vec::new();
    for key in &keys {
        found.extend(hot.line(&catalog, moment, key)?);
    }
    Ok(session_page(found, 1).sessions.pop())
}
