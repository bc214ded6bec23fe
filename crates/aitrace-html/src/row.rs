//! A span, a log record.

use std::fmt::Write as _;

use aitrace_model::record::Record;
use aitrace_model::{ErrorInfo, EventType, Json, Status, Timestamp};

use crate::escape::text;
use crate::trace::SpanView;

/// Deeper spans stand no further to the right.
const DEEPEST: u32 = 24;
/// Width of the drawing of a duration.
const WIDTH: i128 = 1000;
/// What is shown first of a span's contents.
const FIRST: [&str; 4] = ["inputs", "outputs", "metadata", "metrics"];

pub(crate) fn failed(span: &SpanView<'_>) -> bool {
    span.record.meta.status == Some(Status::Error) || span.record.meta.error.is_some()
}

/// A span as a line that opens.
pub(crate) fn write_span(out: &mut String, span: &SpanView<'_>, bounds: (Timestamp, Timestamp)) {
    let failed = failed(span);
    let state = match (span.end, failed) {
        (None, _) => "running",
        (Some(_), true) => "error",
        (Some(_), false) => "ok",
    };
    let depth = span.depth.min(DEEPEST);
    push(out, format_args!("<details class=\"span {state} d{depth}\" aria-level=\"{}\"", span.depth + 1));
    out.push_str(if failed { " open>\n<summary><b>" } else { ">\n<summary><b>" });
    text(out, span.name);
    out.push_str("</b>");
    let kind = span.record.extra("kind").map(plain);
    let kind = kind.or(span.record.meta.event_type.map(|kind| EventType::as_str(kind).to_owned()));
    for (class, word) in [("kind", kind), ("model", span.record.extra("model").map(plain))] {
        if let Some(word) = word {
            push(out, format_args!(" <span class=\"{class}\">"));
            text(out, &word);
            out.push_str("</span>");
        }
    }
    push(out, format_args!("<span class=\"state\">{state}</span><span class=\"time\">"));
    let took = span.end.map_or_else(|| "…".to_owned(), |end| duration(end.since(span.start)));
    text(out, &took);
    out.push_str("</span>");
    draw(out, span, bounds);
    out.push_str("</summary>\n");
    write_contents(out, span);
    out.push_str("</details>\n");
}

fn write_contents(out: &mut String, span: &SpanView<'_>) {
    let meta = &span.record.meta;
    if let Some(error) = &meta.error {
        write_error(out, error);
    }
    let attributes = span.record.get("attributes").and_then(Json::members).unwrap_or_default();
    let find = |name: &str| attributes.iter().find(|(key, _)| key == name);
    for (key, value) in FIRST.iter().filter_map(|name| find(name)) {
        write_value(out, key, value);
    }
    for (key, value) in attributes.iter().filter(|(key, _)| !FIRST.contains(&key.as_str())) {
        write_value(out, key, value);
    }
    for (key, value) in span.record.data.iter().filter(|(key, _)| key != "attributes") {
        write_value(out, key, value);
    }
    let mut about = format!("{} UTC · span {}", moment(span.start), span.id);
    if let Some(file) = &meta.file {
        push(&mut about, format_args!(" · {file}"));
        if let Some(line) = meta.line {
            push(&mut about, format_args!(":{line}"));
        }
    }
    out.push_str("<p class=\"about\">");
    text(out, &about);
    out.push_str("</p>\n");
    for log in &span.logs {
        write_log(out, log);
    }
}

/// A log record as a line, which opens if there is more to it.
pub(crate) fn write_log(out: &mut String, log: &Record) {
    let level = log.meta.level.map_or("info", |level| level.as_str());
    push(out, format_args!("<details class=\"log {level}\"><summary><span class=\"time\">"));
    text(out, &moment(log.meta.timestamp));
    push(out, format_args!("</span> <span class=\"level\">{level}</span> "));
    text(out, &log.meta.event);
    out.push_str("</summary>\n");
    for (key, value) in &log.data {
        write_value(out, key, value);
    }
    out.push_str("</details>\n");
}

fn write_error(out: &mut String, error: &ErrorInfo) {
    out.push_str("<div class=\"failure\"><b>");
    text(out, if error.kind.is_empty() { "Error" } else { &error.kind });
    out.push_str("</b>: ");
    text(out, &error.message);
    if !error.stacktrace.is_empty() {
        out.push_str("\n<pre>");
        text(out, &error.stacktrace);
        out.push_str("</pre>");
    }
    out.push_str("</div>\n");
}

fn write_value(out: &mut String, key: &str, value: &Json) {
    out.push_str("<h3>");
    text(out, key);
    // The parser takes one line end after the tag away.
    out.push_str("</h3><pre>\n");
    text(out, &plain(value));
    out.push_str("</pre>\n");
}

/// A JSON string as its text, other JSON over several lines.
fn plain(value: &Json) -> String {
    match value.to_value() {
        Some(value) if value.is_string() => value.as_str().unwrap_or_default().to_owned(),
        _ => indent(value.as_str()),
    }
}

/// JSON over several lines, to the letter otherwise: numbers keep their digits.
fn indent(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth.min(40)));
    };
    let mut chars = json.chars().peekable();
    while let Some(char) = chars.next() {
        if quoted {
            out.push(char);
            quoted = escaped || char != '"';
            escaped = char == '\\' && !escaped;
            continue;
        }
        match char {
            '"' => {
                quoted = true;
                out.push(char);
            }
            '{' | '[' if matches!(chars.peek(), Some('}' | ']')) => {
                out.push(char);
                out.extend(chars.next());
            }
            '{' | '[' => {
                out.push(char);
                depth += 1;
                line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(char);
            }
            ',' => {
                out.push(char);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ if char.is_ascii_whitespace() => {}
            _ => out.push(char),
        }
    }
    out
}

/// Where the span lies in its trace.
fn draw(out: &mut String, span: &SpanView<'_>, (from, until): (Timestamp, Timestamp)) {
    let whole = i128::from(until.since(from)).max(1);
    let at = |moment: Timestamp| (i128::from(moment.since(from)) * WIDTH / whole).clamp(0, WIDTH);
    let left = at(span.start);
    let width = (at(span.end.unwrap_or(until)) - left).max(2);
    push(
        out,
        format_args!(
            "<svg viewBox=\"0 0 {WIDTH} 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <rect x=\"{left}\" y=\"2\" width=\"{width}\" height=\"6\"/></svg>"
        ),
    );
}

/// A moment to the millisecond.
pub(crate) fn moment(time: Timestamp) -> String {
    let text = time.to_string().replace('T', " ");
    text.get(.."2026-01-01 00:00:00.000".len()).unwrap_or(&text).to_owned()
}

/// A duration with a unit that fits.
pub(crate) fn duration(nanos: i64) -> String {
    match nanos.max(0) as f64 {
        nanos if nanos < 1e3 => format!("{nanos} ns"),
        nanos if nanos < 1e6 => format!("{:.1} µs", nanos / 1e3),
        nanos if nanos < 1e9 => format!("{:.1} ms", nanos / 1e6),
        nanos if nanos < 60e9 => format!("{:.2} s", nanos / 1e9),
        nanos => format!("{:.1} min", nanos / 60e9),
    }
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_to_the_letter() {
        let given = r#"{"a":[1.10,{"b":"x,\"{:"},[],{}],"c":12345678901234567890}"#;
        let out = indent(given);
        assert_eq!(
            out,
            "{\n  \"a\": [\n    1.10,\n    {\n      \"b\": \"x,\\\"{:\"\n    },\n    [],\n    {}\n  ],\n  \"c\": \
             12345678901234567890\n}"
        );
        assert_eq!(indent("]]}"), "\n]\n]\n}", "what is no JSON is no reason to fail");
    }

    #[test]
    fn durations_have_a_unit_that_fits() {
        let texts: Vec<_> = [-1, 999, 1_500, 2_500_000, 1_234_000_000, 90_000_000_000].map(duration).into();
        assert_eq!(texts, ["0 ns", "999 ns", "1.5 µs", "2.5 ms", "1.23 s", "1.5 min"]);
    }
}
