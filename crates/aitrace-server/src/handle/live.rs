//! `GET /api/live`: server-sent events.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use aitrace_model::TraceId;
use aitrace_store::{Change, Filter, ProjectScope};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio::time::{Instant, timeout_at};

use crate::app::App;
use crate::caller::Caller;
use crate::closing::Closing;
use crate::error::{ApiError, Kind, Result};
use crate::query;
use crate::view;

/// Tells changes until the reader goes or the server stops.
pub(crate) async fn get(State(app): State<App>, caller: Caller, uri: Uri) -> Result<Response> {
    let (scope, trace_id, filter) = query::live(&uri)?;
    let scope = caller.scope(scope)?;
    let place = app.live.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(Kind::Unavailable, "too many live readers", "Close other windows, or try again later.")
    })?;
    let reader = Reader {
        changes: app.stores.telemetry.subscribe(),
        closing: app.closing.clone(),
        scope,
        trace_id,
        filter,
        ping: app.options.limits.ping_interval,
        greeted: false,
        _place: place,
    };
    let frames = stream::unfold(reader, |mut reader| async {
        let frames = reader.next().await?;
        Some((Ok::<_, Infallible>(frames), reader))
    });
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(frames)).into_response())
}

struct Reader {
    changes: broadcast::Receiver<Change>,
    closing: Closing,
    scope: ProjectScope,
    trace_id: Option<TraceId>,
    filter: Filter,
    ping: Duration,
    greeted: bool,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    /// The next events in one piece; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        /// How much is gathered before it is written.
        const PIECE: usize = 64 << 10;
        if !std::mem::replace(&mut self.greeted, true) {
            // Tells the reader that it is heard from now on, and to come back soon after a restart.
            return Some(Bytes::from_static(b"retry: 1000\n: listening\n\n"));
        }
        let deadline = Instant::now() + self.ping;
        let mut out = String::new();
        while out.is_empty() {
            let received = tokio::select! {
                biased;
                () = self.closing.wait() => return None,
                received = timeout_at(deadline, self.changes.recv()) => received,
            };
            match received {
                Ok(Ok(change)) => self.tell(&mut out, &change),
                Ok(Err(RecvError::Lagged(missed))) => resync(&mut out, missed),
                Ok(Err(RecvError::Closed)) => return None,
                Err(_) => out.push_str(": ping\n\n"),
            }
        }
        while out.len() < PIECE {
            match self.changes.try_recv() {
                Ok(change) => self.tell(&mut out, &change),
                Err(TryRecvError::Lagged(missed)) => resync(&mut out, missed),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        Some(out.into())
    }

    fn tell(&self, out: &mut String, change: &Change) {
        if !self.scope.contains(change.project()) || !self.trace_fits(change) || !self.asked(change) {
            return;
        }
        let place = view::Place::default();
        match change {
            Change::SpanStarted(span) => frame(out, "span.started", |data| view::span(data, span, place)),
            Change::SpanEnded(span) => frame(out, "span.ended", |data| view::span(data, span, place)),
            Change::Log(log) => frame(out, "log", |data| view::log(data, log)),
            Change::TraceUpdated(summary) => frame(out, "trace.updated", |data| view::summary(data, summary)),
        }
    }

    /// Whether the filter lets it through. The line of a trace is told unless it says itself that it does not fit.
    fn asked(&self, change: &Change) -> bool {
        match change {
            Change::SpanStarted(stored) | Change::SpanEnded(stored) => {
                self.filter.holds_of_span(&stored.span, stored.status)
            }
            Change::Log(log) => self.filter.holds_of_log(log),
            Change::TraceUpdated(line) => self.filter.holds_of_line(line).unwrap_or(true),
        }
    }

    fn trace_fits(&self, change: &Change) -> bool {
        let Some(wanted) = self.trace_id else { return true };
        match change {
            Change::SpanStarted(stored) | Change::SpanEnded(stored) => stored.span.trace_id == wanted,
            Change::Log(log) => log.trace_id == Some(wanted),
            Change::TraceUpdated(summary) => summary.trace_id == wanted,
        }
    }
}

/// Tells a reader that fell behind to read again.
fn resync(out: &mut String, missed: u64) {
    frame(out, "resync", |data| write!(data, "{{\"missed\":{missed}}}").expect("a String takes everything"));
}

fn frame(out: &mut String, event: &str, write: impl FnOnce(&mut String)) {
    out.push_str("event: ");
    out.push_str(event);
    out.push_str("\ndata: ");
    let start = out.len();
    write(out);
    // User data may have line ends between its tokens, never within its strings: there they are escaped.
    if out.as_bytes()[start..].iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        let one_line = out[start..].replace(['\n', '\r'], " ");
        out.truncate(start);
        out.push_str(&one_line);
    }
    out.push_str("\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_one_line_of_data() {
        let mut out = String::new();
        frame(&mut out, "log", |data| data.push_str("{\r\n\"a\": \"\\n\"\n}"));
        assert_eq!(out, "event: log\ndata: {  \"a\": \"\\n\" }\n\n");
        out.clear();
        resync(&mut out, 7);
        assert_eq!(out, "event: resync\ndata: {\"missed\":7}\n\n");
    }
}
