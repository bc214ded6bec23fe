"""Every way out of a program: same output, same exit code, and what ended before it arrives."""

import os
import signal
import sys
import time

import pytest

WORK = """
@trace
def work(n):
    return n * 2

for n in range(5):
    print(work(n), flush=True)
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("", 0),
        ("sys.exit(7)", 7),
        ("sys.exit('a reason')", 1),
        ("raise ValueError('unhandled')", 1),
        ("raise KeyboardInterrupt", -signal.SIGINT),
        ("raise SystemExit", 0),
        ("@trace\ndef fails(): raise RuntimeError('inside')\nfails()", 1),
        ("with span('open'): sys.exit(3)", 3),
    ],
)
def test_spans_arrive_however_the_interpreter_ends(hosts, collector, ending, code):
    done = hosts.both(WORK + ending)
    assert done.code == code
    assert collector.names().count("work") == 5
    assert done.ours == []


def test_a_thread_that_exits_ends_nothing(hosts, collector):
    code = """
    import threading
    @trace
    def leave():
        sys.exit(9)
    thread = threading.Thread(target=leave); thread.start(); thread.join()
    print("still here")
    """
    assert hosts.both(code).code == 0
    assert collector.names() == ["leave"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGINT", "SIGHUP"])
def test_signals_end_it_as_they_do_without_us(hosts, name):
    number = getattr(signal, name)

    def act(process):
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)

    code = """
    import time
    with span("open"):
        print("ready", flush=True); time.sleep(60)
    """
    assert hosts.both(code, act=act).code == -number


@pytest.mark.parametrize(
    ("ending", "code"),
    [("os._exit(5)", 5), ("os.abort()", -signal.SIGABRT), ("os.execv('/bin/sh', ['sh', '-c', 'exit 6'])", 6)],
)
def test_ways_out_past_the_interpreter(hosts, collector, ending, code):
    done = hosts.both(WORK + "if tracer: assert tracer.flush(10).ok\n" + ending)
    assert done.code == code
    assert collector.names() == ["work"] * 5


def test_handlers_that_run_at_exit_may_trace(hosts, collector):
    code = """
    import atexit
    from functools import partial

    @trace
    def late(n):
        print("late", n)

    atexit.register(late, 1)           # runs before or after ours, by the order of import
    class AtTheEnd:
        def __del__(self):
            late(2)
            with span("in a finaliser"):
                enrich(metadata={"k": 1})
    kept = AtTheEnd()
    sys.kept = AtTheEnd()
    """
    done = hosts.both(code)
    assert done.code == 0
    assert collector.names().count("late") >= 1


def test_daemon_threads_that_still_trace_do_not_hold_up_or_crash(hosts):
    code = """
    import threading, time
    @trace
    def work():
        with span("inner"):
            enrich(metadata={"k": [1, 2]})
    def forever():
        while True:
            work()
    for _ in range(6):
        threading.Thread(target=forever, daemon=True).start()
    time.sleep(0.2)
    print("leaving")
    """
    for _ in range(3):
        done = hosts.both(code)
        assert (done.code, done.stdout) == (0, "leaving\n")


def test_a_dead_server_costs_an_exit_two_seconds_at_most(hosts):
    done = hosts.both(WORK, environment={"AITRACE_SERVER_URL": "http://127.0.0.1:9"})
    assert done.code == 0
    assert done.seconds < 4, "start and exit together"
    assert len(done.ours) == 1


def test_a_silent_server_costs_an_exit_two_seconds_at_most(hosts):
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        code = "import time\n" + WORK + "print('end', flush=True)\n"
        program = hosts.start(code, environment={"AITRACE_SERVER_URL": url})
        while program.process.stdout.readline() != "end\n":
            pass
        began = time.monotonic()
        done = program.wait()
    assert done.code == 0
    assert time.monotonic() - began < 3.5
    assert len(done.ours) == 1


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_streams_that_are_gone(hosts, collector, stream):
    code = f"""
    sys.{stream}.close()
    sys.{stream} = None
    with span("s"):
        pass
    os._exit(4) if not tracer or tracer.flush(10).ok else os._exit(5)
    """
    assert hosts.both(code).code == 4
    assert collector.names() == ["s"]


def test_without_stderr_a_lost_span_is_silent(hosts):
    code = "sys.stderr.close(); sys.stderr = None\nwith span('s'): pass\n"
    done = hosts.both(code, environment={"AITRACE_SERVER_URL": "http://127.0.0.1:9"})
    assert (done.code, done.stderr) == (0, "")


def test_records_to_a_pipe_that_nobody_reads(hosts):
    def act(process):
        process.stdout.close()

    code = """
    import signal
    for n in range(2000):
        with span("s"):
            pass
    sys.stderr.write("end\\n")  # in one piece: a line of ours may come at any time
    """
    for traced in (False, True):
        program = hosts.start(code, traced=traced, environment={"AITRACE_TARGET": "-"})
        program.process.stdout.close()
        program.process.stdout = None
        done = program.wait()
        assert (done.code, done.stderr) == (0, "end")


@pytest.mark.skipif(sys.platform == "win32", reason="folders without rights")
@pytest.mark.parametrize(
    "environment",
    [
        {"HOME": "/dev/null/home"},
        {"HOME": None},
        {"HOME": "/dev/null"},
        {"HOME": "/proc"},
        {"TMPDIR": "/dev/null/tmp", "HOME": "/proc", "XDG_DATA_HOME": "/proc", "XDG_CONFIG_HOME": "/proc"},
    ],
)
@pytest.mark.parametrize("url", ["http://127.0.0.1:9", None])
def test_a_home_that_cannot_be_written(hosts, collector, environment, url):
    settings = dict(environment) if url is None else {**environment, "AITRACE_SERVER_URL": url}
    done = hosts.both(WORK, environment=settings)
    assert done.code == 0
    assert len(done.ours) <= 1, "at most one line"
    assert collector.names() == (["work"] * 5 if url is None else [])


@pytest.mark.parametrize("target", ["/dev/null/x.jsonl", "/proc/x.jsonl", "/dev/full", "/"])
def test_a_file_that_cannot_be_written_is_told_of_and_costs_nothing(hosts, target):
    done = hosts.both(WORK, environment={"AITRACE_TARGET": target})
    assert done.code == 0
    assert len(done.ours) == 1, done.ours


def test_a_folder_that_is_gone(hosts, collector):
    code = """
    import tempfile
    folder = tempfile.mkdtemp(); os.chdir(folder); os.rmdir(folder)
    @trace
    def work(): pass
    work()
    print("end")
    """
    assert hosts.both(code).code == 0
    assert collector.names() == ["work"]


def test_no_file_descriptor_left(hosts):
    code = """
    import resource, time
    files = []
    try:
        while True:
            files.append(open("/dev/null"))
    except OSError:
        pass
    for n in range(100):
        with span("s"):
            pass
    if tracer:
        result = tracer.flush(1)
        assert not result.ok
        assert result.sent + result.remaining + result.spooled + sum(result.dropped.values()) == 100, result
    for file in files:
        file.close()
    if tracer:
        result = tracer.flush(20)
        assert result.sent == 100, result
    print("end")
    """
    import resource

    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))  # noqa: E731
    done = hosts.both(code, preexec_fn=limit)
    assert (done.code, done.stdout) == (0, "end\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs subinterpreters of CPython")
def test_a_second_interpreter_is_refused_in_words(hosts):
    code = """
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        import _interpreters as interpreters
    script = "try:\\n    import aitrace\\nexcept ImportError: pass\\n"
    one = interpreters.create()
    interpreters.run_string(one, script)
    interpreters.destroy(one)
    with span("main goes on"):
        pass
    print("end")
    """
    assert hosts.both(code).code == 0
