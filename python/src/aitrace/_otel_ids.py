"""Whose span is it: what OpenTelemetry's spans and contexts are to our recorder."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace

from aitrace import _native


def known(span: trace.Span) -> Any:
    """Our span behind one of OpenTelemetry's; of another's, its ids and whether it is followed; or None."""
    native = getattr(span, "native", None)
    if isinstance(native, _native.Span):
        return native
    context = span.get_span_context()
    return (*hex_ids(context), is_followed(context)) if context.is_valid else None


def is_followed(context: trace.SpanContext) -> bool:
    """Whether spans below are recorded.

    Another process has decided for its whole trace; another provider of this process only for itself.
    """
    return context.trace_flags.sampled or not context.is_remote


def parent_for(above: trace.Span, named: trace.SpanContext | None) -> tuple[Any, bool]:
    """The parent that a span of another provider names, as the native module takes it."""
    if named is None:
        return None, True
    found = known(above)
    if isinstance(found, _native.Span):
        return found, False
    return remote((*hex_ids(named), is_followed(named))), False


def remote(ids: tuple[str, str, bool], baggage: str = "") -> _native.Scope:
    """What is current under a span of somebody else."""
    trace_id, span_id, followed = ids
    parent = f"00-{trace_id}-{span_id}-{int(followed):02x}"
    return _native.Tracer._scope({"traceparent": parent, "baggage": baggage})


def hex_ids(context: trace.SpanContext) -> tuple[str, str]:
    """Trace id and span id as we write them."""
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)
