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
from aitrace._free import (
    create_event,
    create_session,
    discover_tracer,
    enrich_session,
    flush,
    set_default_tracer,
)
from aitrace._native import Span, enrich_span
from aitrace._place import set_workspace_root
from aitrace._tracer import Tracer
from aitrace._tracer import shutdown_all as _shutdown_all
from aitrace._types import EventType, FlushResult

if _TYPE_CHECKING:
    from aitrace import client, config, testing
    from aitrace._auto import auto_span, trace_context
    from aitrace._buffered import BufferedLogger
    from aitrace._exporter import Exporter
    from aitrace._finished import FinishedLog, FinishedSpan
    from aitrace._logs import LogHandler, add_tracer_meta, setup_logging, setup_tracing
    from aitrace.client import Client
    from aitrace.evaluation import evaluate, evaluator

__all__ = [
    "APIError",
    "AitraceError",
    "AuthenticationError",
    "BufferedLogger",
    "Client",
    "ConfigurationError",
    "EventType",
    "Exporter",
    "FinishedLog",
    "FinishedSpan",
    "FlushResult",
    "LogHandler",
    "RateLimitError",
    "Span",
    "Tracer",
    "add_tracer_meta",
    "atrace",
    "auto_span",
    "client",
    "config",
    "create_event",
    "create_session",
    "discover_tracer",
    "enrich_session",
    "enrich_span",
    "evaluate",
    "evaluator",
    "flush",
    "set_default_tracer",
    "set_workspace_root",
    "setup_logging",
    "setup_tracing",
    "testing",
    "trace",
    "trace_class",
    "trace_context",
]

_atexit.register(_shutdown_all)
_watch()


# What is seldom needed is loaded by its first use: a traced program starts without it.
_LAZY = {
    "BufferedLogger": "_buffered",
    "Client": "client",
    "Exporter": "_exporter",
    "FinishedLog": "_finished",
    "FinishedSpan": "_finished",
    "LogHandler": "_logs",
    "add_tracer_meta": "_logs",
    "auto_span": "_auto",
    "evaluate": "evaluation",
    "evaluator": "evaluation",
    "setup_logging": "_logs",
    "setup_tracing": "_logs",
    "trace_context": "_auto",
}
_MODULES = {"client", "config", "testing"}


def __getattr__(name: str) -> object:
    """Loads what is seldom needed at its first use."""
    from importlib import import_module

    if name in _LAZY:
        return getattr(import_module(f"aitrace.{_LAZY[name]}"), name)
    if name in _MODULES:
        return import_module(f"aitrace.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
