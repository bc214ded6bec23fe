"""A finished span, read-only: the fields of the API's ``S`` as attributes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from aitrace._values import loads

if TYPE_CHECKING:
    from datetime import datetime

    from aitrace import _native


class ErrorInfo(NamedTuple):
    """Why a span failed."""

    type: str
    message: str
    stacktrace: str


class Code(NamedTuple):
    """Where the traced code is."""

    file: str
    line: int
    function: str


class Event(NamedTuple):
    """Something that happened at a moment within a span; ``time_ns`` since 1970."""

    name: str
    time_ns: int
    attributes: dict[str, Any]


class Link(NamedTuple):
    """A reference to another span."""

    trace_id: str
    span_id: str
    attributes: dict[str, Any]


class FinishedSpan:
    """One finished span. Times are nanoseconds since 1970; contents are Python values."""

    def __init__(self, data: _native.SpanRecord) -> None:
        self._data = data

    def __repr__(self) -> str:
        return f"<FinishedSpan {self.name!r} {self.status} trace_id={self.trace_id} span_id={self.span_id}>"

    def __getattr__(self, name: str) -> Any:
        # Scalars that need no conversion stand in the native record under the same name.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._data, name)

    def __dir__(self) -> list[str]:
        native = [name for name in dir(self._data) if not name.startswith("_")]
        return sorted({*super().__dir__(), *native})

    @cached_property
    def inputs(self) -> Any:
        """What went in."""
        return loads(self._data.inputs)

    @cached_property
    def outputs(self) -> Any:
        """What came out."""
        return loads(self._data.outputs)

    @cached_property
    def metadata(self) -> Any:
        """User's metadata, a dict."""
        return loads(self._data.metadata)

    @cached_property
    def metrics(self) -> Any:
        """User's metrics, a dict."""
        return loads(self._data.metrics)

    @cached_property
    def feedback(self) -> Any:
        """User's feedback, a dict."""
        return loads(self._data.feedback)

    @cached_property
    def config(self) -> Any:
        """User's configuration, a dict."""
        return loads(self._data.config)

    @cached_property
    def user_properties(self) -> Any:
        """Properties of the user, a dict."""
        return loads(self._data.user_properties)

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """Everything as it is sent, by its key on the wire."""
        return loads(self._data.attributes) or {}

    @cached_property
    def error(self) -> ErrorInfo | None:
        """Why it failed, None where it did not."""
        error = self._data.error
        return None if error is None else ErrorInfo(*error)

    @cached_property
    def code(self) -> Code | None:
        """Where the traced code is."""
        code = self._data.code
        return None if code is None else Code(*code)

    @cached_property
    def events(self) -> list[Event]:
        """Events in order of time."""
        return [Event(name, time, loads(attributes)) for name, time, attributes in self._data.events]

    @cached_property
    def links(self) -> list[Link]:
        """Links to other spans."""
        return [Link(trace, span, loads(attributes)) for trace, span, attributes in self._data.links]


class FinishedLog(NamedTuple):
    """One log record of a tracer with the target ``memory``: the fields of the API's ``L``; ``ts`` is UTC."""

    trace_id: str | None
    span_id: str | None
    ts: datetime
    event: str
    level: str
    logger: str | None
    code: Code | None
    attrs: dict[str, Any]
