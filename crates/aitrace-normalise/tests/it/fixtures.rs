//! Every fixture, OTLP JSON as a library sent it or written by hand after its documentation, against
//! what it is expected to mean. `AITRACE_UPDATE_FIXTURES=1` writes the expectations anew.

use std::fs;
use std::path::{Path, PathBuf};

use aitrace_model::{Json, Phase, Span, Timestamp};
use aitrace_normalise::{Context, normalise_span};
use aitrace_otlp::{Encoding, Limits, decode_traces};

pub(crate) fn context() -> Context {
    Context {
        default_project: "default".to_owned(),
        forced_project: None,
        received: Timestamp::from_nanos(1_800_000_000_000_000_000),
    }
}

// Tests run in the folder of their crate. Its absolute path would be that of the checkout they were compiled in.
fn fixtures() -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
    };
    let mut files: Vec<PathBuf> =
        list(Path::new("fixtures")).iter().flat_map(|folder| list(folder)).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "json"));
    files.sort();
    files
}

pub(crate) fn spans(file: &Path) -> Vec<Span> {
    let text = fs::read(file).expect("a fixture");
    let decoded = decode_traces(&text, Encoding::Json, &Limits::default()).expect("OTLP JSON");
    assert_eq!(decoded.rejected_count, 0, "{}: {:?}", file.display(), decoded.rejected);
    decoded
        .spans
        .into_iter()
        .map(|raw| {
            let sent: Vec<String> = raw.attributes.iter().map(|(key, _)| key.clone()).collect();
            let span = normalise_span(raw, &context());
            let kept: Vec<String> =
                span.attributes.members().expect("an object").into_iter().map(|(key, _)| key).collect();
            assert_eq!(kept, sent, "{}: everything received is kept", file.display());
            span
        })
        .collect()
}

/// What is known of a span beyond its ids and times, a line each, to the letter.
fn summary(span: &Span) -> String {
    let mut span = span.clone();
    if let Some(error) = &mut span.error {
        error.stacktrace.truncate(9);
    }
    let events: Vec<&str> = span.events.iter().map(|event| event.name.as_str()).collect();
    let events = Json::from_serialize(&events).expect("words");
    let all = Json::from_serialize(&span).expect("a span").members().expect("an object");
    let left_out = [
        "trace_id",
        "span_id",
        "received",
        "start",
        "end",
        "attributes",
        "resource",
        "links",
        "scope",
        "events",
    ];
    let mut lines = vec![format!("# {}", span.name)];
    for (key, value) in all.iter().chain([&("events".to_owned(), events)]) {
        let empty = matches!(value.as_str(), "null" | "[]" | "false");
        if !empty && (!left_out.contains(&key.as_str()) || value.as_str().starts_with("[\"")) {
            lines.push(format!("{key}: {value}"));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
fn fixtures_mean_what_is_expected() {
    let update = std::env::var("AITRACE_UPDATE_FIXTURES").is_ok();
    let mut wrong = Vec::new();
    let files = fixtures();
    assert!(files.len() >= 8, "fixtures are missing");
    for file in files {
        let found = spans(&file).iter().map(summary).collect::<Vec<_>>().join("\n");
        let expected = file.with_extension("expected.txt");
        if update {
            fs::write(&expected, &found).expect("writes");
        }
        if fs::read_to_string(&expected).ok().as_ref() != Some(&found) {
            wrong.push(format!("{} should be:\n{found}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_key_decides_the_project() {
    let file = Path::new("fixtures/aitrace/wire.json");
    assert_eq!(spans(file)[0].project, "support");
    let raw =
        decode_traces(&fs::read(file).expect("a fixture"), Encoding::Json, &Limits::default()).expect("JSON");
    let forced = Context { forced_project: Some("mine".to_owned()), ..context() };
    assert!(raw.spans.into_iter().all(|raw| normalise_span(raw, &forced).project == "mine"));
}

#[test]
fn a_pending_span_is_the_span_that_it_announces() {
    let file = Path::new("fixtures/logfire/logfire-5.2.0-pending.json");
    let spans = spans(file);
    let of = |name: &str, phase: Phase| {
        spans.iter().find(|span| span.name == name && span.phase == phase).expect("both phases")
    };
    for name in ["outer {q}", "inner"] {
        let (start, end) = (of(name, Phase::Start), of(name, Phase::End));
        assert_eq!((start.trace_id, start.span_id), (end.trace_id, end.span_id));
        assert_eq!((start.parent_span_id, start.start), (end.parent_span_id, end.start));
        assert_eq!(start.end, None);
    }
    assert_eq!(of("outer {q}", Phase::Start).parent_span_id, None, "zeros are no parent");
}
