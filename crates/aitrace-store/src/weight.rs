//! What spans and log records weigh in memory.

use aitrace_model::{CodeLocation, Json, LogRecord, Span};

/// What the allocator keeps beside each block, and rounds it up by, on average.
const BLOCK: usize = 16;
/// Counts of a shared text.
const SHARED: usize = 16;

/// Bytes that a span takes in memory with all it holds. A text that several spans share counts for each.
pub fn span_bytes(span: &Span) -> usize {
    let texts = [&span.project, &span.name, &span.scope];
    let words = [
        &span.source,
        &span.service,
        &span.session_id,
        &span.user_id,
        &span.run_id,
        &span.dataset_id,
        &span.datapoint_id,
        &span.provider,
        &span.model,
        &span.cost_formula,
    ];
    let contents = [
        &span.inputs,
        &span.outputs,
        &span.metadata,
        &span.metrics,
        &span.feedback,
        &span.config,
        &span.user_properties,
        &span.otel,
    ];
    let error = span.error.as_ref().map_or(0, |error| {
        block(error.kind.len()) + block(error.message.len()) + block(error.stacktrace.len())
    });
    let event = |(name, attributes): (usize, &Json)| 64 + block(name) + json(attributes);
    let events = span.events.iter().map(|one| event((one.name.len(), &one.attributes))).sum::<usize>();
    let links = span.links.iter().map(|one| event((0, &one.attributes))).sum::<usize>();
    size_of::<Span>()
        + texts.into_iter().map(|text| block(text.len())).sum::<usize>()
        + words.into_iter().flatten().map(|word| block(word.len())).sum::<usize>()
        + contents.into_iter().flatten().map(json).sum::<usize>()
        + json(&span.attributes)
        + json(&span.resource)
        + span.code.as_ref().map_or(0, code)
        + span.tentative.as_deref().map_or(0, log_bytes)
        + error
        + events
        + links
}

/// Bytes that a log record takes in memory with all it holds.
pub fn log_bytes(log: &LogRecord) -> usize {
    let words = [&log.logger, &log.session_id];
    size_of::<LogRecord>()
        + [&log.project, &log.id, &log.event].into_iter().map(|text| block(text.len())).sum::<usize>()
        + words.into_iter().flatten().map(|word| block(word.len())).sum::<usize>()
        + log.code.as_ref().map_or(0, code)
        + json(&log.attrs)
}

fn code(place: &CodeLocation) -> usize {
    block(place.file.len()) + block(place.function.len())
}

fn json(json: &Json) -> usize {
    SHARED + block(json.as_str().len())
}

const fn block(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes + BLOCK }
}

#[cfg(test)]
mod tests {
    use aitrace_model::{SpanId, Timestamp, TraceId};

    use super::*;

    #[test]
    fn every_text_counts() {
        let (trace, id) = (TraceId::from_bytes([1; 16]).unwrap(), SpanId::from_bytes([1; 8]).unwrap());
        let plain = Span::new("p", trace, id, "n", Timestamp::from_nanos(1));
        let text = "x".repeat(1000);
        let fills: [fn(&mut Span, String); 6] = [
            |span, text| span.name = text,
            |span, text| span.user_id = Some(text),
            |span, text| span.feedback = Some(Json::string(&text)),
            |span, text| span.attributes = Json::string(&text),
            |span, text| span.otel = Some(Json::string(&text)),
            |span, text| span.code = Some(CodeLocation { file: text, line: 1, function: String::new() }),
        ];
        for (number, fill) in fills.iter().enumerate() {
            let mut span = plain.clone();
            fill(&mut span, text.clone());
            let more = span_bytes(&span) - span_bytes(&plain);
            assert!((990..1100).contains(&more), "{number}: {more}");
        }
    }
}
