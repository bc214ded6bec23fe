"""Records what an OpenTelemetry SDK provider records, under the same ids: for ``Tracer.install_global``.

Needs ``opentelemetry-sdk``, which is there where such a provider is.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from aitrace import _native, _place, _suppress
from aitrace._otel_ids import hex_ids, parent_for

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span


class Processor(SpanProcessor):
    """Starts a span of ours with each of theirs, so that it is seen live, and ends it with theirs."""

    def __init__(self, tracer: _native.Tracer) -> None:
        self._tracer = tracer
        self._open: dict[tuple[int, int], _native.Span] = {}
        self._lock = threading.Lock()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """A span of theirs began."""
        if _suppress.is_asked_for(parent_context):
            return
        ids, above = span.get_span_context(), trace.get_current_span(parent_context)
        if ids is None:
            return
        parent, root = parent_for(above, span.parent)
        scope = span.instrumentation_scope
        ours = self._tracer._start_span(
            span.name,
            attributes=span.attributes,
            start_time=span.start_time,
            place=_place.of_user_code(),
            parent=parent,
            root=root,
            scope=None if scope is None else (scope.name, scope.version or ""),
            otel_kind=span.kind.value + 1,
            ids=hex_ids(ids),
        )
        if ours.is_recording():
            with self._lock:
                self._open[ids.trace_id, ids.span_id] = ours

    def on_end(self, span: ReadableSpan) -> None:
        """A span of theirs ended: what it came to is told at once."""
        ids = span.get_span_context()
        if ids is None:
            return
        with self._lock:
            ours = self._open.pop((ids.trace_id, ids.span_id), None)
        if ours is not None:
            _copy(span, ours)
            ours.end(span.end_time)

    def shutdown(self) -> None:
        """Their provider ends; our tracer does not."""
        with self._lock:
            self._open.clear()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Sends everything that has ended; whether it was all."""
        return self._tracer._flush(timeout_millis / 1000)[0]


def _copy(span: ReadableSpan, ours: Any) -> None:
    if span.name != ours.name:
        ours.update_name(span.name)
    ours.set_attributes(span.attributes or {})
    for event in span.events:
        ours.add_event(event.name, event.attributes, event.timestamp)
    for link in span.links:
        ours.add_link(*hex_ids(link.context), link.attributes)
    ours._settle(span.status.status_code.name, span.status.description)
