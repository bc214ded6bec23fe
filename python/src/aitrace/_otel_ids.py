"""Whose span is it: what OpenTelemetry's spans and contexts are to our recorder."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace

from aitrace import _native


def known(span: trace.Span) -> Any:
    """Our span behind one of OpenTelemetry's, the ids of another's, or None."""
    native = getattr(span, "native", None)
    if isinstance(native, _native.Span):
        return native
    context = span.get_span_context()
    return hex_ids(context) if context.is_valid else None


def parent_for(above: trace.Span, named: trace.SpanContext | None) -> tuple[Any, bool]:
    """The parent that a span of another provider names, as the native module takes it."""
    if named is None:
        return None, True
    found = known(above)
    if isinstance(found, _native.Span):
        return found, False
    trace_id, span_id = hex_ids(named)
    return remote(trace_id, span_id), False


def remote(trace_id: str, span_id: str, baggage: str = "") -> _native.Scope:
    """What is current under a span of somebody else."""
    return _native.Tracer._scope({"traceparent": f"00-{trace_id}-{span_id}-01", "baggage": baggage})


def hex_ids(context: trace.SpanContext) -> tuple[str, str]:
    """Trace id and span id as we write them."""
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)
