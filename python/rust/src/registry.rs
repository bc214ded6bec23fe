//! The tracers of this process, for free functions. Only a default that was set is kept alive, and the
//! newest tracer, so that `Tracer(...)` without a name for it works.

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;

use crate::classes::Tracer;

struct Table {
    /// Oldest first.
    tracers: Vec<(String, Py<PyWeakrefReference>)>,
    chosen: Option<Py<Tracer>>,
    newest: Option<Py<Tracer>>,
}

// Nothing of Python's runs while this is locked: what is let go of is dropped after it.
static TABLE: Mutex<Table> = Mutex::new(Table { tracers: Vec::new(), chosen: None, newest: None });

/// Tracers that Python has let go of while they had something to send, until the exit or another tracer.
static LEAVING: Mutex<Vec<aitrace::Tracer>> = Mutex::new(Vec::new());

/// Called when Python lets go of a tracer: what it has not sent yet must not be lost at exit.
fn leave(tracer: &aitrace::Tracer) {
    if !tracer.is_off() && tracer.stats().remaining > 0 {
        LEAVING.lock().push(tracer.clone());
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        leave(&self.core);
    }
}

/// Takes over the tracers that are still sending, for the last flush.
pub(crate) fn leaving() -> Vec<aitrace::Tracer> {
    std::mem::take(&mut *LEAVING.lock())
}

/// Makes a tracer known; `keep` keeps it alive until another is made.
#[pyfunction]
pub(crate) fn register(tracer: &Bound<'_, Tracer>, keep: bool) -> PyResult<()> {
    let py = tracer.py();
    let reference = PyWeakrefReference::new(tracer.as_any())?.unbind();
    let id = tracer.get().core.identity().tracer_id.as_ref().to_owned();
    let sent: Vec<_> = LEAVING.lock().extract_if(.., |tracer| tracer.stats().remaining == 0).collect();
    drop(sent);
    let mut table = TABLE.lock();
    let mut gone = Vec::new();
    table.tracers.retain(|(_, known)| {
        let alive = known.bind(py).upgrade().is_some();
        if !alive {
            gone.push(known.clone_ref(py));
        }
        alive
    });
    table.tracers.push((id, reference));
    let before = if keep { table.newest.replace(tracer.clone().unbind()) } else { None };
    drop(table);
    drop((before, gone));
    Ok(())
}

/// Forgets a tracer that was shut down.
#[pyfunction]
pub(crate) fn unregister(tracer: &Bound<'_, Tracer>) {
    let id = tracer.get().core.identity().tracer_id.clone();
    let is_it = |known: &Option<Py<Tracer>>| known.as_ref().is_some_and(|known| known.is(tracer));
    let mut table = TABLE.lock();
    let chosen = if is_it(&table.chosen) { table.chosen.take() } else { None };
    let newest = if is_it(&table.newest) { table.newest.take() } else { None };
    let place = table.tracers.iter().position(|(known, _)| **known == *id);
    let entry = place.map(|place| table.tracers.remove(place));
    drop(table);
    drop((chosen, newest, entry));
}

/// Sets the tracer of free functions where the context names none; None goes back to the oldest.
#[pyfunction]
#[pyo3(signature = (tracer))]
pub(crate) fn set_default_tracer(tracer: Option<Py<Tracer>>) {
    let before = std::mem::replace(&mut TABLE.lock().chosen, tracer);
    drop(before);
}

/// All living tracers, oldest first.
#[pyfunction]
pub(crate) fn tracers(py: Python<'_>) -> Vec<Bound<'_, Tracer>> {
    let table = TABLE.lock();
    let references: Vec<_> = table.tracers.iter().map(|(_, reference)| reference.clone_ref(py)).collect();
    drop(table);
    references.iter().filter_map(|reference| upgrade(reference.bind(py))).collect()
}

fn upgrade<'py>(reference: &Bound<'py, PyWeakrefReference>) -> Option<Bound<'py, Tracer>> {
    reference.upgrade()?.cast_into().ok()
}

/// The tracer with this id.
pub(crate) fn by_id<'py>(py: Python<'py>, id: &str) -> Option<Bound<'py, Tracer>> {
    let table = TABLE.lock();
    let reference = table.tracers.iter().find(|(known, _)| known == id)?.1.clone_ref(py);
    drop(table);
    upgrade(reference.bind(py))
}

/// The default tracer, else the oldest that lives.
pub(crate) fn default(py: Python<'_>) -> Option<Bound<'_, Tracer>> {
    let table = TABLE.lock();
    if let Some(chosen) = &table.chosen {
        return Some(chosen.bind(py).clone());
    }
    let first = table.tracers.first()?.1.clone_ref(py);
    drop(table);
    // The oldest is nearly always alive; where it is not, the others are asked.
    upgrade(first.bind(py)).or_else(|| tracers(py).into_iter().next())
}
