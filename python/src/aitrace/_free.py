"""Functions that find their tracer: ``tracer=``, else the current span's, else the default one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from aitrace import _native
from aitrace._types import FlushResult

if TYPE_CHECKING:
    from aitrace._events import Event
    from aitrace._tracer import Tracer


def discover_tracer(tracer: Tracer | None = None) -> Tracer | None:
    """The tracer that free functions use here; None where there is none."""
    return cast("Tracer | None", _native.discover_tracer(tracer))


def set_default_tracer(tracer: Tracer | None) -> None:
    """Sets the tracer of free functions outside of any span; None goes back to the oldest one."""
    _native.set_default_tracer(tracer)


class Nothing:
    """What an enrichment that found no tracer is: false, and usable with ``with``."""

    def __bool__(self) -> bool:
        return False

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        return None


def enrich_session(
    session_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    *,
    tracer: Tracer | None = None,
    **groups: Any,
) -> _native.Enrichment | Nothing:
    """Adds to the session of the tracer that is found here; false where there is none.

    ``session_id`` names another session than the tracer's. Groups are those of ``enrich_span``:
    ``metrics``, ``feedback``, ``inputs``, ``outputs``, ``config``, ``user_properties``; other names are
    metadata. A mapping in first place is taken for metadata.
    """
    found = discover_tracer(tracer)
    if found is None:
        return Nothing()
    first: Any = session_id
    if isinstance(first, Mapping):
        metadata, session_id = {**first, **(metadata or {})}, None
    if session_id is not None:
        groups["session_id"] = session_id
    return found.enrich_session(metadata=metadata, **groups)


def create_session(
    session_name: str | None = None, *, tracer: Tracer | None = None, **settings: Any
) -> str | None:
    """Begins a new session of the tracer that is found here; its id, None where there is none.

    ``settings`` are those of ``Tracer.create_session``: ``session_id``, ``inputs``, ``metadata``,
    ``user_properties``.
    """
    found = discover_tracer(tracer)
    return None if found is None else found.create_session(session_name, **settings)


def create_event(name: str, *, tracer: Tracer | None = None, **about: Any) -> Event | None:
    """Records an event by the tracer that is found here; its id, None where nothing is recorded.

    The id works with ``with``, as that of ``Tracer.create_event``.

    ``about`` is that of ``Tracer.create_event``: ``event_type``, ``inputs``, ``outputs``, ``error``,
    ``duration`` (milliseconds), ``metadata``, ``config``, ``feedback``, ``metrics``.
    """
    found = discover_tracer(tracer)
    return None if found is None else found.create_event(name, **about)


def flush(tracer: Tracer | None = None, timeout: float = 10.0) -> FlushResult:
    """Flushes the tracer that is found here; with none there is nothing to send, which is well."""
    found = discover_tracer(tracer)
    return FlushResult(ok=True) if found is None else found.flush(timeout)
