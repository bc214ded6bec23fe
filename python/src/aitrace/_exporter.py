"""Exporters of the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from aitrace import _suppress
from aitrace._errors import ConfigurationError
from aitrace._finished import FinishedSpan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aitrace import _native


class Exporter(Protocol):
    """Takes finished spans. It is called by one thread at a time, never by the traced program's.

    Nothing is recorded in that thread, by no tracer: an exporter that is itself traced would send its own
    spans, and trace that, without end. What it does in threads of its own is traced.

    ``export`` returns False where it could not take them; None and everything else is success. What it
    raises counts as a failure. ``shutdown()``, where there is one, is called once, after the last batch.
    """

    def export(self, spans: Sequence[FinishedSpan], /) -> bool | None:
        """Takes a batch of finished spans."""
        ...


class Adapter:
    """What the native worker calls."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter

    def export(self, records: list[_native.SpanRecord]) -> bool:
        """Whether the batch was taken."""
        # Its requests are not traced: they would be exported, and traced, without end.
        with _suppress.suppressed():
            answer: Any = self._exporter.export([FinishedSpan(record) for record in records])
        return answer is not False

    def shutdown(self) -> None:
        """After the last batch."""
        shutdown = getattr(self._exporter, "shutdown", None)
        if callable(shutdown):
            shutdown()


def adapt(exporter: Exporter) -> Adapter:
    """Checks what can be checked before it matters."""
    if not callable(getattr(exporter, "export", None)):
        raise ConfigurationError(
            f"exporter must have a method export(spans), {type(exporter).__name__} has none"
        )
    return Adapter(exporter)
