"""Sessions of a context: a request of a server, a row of an evaluation.

A tracer has one session of its own. ``create_session`` gives the current context another: spans of this
tracer that begin in it belong to that one, spans of other tracers and other contexts do not notice. It is
kept in this process and never travels in headers.
"""

from __future__ import annotations

import contextvars
import uuid
from typing import Any

from aitrace import _native

_Native = _native.Tracer


def key_of(tracer: _Native) -> str:
    """The baggage key that the native module reads for this tracer."""
    return f"session_id@{tracer.tracer_id}"


def current(tracer: _Native) -> str:
    """The id of the session that spans of a tracer belong to here."""
    return tracer.get_baggage(key_of(tracer)) or tracer.session_id


def enter(tracer: _Native, session_id: str | None) -> None:
    """Gives the current context a session; None goes back to the tracer's own."""
    tracer.set_baggage(key_of(tracer), session_id)


def start(
    tracer: _Native,
    session_id: str | None = None,
    session_name: str | None = None,
    **about: Any,
) -> str:
    """Announces a session, without making it anyone's; its id."""
    session_id = session_id or str(uuid.uuid4())
    name = session_name if session_name is not None else tracer.session_name
    _write(tracer, "session.started", session_id=session_id, session_name=name, **about)
    return session_id


def update(tracer: _Native, session_id: str, **about: Any) -> None:
    """Adds to a session: metadata, metrics and the like."""
    _write(tracer, "session.updated", session_id=session_id, **about)


def _write(tracer: _Native, event: str, **about: Any) -> str | None:
    fields = {key: value for key, value in about.items() if value is not None}
    # In an empty context, for a session is no part of the current span.
    return contextvars.Context().run(tracer._log, event, "info", fields, None)
