//! Python's values as the recorder's: names, attributes, exceptions.

use aitrace::{AnyValue, Enrich, ErrorInfo, Text, Value};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};

use crate::capture::{bounded, error_parts, json_of, to_json};
use crate::intern;

/// Bytes of a name or a key that are kept.
const TEXT: usize = 1 << 16;
/// Bytes of a stack trace that are kept.
const STACK: usize = 32_768;

/// An exception as the model tells it; never fails.
pub(crate) fn error_info(error: &Bound<'_, PyAny>) -> ErrorInfo {
    let (kind, message) = error_parts(error);
    ErrorInfo { kind, message, stacktrace: stacktrace(error).unwrap_or_default() }
}

fn stacktrace(error: &Bound<'_, PyAny>) -> Option<String> {
    let py = error.py();
    let module = py.import(intern!(py, "traceback")).ok()?;
    let lines = module.call_method1(intern!(py, "format_exception"), (error,)).ok()?;
    let text = PyString::new(py, "").call_method1(intern!(py, "join"), (lines,)).ok()?;
    Some(bounded(text.cast::<PyString>().ok()?, STACK))
}

/// A name or a key: as [`text_of`], kept for the next use where it is a string.
pub(crate) fn name_of(value: &Bound<'_, PyAny>) -> Text {
    let string = value.cast::<PyString>().ok().and_then(|string| string.to_str().ok());
    string.filter(|text| text.len() <= intern::LONGEST).map_or_else(|| text_of(value), intern::text)
}

/// A string, or what a value's text is.
pub(crate) fn text_of(value: &Bound<'_, PyAny>) -> Text {
    if let Ok(string) = value.cast::<PyString>() {
        return match string.to_str() {
            Ok(text) if text.len() <= TEXT => Text::Shared(text.into()),
            _ => Text::from(bounded(string, TEXT)),
        };
    }
    Text::from(to_json(value))
}

/// A plain attribute: strings, numbers and booleans as such, lists of them as arrays, the rest as JSON text.
pub(crate) fn attribute(value: &Bound<'_, PyAny>) -> Value {
    if let Ok(text) = value.cast::<PyString>() {
        return bounded(text, 1 << 20).into();
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return flag.is_true().into();
    }
    if let Ok(number) = value.cast_exact::<PyInt>()
        && let Ok(number) = number.extract::<i64>()
    {
        return number.into();
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return number.value().into();
    }
    let json = to_json(value);
    match serde_json::from_str::<serde_json::Value>(&json) {
        // Nested values travel as JSON text, so that every backend can show them.
        Ok(serde_json::Value::Array(items))
            if !items.iter().any(|item| item.is_array() || item.is_object()) =>
        {
            AnyValue::from(&serde_json::Value::Array(items)).into()
        }
        Ok(serde_json::Value::String(text)) => text.into(),
        Ok(serde_json::Value::Null) => AnyValue::Null.into(),
        _ => json.into(),
    }
}

/// Attributes of a mapping; what is none has none.
pub(crate) fn pairs(attributes: &Bound<'_, PyAny>) -> Vec<(Text, Value)> {
    let Ok(items) = attributes.call_method0(intern!(attributes.py(), "items")) else { return Vec::new() };
    let Ok(items) = items.try_iter() else { return Vec::new() };
    items
        .map_while(Result::ok)
        .filter_map(|item| item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>().ok())
        .map(|(key, value)| (name_of(&key), attribute(&value)))
        .collect()
}

/// Outputs and nothing else.
pub(crate) fn outputs(value: &Bound<'_, PyAny>) -> Enrich {
    Enrich::new().outputs_json(json_of(value))
}
