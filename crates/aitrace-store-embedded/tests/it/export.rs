//! Exports as Parquet: what was written is read, other programs' copies too, bad rows cost themselves alone.

use std::fmt::Write as _;
use std::sync::Arc;

use aitrace_model::{
    CodeLocation, ErrorInfo, Json, LogRecord, Phase, Span, SpanEvent, SpanLink, Status, Timestamp,
    TraceStatus,
};
use aitrace_store::conformance::{end, log, span_id, start, trace_id};
use aitrace_store::{ExportFormat as _, ExportWriter, Rollup, StoredSpan, Trace};
use aitrace_store_embedded::{ExportRow, ParquetExport, ReadExport, export_rows, is_parquet};
use arrow::array::{ArrayRef, RecordBatch, StringArray, StringViewArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

fn trace(spans: Vec<StoredSpan>, logs: Vec<LogRecord>) -> Trace {
    let summary = Rollup::default().summary("p", trace_id(1), None);
    Trace { summary, spans, logs }
}

fn write(traces: &[Trace], loose: &[LogRecord]) -> Vec<u8> {
    let mut writer = ParquetExport.writer();
    let mut bytes = Vec::new();
    for trace in traces {
        writer.trace(trace).expect("writes");
        bytes.extend(writer.take());
    }
    for log in loose {
        writer.log(log).expect("writes");
    }
    writer.finish().expect("ends");
    bytes.extend(writer.take());
    bytes
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("writes");
    file
}

fn rows(path: &std::path::Path) -> Vec<ExportRow> {
    let rows = ReadExport::open(path).expect("opens");
    rows.enumerate()
        .map(|(at, (number, row))| {
            assert_eq!(number, at as u64 + 1);
            row.expect("reads")
        })
        .collect()
}

fn rich(name: &str, number: u64, nanos: i64) -> Span {
    let mut span = end("p", 1, number);
    name.clone_into(&mut span.name);
    (span.start, span.end) = (Timestamp::from_nanos(nanos), Some(Timestamp::from_nanos(i64::MAX)));
    span.phase = Phase::End;
    span.status = Some(Status::Error);
    span.error = Some(ErrorInfo { kind: name.to_owned(), message: String::new(), stacktrace: "s".into() });
    let odd = Json::object([(name, &Json::from_trusted("[1e400,123456789012345678901234567890,1.50]"))]);
    span.attributes = odd.clone();
    span.metadata = Some(Json::from_trusted("null"));
    span.resource = odd.clone();
    span.otel = Some(Json::from_trusted(r#"{"flags":1}"#));
    let at = Timestamp::from_nanos(nanos);
    span.events = vec![SpanEvent { time: at, name: name.to_owned(), attributes: odd.clone() }];
    span.links = vec![SpanLink { trace_id: trace_id(7), span_id: span_id(7), attributes: odd }];
    span.code = Some(CodeLocation { file: name.to_owned(), line: u32::MAX, function: String::new() });
    (span.input_tokens, span.reasoning_tokens) = (Some(u64::MAX), Some(0));
    (span.cost, span.cost_formula) = (Some(-0.0), Some(name.to_owned()));
    span.repriced = Some(at);
    name.clone_into(&mut span.scope);
    for word in [&mut span.source, &mut span.session_id, &mut span.user_id, &mut span.datapoint_id] {
        *word = Some(name.to_owned());
    }
    span
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn rows_come_back_to_the_letter(names in prop::collection::vec("\\PC{0,9}", 1..40), nanos: i64) {
        let mut spans = Vec::new();
        let mut logs = Vec::new();
        for (number, name) in names.iter().enumerate() {
            let number = number as u64;
            spans.push(StoredSpan { span: rich(name, number, nanos), status: TraceStatus::Error });
            let mut open = start("q", 2, number);
            open.heartbeats = number.is_multiple_of(2);
            spans.push(StoredSpan { span: open, status: TraceStatus::Lost });
            let mut record = log("p", (!number.is_multiple_of(3)).then_some(number), name, 5);
            (record.session_id, record.logger) = (Some(name.clone()), None);
            record.code = Some(CodeLocation { file: String::new(), line: 0, function: name.clone() });
            logs.push(record);
        }
        let bytes = write(&[trace(spans.clone(), logs.clone())], &logs);
        prop_assert!(is_parquet(&bytes));
        let file = file(&bytes);
        let wanted = spans.into_iter().map(|stored| ExportRow::Span(Box::new(stored)));
        let again = logs.clone();
        let wanted = wanted.chain(logs.into_iter().chain(again).map(|log| ExportRow::Log(Box::new(log))));
        let wanted: Vec<ExportRow> = wanted.collect();
        prop_assert_eq!(export_rows(file.path()).expect("counts"), wanted.len() as u64);
        prop_assert_eq!(rows(file.path()), wanted);
    }
}

#[test]
fn nothing_is_a_file_too() {
    let file = file(&write(&[], &[]));
    assert_eq!(rows(file.path()), []);
    assert_eq!(export_rows(file.path()).expect("counts"), 0);
}

#[test]
fn memory_is_bounded_however_much_is_written() {
    let mut writer: Box<dyn ExportWriter> = ParquetExport.writer();
    let (mut most, mut written) = (0, 0);
    // Text that does not compress, so that what is ready shows what was held.
    let mut seed = 1_u64;
    for number in 0..400 {
        let mut span = end("p", number, 0);
        let mut noise = String::new();
        for _ in 0..30_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            write!(noise, "{:08x}", seed >> 32).expect("a String takes everything");
        }
        span.inputs = Some(Json::string(&noise));
        let stored = StoredSpan { span, status: TraceStatus::Ok };
        writer.trace(&trace(vec![stored], Vec::new())).expect("writes");
        most = most.max(writer.ready());
        written += writer.take().len();
    }
    assert!(written > 20 << 20, "{written} bytes came before the end");
    assert!(most < 40 << 20, "{most} bytes at once");
    writer.finish().expect("ends");
}

#[test]
fn copies_of_other_programs_are_read_and_bad_rows_are_named() {
    let spans =
        (0..3).map(|number| StoredSpan { span: end("p", 1, number), status: TraceStatus::Ok }).collect();
    let whole = file(&write(&[trace(spans, vec![log("p", None, "x", 1)])], &[]));
    let reader = ParquetRecordBatchReaderBuilder::try_new(whole.reopen().expect("opens")).expect("opens");
    let batch = reader.build().expect("reads").next().expect("rows").expect("reads");
    let copy = |change: &dyn Fn(&str, &ArrayRef) -> Option<ArrayRef>| {
        let fields = batch.schema();
        let columns = fields.fields().iter().zip(batch.columns());
        // In another order, as views.
        let columns = columns.rev().filter_map(|(field, column)| {
            let column = change(field.name(), column)?;
            let text = column.as_any().downcast_ref::<StringArray>();
            let column =
                text.map_or(Arc::clone(&column), |text| Arc::new(text.iter().collect::<StringViewArray>()));
            Some((field.name().clone(), column))
        });
        let other = RecordBatch::try_from_iter(columns.collect::<Vec<_>>()).expect("a batch");
        let mut writer = ArrowWriter::try_new(Vec::new(), other.schema(), None).expect("writes");
        writer.write(&other).expect("writes");
        file(&writer.into_inner().expect("ends"))
    };
    let same = |_: &str, column: &ArrayRef| Some(Arc::clone(column));
    assert_eq!(rows(copy(&same).path()), rows(whole.path()));
    // A column that may be missing, and one row that is none.
    let bad = copy(&|name, column| match name {
        "otel" => None,
        "trace_id" => {
            Some(Arc::new(StringArray::from(vec![Some("x"), Some(&*trace_id(1).to_hex()), None, None])))
        }
        _ => Some(Arc::clone(column)),
    });
    let read: Vec<_> = ReadExport::open(bad.path()).expect("opens").collect();
    let faults: Vec<_> =
        read.iter().filter_map(|(number, row)| Some((*number, row.as_ref().err()?.as_str()))).collect();
    assert_eq!(
        faults,
        [(1, "trace_id does not hold what it should"), (3, "trace_id does not hold what it should")]
    );
    let without = copy(&|name, column| (name != "span_id").then(|| Arc::clone(column)));
    let error = ReadExport::open(without.path()).expect_err("is none").to_string();
    assert!(error.contains("\"span_id\" is missing"), "{error}");
    let cut = file(&std::fs::read(whole.path()).expect("reads")[..100]);
    assert!(ReadExport::open(cut.path()).is_err());
}
