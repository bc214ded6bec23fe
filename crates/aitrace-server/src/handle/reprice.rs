//! `POST /api/reprice`: stored calls of models under another table of prices.

use std::sync::Arc;

use aitrace_model::{Json, Span};
use aitrace_normalise::usage_of;
use aitrace_price::Table;
use aitrace_store::{
    Filter, PageRequest, ProjectScope, Reading, Repricing, TraceFilter, TracePage, Verdict, reprice, standing,
};
use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::answer;
use super::within;
use crate::app::App;
use crate::caller::Caller;
use crate::error::{ApiError, Result};
use crate::ingest::receive_json;
use crate::normalise::calls;
use crate::query;

/// Calls that are looked at for one request: it takes seconds.
const CALLS: u64 = 20_000;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    project: Option<String>,
    /// Of the start of traces.
    since: Option<String>,
    until: Option<String>,
    /// A model, or a pattern like `gpt-4*`.
    model: Option<String>,
    /// A table of prices instead of the server's, and of which day it is.
    prices: Option<Json>,
    date: Option<String>,
    dry_run: bool,
    cursor: Option<String>,
}

/// `POST /api/reprice {project?, since?, until?, model?, prices?, date?, dry_run?, cursor?}`: a step of it, and where the next
/// one begins.
pub(crate) async fn post(State(app): State<App>, caller: Caller, request: Request) -> Result<Response> {
    let asked: Asked = receive_json(&app, request).await?;
    let scope = query::given(asked.project).map_or(ProjectScope::All, ProjectScope::One);
    let model = query::given(asked.model).map(|model| model_filter(&model)).transpose()?.unwrap_or_default();
    let filter = TraceFilter {
        scope: caller.scope(scope)?,
        since: query::given(asked.since).map(|since| query::time("since", &since)).transpose()?,
        until: query::given(asked.until).map(|until| query::time("until", &until)).transpose()?,
        filter: model.clone(),
        ..TraceFilter::default()
    };
    let table = match asked.prices {
        Some(prices) => table(&prices, asked.date.as_deref().unwrap_or_default())?,
        None => app.options.prices.clone(),
    };
    let _place = app.heavy()?;
    let repricing = Repricing {
        reading: &Within(&app),
        filter: &filter,
        wanted: &|span| model.is_everything() || model.holds_of_span(span, standing(span)),
        price: &|span| verdict(span, &table),
        now: app.options.clock.now(),
        dry: asked.dry_run,
        cursor: query::given(asked.cursor).map(|cursor| query::cursor(&cursor)).transpose()?,
        calls: CALLS,
    };
    let done = reprice(&*app.stores.query, repricing).await;
    let (done, next) = done.map_err(|error| ApiError::writing(&error))?;
    let mut body = json!(done);
    body["difference"] = json!(done.after - done.before);
    body["dry_run"] = json!(asked.dry_run);
    body["prices_of"] = json!(table.date());
    body["next"] = json!(next.map(|next| next.to_string()));
    Ok(answer::json(body.to_string()))
}

/// Reads within the allowance of reads. A step that has begun waits for it.
struct Within<'a>(&'a App);

#[async_trait]
impl Reading for Within<'_> {
    async fn list(&self, filter: &TraceFilter, page: &PageRequest) -> aitrace_store::Result<TracePage> {
        within::list_patiently(self.0, filter, page).await
    }

    async fn admit(&self, bytes: usize) -> aitrace_store::Result<Box<dyn Send + Sync>> {
        Ok(Box::new(within::admit_patiently(self.0, bytes).await?))
    }
}

fn table(prices: &Json, date: &str) -> Result<Arc<Table>> {
    let read = Table::read(prices.as_str(), date).map(Arc::new);
    read.map_err(|error| query::bad(error.to_string(), "Send a table like LiteLLM's."))
}

/// The filter `model:…`; only `*` has a meaning in what is given.
fn model_filter(model: &str) -> Result<Filter> {
    let plain = |sign: char| sign.is_alphanumeric() || "*-_./@".contains(sign);
    let text = model.chars().fold("model:".to_owned(), |mut text, sign| {
        if !plain(sign) {
            text.push('\\');
        }
        text.push(sign);
        text
    });
    query::filter(&text)
}

/// What a table says of a span.
fn verdict(span: &Span, table: &Table) -> Verdict {
    let untold = span.input_tokens.is_none() && span.output_tokens.is_none() && span.cost.is_none();
    if !calls(span) || untold {
        return Verdict::NoCall;
    }
    let usage = usage_of(span);
    // Versions that kept no formula wrote the price of the built-in table alone.
    let ours = || Table::built_in().price(&usage).is_some_and(|price| Some(price.total) == span.cost);
    if span.cost.is_some() && span.cost_formula.is_none() && !ours() {
        return Verdict::Stated;
    }
    match table.price(&usage) {
        Some(price) => Verdict::Costs(price.total, price.to_string()),
        None => Verdict::Unknown,
    }
}
