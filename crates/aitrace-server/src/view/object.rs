//! Writes one JSON object, member by member.

use std::fmt::{Display, Write as _};

use aitrace_model::{CodeLocation, Json};

use super::safe::{LARGEST, push_safe};

/// An object being written to the end of a text.
pub(super) struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    pub(super) fn end(self) {
        self.out.push('}');
    }

    /// Writes the key and returns where its value belongs. Keys are ours: they need no escapes.
    pub(super) fn key(&mut self, key: &'static str) -> &mut String {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
        self.out
    }

    pub(super) fn text(&mut self, key: &'static str, text: &str) {
        push_string(self.key(key), text);
    }

    pub(super) fn maybe_text(&mut self, key: &'static str, text: Option<&str>) {
        match text {
            Some(text) => self.text(key, text),
            None => self.null(key),
        }
    }

    pub(super) fn null(&mut self, key: &'static str) {
        self.key(key).push_str("null");
    }

    pub(super) fn flag(&mut self, key: &'static str, value: bool) {
        self.key(key).push_str(if value { "true" } else { "false" });
    }

    /// Text that needs no escapes: ids, times, digits.
    pub(super) fn plain(&mut self, key: &'static str, value: impl Display) {
        write!(self.key(key), "\"{value}\"").expect("a String takes everything");
    }

    pub(super) fn maybe_plain(&mut self, key: &'static str, value: Option<impl Display>) {
        match value {
            Some(value) => self.plain(key, value),
            None => self.null(key),
        }
    }

    /// A count: a number, or its digits as a string where a double cannot hold it.
    pub(super) fn count(&mut self, key: &'static str, value: u64) {
        if value > LARGEST {
            self.plain(key, value);
        } else {
            write!(self.key(key), "{value}").expect("a String takes everything");
        }
    }

    pub(super) fn maybe_count(&mut self, key: &'static str, value: Option<u64>) {
        match value {
            Some(value) => self.count(key, value),
            None => self.null(key),
        }
    }

    /// A double; null where it is none that JSON can say.
    pub(super) fn maybe_double(&mut self, key: &'static str, value: Option<f64>) {
        match value.filter(|value| value.is_finite()) {
            Some(value) => self.key(key).push_str(&serde_json::Value::from(value).to_string()),
            None => self.null(key),
        }
    }

    /// User data.
    pub(super) fn json(&mut self, key: &'static str, json: &Json) {
        push_safe(self.key(key), json.as_str());
    }

    pub(super) fn maybe_json(&mut self, key: &'static str, json: Option<&Json>) {
        match json {
            Some(json) => self.json(key, json),
            None => self.null(key),
        }
    }

    pub(super) fn code(&mut self, code: Option<&CodeLocation>) {
        let Some(code) = code else { return self.null("code") };
        let mut object = Object::begin(self.key("code"));
        object.text("file", &code.file);
        object.count("line", u64::from(code.line));
        object.text("function", &code.function);
        object.end();
    }
}

pub(super) fn push_string(out: &mut String, text: &str) {
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// Writes `[…]` of elements that `write` appends.
pub(super) fn push_array<T>(
    out: &mut String,
    values: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push('[');
    let mut first = true;
    for value in values {
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        write(out, value);
    }
    out.push(']');
}
