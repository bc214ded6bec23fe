//! Python values as JSON text, bounded in depth, nodes, bytes and time.
//!
//! Nothing here raises: what cannot be written becomes a text that says so. No iterator is
//! consumed. Code of the user runs only where nothing else tells what a value is (`__repr__` of
//! types that are no containers), once, and what it raises is dropped.

mod rich;
mod text;

use std::cell::Cell;
use std::time::{Duration, Instant};

use aitrace::Json;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

pub(crate) use rich::{error_parts, interrupt};
pub(crate) use text::{bounded, write_string};

const DEPTH: usize = 32;
const NODES: usize = 10_000;
const BYTES: usize = 1 << 20;
const TIME: Duration = Duration::from_millis(10);
/// The clock is read once for so many nodes.
const NODES_PER_TICK: usize = 64;

/// Captures any value as the text of one JSON value.
pub(crate) fn to_json(value: &Bound<'_, PyAny>) -> String {
    let mut writer = Writer::new();
    writer.value(value);
    writer.finish()
}

thread_local! {
    /// A text that is used again, so that a small value costs one allocation.
    static SCRATCH: Cell<String> = const { Cell::new(String::new()) };
}

/// Bytes of a text that is kept for use again.
const SCRATCH_BYTES: usize = 16 << 10;

/// Captures any value as [`Json`].
pub(crate) fn json_of(value: &Bound<'_, PyAny>) -> Json {
    if let Ok(number) = value.cast_exact::<PyInt>()
        && let Ok(small) = number.extract::<i64>()
    {
        return Json::from_trusted(itoa::Buffer::new().format(small));
    }
    if let Ok(number) = value.cast_exact::<PyFloat>()
        && number.value().is_finite()
    {
        return Json::from_trusted(zmij::Buffer::new().format_finite(number.value()));
    }
    let mut writer = Writer::new();
    // Taken, not borrowed: code of the user may come here again.
    writer.out = SCRATCH.take();
    writer.value(value);
    let mut text = writer.finish();
    let json = Json::from_trusted(text.as_str());
    if text.capacity() <= SCRATCH_BYTES {
        text.clear();
        SCRATCH.set(text);
    }
    json
}

/// Whether a value is written without code of the user.
pub(crate) fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_none()
}

/// Writes one value after the other into one text, within one budget.
pub(crate) struct Writer {
    out: String,
    nodes: usize,
    /// Set when the first tick is due: small values never read the clock.
    deadline: Option<Instant>,
    late: bool,
    /// Code of the user was interrupted (Ctrl-C) while it was asked for a text.
    interrupted: bool,
    /// Addresses of the containers that are open, from the outermost: for depth and cycles.
    open: Vec<usize>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self {
            out: String::new(),
            nodes: 0,
            deadline: None,
            late: false,
            interrupted: false,
            open: Vec::new(),
        }
    }

    pub(crate) fn finish(self) -> String {
        if self.interrupted {
            Python::attach(interrupt);
        }
        self.out
    }

    /// Whether anything was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Appends our own text.
    pub(crate) fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Gives the next value its own time.
    pub(crate) fn again(&mut self) {
        self.deadline = None;
    }

    /// Appends one value.
    pub(crate) fn value(&mut self, value: &Bound<'_, PyAny>) {
        self.count();
        if value.is_none() {
            self.raw("null");
        } else if let Ok(string) = value.cast_exact::<PyString>() {
            self.string(string);
        } else if let Ok(flag) = value.cast_exact::<PyBool>() {
            self.raw(if flag.is_true() { "true" } else { "false" });
        } else if let Ok(number) = value.cast_exact::<PyInt>() {
            self.int(number);
        } else if let Ok(number) = value.cast_exact::<PyFloat>() {
            self.float(number.value());
        } else if let Ok(dict) = value.cast_exact::<PyDict>() {
            self.dict(dict);
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            self.list(list);
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            self.sequence(value, tuple.len(), |index| tuple.get_item(index).ok());
        } else {
            rich::write(self, value);
        }
    }

    /// Whether no more may be written: too many nodes or bytes, or too late.
    pub(crate) fn spent(&self) -> bool {
        self.late || self.nodes >= NODES || self.out.len() >= BYTES
    }

    #[expect(clippy::disallowed_methods, reason = "the time that capturing may take is real time")]
    fn count(&mut self) {
        if self.nodes.is_multiple_of(NODES_PER_TICK) && self.nodes > 0 {
            let now = Instant::now();
            self.late |= now > *self.deadline.get_or_insert(now + TIME);
        }
        self.nodes += 1;
    }

    /// Starts the clock before code of the user runs, whose time nobody knows.
    #[expect(clippy::disallowed_methods, reason = "the time that capturing may take is real time")]
    pub(crate) fn tick(&mut self) {
        let now = Instant::now();
        self.late |= now > *self.deadline.get_or_insert(now + TIME);
    }

    fn room(&self) -> usize {
        BYTES.saturating_sub(self.out.len())
    }

    /// Appends a string, cut to what is left of the budget.
    pub(crate) fn string(&mut self, string: &Bound<'_, PyString>) {
        match string.to_str() {
            Ok(text) if text.len() <= self.room() => write_string(&mut self.out, text),
            _ => {
                let text = text::bounded(string, self.room());
                write_string(&mut self.out, &text);
            }
        }
    }

    /// Appends a text of ours as a JSON string.
    pub(crate) fn text(&mut self, text: &str) {
        write_string(&mut self.out, text);
    }

    /// Appends a whole number with all its digits.
    pub(crate) fn int(&mut self, number: &Bound<'_, PyInt>) {
        if let Ok(small) = number.extract::<i64>() {
            self.raw(itoa::Buffer::new().format(small));
            return;
        }
        // Bound: Python refuses to write numbers of more than 4 300 digits.
        match number.py().get_type::<PyInt>().call_method1("__repr__", (number,)) {
            Ok(digits) => self.raw(&digits.to_string()),
            Err(_) => self.text("<int beyond the limit of digits>"),
        }
    }

    /// Appends a float; what JSON cannot say is an object with one key, as on the wire.
    pub(crate) fn float(&mut self, value: f64) {
        if value.is_finite() {
            self.raw(zmij::Buffer::new().format_finite(value));
        } else if value.is_nan() {
            self.raw(r#"{"$double":"NaN"}"#);
        } else if value > 0.0 {
            self.raw(r#"{"$double":"Infinity"}"#);
        } else {
            self.raw(r#"{"$double":"-Infinity"}"#);
        }
    }

    fn list(&mut self, list: &Bound<'_, PyList>) {
        // The length is read again for each item: the list may shrink while we look.
        self.sequence(list.as_any(), list.len(), |index| list.get_item(index).ok());
    }

    /// Appends an array of `len` items, `item` says which; `None` ends it early.
    pub(crate) fn sequence<'py>(
        &mut self,
        owner: &Bound<'py, PyAny>,
        len: usize,
        mut item: impl FnMut(usize) -> Option<Bound<'py, PyAny>>,
    ) {
        if !self.enter(owner) {
            return;
        }
        self.raw("[");
        for index in 0..len {
            if index > 0 {
                self.raw(",");
            }
            if self.spent() {
                self.more(len - index);
                break;
            }
            match item(index) {
                Some(item) => self.value(&item),
                None => self.more(len - index),
            }
        }
        self.raw("]");
        self.leave();
    }

    /// Appends an object from a dict or a subclass of it, without its overridden methods.
    pub(crate) fn dict(&mut self, dict: &Bound<'_, PyDict>) {
        let owner = dict.as_any();
        if !self.enter(owner) {
            return;
        }
        let len = dict.len();
        self.raw("{");
        if len <= NODES {
            // A copy of the items, because other code may change the dict while we look.
            for (index, item) in dict.items().iter().enumerate() {
                let Ok((key, value)) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>() else { break };
                if !self.member(index, len, &key, &value) {
                    break;
                }
            }
        } else {
            self.text("…");
            self.raw(":");
            self.more(len);
        }
        self.raw("}");
        self.leave();
    }

    /// Appends member `index` of `len`; false when the budget is spent.
    pub(crate) fn member(
        &mut self,
        index: usize,
        len: usize,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> bool {
        if index > 0 {
            self.raw(",");
        }
        if self.spent() {
            self.text("…");
            self.raw(":");
            self.more(len - index);
            return false;
        }
        if let Ok(key) = key.cast::<PyString>() {
            self.string(key);
        } else {
            let key = rich::key_text(self, key);
            self.text(&key);
        }
        self.raw(":");
        self.value(value);
        true
    }

    fn more(&mut self, count: usize) {
        self.text(&format!("… {count} more"));
    }

    /// Opens a container; false after writing a marker where it is too deep or inside itself.
    pub(crate) fn enter(&mut self, owner: &Bound<'_, PyAny>) -> bool {
        let address = owner.as_ptr() as usize;
        if self.open.len() >= DEPTH {
            self.text("… deeper");
            return false;
        }
        if self.open.contains(&address) {
            self.text("… cycle");
            return false;
        }
        self.open.push(address);
        true
    }

    /// Closes the innermost container.
    pub(crate) fn leave(&mut self) {
        self.open.pop();
    }
}
