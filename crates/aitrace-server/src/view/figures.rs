//! What a search found, statistics, and the answer of a statement.

use std::fmt::Write as _;

use aitrace_store::{Hit, HitCursor, SqlColumn, SqlValue, SqlView, StatisticsQuery, StatisticsRow};

use super::object::{Object, push_array, push_string};
use super::safe::LARGEST;

/// Appends a hit.
pub(crate) fn hit(out: &mut String, hit: &Hit) {
    let mut object = Object::begin(out);
    object.plain("type", if hit.log_id.is_some() { "log" } else { "span" });
    object.text("project", &hit.project);
    object.maybe_plain("trace_id", hit.trace_id);
    object.maybe_plain("span_id", hit.span_id);
    object.maybe_text("log_id", hit.log_id.as_deref());
    object.plain("ts", hit.time);
    object.text("name", &hit.name);
    object.plain("field", hit.field);
    object.text("excerpt", &hit.excerpt);
    object.end();
}

/// Appends how a search ended: `{"complete", "next"}`, with the number of hits between where it is given.
pub(crate) fn search_end(out: &mut String, complete: bool, found: Option<usize>, next: Option<&HitCursor>) {
    let mut object = Object::begin(out);
    object.flag("complete", complete);
    if let Some(found) = found {
        object.count("found", found as u64);
    }
    object.maybe_text("next", next.map(ToString::to_string).as_deref());
    object.end();
}

/// `{"since", "until", "bucket_ns", "by", "rows": […], "groups_left_out"}`: what stands before the rows and behind them.
pub(crate) fn statistics(query: &StatisticsQuery, groups_left_out: usize) -> (String, String) {
    let mut out = String::new();
    let mut object = Object::begin(&mut out);
    object.plain("since", query.since);
    object.plain("until", query.until);
    object.maybe_plain("bucket_ns", query.bucket_ns);
    object.maybe_plain("by", query.by.map(aitrace_store::Dimension::as_str));
    let rows = object.key("rows");
    rows.push('[');
    let begins = rows.len();
    rows.push(']');
    object.count("groups_left_out", groups_left_out as u64);
    object.end();
    let end = out.split_off(begins);
    (out, end)
}

/// Appends a row of statistics.
pub(crate) fn statistics_row(out: &mut String, row: &StatisticsRow) {
    let mut object = Object::begin(out);
    object.plain("ts", row.time);
    object.maybe_text("group", row.group.as_deref());
    object.count("count", row.count);
    object.count("errors", row.errors);
    object.maybe_double("error_rate", Some(row.errors as f64 / row.count.max(1) as f64));
    for (key, nanos) in [("p50_ms", row.p50_ns), ("p95_ms", row.p95_ns), ("p99_ms", row.p99_ns)] {
        object.maybe_double(key, Some(nanos as f64 / 1e6));
    }
    object.maybe_count("input_tokens", row.input_tokens);
    object.maybe_count("output_tokens", row.output_tokens);
    object.maybe_double("cost", row.cost);
    object.end();
}

/// Appends `[{"name", "type"}…]`.
pub(crate) fn columns(out: &mut String, columns: &[SqlColumn]) {
    push_array(out, columns, column);
}

/// Appends a row, `[…]`. Whole numbers beyond ±2^53 are strings, times are RFC 3339, doubles that JSON cannot say are null.
pub(crate) fn cells(out: &mut String, cells: &[SqlValue]) {
    push_array(out, cells, cell);
}

fn column(out: &mut String, column: &SqlColumn) {
    let mut object = Object::begin(out);
    object.text("name", &column.name);
    object.plain("type", column.kind);
    object.end();
}

fn cell(out: &mut String, value: &SqlValue) {
    let text = |out: &mut String, text: &dyn std::fmt::Display| {
        write!(out, "\"{text}\"").expect("a String takes everything");
    };
    let plain = |out: &mut String, text: &dyn std::fmt::Display| {
        write!(out, "{text}").expect("a String takes everything");
    };
    match value {
        SqlValue::Bool(value) => plain(out, value),
        SqlValue::Int(value) if value.unsigned_abs() > LARGEST => text(out, value),
        SqlValue::Int(value) => plain(out, value),
        SqlValue::UInt(value) if *value > LARGEST => text(out, value),
        SqlValue::UInt(value) => plain(out, value),
        SqlValue::Double(value) if value.is_finite() => {
            out.push_str(&serde_json::Value::from(*value).to_string());
        }
        SqlValue::Null | SqlValue::Double(_) => out.push_str("null"),
        SqlValue::Time(value) => text(out, value),
        SqlValue::Text(value) => push_string(out, value),
    }
}

/// `{"views": [{"name", "doc", "columns"}…]}`.
pub(crate) fn views(views: &[SqlView]) -> String {
    let mut out = String::new();
    let mut object = Object::begin(&mut out);
    push_array(object.key("views"), views, |out, view| {
        let mut object = Object::begin(out);
        object.plain("name", view.name);
        object.text("doc", view.doc);
        push_array(object.key("columns"), &view.columns, column);
        object.end();
    });
    object.end();
    out
}

#[cfg(test)]
mod tests {
    use aitrace_model::Timestamp;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn cells_are_what_javascript_can_read() {
        let column = |name: &str| SqlColumn { name: name.to_owned(), kind: "int" };
        let values = [
            SqlValue::Null,
            SqlValue::Bool(true),
            SqlValue::Int(-(1 << 53) - 1),
            SqlValue::Int(-7),
            SqlValue::UInt(u64::MAX),
            SqlValue::Double(f64::NAN),
            SqlValue::Double(0.5),
            SqlValue::Time(Timestamp::from_nanos(1)),
            SqlValue::Text("\u{1}".to_owned()),
        ];
        let (mut row, mut names) = (String::new(), String::new());
        cells(&mut row, &values);
        columns(&mut names, &[column("a\"b")]);
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let time = "1970-01-01T00:00:00.000000001Z";
        assert_eq!(
            read(&row),
            json!([null, true, "-9007199254740993", -7, "18446744073709551615", null, 0.5, time, "\u{1}"])
        );
        assert_eq!(read(&names), json!([{"name": "a\"b", "type": "int"}]));
    }
}
