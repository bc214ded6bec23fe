//! `POST /api/ingest`: trace records.

use aitrace_model::record::JsonlParser;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::caller::Caller;
use crate::decode::{self, Rejected};
use crate::error::{Kind, Result};
use crate::inflow::Inflow;
use crate::ingest::{Stream, receive};
use crate::intake::{Intake, Lines};
use crate::media::{Media, Packing};
use crate::pieces::Pieces;

/// Stores the records that can be read and says which cannot, and why.
///
/// JSON lines of any length are read as a stream: what has come is stored while the rest still comes, and the answer
/// counts all of it. A fault in the middle says how much is stored; sending everything again is harmless.
pub(crate) async fn post(State(app): State<App>, caller: Caller, request: Request) -> Result<Response> {
    let request = if Media::of(request.headers()) == Some(Media::Ndjson) {
        match Stream::of(request, &app.options.limits) {
            Ok(stream) => return streamed(&app, &caller, stream).await,
            Err(request) => *request,
        }
    } else {
        request
    };
    let upload = receive(&app, request).await?;
    let (media, waits) = (upload.media, App::waits(upload.size()));
    let (owner, size) = (app.clone(), upload.size());
    let read = move || {
        let (body, reservation) = upload.open()?;
        let mut intake = Intake::new(&owner, &caller, Pieces::new(&owner, waits, reservation, body.len()));
        decode::records(&body, media, &owner.options.limits, |index, read| intake.take(index, read));
        intake.finish()
    };
    let (rest, rejected) = app.work(size, read).await??;
    app.metrics.rejected(rejected.count);
    Ok(answer(rest.store(&app).await?, &rejected))
}

/// Stores records while they come.
async fn streamed(app: &App, caller: &Caller, mut stream: Stream) -> Result<Response> {
    let limits = &app.options.limits;
    let begun = stream.packing.clone().and_then(|packing| inflow(app, caller, packing));
    let mut inflow = match begun {
        Ok(inflow) => inflow,
        Err(error) => {
            stream.drain(limits).await;
            return Err(error);
        }
    };
    loop {
        let done = match stream.next(limits).await {
            Ok(None) => break,
            Ok(Some(chunks)) => {
                app.metrics.received(chunks.iter().map(axum::body::Bytes::len).sum());
                let work = move || {
                    let done = chunks.iter().try_for_each(|chunk| inflow.push(chunk));
                    (inflow, done)
                };
                let (back, done) = app.work(usize::MAX, work).await?;
                inflow = back;
                done
            }
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            let stored = inflow.stored();
            drop(inflow);
            if error.kind() != Kind::Timeout {
                stream.drain(limits).await;
            }
            return Err(error.after(stored));
        }
    }
    let stored = inflow.stored();
    let finish = move || inflow.finish().and_then(Intake::finish);
    let ended = app.work(usize::MAX, finish).await?;
    let (rest, rejected) = ended.map_err(|error| error.after(stored))?;
    app.metrics.rejected(rejected.count);
    Ok(answer(rest.store(app).await.map_err(|error| error.after(stored))?, &rejected))
}

/// Where a stream goes, with memory for it.
fn inflow(app: &App, caller: &Caller, packing: Packing) -> Result<Inflow> {
    let limits = &app.options.limits;
    let held = Stream::memory() + Inflow::memory(packing);
    let pieces = Pieces::new(app, true, app.memory.reserve(held)?, held);
    let lines = Lines::new(JsonlParser::new(decode::record_limits(limits)), Intake::new(app, caller, pieces));
    Inflow::new(packing, limits.decoded_bytes, lines)
}

/// 200 while anything was kept; 400 where all of it was bad, so that nobody takes it for a success.
fn answer(ingested: usize, rejected: &Rejected) -> Response {
    let listed: Vec<Value> =
        rejected.listed.iter().map(|(index, error)| json!({"index": index, "error": error})).collect();
    let mut body = json!({"ingested": ingested, "rejected": listed});
    if rejected.count > listed.len() as u64 {
        body["rejected_total"] = rejected.count.into();
    }
    let status = match rejected.listed.first() {
        Some((index, error)) if ingested == 0 => {
            let message = format!("no record could be read; the first one, at index {index}: {error}");
            let hint = "Send trace records of format 2; `aitrace convert` makes them of format 1.";
            body["error"] = json!({"kind": "bad_request", "message": message, "hint": hint});
            StatusCode::BAD_REQUEST
        }
        _ => StatusCode::OK,
    };
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
