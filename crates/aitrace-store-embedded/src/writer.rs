//! The one thread that changes anything.
//!
//! It takes whatever batches wait (so that under load one commit serves many), prepares, commits
//! them to the log, applies them to memory and answers. There is no artificial delay: while one
//! group is being synced the next one gathers.

mod prepare;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aitrace_store::{Appended, Batch, Change, Result, Session, SessionPatch};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::cache::IdCache;
use crate::catalog::{Catalog, SegmentRow};
use crate::hot::Prepared;
use crate::lock::DirectoryLock;
use crate::seal::{self, Snapshot};
use crate::segment::{self, Segment};
use crate::shared::Shared;
use crate::{codec, document, faults};

/// Bytes of log bodies that one commit takes at most.
const GROUP_BYTES: usize = 16 << 20;
/// Pause before a seal that failed is tried again without being asked for.
const RETRY: Duration = Duration::from_secs(30);

type Answer<T> = oneshot::Sender<Result<T>>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// A batch and its log row.
    Append(Box<(Batch, Vec<u8>)>, Answer<Appended>),
    /// Seal now.
    Seal(Answer<()>),
    /// Seal and end.
    Shutdown(Answer<()>),
    /// Change a session.
    PutSession(Box<SessionPatch>, Answer<Session>),
    /// Set a file aside that could not be read.
    Quarantine(i64, String),
}

type Append = (Box<(Batch, Vec<u8>)>, Answer<Appended>);

/// The writer's own state.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    catalog: Catalog,
    cache: IdCache,
    projects: BTreeSet<String>,
    seal_at: Option<Instant>,
    _lock: DirectoryLock,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, catalog: Catalog, lock: DirectoryLock) -> Self {
        Self {
            shared,
            catalog,
            cache: IdCache::default(),
            projects: BTreeSet::new(),
            seal_at: None,
            _lock: lock,
        }
    }

    /// Sets aside files that are missing or have the wrong length, and removes those nobody registered.
    pub(crate) fn check_files(&mut self, rows: &[SegmentRow]) -> Result<()> {
        seal::remove_strangers(&self.shared.folder, rows)?;
        for row in rows {
            let segment = Segment::new(&self.shared.folder, row);
            let length = std::fs::metadata(&segment.path).map(|file| file.len());
            let (id, bytes) = (segment.id, segment.bytes);
            self.shared.segments.add(segment);
            match length {
                Ok(length) if length == bytes => {}
                Ok(length) => self.quarantine(id, &format!("it is {length} bytes long, not {bytes}"))?,
                Err(error) => self.quarantine(id, &error.to_string())?,
            }
        }
        for old in self.catalog.superseded()? {
            self.shared.segments.supersede(old);
        }
        Ok(())
    }

    /// Brings memory to where it was: applies every row of the log again.
    pub(crate) fn replay(&mut self) -> Result<()> {
        let (mut seq, end) = (0, self.catalog.log_last()?);
        while let Some((next, body)) = self.catalog.log_next(seq)?.filter(|(next, _)| *next <= end) {
            seq = next;
            match codec::decode(&body) {
                Ok(batch) => {
                    let mut prepared = self.prepare(&std::iter::once(&batch))?;
                    self.apply(batch, &mut prepared);
                }
                Err(error) => {
                    let path = self.shared.folder.join(format!("log-{seq}.corrupt"));
                    tracing::error!(%error, path = %path.display(), "a row of the log is set aside");
                    std::fs::write(&path, &body).map_err(faults::io("writing", &path))?;
                }
            }
            if self.is_full() {
                self.seal(seq)?;
            }
        }
        Ok(())
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
            let command = match waiting.take() {
                Some(command) => command,
                None => match runtime.block_on(next(&mut commands, self.seal_at)) {
                    Wake::Command(command) => command,
                    Wake::Due => {
                        self.seal_when_due();
                        continue;
                    }
                    Wake::Closed => return,
                },
            };
            match command {
                Command::Append(batch, answer) => waiting = self.gather((batch, answer), &mut commands),
                Command::Shutdown(answer) => {
                    let sealed = self.seal_now();
                    commands.close();
                    // The directory is free before the answer says so.
                    drop(self);
                    drop(answer.send(sealed));
                    return;
                }
                Command::Seal(answer) => drop(answer.send(self.seal_now())),
                Command::PutSession(patch, answer) => {
                    let put = self.catalog.transaction(|catalog| document::put_session(catalog, *patch));
                    drop(answer.send(put));
                }
                Command::Quarantine(id, why) => {
                    if let Err(error) = self.quarantine(id, &why) {
                        tracing::error!(%error, "a damaged segment cannot be set aside");
                    }
                }
            }
        }
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
        if self.is_full() {
            self.seal_when_due();
        }
        rest
    }

    fn seal_now(&mut self) -> Result<()> {
        let last = self.catalog.log_last()?;
        self.seal(last)?;
        self.catalog.shrink()
    }

    /// Commits a group to the log, applies it, answers.
    fn append(&mut self, group: Vec<Append>) {
        let batches = || group.iter().map(|(batch, _)| &batch.0);
        let prepared = self.prepare(&batches()).and_then(|prepared| {
            let new = self.new_projects(batches());
            self.catalog.transaction(|catalog| {
                for name in &new {
                    document::add_project(catalog, name)?;
                }
                group.iter().try_for_each(|(batch, _)| catalog.log_append(&batch.1).map(drop))
            })?;
            self.projects.extend(new);
            Ok(prepared)
        });
        match prepared {
            Ok(mut prepared) => {
                for (batch, answer) in group {
                    let appended = self.apply(batch.0, &mut prepared);
                    // Nobody waits any more: the sender gave up, the batch is stored all the same.
                    drop(answer.send(Ok(appended)));
                }
            }
            Err(error) => {
                let text = error.to_string();
                tracing::error!(error = %text, "a group of batches cannot be stored");
                for (_, answer) in group {
                    drop(answer.send(Err(aitrace_store::StoreError::new(error.kind(), text.clone()))));
                }
            }
        }
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
        if self.seal_at.is_none() && self.shared.hot.read().size().0 > 0 {
            self.seal_at = Some(Instant::now() + self.shared.options.hot.age);
        }
        appended
    }

    fn is_full(&self) -> bool {
        let (rows, bytes) = self.shared.hot.read().size();
        rows >= self.shared.options.hot.rows || bytes >= self.shared.options.hot.bytes
    }

    fn seal_when_due(&mut self) {
        if let Err(error) = self.catalog.log_last().and_then(|last| self.seal(last)) {
            tracing::error!(%error, "sealing failed; what is stored stays in the log");
            self.seal_at = Some(Instant::now() + RETRY);
        }
    }

    /// Seals what is finished. `last` is the last row of the log that is in memory.
    fn seal(&mut self, last: i64) -> Result<()> {
        let snapshot = Snapshot::take(&self.shared.hot.read())?;
        if let Some(snapshot) = snapshot {
            let Shared { folder, options, .. } = &*self.shared;
            let mut moved = snapshot.write(&mut self.catalog, folder, last, options.compression)?;
            moved.remember(&mut self.cache);
            let mut hot = self.shared.hot.write();
            moved.register(&self.shared.segments);
            hot.sealed(moved.traces, self.shared.moment());
        }
        self.seal_at = None;
        Ok(())
    }

    /// Sets a damaged file aside; what else the store has is served.
    fn quarantine(&mut self, id: i64, why: &str) -> Result<()> {
        let Some(segment) = self.shared.segments.remove(id) else { return Ok(()) };
        let aside = segment::quarantine(&segment.path)?;
        tracing::error!(
            segment = %segment.path.display(),
            aside = %aside.map(|path| path.display().to_string()).unwrap_or_default(),
            why,
            "a damaged segment is set aside; run `aitrace doctor`"
        );
        self.cache.clear();
        self.catalog.transaction(|catalog| catalog.mark_corrupt(id))
    }
}

enum Wake {
    Command(Command),
    Due,
    Closed,
}

async fn next(commands: &mut mpsc::Receiver<Command>, due: Option<Instant>) -> Wake {
    let received = match due {
        None => commands.recv().await,
        Some(due) => match timeout_at(due, commands.recv()).await {
            Ok(received) => received,
            Err(_) => return Wake::Due,
        },
    };
    received.map_or(Wake::Closed, Wake::Command)
}
