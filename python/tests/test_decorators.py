"""``trace``: the function stays what it is, its calls become spans."""

import asyncio
import copy
import functools
import gc
import inspect
import pickle
import typing
import weakref

import pytest

import aitrace
from aitrace import EventType, Tracer, trace, trace_class


@trace
def module_level(a: int, b: str = "x") -> str:
    """Says both."""
    return f"{a}{b}"


def test_arguments_result_name_and_place(tracer):
    @tracer.trace(event_type="tool")
    def lookup(order, /, kind="a", *rest, flag=False, **more):
        return {"order": order}

    assert lookup(7, "b", 1, 2, flag=True, extra=[1]) == {"order": 7}
    (span,) = tracer.spans()
    assert span.name == "lookup"
    assert span.inputs == {"order": 7, "kind": "b", "rest": [1, 2], "flag": True, "more": {"extra": [1]}}
    assert span.outputs == {"order": 7}
    assert (span.event_type, span.kind, span.status) == ("tool", "tool", "ok")
    assert span.code.file.endswith("test_decorators.py")
    assert span.code.line == lookup.__code__.co_firstlineno
    assert "lookup" in span.code.function
    assert (span.project, span.source, span.session_id) == ("tests", "ci", tracer.session_id)


def test_defaults_are_inputs_and_switches_switch_off(tracer):
    @tracer.trace
    def full(a, b=2):
        return a

    @tracer.trace(capture_inputs=False, capture_outputs=False, name="quiet", kind="retriever")
    def quiet(a):
        return a

    full(1)
    quiet(1)
    one, two = tracer.spans()
    assert one.inputs == {"a": 1, "b": 2}
    assert (two.name, two.kind, two.inputs, two.outputs) == ("quiet", "retriever", None, None)


def test_the_function_stays_what_it_is(tracer):
    assert module_level.__name__ == "module_level"
    assert module_level.__doc__ == "Says both."
    assert module_level.__module__ == __name__
    assert inspect.signature(module_level) == inspect.signature(module_level.__wrapped__)
    assert typing.get_type_hints(module_level) == {"a": int, "b": str, "return": str}
    assert pickle.loads(pickle.dumps(module_level)) is module_level
    assert copy.deepcopy(module_level) is module_level
    assert module_level.__defaults__ == ("x",)
    assert callable(module_level)
    assert functools.partial(module_level, 1)() == "1x"

    async def coroutine(): ...

    def generator():
        yield

    async def async_generator():
        yield

    assert inspect.iscoroutinefunction(trace(coroutine))
    assert inspect.isgeneratorfunction(trace(generator))
    assert inspect.isasyncgenfunction(trace(async_generator))


def test_a_wrong_call_is_the_functions_own_error(tracer):
    @tracer.trace
    def one(a):
        return a

    with pytest.raises(TypeError, match="one\\(\\) missing 1 required positional argument: 'a'"):
        one()
    with pytest.raises(TypeError, match="unexpected keyword"):
        one(1, b=2)
    assert [span.status for span in tracer.spans()] == ["error", "error"]


def test_exceptions_pass_through_untouched(tracer):
    error = ValueError("kaput")

    @tracer.trace
    def outer():
        inner()

    @tracer.trace
    def inner():
        raise error

    with pytest.raises(ValueError) as caught:
        outer()
    assert caught.value is error
    assert [entry.name for entry in caught.traceback][-2:] == ["outer", "inner"]
    for span in tracer.spans():
        assert span.status == "error"
        assert (span.error.type, span.error.message) == ("ValueError", "kaput")
        assert "in inner" in span.error.stacktrace
        assert [event.name for event in span.events] == ["exception"]


def test_base_exceptions_end_the_span_too(tracer):
    @tracer.trace
    def leave():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        leave()
    assert tracer.spans()[0].error.type == "SystemExit"


def test_coroutines(tracer):
    @tracer.trace(event_type=EventType.model)
    async def ask(question):
        await asyncio.sleep(0)
        tracer.enrich_span(metadata={"inside": True})
        return question.upper()

    async def main():
        return await asyncio.gather(*(ask(q) for q in "abc"))

    assert asyncio.run(main()) == ["A", "B", "C"]
    spans = tracer.spans()
    assert sorted(span.outputs for span in spans) == ["A", "B", "C"]
    assert {span.parent_span_id for span in spans} == {None}
    assert {span.kind for span in spans} == {"llm"}
    assert all(span.metadata == {"inside": True} for span in spans)


def test_exceptions_of_coroutines_pass_through_untouched(tracer):
    error = ValueError("kaput")

    @tracer.trace
    async def outer():
        await inner()

    @tracer.trace
    async def inner():
        await asyncio.sleep(0)
        raise error

    with pytest.raises(ValueError) as caught:
        asyncio.run(outer())
    assert caught.value is error
    assert [entry.name for entry in caught.traceback if entry.name in {"outer", "inner"}] == [
        "outer",
        "inner",
    ]
    spans = [(span.name, span.status, span.error.message) for span in tracer.spans()]
    assert spans == [("inner", "error", "kaput"), ("outer", "error", "kaput")]


def test_cancellation_ends_the_span(tracer):
    @tracer.trace
    async def forever():
        await asyncio.Event().wait()

    async def main():
        task = asyncio.ensure_future(forever())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (span,) = tracer.spans()
    assert (span.status, span.error.type) == ("error", "CancelledError")


def test_methods_static_and_class_methods(tracer):
    class Service:
        @tracer.trace
        def run(self, a):
            return a

        @classmethod
        @tracer.trace
        def make(cls, a):
            return cls.__name__ + str(a)

        @tracer.trace
        @staticmethod
        def plain(a):
            return a

        @tracer.trace
        async def later(self, a):
            return a

    assert Service().run(1) == 1
    assert Service.run(Service(), 2) == 2
    assert Service.make(3) == "Service3"
    assert Service().plain(4) == 4
    assert asyncio.run(Service().later(5)) == 5
    spans = tracer.spans()
    assert [span.name for span in spans] == [
        "Service.run", "Service.run", "Service.make", "Service.plain", "Service.later"
    ]  # fmt: skip
    assert [span.inputs for span in spans] == [{"a": n} for n in (1, 2, 3, 4, 5)]


def test_trace_class(tracer):
    @trace_class
    class Service:
        limit = 3

        def __init__(self):
            self.started = True

        def run(self, a):
            return self._hidden(a)

        def _hidden(self, a):
            return a

        @staticmethod
        def helper(a):
            return a

        @classmethod
        def make(cls):
            return cls()

        @property
        def size(self):
            return 1

        async def later(self):
            return 2

    service = Service.make()
    assert (service.run(1), service.helper(2), service.size, asyncio.run(service.later())) == (1, 2, 1, 2)
    assert [span.name for span in tracer.spans()] == [
        "Service.make", "Service.run", "Service.helper", "Service.later"
    ]  # fmt: skip
    assert Service.limit == 3


def test_without_a_tracer_the_function_runs():
    assert module_level(1) == "1x"
    assert aitrace.discover_tracer() is None

    @trace
    async def later():
        return 1

    @trace
    def some():
        yield 1
        return 2

    assert asyncio.run(later()) == 1
    assert list(some()) == [1]


def test_after_shutdown_the_function_runs_untraced(tracer):
    @tracer.trace
    def f():
        return 1

    f()
    assert tracer.shutdown().ok
    assert f() == 1
    assert len(tracer.spans()) == 1
    assert tracer.shutdown().ok


def test_a_local_function_that_calls_itself_is_collected(tracer):
    def make():
        @tracer.trace
        def down(n):
            return n and down(n - 1)

        down(2)
        return weakref.ref(down)

    gone = make()
    gc.collect()
    assert gone() is None


def test_recursion(tracer):
    @tracer.trace
    def down(n):
        return n and down(n - 1)

    down(50)
    spans = tracer.spans()
    assert len(spans) == 51
    assert len({span.trace_id for span in spans}) == 1
    by_id = {span.span_id: span for span in spans}
    assert sum(span.parent_span_id in by_id for span in spans) == 50


def test_explicit_tracer_beats_the_current_one(tracer, other):
    @trace(tracer=other)
    def f():
        return 1

    with tracer.start_span("outer"):
        f()
    assert [span.name for span in other.spans()] == ["f"]
    assert other.spans()[0].trace_id == tracer.spans()[0].trace_id
    assert other.spans()[0].project == "other"


def test_init_is_the_constructor():
    assert Tracer.init(project="p", target="memory").project_name == "p"
