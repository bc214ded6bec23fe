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
    next: Option<String>,
}

/// How a page ended.
enum End {
    /// Everything was searched.
    Complete,
    /// There may be more, from this place on where it is known.
    More(Option<String>),
    /// In the middle.
    BrokeOff,
}

pub(super) fn run(args: &asks::Search) -> Result<ExitCode> {
    /// The most that a server gives at once.
    const PAGE: u64 = 1000;
    let client = Client::new(ServerUrl::resolve(&args.server)?);
    let mut query = wanted::pairs(&args.wanted)?;
    query.push(("q", args.filter.join(" ")));
    let (mut found, mut cursor) = (0_u64, None::<String>);
    let mut out = Output::stdout();
    let end = loop {
        let mut query = query.clone();
        query.push(("limit", (args.limit - found).min(PAGE).to_string()));
        query.extend(cursor.clone().map(|cursor| ("cursor", cursor)));
        let end = page(&client, &wanted::borrowed(&query), |line, hit| {
            found += 1;
            out.line(&if args.json { line.to_owned() } else { sentence(hit) })?;
            out.flush()
        })?;
        match end {
            End::More(Some(next)) if found < args.limit => cursor = Some(next),
            end => break end,
        }
    };
    match end {
        End::Complete if found == 0 => output::note("nothing found"),
        End::Complete => {}
        End::More(_) => output::note(
            "not everything was searched: raise --limit, or narrow it by --project, --since, --until",
        ),
        End::BrokeOff => output::note("the answer broke off: there may be more"),
    }
    Ok(match end {
        End::BrokeOff => ExitCode::from(2),
        _ if found == 0 => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

/// Reads one page, line by line as it comes.
fn page(
    client: &Client,
    query: &[(&str, &str)],
    mut tell: impl FnMut(&str, &Line) -> Result<()>,
) -> Result<End> {
    let mut lines = BufReader::new(client.get_lines("/api/search", query)?);
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line).map_err(|error| client.broken_off(&error))? == 0 {
            return Ok(End::BrokeOff);
        }
        let read: Line = serde_json::from_str(&line).map_err(|error| client.strange(&error))?;
        match read.complete {
            None => tell(line.trim_end(), &read)?,
            Some(true) => return Ok(End::Complete),
            Some(false) => return Ok(End::More(read.next)),
        }
    }
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
