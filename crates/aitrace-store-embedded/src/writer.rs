//! The one thread that changes anything.
//!
//! It takes whatever batches wait (so that under load one commit serves many), prepares, commits
//! them to the log, applies them to memory and answers. There is no artificial delay: while one
//! group is being synced the next one gathers. What takes long (writing files) the keeper's thread
//! does meanwhile; only its result is committed here.

mod delete;
mod keep;
mod prepare;
mod recover;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aitrace_model::TraceId;
use aitrace_store::{
    Appended, Batch, Change, Deleted, Document, DocumentKind, DocumentWrite, ErrorKind, Result, Retention,
    Retired, Session, SessionPatch, StoreError, Target,
};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use self::keep::Wanted;
use crate::bodies::{self, Bodies, Place};
use crate::cache::IdCache;
use crate::catalog::Catalog;
use crate::codec::{self, Entry};
use crate::document;
use crate::hot::Prepared;
use crate::keeper::{Keeper, Made};
use crate::lock::DirectoryLock;
use crate::shared::Shared;
use crate::steps::Step;

/// Bytes of log bodies that one commit takes at most.
const GROUP_BYTES: usize = 16 << 20;
/// Memory may hold so many times its limits while a seal is on its way; then appends wait.
const OVERFULL: f64 = 2.0;
/// Beyond this each group of appends waits a little, at most so long, so that none has to wait for a whole seal.
const CROWDED: f64 = 1.1;
const PAUSE: Duration = Duration::from_millis(100);
/// The same of all that the store holds: with what a job takes, what is to be freed, and the cache of ids. So senders are
/// slowed down before the server has to refuse them.
const HELD_OVERFULL: f64 = 2.9;
const HELD_CROWDED: f64 = 1.6;

pub(crate) type Answer<T> = oneshot::Sender<Result<T>>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// A batch and its log row.
    Append(Box<(Batch, Vec<u8>)>, Answer<Appended>),
    /// Seal now.
    Seal(Answer<()>),
    /// Merge and rewrite files until all is tidy.
    Compact(Answer<()>),
    /// Remove what is beyond the bounds.
    Retain(Retention, Answer<Retired>),
    /// Delete.
    Delete(Target, Answer<Deleted>),
    /// Seal and end.
    Shutdown(Answer<()>),
    /// Change a session.
    PutSession(Box<SessionPatch>, Answer<Session>),
    /// Write documents.
    PutDocuments(Vec<DocumentWrite>, Answer<Vec<Document>>),
    /// Remove documents.
    RemoveDocuments(DocumentKind, String, Vec<String>, Answer<u64>),
    /// Set a file aside that could not be read.
    Quarantine(i64, String),
}

type Append = (Box<(Batch, Vec<u8>)>, Answer<Appended>);

/// What a deletion names: traces, or with no id whole projects.
type Targets = Vec<(String, Option<TraceId>)>;

/// The writer's own state.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    catalog: Catalog,
    bodies: Bodies,
    cache: IdCache,
    projects: BTreeSet<String>,
    seal_at: Option<Instant>,
    /// The last row of the log that is in memory.
    applied: i64,
    /// Whether the log is being read: what is written anew into it must not be taken for read.
    replaying: bool,
    /// What rows of the log delete that were not read yet, found once a seal asks for it.
    to_come: Option<Vec<(i64, Targets)>>,
    /// Whether a write failed so that the log may hold more than memory does.
    suspect: bool,
    keeper: Keeper,
    /// Bytes that its job takes, by estimate.
    working: usize,
    wanted: Wanted,
    _lock: DirectoryLock,
}

impl Writer {
    /// `damaged` is a stamp for what is set aside, where rows of the database may be lost.
    pub(crate) fn new(
        shared: Arc<Shared>,
        catalog: Catalog,
        lock: DirectoryLock,
        damaged: Option<&str>,
    ) -> Result<Self> {
        let folder = shared.database.with_file_name(bodies::FOLDER);
        let rows = catalog.log_of_length(Place::LEN)?;
        let bodies = Bodies::open(folder, shared.options.apart, &rows, damaged)?;
        Ok(Self {
            keeper: Keeper::start(Arc::clone(&shared))?,
            shared,
            catalog,
            bodies,
            cache: IdCache::default(),
            projects: BTreeSet::new(),
            seal_at: None,
            applied: 0,
            replaying: false,
            to_come: None,
            suspect: false,
            working: 0,
            wanted: Wanted::default(),
            _lock: lock,
        })
    }

    /// Brings memory to where the log is: applies every row that was not applied.
    pub(crate) fn replay(&mut self) -> Result<()> {
        let end = self.catalog.log_last()?;
        self.replaying = true;
        let done = self.replay_until(end);
        self.replaying = false;
        self.to_come = None;
        self.applied = self.catalog.log_last()?;
        done
    }

    fn replay_until(&mut self, end: i64) -> Result<()> {
        while let Some((next, row)) = self.catalog.log_next(self.applied)?.filter(|(next, _)| *next <= end) {
            self.shared.options.watch.at(Step::Replay, &self.shared.database)?;
            let (body, read) = match bodies::get(&self.bodies.folder, row.clone()) {
                Ok(body) => {
                    let read = codec::decode(&body);
                    (body, read)
                }
                // Its file is gone or cut; whatever else keeps it from being read may pass.
                Err(error) if error.kind() == ErrorKind::Corrupt => (row, Err(error)),
                Err(error) => return Err(error),
            };
            match read {
                Ok(Entry::Batch(batch)) => {
                    let mut prepared = self.prepare(&std::iter::once(&batch))?;
                    self.apply(batch, &mut prepared);
                }
                Ok(Entry::Delete(targets)) => self.forget(&targets)?,
                Err(error) => self.set_log_row_aside(next, &body, &error)?,
            }
            self.applied = next;
            if self.load() >= 1.0 {
                self.seal_here()?;
            }
        }
        Ok(())
    }

    /// What is deleted by rows of the log behind what was applied. Of that nothing must be logged anew behind them.
    fn deleted_later(&mut self) -> Result<BTreeSet<(String, Option<TraceId>)>> {
        if !self.replaying {
            return Ok(BTreeSet::new());
        }
        if self.to_come.is_none() {
            let (mut found, mut at) = (Vec::new(), self.applied);
            while let Some((next, body)) = self.catalog.log_next(at)? {
                if let Ok(Entry::Delete(targets)) = codec::decode(&body) {
                    found.push((next, targets));
                }
                at = next;
            }
            self.to_come = Some(found);
        }
        let later = self.to_come.iter().flatten().filter(|(seq, _)| *seq > self.applied);
        Ok(later.flat_map(|(_, targets)| targets.iter().cloned()).collect())
    }

    /// Serves commands until it is told to shut down or nobody can send any more.
    pub(crate) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            // The channel closes and every call fails with `Closed`.
            Err(error) => return tracing::error!(%error, "the writer cannot start"),
        };
        let mut waiting = None;
        loop {
            self.finish_jobs();
            self.start_job();
            self.note_held();
            let command = match waiting.take() {
                Some(command) => command,
                None => match runtime.block_on(self.next(&mut commands)) {
                    Wake::Command(command) => command,
                    Wake::Made(made) => {
                        self.finish(made);
                        continue;
                    }
                    Wake::Due => {
                        if self.seal_at.is_some_and(|at| at <= Instant::now()) {
                            self.wanted.seal = true;
                            self.seal_at = None;
                        }
                        continue;
                    }
                    Wake::Relief => {
                        self.relieve();
                        continue;
                    }
                    Wake::Closed => return,
                },
            };
            match command {
                Command::Append(batch, answer) => {
                    waiting = self.gather((batch, answer), &mut commands);
                    self.wait_for_room(&runtime);
                }
                Command::Shutdown(answer) => {
                    self.finish_all(&runtime);
                    let sealed = self.seal_here().and_then(|()| self.catalog.shrink());
                    commands.close();
                    // The directory is free before the answer says so.
                    drop(self);
                    drop(answer.send(sealed));
                    return;
                }
                other => self.handle(other),
            }
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Append(..) | Command::Shutdown(_) => {}
            Command::Seal(answer) => self.wanted.seals.push(answer),
            Command::Compact(answer) => self.wanted.compactions.push(answer),
            Command::Retain(retention, answer) => self.wanted.retentions.push_back((retention, answer)),
            Command::Delete(target, answer) => drop(answer.send(self.delete(&target))),
            Command::PutSession(patch, answer) => {
                drop(answer.send(self.document(|catalog| document::put_session(catalog, *patch))));
            }
            Command::PutDocuments(writes, answer) => {
                let corrects = writes.iter().any(|write| write.kind == DocumentKind::Correction);
                let written = self.document(|catalog| document::put(catalog, writes));
                if let (true, Ok(written)) = (corrects, &written) {
                    self.shared.corrections.put(written);
                }
                drop(answer.send(written));
            }
            Command::RemoveDocuments(kind, project, ids, answer) => {
                let removed = self.document(|catalog| document::remove(catalog, kind, &project, &ids));
                self.shared.corrections.forget();
                drop(answer.send(removed));
            }
            Command::Quarantine(id, why) => {
                if let Err(error) = self.quarantine(id, &why) {
                    tracing::error!(%error, "a damaged segment cannot be set aside");
                }
            }
        }
    }

    fn document<T>(&mut self, work: impl FnOnce(&Catalog) -> Result<T>) -> Result<T> {
        self.sound()?;
        let done = self.catalog.transaction(work);
        self.note_failure(done.as_ref().err());
        done
    }

    /// Stores a batch with all that wait behind it. Returns a command that was taken too much.
    fn gather(&mut self, first: Append, commands: &mut mpsc::Receiver<Command>) -> Option<Command> {
        let (mut bytes, mut rest) = (first.0.1.len(), None);
        let mut group = vec![first];
        while bytes < GROUP_BYTES {
            match commands.try_recv() {
                Ok(Command::Append(batch, answer)) => {
                    bytes += batch.1.len();
                    group.push((batch, answer));
                }
                Ok(other) => {
                    rest = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        self.append(group);
        rest
    }

    /// Commits a group to the log, applies it, answers.
    fn append(&mut self, group: Vec<Append>) {
        match self.commit(&group) {
            Ok(mut prepared) => {
                for (batch, answer) in group {
                    let appended = self.apply(batch.0, &mut prepared);
                    // Before the sender counts it no more.
                    self.note_held();
                    // Nobody waits any more: the sender gave up, the batch is stored all the same.
                    drop(answer.send(Ok(appended)));
                }
            }
            Err(error) => {
                let text = error.to_string();
                tracing::error!(error = %text, "a group of batches cannot be stored");
                if error.kind() == ErrorKind::Corrupt {
                    self.shared.suspect();
                }
                for (_, answer) in group {
                    drop(answer.send(Err(StoreError::new(error.kind(), text.clone()))));
                }
            }
        }
    }

    fn commit(&mut self, group: &[Append]) -> Result<Prepared> {
        self.sound()?;
        let batches = || group.iter().map(|(batch, _)| &batch.0);
        let prepared = self.prepare(&batches())?;
        let new = self.new_projects(batches());
        let bodies: Vec<&[u8]> = group.iter().map(|(batch, _)| &*batch.1).collect();
        let rows = self.bodies.put(&bodies, &self.shared.options.watch);
        self.note_failure(rows.as_ref().err());
        let rows = rows?;
        let committed = self.catalog.transaction(|catalog| {
            for name in &new {
                document::add_project(catalog, name)?;
            }
            let mut last = 0;
            for row in &rows {
                last = catalog.log_append(row)?;
            }
            Ok(last)
        });
        self.note_failure(committed.as_ref().err());
        self.applied = committed?;
        self.bodies.note(self.applied);
        self.projects.extend(new);
        Ok(prepared)
    }

    fn apply(&mut self, batch: Batch, prepared: &mut Prepared) -> Appended {
        let moment = self.shared.moment();
        let mut told = Vec::new();
        let mut tell = |change| told.push(change);
        let tell: Option<&mut dyn FnMut(Change)> =
            if self.shared.changes.receiver_count() > 0 { Some(&mut tell) } else { None };
        let appended = self.shared.hot.write().apply(batch, prepared, moment, tell);
        for change in told {
            // Fails only when the last listener has just left.
            drop(self.shared.changes.send(change));
        }
        if self.seal_at.is_none() && self.shared.hot.read().weight().rows > 0 {
            self.seal_at = Some(Instant::now() + self.shared.options.hot.age);
        }
        appended
    }

    /// Says how much memory all of it takes.
    fn note_held(&self) {
        let hot = self.shared.hot.read().weight().bytes;
        let working = if self.keeper.is_busy() { self.working } else { 0 };
        let buried = self.keeper.buried();
        self.shared.held.store(hot + working + buried + self.cache.bytes(), Ordering::Relaxed);
    }

    /// How full memory is: 1 and more starts a seal.
    fn load(&self) -> f64 {
        let (weight, limits) = (self.shared.hot.read().weight(), &self.shared.options.hot);
        let rows = weight.rows as f64 / limits.rows.max(1) as f64;
        let bytes = weight.bytes as f64 / limits.bytes.max(1) as f64;
        // A seal lets half of the open spans that are allowed stay.
        let open = weight.open as f64 / limits.open.max(1) as f64;
        rows.max(bytes).max(open)
    }

    /// How far memory is from crowded, 0, to overfull, 1. What is held beside the spans in memory counts only where a seal
    /// would free something: to wait for a merge frees nothing.
    fn pressure(&self) -> f64 {
        let load = self.load();
        let held =
            self.shared.held.load(Ordering::Relaxed) as f64 / self.shared.options.hot.bytes.max(1) as f64;
        let held = (held - HELD_CROWDED) / (HELD_OVERFULL - HELD_CROWDED);
        let crowd = (load - CROWDED) / (OVERFULL - CROWDED);
        if load >= CROWDED { crowd.max(held) } else { crowd }
    }

    /// While memory is overfull the files must catch up first.
    fn wait_for_room(&mut self, runtime: &Runtime) {
        self.note_held();
        while self.pressure() >= 1.0 {
            self.start_job();
            if !self.keeper.is_busy() {
                return;
            }
            self.note_held();
            self.finish_one(runtime);
            self.note_held();
        }
        let crowd = self.pressure();
        if crowd > 0.0 && self.keeper.is_busy() {
            let made = runtime.block_on(async { timeout(PAUSE.mul_f64(crowd), self.keeper.wait()).await });
            if let Ok(Some(made)) = made {
                self.finish(made);
            }
        }
    }

    fn finish_one(&mut self, runtime: &Runtime) {
        if let Some(made) = runtime.block_on(self.keeper.wait()) {
            self.finish(made);
        }
    }

    async fn next(&mut self, commands: &mut mpsc::Receiver<Command>) -> Wake {
        let due = [self.seal_at, self.wanted.purge_at, self.wanted.rest_until].into_iter().flatten().min();
        let sleep = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            made = self.keeper.wait() => made.map_or(Wake::Closed, Wake::Made),
            () = self.shared.relief.notified() => Wake::Relief,
            command = commands.recv() => command.map_or(Wake::Closed, Wake::Command),
            () = sleep => Wake::Due,
        }
    }
}

enum Wake {
    Command(Command),
    Made(Made),
    /// Somebody needs memory.
    Relief,
    Due,
    Closed,
}
