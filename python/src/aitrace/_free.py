"""Functions that find their tracer: ``tracer=``, else the current span's, else the default one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aitrace import _native
from aitrace._types import FlushResult

if TYPE_CHECKING:
    from aitrace._tracer import Tracer


def discover_tracer(tracer: Tracer | None = None) -> Tracer | None:
    """The tracer that free functions use here; None where there is none."""
    return cast("Tracer | None", _native.discover_tracer(tracer))


def set_default_tracer(tracer: Tracer | None) -> None:
    """Sets the tracer of free functions outside of any span; None goes back to the oldest one."""
    _native.set_default_tracer(tracer)


def enrich_session(
    session_id: str | None = None,
    metadata: dict[str, Any] | None = None,
    *,
    tracer: Tracer | None = None,
    **groups: Any,
) -> bool:
    """Adds to the session of the tracer that is found here; False where there is none.

    ``session_id`` names another session than the tracer's. Groups are those of ``enrich_span``.
    """
    found = discover_tracer(tracer)
    if found is None:
        return False
    if session_id is not None:
        groups["session_id"] = session_id
    found.enrich_session(metadata=metadata, **groups)
    return True


def flush(tracer: Tracer | None = None, timeout: float = 10.0) -> FlushResult:
    """Flushes the tracer that is found here; with none there is nothing to send, which is well."""
    found = discover_tracer(tracer)
    return FlushResult(ok=True) if found is None else found.flush(timeout)
