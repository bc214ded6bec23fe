"""Tracing and evaluation of AI applications.

    from aitrace import Tracer

    tracer = Tracer(project="support", source="prod")

    @tracer.trace(event_type="tool")
    def lookup(order): ...

Names that begin with an underscore are not part of the interface.
"""

import atexit as _atexit
from typing import TYPE_CHECKING as _TYPE_CHECKING

from aitrace._children import watch as _watch
from aitrace._decorators import atrace, trace, trace_class
from aitrace._errors import AitraceError, APIError, AuthenticationError, ConfigurationError, RateLimitError
from aitrace._exporter import Exporter
from aitrace._finished import FinishedSpan
from aitrace._free import discover_tracer, enrich_session, flush, set_default_tracer
from aitrace._logs import LogHandler, setup_logging
from aitrace._native import Span, enrich_span
from aitrace._tracer import Tracer
from aitrace._tracer import shutdown_all as _shutdown_all
from aitrace._types import EventType, FlushResult

if _TYPE_CHECKING:
    from aitrace.client import Client
    from aitrace.evaluation import evaluate, evaluator

__all__ = [
    "APIError",
    "AitraceError",
    "AuthenticationError",
    "Client",
    "ConfigurationError",
    "EventType",
    "Exporter",
    "FinishedSpan",
    "FlushResult",
    "LogHandler",
    "RateLimitError",
    "Span",
    "Tracer",
    "atrace",
    "discover_tracer",
    "enrich_session",
    "enrich_span",
    "evaluate",
    "evaluator",
    "flush",
    "set_default_tracer",
    "setup_logging",
    "trace",
    "trace_class",
]

_atexit.register(_shutdown_all)
_watch()


def __getattr__(name: str) -> object:
    """Loads what is seldom needed at its first use: a traced program starts without it."""
    if name in {"evaluate", "evaluator"}:
        from aitrace import evaluation

        return getattr(evaluation, name)
    if name == "Client":
        from aitrace.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
