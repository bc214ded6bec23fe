"""``trace``, ``atrace``, ``trace_class``: functions as spans, with the options of `honeyhive`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from aitrace import _decorators as native_decorators
from aitrace import _native, _place
from aitrace.honeyhive._known import recorder_of

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

# As groups of the span; all other options are metadata of it.
_GROUPS = frozenset(
    {
        "error", "feedback", "inputs", "metadata", "metrics", "outputs", "session_id", "user_id",
        "user_properties",
    }
)  # fmt: skip
_AS_METADATA = frozenset({"project", "session_name", "source"})


@overload
def trace(event_type: F, /) -> F: ...
@overload
def trace(
    event_type: str | None = None, event_name: str | None = None, *, tracer: Any = None, **options: Any
) -> Callable[[F], F]: ...
def trace(
    event_type: Any = None, event_name: str | None = None, *, tracer: Any = None, **options: Any
) -> Any:
    """Makes each call of a function a span: ``@trace``, ``@trace("model")``, ``@trace(event_type="model")``.

    Plain functions, coroutines, generators, async generators and methods alike; the span of a generator
    lasts until it is exhausted, closed or dropped. ``event_name`` defaults to ``module.function``.
    ``metadata, inputs, outputs, metrics, feedback, error, user_properties, span_config`` (or ``config``),
    ``user_id`` and ``session_id`` are said of each span; ``source``, ``project`` and ``session_name``
    stand in its metadata, for identity is the tracer's.

    Without ``tracer`` the tracer of the current span is taken, else the default one; with none the
    function runs untraced. Raises TypeError for another option.
    """
    function = options.pop("func", None)
    if callable(event_type) and not isinstance(event_type, str):
        function, event_type = event_type, None
    said = _said(options)

    def wrap(target: Any) -> Any:
        return traced(target, event_type=event_type, name=event_name, tracer=tracer, said=said)

    return wrap if function is None else wrap(function)


atrace = trace
"""The same as ``trace``, which tells coroutines by itself."""


def trace_class(cls: Any = None, **options: Any) -> Any:
    """Traces the public methods that a class itself defines; spans are named ``Class.method``.

    Options are those of ``trace``, without a name.
    """

    def wrap(target: C) -> C:
        for name, member in list(vars(target).items()):
            plain = inspect.isfunction(member) or isinstance(member, (staticmethod, classmethod))
            if plain and not name.startswith("_"):
                setattr(target, name, trace(event_name=f"{target.__name__}.{name}", **options)(member))
        return target

    return wrap if cls is None else wrap(cls)


def traced(function: Any, *, event_type: Any, name: str | None, tracer: Any, said: dict[str, Any]) -> Any:
    """The traced form of a callable, of which each span says ``said``."""
    if isinstance(function, (staticmethod, classmethod)):
        inner = traced(function.__func__, event_type=event_type, name=name, tracer=tracer, said=said)
        return type(function)(inner)
    recorder = recorder_of(tracer)
    spec = _native.Spec(
        name or _name(function),
        tracer=recorder,
        event_type=None if event_type is None else str(getattr(event_type, "value", event_type)),
        place=_place.of_function(function),
        parameters=native_decorators._parameters(function),
    )
    body = _saying(function, functools.partial(_native.enrich_span, tracer=recorder, **said))
    return native_decorators.wrap_function(body if said else function, spec)


def _said(options: dict[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in options.items() if name in _GROUPS and value is not None}
    config = options.get("span_config", options.get("config"))
    if config is not None:
        said["config"] = config
    aside = {name: options[name] for name in _AS_METADATA if options.get(name) is not None}
    if aside:
        said["metadata"] = {**aside, **(said.get("metadata") or {})}
    unknown = sorted(options.keys() - _GROUPS - _AS_METADATA - {"span_config", "config"})
    if unknown:
        raise TypeError(f"trace has no option {unknown[0]!r}")
    return said


def split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options as what a span says and as its plain attributes."""
    known = _GROUPS | _AS_METADATA | {"span_config", "config"}
    said = _said({name: value for name, value in options.items() if name in known})
    return said, {name: value for name, value in options.items() if name not in known}


def _name(function: Any) -> str:
    name = getattr(function, "__name__", None) or type(function).__name__
    module = getattr(function, "__module__", None)
    return f"{module}.{name}" if module else str(name)


def _saying(function: Any, say: Callable[[], Any]) -> Any:
    """The function, of its own kind, that says something of its span before it runs."""
    if inspect.iscoroutinefunction(function):

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            say()
            return await function(*args, **kwargs)

        return functools.wraps(function)(coroutine)
    if inspect.isasyncgenfunction(function):
        return functools.wraps(function)(_async_items(function, say))
    if inspect.isgeneratorfunction(function):

        def items(*args: Any, **kwargs: Any) -> Any:
            say()
            return (yield from function(*args, **kwargs))

        return functools.wraps(function)(items)

    def plain(*args: Any, **kwargs: Any) -> Any:
        say()
        return function(*args, **kwargs)

    return functools.wraps(function)(plain)


def _async_items(function: Any, say: Callable[[], Any]) -> Any:
    async def items(*args: Any, **kwargs: Any) -> Any:
        say()
        inner = function(*args, **kwargs)
        try:
            item = await inner.asend(None)
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    raise
                except BaseException as thrown:
                    item = await inner.athrow(thrown)
                else:
                    item = await inner.asend(sent)
        except StopAsyncIteration:
            return
        finally:
            await inner.aclose()

    return items
