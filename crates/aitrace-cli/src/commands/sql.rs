//! `aitrace sql`: one statement that reads, or the views that it can read.

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::asks;
use crate::client::Client;
use crate::output::{self, Output};
use crate::settings::ServerUrl;
use crate::text;

/// Characters of a cell in a table.
const WIDTH: usize = 60;

#[derive(Debug, Deserialize)]
struct Answer {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
    truncated: bool,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct Views {
    views: Vec<View>,
}

#[derive(Debug, Deserialize)]
struct View {
    name: String,
    doc: String,
    columns: Vec<Column>,
}

pub(super) fn run(args: &asks::Sql) -> Result<ExitCode> {
    let client = Client::new(ServerUrl::resolve(&args.server)?);
    let Some(sql) = &args.select else { return show_views(&client, args) };
    let mut statement = sql.clone();
    if statement == "-" {
        statement.clear();
        std::io::stdin().lock().read_to_string(&mut statement).context("cannot read stdin")?;
    }
    let mut body = serde_json::json!({"sql": statement});
    if let Some(project) = &args.project {
        body["project"] = project.as_str().into();
    }
    if args.json {
        let raw: Box<RawValue> = client.post_json("/api/sql", &body)?;
        output::answer(raw.get())?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Answer = client.post_json("/api/sql", &body)?;
    let mut out = Output::stdout();
    if args.csv {
        out.text(&csv(&rows))?;
    } else if !rows.columns.is_empty() {
        out.line(table(&rows).trim_end())?;
    }
    out.flush()?;
    if rows.truncated {
        output::note(&format!("there are more than {} rows: the rest is left out", rows.rows.len()));
    }
    Ok(ExitCode::SUCCESS)
}

fn show_views(client: &Client, args: &asks::Sql) -> Result<ExitCode> {
    if args.json {
        let raw: Box<RawValue> = client.get_json("/api/sql/schema", &[])?;
        output::answer(raw.get())?;
        return Ok(ExitCode::SUCCESS);
    }
    let views: Views = client.get_json("/api/sql/schema", &[])?;
    let mut out = Output::stdout();
    for view in views.views {
        out.line(&format!("{}: {}", text::clean(&view.name), text::clean(&view.doc)))?;
        for column in view.columns {
            out.line(&format!("  {:20} {}", text::clean(&column.name), text::clean(&column.kind)))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn table(rows: &Answer) -> String {
    let heading: Vec<String> = rows.columns.iter().map(|column| text::cut(&column.name, WIDTH)).collect();
    let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
    let cells: Vec<Vec<String>> = rows
        .rows
        .iter()
        .map(|row| row.iter().map(|value| text::cut(&plain(value), WIDTH)).collect())
        .collect();
    let numbers = rows.columns.iter().enumerate();
    let right: Vec<usize> = numbers
        .filter(|(_, column)| matches!(&*column.kind, "int" | "uint" | "double"))
        .map(|(index, _)| index)
        .collect();
    text::columns(&heading, &cells, &right)
}

/// RFC 4180. A text that a spreadsheet would run as a formula is left as it is: it is data.
fn csv(rows: &Answer) -> String {
    let quoted = |text: &str| {
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let mut out = String::new();
    let heading: Vec<String> = rows.columns.iter().map(|column| quoted(&column.name)).collect();
    out.push_str(&heading.join(","));
    out.push_str("\r\n");
    for row in &rows.rows {
        let cells: Vec<String> = row.iter().map(|value| quoted(&plain(value))).collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Answer {
        serde_json::from_str(
            r#"{"columns":[{"name":"n","type":"int"},{"name":"t","type":"text"}],
                "rows":[[1,"a,\"b\"\n"],[null,"\u001b[2Jx"]],"truncated":false}"#,
        )
        .expect("valid")
    }

    #[test]
    fn values_are_quoted_where_they_must() {
        assert_eq!(csv(&rows()), "n,t\r\n1,\"a,\"\"b\"\"\n\"\r\n,\u{1b}[2Jx\r\n");
    }

    #[test]
    fn tables_do_not_steer_the_terminal() {
        let table = table(&rows());
        assert!(table.contains("a,\"b\"") && !table.contains('\u{1b}'), "{table}");
    }
}
