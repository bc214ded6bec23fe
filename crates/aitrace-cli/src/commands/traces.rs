//! `aitrace traces`: a list, newest first.

use std::process::ExitCode;

use aitrace_model::SystemClock;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::api::TraceLine;
use crate::args;
use crate::client::Client;
use crate::failure::Failure;
use crate::output;
use crate::settings::{self, ServerUrl};
use crate::text;

/// The largest page that the server gives.
const PAGE: u64 = 1000;

/// A page of the API, its lines as they came.
#[derive(Debug, Deserialize, Serialize)]
struct Page {
    traces: Vec<Box<RawValue>>,
    next: Option<String>,
}

pub(super) fn run(args: &args::Traces) -> Result<ExitCode> {
    let client = Client::new(ServerUrl::resolve(&args.server)?);
    let page = read(&client, args)?;
    if args.json {
        output::answer(&serde_json::to_string(&page)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines = page.traces.iter().map(|raw| serde_json::from_str(raw.get()));
    let lines: Vec<TraceLine> = lines.collect::<Result<_, _>>().map_err(|error| strange(&error))?;
    if lines.is_empty() {
        output::note("no traces");
    } else {
        output::answer(table(&lines).trim_end())?;
    }
    if page.next.is_some() {
        output::note(&format!("there are more; --limit is {}", args.limit));
    }
    Ok(ExitCode::SUCCESS)
}

fn strange(error: &serde_json::Error) -> Failure {
    Failure::new(
        format!("the server's list cannot be read: {error}"),
        "see whether server and command are of the same version",
    )
}

fn read(client: &Client, args: &args::Traces) -> Result<Page> {
    let when = |flag, text: &Option<String>| {
        let moment = text.as_deref().map(|text| settings::moment(flag, text, &SystemClock));
        moment.transpose().map(|time| time.map(|time| time.to_string()))
    };
    let since = when("--since", &args.since)?;
    let until = when("--until", &args.until)?;
    let given: Vec<(&str, &str)> = [
        ("project", args.project.as_deref()),
        ("status", args.status.as_deref()),
        ("q", args.q.as_deref()),
        ("since", since.as_deref()),
        ("until", until.as_deref()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    let mut all = Page { traces: Vec::new(), next: None };
    loop {
        let limit = (args.limit - all.traces.len() as u64).min(PAGE).to_string();
        let mut query = given.clone();
        query.push(("limit", &limit));
        query.extend(all.next.as_deref().map(|cursor| ("cursor", cursor)));
        let page: Page = client.get_json("/api/traces", &query)?;
        let empty = page.traces.is_empty();
        all.traces.extend(page.traces);
        all.next = page.next;
        if all.next.is_none() || empty || all.traces.len() as u64 >= args.limit {
            return Ok(all);
        }
    }
}

fn table(lines: &[TraceLine]) -> String {
    let tokens = |line: &TraceLine| match (line.input_tokens, line.output_tokens) {
        (None, None) => String::new(),
        (input, output) => (input.unwrap_or(0) + output.unwrap_or(0)).to_string(),
    };
    let row = |line: &TraceLine| {
        vec![
            text::time(line.start_ts),
            text::cut(&line.name, 40),
            line.status.to_string(),
            line.duration_ms.map_or_else(String::new, |millis| text::duration((millis * 1e6) as i64)),
            line.spans.to_string(),
            line.errors.to_string(),
            tokens(line),
            line.cost.map_or_else(String::new, |cost| format!("${cost:.4}")),
            text::cut(&line.project, 20),
            text::clean(&line.trace_id),
        ]
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    let heading = [
        "STARTED (UTC)",
        "NAME",
        "STATUS",
        "DURATION",
        "SPANS",
        "ERRORS",
        "TOKENS",
        "COST",
        "PROJECT",
        "TRACE",
    ];
    text::columns(&heading, &rows, &[3, 4, 5, 6, 7])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_what_is_known() {
        let line: TraceLine = serde_json::from_str(
            r#"{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","name":"agent\u001b[2J","project":"demo","session_id":null,
                "start_ts":"2026-01-31T12:00:00.000001Z","end_ts":null,"duration_ms":320.4,"status":"ok","spans":3,
                "events":0,"errors":1,"input_tokens":"9007199254740993","output_tokens":7,"cost":0.00125}"#,
        )
        .expect("valid");
        let table = table(&[line]);
        let row = table.lines().nth(1).expect("a row");
        let cells: Vec<_> = row.split_whitespace().collect();
        assert_eq!(
            cells,
            [
                "2026-01-31",
                "12:00:00",
                "agent",
                "ok",
                "320",
                "ms",
                "3",
                "1",
                "9007199254741000",
                "$0.0013",
                "demo",
                "4bf92f3577b34da6a3ce929d0e0e4736"
            ]
        );
    }
}
