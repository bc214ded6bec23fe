//! `aitrace search`: where a text stands, or what fulfils a filter. What is found is shown as it is found.

use std::io::{BufRead as _, BufReader};
use std::process::ExitCode;

use aitrace_model::Timestamp;
use anyhow::Result;
use serde::Deserialize;

use super::wanted;
use crate::asks;
use crate::client::Client;
use crate::output::{self, Output};
use crate::settings::ServerUrl;
use crate::text;

/// One line of the answer: a hit, or the end.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: Option<String>,
    trace_id: Option<String>,
    span_id: Option<String>,
    ts: Option<Timestamp>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    field: String,
    #[serde(default)]
    excerpt: String,
    complete: Option<bool>,
}

pub(super) fn run(args: &asks::Search) -> Result<ExitCode> {
    let client = Client::new(ServerUrl::resolve(&args.server)?);
    let mut query = wanted::pairs(&args.wanted)?;
    query.push(("q", args.filter.join(" ")));
    query.push(("limit", args.limit.to_string()));
    let mut lines = BufReader::new(client.get_lines("/api/search", &wanted::borrowed(&query))?);
    let (mut out, mut found, mut complete, mut line) = (Output::stdout(), 0_u64, None, String::new());
    while complete.is_none() {
        line.clear();
        if lines.read_line(&mut line).map_err(|error| client.broken_off(&error))? == 0 {
            break;
        }
        let read: Line = serde_json::from_str(&line).map_err(|error| client.strange(&error))?;
        complete = read.complete;
        if complete.is_none() {
            found += 1;
            out.line(&if args.json { line.trim_end().to_owned() } else { sentence(&read) })?;
            out.flush()?;
        }
    }
    match complete {
        Some(true) if found == 0 => output::note("nothing found"),
        Some(true) => {}
        Some(false) => output::note(
            "not everything was searched: raise --limit, or narrow it by --project, --since, --until",
        ),
        None => output::note("the answer broke off: there may be more"),
    }
    Ok(match complete {
        None => ExitCode::from(2),
        Some(_) if found == 0 => ExitCode::FAILURE,
        Some(_) => ExitCode::SUCCESS,
    })
}

fn sentence(hit: &Line) -> String {
    let short =
        |id: &Option<String>| id.as_deref().map_or_else(|| "-".repeat(8), |id| id.chars().take(8).collect());
    let line = format!(
        "{}  {}/{}  {:4}  {}  {}: {}",
        hit.ts.map_or_else(String::new, text::time),
        text::clean(&short(&hit.trace_id)),
        text::clean(&short(&hit.span_id)),
        hit.kind.as_deref().unwrap_or_default(),
        text::cut(&hit.name, 40),
        text::clean(&hit.field),
        text::cut(&hit.excerpt, 160),
    );
    line.trim_end().to_owned()
}
