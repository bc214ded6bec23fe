//! Stage: normalise. In: what was decoded. Out: a batch for the store.

use aitrace_model::record::Record;
use aitrace_model::{Span, SpanKind, Usage};
use aitrace_normalise::{Context, Message, normalise_log, normalise_priced, normalise_record, usage_of};
use aitrace_price::Table;
use aitrace_store::Batch;

use crate::app::App;
use crate::caller::Caller;
use crate::decode::Exported;

/// What holds for all data of a request that comes now.
pub(crate) fn context(app: &App, caller: &Caller) -> Context {
    Context {
        default_project: app.options.default_project.clone(),
        forced_project: caller.project().map(str::to_owned),
        received: app.options.clock.now(),
    }
}

/// Spans or log records of OTLP as a batch. Calls whose sender states no cost are priced.
pub(crate) fn exported(exported: Exported, context: &Context, prices: &Table) -> Batch {
    match exported {
        Exported::Spans(spans) => {
            let price = |usage: &Usage| cost(prices, usage);
            let spans = spans.into_iter().map(|span| normalise_priced(span, context, &price)).collect();
            Batch { spans, logs: Vec::new() }
        }
        Exported::Logs(logs) => {
            let logs = logs.into_iter().map(|log| normalise_log(log, context)).collect();
            Batch { spans: Vec::new(), logs }
        }
    }
}

/// Trace records as a batch.
pub(crate) fn records(records: Vec<Record>, context: &Context, prices: &Table) -> Batch {
    let mut batch = Batch::default();
    for record in records {
        match normalise_record(record, context) {
            Message::Span(mut span) => {
                if unpriced(&span) {
                    span.cost = cost(prices, &usage_of(&span));
                }
                batch.spans.push(*span);
            }
            Message::Log(log) => batch.logs.push(*log),
        }
    }
    batch
}

fn unpriced(span: &Span) -> bool {
    let calls = matches!(span.kind, SpanKind::Llm | SpanKind::Embedding);
    calls && span.cost.is_none() && (span.input_tokens.is_some() || span.output_tokens.is_some())
}

fn cost(prices: &Table, usage: &Usage) -> Option<f64> {
    Some(prices.price(usage)?.total)
}
