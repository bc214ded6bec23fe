"""The doubles and fixtures that users test with."""

import subprocess
import sys
import textwrap

import pytest

import aitrace
from aitrace import Tracer, testing, trace


def test_a_tracer_with_a_clock_and_counting_ids():
    tracer, clock = testing.tracer()
    with tracer.start_span("plan", kind="agent", metadata={"k": 1}) as span:
        clock.advance(1_000_000)
        with tracer.start_span("search"):
            clock.advance(500)
    assert (span.trace_id, span.span_id) == ("0" * 31 + "1", "0" * 15 + "1")
    assert testing.tree(tracer.spans()) == 'plan 1.0005ms [agent] {"k":1}\n  search 500ns\n'
    first = next(span for span in tracer.spans() if span.name == "plan")
    assert first.start_ns == 1_767_225_600_000_000_000
    assert clock.now_ns == first.end_ns


def test_an_error_stands_in_the_tree():
    tracer, _ = testing.tracer(project="other")
    try:
        with tracer.start_span("boom"):
            raise ValueError("bad")
    except ValueError:
        pass
    assert testing.tree(tracer.spans()) == "boom 0ns error: bad\n"
    assert tracer.project_name == "other"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_exporters_that_record_fail_and_wait():
    recording = testing.RecordingExporter()
    tracer, _ = testing.tracer(exporter=recording)
    with tracer.start_span("a"):
        pass
    assert tracer.flush().ok
    assert [span.name for span in recording.spans] == ["a"]
    tracer.shutdown()
    assert recording.closed.wait(10)

    failing = testing.FailingExporter(RuntimeError("no"))
    tracer = Tracer(exporter=failing)
    with tracer.start_span("lost"):
        pass
    result = tracer.flush()
    assert not result.ok
    assert (failing.calls, sum(result.dropped.values())) == (1, 1)

    slow = testing.SlowExporter()
    tracer = Tracer(exporter=slow)
    with tracer.start_span("waits"):
        pass
    assert not tracer.flush(timeout=0.01).ok
    assert slow.entered.wait(10)
    slow.release.set()
    assert tracer.flush().ok
    assert [span.name for span in slow.spans] == ["waits"]


def test_a_tick_tells_of_open_spans(tmp_path):
    tracer = Tracer(target=tmp_path / "t.jsonl")
    span = tracer.start_span("open")
    assert testing.tick(tracer)
    assert '"open.start"' in (tmp_path / "t.jsonl").read_text()
    span.end()


def test_the_fixtures_isolate(aitrace_tracer, aitrace_clock):
    @trace
    def work():
        aitrace_clock.advance(7)
        return 1

    assert work() == 1
    assert testing.tree(aitrace_tracer.spans()) == "work 7ns\n"
    assert aitrace.discover_tracer() is aitrace_tracer


def test_the_fixtures_are_found_by_any_project(tmp_path):
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent("""
        import sys
        def test_lazy(): assert "aitrace._tracer" in sys.modules or "aitrace" in sys.modules
        def test_tracer(aitrace_tracer):
            with aitrace_tracer.start_span("s"): pass
            assert len(aitrace_tracer.spans()) == 1
        def test_fresh(aitrace_tracer): assert aitrace_tracer.spans() == []
    """)
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_verbose_tells_what_becomes_of_batches(capfd):
    tracer = Tracer(project="loud", target="memory", verbose=True)
    with tracer.start_span("s"):
        pass
    tracer.flush()
    told = capfd.readouterr().err
    assert f"aitrace: loud: session {tracer.session_id}" in told
    assert "aitrace: loud: memory: 1 sent" in told
    tracer = Tracer(project="quiet", target="memory")
    with tracer.start_span("s"):
        pass
    tracer.flush()
    assert capfd.readouterr().err == ""
