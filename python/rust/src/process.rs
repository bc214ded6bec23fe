//! Rules, and processors written in Python.

use std::path::Path;

use aitrace::{Rules, RulesError, RulesFormat};
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict};

use crate::capture::interrupt;
use crate::classes::Span;
use crate::convert::text_of;

/// Rules as Python gives them: `file` or `json`, a path or a text, and how errors name it.
type Source = (String, String, String);

fn parse((kind, source, place): &Source) -> Result<Rules, RulesError> {
    if kind == "file" {
        Rules::read(Path::new(source))
    } else {
        Rules::parse(source, RulesFormat::Json, place)
    }
}

/// Raises ValueError for rules that cannot be used: where, and why.
#[pyfunction]
pub(crate) fn check_rules(kind: String, source: String, place: String) -> PyResult<()> {
    parse(&(kind, source, place)).map(drop).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// The rules, the choice about masking and the processors among a tracer's settings.
pub(crate) fn read(
    settings: &Bound<'_, PyDict>,
    mut builder: aitrace::TracerBuilder,
) -> PyResult<(aitrace::TracerBuilder, Option<Py<PyAny>>)> {
    let get = |name: &str| Ok::<_, PyErr>(settings.get_item(name)?.filter(|value| !value.is_none()));
    if let Some(sources) = get("rules")? {
        let sources: Vec<Source> = sources.extract()?;
        let rules = sources.iter().try_fold(Rules::default(), |rules, source| Ok(rules.and(parse(source)?)));
        builder = builder.rules(rules.map_err(|error: RulesError| PyValueError::new_err(error.to_string()))?);
    }
    if let Some(mask) = get("mask")? {
        builder = builder.mask(mask.extract()?);
    }
    let processors = get("processors")?.map(Bound::unbind);
    if processors.is_some() {
        builder = builder.hold_open_spans(true);
    }
    Ok((builder, processors))
}

/// Has a tracer's processors look at a span that is about to end; whether it goes on to its end.
#[cold]
pub(crate) fn run(span: &Bound<'_, Span>, processors: &Py<PyAny>) -> bool {
    let (py, this) = (span.py(), span.get());
    // A second thread, or the processor itself, may end it meanwhile.
    if std::mem::replace(&mut this.state.lock().processed, true) {
        return false;
    }
    match processors.bind(py).call1((span,)) {
        Ok(answer) if answer.is_instance_of::<PyBool>() => {
            if !answer.is_truthy().unwrap_or(false) {
                this.handle.conceal();
            }
            true
        }
        Ok(who) => {
            this.handle.leave_out(text_of(&who));
            false
        }
        Err(error) => {
            this.handle.conceal();
            // Only what is no `Exception` comes here; an interrupt is the program's.
            if error.is_instance_of::<PyKeyboardInterrupt>(py) {
                interrupt(py);
            }
            true
        }
    }
}
