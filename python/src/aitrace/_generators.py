"""Generators as spans.

The body of a generator runs in pieces, each in the context of whoever asks for the next item. The
span is current within each piece and nowhere else: what the body left as current is put back before
its next piece, what the consumer had is put back after it. No token outlives a piece, so a generator
may be closed from another task or thread.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from aitrace import _native

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator


class Ends:
    """How spans of functions begin and end; others than the plain ones tell of it."""

    def start(self, spec: _native.Spec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _native.Span | None:
        """Starts a span that is not current; None where nothing is recorded."""
        return spec.start(args, kwargs)

    def end(self, span: _native.Span) -> None:
        """Ends it."""
        span.end()


PLAIN = Ends()


def trace_generator(function: Callable[..., Any], spec: _native.Spec, ends: Ends = PLAIN) -> Any:
    """The traced form of a generator function; send, throw, close and the returned value pass through."""

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        span = ends.start(spec, args, kwargs)
        if span is None:
            return (yield from function(*args, **kwargs))
        stage = _native.Stage(span)
        items = _native.Items(spec)
        try:
            generator = stage.run(function, *args, **kwargs)
            step, value = generator.send, None
            while True:
                try:
                    item = stage.run(step, value)
                except StopIteration as stop:
                    items.finish(span, stop.value)
                    return stop.value
                items.add(item)
                try:
                    value = yield item
                    step = generator.send
                except GeneratorExit:
                    stage.run(generator.close)
                    items.finish(span, None)
                    raise
                except BaseException as thrown:
                    step, value = generator.throw, thrown
        except GeneratorExit:
            raise
        except BaseException as error:
            span.fail(error)
            raise
        finally:
            ends.end(span)

    return traced


def trace_async_generator(function: Callable[..., Any], spec: _native.Spec, ends: Ends = PLAIN) -> Any:
    """The traced form of an async generator function; asend, athrow and aclose pass through."""

    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        span = ends.start(spec, args, kwargs)
        stage = None if span is None else _native.Stage(span)
        items = _native.Items(spec)
        generator = function(*args, **kwargs)
        try:
            step, value = generator.asend, None
            while True:
                try:
                    awaitable = step(value)
                    item = await (awaitable if stage is None else _Staged(awaitable, stage))
                except StopAsyncIteration:
                    if span is not None:
                        items.finish(span, None)
                    return
                items.add(item)
                try:
                    value = yield item
                    step = generator.asend
                except GeneratorExit:
                    awaitable = generator.aclose()
                    await (awaitable if stage is None else _Staged(awaitable, stage))
                    if span is not None:
                        items.finish(span, None)
                    raise
                except BaseException as thrown:
                    step, value = generator.athrow, thrown
        except GeneratorExit:
            raise
        except BaseException as error:
            if span is not None:
                span.fail(error)
            raise
        finally:
            if span is not None:
                ends.end(span)

    return traced


class _Staged:
    """An awaitable whose every step runs on a stage."""

    __slots__ = ("_awaitable", "_stage")

    def __init__(self, awaitable: Any, stage: _native.Stage) -> None:
        self._awaitable = awaitable
        self._stage = stage

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._awaitable.__await__()
        stage = self._stage
        step, value = steps.send, None
        while True:
            try:
                signal = stage.run(step, value)
            except StopIteration as stop:
                return stop.value
            try:
                value = yield signal
                step = steps.send
            except GeneratorExit:
                stage.run(steps.close)
                raise
            except BaseException as thrown:
                step, value = steps.throw, thrown
