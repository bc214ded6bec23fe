"""OpenTelemetry over our recorder: any instrumentor's spans nest under ours, and ours under its.

Needs ``opentelemetry-api`` only. Importing this module puts the bridge into use: from then on our
spans are OpenTelemetry's current ones, too. The global provider is never touched.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.util._decorator import _agnosticcontextmanager

from aitrace import _native, _place

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.util.types import Attributes, AttributeValue

_SHUTDOWN_SECONDS = 10.0
_FLAGS = trace.TraceFlags(trace.TraceFlags.SAMPLED)


class BridgeSpan(trace.Span):
    """One of our spans, for those who speak OpenTelemetry."""

    def __init__(self, span: _native.Span) -> None:
        self.native = span
        self._context = trace.SpanContext(int(span.trace_id, 16), int(span.span_id, 16), False, _FLAGS)

    @property
    def name(self) -> str:
        """Its name."""
        return self.native.name

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What it carries, flattened."""
        return self.native.attributes

    @property
    def parent(self) -> trace.SpanContext | None:
        """The ids of its parent, None on a root."""
        parent = self.native.parent_span_id
        if parent is None:
            return None
        return trace.SpanContext(self._context.trace_id, int(parent, 16), False, _FLAGS)

    def get_span_context(self) -> trace.SpanContext:
        """Its ids."""
        return self._context

    def is_recording(self) -> bool:
        """Whether what is said about it is still recorded."""
        return self.native.is_recording()

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Sets an attribute."""
        self.native.set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Sets several attributes."""
        self.native.set_attributes(attributes)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Notes that something happened."""
        self.native.add_event(name, attributes, timestamp)

    def add_link(self, context: trace.SpanContext, attributes: Attributes = None) -> None:  # noqa: ARG002 (kept by no store)
        """Links it to another span."""
        self.native.add_link(*_hex(context))

    def update_name(self, name: str) -> None:
        """Renames it."""
        self.native.update_name(name)

    def set_status(self, status: trace.Status | trace.StatusCode, description: str | None = None) -> None:
        """Sets the status."""
        if isinstance(status, trace.Status):
            description = status.description
            status = status.status_code
        self.native.set_status(status.name, description)

    def record_exception(  # noqa: PLR0917 (OpenTelemetry's)
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,  # noqa: ARG002 (now is when it is told)
        escaped: bool = False,  # noqa: ARG002 (every exception told here counts)
    ) -> None:
        """Notes an exception; the status is the caller's to set, as OpenTelemetry has it."""
        self.native.record_exception(exception, attributes)

    def end(self, end_time: int | None = None) -> None:
        """Ends it."""
        self.native.end(end_time)


class BridgeTracer(trace.Tracer):
    """Starts spans of one instrumentation library on one of our tracers."""

    def __init__(self, tracer: _native.Tracer, scope: tuple[str, str]) -> None:
        self._tracer = tracer
        self._scope = scope

    def start_span(  # noqa: PLR0917 (OpenTelemetry's)
        self,
        name: str,
        context: Context | None = None,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: ARG002 (use_span does this)
        set_status_on_exception: bool = True,  # noqa: ARG002 (use_span does this)
    ) -> trace.Span:
        """Starts a span that is not current."""
        parent, root = _parent(context)
        span = self._tracer._start_span(
            name,
            attributes=attributes,
            links=[_hex(link.context) for link in links or ()],
            start_time=start_time,
            place=_place.of_user_code(),
            parent=parent,
            root=root,
            scope=self._scope,
            otel_kind=kind.value + 1,
        )
        return BridgeSpan(span)

    @_agnosticcontextmanager
    def start_as_current_span(  # noqa: PLR0917 (OpenTelemetry's)
        self,
        name: str,
        context: Context | None = None,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Generator[trace.Span, None, None]:
        """Starts a span that is current for a block."""
        span = self.start_span(name, context, kind, attributes, links, start_time)
        with trace.use_span(
            span,
            end_on_exit=end_on_exit,
            record_exception=record_exception,
            set_status_on_exception=set_status_on_exception,
        ):
            yield span


class Provider(trace.TracerProvider):
    """A TracerProvider whose spans our tracer records."""

    def __init__(self, tracer: _native.Tracer) -> None:
        self._tracer = tracer

    def get_tracer(  # noqa: PLR0917 (OpenTelemetry's)
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,  # noqa: ARG002 (not recorded)
        attributes: Attributes = None,  # noqa: ARG002 (not recorded)
    ) -> trace.Tracer:
        """A tracer for one instrumentation library."""
        return BridgeTracer(self._tracer, (instrumenting_module_name, instrumenting_library_version or ""))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Sends everything that has ended; whether it was all."""
        return self._tracer._flush(timeout_millis / 1000)[0]

    def shutdown(self) -> None:
        """Flushes, then records nothing more."""
        self._tracer._shutdown(_SHUTDOWN_SECONDS)
        _native.unregister(self._tracer)


class _Hook:
    """What the native module asks of OpenTelemetry's context."""

    @staticmethod
    def current() -> Any:
        """Our span, the ids of another's, or None."""
        return _known(trace.get_current_span())

    @staticmethod
    def attach(span: _native.Span) -> Any:
        """Makes our span the current one."""
        return otel_context.attach(trace.set_span_in_context(BridgeSpan(span)))

    @staticmethod
    def detach(token: Any) -> None:
        """Undoes that. In another context there is nothing to undo, and nothing to log about."""
        runtime = getattr(otel_context, "_RUNTIME_CONTEXT", None)
        with contextlib.suppress(ValueError, RuntimeError):
            (runtime or otel_context).detach(token)


def _known(span: trace.Span) -> Any:
    if isinstance(span, BridgeSpan):
        return span.native
    context = span.get_span_context()
    return _hex(context) if context.is_valid else None


def _parent(context: Context | None) -> tuple[Any, bool]:
    """The parent that a context names, as the native module takes it, and whether there must be none."""
    if context is None or context == otel_context.get_current():
        return None, False  # what is current, of ours or OpenTelemetry's
    found = _known(trace.get_current_span(context))
    if found is None:
        return None, True
    if isinstance(found, _native.Span):
        return found, False
    trace_id, span_id = found
    return _native.Tracer._scope({"traceparent": f"00-{trace_id}-{span_id}-01"}), False


def _hex(context: trace.SpanContext) -> tuple[str, str]:
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


_native.set_otel_hook(_Hook)
