"""``trace``, ``atrace``, ``trace_class``: functions as spans.

A plain function is wrapped by a native callable; coroutines and generators by functions of their own
kind, so that ``inspect`` still tells what they are. The wrapper finds its tracer at each call; where
there is none the function runs and nothing is recorded.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from aitrace import _native, _place
from aitrace._generators import trace_async_generator, trace_generator

if TYPE_CHECKING:
    from aitrace._types import EventType, EventTypeName

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)


@overload
def trace(func: F, /) -> F: ...
@overload
def trace(
    func: None = None,
    /,
    *,
    event_type: EventType | EventTypeName | None = None,
    name: str | None = None,
    kind: str | None = None,
    tracer: _native.Tracer | None = None,
    capture_inputs: bool = True,
    capture_outputs: bool = True,
) -> Callable[[F], F]: ...
def trace(
    func: Any = None,
    /,
    *,
    event_type: EventType | EventTypeName | None = None,
    name: str | None = None,
    kind: str | None = None,
    tracer: _native.Tracer | None = None,
    capture_inputs: bool = True,
    capture_outputs: bool = True,
) -> Any:
    """Makes each call of a function a span; ``@trace`` and ``@trace(...)``.

    Takes plain functions, coroutines, generators, async generators, and methods of either kind. The span
    of a generator lasts until it is exhausted, closed or dropped. Signature, docstring, result and
    exceptions stay what they are.

    ``event_type`` is model, tool, chain or session; ``kind`` one of OpenInference's kinds (llm, agent,
    retriever, …) and wins. ``name`` defaults to the function's. Without ``tracer`` the tracer of the
    current span is taken, else the default one. Arguments and result are captured within bounds
    (32 levels, 10 000 nodes, 1 MiB, 10 ms) unless switched off.
    """

    def wrap(function: Any) -> Any:
        spec = spec_of(
            function,
            name,
            event_type=event_type,
            kind=kind,
            tracer=tracer,
            capture_inputs=capture_inputs,
            capture_outputs=capture_outputs,
        )
        return wrap_function(function, spec)

    return wrap if func is None else wrap(func)


def spec_of(
    function: Any,
    name: str | None = None,
    *,
    event_type: EventType | EventTypeName | None = None,
    kind: str | None = None,
    tracer: _native.Tracer | None = None,
    capture_inputs: bool = True,
    capture_outputs: bool = True,
) -> _native.Spec:
    """How the spans of a function are made."""
    return _native.Spec(
        name or _name(function),
        tracer=tracer,
        event_type=None if event_type is None else str(event_type),
        kind=kind,
        place=_place.of_function(function),
        parameters=_parameters(function) if capture_inputs else None,
        outputs=capture_outputs,
    )


atrace = trace
"""The same as ``trace``, which tells coroutines by itself."""


def wrap_function(function: Any, spec: _native.Spec) -> Any:
    """The traced form of a callable or of a static, class or bound method's descriptor."""
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(wrap_function(function.__func__, spec))
    import inspect  # takes a third of what the package takes, so it comes with the first traced function

    if inspect.iscoroutinefunction(function):
        return _trace_coroutine(function, spec)
    if inspect.isasyncgenfunction(function):
        return trace_async_generator(function, spec)
    if inspect.isgeneratorfunction(function):
        return trace_generator(function, spec)
    return _dress(_native.TracedFunction(function, spec), function)


def _dress(traced: Any, function: Any) -> Any:
    """What ``functools.update_wrapper`` does, less ``__wrapped__``, which the native callable has itself."""
    for name in functools.WRAPPER_ASSIGNMENTS:
        with contextlib.suppress(AttributeError):
            setattr(traced, name, getattr(function, name))
    own = getattr(function, "__dict__", {})
    traced.__dict__.update({name: value for name, value in own.items() if name != "__wrapped__"})
    return traced


def _trace_coroutine(function: Any, spec: _native.Spec) -> Any:
    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        span = spec.start(args, kwargs)
        if span is None:
            return await function(*args, **kwargs)
        with span:
            result = await function(*args, **kwargs)
            spec.finish(span, result)
            return result

    return traced


def _name(function: Any) -> str:
    inner = getattr(function, "__func__", function)
    name = getattr(inner, "__qualname__", None) or type(function).__qualname__
    return str(name).rpartition("<locals>.")[2]


def _parameters(function: Any) -> tuple[tuple[str, int, Any], ...] | None:
    """Name, kind and default of the parameters; a leading ``self`` or ``cls`` is marked by kind 5."""
    import inspect

    inner = getattr(function, "__func__", function)
    try:
        parameters = list(inspect.signature(inner).parameters.values())
    except (TypeError, ValueError):  # some builtins
        return None
    read = tuple((p.name, int(p.kind), p.default) for p in parameters)
    if read and parameters[0].name in {"self", "cls"} and read[0][1] <= 1:
        return ((read[0][0], 5, read[0][2]), *read[1:])
    return read


@overload
def trace_class(cls: C, /) -> C: ...
@overload
def trace_class(
    cls: None = None,
    /,
    *,
    event_type: EventType | EventTypeName | None = None,
    kind: str | None = None,
    tracer: _native.Tracer | None = None,
    capture_inputs: bool = True,
    capture_outputs: bool = True,
) -> Callable[[C], C]: ...
def trace_class(cls: Any = None, /, **options: Any) -> Any:
    """Traces the public methods that a class itself defines, static and class methods included.

    Options are those of ``trace``, without a name: spans are named ``Class.method``. Properties,
    inherited methods and names with a leading underscore stay as they are.
    """

    def wrap(target: C) -> C:
        import inspect

        for name, member in list(vars(target).items()):
            plain = inspect.isfunction(member) or isinstance(member, (staticmethod, classmethod))
            if plain and not name.startswith("_"):
                setattr(target, name, trace(**options, name=f"{target.__name__}.{name}")(cast("Any", member)))
        return target

    return wrap if cls is None else wrap(cls)
