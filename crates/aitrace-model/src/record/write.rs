//! One record to one line of JSON.

use std::fmt::{Display, Write as _};

use super::META_KEY;
use super::meta::{Meta, Record};
use crate::json::Json;
use crate::span::ErrorInfo;
use crate::text::write_string;

const TIMESTAMP: &str = "timestamp";

impl Record {
    /// The record as one line of JSON without a line end. With `compat` its timestamp is repeated
    /// at the top level, unless the user's data has a key of that name.
    pub fn to_line(&self, compat: bool) -> String {
        let mut line = String::new();
        self.write_line(&mut line, compat);
        line
    }

    /// Appends [`Record::to_line`].
    pub fn write_line(&self, out: &mut String, compat: bool) {
        out.push('{');
        if compat && self.get(TIMESTAMP).is_none() {
            member(out, TIMESTAMP, |out| quoted(out, &self.meta.timestamp));
        }
        for (key, value) in &self.data {
            // The one key that user data cannot have: it would hide the metadata.
            let key = if key == META_KEY { "__tracer_meta___" } else { key };
            member(out, key, |out| on_one_line(out, value));
        }
        member(out, META_KEY, |out| write_meta(out, &self.meta));
        out.push('}');
    }
}

fn write_meta(out: &mut String, meta: &Meta) {
    out.push('{');
    member(out, TIMESTAMP, |out| quoted(out, &meta.timestamp));
    text(out, "event", Some(&meta.event));
    display(out, "trace_id", meta.trace_id.as_ref());
    display(out, "span_id", meta.span_id.as_ref());
    display(out, "parent_span_id", meta.parent_span_id.as_ref());
    text(out, "file", meta.file.as_ref());
    plain(out, "line", meta.line.as_ref());
    text(out, "function", meta.function.as_ref());
    display(out, "level", meta.level.as_ref());
    text(out, "logger", meta.logger.as_ref());
    plain(out, "provisional", meta.provisional.then_some(true).as_ref());
    text(out, "version", meta.version.as_ref());
    text(out, "id", meta.id.as_ref());
    display(out, "lifecycle", meta.lifecycle.as_ref());
    display(out, "status", meta.status.as_ref());
    if let Some(error) = &meta.error {
        member(out, "error", |out| write_error(out, error));
    }
    plain(out, "duration_ns", meta.duration_ns.as_ref());
    display(out, "event_type", meta.event_type.as_ref());
    text(out, "project", meta.project.as_ref());
    text(out, "source", meta.source.as_ref());
    text(out, "session_id", meta.session_id.as_ref());
    text(out, "run_id", meta.run_id.as_ref());
    text(out, "dataset_id", meta.dataset_id.as_ref());
    text(out, "datapoint_id", meta.datapoint_id.as_ref());
    text(out, "service", meta.service.as_ref());
    for (key, value) in &meta.extra {
        member(out, key, |out| on_one_line(out, value));
    }
    out.push('}');
}

fn write_error(out: &mut String, error: &ErrorInfo) {
    out.push('{');
    text(out, "type", Some(&error.kind));
    text(out, "message", Some(&error.message));
    text(out, "stacktrace", Some(&error.stacktrace));
    out.push('}');
}

fn member(out: &mut String, key: &str, value: impl FnOnce(&mut String)) {
    if !out.ends_with('{') {
        out.push(',');
    }
    write_string(out, key);
    out.push(':');
    value(out);
}

fn text(out: &mut String, key: &str, value: Option<&String>) {
    if let Some(value) = value {
        member(out, key, |out| write_string(out, value));
    }
}

fn display(out: &mut String, key: &str, value: Option<&impl Display>) {
    if let Some(value) = value {
        member(out, key, |out| quoted(out, value));
    }
}

fn plain(out: &mut String, key: &str, value: Option<&impl Display>) {
    if let Some(value) = value {
        member(out, key, |out| write!(out, "{value}").expect("a String takes everything"));
    }
}

// For what never needs an escape: times, ids, words.
fn quoted(out: &mut String, value: &impl Display) {
    write!(out, "\"{value}\"").expect("a String takes everything");
}

/// Line ends can stand in JSON text only between tokens, where a blank means the same.
fn on_one_line(out: &mut String, value: &Json) {
    let from = out.len();
    out.push_str(value.as_str());
    if memchr::memchr2(b'\n', b'\r', &out.as_bytes()[from..]).is_some() {
        let cut = out.split_off(from).replace(['\n', '\r'], " ");
        out.push_str(&cut);
    }
}
