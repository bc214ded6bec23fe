//! Strings: escapes, bounds, and what is no Unicode.

use std::fmt::Write as _;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PySlice, PyString};

/// Appends a JSON string.
pub(crate) fn write_string(out: &mut String, text: &str) {
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// A string of at most about `room` bytes. Cut text ends with a mark; lone surrogates become their escapes.
pub(crate) fn bounded(string: &Bound<'_, PyString>, room: usize) -> String {
    let chars = string.len().unwrap_or(0);
    let cut = (chars > room).then(|| slice(string, room)).flatten();
    let mut text = unicode(cut.as_ref().unwrap_or(string));
    if text.len() > room || cut.is_some() {
        let mut end = room.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        write!(text, "… ({chars} characters)").expect("a String takes everything");
    }
    text
}

/// The first `chars` characters, by the method of `str` itself.
fn slice<'py>(string: &Bound<'py, PyString>, chars: usize) -> Option<Bound<'py, PyString>> {
    let py = string.py();
    let range = PySlice::new(py, 0, isize::try_from(chars).ok()?, 1);
    let cut = py.get_type::<PyString>().call_method1("__getitem__", (string, range)).ok()?;
    cut.cast_into().ok()
}

/// The text of a string; what is no Unicode is escaped with a backslash.
pub(crate) fn unicode(string: &Bound<'_, PyString>) -> String {
    if let Ok(text) = string.to_str() {
        return text.to_owned();
    }
    let escaped =
        string.py().get_type::<PyString>().call_method1("encode", (string, "utf-8", "backslashreplace"));
    match escaped.as_ref().map(|bytes| bytes.cast::<PyBytes>()) {
        Ok(Ok(bytes)) => String::from_utf8_lossy(bytes.as_bytes()).into_owned(),
        _ => String::from("<no Unicode>"),
    }
}
