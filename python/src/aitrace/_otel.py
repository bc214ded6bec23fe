"""OpenTelemetry over our recorder: any instrumentor's spans nest under ours, and ours under its.

Needs ``opentelemetry-api`` only. Importing this module puts the bridge into use: from then on our
spans are OpenTelemetry's current ones, too. The global provider is touched by ``install_global`` alone.

What is decided here:

- A remote parent that is not sampled is followed, as ``extract_context`` does: its whole trace is not
  recorded. A span of another provider of this process that records nothing is a parent like any other: its
  sampler speaks for that provider, and ours are the tracer's own rules.
- What is not recorded has flags ``00``, so that a propagator of OpenTelemetry's tells the next process.
- Where instrumentation is suppressed (OpenTelemetry's context key) nothing is recorded, so that an
  exporter's own requests are not traced.
- A tracer that was shut down gives spans that stand for their parents, as OpenTelemetry demands.
"""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.util._decorator import _agnosticcontextmanager

from aitrace import _native, _place, _suppress
from aitrace._otel_ids import hex_ids, known, remote
from aitrace._values import loads

if TYPE_CHECKING:
    import types
    from collections.abc import Generator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.util.types import Attributes, AttributeValue

_SHUTDOWN_SECONDS = 10.0
_FLAGS = trace.TraceFlags(trace.TraceFlags.SAMPLED)
_TRAVELS = ("run_id", "dataset_id", "datapoint_id", "tracer_id")


class BridgeSpan(trace.Span):
    """One of our spans, for those who speak OpenTelemetry."""

    def __init__(
        self,
        span: _native.Span,
        *,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
        trace_state: trace.TraceState | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> None:
        self.native = span
        self.kind = kind
        self._record_exception = record_exception
        self._set_status_on_exception = set_status_on_exception
        ids = int(span.trace_id, 16), int(span.span_id, 16)
        flags = _FLAGS if span._is_sampled() else trace.DEFAULT_TRACE_OPTIONS
        self._context = trace.SpanContext(*ids, is_remote=False, trace_flags=flags, trace_state=trace_state)

    @property
    def name(self) -> str:
        """Its name."""
        return self.native.name

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What it carries, by the keys on the wire; a new dict each time."""
        record = self.native._record()
        return {} if record is None else loads(record.attributes) or {}

    @property
    def status(self) -> trace.Status:
        """Its status as it is now."""
        record = self.native._record()
        if record is None or record.status != "error":
            return trace.Status(trace.StatusCode.UNSET)
        return trace.Status(trace.StatusCode.ERROR, record.error[1] if record.error else None)

    @property
    def context(self) -> trace.SpanContext:
        """Its ids."""
        return self._context

    @property
    def parent(self) -> trace.SpanContext | None:
        """The ids of its parent, None on a root."""
        parent = self.native.parent_span_id
        if parent is None:
            return None
        return trace.SpanContext(self._context.trace_id, int(parent, 16), False, self._context.trace_flags)

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

    def add_link(self, context: trace.SpanContext, attributes: Attributes = None) -> None:
        """Links it to another span."""
        self.native.add_link(*hex_ids(context), attributes)

    def update_name(self, name: str) -> None:
        """Renames it."""
        self.native.update_name(name)

    def set_status(self, status: trace.Status | trace.StatusCode, description: str | None = None) -> None:
        """Sets the status. Ok is the last word, Unset says nothing."""
        if isinstance(status, trace.Status):
            description = status.description
            status = status.status_code
        self.native._settle(status.name, description)

    def record_exception(  # noqa: PLR0917 (OpenTelemetry's)
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Notes an exception as an event; the status is the caller's to set, as OpenTelemetry has it."""
        told = {**(attributes or {}), "exception.escaped": str(escaped)}
        self.native._note_exception(exception, told, timestamp)

    def end(self, end_time: int | None = None) -> None:
        """Ends it."""
        self.native.end(end_time)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: types.TracebackType | None,
    ) -> None:
        if isinstance(exc_val, Exception) and self.is_recording():
            if self._record_exception:
                self.record_exception(exc_val)
            if self._set_status_on_exception:
                text = f"{type(exc_val).__name__}: {exc_val}"
                self.set_status(trace.Status(trace.StatusCode.ERROR, text))
        super().__exit__(exc_type, exc_val, exc_tb)


class BridgeTracer(trace.Tracer):
    """Starts spans of one instrumentation library on one of our tracers."""

    def __init__(
        self, tracer: _native.Tracer, scope: tuple[str, str], about: dict[str, Any] | None = None
    ) -> None:
        self._tracer = tracer
        self._scope = scope
        self._about = about or {}

    def start_span(  # noqa: PLR0917 (OpenTelemetry's)
        self,
        name: str,
        context: Context | None = None,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> trace.Span:
        """Starts a span that is not current."""
        above = trace.get_current_span(context)
        if _suppress.is_asked_for(context):
            return trace.NonRecordingSpan(above.get_span_context())
        parent, root = _parent(above, context)
        span = self._tracer._start_span(
            name,
            attributes={**self._about, **(attributes or {})} if self._about else attributes,
            start_time=start_time,
            place=_place.of_user_code(),
            parent=parent,
            root=root,
            scope=self._scope,
            otel_kind=kind.value + 1,
        )
        if int(span.span_id, 16) == 0:  # the tracer is off; one that was not sampled has ids
            return trace.NonRecordingSpan(above.get_span_context())
        for link in links or ():
            span.add_link(*hex_ids(link.context), link.attributes)
        return BridgeSpan(
            span,
            kind=kind,
            trace_state=above.get_span_context().trace_state,
            record_exception=record_exception,
            set_status_on_exception=set_status_on_exception,
        )

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
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        """A tracer for one instrumentation library.

        Its schema URL and attributes stand in each of its spans, as ``otel.scope.…``.
        """
        about: dict[str, Any] = {f"otel.scope.{key}": value for key, value in (attributes or {}).items()}
        if schema_url:
            about["otel.scope.schema_url"] = schema_url
        scope = (instrumenting_module_name, instrumenting_library_version or "")
        return BridgeTracer(self._tracer, scope, about)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Sends everything that has ended; whether it was all."""
        return self._tracer._flush(timeout_millis / 1000)[0]

    def shutdown(self) -> None:
        """Flushes, then records nothing more."""
        self._tracer._shutdown(_SHUTDOWN_SECONDS)
        _native.unregister(self._tracer)


def install_global(tracer: _native.Tracer, provider: trace.TracerProvider) -> bool:
    """Has a tracer record what goes through OpenTelemetry's global provider; whether it does so now."""
    current = trace.get_tracer_provider()
    if isinstance(current, trace.ProxyTracerProvider):
        trace.set_tracer_provider(provider)
        return trace.get_tracer_provider() is provider
    if current is provider:
        return True
    add = getattr(current, "add_span_processor", None)
    if not callable(add):
        return False
    from aitrace._otel_processor import Processor

    known = _JOINED.setdefault(current, weakref.WeakSet())
    if tracer not in known:
        known.add(tracer)
        add(Processor(tracer))
    return True


# Providers of others that one of our processors was added to, with the tracers behind these.
_JOINED: weakref.WeakKeyDictionary[Any, weakref.WeakSet[_native.Tracer]] = weakref.WeakKeyDictionary()


class _Hook:
    """What the native module asks of OpenTelemetry's context."""

    @staticmethod
    def current() -> Any:
        """Our span; of another's, its ids and whether it is followed; or None."""
        return known(trace.get_current_span())

    @staticmethod
    def attach(span: _native.Span) -> Any:
        """Makes our span the current one."""
        state = trace.get_current_span().get_span_context().trace_state
        return otel_context.attach(trace.set_span_in_context(BridgeSpan(span, trace_state=state)))

    @staticmethod
    def attach_ids(trace_id: str, span_id: str, sampled: bool) -> Any:
        """Makes a span of another process the current one."""
        flags = _FLAGS if sampled else trace.DEFAULT_TRACE_OPTIONS
        ids = trace.SpanContext(int(trace_id, 16), int(span_id, 16), True, flags)
        return otel_context.attach(trace.set_span_in_context(trace.NonRecordingSpan(ids)))

    @staticmethod
    def detach(token: Any) -> None:
        """Undoes that. In another context there is nothing to undo, and nothing to log about."""
        runtime = getattr(otel_context, "_RUNTIME_CONTEXT", None)
        with contextlib.suppress(ValueError, RuntimeError):
            (runtime or otel_context).detach(token)


def _parent(above: trace.Span, context: Context | None) -> tuple[Any, bool]:
    """The parent that a context names, as the native module takes it, and whether there must be none."""
    if context is None or above is trace.get_current_span():
        return None, False  # what is current, of ours or OpenTelemetry's
    found = known(above)
    if found is None:
        return None, True
    if isinstance(found, _native.Span):
        return found, False
    members = ((key, baggage.get_baggage(key, context)) for key in _TRAVELS)
    carried = ",".join(f"{key}={quote(value)}" for key, value in members if isinstance(value, str))
    return remote(found, carried), False


_native.set_otel_hook(_Hook)
