//! Conditions that one column decides, or two.

use aitrace_model::{Timestamp, TraceStatus};
use aitrace_store::{Field, Filter, Op, Operand, Plain, Term};
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{Float64Type, TimestampNanosecondType, UInt64Type};

/// The columns that decide about a field; `None` where it takes a span.
pub(super) fn of(field: Field) -> Option<&'static [&'static str]> {
    Some(match field {
        Field::Project => &["project"],
        Field::Trace => &["trace_id"],
        Field::Span => &["span_id"],
        Field::Name => &["name"],
        Field::Kind => &["kind"],
        Field::Type => &["event_type"],
        Field::Session => &["session_id"],
        Field::Parent => &["parent_span_id"],
        Field::Model => &["model"],
        Field::Provider => &["provider"],
        Field::User => &["user_id"],
        Field::Source => &["source"],
        Field::Service => &["service"],
        Field::Run => &["run_id"],
        Field::Dataset => &["dataset_id"],
        Field::Datapoint => &["datapoint_id"],
        Field::Status => &["failed", "end"],
        Field::Start => &["start"],
        Field::End => &["end"],
        Field::Duration => &["duration_ns"],
        Field::InputTokens => &["input_tokens"],
        Field::OutputTokens => &["output_tokens"],
        Field::Tokens => &["input_tokens", "output_tokens"],
        Field::Cost => &["cost"],
        _ => return None,
    })
}

/// Which rows fulfil a condition; `None` where it takes spans to say so.
pub(super) fn judge(batch: &RecordBatch, leaf: &Filter) -> Option<BooleanArray> {
    let Filter::Term(term) = leaf else { return None };
    let columns = of(term.field)?;
    match term.field {
        Field::Status => by_status(batch, term),
        Field::Start | Field::End => by_time(batch, columns[0], term),
        Field::Duration => {
            by_count(batch, columns[0], term, |nanos| Plain::Nanos(i64::try_from(nanos).unwrap_or(i64::MAX)))
        }
        Field::InputTokens | Field::OutputTokens => {
            by_count(batch, columns[0], term, |count| Plain::Number(count as f64))
        }
        Field::Tokens => by_sum(batch, columns, term),
        Field::Cost => {
            let cells = batch.column_by_name(columns[0])?.as_primitive_opt::<Float64Type>()?;
            Some(cells.iter().map(|cell| Some(term.holds_of(cell.map(Plain::Number)))).collect())
        }
        _ => by_text(batch, columns[0], term),
    }
}

fn by_status(batch: &RecordBatch, term: &Term) -> Option<BooleanArray> {
    let says = |status| term.holds_of(Some(Plain::Status(status)));
    let says = [says(TraceStatus::Ok), says(TraceStatus::Error), says(TraceStatus::Running)];
    let failed = batch.column_by_name("failed")?.as_boolean_opt()?;
    let ends = batch.column_by_name("end")?;
    let row = |row| says[if ends.is_null(row) { 2 } else { usize::from(failed.value(row)) }];
    Some((0..batch.num_rows()).map(|at| Some(row(at))).collect())
}

fn by_time(batch: &RecordBatch, column: &str, term: &Term) -> Option<BooleanArray> {
    let cells = batch.column_by_name(column)?.as_primitive_opt::<TimestampNanosecondType>()?;
    let time = |nanos| Plain::Time(Timestamp::from_nanos(nanos));
    Some(cells.iter().map(|cell| Some(term.holds_of(cell.map(time)))).collect())
}

fn by_count(batch: &RecordBatch, column: &str, term: &Term, plain: fn(u64) -> Plain) -> Option<BooleanArray> {
    let cells = batch.column_by_name(column)?.as_primitive_opt::<UInt64Type>()?;
    Some(cells.iter().map(|cell| Some(term.holds_of(cell.map(plain)))).collect())
}

fn by_sum(batch: &RecordBatch, columns: &[&str], term: &Term) -> Option<BooleanArray> {
    let cells = |column| batch.column_by_name(column)?.as_primitive_opt::<UInt64Type>();
    let (one, other) = (cells(columns[0])?, cells(columns[1])?);
    let sum = |(one, other): (Option<u64>, Option<u64>)| {
        let told = one.is_some() || other.is_some();
        told.then(|| Plain::Number(one.unwrap_or(0) as f64 + other.unwrap_or(0) as f64))
    };
    Some(one.iter().zip(other).map(|pair| Some(term.holds_of(sum(pair)))).collect())
}

fn by_text(batch: &RecordBatch, column: &str, term: &Term) -> Option<BooleanArray> {
    let cells = batch.column_by_name(column)?.as_string_opt::<i32>()?;
    let word = term.as_word();
    let mut last: Option<(&str, bool)> = None;
    let fits = |cell: &str| match &term.value {
        Operand::Anything => true,
        Operand::Text(pattern) => pattern.fits(cell, term.op == Op::Exactly),
        _ => word == Some(cell),
    };
    // Rows are sorted: a cell is often the one before.
    let mut says = |cell| match last {
        Some((known, says)) if known == cell => says,
        _ => {
            let says = fits(cell);
            last = Some((cell, says));
            says
        }
    };
    Some(cells.iter().map(|cell| Some(cell.is_some_and(&mut says))).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aitrace_model::{EventType, Phase, Span, SpanId, SpanKind, Status, TraceId};
    use aitrace_store::{StoredSpan, standing};

    use super::*;
    use crate::columns;
    use crate::rows::{SPANS, SpanRow};

    const SECOND: i64 = 1_000_000_000;

    /// Spans that differ in what columns decide; of each field some have nothing.
    fn spans() -> Vec<Span> {
        let trace = |number: u128| TraceId::from_bytes((number % 3 + 1).to_be_bytes()).expect("not zero");
        let id = |number: u64| SpanId::from_bytes((number + 1).to_be_bytes()).expect("not zero");
        let word =
            |name: &str, number: u64| (!number.is_multiple_of(3)).then(|| format!("{name}-{}", number % 5));
        let span = |number: u64| {
            let has = |of: u64| !number.is_multiple_of(of);
            let start = Timestamp::from_nanos(1_800_000_000 * SECOND + number as i64 * SECOND);
            let mut span = Span::new("p", trace(number.into()), id(number), "", start);
            span.phase = Phase::End;
            (span.project, span.name) = (format!("p{}", number % 2), format!("Step {}", number % 4));
            span.kind = [SpanKind::Llm, SpanKind::Tool, SpanKind::Embedding][number as usize % 3];
            span.event_type = [EventType::Model, EventType::Tool][number as usize % 2];
            span.parent_span_id = has(4).then(|| id(number / 4));
            span.end = has(7).then(|| start.saturating_add(number as i64 * SECOND / 4));
            span.status = [None, Some(Status::Ok), Some(Status::Error)][number as usize % 3];
            for (field, name) in [
                (&mut span.session_id, "session"),
                (&mut span.model, "gpt"),
                (&mut span.provider, "open"),
                (&mut span.user_id, "user"),
                (&mut span.source, "source"),
                (&mut span.service, "service"),
                (&mut span.run_id, "run"),
                (&mut span.dataset_id, "set"),
                (&mut span.datapoint_id, "point"),
            ] {
                *field = word(name, number);
            }
            span.input_tokens = has(5).then_some(number * 10);
            span.output_tokens = has(3).then_some(number);
            span.cost = has(4).then_some(number as f64 / 1000.0);
            span
        };
        (0..40).map(span).collect()
    }

    #[test]
    fn columns_say_what_spans_say() {
        let row = |span: Span| SpanRow {
            stored: Arc::new(StoredSpan { status: standing(&span), span }),
            parts: None,
            wraps: false,
            orphans: false,
        };
        let rows: Vec<SpanRow> = spans().into_iter().map(row).collect();
        let batch = columns::batch(&columns::schema(SPANS), SPANS, &rows).expect("columns");
        let filters = [
            "project:p1",
            "trace:00000000000000000000000000000002",
            "span:0000000000000003",
            "name:step*2",
            "kind:llm",
            "type:tool",
            "session:session-1",
            "parent:0000000000000002",
            "-parent:*",
            "model:gpt-*",
            "provider:open-2",
            "user:*",
            "source:source-4",
            "service=service-1",
            "run:run-2",
            "dataset:set-4",
            "datapoint:point-1",
            "status:error",
            "status:ok",
            "status:running",
            "status:*",
            "start>=2027-01-15T08:00:20Z",
            "start<2027-01-15T08:00:20Z",
            "end>2027-01-15T08:00:30Z",
            "end:*",
            "duration>2s",
            "duration<=500ms",
            "duration:*",
            "input_tokens>100",
            "output_tokens<=7",
            "output_tokens:*",
            "tokens>=110",
            "tokens:*",
            "cost>0.02",
            "cost<=0.005",
            "cost:*",
        ];
        for text in filters {
            let filter: Filter = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            let leaf = filter.leaves()[0];
            let says = judge(&batch, leaf).unwrap_or_else(|| panic!("{text}: columns decide"));
            let (mut yes, mut no) = (0, 0);
            for (at, row) in rows.iter().enumerate() {
                let span = &row.stored.span;
                assert_eq!(says.value(at), leaf.span_says(span, standing(span)), "{text} of {span:?}");
                *(if says.value(at) { &mut yes } else { &mut no }) += 1;
            }
            assert!(yes > 0 && (no > 0 || text == "status:*"), "{text}: {yes} of {}", yes + no);
        }
    }

    #[test]
    fn contents_and_errors_take_spans() {
        let batch = columns::batch(&columns::schema(SPANS), SPANS, &[]).expect("columns");
        for text in ["error:timeout", "inputs:hello", "metadata.tid=7", "function:f", "words"] {
            let filter: Filter = text.parse().expect("a filter");
            assert!(judge(&batch, filter.leaves()[0]).is_none(), "{text}");
        }
    }
}
