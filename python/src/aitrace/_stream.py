"""Where lines of trace records go that Python writes: the innermost buffer, else ``setup_logging``'s."""

from __future__ import annotations

import contextlib
import contextvars
import sys
from typing import TYPE_CHECKING, TextIO

from aitrace import _native
from aitrace._generators import Ends

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Of a block of BufferedLogger.trace_context.
inner: contextvars.ContextVar[Callable[[str], None] | None] = contextvars.ContextVar(
    "aitrace_lines", default=None
)
_global: list[TextIO | None] = []
_nowhere: list[_native.Tracer] = []


def open_stream(stream: TextIO | None) -> None:
    """From now on lines go to this stream; None is standard output, whatever that is then."""
    _global[:] = [stream]


def close_stream() -> None:
    """From now on lines go nowhere."""
    _global.clear()


def sink(tracer: _native.Tracer | None = None) -> Callable[[str], None] | None:
    """Where lines about spans go; None where nobody wants them, or ``tracer`` writes them there itself."""
    own = inner.get()
    if own is not None:
        return own
    if not _global or (_global[0] is None and tracer is not None and tracer._writes_stdout()):
        return None
    return _write


def _write(line: str) -> None:
    # A stream that is closed or full is nothing that the traced program should hear of.
    with contextlib.suppress(Exception):
        stream = _global[0] or sys.stdout
        stream.write(line + "\n")
        stream.flush()


class _Nowhere:
    def export(self, _spans: object) -> bool:
        return True


def nowhere() -> _native.Tracer:
    """A tracer whose spans are only told of as lines, for programs that log but have no tracer.

    It is in no registry: a tracer that is made later is found before it.
    """
    if not _nowhere:
        from aitrace._tracer import Tracer

        tracer = Tracer(exporter=_Nowhere(), is_evaluation=True, test_mode=True)
        _native.unregister(tracer)
        _nowhere[:] = [tracer]
    return _nowhere[0]


def find(tracer: _native.Tracer | None = None) -> _native.Tracer | None:
    """The tracer of a span that is told of here: the one given or found, else one for lines alone."""
    found = _native.discover_tracer(tracer)
    return nowhere() if found is None and sink() is not None else found


def begun(span: _native.Span) -> None:
    """Tells of a span's start."""
    write = sink(span.tracer)
    line = None if write is None else span._start_line()
    if write is not None and line is not None:
        write(line)


def end(span: _native.Span) -> None:
    """Ends a span and tells of it."""
    write = sink(span.tracer)
    if write is None:
        span.end()
        return
    line = span._end_line()
    if line is not None:
        write(line)


class Told(Ends):
    """Spans of a function of which lines tell; ``lone`` makes its spec where there is no tracer but lines."""

    def __init__(self, lone: Callable[[_native.Tracer], _native.Spec]) -> None:
        self._make = lone
        self._lone: _native.Spec | None = None

    def start(self, spec: _native.Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _native.Span | None:
        """Starts a span and tells of it."""
        span = spec.start(args, kwargs)
        if span is None and sink() is not None and _native.discover_tracer() is None:
            self._lone = self._lone or self._make(nowhere())
            span = self._lone.start(args, kwargs)
        if span is not None:
            begun(span)
        return span

    def end(self, span: _native.Span) -> None:
        """Ends it and tells of it."""
        end(span)
