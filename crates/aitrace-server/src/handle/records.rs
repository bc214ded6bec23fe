//! `POST /api/ingest`: trace records.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::app::App;
use crate::append::append;
use crate::caller::Caller;
use crate::decode::{self, Records, Rejected};
use crate::error::Result;
use crate::ingest::{Upload, receive};
use crate::normalise;

/// Stores the records that can be read and says which cannot, and why.
pub(crate) async fn post(State(app): State<App>, caller: Caller, request: Request) -> Result<Response> {
    let upload = receive(&app, request).await?;
    let (context, prices) = (normalise::context(&app, &caller), app.options.prices.clone());
    let limits = app.options.limits.clone();
    let read = move |upload: Upload| {
        let media = upload.media;
        let (body, reservation) = upload.open()?;
        let Records { records, rejected } = decode::records(&body, media, &limits);
        Ok((normalise::records(records, &context, &prices), rejected, reservation))
    };
    let (batch, rejected, _reservation) = app.work(upload.size(), move || read(upload)).await??;
    let ingested = batch.spans.len() + batch.logs.len();
    app.metrics.rejected(rejected.count);
    append(&app, batch).await?;
    Ok(answer(ingested, &rejected))
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
