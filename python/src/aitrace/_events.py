"""Events: what is recorded without a span, as a call or for a block."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import types

    from typing_extensions import Self

    from aitrace import _native


class Event(str):
    """The id of an event, and with ``with`` what the event's block came to.

    When the block ends, a record ``event.updated`` tells its ``duration_ms`` and, where an exception leaves
    it, its ``error``; the exception passes through.
    """

    _tracer: _native.Tracer
    _begun: list[float]

    def __new__(cls, event_id: str, tracer: _native.Tracer) -> Self:
        """An event of a tracer."""
        self = super().__new__(cls, event_id)
        self._tracer = tracer
        self._begun = []
        return self

    def __enter__(self) -> Self:
        self._begun.append(time.perf_counter())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: types.TracebackType | None,
    ) -> None:
        # Whatever goes wrong here must not stand in the place of the block's own exception.
        with contextlib.suppress(Exception):
            duration = (time.perf_counter() - self._begun.pop()) * 1e3
            fields: dict[str, Any] = {"event_id": str(self), "duration_ms": duration}
            if exc_val is not None:
                fields["error"] = _told(exc_val)
            self._tracer._log("event.updated", "info" if exc_val is None else "error", fields, None)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # In another process it is an id and nothing more.
        return str, (str(self),)


def _told(error: BaseException) -> str:
    kind = type(error).__name__
    try:
        return f"{kind}: {error}"
    except Exception:  # whose text cannot be had
        return kind
