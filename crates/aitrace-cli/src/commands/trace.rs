//! `aitrace trace ID`: one trace as a tree.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::ExitCode;

use aitrace_model::TraceStatus;
use anyhow::Result;
use serde::Deserialize;

use crate::api::{LogLine, SpanNode, Trace, TraceLine};
use crate::args;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::ServerUrl;
use crate::text;

const ID_LENGTH: usize = 32;
/// Fewer characters of an id are more likely a mistake.
const LEAST: usize = 4;
/// Deeper spans stand no further to the right.
const DEEPEST: u64 = 40;

pub(super) fn run(args: &args::Trace) -> Result<ExitCode> {
    let client = Client::new(ServerUrl::resolve(&args.server)?);
    let id = find(&client, &args.id)?;
    let path = format!("/api/trace/{id}");
    let query: Vec<(&str, &str)> = args.project.iter().map(|project| ("project", project.as_str())).collect();
    let mut out = Output::stdout();
    if args.json {
        let mut json = String::new();
        client.get(&path, &query)?.read_to_string(&mut json).map_err(|error| client.broken_off(&error))?;
        out.line(json.trim_end())?;
    } else {
        out.text(&show(&client.get_json(&path, &query)?))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The whole id of which the beginning was typed.
pub(super) fn find(client: &Client, typed: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Page {
        traces: Vec<TraceLine>,
    }
    let id = typed.trim().to_ascii_lowercase();
    if id.len() < LEAST || id.len() > ID_LENGTH || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let hint = format!(
            "an id is {ID_LENGTH} hex digits, of which the first {LEAST} or more will do; `aitrace traces` lists them"
        );
        return Err(Failure::new(format!("{typed:?} is no id of a trace"), hint).into());
    }
    if id.len() == ID_LENGTH {
        return Ok(id);
    }
    let page: Page = client.get_json("/api/traces", &[("q", &id), ("limit", "1000")])?;
    let fitting = page.traces.into_iter().map(|trace| trace.trace_id).filter(|other| other.starts_with(&id));
    // Several projects may hold the same id.
    let fitting: Vec<String> = fitting.collect::<BTreeSet<_>>().into_iter().collect();
    match fitting.as_slice() {
        [] => {
            Err(Failure::no(format!("no trace's id begins with {id}"), "`aitrace traces` lists them").into())
        }
        [one] => Ok(one.clone()),
        [one, two, ..] => {
            let message = format!("{} traces' ids begin with {id}", fitting.len());
            let hint = format!("type more of it: {one} or {two} or …");
            Err(Failure::no(message, hint).into())
        }
    }
}

fn show(trace: &Trace) -> String {
    let line = &trace.line;
    let took = line
        .duration_ms
        .map_or_else(String::new, |millis| format!("  {}", text::duration((millis * 1e6) as i64)));
    let mut shown = format!(
        "{}  {}{took}  project {}\n{}  started {} UTC  {} spans, {} errors, {} events\n\n",
        text::clean(&line.name),
        line.status,
        text::clean(&line.project),
        text::clean(&line.trace_id),
        text::time(line.start_ts),
        line.spans,
        line.errors,
        line.events,
    );
    let branches = branches(&trace.spans);
    let rows: Vec<_> = trace.spans.iter().zip(branches).map(|(span, branch)| row(span, &branch)).collect();
    shown.push_str(&text::columns(&["SPAN", "KIND", "DURATION", "STATUS", ""], &rows, &[2]));
    if !trace.logs.is_empty() {
        let rows: Vec<_> = trace.logs.iter().map(log_row).collect();
        shown.push('\n');
        shown.push_str(&text::columns(&["TIME", "LEVEL", "EVENT", ""], &rows, &[]));
    }
    // Rows without details end in blanks.
    shown.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

fn row(span: &SpanNode, branch: &str) -> Vec<String> {
    let took = span.end_ns.map_or_else(String::new, |end| text::duration(end.since(span.start_ns)));
    vec![
        format!("{branch}{}", text::cut(&span.name, 60)),
        span.kind.to_string(),
        took,
        span.status.to_string(),
        details(span),
    ]
}

fn details(span: &SpanNode) -> String {
    let mut parts = Vec::new();
    if let Some(model) = &span.model {
        parts.push(text::cut(model, 40));
    }
    if span.input_tokens.is_some() || span.output_tokens.is_some() {
        let (input, output) = (span.input_tokens.unwrap_or(0), span.output_tokens.unwrap_or(0));
        parts.push(format!("{input} → {output} tokens"));
    }
    if let Some(error) = span.error.as_ref().filter(|_| span.status == TraceStatus::Error) {
        let kind = if error.kind.is_empty() { String::new() } else { format!("{}: ", error.kind) };
        parts.push(text::cut(&format!("{kind}{}", error.message), 100));
    }
    parts.join("  ")
}

fn log_row(log: &LogLine) -> Vec<String> {
    let attrs = if log.attrs.as_str() == "{}" { "" } else { log.attrs.as_str() };
    vec![text::time_of_day(log.ts), log.level.to_string(), text::cut(&log.event, 60), text::cut(attrs, 100)]
}

/// The lines before each name that make the tree visible.
fn branches(spans: &[SpanNode]) -> Vec<String> {
    let depth = |span: &SpanNode| span.depth.min(DEEPEST) as usize;
    // Whether a sibling follows, read from the end: one does if a span of this depth was met since the
    // last one of a lesser depth.
    let mut follows = vec![false; spans.len()];
    let mut met: Vec<bool> = Vec::new();
    for (index, span) in spans.iter().enumerate().rev() {
        met.resize(depth(span) + 1, false);
        follows[index] = std::mem::replace(&mut met[depth(span)], true);
    }
    let mut open: Vec<bool> = Vec::new();
    let mut branches = Vec::with_capacity(spans.len());
    for (span, follows) in spans.iter().zip(follows) {
        open.resize(depth(span), false);
        let above = open.iter().skip(1).map(|open| if *open { "│  " } else { "   " });
        let own = match (depth(span), follows) {
            (0, _) => "",
            (_, true) => "├─ ",
            (_, false) => "└─ ",
        };
        branches.push(above.chain([own]).collect());
        open.push(follows);
    }
    branches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(depths: &[(&str, u64)]) -> Vec<SpanNode> {
        let span = |(name, depth): &(&str, u64)| {
            let json = format!(
                r#"{{"name":"{name}","kind":"tool","status":"ok","error":null,"start_ns":"1000000000","end_ns":"1320000000",
                    "model":null,"input_tokens":null,"output_tokens":null,"depth":{depth}}}"#
            );
            serde_json::from_str(&json).expect("valid")
        };
        depths.iter().map(span).collect()
    }

    #[test]
    fn the_tree_has_its_branches() {
        let spans = spans(&[("a", 0), ("b", 1), ("c", 2), ("d", 2), ("e", 1), ("f", 2), ("g", 0)]);
        let lines: Vec<_> = spans
            .iter()
            .zip(branches(&spans))
            .map(|(span, branch)| format!("{branch}{}", span.name))
            .collect();
        assert_eq!(lines, ["a", "├─ b", "│  ├─ c", "│  └─ d", "└─ e", "   └─ f", "g"]);
    }

    #[test]
    fn deep_trees_stay_readable() {
        let deep: Vec<(&str, u64)> = (0..1000).map(|depth| ("x", depth)).collect();
        let branches = branches(&spans(&deep));
        assert!(branches.iter().all(|branch| branch.chars().count() <= 3 * DEEPEST as usize));
    }

    #[test]
    fn a_trace_is_shown_with_its_errors_and_logs() {
        let mut spans = spans(&[("agent", 0), ("lookup", 1)]);
        spans[1].status = TraceStatus::Error;
        spans[1].error = serde_json::from_str(r#"{"type":"TimeoutError","message":"no\u001b[31m answer"}"#)
            .expect("valid");
        spans[0].model = Some("gpt".to_owned());
        spans[0].input_tokens = Some(12);
        let line = r#"{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","name":"agent","project":"demo","start_ts":"2026-01-31T12:00:00Z",
            "duration_ms":320,"status":"error","spans":2,"events":1,"errors":1,"input_tokens":null,"output_tokens":null,"cost":null}"#;
        let log = r#"{"trace_id":null,"span_id":null,"ts":"2026-01-31T12:00:00.25Z","event":"retry","level":"warning","logger":null,
            "code":null,"attrs":{"left":2}}"#;
        let trace = Trace {
            line: serde_json::from_str(line).expect("valid"),
            spans,
            logs: vec![serde_json::from_str(log).expect("valid")],
        };
        let wanted = "\
agent  error  320 ms  project demo
4bf92f3577b34da6a3ce929d0e0e4736  started 2026-01-31 12:00:00 UTC  2 spans, 1 errors, 1 events

SPAN       KIND  DURATION  STATUS
agent      tool    320 ms  ok      gpt  12 → 0 tokens
└─ lookup  tool    320 ms  error   TimeoutError: no answer

TIME          LEVEL    EVENT
12:00:00.250  warning  retry  {\"left\":2}
";
        assert_eq!(show(&trace), wanted);
    }
}
