"""Thousands of threads, signals in the middle of things, threads that cannot be had, clocks that jump."""

import concurrent.futures
import threading
import time

import pytest

from aitrace import Tracer


def test_thousands_of_threads(tracer):
    def work(n):
        with tracer.start_span("outer"):
            with tracer.start_span("inner", metadata={"n": n}):
                pass

    for start in range(0, 3000, 250):
        threads = [threading.Thread(target=work, args=(n,)) for n in range(start, start + 250)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    spans = tracer.spans()
    assert len(spans) == 6000
    roots = {span.span_id: span for span in spans if span.name == "outer"}
    inner = [span for span in spans if span.name == "inner"]
    assert {span.parent_span_id for span in inner} == set(roots)
    assert sorted(span.metadata["n"] for span in inner) == list(range(3000))


def test_tracers_are_made_used_and_shut_down_by_many_threads_at_once():
    barrier = threading.Barrier(10)

    def work(n):
        barrier.wait()
        spans = 0
        for turn in range(20):
            mine = Tracer(project=f"p{n}", session_name=f"s{n}", target="memory")
            with mine.start_span(f"span-{n}") as span:
                mine.enrich_span(metadata={"tid": n})
                assert span.attributes["metadata.tid"] == n
                assert span.attributes["project"] == f"p{n}"
            (recorded,) = mine.spans()
            assert (recorded.project, recorded.metadata) == (f"p{n}", {"tid": n})
            spans += 1
            if turn % 2:
                mine.shutdown()
        return mine.tracer_id

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(work, range(10)))) == 10


def test_a_signal_handler_that_traces(hosts, collector):
    """It interrupts the tracer itself, many times, wherever it is."""
    code = """
    import signal, time
    hits = 0
    def handler(*_):
        global hits
        hits += 1
        with span("in the handler", metadata={"hits": hits}):
            enrich(metrics={"m": hits})
            if tracer: tracer.log("interrupted", n=hits)
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    @trace
    def work(n):
        with span("inner", metadata={"n": n}):
            enrich(metadata={"more": [n, {"a": n}]})
        return {"n": n}
    ends = time.monotonic() + 1.5
    turns = 0
    while time.monotonic() < ends:
        turns += 1
        assert work(turns) == {"n": turns}
    signal.setitimer(signal.ITIMER_REAL, 0)
    if tracer:
        result = tracer.flush(20)
        names = {"turns": turns, "hits": hits}
        # Each handler: a span and a log record. A fast build fills the queue, and counts what does not fit.
        assert set(result.dropped) <= {"queue_full"} and result.remaining == 0, result
        assert result.sent + sum(result.dropped.values()) == 2 * turns + 2 * hits, (result, names)
    assert hits > 50
    print("end")
    """
    assert hosts.both(code).stdout == "end\n"
    assert "in the handler" in collector.names()


def test_traced_and_profiled_programs(hosts, collector):
    code = """
    import cProfile, threading
    @trace
    def work(n):
        with span("inner"):
            return n
    seen = []
    def tracing(frame, event, arg):
        seen.append(event)
        return tracing
    sys.settrace(tracing); work(1); sys.settrace(None)
    profile = cProfile.Profile()
    profile.enable(); work(2); profile.disable()
    print(bool(seen))
    """
    hosts.both(code)
    assert collector.names() == ["inner", "inner", "work", "work"]


def test_a_recursion_to_the_limit(hosts, collector):
    """The error is the same, and at a depth that a program reaches without us by its own limit."""
    code = """
    @trace
    def down(n):
        return down(n + 1)
    try:
        down(0)
    except RecursionError as error:
        print(type(error).__name__)
    @trace
    def after(): pass
    after()
    """
    assert hosts.both(code).code == 0
    assert "after" in collector.names()


def test_the_wall_clock_may_jump(hosts, collector):
    """``time.time`` of the program is a year off and jumps: spans stay in order and last what they lasted."""
    code = """
    import time
    real = time.time
    jumps = iter([31536000.0, -31536000.0] * 50)
    time.time = lambda: real() + next(jumps, 0.0)
    for n in range(20):
        with span("outer"):
            with span("inner"):
                time.monotonic()
    print("end")
    """
    hosts.both(code)
    assert len(collector.names()) == 40
    now = time.time_ns()
    for span in collector.spans:
        assert 0 <= span.end_time_unix_nano - span.start_time_unix_nano < 10**9
        assert abs(now - span.start_time_unix_nano) < 60 * 10**9


def test_logging_that_traces_and_tracing_that_logs_do_not_chase_each_other(hosts, collector):
    """Every record of every logger goes through our handler, also those of an HTTP client, at DEBUG."""
    code = """
    import logging, urllib.request
    if tracer:
        from aitrace import LogHandler
        logging.getLogger().addHandler(LogHandler())
    logging.getLogger().setLevel(logging.DEBUG)
    original = urllib.request.urlopen
    def traced_open(*args, **kwargs):
        with span("urlopen"):
            return original(*args, **kwargs)
    urllib.request.urlopen = traced_open
    for n in range(10):
        with span("work"):
            logging.getLogger("app").debug("step %d", n)
    print("end")
    """
    hosts.both(code)
    assert collector.names() == ["work"] * 10
    said = [record["__tracer_meta__"]["event"] for record in collector.logs]
    assert [event for event in said if event.startswith("step")] == [f"step {n}" for n in range(10)]


@pytest.mark.parametrize("count", [1, 50])
def test_what_a_broken_target_does_not_take_is_counted(count, tmp_path):
    """created = sent + remaining + spooled + dropped, with a target that refuses."""
    tracer = Tracer(project="law", target=tmp_path / "no" / "\0" / "file")
    for n in range(count):
        with tracer.start_span(f"s{n}"):
            pass
    result = tracer.flush(0.5)
    assert result.sent + result.remaining + result.spooled + sum(result.dropped.values()) == count
