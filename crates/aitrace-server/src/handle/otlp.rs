//! `POST /v1/traces` and `/v1/logs`: OTLP over HTTP.

use aitrace_otlp::{Encoding, Signal, encode_logs_response, encode_response};
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::caller::Caller;
use crate::decode;
use crate::error::Result;
use crate::ingest::{Upload, receive};
use crate::media::Media;
use crate::normalise;
use crate::pieces::Pieces;

/// Stores the spans that can be read; `partial_success` says which cannot, and why.
pub(crate) async fn traces(State(app): State<App>, caller: Caller, request: Request) -> Result<Response> {
    post(&app, &caller, request, Signal::Traces).await
}

/// The same for log records.
pub(crate) async fn logs(State(app): State<App>, caller: Caller, request: Request) -> Result<Response> {
    post(&app, &caller, request, Signal::Logs).await
}

async fn post(app: &App, caller: &Caller, request: Request, signal: Signal) -> Result<Response> {
    let upload = receive(app, request).await?;
    let encoding = if upload.media == Media::Json { Encoding::Json } else { Encoding::Protobuf };
    let body = export(app, caller, upload, signal, encoding).await?;
    Ok(([(header::CONTENT_TYPE, encoding.content_type())], body).into_response())
}

/// Decodes, normalises and stores an export request. The answer's message, once all that was kept is durable.
pub(crate) async fn export(
    app: &App,
    caller: &Caller,
    upload: Upload,
    signal: Signal,
    encoding: Encoding,
) -> Result<Vec<u8>> {
    let (context, prices) = (normalise::context(app, caller), app.options.prices.clone());
    let (owner, waits) = (app.clone(), App::waits(upload.size()));
    let read = move |upload: Upload| {
        let (body, mut reservation) = upload.open()?;
        if encoding == Encoding::Json && std::str::from_utf8(&body).is_err() {
            // It is read from a copy in which each bad byte may have become three.
            reservation.grow(body.len().saturating_mul(4))?;
        }
        let mut pieces = Pieces::new(&owner, waits, reservation, body.len());
        let (refused, message) = decode::otlp(&body, signal, encoding, &mut |piece| {
            let last = piece.last;
            pieces.admit(piece.memory, piece.spans.len() + piece.logs.len())
                && pieces.put(normalise::piece(piece, &context, &prices), last)
        })?;
        Ok((pieces.finish()?, refused, message))
    };
    let (rest, refused, message) = app.work(upload.size(), move || read(upload)).await??;
    app.metrics.rejected(refused);
    rest.store(app).await?;
    Ok(match signal {
        Signal::Traces => encode_response(refused, &message, encoding),
        Signal::Logs => encode_logs_response(refused, &message, encoding),
    })
}
