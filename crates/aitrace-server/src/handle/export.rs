//! `GET /api/export`: everything that fulfils a filter as trace records, from which it can be read back.

use aitrace_model::LogRecord;
use aitrace_model::record::{Record, exact_record, log_record};
use aitrace_store::{Cursor, PageRequest, ProjectScope, Trace, TraceFilter};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::app::App;
use crate::caller::Caller;
use crate::error::Result;
use crate::query;

/// Traces that are looked up at once.
const PAGE: usize = 100;
/// Bytes that are gathered before they are written.
const PIECE: usize = 64 << 10;
/// Log records that wait to be written.
const WAITING: usize = 256;

/// `GET /api/export`: the parameters of `/api/traces` without `limit` and `cursor`. Whole traces, newest first, then
/// the log records that are in none. An answer that breaks off is not whole: its last chunk is missing.
pub(crate) async fn get(State(app): State<App>, caller: Caller, uri: Uri) -> Result<Response> {
    let mut filter = query::export(&uri)?;
    filter.scope = caller.scope(filter.scope)?;
    let place = app.heavy()?;
    let walk = Walk { app, filter, stage: Stage::Traces(None), ready: Vec::new(), _place: place };
    let pieces = stream::unfold(walk, |mut walk| async {
        let piece = walk.next().await?;
        Some((piece, walk))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(pieces)).into_response())
}

enum Stage {
    Traces(Option<Cursor>),
    Logs(mpsc::Receiver<LogRecord>),
    End,
}

struct Walk {
    app: App,
    filter: TraceFilter,
    stage: Stage,
    /// Projects and ids of traces that come next, the last first.
    ready: Vec<(ProjectScope, aitrace_model::TraceId)>,
    _place: OwnedSemaphorePermit,
}

/// A store that failed: the connection is cut.
type Piece = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

impl Walk {
    async fn next(&mut self) -> Option<Piece> {
        let mut out = String::new();
        while out.len() < PIECE {
            match self.step(&mut out).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "an export broke off");
                    self.stage = Stage::End;
                    self.ready.clear();
                    return Some(Err(error.into()));
                }
            }
        }
        (!out.is_empty()).then(|| Ok(out.into()))
    }

    /// Writes the next thing; whether there may be more.
    async fn step(&mut self, out: &mut String) -> aitrace_store::Result<bool> {
        let stores = &self.app.stores;
        if let Some((scope, id)) = self.ready.pop() {
            if let Some(trace) = stores.telemetry.trace(&scope, id).await? {
                write_trace(out, &trace);
            }
            return Ok(true);
        }
        match &mut self.stage {
            Stage::Traces(cursor) => {
                let page = PageRequest { limit: PAGE, cursor: cursor.take() };
                let page = stores.telemetry.list_traces(&self.filter, &page).await?;
                let one =
                    |line: aitrace_model::TraceSummary| (ProjectScope::One(line.project), line.trace_id);
                self.ready.extend(page.traces.into_iter().rev().map(one));
                self.stage = match page.next {
                    Some(next) => Stage::Traces(Some(next)),
                    None => self.logs(),
                };
            }
            Stage::Logs(logs) => match logs.recv().await {
                Some(log) if wanted(&self.filter, &log) => write(out, &log_record(&log)),
                Some(_) => {}
                None => self.stage = Stage::End,
            },
            Stage::End => return Ok(false),
        }
        Ok(true)
    }

    fn logs(&self) -> Stage {
        let (sender, receiver) = mpsc::channel(WAITING);
        let (store, scope) = (self.app.stores.query.clone(), self.filter.scope.clone());
        tokio::spawn(async move {
            if let Err(error) = store.loose_logs(&scope, sender).await {
                tracing::warn!(%error, "log records could not be exported");
            }
        });
        Stage::Logs(receiver)
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

fn write_trace(out: &mut String, trace: &Trace) {
    for stored in &trace.spans {
        write(out, &exact_record(&stored.span));
    }
    for log in &trace.logs {
        write(out, &log_record(log));
    }
}

fn write(out: &mut String, record: &Record) {
    record.write_line(out, false);
    if !out.ends_with('\n') {
        out.push('\n');
    }
}
