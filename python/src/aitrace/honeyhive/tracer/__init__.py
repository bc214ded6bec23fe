"""Tracing, under the path that code imports it from."""

from aitrace.honeyhive._free import (
    enrich_session,
    enrich_span,
    flush,
    get_default_tracer,
    set_default_tracer,
)
from aitrace.honeyhive._traced import atrace, trace, trace_class
from aitrace.honeyhive._tracer import HoneyHiveTracer

__all__ = [
    "HoneyHiveTracer",
    "atrace",
    "enrich_session",
    "enrich_span",
    "flush",
    "get_default_tracer",
    "set_default_tracer",
    "trace",
    "trace_class",
]
