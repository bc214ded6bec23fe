//! `GET /api/live`: server-sent events.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use aitrace_model::TraceId;
use aitrace_store::{Filter, ProjectScope};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::app::App;
use crate::caller::Caller;
use crate::closing::Closing;
use crate::error::{ApiError, Kind, Result};
use crate::live::{Event, Presence, Read, open};
use crate::query;

/// Tells what happens until the reader goes or the server stops. A reader that says by `Last-Event-ID` or
/// `last_event_id` what it heard last is told what it missed, or by `reset` that it must read again.
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response> {
    let asked = query::live(&uri)?;
    let scope = caller.scope(asked.scope)?;
    let place = app.live.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(Kind::Unavailable, "too many live readers", "Close other windows, or try again later.")
    })?;
    let header = headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let last = header.filter(|id| !id.is_empty()).or(asked.last);
    let (presence, reset) = open(&app.hub, last.as_deref()).await?;
    let reader = Reader {
        presence,
        closing: app.closing.clone(),
        scope,
        trace_id: asked.trace_id,
        filter: asked.filter,
        ping: app.options.limits.ping_interval,
        reset,
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
    presence: Presence,
    closing: Closing,
    scope: ProjectScope,
    trace_id: Option<TraceId>,
    filter: Filter,
    ping: Duration,
    /// Why it must read again first.
    reset: Option<&'static str>,
    greeted: bool,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    /// The next events in one piece; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        let mut out = String::new();
        if !std::mem::replace(&mut self.greeted, true) {
            // Tells the reader that it is heard from now on, where it is, and to come back soon after a restart.
            write!(out, "retry: 1000\nid: {}\n: listening\n\n", self.presence.id())
                .expect("a String takes everything");
            if let Some(reason) = self.reset.take() {
                self.tell_reset(&mut out, reason);
            }
            return Some(out.into());
        }
        let deadline = Instant::now() + self.ping;
        loop {
            if self.closing.is_closing() {
                return None;
            }
            let nothing = self.read(&mut out)?;
            if !out.is_empty() {
                return Some(out.into());
            }
            if !nothing {
                continue;
            }
            tokio::select! {
                biased;
                () = self.closing.wait() => return None,
                moved = timeout_at(deadline, self.presence.moved()) => if moved.is_err() {
                    // An id without an event is remembered, too: what did not concern the reader is behind it.
                    write!(out, "id: {}\n: ping\n\n", self.presence.id()).expect("a String takes everything");
                    return Some(out.into());
                },
            }
        }
    }

    /// Reads on and writes what concerns the reader. Whether there was nothing to read; `None` at the end.
    fn read(&mut self, out: &mut String) -> Option<bool> {
        /// How much is gathered before it is written.
        const PIECE: usize = 64 << 10;
        match self.presence.read(PIECE)? {
            Read::Gone(next) => {
                self.presence.go_to(next);
                self.tell_reset(out, "behind");
                Some(false)
            }
            Read::Events(events) => {
                for event in &events {
                    self.presence.advance();
                    if self.concerned(event) {
                        frame(out, event.name, &self.presence.id(), |data| event.write(data));
                    }
                }
                Some(events.is_empty())
            }
        }
    }

    fn concerned(&self, event: &Event) -> bool {
        self.scope.contains(event.project())
            && self.trace_id.is_none_or(|wanted| event.trace_id() == Some(wanted))
            && event.fits(&self.filter)
    }

    /// Tells the reader to read again.
    fn tell_reset(&self, out: &mut String, reason: &str) {
        let id = self.presence.id();
        frame(out, "reset", &id, |data| {
            write!(data, "{{\"reason\":\"{reason}\"}}").expect("a String takes everything");
        });
    }
}

fn frame(out: &mut String, event: &str, id: &str, write: impl FnOnce(&mut String)) {
    for part in ["event: ", event, "\nid: ", id, "\ndata: "] {
        out.push_str(part);
    }
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
        frame(&mut out, "log", "e-7", |data| data.push_str("{\r\n\"a\": \"\\n\"\n}"));
        assert_eq!(out, "event: log\nid: e-7\ndata: {  \"a\": \"\\n\" }\n\n");
    }
}
