//! `aitrace tail`: what happens, as it happens.

use std::process::ExitCode;
use std::time::Duration;

use aitrace_model::record;
use anyhow::{Context as _, Result};

use crate::api::{FullSpan, LogLine};
use crate::args;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::settings::{self, ServerUrl};
use crate::sse::Event;
use crate::text;

pub(super) fn run(args: &args::Tail) -> Result<ExitCode> {
    let compat = settings::compat(&args.compat)?;
    let client = Client::new(ServerUrl::resolve(&args.server)?);
    let listen = |last: &str| client.live(args.project.as_deref(), args.q.as_deref(), last);
    let mut events = listen("")??;
    output::note("listening");
    let mut out = Output::stdout();
    loop {
        let Ok(Some(event)) = events.next() else {
            events = again(args.reconnect, || listen(events.last()))?;
            output::note("listening again");
            continue;
        };
        if event.name == "reset" {
            output::note(reset(&event.data));
            continue;
        }
        let lines =
            if args.json { records(&event, args.project.as_deref(), compat) } else { sentence(&event) };
        for line in lines.with_context(|| format!("the server's event {:?} cannot be read", event.name))? {
            out.line(&line)?;
        }
        out.flush()?;
    }
}

/// Comes back after the connection broke, trying for so many seconds.
fn again<T>(seconds: u32, listen: impl Fn() -> Result<Result<T>>) -> Result<T> {
    const PAUSE: Duration = Duration::from_millis(500);
    if seconds > 0 {
        output::note("the server ended the stream; trying to come back");
    }
    for _ in 0..seconds.saturating_mul(2) {
        std::thread::sleep(PAUSE);
        if let Ok(events) = listen()? {
            return Ok(events);
        }
    }
    Err(Failure::new("the server ended the stream", "start it again with `aitrace serve`").into())
}

/// What a person is told where events are missing.
fn reset(data: &str) -> &'static str {
    if data.contains("restarted") {
        "the server was started anew, and some of what happened meanwhile is not shown; `aitrace traces` has it"
    } else {
        "this reader was too slow, and some of what happened is not shown; `aitrace traces` has it"
    }
}

/// The trace records behind an event. What only repeats what others told has none.
fn records(event: &Event, project: Option<&str>, compat: bool) -> Result<Vec<String>, serde_json::Error> {
    let records = match event.name.as_str() {
        "span.started" => {
            let span = serde_json::from_str::<FullSpan>(&event.data)?.into_span();
            vec![record::start_record(&span)]
        }
        "span.ended" => {
            let span = serde_json::from_str::<FullSpan>(&event.data)?.into_span();
            record::end_record(&span).into_iter().collect()
        }
        "log" => {
            let log = serde_json::from_str::<LogLine>(&event.data)?;
            vec![record::log_record(&log.into_record(project))]
        }
        _ => Vec::new(),
    };
    Ok(records.iter().map(|record| record.to_line(compat)).collect())
}

/// The event as a line for people.
fn sentence(event: &Event) -> Result<Vec<String>, serde_json::Error> {
    let line = match event.name.as_str() {
        "span.started" | "span.ended" => {
            let span = serde_json::from_str::<FullSpan>(&event.data)?.into_span();
            let what = match span.duration_ns() {
                None => "started".to_owned(),
                Some(took) => format!("ended    {:>9}", text::duration(took)),
            };
            let failed = span.error.as_ref().filter(|_| span.is_error());
            let failed =
                failed.map_or_else(String::new, |error| format!("  {}: {}", error.kind, error.message));
            format!(
                "{}  {what:18}  {}  {}  {}{}",
                text::time_of_day(span.end.unwrap_or(span.start)),
                &span.trace_id.to_hex()[..8],
                span.kind,
                text::cut(&span.name, 60),
                text::cut(&failed, 100),
            )
        }
        "log" => {
            let log = serde_json::from_str::<LogLine>(&event.data)?;
            let trace = log.trace_id.map_or_else(|| "-".repeat(8), |id| id.to_hex()[..8].to_owned());
            let attrs = if log.attrs.as_str() == "{}" { "" } else { log.attrs.as_str() };
            format!(
                "{}  {:18}  {trace}  log  {}  {}",
                text::time_of_day(log.ts),
                log.level.as_str(),
                text::cut(&log.event, 60),
                text::cut(attrs, 100)
            )
        }
        _ => return Ok(Vec::new()),
    };
    Ok(vec![line.trim_end().to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: &str = r#"{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","parent_span_id":null,
        "name":"lookup\u001b[2J","kind":"tool","event_type":"tool","status":"error",
        "error":{"type":"TimeoutError","message":"away","stacktrace":""},
        "start_ns":"1000000000","end_ns":"1320000001","project":"demo","source":null,"service":null,"session_id":"s",
        "user_id":null,"run_id":null,"dataset_id":null,"datapoint_id":null,"provider":null,"model":null,
        "input_tokens":null,"output_tokens":"9007199254740993","cost":null,"inputs":{"order":1.50},"outputs":null,"metadata":null,
        "metrics":null,"feedback":null,"config":null,"user_properties":null,"attributes":{"k":"v"},
        "code":{"file":"a.py","line":3,"function":"f"},"events":[{"name":"e","time_ns":"5","attributes":{}}],
        "links":[],"depth":0,"has_children":false}"#;

    fn event(name: &str, data: &str) -> Event {
        Event { name: name.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn an_ended_span_is_its_record() {
        let lines = records(&event("span.ended", SPAN), None, true).expect("valid");
        let limits = record::Limits::default();
        let read = record::read(lines[0].as_bytes(), &limits).expect("a record");
        assert_eq!(read.meta.duration_ns, Some(320_000_001));
        assert_eq!(read.meta.session_id.as_deref(), Some("s"));
        assert_eq!(read.role(), record::Role::End("lookup\u{1b}[2J"));
        assert!(lines[0].starts_with(r#"{"timestamp":"1970-01-01T00:00:01.320000001Z""#), "{}", lines[0]);
        assert!(lines[0].contains(r#""inputs":{"order":1.50}"#), "{}", lines[0]);
        assert!(
            !records(&event("span.ended", SPAN), None, false).expect("valid")[0]
                .starts_with(r#"{"timestamp"#)
        );
    }

    #[test]
    fn people_read_what_happened() {
        assert_eq!(
            sentence(&event("span.ended", SPAN)).expect("valid"),
            ["00:00:01.320  ended       320 ms  4bf92f35  tool  lookup  TimeoutError: away"]
        );
        let log = r#"{"trace_id":null,"span_id":null,"ts":"1970-01-01T00:00:00Z","event":"hello","level":"info","logger":null,"code":null,"attrs":{}}"#;
        assert_eq!(
            sentence(&event("log", log)).expect("valid"),
            ["00:00:00.000  info                --------  log  hello"]
        );
        assert!(sentence(&event("trace.updated", "{}")).expect("nothing").is_empty());
        assert!(sentence(&event("log", "{}")).is_err());
    }

    #[test]
    fn a_log_is_its_record() {
        let log = r#"{"id":"x1","trace_id":null,"span_id":null,"ts":"1970-01-01T00:00:00Z","event":"hello","level":"info","logger":"l","code":null,"attrs":{"a":[1]}}"#;
        let lines = records(&event("log", log), Some("demo"), false).expect("valid");
        let read = record::read(lines[0].as_bytes(), &record::Limits::default()).expect("a record");
        assert_eq!((read.meta.id.as_deref(), read.meta.project.as_deref()), (Some("x1"), Some("demo")));
        assert_eq!(read.role(), record::Role::Log);
    }
}
