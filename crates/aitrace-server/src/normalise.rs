//! Stage: normalise. In: what was decoded. Out: a batch for the store.

use aitrace_model::record::Record;
use aitrace_model::{Span, SpanKind, Usage};
use aitrace_normalise::{Context, Message, normalise_log, normalise_priced, normalise_record, usage_of};
use aitrace_otlp::Piece;
use aitrace_price::Table;
use aitrace_store::Batch;

use crate::app::App;
use crate::caller::Caller;

/// What holds for all data of a request that comes now.
pub(crate) fn context(app: &App, caller: &Caller) -> Context {
    Context {
        default_project: app.options.default_project.clone(),
        forced_project: caller.project().map(str::to_owned),
        received: app.options.clock.now(),
    }
}

/// A piece of an OTLP request as a batch. Calls whose sender states no cost are priced.
pub(crate) fn piece(piece: Piece, context: &Context, prices: &Table) -> Batch {
    let price = |usage: &Usage| cost(prices, usage);
    let spans = piece.spans.into_iter().map(|span| normalise_priced(span, context, &price)).collect();
    let logs = piece.logs.into_iter().map(|log| normalise_log(log, context)).collect();
    Batch { spans, logs }
}

/// A trace record as a message.
pub(crate) fn record(record: Record, context: &Context, prices: &Table) -> Message {
    let mut message = normalise_record(record, context);
    if let Message::Span(span) = &mut message
        && unpriced(span)
    {
        span.cost = cost(prices, &usage_of(span));
    }
    message
}

fn unpriced(span: &Span) -> bool {
    let calls = matches!(span.kind, SpanKind::Llm | SpanKind::Embedding);
    calls && span.cost.is_none() && (span.input_tokens.is_some() || span.output_tokens.is_some())
}

fn cost(prices: &Table, usage: &Usage) -> Option<f64> {
    Some(prices.price(usage)?.total)
}
