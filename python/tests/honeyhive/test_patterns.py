"""What code written against `honeyhive` does, one test for each way of doing it.

Of the examples in the documents this module follows, four are no code for it, so that no test here has their like:
the folder tree of a package; the inside of a span processor before and after a repair (names of that package's
source; what it repairs is ``test_project_and_source_are_no_baggage``); a retry decorator and a connection pool,
both sketches with names that nobody defines (what they stand for is in ``test_client.py``:
``test_what_may_be_repeated_is_and_the_rest_is_not``, ``test_connections_are_kept``).
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pytest

from aitrace.honeyhive import (
    EventType,
    HoneyHiveTracer,
    enrich_session,
    enrich_span,
    evaluate,
    trace,
    trace_class,
)


def make(**settings):
    return HoneyHiveTracer(**{"api_key": "k", "project": "p", "test_mode": True, **settings})


def only(tracer):
    tracer.flush()
    (span,) = tracer.spans()
    return span


def updates(tracer):
    import json

    tracer.flush()
    return [json.loads(log[5]) for log in tracer._recorder._logs() if log[0] == "session.updated"]


def test_enriching_through_the_tracer():
    tracer = make()

    @tracer.trace(event_type="tool")
    def work():
        tracer.enrich_span(metadata={"result": 1}, metrics={"ms": 150})
        return 2

    assert work() == 2
    span = only(tracer)
    assert (span.event_type, span.metadata, span.metrics, span.outputs) == (
        "tool",
        {"result": 1},
        {"ms": 150},
        2,
    )


def test_enriching_through_the_free_function():
    tracer = make()

    @trace(event_type="tool")
    def work():
        assert enrich_span(metadata={"result": 1})
        return 1

    work()
    assert only(tracer).metadata == {"result": 1}


def test_enriching_the_session_through_the_free_function():
    tracer = make(session_name="s")
    enrich_session(metadata={"user": "u1"})
    enrich_session("3b7f2f1e-9d5b-4a4e-8f59-1d7d3c6a2b10", {"user": "u2"})
    assert updates(tracer) == [
        {"session_id": tracer.session_id, "metadata": {"user": "u1"}},
        {"session_id": "3b7f2f1e-9d5b-4a4e-8f59-1d7d3c6a2b10", "metadata": {"user": "u2"}},
    ]


def test_a_decorated_function_without_any_tracer_runs():
    @trace(event_type="tool")
    def work():
        return bool(enrich_span(metadata={"a": 1}))

    assert work() is False
    enrich_session(metadata={"a": 1})


def test_the_tracer_is_found_in_another_thread_and_in_a_span_of_another():
    first, second = make(project="first"), make(project="second")

    @trace
    def inner():
        enrich_span(metadata={"where": threading.current_thread().name})

    with second.start_span("outer"):
        inner()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(inner).result()
    first.flush(), second.flush()
    assert [span.name for span in second.spans()] == [f"{__name__}.inner", "outer"]
    assert [span.name for span in first.spans()] == [f"{__name__}.inner"]


def test_ten_threads_with_a_tracer_each():
    together = threading.Barrier(10)

    def run(number):
        tracer = make(project=f"p{number}", session_name=f"s{number}")
        together.wait(20)
        with tracer.start_span(f"span-{number}") as span:
            tracer.enrich_span(metadata={"tid": number})
            together.wait(20)
            attrs = span.attributes
        assert attrs["metadata.tid"] == number
        assert attrs["project"] == f"p{number}" and attrs["session_id"] == tracer.session_id
        return tracer.tracer_id

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(run, range(10)))) == 10


def test_a_span_inside_another_tracers_span_keeps_its_own_identity():
    one, two = make(project="one", source="a"), make(project="two", source="b")

    @trace(tracer=two)
    def inner():
        return two.enrich_span(metadata={"at": "two"}), one.enrich_span(metadata={"at": "one"})

    @trace(tracer=one)
    def outer():
        return inner()

    assert outer() == (True, True)
    for tracer, name in ((one, "one"), (two, "two")):
        span = only(tracer)
        assert (span.project, span.session_id, span.metadata) == (name, tracer.session_id, {"at": name})
        assert span.source == tracer.source


def test_project_and_source_are_no_baggage():
    first = make(project="first", source="one")
    with first.start_span("s"):
        second = make(project="second", source="two")
        headers = second.inject_context({})
        assert "second" not in str(headers) and "two" not in str(headers)
        assert second.session_id not in str(headers)
        with second.start_span("t") as span:
            assert (span.attributes["project"], span.attributes["source"]) == ("second", "two")
    with first.start_span("u") as span:
        assert (span.attributes["project"], span.attributes["source"]) == ("first", "one")


def test_evaluating_with_free_functions():
    done = []

    @trace(event_type="tool")
    def work(datapoint):
        done.append(bool(enrich_span(metadata={"n": datapoint["inputs"]["n"]})))
        return datapoint["inputs"]["n"]

    result = evaluate(
        function=work,
        dataset=[{"inputs": {"n": n}} for n in range(5)],
        api_key="k",
        project="test",
        print_results=False,
    )
    assert result["status"] == "completed" and result.success and done == [True] * 5


def test_evaluating_with_the_tracer_as_an_argument():
    def work(datapoint, tracer):
        @tracer.trace(event_type="tool")
        def call():
            assert tracer.enrich_span(metadata={"model": "m"}, metrics={"latency_ms": 150})
            return {"output": tracer.datapoint_id}

        return call()

    result = evaluate(function=work, dataset=[{"id": "one", "inputs": {}}], print_results=False)
    assert result["status"] == "completed" and result.passed == ["EXT-one"]


def test_evaluating_a_function_that_finds_no_tracer():
    result = evaluate(
        function=lambda datapoint: (_ for _ in ()).throw(AttributeError("no tracer")),
        dataset=[{"inputs": {"text": "t"}}],
        print_results=False,
    )
    assert result["status"] == "failed" and result.failed and not result.success


def test_made_by_the_factory_method_with_an_own_server():
    tracer = HoneyHiveTracer.init(api_key="k", server_url="http://127.0.0.1:9", test_mode=True)
    assert type(tracer) is HoneyHiveTracer and tracer.is_initialized
    assert tracer.client.server_url == "http://127.0.0.1:9"


def test_a_class_is_traced_by_its_decorator():
    @trace_class
    class Service:
        def method(self, a):
            return a

        async def later(self):
            return 1

        @staticmethod
        def still(a):
            return a

        @classmethod
        def made(cls):
            return cls.__name__

        def _own(self):
            return 0

    tracer = make()
    service = Service()
    assert (service.method(1), service.still(2), service.made(), service._own()) == (1, 2, "Service", 0)
    tracer.flush()
    assert [span.name for span in tracer.spans()] == ["Service.method", "Service.still", "Service.made"]


def test_enrichment_as_a_context_manager_sets_the_type():
    tracer = make()
    with tracer.start_span("operation") as span:
        with enrich_span(event_type=EventType.tool) as same:
            assert same.span_id == span.span_id
        span.set_attribute("result", 3)
    found = only(tracer)
    assert found.event_type == "tool" and found.attributes["result"] == 3


def test_an_exception_marks_the_span_and_passes():
    tracer = make()
    with pytest.raises(ValueError, match="bad"), tracer.start_span("s"):
        raise ValueError("bad")
    assert only(tracer).error.type == "ValueError"


class Injected(HoneyHiveTracer):
    """Takes what it needs as arguments and hands it out where it is made."""

    def __init__(self, api_client=None, span_processor=None, **kwargs):
        self._api_client = api_client
        self._span_processor = span_processor
        super().__init__(**kwargs)

    def _create_api_client(self):
        return self._api_client or super()._create_api_client()

    def _create_span_processor(self):
        return self._span_processor or super()._create_span_processor()


def test_a_subclass_injects_its_client():
    client = Mock()
    tracer = Injected(api_client=client, test_mode=True)
    assert tracer.client is client
    session = tracer.create_session("s", inputs={"a": 1})
    request = client.sessions.start.call_args.args[0]["session"]
    assert request == {"session_name": "s", "session_id": session, "inputs": {"a": 1}}
    tracer.enrich_session(metadata={"k": 1})
    client.events.update.assert_called_once_with({"event_id": session, "metadata": {"k": 1}})
    assert tracer.create_event("e", inputs={}) == client.events.create.call_args.args[0]["event"]["event_id"]
    assert tracer.enrich_span(event_id="e1", metrics={"m": 1})
    assert client.events.update.call_args.args[0] == {"event_id": "e1", "metrics": {"m": 1}}


def test_a_failing_client_costs_a_warning_and_the_session(caplog):
    client = Mock()
    client.sessions.start.side_effect = ConnectionError("away")
    client.events.create.side_effect = ConnectionError("away")
    with caplog.at_level("WARNING"):
        quiet = Injected(api_client=client, test_mode=True)
        assert quiet.create_session() is None and not caplog.records
        loud = Injected(api_client=client, server_url="http://127.0.0.1:9", exporter=Nowhere())
        before = loud.session_id
        assert loud.create_session() is None and loud.create_event("e") is None
    assert loud.session_id == before and "away" in caplog.text


class Nowhere:
    def export(self, spans):
        return True


def test_a_subclass_injects_its_processor():
    processor, ended = Mock(spec=["on_end", "shutdown"]), threading.Event()
    processor.shutdown.side_effect = ended.set
    tracer = Injected(span_processor=processor)
    with tracer.start_span("s"):
        pass
    assert tracer.flush()
    assert [call.args[0].name for call in processor.on_end.call_args_list] == ["s"]
    tracer.shutdown()
    assert ended.wait(20)
    assert Injected(test_mode=True).client.server_url == "http://127.0.0.1:9"


def test_a_tracer_composed_of_mixins():
    class Base:
        def __init__(self, **kwargs):
            self.calls = []
            super().__init__(**kwargs)

    class Counting:
        def start_span(self, name, **options):
            self.calls.append(name)
            return super().start_span(name, **options)

    class Composed(Base, Counting, HoneyHiveTracer):
        def __init__(self):
            super().__init__(project="composed", test_mode=True)

    tracer = Composed()
    with tracer.start_span("a"):
        assert tracer.enrich_span(metadata={"x": 1})
    assert tracer.calls == ["a"] and only(tracer).project == "composed"


def test_tracers_made_by_a_factory(monkeypatch):
    monkeypatch.setenv("HH_API_KEY", "from-env")

    class Factory:
        @staticmethod
        def basic(**overrides):
            return HoneyHiveTracer(**{"api_key": "k", "project": "t", "test_mode": True, **overrides})

        @staticmethod
        def integration(**overrides):
            config = {
                "api_key": os.getenv("HH_API_KEY"),
                "project": "integration",
                "test_mode": False,
                **overrides,
            }
            return HoneyHiveTracer(**config)

    assert Factory.basic(source="x").source == "x" and Factory.basic().test_mode
    tracer = Factory.integration()
    assert tracer.client.api_key == "from-env"
    tracer._recorder.shutdown(0.0)


def test_an_error_context_round_a_span():
    from aitrace.honeyhive.utils import ErrorContext

    tracer = make()
    with pytest.raises(KeyError), ErrorContext("span_creation", additional_context={"a": 1}):
        with tracer.start_span("s"):
            raise KeyError("x")
    assert only(tracer).status == "error"
