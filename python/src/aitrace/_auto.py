"""``auto_span`` and ``trace_context``: spans whose records stand among the lines of the user's logs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from aitrace import _native, _place, _stream
from aitrace._decorators import spec_of
from aitrace._generators import trace_async_generator, trace_generator

if TYPE_CHECKING:
    from types import TracebackType

    from aitrace._types import EventType, EventTypeName

F = TypeVar("F", bound=Callable[..., Any])


class SpanBlock:
    """A span for a block; ``with`` and ``async with`` begin it. Usable as a decorator, too."""

    def __init__(
        self,
        name: str | None,
        *,
        tracer: _native.Tracer | None = None,
        event_type: EventType | EventTypeName | None = None,
        kind: str | None = None,
        lines: Callable[[str], None] | None = None,
    ) -> None:
        self._name = name
        self._tracer = tracer
        self._event_type = event_type
        self._kind = kind
        self._lines = lines
        # A block may be entered again within itself: the last one entered is the first one left.
        self._entered: list[tuple[_native.Span | None, Any]] = []

    def __call__(self, function: F) -> F:
        """Makes each call of a function a span."""
        options: dict[str, Any] = {"event_type": self._event_type, "kind": self._kind, "tracer": self._tracer}
        traced: F = wrap(function, self._name, options)
        return traced

    def __enter__(self) -> _native.Span | None:
        """The span; None where no tracer is found."""
        token = None if self._lines is None else _stream.inner.set(self._lines)
        tracer = _stream.find(self._tracer)
        place = _place.of_caller()
        span = None
        if tracer is not None:
            name = self._name or (place.function if place else "") or "span"
            span = tracer._start_span(name, event_type=self._event_type, kind=self._kind, place=place)
            span.__enter__()
            _stream.begun(span)
        self._entered.append((span, token))
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        span, token = self._entered.pop()
        if span is not None:
            if error is not None:
                span.fail(error)
            _stream.end(span)
            span.__exit__(None, None, None)
        if token is not None:
            try:
                _stream.inner.reset(token)
            except ValueError:  # left in another context than it was entered in
                _stream.inner.set(None)

    async def __aenter__(self) -> _native.Span | None:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


@overload
def auto_span(name: F, /) -> F: ...
@overload
def auto_span(
    name: str | None = None,
    /,
    *,
    event_type: EventType | EventTypeName | None = None,
    kind: str | None = None,
    tracer: _native.Tracer | None = None,
) -> SpanBlock: ...
def auto_span(name: Any = None, /, **options: Any) -> Any:
    """A span for a function or a block, also told of in the logs.

    As a decorator, ``@auto_span``, ``@auto_span()``, ``@auto_span("name")``, on functions of every kind; as
    ``with auto_span("name") as span:``. Without a name it is the function's. Beside what the tracer does,
    the records ``NAME.start`` (provisional, at once) and ``NAME.end`` stand where ``setup_logging`` writes,
    or in the buffer of a ``BufferedLogger.trace_context`` around it.
    """
    if callable(name):
        return wrap(name, None, {})
    return SpanBlock(name, **options)


def trace_context(
    tracer: _native.Tracer | None = None,
    name: str | None = None,
    *,
    event_type: EventType | EventTypeName | None = None,
    kind: str | None = None,
) -> SpanBlock:
    """A span of ``tracer`` for a block, also told of in the logs: see ``auto_span``."""
    return SpanBlock(name, tracer=tracer, event_type=event_type, kind=kind)


def wrap(function: Any, name: str | None, options: dict[str, Any]) -> Any:
    """The traced form of a function of any kind, or of a method's descriptor."""
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(wrap(function.__func__, name, options))
    spec = spec_of(function, name, **options)
    ends = _stream.Told(lambda tracer: spec_of(function, name, **{**options, "tracer": tracer}))
    if inspect.isasyncgenfunction(function):
        return trace_async_generator(function, spec, ends)
    if inspect.isgeneratorfunction(function):
        return trace_generator(function, spec, ends)
    if inspect.iscoroutinefunction(function):
        return _coroutine(function, spec, ends)
    return _plain(function, spec, ends)


def _plain(function: Any, spec: _native.Spec, ends: _stream.Told) -> Any:
    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        span = ends.start(spec, args, kwargs)
        if span is None:
            return function(*args, **kwargs)
        span.__enter__()
        try:
            result = function(*args, **kwargs)
            spec.finish(span, result)
            return result
        except BaseException as error:
            span.fail(error)
            raise
        finally:
            _leave(span)

    return traced


def _coroutine(function: Any, spec: _native.Spec, ends: _stream.Told) -> Any:
    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        span = ends.start(spec, args, kwargs)
        if span is None:
            return await function(*args, **kwargs)
        span.__enter__()
        try:
            result = await function(*args, **kwargs)
            spec.finish(span, result)
            return result
        except BaseException as error:
            span.fail(error)
            raise
        finally:
            _leave(span)

    return traced


def _leave(span: _native.Span) -> None:
    _stream.end(span)
    span.__exit__(None, None, None)
