"""For code written against `honeyhive`: the same names, over our recorder.

    from aitrace.honeyhive import HoneyHiveTracer, trace, enrich_span

Only the import changes. Settings come from the same arguments and ``HH_*`` variables; spans go to the
server that ``server_url``, ``HH_API_URL`` or ``AITRACE_SERVER_URL`` names, else to one on localhost.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from aitrace.honeyhive._errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    HoneyHiveError,
    HTTPException,
    MissingApiKeyError,
    RateLimitError,
)
from aitrace.honeyhive._free import (
    enrich_session,
    enrich_span,
    flush,
    get_default_tracer,
    set_default_tracer,
)
from aitrace.honeyhive._traced import atrace, trace, trace_class
from aitrace.honeyhive._tracer import HoneyHiveTracer
from aitrace.honeyhive.config.models import EvaluationConfig, SessionConfig, TracerConfig
from aitrace.honeyhive.models import EventType
from aitrace.honeyhive.utils.dotdict import DotDict
from aitrace.honeyhive.utils.logger import get_logger

if _TYPE_CHECKING:
    from aitrace.honeyhive.api.client import HoneyHive
    from aitrace.honeyhive.experiments import evaluate
    from aitrace.honeyhive.experiments.evaluators import BaseEvaluator, aevaluator, evaluator

__all__ = [
    "APIError",
    "AuthenticationError",
    "BaseEvaluator",
    "ConfigurationError",
    "DotDict",
    "EvaluationConfig",
    "EventType",
    "HTTPException",
    "HoneyHive",
    "HoneyHiveError",
    "HoneyHiveTracer",
    "MissingApiKeyError",
    "RateLimitError",
    "SessionConfig",
    "TracerConfig",
    "aevaluator",
    "atrace",
    "enrich_session",
    "enrich_span",
    "evaluate",
    "evaluator",
    "flush",
    "get_default_tracer",
    "get_logger",
    "set_default_tracer",
    "trace",
    "trace_class",
]

_EVALUATION = frozenset({"BaseEvaluator", "aevaluator", "evaluate", "evaluator"})


def __getattr__(name: str) -> object:
    """Loads what is seldom needed at its first use: a traced program starts without it."""
    if name in _EVALUATION:
        from aitrace.honeyhive import experiments

        return getattr(experiments, name)
    if name == "HoneyHive":
        from aitrace.honeyhive.api.client import HoneyHive

        return HoneyHive
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
