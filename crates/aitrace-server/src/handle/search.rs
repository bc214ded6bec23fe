//! `GET /api/search`: what is found is sent as it is found.

use std::convert::Infallible;
use std::time::Duration;

use aitrace_store::{Hit, HitCursor, Search, Searched, StoreError};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::app::App;
use crate::caller::Caller;
use crate::error::{ApiError, Kind, Result};
use crate::question;
use crate::view;

/// Hits that wait to be written.
const WAITING: usize = 64;
/// Time for a search that is told to end to say how far it came.
const GRACE: Duration = Duration::from_secs(5);

const NDJSON: &str = "application/x-ndjson";

/// `GET /api/search?q=`: `{"results": […], "next", "complete"}`, or with `Accept: application/x-ndjson` a hit a line and
/// at the end `{"complete", "found", "next"}`.
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response> {
    let mut search = question::search(&uri)?;
    search.scope = caller.scope(search.scope)?;
    let place = app.heavy()?;
    search.room = app.reads.few().await?;
    let lines = headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes() == NDJSON.as_bytes());
    let mut running = Running::start(&app, search, place, lines);
    // What fails before anything is found is still answered as an error.
    let first = running.next().await;
    if let Some(Err(error)) = first {
        return Err(error);
    }
    let first = first.and_then(Result::ok);
    let frames = stream::unfold((first, running), |(ready, mut running)| async move {
        let frame = match ready {
            Some(frame) => frame,
            // A store that fails in the middle: the answer breaks off, and is not mistaken for a whole one.
            None => running.next().await?.ok()?,
        };
        Some((Ok::<_, Infallible>(frame), (None, running)))
    });
    let kind = if lines { NDJSON } else { "application/json" };
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(frames)).into_response())
}

struct Running {
    hits: mpsc::Receiver<Hit>,
    task: Option<JoinHandle<Result<Searched, StoreError>>>,
    deadline: Instant,
    lines: bool,
    found: usize,
    _place: OwnedSemaphorePermit,
}

impl Running {
    fn start(app: &App, search: Search, place: OwnedSemaphorePermit, lines: bool) -> Self {
        let (sender, hits) = mpsc::channel(WAITING);
        let store = app.stores.query.clone();
        let task = tokio::spawn(async move { store.search(&search, sender).await });
        let deadline = Instant::now() + app.options.limits.query_time;
        Self { hits, task: Some(task), deadline, lines, found: 0, _place: place }
    }

    /// What to write next; `None` at the end.
    async fn next(&mut self) -> Option<Result<Bytes>> {
        /// Enough for one packet.
        const PIECE: usize = 16 << 10;
        self.task.as_ref()?;
        let mut out = String::new();
        if self.found == 0 && !self.lines {
            out.push_str("{\"results\":[");
        }
        let first = if let Ok(first) = timeout_at(self.deadline, self.hits.recv()).await {
            first
        } else {
            // What is on its way is still taken: the next page begins behind it.
            self.hits.close();
            self.deadline = Instant::now() + GRACE;
            self.hits.recv().await
        };
        let Some(first) = first else { return Some(self.finish(out).await) };
        self.write(&mut out, &first);
        while out.len() < PIECE {
            let Ok(hit) = self.hits.try_recv() else { break };
            self.write(&mut out, &hit);
        }
        Some(Ok(out.into()))
    }

    fn write(&mut self, out: &mut String, hit: &Hit) {
        if self.found > 0 && !self.lines {
            out.push(',');
        }
        view::hit(out, hit);
        if self.lines {
            out.push('\n');
        }
        self.found += 1;
    }

    async fn finish(&mut self, out: String) -> Result<Bytes> {
        let broken = || {
            ApiError::new(
                Kind::Internal,
                "the search broke off",
                "This is a defect of aitrace; the log says more.",
            )
        };
        let task = self.task.take().ok_or_else(broken)?;
        let Ok(ended) = timeout_at(self.deadline, task).await else { return Ok(self.end(out, false, None)) };
        let searched = ended.map_err(|_| broken())?.map_err(|error| ApiError::reading(&error))?;
        Ok(self.end(out, searched.complete, searched.next.as_ref()))
    }

    fn end(&self, mut out: String, complete: bool, next: Option<&HitCursor>) -> Bytes {
        let mut end = String::new();
        view::search_end(&mut end, complete, self.lines.then_some(self.found), next);
        if !self.lines {
            // The members of one object: the results came first.
            end.replace_range(..1, "],");
        }
        out.push_str(&end);
        if self.lines {
            out.push('\n');
        }
        out.into()
    }
}
