r"""For tests of traced programs: a clock that stands still, ids that count, exporters that fail.

    from aitrace import testing

    tracer, clock = testing.tracer()
    with tracer.start_span("plan"):
        clock.advance(1_000_000)
    assert testing.tree(tracer.spans()) == "plan 1ms\n"

As fixtures of pytest these are ``aitrace_tracer`` and ``aitrace_clock``; installing the package is enough.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from aitrace import _native
from aitrace._native import Clock
from aitrace._tracer import Tracer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aitrace._finished import FinishedSpan

__all__ = ["Clock", "FailingExporter", "RecordingExporter", "SlowExporter", "tick", "tracer", "tree"]


def tracer(*, clock: Clock | None = None, **settings: Any) -> tuple[Tracer, Clock]:
    """A tracer that keeps its spans in memory, and its clock.

    Ids count from 1, the clock stands at 2026-01-01T00:00:00Z until it is moved: ``clock.advance(nanos)``.
    ``settings`` are those of ``Tracer``; project is ``test`` unless named.
    """
    clock = Clock() if clock is None else clock
    given: dict[str, Any] = {"project": "test", "sequential_ids": True, **settings}
    if "exporter" not in given:
        given.setdefault("target", "memory")
    return Tracer(clock=clock, **given), clock


def tree(spans: Iterable[FinishedSpan]) -> str:
    """Spans as text, one a line: children below their parents, indented by two spaces, in order of start.

    Behind the name stand the duration, the kind where it is none of ``span``, the error, and the metadata.
    A span whose parent is not among them stands at the left.
    """
    return _native.tree([span._data for span in spans])


def tick(tracer: Tracer, timeout: float = 10.0) -> bool:
    """Has the worker tell of open spans now, and waits up to ``timeout`` seconds; true when it has."""
    return _native.tick(tracer, timeout)


class RecordingExporter:
    """An exporter that keeps what it is given: ``batches``, ``spans``.

    ``closed`` is set at its end, which comes after a tracer's shutdown: ``closed.wait(10)``.
    """

    def __init__(self) -> None:
        self.batches: list[list[FinishedSpan]] = []
        self.closed = threading.Event()

    @property
    def spans(self) -> list[FinishedSpan]:
        """The spans of all batches."""
        return [span for batch in self.batches for span in batch]

    def export(self, spans: Sequence[FinishedSpan], /) -> bool:
        """Keeps a batch."""
        self.batches.append(list(spans))
        return True

    def shutdown(self) -> None:
        """Notes that it has ended."""
        self.closed.set()


class FailingExporter:
    """An exporter that takes nothing: it raises ``error``, or returns False where that is None.

    ``times`` is how often it fails before it takes what comes; None: always. ``calls`` counts.
    """

    def __init__(self, error: BaseException | None = None, *, times: int | None = None) -> None:
        self.error = error
        self.times = times
        self.calls = 0
        self.spans: list[FinishedSpan] = []

    def export(self, spans: Sequence[FinishedSpan], /) -> bool:
        """Fails, or keeps a batch."""
        self.calls += 1
        if self.times is not None and self.calls > self.times:
            self.spans.extend(spans)
            return True
        if self.error is not None:
            raise self.error
        return False


class SlowExporter(RecordingExporter):
    """An exporter that holds each batch until ``release`` is set; ``entered`` is set once it holds one.

    It never waits longer than ``patience`` seconds, so that a test that forgets it ends.
    """

    def __init__(self, *, patience: float = 10.0) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.release = threading.Event()
        self._patience = patience

    def export(self, spans: Sequence[FinishedSpan], /) -> bool:
        """Waits, then keeps a batch."""
        self.entered.set()
        self.release.wait(self._patience)
        return super().export(spans)
