"""Which tracer of this module stands for which recorder."""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any

from aitrace import _native

if TYPE_CHECKING:
    from aitrace.honeyhive._tracer import HoneyHiveTracer

_log = logging.getLogger("aitrace.honeyhive")
_tracers: weakref.WeakValueDictionary[str, HoneyHiveTracer] = weakref.WeakValueDictionary()


def remember(recorder: _native.Tracer, tracer: HoneyHiveTracer) -> None:
    """Makes a tracer findable by its recorder, as long as it lives."""
    _tracers[recorder.tracer_id] = tracer


def tracer_of(recorder: _native.Tracer | None) -> HoneyHiveTracer | None:
    """The tracer of a recorder; None where it is gone, or never was one of this module."""
    return None if recorder is None else _tracers.get(recorder.tracer_id)


def living() -> list[HoneyHiveTracer]:
    """The tracers that are not shut down."""
    return [tracer for tracer in map(tracer_of, _native.tracers()) if tracer is not None]


def recorder_of(tracer: Any) -> _native.Tracer | None:
    """What records for a tracer of this module or of aitrace; None for None and for anything else."""
    found = getattr(tracer, "_recorder", tracer)
    if found is None or isinstance(found, _native.Tracer):
        return found
    _log.debug("%s is no tracer and is ignored", type(tracer).__name__)
    return None


def discover(tracer: Any = None) -> _native.Tracer | None:
    """The recorder that free functions use here: ``tracer``, the current span's, the default one."""
    return _native.discover_tracer(recorder_of(tracer))
