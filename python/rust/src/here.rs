//! What is current here, as the slot and OpenTelemetry's context say.

use std::sync::Arc;

use aitrace::Context;
use pyo3::prelude::*;

use crate::classes::{Extra, Scope, Span, Tracer};
use crate::{otel, registry, slot};

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
        let value = slot::get(py).ok();
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
            otel::Current::Foreign(ids, followed) => {
                let context = if followed {
                    self.context.with_remote_span(ids)
                } else {
                    self.context.with_unsampled_remote_span(ids)
                };
                Self { context, span: None, ..self }
            }
        }
    }

    /// The tracer that free functions go to.
    pub(crate) fn tracer(&self, py: Python<'py>) -> Option<Bound<'py, Tracer>> {
        let named = || registry::by_id(py, self.context.baggage()?.tracer_id.as_deref()?);
        let inside = || self.span.as_ref().map(|span| span.get().tracer.bind(py).clone());
        let found = if self.scoped { named().or_else(inside) } else { inside().or_else(named) };
        found.or_else(|| registry::default(py))
    }

    /// A value of the baggage.
    pub(crate) fn baggage(&self, key: &str) -> Option<String> {
        let extra = || Some(self.extra.as_ref()?.iter().find(|(known, _)| known == key)?.1.clone());
        let travels = self.context.baggage().and_then(|baggage| baggage.get(key)).map(str::to_owned);
        travels.or_else(extra)
    }

    /// The session that the context gives to the spans of one tracer, in place of that tracer's own: the value
    /// of `session_id@TRACER_ID`, which stays in this process and means nothing to other tracers.
    pub(crate) fn session_of(&self, tracer_id: &str) -> Option<String> {
        let is_it = |key: &str| key.strip_prefix("session_id@") == Some(tracer_id);
        Some(self.extra.as_ref()?.iter().find(|(key, _)| is_it(key))?.1.clone())
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
