//! `POST /v1/traces`: OTLP over HTTP.

use aitrace_otlp::{Encoding, encode_response};
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::append::append;
use crate::decode;
use crate::error::Result;
use crate::ingest::{Upload, receive};
use crate::media::Media;
use crate::normalise;

/// Stores the spans that can be read; `partial_success` says which cannot, and why.
pub(crate) async fn post(State(app): State<App>, request: Request) -> Result<Response> {
    let upload = receive(&app, request).await?;
    let encoding = if upload.media == Media::Json { Encoding::Json } else { Encoding::Protobuf };
    let (context, prices) = (normalise::context(&app), app.options.prices.clone());
    let read = move |upload: Upload| {
        let (body, reservation) = upload.open()?;
        let decoded = decode::otlp(&body, encoding)?;
        let (refused, message) = (decoded.rejected_count, decode::otlp_message(&decoded));
        Ok((normalise::spans(decoded.spans, &context, &prices), refused, message, reservation))
    };
    let size = upload.size();
    let (batch, refused, message, _reservation) = app.work(size, move || read(upload)).await??;
    append(&app, batch).await?;
    let body = encode_response(refused, &message, encoding);
    Ok(([(header::CONTENT_TYPE, encoding.content_type())], body).into_response())
}
