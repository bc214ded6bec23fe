//! `POST /v1/traces` and `/v1/logs`: OTLP over HTTP.

use aitrace_otlp::{Encoding, encode_logs_response, encode_response};
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::append::append;
use crate::caller::Caller;
use crate::decode::{self, Signal};
use crate::error::Result;
use crate::ingest::{Upload, receive};
use crate::media::Media;
use crate::normalise;

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
    let read = move |upload: Upload| {
        let (body, reservation) = upload.open()?;
        let (exported, refused, message) = decode::otlp(&body, signal, encoding)?;
        Ok((normalise::exported(exported, &context, &prices), refused, message, reservation))
    };
    let size = upload.size();
    let (batch, refused, message, _reservation) = app.work(size, move || read(upload)).await??;
    app.metrics.rejected(refused);
    append(app, batch).await?;
    Ok(match signal {
        Signal::Traces => encode_response(refused, &message, encoding),
        Signal::Logs => encode_logs_response(refused, &message, encoding),
    })
}
