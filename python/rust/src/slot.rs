//! What is current, in one `contextvars.ContextVar`: a [`Span`], a [`Scope`], or None.

use std::sync::Arc;

use aitrace::Context;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::otel;
use crate::span::Span;
use crate::tracer::Tracer;

/// The variable with its methods, looked up once.
struct Slot {
    variable: Py<PyAny>,
    get: Py<PyAny>,
    set: Py<PyAny>,
    reset: Py<PyAny>,
}

static SLOT: PyOnceLock<Slot> = PyOnceLock::new();

fn slot(py: Python<'_>) -> PyResult<&Slot> {
    SLOT.get_or_try_init(py, || {
        let default = [("default", py.None())];
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        let variable =
            class.call(("aitrace",), Some(&pyo3::types::IntoPyDict::into_py_dict(default, py)?))?;
        let method = |name: &str| variable.getattr(name).map(Bound::unbind);
        Ok(Slot {
            get: method("get")?,
            set: method("set")?,
            reset: method("reset")?,
            variable: variable.clone().unbind(),
        })
    })
}

/// The variable itself, for tests and tools.
pub(crate) fn variable(py: Python<'_>) -> PyResult<Py<PyAny>> {
    Ok(slot(py)?.variable.clone_ref(py))
}

/// The value in the slot.
pub(crate) fn get(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    slot(py)?.get.bind(py).call0()
}

/// Puts a value into the slot; the token takes it out again.
pub(crate) fn set<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    slot(py)?.set.bind(py).call1((value,))
}

/// Takes a value out again. From another context (a generator closed elsewhere) there is nothing to take out.
pub(crate) fn reset(py: Python<'_>, token: &Bound<'_, PyAny>) {
    // ValueError: set in another context. RuntimeError: taken out before.
    if let Ok(slot) = slot(py) {
        drop(slot.reset.bind(py).call1((token,)));
    }
}

/// Values that `set_baggage` keeps in this process: they do not travel.
pub(crate) type Extra = Arc<Vec<(String, String)>>;

/// What is current where it is not simply a span of ours: other baggage, or a span of another process.
#[pyclass(frozen, module = "aitrace._native")]
pub(crate) struct Scope {
    pub(crate) context: Context,
    pub(crate) span: Option<Py<Span>>,
    pub(crate) extra: Option<Extra>,
}

/// What is current here.
pub(crate) struct Here<'py> {
    pub(crate) context: Context,
    pub(crate) span: Option<Bound<'py, Span>>,
    pub(crate) extra: Option<Extra>,
    /// The baggage names the tracer, and was set inside of the span.
    scoped: bool,
}

impl<'py> Here<'py> {
    /// Looks at the slot, and at OpenTelemetry's context where that is in use. Whatever fails, nothing is current.
    pub(crate) fn look(py: Python<'py>) -> Self {
        let value = get(py).ok();
        let here = value.map_or_else(Self::nowhere, |value| Self::of(&value));
        if otel::is_active() { here.with_otel(py) } else { here }
    }

    fn nowhere() -> Self {
        Self { context: Context::default(), span: None, extra: None, scoped: false }
    }

    /// What a value of the slot says.
    pub(crate) fn of(value: &Bound<'py, PyAny>) -> Self {
        if let Ok(span) = value.cast_exact::<Span>() {
            return Self::inside(span.clone());
        }
        let Ok(scope) = value.cast_exact::<Scope>() else { return Self::nowhere() };
        let inner = scope.get();
        Self {
            context: inner.context.clone(),
            span: inner.span.as_ref().map(|span| span.bind(value.py()).clone()),
            extra: inner.extra.clone(),
            scoped: true,
        }
    }

    fn inside(span: Bound<'py, Span>) -> Self {
        let inner = span.get();
        Self { context: inner.inside.clone(), extra: inner.extra.clone(), span: Some(span), scoped: false }
    }

    /// OpenTelemetry's current span is at least as deep as ours, for ours are made current there, too.
    #[cold]
    fn with_otel(self, py: Python<'py>) -> Self {
        match otel::current(py) {
            otel::Current::None => self,
            otel::Current::Ours(span) => {
                let same = self.span.as_ref().is_some_and(|known| known.is(&span));
                if same { self } else { Self::inside(span) }
            }
            otel::Current::Foreign(ids) => {
                let context = self.context.with_remote_span(ids);
                Self { context, span: None, ..self }
            }
        }
    }

    /// The tracer that free functions go to.
    pub(crate) fn tracer(&self, py: Python<'py>) -> Option<Bound<'py, Tracer>> {
        let named = || crate::registry::by_id(py, self.context.baggage()?.tracer_id.as_deref()?);
        let inside = || self.span.as_ref().map(|span| span.get().tracer.bind(py).clone());
        let found = if self.scoped { named().or_else(inside) } else { inside().or_else(named) };
        found.or_else(|| crate::registry::default(py))
    }

    /// A value of the baggage.
    pub(crate) fn baggage(&self, key: &str) -> Option<String> {
        let extra = || Some(self.extra.as_ref()?.iter().find(|(known, _)| known == key)?.1.clone());
        let travels = self.context.baggage().and_then(|baggage| baggage.get(key)).map(str::to_owned);
        travels.or_else(extra)
    }

    /// This with one value of the baggage changed, as a value for the slot.
    pub(crate) fn with_baggage(
        &self,
        py: Python<'py>,
        key: &str,
        value: Option<&str>,
    ) -> PyResult<Bound<'py, Scope>> {
        let mut baggage = self.context.baggage().map(|baggage| baggage.as_ref().clone()).unwrap_or_default();
        let mut extra = self.extra.clone();
        if !baggage.set(key, value) {
            let mut members = extra.as_deref().cloned().unwrap_or_default();
            members.retain(|(known, _)| known != key);
            members.extend(value.map(|value| (key.to_owned(), value.to_owned())));
            extra = (!members.is_empty()).then(|| Arc::new(members));
        }
        let context = self.context.clone().with_baggage(baggage);
        let span = self.span.as_ref().map(|span| span.clone().unbind());
        Bound::new(py, Scope { context, span, extra })
    }
}

/// Runs `work` with `value` in the slot, puts back what was there before, and gives what `work` left there.
///
/// No token is used: what ran may have put others in, or may have come from another context.
pub(crate) fn visit<'py, R>(
    value: &Bound<'py, PyAny>,
    work: impl FnOnce() -> R,
) -> PyResult<(R, Bound<'py, PyAny>)> {
    let before = get(value.py())?;
    set(value)?;
    let result = work();
    let after = get(value.py())?;
    set(&before)?;
    Ok((result, after))
}
