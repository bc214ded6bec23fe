//! The store as callers see it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use aitrace_model::{LogRecord, SpanId, Timestamp, TraceId, TraceSummary};
use aitrace_store::{
    Appended, Batch, Change, Deleted, Document, DocumentKind, DocumentPage, DocumentQuery, DocumentStore,
    DocumentWrite, ErrorKind, Extent, FixedRoom, Health, Hit, LostSpan, PageRequest, Problem, ProblemKind,
    ProjectScope, QueryStore, Result, Retention, Retired, Room, Search, Searched, Session, SessionFilter,
    SessionPage, SessionPageRequest, SessionPatch, SessionSummary, Skeleton, SqlLimits, SqlRows, SqlStore,
    SqlView, Statistics, StatisticsQuery, StoreError, StoreStats, StoredSpan, Target, TelemetryStore, Trace,
    TraceFilter, TracePage, Upkeep,
};
use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, broadcast, mpsc, oneshot};

use crate::catalog::Catalog;
use crate::corrections::Corrections;
use crate::filtering::Marks;
use crate::hot::{Hot, Moment};
use crate::lock::DirectoryLock;
use crate::options::Options;
use crate::read::Damaged;
use crate::segment::Segments;
use crate::shared::Shared;
use crate::steps::Step;
use crate::stop::{self, Stop};
use crate::writer::{Command, Writer};
use crate::{
    codec, document, extent, faults, figures, lists, loose, pages, query, read, rescue, search, sessions,
    stamp, views,
};

/// Telemetry and documents in one directory.
///
/// Dropping it without [`TelemetryStore::shutdown`] is safe: what was acknowledged is in the log,
/// and the next open reads it. Calls need a tokio runtime.
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    commands: Mutex<Option<mpsc::Sender<Command>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl EmbeddedStore {
    /// Opens the directory, creating it where it is missing, and reads its log. Blocks meanwhile.
    ///
    /// Fails with [`ErrorKind::Conflict`] when another process has it open or a newer version wrote it.
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self> {
        let dir = dir.as_ref();
        let folder = dir.join("segments");
        std::fs::create_dir_all(&folder).map_err(faults::io("creating", &folder))?;
        let lock = DirectoryLock::take(dir)?;
        let database = dir.join("aitrace.db");
        let (stamp, watch) = (stamp::now(options.clock.now()), &options.watch);
        watch.at(Step::Open, dir)?;
        // Before SQLite looks at it: it would end the log at the first bad place.
        let damage = rescue::keep_damaged_log(&database, &stamp)?;
        let mut problems: Vec<Problem> = damage.into_iter().chain(rescue::mend(&database, false)?).collect();
        let mut damaged = !problems.is_empty();
        let checked = if damaged { u64::MAX } else { options.checked };
        if rescue::is_needed(dir, &database, checked) {
            rescue::rescue(dir, &database, &stamp, watch)?;
            damaged = true;
        }
        problems.extend(rescue::mend(&database, true)?);
        let opened = Catalog::writer(&database, watch).and_then(|catalog| Ok((catalog.segments()?, catalog)));
        let (rows, catalog) = match opened {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                rescue::rescue(dir, &database, &stamp, watch)?;
                damaged = true;
                let catalog = Catalog::writer(&database, watch)?;
                (catalog.segments()?, catalog)
            }
            opened => opened?,
        };
        let (changes, queue) = (broadcast::Sender::new(options.changes.max(1)), options.queue.max(1));
        let shared = Arc::new(Shared {
            options,
            folder,
            reader: Mutex::new(Catalog::reader(&database)?),
            database,
            writes_fail: Mutex::default(),
            held: AtomicUsize::new(0),
            relief: Notify::new(),
            moving: RwLock::default(),
            hot: RwLock::new(Hot::default()),
            segments: Segments::default(),
            corrections: Corrections::default(),
            changes,
        });
        let mut writer = Writer::new(Arc::clone(&shared), catalog, lock, damaged.then_some(&*stamp))?;
        problems.iter().try_for_each(|problem| writer.note(problem))?;
        writer.check_files(&rows)?;
        writer.replay()?;
        let (sender, receiver) = mpsc::channel(queue);
        let thread = std::thread::Builder::new()
            .name("aitrace-store-writer".to_owned())
            .spawn(move || writer.run(receiver))
            .map_err(faults::io("starting the writer thread for", dir))?;
        Ok(Self { shared, commands: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    fn sender(&self) -> Result<mpsc::Sender<Command>> {
        self.commands.lock().clone().ok_or_else(faults::closed)
    }

    /// Sends a command to the writer and waits for its answer.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<Result<T>>) -> Command) -> Result<T> {
        let (answer, receiver) = oneshot::channel();
        let sender = self.sender()?;
        sender.send(command(answer)).await.map_err(|_| faults::closed())?;
        drop(sender);
        receiver.await.map_err(|_| faults::closed())?
    }

    /// Runs a read where it may block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.sender()?;
        let shared = Arc::clone(&self.shared);
        let stop = Stop::default();
        // Dropped with this future: whoever gives up ends the work.
        let waiting = stop.waiting();
        let done = tokio::task::spawn_blocking(move || {
            if stop.is_given() {
                return Err(stop::stopped());
            }
            let done = stop.over(|| read(&shared));
            let passed = shared.reader.lock().take_damaged();
            // What could not be read because it was to stop is not damaged.
            let corrupt = done.as_ref().is_err_and(|error| error.kind() == ErrorKind::Corrupt);
            if passed || corrupt && !stop.is_given() {
                shared.suspect();
            }
            done
        });
        let done = done.await;
        drop(waiting);
        done.map_err(|error| StoreError::new(ErrorKind::Internal, "a read failed").with_source(error))?
    }

    async fn report(&self, damaged: Damaged) {
        let Ok(sender) = self.sender() else { return };
        for (id, why) in damaged {
            // Fails only while the store closes: the next open finds the file again.
            drop(sender.send(Command::Quarantine(id, why)).await);
        }
    }

    async fn read_files<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared) -> Result<(T, Damaged)> + Send + 'static,
    ) -> Result<T> {
        let (answer, damaged) = self.read(read).await?;
        self.report(damaged).await;
        Ok(answer)
    }
}

#[async_trait]
impl TelemetryStore for EmbeddedStore {
    async fn append(&self, batch: Batch) -> Result<Appended> {
        if batch.is_empty() {
            return self.sender().map(|_| Appended::default());
        }
        // Encoding is done here, by as many tasks as send, so that the writer only writes.
        let body = codec::encode(&batch)?;
        self.ask(|answer| Command::Append(Box::new((batch, body)), answer)).await
    }

    async fn list_traces(&self, filter: &TraceFilter, page: &PageRequest) -> Result<TracePage> {
        self.list_traces_within(filter, page, Arc::new(FixedRoom::new(usize::MAX))).await
    }

    async fn list_traces_within(
        &self,
        filter: &TraceFilter,
        page: &PageRequest,
        room: Arc<dyn Room>,
    ) -> Result<TracePage> {
        let (filter, page) = (filter.clone(), page.clone());
        self.read_files(move |shared| {
            let (marks, damaged) = Marks::take(shared, &filter.scope, &filter.filter, filter.since, &room)?;
            let of = |line: &TraceSummary| marks.of(&line.project, line.trace_id);
            Ok((lists::list(shared, &filter, &page, &of)?, damaged))
        })
        .await
    }

    async fn trace(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Trace>> {
        let scope = scope.clone();
        self.read_files(move |shared| read::trace(shared, &scope, trace_id)).await
    }

    fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    async fn seal(&self) -> Result<()> {
        self.ask(Command::Seal).await
    }

    async fn stats(&self) -> Result<StoreStats> {
        let waiting = self.sender()?;
        let waiting = (waiting.max_capacity() - waiting.capacity()) as u64;
        Ok(StoreStats { waiting, ..self.read(read::stats).await? })
    }

    async fn shutdown(&self) -> Result<()> {
        let done = self.ask(Command::Shutdown).await;
        *self.commands.lock() = None;
        done
    }

    fn held(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed)
    }

    fn relieve(&self) {
        self.shared.relief.notify_one();
    }
}

#[async_trait]
impl DocumentStore for EmbeddedStore {
    async fn put_session(&self, patch: SessionPatch) -> Result<Session> {
        self.ask(|answer| Command::PutSession(Box::new(patch), answer)).await
    }

    async fn session(&self, project: &str, session_id: &str) -> Result<Option<Session>> {
        let (project, session_id) = (project.to_owned(), session_id.to_owned());
        self.read(move |shared| document::session(&shared.reader.lock(), &project, &session_id)).await
    }

    async fn projects(&self, scope: &ProjectScope) -> Result<Vec<String>> {
        let scope = scope.clone();
        self.read(move |shared| document::projects(&shared.reader.lock(), &scope)).await
    }

    async fn put_documents(&self, writes: Vec<DocumentWrite>) -> Result<Vec<Document>> {
        self.ask(|answer| Command::PutDocuments(writes, answer)).await
    }

    async fn document(&self, kind: DocumentKind, project: &str, id: &str) -> Result<Option<Document>> {
        let (project, id) = (project.to_owned(), id.to_owned());
        self.read(move |shared| document::get(&shared.reader.lock(), kind, &project, &id)).await
    }

    async fn documents(&self, query: &DocumentQuery) -> Result<DocumentPage> {
        let query = query.clone();
        self.read(move |shared| document::find(&shared.reader.lock(), &query)).await
    }

    async fn remove_documents(&self, kind: DocumentKind, project: &str, ids: &[String]) -> Result<u64> {
        let (project, ids) = (project.to_owned(), ids.to_vec());
        self.ask(|answer| Command::RemoveDocuments(kind, project, ids, answer)).await
    }
}

#[async_trait]
impl QueryStore for EmbeddedStore {
    async fn skeleton(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Skeleton>> {
        let scope = scope.clone();
        self.read_files(move |shared| read::skeleton(shared, &scope, trace_id)).await
    }

    async fn extent(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Extent>> {
        let scope = scope.clone();
        self.read_files(move |shared| extent::extent(shared, &scope, trace_id)).await
    }

    async fn sent_trace(&self, scope: &ProjectScope, trace_id: TraceId) -> Result<Option<Trace>> {
        let scope = scope.clone();
        self.read_files(move |shared| read::sent_trace(shared, &scope, trace_id)).await
    }

    async fn span(
        &self,
        scope: &ProjectScope,
        trace_id: TraceId,
        span_id: SpanId,
    ) -> Result<Option<StoredSpan>> {
        let scope = scope.clone();
        self.read_files(move |shared| read::span(shared, &scope, trace_id, span_id)).await
    }

    async fn sessions(&self, filter: &SessionFilter, page: &SessionPageRequest) -> Result<SessionPage> {
        let (filter, page) = (filter.clone(), page.clone());
        self.read(move |shared| sessions::list(shared, &filter, &page)).await
    }

    async fn session_line(&self, scope: &ProjectScope, session_id: &str) -> Result<Option<SessionSummary>> {
        let (scope, session_id) = (scope.clone(), session_id.to_owned());
        self.read(move |shared| sessions::one(shared, &scope, &session_id)).await
    }

    async fn search(&self, search: &Search, hits: mpsc::Sender<Hit>) -> Result<Searched> {
        let search = search.clone();
        self.read_files(move |shared| search::search(shared, &search, &hits)).await
    }

    async fn loose_logs(&self, scope: &ProjectScope, logs: mpsc::Sender<LogRecord>) -> Result<()> {
        let scope = scope.clone();
        self.read_files(move |shared| Ok(((), loose::send(shared, &scope, &logs)))).await
    }

    async fn became_lost(&self, after: Timestamp, until: Timestamp) -> Result<Vec<LostSpan>> {
        self.read(move |shared| {
            let moment = Moment { now: until, lost: shared.options.lost };
            Ok(shared.hot.read().became_lost(after, moment))
        })
        .await
    }

    async fn statistics(&self, query: &StatisticsQuery) -> Result<Statistics> {
        let query = query.clone();
        self.read_files(move |shared| figures::statistics(shared, &query)).await
    }
}

#[async_trait]
impl SqlStore for EmbeddedStore {
    async fn sql(&self, scope: &ProjectScope, sql: &str, limits: &SqlLimits) -> Result<SqlRows> {
        self.sender()?;
        let mut done = query::sql(&self.shared, scope, sql, limits).await;
        if done.as_ref().is_err_and(|error| error.kind() == ErrorKind::Corrupt) {
            // A file cannot be read: the others can.
            self.report(self.read(|shared| Ok(read::check(shared))).await?).await;
            self.seal().await?;
            done = query::sql(&self.shared, scope, sql, limits).await;
        }
        done
    }

    fn views(&self) -> Vec<SqlView> {
        views::all()
    }
}

#[async_trait]
impl Upkeep for EmbeddedStore {
    async fn delete(&self, target: Target) -> Result<Deleted> {
        self.ask(|answer| Command::Delete(target, answer)).await
    }

    async fn compact(&self) -> Result<()> {
        self.ask(Command::Compact).await
    }

    async fn retain(&self, retention: Retention) -> Result<Retired> {
        self.ask(|answer| Command::Retain(retention, answer)).await
    }

    async fn health(&self) -> Result<Health> {
        self.read(|shared| {
            let mut problems = shared.reader.lock().problems()?;
            problems.extend(shared.writes_fail.lock().clone().map(|text| Problem {
                kind: ProblemKind::WritesFail,
                text,
                file: String::new(),
                rows: None,
                since: None,
                until: None,
            }));
            let flipped = pages::flipped(&shared.database).len();
            problems.extend((flipped > 0).then(|| Problem {
                kind: ProblemKind::DatabaseRebuilt,
                text: format!(
                    "in {flipped} pages of the database a bit is flipped; they are read as they were, and the next \
                     start sets them right"
                ),
                file: shared.database.display().to_string(),
                rows: None,
                since: None,
                until: None,
            }));
            problems.extend(shared.is_suspect().then(|| Problem {
                kind: ProblemKind::DatabaseRebuilt,
                text: "rows of the database cannot be read: the next start makes it anew".to_owned(),
                file: shared.database.display().to_string(),
                rows: None,
                since: None,
                until: None,
            }));
            Ok(Health { problems })
        })
        .await
    }
}

impl Drop for EmbeddedStore {
    /// Ends the writer without sealing and waits for it, so that the directory is free afterwards.
    fn drop(&mut self) {
        drop(self.commands.lock().take());
        if let Some(thread) = self.thread.lock().take() {
            // A panic of the writer was reported by the panic hook.
            drop(thread.join());
        }
    }
}
