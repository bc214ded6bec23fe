//! Values of other types than JSON's own.

use aitrace_model::AnyValue;
use pyo3::exceptions::{PyBaseException, PyKeyboardInterrupt};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PyMappingProxy, PySet, PyString,
    PyTuple, PyType,
};

use super::{Writer, text};

/// Bytes of a `repr` that are kept.
const REPR: usize = 2_000;
/// Items of an array that are kept.
const ARRAY: usize = 1_000;

/// Types that are told by their class: those written as `str(value)`, those as `isoformat()`.
struct Known {
    enumeration: Py<PyAny>,
    as_str: Py<PyTuple>,
    as_iso: Py<PyTuple>,
    iterable: Py<PyTuple>,
    code: Py<PyTuple>,
}

static KNOWN: PyOnceLock<Known> = PyOnceLock::new();

fn known(py: Python<'_>) -> PyResult<&Known> {
    KNOWN.get_or_try_init(py, || {
        let get = |module: &str, name: &str| py.import(module)?.getattr(name);
        let of = |names: &[(&str, &str)]| -> PyResult<Py<PyTuple>> {
            let types = names.iter().map(|(module, name)| get(module, name)).collect::<PyResult<Vec<_>>>()?;
            Ok(PyTuple::new(py, types)?.unbind())
        };
        Ok(Known {
            enumeration: get("enum", "Enum")?.unbind(),
            as_str: of(&[
                ("uuid", "UUID"),
                ("decimal", "Decimal"),
                ("fractions", "Fraction"),
                ("datetime", "timedelta"),
                ("pathlib", "PurePath"),
                ("builtins", "complex"),
                ("builtins", "range"),
            ])?,
            as_iso: of(&[("datetime", "date"), ("datetime", "time")])?,
            iterable: of(&[
                ("collections", "deque"),
                ("_collections_abc", "dict_keys"),
                ("_collections_abc", "dict_values"),
                ("_collections_abc", "dict_items"),
            ])?,
            code: of(&[
                ("types", "FunctionType"),
                ("types", "BuiltinFunctionType"),
                ("types", "MethodType"),
                ("builtins", "type"),
            ])?,
        })
    })
}

/// Appends a value; never fails.
pub(super) fn write(writer: &mut Writer, value: &Bound<'_, PyAny>) {
    let start = writer.out.len();
    let open = writer.open.len();
    if let Err(error) = try_write(writer, value) {
        writer.interrupted |= is_interrupt(value.py(), &error);
        // A container may stand half written; its text is taken back.
        writer.out.truncate(start);
        writer.open.truncate(open);
        let name = type_name(&value.get_type());
        writer.text(&format!("<{name}>"));
    }
}

fn is_interrupt(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyKeyboardInterrupt>(py)
}

/// Gives a Ctrl-C back to the interpreter: it came in our call by accident of timing. Nothing of Python's may
/// run after it, or the interrupt is raised there.
pub(crate) fn interrupt(py: Python<'_>) {
    if let Ok(interrupt) = py.import("_thread").and_then(|module| module.getattr("interrupt_main")) {
        drop(interrupt.call0());
    }
}

fn try_write(writer: &mut Writer, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = value.py();
    let class = value.get_type();
    let known = known(py)?;
    if class.is_subclass(known.enumeration.bind(py))? {
        writer.value(&value.getattr(intern!(py, "_value_"))?);
    } else if write_subclass(writer, value, &class)? {
    } else if class.is_subclass(known.as_iso.bind(py))? {
        writer.string(value.call_method0(intern!(py, "isoformat"))?.cast()?);
    } else if class.is_subclass(known.as_str.bind(py))? {
        writer.string(&value.str()?);
    } else if class.is_subclass(known.iterable.bind(py))? {
        iterate(writer, value)?;
    } else if let Ok(proxy) = value.cast::<PyMappingProxy>() {
        let copy = PyDict::new(py);
        copy.update(proxy.cast()?)?;
        writer.dict(&copy);
    } else if value.is_instance_of::<PyBaseException>() {
        let kind = type_name(&class);
        let message = text::unicode(&value.str()?);
        object(writer, value, &[("type", kind), ("message", message)]);
    } else if class.is_subclass(known.code.bind(py))? {
        let name = value.getattr(intern!(py, "__qualname__"))?.to_string();
        let module = value.getattr(intern!(py, "__module__")).map(|module| module.to_string());
        writer.text(&module.map_or(name.clone(), |module| format!("<{module}.{name}>")));
    } else if !fields(writer, value, &class)? && !array(writer, value, &class)? {
        opaque(writer, value, &class)?;
    }
    Ok(())
}

/// Subclasses of the built-in types, without the methods that they override.
fn write_subclass(
    writer: &mut Writer,
    value: &Bound<'_, PyAny>,
    class: &Bound<'_, PyType>,
) -> PyResult<bool> {
    let py = value.py();
    if let Ok(string) = value.cast::<PyString>() {
        let text = text::bounded(string, writer.room());
        writer.text(&text);
    } else if let Ok(number) = value.cast::<PyInt>() {
        writer.int(number);
    } else if let Ok(number) = value.cast::<PyFloat>() {
        // numpy's float64 is a float, too.
        writer.float(number.value());
    } else if let Ok(dict) = value.cast::<PyDict>() {
        writer.dict(dict);
    } else if let Ok(list) = value.cast::<PyList>() {
        writer.sequence(value, list.len(), |index| list.get_item(index).ok());
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        match class.getattr(intern!(py, "_fields")).map(Bound::cast_into::<PyTuple>) {
            Ok(Ok(names)) if names.len() == tuple.len() => named(writer, value, &names, tuple)?,
            _ => writer.sequence(value, tuple.len(), |index| tuple.get_item(index).ok()),
        }
    } else if value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        iterate(writer, value)?;
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        binary(writer, bytes.as_bytes());
    } else if let Ok(bytes) = value.cast::<PyByteArray>() {
        binary(writer, &bytes.to_vec());
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn binary(writer: &mut Writer, bytes: &[u8]) {
    let room = writer.room() / 4 * 3;
    if bytes.len() <= room {
        AnyValue::Bytes(bytes.to_vec()).write_json(&mut writer.out);
    } else {
        writer.text(&format!("<{} bytes>", bytes.len()));
    }
}

fn named(
    writer: &mut Writer,
    value: &Bound<'_, PyAny>,
    names: &Bound<'_, PyTuple>,
    tuple: &Bound<'_, PyTuple>,
) -> PyResult<()> {
    if !writer.enter(value) {
        return Ok(());
    }
    writer.raw("{");
    for (index, name) in names.iter().enumerate() {
        if !writer.member(index, names.len(), &name, &tuple.get_item(index)?) {
            break;
        }
    }
    writer.raw("}");
    writer.leave();
    Ok(())
}

/// A container whose iteration changes nothing in it.
fn iterate(writer: &mut Writer, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let mut items = value.try_iter()?;
    // Ends early when the container changes meanwhile.
    writer.sequence(value, value.len()?, |_| items.next().and_then(PyResult::ok));
    Ok(())
}

fn object<const N: usize>(writer: &mut Writer, owner: &Bound<'_, PyAny>, members: &[(&str, String); N]) {
    if !writer.enter(owner) {
        return;
    }
    for (index, (name, value)) in members.iter().enumerate() {
        writer.raw(if index == 0 { "{" } else { "," });
        writer.text(name);
        writer.raw(":");
        writer.text(value);
    }
    writer.raw("}");
    writer.leave();
}

/// Instances with declared fields: dataclasses, pydantic, attrs. Fields hidden from `repr` stay hidden.
fn fields(writer: &mut Writer, value: &Bound<'_, PyAny>, class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = value.py();
    let declared = if let Ok(fields) = class.getattr(intern!(py, "__dataclass_fields__")) {
        pairs(&fields)?
    } else if let Ok(fields) = class.getattr(intern!(py, "__pydantic_fields__")) {
        pairs(&fields)?
    } else if let Ok(fields) = class.getattr(intern!(py, "__attrs_attrs__")) {
        let fields = fields.cast_into::<PyTuple>()?;
        fields.iter().map(|field| Ok((field.getattr("name")?, field))).collect::<PyResult<_>>()?
    } else {
        return Ok(false);
    };
    if !writer.enter(value) {
        return Ok(true);
    }
    writer.raw("{");
    let plain = py.get_type::<PyAny>().getattr(intern!(py, "__getattribute__"))?;
    let mut written = 0;
    for (name, field) in &declared {
        let hidden = field
            .getattr(intern!(py, "repr"))
            .is_ok_and(|shown| shown.is(pyo3::types::PyBool::new(py, false)));
        // A field may be unset; then it is not there.
        let Ok(member) = plain.call1((value, name)) else { continue };
        if hidden {
            continue;
        }
        if !writer.member(written, declared.len(), name, &member) {
            break;
        }
        written += 1;
    }
    if let Ok(extra) = plain.call1((value, intern!(py, "__pydantic_extra__")))
        && let Ok(extra) = extra.cast::<PyDict>()
    {
        for item in extra.items() {
            let (name, member) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
            if !writer.member(written, declared.len() + extra.len(), &name, &member) {
                break;
            }
            written += 1;
        }
    }
    writer.raw("}");
    writer.leave();
    Ok(true)
}

fn pairs<'py>(fields: &Bound<'py, PyAny>) -> PyResult<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
    fields.cast::<PyDict>()?.items().iter().map(|item| item.extract()).collect()
}

/// Arrays and scalars of numpy and what looks like them: small ones by value, others by shape and type.
fn array(writer: &mut Writer, value: &Bound<'_, PyAny>, class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = value.py();
    if class.getattr(intern!(py, "dtype")).is_err() || class.getattr(intern!(py, "shape")).is_err() {
        return Ok(false);
    }
    let shape = value.getattr(intern!(py, "shape"))?;
    let size = shape.try_iter()?.map(|side| side?.extract::<usize>()).product::<PyResult<usize>>()?;
    let module = class.getattr(intern!(py, "__module__"))?.to_string();
    if module == "numpy" && size <= ARRAY {
        let plain = value.call_method0(intern!(py, "tolist"))?;
        // Of a type that has no plain form (a record, an object) `tolist` gives itself.
        if plain.get_type().is(class) {
            return Ok(false);
        }
        writer.value(&plain);
        return Ok(true);
    }
    let dtype = text::unicode(&value.getattr(intern!(py, "dtype"))?.str()?);
    object(writer, value, &[("type", type_name(class)), ("dtype", dtype), ("shape", shape.to_string())]);
    Ok(true)
}

/// Anything else: its `repr`, unless it can be iterated, for then a `repr` may query a database.
fn opaque(writer: &mut Writer, value: &Bound<'_, PyAny>, class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = value.py();
    writer.tick();
    if writer.spent()
        || (class.hasattr(intern!(py, "__iter__"))? && !class.hasattr(intern!(py, "__next__"))?)
    {
        writer.text(&format!("<{}>", type_name(class)));
        return Ok(());
    }
    let repr = value.repr()?;
    let text = text::bounded(&repr, REPR.min(writer.room()));
    writer.text(&text);
    writer.tick();
    Ok(())
}

/// The text of a key that is no string.
pub(super) fn key_text(writer: &mut Writer, key: &Bound<'_, PyAny>) -> String {
    let mut inner = Writer::new();
    inner.open.clone_from(&writer.open);
    inner.value(key);
    writer.late |= inner.late;
    writer.interrupted |= std::mem::take(&mut inner.interrupted);
    let text = inner.finish();
    // A key that came out as a JSON string is that string.
    serde_json::from_str::<String>(&text).unwrap_or(text)
}

fn type_name(class: &Bound<'_, PyType>) -> String {
    class.fully_qualified_name().map_or_else(|_| String::from("object"), |name| text::unicode(&name))
}

/// The type and message of an exception for a span's error; never fails.
pub(crate) fn error_parts(error: &Bound<'_, PyAny>) -> (String, String) {
    let kind =
        error.get_type().qualname().map_or_else(|_| String::from("Exception"), |name| text::unicode(&name));
    let message = match error.str() {
        Ok(message) => text::bounded(&message, 32_768),
        Err(failure) => {
            if is_interrupt(error.py(), &failure) {
                interrupt(error.py());
            }
            String::from("<no message>")
        }
    };
    (kind, message)
}
