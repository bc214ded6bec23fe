//! `GET /api/export`: everything that fulfils a filter, in a form from which it can be read back.

use std::collections::VecDeque;

use aitrace_model::{LogRecord, TraceId};
use aitrace_store::{
    Cursor, DocumentQuery, ErrorKind, ExportFormat, ExportWriter, PageRequest, ProjectScope, SessionFilter,
    SessionPageRequest, StoreError, TraceFilter,
};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;

use super::outflow::{self, Broken};
use super::within;
use crate::app::App;
use crate::audit;
use crate::caller::Caller;
use crate::documents;
use crate::error::{ApiError, Kind, Result};
use crate::formats::{Jsonl, Otlp};
use crate::memory::reads::{Counted, Lease};
use crate::query::{self, ExportForm};

/// Traces, sessions or documents that are looked up at once.
const PAGE: usize = 100;
/// Bytes that are gathered before they are written.
const PIECE: usize = 64 << 10;
/// Log records that wait to be written.
const WAITING: usize = 256;

/// `GET /api/export`: the parameters of `/api/traces` without `limit` and `cursor`, and `format`. Whole traces, newest
/// first, then the log records that are in none. Where everything is asked for, sessions, late corrections and
/// scores stand around them. An answer that breaks off is not whole: its last chunk is missing.
pub(crate) async fn get(State(app): State<App>, caller: Caller, uri: Uri) -> Result<Response> {
    let (mut filter, form) = query::export(&uri)?;
    filter.scope = caller.scope(filter.scope)?;
    let jsonl = Jsonl { compat: app.options.compat_mode };
    let format: &dyn ExportFormat = match (form, &app.options.parquet) {
        (ExportForm::Jsonl, _) => &jsonl,
        (ExportForm::Otlp, _) => &Otlp,
        (ExportForm::Parquet, Some(parquet)) => &**parquet,
        (ExportForm::Parquet, None) => {
            let message = "this server was built without Parquet";
            return Err(ApiError::new(Kind::NotFound, message, "Ask for format=jsonl or format=otlp."));
        }
    };
    let place = app.heavy()?;
    let gathered = app.reads.count(format.gathered());
    let (media, writer) = (format.media_type(), format.writer());
    let project = if let ProjectScope::One(project) = &filter.scope { project } else { "" };
    audit::did(&caller, "export", project, media);
    let whole = TraceFilter { scope: filter.scope.clone(), ..TraceFilter::default() } == filter;
    let stages = if whole {
        VecDeque::from([
            Stage::Sessions(None),
            Stage::Documents(documents::CHANGED, None),
            Stage::Traces(None),
            Stage::Loose,
            Stage::Sessions(None),
            Stage::Documents(0, None),
            Stage::End,
        ])
    } else {
        VecDeque::from([Stage::Traces(None), Stage::Loose, Stage::End])
    };
    let walk = Walk {
        app: app.clone(),
        filter,
        whole,
        stages,
        ready: Vec::new(),
        writer,
        lease: None,
        _gathered: gathered,
        _place: place,
    };
    let pieces = stream::unfold(walk, |mut walk| async {
        let piece = walk.next().await?;
        Some((piece, walk))
    });
    Ok(([(header::CONTENT_TYPE, media)], outflow::body(&app.reads, pieces).await).into_response())
}

enum Stage {
    /// Sessions and documents come first and last: a reader that takes the log records between them, which say the same step
    /// by step, comes to the same end, in the same order of keys.
    Sessions(Option<aitrace_store::SessionCursor>),
    /// The number of the kind, and where its next page begins.
    Documents(usize, Option<aitrace_store::DocumentCursor>),
    Traces(Option<Cursor>),
    Loose,
    /// What the store sends, and how it ended.
    Logs(mpsc::Receiver<LogRecord>, JoinHandle<aitrace_store::Result<()>>),
    End,
}

struct Walk {
    app: App,
    filter: TraceFilter,
    /// Whether everything is asked for, documents too.
    whole: bool,
    /// What is to come.
    stages: VecDeque<Stage>,
    /// Projects and ids of traces that come next, the last first.
    ready: Vec<(ProjectScope, TraceId)>,
    writer: Box<dyn ExportWriter>,
    /// Memory of the trace that was read last and its text, until the next.
    lease: Option<Lease>,
    /// What the writer gathers before it writes.
    _gathered: Counted,
    _place: OwnedSemaphorePermit,
}

/// A store that failed: the connection is cut.
type Piece = Result<Bytes, Broken>;

impl Walk {
    async fn next(&mut self) -> Option<Piece> {
        // What was written before is taken.
        self.lease = None;
        while self.writer.ready() < PIECE {
            match self.step().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "an export broke off");
                    self.stages.clear();
                    self.ready.clear();
                    self.writer.take();
                    return Some(Err(error.into()));
                }
            }
        }
        let piece = self.writer.take();
        (!piece.is_empty()).then(|| Ok(piece.into()))
    }

    /// Writes the next thing; whether there may be more.
    async fn step(&mut self) -> aitrace_store::Result<bool> {
        if let Some((scope, id)) = self.ready.pop() {
            let stores = &self.app.stores;
            let extent = stores.query.extent(&scope, id).await?.unwrap_or_default();
            self.lease = None;
            self.lease = Some(within::admit_patiently(&self.app, extent.bytes.saturating_mul(2)).await?);
            // Where corrections go along, spans are written as they were sent.
            let trace = if self.whole {
                stores.query.sent_trace(&scope, id).await?
            } else {
                stores.telemetry.trace(&scope, id).await?
            };
            if let Some(trace) = trace {
                self.writer.trace(&trace)?;
            }
            return Ok(true);
        }
        let next = match self.stages.pop_front() {
            Some(Stage::Sessions(cursor)) => {
                self.sessions(cursor).await?.map(|next| Stage::Sessions(Some(next)))
            }
            Some(Stage::Documents(kind, cursor)) => self.documents(kind, cursor).await?,
            Some(Stage::Traces(cursor)) => self.traces(cursor).await?.map(|next| Stage::Traces(Some(next))),
            Some(Stage::Loose) => Some(self.loose()),
            Some(Stage::Logs(mut logs, done)) => {
                if let Some(log) = logs.recv().await {
                    if wanted(&self.filter, &log) {
                        self.writer.log(&log)?;
                    }
                    Some(Stage::Logs(logs, done))
                } else {
                    let broken = |_| StoreError::new(ErrorKind::Internal, "reading log records broke off");
                    done.await.map_err(broken)??;
                    None
                }
            }
            Some(Stage::End) => {
                self.writer.finish()?;
                None
            }
            None => return Ok(false),
        };
        if let Some(next) = next {
            self.stages.push_front(next);
        }
        Ok(true)
    }

    async fn traces(&mut self, cursor: Option<Cursor>) -> aitrace_store::Result<Option<Cursor>> {
        let page = PageRequest { limit: PAGE, cursor };
        let page = within::list_patiently(&self.app, &self.filter, &page).await?;
        let one = |line: aitrace_model::TraceSummary| (ProjectScope::One(line.project), line.trace_id);
        self.ready.extend(page.traces.into_iter().rev().map(one));
        Ok(page.next)
    }

    async fn sessions(
        &mut self,
        cursor: Option<aitrace_store::SessionCursor>,
    ) -> aitrace_store::Result<Option<aitrace_store::SessionCursor>> {
        let filter = SessionFilter { scope: self.filter.scope.clone(), ..SessionFilter::default() };
        let page = SessionPageRequest { limit: PAGE, cursor };
        let page = self.app.stores.query.sessions(&filter, &page).await?;
        for line in page.sessions {
            if let Some(session) = self.app.stores.documents.session(&line.project, &line.session_id).await? {
                self.writer.log(&documents::log_of_session(&session))?;
            }
        }
        Ok(page.next)
    }

    /// Writes a page of a kind of documents; what comes next of documents.
    async fn documents(
        &mut self,
        kind: usize,
        cursor: Option<aitrace_store::DocumentCursor>,
    ) -> aitrace_store::Result<Option<Stage>> {
        let Some(of) = documents::KINDS.get(kind) else { return Ok(None) };
        let query =
            DocumentQuery { limit: PAGE, cursor, ..DocumentQuery::new(*of, self.filter.scope.clone()) };
        let page = self.app.stores.documents.documents(&query).await?;
        page.documents.iter().try_for_each(|document| self.writer.log(&documents::log_of(document)))?;
        Ok(Some(match page.next {
            Some(next) => Stage::Documents(kind, Some(next)),
            None => Stage::Documents(kind + 1, None),
        }))
    }

    fn loose(&self) -> Stage {
        let (sender, receiver) = mpsc::channel(WAITING);
        let (store, scope) = (self.app.stores.query.clone(), self.filter.scope.clone());
        let done = tokio::spawn(async move { store.loose_logs(&scope, sender).await });
        Stage::Logs(receiver, done)
    }
}

/// Whether a log record in no trace is as asked, as far as such a record can be.
fn wanted(filter: &TraceFilter, log: &LogRecord) -> bool {
    filter.status.is_none()
        && filter.session_id.as_ref().is_none_or(|session| log.session_id.as_ref() == Some(session))
        && filter.since.is_none_or(|since| log.time >= since)
        && filter.until.is_none_or(|until| log.time < until)
        && filter.filter.holds_of_log(log)
}
