//! `aitrace sessions`: a list, newest first.

use std::process::ExitCode;

use aitrace_model::{Timestamp, TraceStatus};
use anyhow::Result;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wanted;
use crate::asks;
use crate::client::Client;
use crate::output;
use crate::settings::ServerUrl;
use crate::text;

#[derive(Debug, Deserialize)]
struct Page {
    sessions: Vec<Line>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Line {
    session_id: String,
    name: Option<String>,
    project: String,
    start_ts: Timestamp,
    duration_ms: Option<f64>,
    status: TraceStatus,
    traces: serde_json::Value,
    errors: serde_json::Value,
    cost: Option<f64>,
}

pub(super) fn run(args: &asks::Sessions) -> Result<ExitCode> {
    let client = Client::new(ServerUrl::resolve(&args.server)?);
    let mut query = wanted::pairs(&args.wanted)?;
    query.extend(args.q.clone().map(|q| ("q", q)));
    query.push(("limit", args.limit.to_string()));
    let query = wanted::borrowed(&query);
    if args.json {
        let raw: Box<RawValue> = client.get_json("/api/sessions", &query)?;
        output::answer(raw.get())?;
        return Ok(ExitCode::SUCCESS);
    }
    let page: Page = client.get_json("/api/sessions", &query)?;
    if page.sessions.is_empty() {
        output::note("no sessions");
    } else {
        output::answer(table(&page.sessions).trim_end())?;
    }
    if page.next.is_some() {
        output::note(&format!("there are more; --limit is {}", args.limit));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(lines: &[Line]) -> String {
    let plain = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |line: &Line| {
        vec![
            text::time(line.start_ts),
            text::cut(line.name.as_deref().unwrap_or_default(), 40),
            line.status.to_string(),
            line.duration_ms.map_or_else(String::new, |millis| text::duration((millis * 1e6) as i64)),
            plain(&line.traces),
            plain(&line.errors),
            line.cost.map_or_else(String::new, |cost| format!("${cost:.4}")),
            text::cut(&line.project, 20),
            text::clean(&line.session_id),
        ]
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    let heading =
        ["STARTED (UTC)", "NAME", "STATUS", "DURATION", "TRACES", "ERRORS", "COST", "PROJECT", "SESSION"];
    text::columns(&heading, &rows, &[3, 4, 5, 6])
}
