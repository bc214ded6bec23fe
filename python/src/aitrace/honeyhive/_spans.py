"""Spans as `honeyhive` starts them, and what takes them in place of the export."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from aitrace import _native, _place
from aitrace.honeyhive import _known, _traced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aitrace import FinishedSpan
    from aitrace.honeyhive._tracer import HoneyHiveTracer

F = TypeVar("F", bound=Callable[..., Any])
# Under these attributes code of `honeyhive` gives the type of an event.
_TYPES = ("event_type", "honeyhive_event_type", "honeyhive.event_type")


def start(
    recorder: _native.Tracer,
    name: str,
    *,
    kind: Any,
    attributes: Mapping[str, Any] | None,
    links: Any,
    start_time: int | None,
    event_type: Any,
) -> _native.Span:
    """Starts a span under what is current."""
    members = dict(attributes or {})
    for key in _TYPES:
        if key in members:
            found = members.pop(key)
            event_type = found if event_type is None else event_type
    ours = isinstance(kind, str)
    return recorder._start_span(
        name,
        event_type=event_type,
        kind=kind if ours else None,
        attributes=members or None,
        links=_pairs(links),
        start_time=start_time,
        place=_place.of_caller(),
        otel_kind=None if ours or kind is None else int(getattr(kind, "value", kind)) + 1,
    )


def _pairs(links: Any) -> list[tuple[str, str]] | None:
    """Links of OpenTelemetry, or pairs of ids, as pairs of ids."""
    pairs = []
    for link in links or ():
        context = getattr(link, "context", None)
        if context is not None:
            pairs.append((f"{context.trace_id:032x}", f"{context.span_id:016x}"))
        else:
            pairs.append((str(link[0]), str(link[1])))
    return pairs or None


class QuietSpan:
    """A span for ``with`` that is not told of every exception."""

    def __init__(self, span: _native.Span, *, record: bool, mark: bool) -> None:
        self._span = span
        self._record = record
        self._mark = mark

    def __getattr__(self, name: str) -> Any:
        return getattr(self._span, name)

    def __enter__(self) -> _native.Span:
        return self._span.__enter__()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if error is not None and self._record:
            # As an event: our record_exception is a failure of the span, too.
            text = "".join(traceback.format_exception(error))
            said = {"exception.type": type(error).__name__, "exception.message": str(error)}
            self._span.add_event("exception", {**said, "exception.stacktrace": text})
        if error is not None and self._mark:
            self._span.set_status("error", str(error))
        return self._span.__exit__(None, None, None)


class Traced:
    """``tracer.trace(...)``: a decorator and, for ``with``, a span."""

    def __init__(
        self, tracer: HoneyHiveTracer, name: str | None, *, event_type: Any, options: dict[str, Any]
    ) -> None:
        self._tracer = tracer
        self._name = name
        self._event_type = event_type
        self._options = options
        self._open: list[_native.Span] = []

    def __call__(self, function: F) -> F:
        wrap: Any = _traced.trace(
            event_type=self._event_type, event_name=self._name, tracer=self._tracer, **self._options
        )
        traced: F = wrap(function)
        return traced

    def __enter__(self) -> _native.Span:
        said, attributes = _traced.split(self._options)
        span: _native.Span = self._tracer.start_span(
            self._name or "span", event_type=self._event_type, attributes=attributes, **said
        )
        self._open.append(span)
        return span.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool:
        return self._open.pop().__exit__(kind, error, trace)


class Flush:
    """``tracer.flush(timeout_millis)``, and ``HoneyHiveTracer.flush()`` for all tracers, as 0.2 has it."""

    def __get__(self, tracer: HoneyHiveTracer | None, owner: Any) -> Callable[..., bool]:
        def flush(timeout_millis: float = 30000) -> bool:
            """Sends everything that has ended; whether it was all."""
            tracers = _known.living() if tracer is None else [tracer]
            results = [bool(one._recorder.flush(timeout_millis / 1000)) for one in tracers]
            return all(results)

        return flush


class Nowhere:
    """An exporter that takes everything and keeps nothing."""

    def export(self, spans: Sequence[FinishedSpan], /) -> bool:
        """Takes spans."""
        return len(spans) >= 0


class _Processed:
    """Finished spans, given to a span processor one by one."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def export(self, spans: Sequence[FinishedSpan], /) -> bool:
        """Hands spans on."""
        for span in spans:
            self._processor.on_end(span)
        return True

    def shutdown(self) -> None:
        """Hands on the end."""
        end = getattr(self._processor, "shutdown", None)
        if callable(end):
            end()


def exporter_of(processor: Any) -> Any:
    """An exporter that does what a span processor or an exporter does; None for None."""
    if processor is None or callable(getattr(type(processor), "export", None)):
        return processor
    return _Processed(processor)
