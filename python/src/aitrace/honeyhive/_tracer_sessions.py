"""The half of a tracer that is about sessions and events."""

from __future__ import annotations

import contextlib
import logging
import uuid
from typing import TYPE_CHECKING, Any

from aitrace.honeyhive import _sessions
from aitrace.honeyhive._settings_of import as_uuid
from aitrace.honeyhive.models._base import plain

if TYPE_CHECKING:
    from collections.abc import Generator

    import aitrace

_log = logging.getLogger("aitrace.honeyhive")


class SessionsMixin:
    """Sessions and events of a tracer."""

    _recorder: aitrace.Tracer
    client: Any
    test_mode: Any

    @property
    def session_id(self) -> str:
        """The session that spans belong to here: the context's, else the tracer's own."""
        return _sessions.current(self._recorder)

    @session_id.setter
    def session_id(self, session_id: str) -> None:
        self._recorder.create_session(self.session_name, session_id=as_uuid(session_id))

    @property
    def session_name(self) -> str | None:
        """The name of the tracer's own session, None where it has none."""
        return self._recorder.session_name

    def session_start(self) -> str:
        """Begins a new session of the tracer itself, which all its spans belong to from now on; its id."""
        return self._recorder.create_session(self.session_name)

    def create_session(  # noqa: PLR0917 (the signature that callers know)
        self,
        session_name: str | None = None,
        session_id: str | None = None,
        inputs: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        user_properties: dict[str, Any] | None = None,
        source: str | None = None,
        skip_api_call: bool = False,
    ) -> str | None:
        """Gives the current context a session of its own; its id, None where an own client refused it.

        A request of a server, one conversation: spans that begin here belong to it, those of other
        contexts do not. ``skip_api_call`` uses the session ``session_id`` without announcing it.
        """
        identity = as_uuid(session_id) or str(uuid.uuid4())
        about = {"inputs": inputs, "metadata": metadata, "user_properties": user_properties, "source": source}
        if skip_api_call:
            pass
        elif self._foreign_client() is not None:
            asked = {"session_name": session_name, "session_id": identity, **about}
            if not self._told("sessions", "start", {"session": _given(asked)}):
                return None
        else:
            _sessions.start(self._recorder, identity, session_name, **about)
        _sessions.enter(self._recorder, identity)
        return identity

    async def acreate_session(self, *args: Any, **options: Any) -> str | None:
        """The same as ``create_session``, which waits for nothing."""
        return self.create_session(*args, **options)

    @contextlib.contextmanager
    def with_session(self, *args: Any, **options: Any) -> Generator[str | None, None, None]:
        """Gives a block a session of its own, as ``create_session`` does for the rest of the context."""
        key = _sessions.key_of(self._recorder)
        before = self._recorder.get_baggage(key)
        try:
            yield self.create_session(*args, **options)
        finally:
            self._recorder.set_baggage(key, before)

    def enrich_session(  # noqa: PLR0917 (the signature that callers know)
        self,
        metadata: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        feedback: dict[str, Any] | None = None,
        metrics: dict[str, Any] | None = None,
        user_properties: dict[str, Any] | None = None,
        session_id: str | None = None,
        **others: Any,
    ) -> None:
        """Adds to the session of the context, or to ``session_id``; other names are metadata."""
        if isinstance(metadata, str):  # version 0.2 has session_id first
            session_id, metadata = metadata, None
        about = {
            "metadata": {**(metadata or {}), **others} or None,
            "inputs": inputs,
            "outputs": outputs,
            "config": config,
            "feedback": feedback,
            "metrics": metrics,
            "user_properties": user_properties,
        }
        target = session_id or self.session_id
        if self._foreign_client() is not None:
            self._told("events", "update", {"event_id": target, **_given(about)})
        else:
            _sessions.update(self._recorder, target, **about)

    def create_event(
        self,
        event_name_or_dict: str | dict[str, Any],
        *,
        event_type: str = "tool",
        **about: Any,
    ) -> str | None:
        """Records something that happened outside of traced code, under the current span if there is one.

        ``inputs, outputs, error, duration`` (milliseconds)``, metadata, config, feedback, metrics``; other
        names are metadata. Its id, None where nothing is recorded.
        """
        event = {"event_type": event_type, **about}
        if isinstance(event_name_or_dict, dict):
            event.update(event_name_or_dict)
        else:
            event["event_name"] = event_name_or_dict
        event = _given(event)
        event.setdefault("session_id", self.session_id)
        if self._foreign_client() is not None:
            event.setdefault("event_id", str(uuid.uuid4()))
            return str(event["event_id"]) if self._told("events", "create", {"event": event}) else None
        name = event.pop("event_name", "unknown")
        event.pop("project", None)
        return self._recorder.create_event(name, **event)

    def _create_api_client(self) -> Any:
        raise NotImplementedError

    def _foreign_client(self) -> Any:
        """The client that a subclass made, None for our own, which is not needed here."""
        from aitrace.honeyhive._tracer import HoneyHiveTracer

        if type(self)._create_api_client is HoneyHiveTracer._create_api_client:
            return None
        from aitrace.honeyhive.api.client import HoneyHive

        return None if isinstance(self.client, HoneyHive) else self.client

    def _told(self, space: str, method: str, request: dict[str, Any]) -> bool:
        """Calls a client of the user's own; whether it took the call. What it raises costs a warning."""
        try:
            getattr(getattr(self.client, space), method)(plain(_given(request)))
        except Exception as error:
            if not self.test_mode:
                _log.warning("%s.%s failed: %s", space, method, error)
            return False
        return True


def _given(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
