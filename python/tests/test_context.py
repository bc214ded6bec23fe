"""What is current, in threads, tasks and executors; tracers beside and inside each other."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import aitrace
from aitrace import Tracer, _native, trace


def test_ten_tracers_on_ten_threads_are_isolated():
    def work(number):
        tracer = Tracer(project=f"p{number}", session_name=f"s{number}", target="memory")
        with tracer.start_span(f"span-{number}") as span:
            tracer.enrich_span(metadata={"tid": number})
            assert span.attributes["metadata.tid"] == number
            assert span.attributes["project"] == f"p{number}"
        (span,) = tracer.spans()
        assert (span.project, span.metadata, span.session_id) == (
            f"p{number}",
            {"tid": number},
            tracer.session_id,
        )
        return tracer.tracer_id

    with ThreadPoolExecutor(max_workers=10) as executor:
        assert len(set(executor.map(work, range(10)))) == 10


def test_nested_tracers_share_a_trace_and_keep_their_own(tracer, other):
    with tracer.start_span("a"), other.start_span("b"), tracer.start_span("c") as inner:
        assert tracer.enrich_span(metadata={"who": "tracer"})
        assert other.enrich_span(metadata={"who": "other"})
        assert inner.attributes["source"] == "ci"
    (b,) = other.spans()
    c, a = tracer.spans()
    assert {span.trace_id for span in (a, b, c)} == {a.trace_id}
    assert (a.parent_span_id, b.parent_span_id, c.parent_span_id) == (None, a.span_id, b.span_id)
    assert (a.project, b.project, c.project) == ("tests", "other", "tests")
    assert (b.source, b.session_id) == ("elsewhere", other.session_id)
    assert c.metadata == {"who": "tracer"}, "the innermost of its own"
    assert b.metadata == {"who": "other"}
    assert a.metadata is None


def test_enriching_never_lands_in_another_tracers_span(tracer, other):
    with tracer.start_span("mine"):
        assert not other.enrich_span(metadata={"a": 1})
    assert tracer.spans()[0].metadata is None


def test_a_thread_starts_outside_and_a_copied_context_inside(tracer):
    with tracer.start_span("outer"), ThreadPoolExecutor(1) as executor:
        executor.submit(tracer.trace(name="bare")(lambda: None)).result()
        context = contextvars.copy_context()
        executor.submit(context.run, tracer.trace(name="copied")(lambda: None)).result()
    spans = {span.name: span for span in tracer.spans()}
    assert spans["bare"].parent_span_id is None
    assert spans["copied"].parent_span_id == spans["outer"].span_id


def test_tasks_inherit_and_do_not_disturb_each_other(tracer):
    async def child(name):
        with tracer.start_span(name):
            await asyncio.sleep(0)
            assert _native.current_span().name == name
            await asyncio.sleep(0)

    async def main():
        with tracer.start_span("parent"):
            await asyncio.gather(*(child(f"c{n}") for n in range(5)))
            assert _native.current_span().name == "parent"
            await asyncio.to_thread(tracer.trace(name="thread")(lambda: None))

    asyncio.run(main())
    spans = {span.name: span for span in tracer.spans()}
    assert len(spans) == 7
    assert {span.parent_span_id for name, span in spans.items() if name != "parent"} == {
        spans["parent"].span_id
    }


def test_baggage_travels_and_identity_does_not(tracer, other):
    def inside():
        tracer.set_baggage("run_id", "r1")
        tracer.set_baggage("datapoint_id", "d1")
        tracer.set_baggage("project", "stolen")
        assert tracer.get_baggage("run_id") == "r1"
        assert tracer.get_baggage("project") == "stolen"
        with tracer.start_span("a"), other.start_span("b"):
            return tracer.inject_context()

    headers = contextvars.copy_context().run(inside)
    assert tracer.get_baggage("run_id") is None
    (a,), (b,) = tracer.spans(), other.spans()
    assert (a.run_id, a.datapoint_id, b.run_id) == ("r1", "d1", "r1")
    assert (a.project, b.project) == ("tests", "other")
    assert headers["traceparent"] == f"00-{b.trace_id}-{b.span_id}-01"
    entries = dict(entry.split("=") for entry in headers["baggage"].split(","))
    assert entries == {"run_id": "r1", "datapoint_id": "d1", "tracer_id": tracer.tracer_id}


def test_a_tracers_own_run_comes_before_the_baggage():
    tracer = Tracer(target="memory", run_id="own", dataset_id="ds")
    tracer.set_baggage("run_id", "travelled")
    with tracer.start_span("a"):
        pass
    assert (tracer.spans()[0].run_id, tracer.spans()[0].dataset_id) == ("own", "ds")


def test_a_context_goes_over_the_wire(tracer, other):
    with tracer.start_span("client"):
        carrier = {"accept": "*/*"}
        assert tracer.inject_context(carrier) is carrier
    headers = {name.title(): value.encode() for name, value in carrier.items()}
    with other.extract_context(headers):
        with other.start_span("server"):
            pass
        assert _native.current_span() is None
    with other.start_span("after"):
        pass
    server, after = other.spans()
    client = tracer.spans()[0]
    assert (server.trace_id, server.parent_span_id) == (client.trace_id, client.span_id)
    assert after.parent_span_id is None


@pytest.mark.parametrize(
    "carrier",
    [
        {},
        {"traceparent": "00-0-0-01"},
        {"traceparent": "00-" + "0" * 32 + "-" + "1" * 16 + "-01"},
        {"traceparent": None, 3: 4},
        {"traceparent": "00-" + "G" * 32 + "-" + "1" * 16 + "-01"},
        {"baggage": "project=evil,session_id=x,run_id=" + "x" * 300 + ",=,;;,\x00"},
        None,
        object(),
    ],
)
def test_malformed_headers_are_left_out(tracer, carrier):
    with tracer.extract_context(carrier), tracer.start_span("a"):
        pass
    (span,) = tracer.spans()
    assert (span.parent_span_id, span.run_id, span.project) == (None, None, "tests")


def test_threads_share_one_tracer(tracer):
    barrier = threading.Barrier(8)

    @trace(tracer=tracer)
    def work(n):
        tracer.enrich_span(metrics={"n": n})
        return n

    def run(number):
        barrier.wait()
        for n in range(200):
            work(number * 1000 + n)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans = tracer.spans()
    assert len(spans) == 1600
    assert all(span.metrics == {"n": span.outputs} for span in spans)
    assert len({span.span_id for span in spans}) == 1600


def test_a_span_is_used_from_another_thread(tracer):
    span = tracer.start_span("shared")
    thread = threading.Thread(target=lambda: (span.set_attribute("from", "thread"), span.end()))
    thread.start()
    thread.join()
    (finished,) = tracer.spans()
    assert finished.attributes["from"] == "thread"
    assert not span.is_recording()


def test_discovery_order(tracer, other):
    assert aitrace.discover_tracer() is tracer, "the oldest one"
    aitrace.set_default_tracer(other)
    assert aitrace.discover_tracer() is other
    with tracer.start_span("a"):
        assert aitrace.discover_tracer() is tracer
        assert aitrace.discover_tracer(other) is other
        aitrace.set_default_tracer(None)

    def named():
        tracer.set_baggage("tracer_id", other.tracer_id)
        return aitrace.discover_tracer()

    assert contextvars.copy_context().run(named) is other
    assert aitrace.discover_tracer() is tracer
    tracer.shutdown()
    assert aitrace.discover_tracer() is other
    other.shutdown()
    assert aitrace.discover_tracer() is None


def test_creating_a_tracer_puts_nothing_into_the_context(tracer):
    with tracer.start_span("a"):
        Tracer(target="memory", project="new")
        assert aitrace.discover_tracer() is tracer
    assert tracer.get_baggage("tracer_id") is None


def test_a_tracer_without_a_name_lives_until_another_is_made():
    Tracer(project="unnamed", target="memory")
    first = aitrace.discover_tracer()
    assert first is not None
    assert first.project_name == "unnamed"
    del first
    kept = Tracer(project="kept", target="memory")
    assert aitrace.discover_tracer() is kept
