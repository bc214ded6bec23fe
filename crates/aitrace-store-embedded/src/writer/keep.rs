//! Jobs of the keeper: when they start, and what is committed of what they made.

use std::collections::{BTreeSet, VecDeque};
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use aitrace_model::TraceId;
use aitrace_store::{Result, Retention, Retired, StoreError};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::{Answer, Writer};
use crate::bodies;
use crate::cache::Ids;
use crate::catalog::{Sums, Superseded, Tombstone, TraceRow};
use crate::compact::{self, Compacted, Scope, Zeal};
use crate::hot::SealedPart;
use crate::keeper::{Job, Made};
use crate::read;
use crate::retire::{self, Leaving};
use crate::seal::{Sealed, Snapshot, spills};
use crate::sealed;
use crate::segment::{Dead, Segment, day_of};

/// Pause before a seal that failed is tried again without being asked for.
const RETRY: Duration = Duration::from_secs(30);

/// Memory that is less full than this leaves time for a merge before the next seal.
const CALM: f64 = 0.25;
/// How long after memory was full nothing is merged: between two seals memory is nearly empty for a moment, and a merge
/// that begins then takes from the senders what it needs.
const REST: Duration = Duration::from_secs(2);
/// So many seals in a row, and what somebody waits for has its turn.
const IN_ROW: usize = 4;
/// Memory that is less full than this is not sealed because somebody else needs it.
const LEAST: f64 = 0.25;
/// So many files, and merging waits no longer for such a time.
const PATIENCE: usize = 400;

/// What is to be done, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) seal: bool,
    pub(super) seals: Vec<Answer<()>>,
    pub(super) compactions: Vec<Answer<()>>,
    pub(super) retentions: VecDeque<(Retention, Answer<Retired>)>,
    // Who waits for the job that is on its way.
    sealing: Vec<Answer<()>>,
    // Who waits for merges, and for those of which files.
    merging: Option<(Vec<Answer<()>>, Scope)>,
    // Seals since anything else was done.
    in_row: usize,
    retiring: Option<Answer<Retired>>,
    // Whether the last seal failed: the next one then waits for its time, or until it is asked for.
    failed: bool,
    // Whether files may have become worth merging.
    untidy: bool,
    /// Until when nothing is merged because memory was full.
    pub(super) rest_until: Option<Instant>,
    /// When files that hold deleted rows are rewritten.
    pub(super) purge_at: Option<Instant>,
    // What was deleted while a seal is on its way: it must not come back with it.
    pub(super) deleted: BTreeSet<(String, Option<TraceId>)>,
}

impl Wanted {
    /// Whether a trace of a seal on its way was deleted meanwhile.
    fn is_gone(&self, project: &str, trace_id: TraceId) -> bool {
        self.deleted.contains(&(project.to_owned(), Some(trace_id))) || self.is_gone_whole(project)
    }

    /// Files hold deleted rows now: they will be rewritten.
    pub(super) fn note_deletion(&mut self, delay: Duration) {
        self.purge_at = self.purge_at.or(Some(Instant::now() + delay));
    }

    /// Answers those who wait for merges.
    fn merged(&mut self, done: &Result<()>) {
        tell(self.merging.take().map(|(answers, _)| answers).unwrap_or_default(), done);
    }

    fn is_gone_whole(&self, project: &str) -> bool {
        self.deleted.contains(&(project.to_owned(), None))
    }
}

impl Writer {
    /// Starts what is due, one job at a time: sealing before retention before merging.
    pub(super) fn start_job(&mut self) {
        let (full, now) = (self.load() >= 1.0, Instant::now());
        if full {
            self.wanted.rest_until = Some(now + REST);
        } else if self.wanted.rest_until.is_some_and(|at| at <= now) {
            self.wanted.rest_until = None;
        }
        if self.keeper.is_busy() {
            return;
        }
        let full = full && !self.wanted.failed;
        let wanted = &self.wanted;
        let merges = wanted.merging.is_some() || !wanted.compactions.is_empty();
        let others_turn = wanted.in_row >= IN_ROW && (merges || !wanted.retentions.is_empty());
        if !others_turn && (full || wanted.seal || !wanted.seals.is_empty()) && self.start_seal() {
            self.wanted.in_row += 1;
            return;
        }
        self.wanted.in_row = 0;
        if let Some((retention, answer)) = self.wanted.retentions.pop_front() {
            return self.start_retention(retention, answer);
        }
        let purge = self.wanted.purge_at.is_some_and(|at| at <= now);
        let calm = self.load() < CALM && self.wanted.rest_until.is_none();
        let zeal = match () {
            () if merges => Zeal::All,
            () if purge => Zeal::Purge,
            // While much comes in, a merge would keep the next seal waiting, and that the senders.
            () if self.wanted.untidy && (calm || self.shared.segments.len() > PATIENCE) => Zeal::Worth,
            () => return,
        };
        self.start_compaction(zeal);
    }

    /// Seals soon because somebody else needs the memory, where that frees enough to be worth a file.
    pub(super) fn relieve(&mut self) {
        self.wanted.seal |= !self.wanted.failed && !self.keeper.is_busy() && self.load() >= LEAST;
    }

    /// Whether a seal is on its way now.
    fn start_seal(&mut self) -> bool {
        self.wanted.seal = false;
        let snapshot = self.snapshot();
        let answers = std::mem::take(&mut self.wanted.seals);
        let Some(snapshot) = snapshot else {
            self.seal_at = None;
            let shrunk = if answers.is_empty() { Ok(()) } else { self.catalog.shrink() };
            tell(answers, &shrunk);
            return false;
        };
        self.working = snapshot.work();
        let given = self.catalog.last_segment();
        let given = given.and_then(|last| self.keeper.give(Job::Seal(Box::new(snapshot), last)));
        self.wanted.deleted.clear();
        match given {
            Ok(()) => self.wanted.sealing = answers,
            Err(error) => tell(answers, &Err(error)),
        }
        self.keeper.is_busy()
    }

    fn snapshot(&self) -> Option<Snapshot> {
        let (limits, moment) = (&self.shared.options.hot, self.shared.moment());
        let idle = i64::try_from(limits.idle.as_nanos()).unwrap_or(i64::MAX);
        let idle = moment.now.saturating_add(idle.saturating_neg());
        // Open spans that take much would leave no room for what comes and goes.
        let spills = spills(&self.shared.hot.read(), idle, limits.open / 2, limits.bytes / 4);
        self.shared.hot.write().forget_waiting(&spills, moment);
        Snapshot::take(&self.shared.hot.read(), &spills, self.applied)
    }

    fn start_retention(&mut self, retention: Retention, answer: Answer<Retired>) {
        let (now, disk) = (self.shared.moment().now, read::disk_bytes(&self.shared));
        let files = retire::choose(&self.shared.segments, retention, now, disk);
        if files.is_empty() {
            drop(answer.send(Ok(Retired::default())));
            return;
        }
        self.working = 0;
        match self.keeper.give(Job::Retire(files)) {
            Ok(()) => self.wanted.retiring = Some(answer),
            Err(error) => drop(answer.send(Err(error))),
        }
    }

    fn start_compaction(&mut self, zeal: Zeal) {
        let last = self.catalog.last_segment();
        let today = day_of(self.shared.moment().now);
        if zeal == Zeal::All && self.wanted.merging.is_none() {
            let scope = Scope::new(last.as_ref().map_or(i64::MAX, |last| *last));
            self.wanted.merging = Some((std::mem::take(&mut self.wanted.compactions), scope));
        }
        let scope = self.wanted.merging.as_ref().filter(|_| zeal == Zeal::All).map(|(_, scope)| scope);
        let Some(inputs) = compact::plan(&self.shared.segments, zeal, today, scope) else {
            let shrunk = if zeal == Zeal::Worth { Ok(()) } else { self.catalog.shrink() };
            match zeal {
                Zeal::Worth => self.wanted.untidy = false,
                Zeal::Purge => self.wanted.purge_at = None,
                // Files that came meanwhile may be untidy.
                Zeal::All => self.wanted.merged(&shrunk),
            }
            return;
        };
        self.working = compact::work(&inputs);
        let given = last.and_then(|last| self.keeper.give(Job::Compact(inputs, last)));
        if let Err(error) = given {
            self.wanted.untidy = false;
            self.wanted.merged(&Err(error));
        }
    }

    /// Commits what is made already.
    pub(super) fn finish_jobs(&mut self) {
        while let Some(made) = self.keeper.poll() {
            self.finish(made);
        }
    }

    /// Waits for the job on its way, and answers what cannot be begun any more.
    pub(super) fn finish_all(&mut self, runtime: &Runtime) {
        while self.keeper.is_busy() {
            self.finish_one(runtime);
        }
    }

    /// Commits what a job made.
    pub(super) fn finish(&mut self, made: Made) {
        match made {
            Made::Sealed(sealed) => {
                let done = sealed.and_then(|sealed| self.commit_seal(*sealed));
                self.wanted.deleted.clear();
                self.wanted.failed = done.is_err();
                if let Err(error) = &done {
                    tracing::error!(%error, "sealing failed; what is stored stays in the log");
                    self.seal_at = Some(Instant::now() + RETRY);
                }
                let answers = std::mem::take(&mut self.wanted.sealing);
                let done = if answers.is_empty() { done } else { done.and_then(|()| self.catalog.shrink()) };
                tell(answers, &done);
            }
            Made::Compacted(compacted) => {
                if let Err(error) = compacted.and_then(|compacted| self.commit_compaction(compacted)) {
                    tracing::error!(%error, "merging files failed; they stay as they are");
                    self.wanted.untidy = false;
                    self.wanted.merged(&Err(error));
                }
            }
            Made::Leaving(leaving) => {
                let retired = leaving.and_then(|leaving| self.commit_retention(leaving));
                if let Some(answer) = self.wanted.retiring.take() {
                    drop(answer.send(retired));
                }
            }
        }
    }

    /// Seals what is finished, on this thread.
    pub(super) fn seal_here(&mut self) -> Result<()> {
        let Some(snapshot) = self.snapshot() else { return Ok(()) };
        let last = self.catalog.last_segment()?;
        let sealed = snapshot.write(&self.shared.folder, last, &self.shared.options)?;
        self.commit_seal(sealed)
    }

    fn commit_seal(&mut self, mut sealed: Sealed) -> Result<()> {
        let later = self.deleted_later()?;
        let wanted = &self.wanted;
        sealed.traces.retain(|trace| !wanted.is_gone(&trace.project, trace.trace_id));
        sealed.lines.retain(|line| !wanted.is_gone(&line.project, line.trace_id));
        sealed.loose.retain(|log| !wanted.is_gone_whole(&log.project));
        let relog = sealed.relog(|project, trace_id| {
            let is_later = |trace| later.contains(&(project.to_owned(), trace));
            wanted.is_gone(project, trace_id) || is_later(None) || is_later(Some(trace_id))
        })?;
        let tombs: Vec<Tombstone> = sealed.tombs(&wanted.deleted).collect();
        let shared = Arc::clone(&self.shared);
        // Lines name files by the numbers they were written under; merged ones have another now.
        let superseded = std::mem::take(&mut sealed.superseded).into_iter().flat_map(|old| {
            let files = shared.segments.resolve(&[old.segment]);
            files
                .into_iter()
                .map(move |file| Superseded { segment: file.id, ..old.clone() })
                .collect::<Vec<_>>()
        });
        sealed.superseded = superseded.collect();
        let ((), moving) = self.catalog.transaction_holding(
            |catalog| {
                sealed.files.iter().try_for_each(|file| catalog.add_segment(file))?;
                let mut sums = Sums::default();
                sealed.lines.iter().try_for_each(|line| catalog.put_line(line, &mut sums))?;
                catalog.put_sums(&sums)?;
                for log in &sealed.loose {
                    catalog.add_loose_log(&log.project, &log.id)?;
                }
                catalog.add_total("logs", sealed.loose.len() as i64)?;
                sealed.superseded.iter().try_for_each(|old| catalog.add_superseded(old))?;
                tombs.iter().try_for_each(|tomb| catalog.add_tombstone(tomb))?;
                relog.iter().try_for_each(|body| catalog.log_append(body).map(drop))?;
                catalog.log_remove(sealed.last)
            },
            || shared.moving.write(),
        )?;
        if !self.replaying {
            // What was logged anew is in memory already.
            self.applied = self.catalog.log_last()?;
        }
        let last = sealed.last;
        let (sealed, freed) = self.remember(sealed, tombs);
        drop(moving);
        let mut files = self.bodies.forget(last, &self.shared.options.watch);
        if !self.wanted.sealing.is_empty() {
            // Somebody waits for it, and then they are gone.
            bodies::remove(&take(&mut files));
        }
        // Freeing tens of thousands of spans takes as long as storing some batches, and so does removing a file: no sender
        // has to wait for that.
        self.keeper.bury(sealed, files, freed);
        self.wanted.untidy = true;
        let left = self.shared.hot.read().weight().rows > 0;
        self.seal_at = left.then(|| Instant::now() + self.shared.options.hot.age);
        self.note_held();
        Ok(())
    }

    /// Tells memory what was sealed. What it has no more, and how many bytes that takes.
    fn remember(&mut self, mut sealed: Sealed, tombs: Vec<Tombstone>) -> (Sealed, usize) {
        let (shared, moment) = (Arc::clone(&self.shared), self.shared.moment());
        let mut hot = shared.hot.write();
        let (before, mut gone) = (hot.weight().bytes, Vec::new());
        for file in &sealed.files {
            shared.segments.add(Segment::new(&shared.folder, file));
        }
        for old in take(&mut sealed.superseded) {
            shared.segments.supersede(old);
        }
        for tomb in tombs {
            shared.segments.bury(tomb);
        }
        hot.sealed_loose(&sealed.loose);
        for trace in &sealed.traces {
            let part = &trace.part;
            let ids = Ids { spans: Arc::clone(&part.spans), logs: Arc::clone(&part.logs) };
            self.cache.insert(&trace.project, trace.trace_id, ids);
            if hot.sealed(trace, moment, &mut gone) {
                let files = shared.segments.resolve(&part.segments);
                let none = BTreeSet::new();
                let (prior, _) =
                    sealed::prior(&shared.segments, &files, &trace.project, trace.trace_id, &none);
                hot.change(&trace.project, trace.trace_id, moment, |trace| trace.set_prior(&prior));
            }
        }
        let freed = before.saturating_sub(hot.weight().bytes);
        drop(hot);
        sealed.gone = gone;
        (sealed, freed)
    }

    fn commit_compaction(&mut self, compacted: Compacted) -> Result<()> {
        if !compacted.damaged.is_empty() {
            return compacted.damaged.iter().try_for_each(|(id, why)| self.quarantine(*id, why));
        }
        let segments = &self.shared.segments;
        let into = compacted.file.as_ref().map(|file| file.id);
        // What was deleted since the inputs were looked at is dead in the new file.
        let mut dead = Dead::default();
        for (segment, known) in &compacted.inputs {
            dead.extend(&segments.dead(segment.id).since(known));
        }
        let old: Vec<i64> = compacted.inputs.iter().map(|(segment, _)| segment.id).collect();
        let shared = Arc::clone(&self.shared);
        let ((), moving) = self.catalog.transaction_holding(
            |catalog| {
                if let Some(file) = &compacted.file {
                    catalog.add_segment(file)?;
                    let (tombs, superseded) = marks(file.id, &dead);
                    tombs.iter().try_for_each(|tomb| catalog.add_tombstone(tomb))?;
                    superseded.iter().try_for_each(|old| catalog.add_superseded(old))?;
                }
                let state = if into.is_some() { "merged" } else { "gone" };
                old.iter().try_for_each(|id| catalog.retire_segment(*id, state, into))
            },
            || shared.moving.write(),
        )?;
        shared.before_unlink();
        let file = compacted.file.map(|row| Segment::new(&shared.folder, &row));
        shared.segments.replace(&old, file, dead);
        drop(moving);
        if let (Some((_, scope)), Some(into)) = (&mut self.wanted.merging, into) {
            scope.add(into);
        }
        Ok(())
    }

    fn commit_retention(&mut self, leaving: Leaving) -> Result<Retired> {
        let ids: BTreeSet<i64> = leaving.files.iter().map(|segment| segment.id).collect();
        let mut changed = Vec::new();
        for row in self.rows_in(&leaving)? {
            let files = self.shared.segments.resolve(&row.segments);
            let left: Vec<Arc<Segment>> =
                files.iter().filter(|file| !ids.contains(&file.id)).cloned().collect();
            if left.len() == files.len() {
                continue;
            }
            let (segments, none) = (&self.shared.segments, BTreeSet::new());
            let (prior, damaged) = sealed::prior(segments, &left, &row.project, row.trace_id, &none);
            for (id, why) in damaged {
                self.quarantine(id, &why)?;
            }
            changed.push((row, left.iter().map(|file| file.id).collect::<Vec<_>>(), prior));
        }
        let shared = Arc::clone(&self.shared);
        let (parts, moving) = self.catalog.transaction_holding(
            |catalog| {
                let mut parts = Vec::new();
                for (row, segments, prior) in &changed {
                    let rollup = prior.rollup(|_| false);
                    let mut part = SealedPart::default();
                    if rollup.is_empty() {
                        catalog.remove_trace(row)?;
                    } else {
                        let left = TraceRow { rollup, segments: segments.clone(), ..row.clone() };
                        catalog.put_trace(left.clone(), row.counts())?;
                        part = SealedPart {
                            counted: left.counts(),
                            rollup: left.rollup,
                            segments: left.segments,
                            spans: Arc::new(prior.usage().clone()),
                            logs: Arc::new(prior.log_ids().cloned().collect()),
                        };
                    }
                    parts.push(part);
                }
                leaving.loose.iter().try_for_each(|(project, id)| catalog.forget_loose_log(project, id))?;
                ids.iter().try_for_each(|id| catalog.retire_segment(*id, "gone", None))?;
                Ok(parts)
            },
            || shared.moving.write(),
        )?;
        shared.before_unlink();
        let mut hot = shared.hot.write();
        for ((row, _, prior), part) in changed.iter().zip(parts) {
            hot.change(&row.project, row.trace_id, shared.moment(), |trace| trace.set_sealed(part, prior));
        }
        self.cache.clear();
        shared.segments.replace(&ids.iter().copied().collect::<Vec<_>>(), None, Dead::default());
        drop((hot, moving));
        let rows = leaving.files.iter().map(|file| file.rows).sum();
        let bytes = leaving.files.iter().map(|file| file.bytes).sum();
        let retired = Retired { segments: ids.len() as u64, rows, bytes };
        drop(leaving);
        drop(changed);
        self.catalog.shrink()?;
        Ok(retired)
    }

    /// The lines of traces that may have rows in files that leave.
    fn rows_in(&self, leaving: &Leaving) -> Result<Vec<TraceRow>> {
        let Some(traces) = &leaving.traces else { return self.catalog.all_traces() };
        let mut rows = Vec::new();
        for (project, trace_id) in traces {
            rows.extend(self.catalog.trace(project, *trace_id)?);
        }
        Ok(rows)
    }
}

fn marks(segment: i64, dead: &Dead) -> (Vec<Tombstone>, Vec<Superseded>) {
    let (mut tombs, mut superseded) = (Vec::new(), Vec::new());
    for (project, whole, traces, spans) in dead.each() {
        let tomb = |trace_id| Tombstone { segment, project: project.to_owned(), trace_id };
        tombs.extend(whole.then(|| tomb(None)));
        tombs.extend(traces.iter().map(|trace_id| tomb(Some(*trace_id))));
        superseded.extend(spans.iter().map(|(trace_id, span_id)| Superseded {
            segment,
            project: project.to_owned(),
            trace_id: *trace_id,
            span_id: *span_id,
        }));
    }
    (tombs, superseded)
}

/// Answers all who wait.
fn tell(answers: Vec<Answer<()>>, done: &Result<()>) {
    for answer in answers {
        let again = |error: &StoreError| StoreError::new(error.kind(), error.to_string());
        drop(answer.send(done.as_ref().copied().map_err(again)));
    }
}

impl Sealed {
    /// Marks of what was deleted since the snapshot, in each new file.
    fn tombs<'a>(
        &'a self,
        deleted: &'a BTreeSet<(String, Option<TraceId>)>,
    ) -> impl Iterator<Item = Tombstone> + 'a {
        self.files.iter().flat_map(move |file| {
            deleted.iter().map(move |(project, trace_id)| Tombstone {
                segment: file.id,
                project: project.clone(),
                trace_id: *trace_id,
            })
        })
    }
}
