//! Arguments of a call as one JSON object, by the parameters' names.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::capture::{Writer, write_string};

/// How a parameter takes its argument; the values of `inspect.Parameter.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    PositionalOnly,
    PositionalOrKeyword,
    VarPositional,
    KeywordOnly,
    VarKeyword,
}

#[derive(Debug)]
struct Parameter {
    name: Py<PyString>,
    /// The name as JSON key with its colon.
    key: String,
    kind: Kind,
    default: Option<Py<PyAny>>,
}

/// The parameters whose arguments are captured.
#[derive(Debug, Default)]
pub(crate) struct Signature {
    parameters: Vec<Parameter>,
    /// Leading positional arguments that are not captured (`self`, `cls`).
    skip: usize,
}

impl Signature {
    /// From `(name, kind, default)`, where a parameter without a default has `inspect.Parameter.empty`; a
    /// leading parameter of kind 5 (`self`, `cls`) is not captured.
    pub(crate) fn new(py: Python<'_>, parameters: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let empty = py.import("inspect")?.getattr("Parameter")?.getattr("empty")?;
        let mut skip = 0;
        let mut read = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            let (name, kind, default): (Bound<'_, PyString>, u8, Bound<'_, PyAny>) = parameter.extract()?;
            let kind = match kind {
                0 => Kind::PositionalOnly,
                1 => Kind::PositionalOrKeyword,
                2 => Kind::VarPositional,
                3 => Kind::KeywordOnly,
                4 => Kind::VarKeyword,
                5 => {
                    skip += 1;
                    continue;
                }
                _ => return Err(PyValueError::new_err("no kind of a parameter")),
            };
            let mut key = String::new();
            write_string(&mut key, name.to_str()?);
            key.push(':');
            let default = (!default.is(&empty)).then(|| default.unbind());
            read.push(Parameter { name: name.unbind(), key, kind, default });
        }
        Ok(Self { parameters: read, skip })
    }

    /// Shows the collector the defaults.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.parameters.iter().try_for_each(|parameter| visit.call(&parameter.default))
    }

    /// The arguments as the text of a JSON object; `None` where there are none.
    ///
    /// What does not fit the parameters is left out: the call itself will say what is wrong.
    pub(crate) fn capture(
        &self,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> Option<String> {
        if self.parameters.is_empty() {
            return None;
        }
        let py = args.py();
        let mut writer = Writer::new();
        let mut position = self.skip;
        for parameter in &self.parameters {
            let named = || kwargs.and_then(|kwargs| kwargs.get_item(parameter.name.bind(py)).ok().flatten());
            let by_position = matches!(parameter.kind, Kind::PositionalOnly | Kind::PositionalOrKeyword);
            if by_position && position < args.len() {
                let value = args.get_item(position).ok()?;
                position += 1;
                member(&mut writer, &parameter.key, &value);
            } else if parameter.kind == Kind::VarPositional {
                let rest = args.get_slice(position, args.len());
                position = args.len();
                if !rest.is_empty() {
                    member(&mut writer, &parameter.key, rest.as_any());
                }
            } else if parameter.kind == Kind::VarKeyword {
                if let Some(kwargs) = kwargs {
                    self.rest(&mut writer, parameter, kwargs)?;
                }
            } else if let Some(value) = named().filter(|_| parameter.kind != Kind::PositionalOnly) {
                member(&mut writer, &parameter.key, &value);
            } else if let Some(default) = &parameter.default {
                member(&mut writer, &parameter.key, default.bind(py));
            }
        }
        if writer.is_empty() {
            return None;
        }
        writer.raw("}");
        Some(writer.finish())
    }

    /// The keyword arguments that no parameter names.
    fn rest(&self, writer: &mut Writer, parameter: &Parameter, kwargs: &Bound<'_, PyDict>) -> Option<()> {
        let py = kwargs.py();
        let rest = kwargs.copy().ok()?;
        for taken in &self.parameters {
            if matches!(taken.kind, Kind::PositionalOrKeyword | Kind::KeywordOnly) {
                // Not there where it was given by position.
                drop(rest.del_item(taken.name.bind(py)));
            }
        }
        if !rest.is_empty() {
            member(writer, &parameter.key, rest.as_any());
        }
        Some(())
    }
}

fn member(writer: &mut Writer, key: &str, value: &Bound<'_, PyAny>) {
    writer.raw(if writer.is_empty() { "{" } else { "," });
    writer.raw(key);
    writer.value(value);
}
