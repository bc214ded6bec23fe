//! `aitrace stats`: figures over time, by dimension.

use std::process::ExitCode;

use aitrace_model::Timestamp;
use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::wanted;
use crate::asks;
use crate::client::Client;
use crate::output;
use crate::settings::ServerUrl;
use crate::text;

#[derive(Debug, Deserialize)]
struct Answer {
    rows: Vec<Row>,
    groups_left_out: Value,
}

#[derive(Debug, Deserialize)]
struct Row {
    ts: Timestamp,
    group: Option<String>,
    count: Value,
    errors: Value,
    error_rate: Option<f64>,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    input_tokens: Value,
    output_tokens: Value,
    cost: Option<f64>,
}

pub(super) fn run(args: &asks::Stats) -> Result<ExitCode> {
    let client = Client::new(ServerUrl::resolve(&args.server)?);
    let mut query = wanted::pairs(&args.wanted)?;
    query.push(("bucket", args.bucket.clone()));
    query.push(("of", args.of.clone()));
    query.push(("groups", args.groups.to_string()));
    query.extend(args.by.clone().map(|by| ("by", by)));
    query.extend(args.q.clone().map(|q| ("q", q)));
    let query = wanted::borrowed(&query);
    if args.json {
        let raw: Box<RawValue> = client.get_json("/api/stats", &query)?;
        output::answer(raw.get())?;
        return Ok(ExitCode::SUCCESS);
    }
    let answer: Answer = client.get_json("/api/stats", &query)?;
    if answer.rows.is_empty() {
        output::note(
            "nothing ended in this time; --since and --until say another, the last day is meant without them",
        );
    } else {
        let by = args.by.as_deref().map(str::to_ascii_uppercase);
        output::answer(table(&answer.rows, args.bucket != "none", by.as_deref()).trim_end())?;
    }
    let left = plain(&answer.groups_left_out);
    if left != "0" {
        output::note(&format!("{left} more groups; --groups is {}", args.groups));
    }
    Ok(ExitCode::SUCCESS)
}

/// A 64-bit number is a text where JavaScript could not read it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn table(rows: &[Row], over_time: bool, by: Option<&str>) -> String {
    let millis =
        |value: Option<f64>| value.map_or_else(String::new, |value| text::duration((value * 1e6) as i64));
    let line = |row: &Row| {
        let mut cells = Vec::new();
        if over_time {
            cells.push(text::time(row.ts));
        }
        if by.is_some() {
            cells.push(row.group.as_deref().map_or_else(|| "-".to_owned(), |group| text::cut(group, 40)));
        }
        let rate = row.error_rate.filter(|rate| *rate > 0.0);
        cells.extend([
            plain(&row.count),
            plain(&row.errors),
            rate.map_or_else(String::new, |rate| format!("{:.1} %", rate * 100.0)),
            millis(row.p50_ms),
            millis(row.p95_ms),
            millis(row.p99_ms),
            plain(&row.input_tokens),
            plain(&row.output_tokens),
            row.cost.map_or_else(String::new, |cost| format!("${cost:.4}")),
        ]);
        cells
    };
    let mut heading = Vec::new();
    if over_time {
        heading.push("FROM (UTC)");
    }
    heading.extend(by);
    let first = heading.len();
    heading.extend(["COUNT", "ERRORS", "RATE", "P50", "P95", "P99", "INPUT", "OUTPUT", "COST"]);
    let right: Vec<usize> = (first..heading.len()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(line).collect();
    text::columns(&heading, &rows, &right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_blank_and_never_0() {
        let row = r#"{"ts":"2026-01-31T12:00:00Z","group":null,"count":3,"errors":1,"error_rate":0.333,"p50_ms":1.5,"p95_ms":2000,
            "p99_ms":null,"input_tokens":"9007199254740993","output_tokens":null,"cost":null}"#;
        let rows: Vec<Row> = vec![serde_json::from_str(row).expect("a row")];
        let said = table(&rows, false, Some("MODEL"));
        let words: Vec<&str> = said.lines().nth(1).expect("a line").split_whitespace().collect();
        assert_eq!(words, ["-", "3", "1", "33.3", "%", "1", "ms", "2.00", "s", "9007199254740993"]);
        assert!(table(&rows, true, None).contains("2026-01-31 12:00:00"));
        assert!(!table(&rows, true, None).contains('-') || !table(&rows, true, None).contains(" - "));
    }
}
