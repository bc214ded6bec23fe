//! All that is made of every fixture, to the letter, as digests: what makes normalising faster must not change what
//! comes out unnoticed. `AITRACE_UPDATE_FIXTURES=1` writes them anew, once `MAPPER` is raised.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use aitrace_model::record::{Limits as RecordLimits, exact_record, read, records_of_span};
use aitrace_model::{Json, RawSpan, Span};
use aitrace_normalise::{MAPPER, Message, Normaliser, normalise_log, normalise_record, normalise_span};
use aitrace_otlp::{Encoding, Limits, decode_logs, decode_traces, encode_traces};
use siphasher::sip128::SipHasher13;

use crate::fixtures::context;

// Tests run in the folder of their crate. Its absolute path would be that of the checkout they were compiled in.
const ROOT: &str = "fixtures";
const DIGESTS: &str = "tests/it/digests.txt";

/// All files below the fixtures with their names from there, in order.
fn files() -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(ROOT)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "json") {
                let name = path.strip_prefix(ROOT).expect("it is below").to_string_lossy().into_owned();
                found.push((name, path));
            }
        }
    }
    found.sort();
    found
}

fn digest<T: serde::Serialize>(things: &[T]) -> String {
    let text = Json::from_serialize(things).expect("serialises");
    format!("{:032x}", SipHasher13::new().hash(text.as_str().as_bytes()).as_u128())
}

fn normalised(spans: Vec<RawSpan>) -> Vec<Span> {
    spans.into_iter().map(|raw| normalise_span(raw, &context())).collect()
}

/// What the spans are after a journey as trace records: a start and an end each, and the exact form.
fn travelled(spans: &[Span]) -> Vec<Span> {
    let records = spans.iter().flat_map(|span| records_of_span(span).chain([exact_record(span, false)]));
    records
        .map(|record| {
            let mut line = String::new();
            record.write_line(&mut line, false);
            let record = read(line.as_bytes(), &RecordLimits::default()).expect("our own record");
            match normalise_record(record, &context()) {
                Message::Span(span) => *span,
                Message::Log(log) => panic!("a span's record became {log:?}"),
            }
        })
        .collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
fn what_comes_out_is_the_same_to_the_letter() {
    let mut found = format!("mapper {MAPPER}\n");
    for (name, path) in files() {
        let text = fs::read(path).expect("a fixture");
        if name.ends_with(".logs.json") {
            let logs = decode_logs(&text, Encoding::Json, &Limits::default()).expect("OTLP JSON").logs;
            let logs: Vec<_> = logs.into_iter().map(|raw| normalise_log(raw, &context())).collect();
            assert!(!logs.is_empty(), "{name}");
            writeln!(found, "{name} logs {}", digest(&logs)).expect("a String takes everything");
            continue;
        }
        let raw = decode_traces(&text, Encoding::Json, &Limits::default()).expect("OTLP JSON").spans;
        let wire = decode_traces(&encode_traces(&raw), Encoding::Protobuf, &Limits::default());
        let spans = normalised(raw);
        assert!(!spans.is_empty(), "{name}");
        let sent = normalised(wire.expect("our own protobuf").spans);
        let (one, other) = (digest(&spans), digest(&sent));
        assert_eq!(one, other, "{name}: protobuf and JSON say the same");
        writeln!(found, "{name} spans {one} records {}", digest(&travelled(&spans)))
            .expect("a String takes everything");
    }
    let expected = fs::read_to_string(DIGESTS).expect("the digests");
    let differs =
        |line: &&str| expected.lines().any(|known| name_of(known) == name_of(line) && known != *line);
    let changed: Vec<&str> = found.lines().filter(differs).collect();
    let raised = changed.iter().any(|line| name_of(line) == "mapper");
    assert!(
        changed.is_empty() || raised,
        "what comes out has changed, so MAPPER is to be raised: {changed:#?}"
    );
    if std::env::var("AITRACE_UPDATE_FIXTURES").is_ok() {
        fs::write(DIGESTS, &found).expect("writes");
    } else {
        assert_eq!(found, expected, "AITRACE_UPDATE_FIXTURES=1 writes the digests anew");
    }
}

/// What a line of the digests is about.
fn name_of(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

#[test]
fn spans_of_many_resources_are_what_each_is_by_itself() {
    let traces = files().into_iter().filter(|(name, _)| !name.ends_with(".logs.json"));
    let read = |(_, path): (String, PathBuf)| {
        let text = fs::read(path).expect("a fixture");
        decode_traces(&text, Encoding::Json, &Limits::default()).expect("OTLP JSON").spans
    };
    let by_file: Vec<Vec<RawSpan>> = traces.map(read).collect();
    let context = context();
    let mut normaliser = Normaliser::new(&context);
    // One of each file after the other, and round again: the resource changes with every span.
    for round in 0..3 {
        for raw in by_file.iter().filter_map(|spans| spans.get(round)) {
            assert_eq!(normaliser.span(raw.clone()), normalise_span(raw.clone(), &context));
        }
    }
    for raw in by_file.into_iter().flatten() {
        assert_eq!(normaliser.span(raw.clone()), normalise_span(raw, &context));
    }
}
