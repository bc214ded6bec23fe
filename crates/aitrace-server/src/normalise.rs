//! Stage: normalise. In: what was decoded. Out: a batch for the store.

use aitrace_model::record::Record;
use aitrace_model::{Span, SpanKind};
use aitrace_normalise::{Context, Message, Normaliser, normalise_log, normalise_record, usage_of};
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
    let mut normaliser = Normaliser::new(context);
    let span = |raw| {
        let mut span = normaliser.span(raw);
        price(&mut span, prices);
        span
    };
    let spans = piece.spans.into_iter().map(span).collect();
    let logs = piece.logs.into_iter().map(|log| normalise_log(log, context)).collect();
    Batch { spans, logs }
}

/// A trace record as a message.
pub(crate) fn record(record: Record, context: &Context, prices: &Table) -> Message {
    let mut message = normalise_record(record, context);
    if let Message::Span(span) = &mut message {
        price(span, prices);
    }
    message
}

/// Prices a call of a model whose sender states no cost.
fn price(span: &mut Span, prices: &Table) {
    if span.cost.is_none()
        && calls(span)
        && let Some(price) = prices.price(&usage_of(span))
    {
        span.cost = Some(price.total);
        span.cost_formula = Some(price.to_string());
    }
}

/// Whether a span is a call that tokens are paid for.
pub(crate) fn calls(span: &Span) -> bool {
    matches!(span.kind, SpanKind::Llm | SpanKind::Embedding)
}
