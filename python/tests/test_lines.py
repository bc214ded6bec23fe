"""auto_span, trace_context, setup_tracing, the structlog processor and the buffered logger."""

import asyncio
import functools
import http.server
import inspect
import io
import json
import os
import re
import subprocess
import sys
import threading

import pytest
import structlog

import aitrace
from aitrace import (
    BufferedLogger,
    ConfigurationError,
    Tracer,
    _place,
    _stream,
    add_tracer_meta,
    auto_span,
    set_workspace_root,
    setup_logging,
    setup_tracing,
    trace_context,
)


@pytest.fixture(autouse=True)
def closed():
    yield
    _stream.close_stream()
    structlog.reset_defaults()
    set_workspace_root(None)


@pytest.fixture
def stream():
    out = io.StringIO()
    setup_logging(stream=out)
    return out


def read(text):
    return [json.loads(line) for line in (text if isinstance(text, str) else text.getvalue()).splitlines()]


def events(records):
    return [record["__tracer_meta__"]["event"] for record in records]


def test_a_function_tells_of_its_start_and_its_end(tracer, stream):
    @auto_span
    def process(batch: int) -> int:
        """Doc."""
        structlog.get_logger().info("batch_started", batch_id=batch)
        return batch + 1

    assert process(1) == 2
    assert (process.__name__, process.__doc__, str(inspect.signature(process))) == (
        "process",
        "Doc.",
        "(batch: int) -> int",
    )
    start, log, end = read(stream)
    assert events([start, log, end]) == ["process.start", "batch_started", "process.end"]
    assert (start["__tracer_meta__"]["provisional"], start["__tracer_meta__"]["lifecycle"]) == (True, "start")
    assert "provisional" not in end["__tracer_meta__"]
    ids = {(r["__tracer_meta__"]["trace_id"], r["__tracer_meta__"]["span_id"]) for r in (start, log, end)}
    (span,) = tracer.spans()
    assert ids == {(span.trace_id, span.span_id)}
    assert (span.inputs, span.outputs) == ({"batch": 1}, 2)
    assert end["__tracer_meta__"]["duration_ns"] == span.duration_ns
    assert log["batch_id"] == 1
    assert start["__tracer_meta__"]["file"].endswith("tests/test_lines.py")
    assert all("timestamp" not in record for record in (start, log, end))


def test_every_kind_of_function_ends_with_a_record(tracer, stream):
    @auto_span("gen")
    def generator():
        yield 1
        yield 2

    @auto_span(event_type="tool")
    async def later():
        await asyncio.sleep(0)
        return 1

    @auto_span()
    async def stream_of():
        yield 1

    @auto_span
    def fails():
        raise ValueError("bad")

    class Service:
        @auto_span
        @staticmethod
        def static():
            return 1

    async def main():
        return await later(), [item async for item in stream_of()]

    assert list(generator()) == [1, 2]
    assert asyncio.run(main()) == (1, [1])
    with pytest.raises(ValueError, match="bad"):
        fails()
    assert Service().static() == 1
    assert inspect.iscoroutinefunction(later)
    ends = [
        record["__tracer_meta__"]
        for record in read(stream)
        if record["__tracer_meta__"]["lifecycle"] == "end"
    ]
    assert [end["event"] for end in ends] == [
        "gen.end",
        "later.end",
        "stream_of.end",
        "fails.end",
        "Service.static.end",
    ]
    assert [end["status"] for end in ends] == ["ok", "ok", "ok", "error", "ok"]
    assert ends[3]["error"]["message"] == "bad"
    assert len(tracer.spans()) == 5


def test_blocks_nest_and_let_exceptions_pass(tracer, stream):
    with pytest.raises(KeyError), auto_span("outer") as outer, trace_context(tracer, "inner") as inner:
        assert inner.parent_span_id == outer.span_id
        raise KeyError("k")
    assert events(read(stream)) == ["outer.start", "inner.start", "inner.end", "outer.end"]
    assert [span.status for span in tracer.spans()] == ["error", "error"]
    assert aitrace._native.current_span() is None
    with auto_span() as span:
        pass
    assert span.name.endswith("test_blocks_nest_and_let_exceptions_pass")


def test_without_a_tracer_the_lines_are_written_still(stream):
    @auto_span
    def work():
        with auto_span("inner"):
            return 1

    assert work() == 1
    assert events(read(stream)) == ["work.start", "inner.start", "inner.end", "work.end"]
    assert aitrace.discover_tracer() is None
    tracer = Tracer(target="memory")
    work()
    assert len(tracer.spans()) == 2


def test_without_logging_nothing_is_written(tracer, capsys):
    @auto_span
    def work():
        return 1

    assert work() == 1
    assert capsys.readouterr() == ("", "")
    assert len(tracer.spans()) == 1


def test_a_tracer_on_stdout_writes_its_records_alone(capfd):
    setup_logging()
    tracer = Tracer(target="-")
    with trace_context(tracer, "once"):
        pass
    tracer.flush()
    assert sorted(events(read(capfd.readouterr().out))) == ["once.end", "once.start"]


def test_secrets_are_masked_in_lines(tracer, stream):
    with auto_span("s"):
        tracer.enrich_span(metadata={"password": "hunter2hunter2"})
        structlog.get_logger().info("login", api_key="sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD")
    assert "hunter2" not in stream.getvalue()
    assert "abcdefghijklmnop" not in stream.getvalue()


def test_setup_tracing_makes_the_default_tracer_of_a_service():
    tracer = setup_tracing("svc", target="memory", project="p")
    assert aitrace.discover_tracer() is tracer
    assert setup_tracing("svc") is tracer
    with tracer.start_span("s"):
        pass
    assert tracer.spans()[0].service == "svc"


def test_the_processor_wraps_metadata_for_any_renderer(tracer):
    out = io.StringIO()
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(),
            structlog.processors.add_log_level,
            add_tracer_meta,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    with tracer.start_span("s") as span:
        structlog.get_logger().warning("hot", degrees={"c": 30}, __tracer_meta__="forged")
    (record,) = read(out)
    meta = record.pop("__tracer_meta__")
    assert record == {"degrees": {"c": 30}}
    assert (meta["event"], meta["level"], meta["span_id"]) == ("hot", "warning", span.span_id)
    assert meta["function"].endswith("for_any_renderer")


def test_without_structlog_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "structlog", None)
    with pytest.raises(ConfigurationError, match="pip install"):
        setup_logging()


# --- the buffered logger


def test_a_file_gets_start_logs_and_end_at_the_flush(tracer, tmp_path):
    buffered = BufferedLogger(tmp_path / "deep" / "t-<YYYYMMDD_HHMMSS>.jsonl", name="agent")
    with buffered.trace_context(tracer, "job"):
        buffered.logger.bind(user="u").info("step %d", 1, data={"a": [1]})
        with auto_span("inner"):
            pass
    assert list(tmp_path.iterdir()) == []
    logs = buffered.get_logs()
    assert events(logs) == ["job.start", "step 1", "inner.start", "inner.end", "job.end"]
    result = buffered.flush()
    assert (result.ok, result.sent, result.remaining) == (True, 5, 0)
    (path,) = (tmp_path / "deep").iterdir()
    assert re.fullmatch(r"t-\d{8}_\d{6}\.jsonl", path.name)
    assert read(path.read_text()) == logs
    assert buffered.get_logs() == []
    assert (logs[1]["user"], logs[1]["data"], logs[1]["__tracer_meta__"]["logger"]) == (
        "u",
        {"a": [1]},
        "agent",
    )
    assert logs[1]["__tracer_meta__"]["file"].endswith("tests/test_lines.py")
    assert logs[1]["__tracer_meta__"]["function"].endswith("at_the_flush")
    assert buffered.flush().sent == 0
    assert len(tracer.spans()) == 2


def test_threads_do_not_touch_each_others_records(tmp_path):
    buffered = BufferedLogger(tmp_path / "t.jsonl")
    buffered.logger.info("main")
    written, go_on = threading.Event(), threading.Event()

    def other():
        buffered.logger.info("other")
        written.set()
        go_on.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    assert written.wait(10)
    assert events(buffered.get_logs()) == ["main"]
    buffered.clear()
    assert buffered.get_logs() == []
    assert buffered.flush().sent == 0
    go_on.set()
    thread.join(10)
    # A thread that has ended cannot flush any more: whoever flushes next does it for it.
    assert buffered.flush().sent == 1
    assert events(read((tmp_path / "t.jsonl").read_text())) == ["other"]


def test_memory_is_bounded_and_what_was_lost_is_told(tmp_path):
    buffered = BufferedLogger(tmp_path / "t.jsonl", max_bytes=2_000)
    for number in range(100):
        buffered.logger.info("event", n=number)
    kept = [record["n"] for record in buffered.get_logs()]
    assert kept == list(range(100 - len(kept), 100))
    assert 0 < len(kept) < 20
    result = buffered.flush()
    assert (result.ok, result.sent, result.dropped) == (False, len(kept), {"buffer_full": 100 - len(kept)})
    assert buffered.flush().ok


class Server(http.server.ThreadingHTTPServer):
    status, answer = 200, None

    def __init__(self):
        self.bodies = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.bodies.append((self.path, self.headers["content-type"], body))
        count = len(body.splitlines())
        answer = self.server.answer or {"ingested": count, "rejected": []}
        data = json.dumps(answer).encode()
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


def test_a_server_gets_records_and_a_flush_tells_the_truth(server):
    buffered = BufferedLogger(server.url)
    buffered.logger.info("one")
    server.status = 503
    result = buffered.flush()
    assert (result.ok, result.sent, result.remaining) == (False, 0, 1)
    assert events(buffered.get_logs()) == ["one"]
    server.status = 200
    result = buffered.flush()
    assert (result.ok, result.sent) == (True, 1)
    path, kind, body = server.bodies[-1]
    assert (path, kind, events(read(body.decode()))) == ("/api/ingest", "application/x-ndjson", ["one"])
    buffered.logger.info("good")
    buffered.logger.info("bad")
    server.answer = {"ingested": 1, "rejected": [{"index": 1, "error": "no"}]}
    result = buffered.flush()
    assert (result.ok, result.sent, result.dropped) == (False, 1, {"refused": 1})
    buffered.logger.info("refused")
    server.status = 400
    result = buffered.flush()
    assert (result.ok, result.sent, result.remaining, result.dropped) == (False, 0, 0, {"refused": 1})


LEFT = """
import aitrace, sys
from aitrace import BufferedLogger, Tracer
tracer = Tracer(project="support", target="memory")
buffered = BufferedLogger(sys.argv[1])
buffered.logger.info("said", password="CANARY7")
with buffered.trace_context(tracer, "work"):
    buffered.logger.info("inside")
"""


def leave(url, folder, **variables):
    """Ends a program whose server does not answer; what it says, and what it leaves."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AITRACE_")}
    environment = {**kept, "AITRACE_SPOOL_DIR": str(folder / "spool"), **variables}
    command = [sys.executable, "-c", LEFT, url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return done.stderr, sorted((folder / "spool").glob("*.jsonl"))


def test_what_a_server_did_not_take_is_put_aside_at_exit_and_sent_by_the_next_start(
    server, tmp_path, monkeypatch
):
    server.status = 503
    pages = tmp_path / "pages"
    url = f"{server.url}/api/ingest"
    said, files = leave(url, tmp_path, AITRACE_FALLBACK_HTML=str(pages))
    assert f"0 log records sent, 4 put aside in {tmp_path / 'spool'} for the next start; shown in " in said
    assert len(files) == len(list(pages.glob("*.html"))) == 2  # of the project, and of no project
    assert "CANARY7" not in said + "".join(path.read_text() for path in [*files, *pages.iterdir()])
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600] * 2
    server.status = 200
    server.bodies.clear()
    monkeypatch.setenv("AITRACE_SPOOL_DIR", str(tmp_path / "spool"))
    for project in ("support", None):
        following = Tracer(project=project, target=url)
        following.start_span("next").end()
        assert following.flush().ok
        following.shutdown()
    lines = [
        line for _, kind, body in server.bodies if "ndjson" in kind for line in body.decode().splitlines()
    ]
    sent = read("\n".join(lines))
    replayed = events(sent)
    assert sorted(replayed) == ["inside", "said", "work.end", "work.start"]
    assert not any("crc32" in json.dumps(record) for record in sent)
    assert list((tmp_path / "spool").glob("*.jsonl")) == []


def test_what_cannot_be_put_aside_is_said_to_be_lost(server, tmp_path):
    server.status = 503
    (tmp_path / "file").write_text("")
    said, files = leave(server.url, tmp_path, AITRACE_SPOOL_DIR=str(tmp_path / "file" / "spool"))
    assert files == []
    assert "0 log records sent, 4 lost (not_sent 4); cannot put them aside: " in said
    said, _ = leave(server.url, tmp_path, AITRACE_SPOOL="off")
    assert "0 log records sent, 4 lost (not_sent 4)\n" in said


def test_stdout_and_hostile_values(tracer, capsys):
    class Bad:
        def __str__(self):
            raise RuntimeError("no")

        __repr__ = __str__

    buffered = BufferedLogger("-")
    buffered.logger.info(Bad())
    buffered.logger.info("%d items", "x", value=Bad())
    try:
        raise ValueError("bad")
    except ValueError:
        buffered.logger.exception("failed")
    buffered.logger.unbind("none").critical("worst")
    assert buffered.flush().ok
    records = read(capsys.readouterr().out)
    assert events(records) == ["%d items", "failed", "worst"]
    assert "ValueError: bad" in records[1]["exception"]
    assert [record["__tracer_meta__"]["level"] for record in records] == ["info", "error", "error"]


def test_a_folder_that_cannot_be_written_keeps_the_records(tmp_path):
    (tmp_path / "file").write_text("")
    buffered = BufferedLogger(tmp_path / "file" / "t.jsonl")
    buffered.logger.info("kept")
    result = buffered.flush()
    assert (result.ok, result.remaining) == (False, 1)
    buffered.clear()


@pytest.mark.parametrize("target", ["", "memory", 7, "http://", b"x"])
def test_targets_that_cannot_be_right_are_refused(target):
    with pytest.raises(ConfigurationError):
        BufferedLogger(target)


# --- places


def test_the_place_of_a_callable_is_that_of_its_own_code(tmp_path):
    def deco(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)

        return wrapper

    def plain():
        pass

    line = plain.__code__.co_firstlineno

    class Callable:
        def __call__(self):
            pass

        def method(self):
            pass

    for function in (
        plain,
        deco(plain),
        deco(deco(plain)),
        functools.partial(plain),
        functools.partial(deco(plain)),
    ):
        assert _place.of_function(function).line == line
    assert _place.of_function(Callable()).function.endswith("__call__")
    assert _place.of_function(Callable().method).function.endswith("method")
    assert _place.of_function(lambda: 1).function.endswith("<lambda>")
    assert _place.of_function(len) is None
    space = {}
    exec("def made(): pass", space)
    assert _place.of_function(space["made"]) == ("<string>", 1, "made")


def test_paths_are_relative_to_the_workspace_root_that_is_set(tracer, tmp_path):
    code = tmp_path / "pkg" / "mod.py"
    code.parent.mkdir()
    code.write_text(
        "def run(tracer):\n    tracer.log('here')\n    with tracer.start_span('s'):\n        pass\n"
    )
    space = {"__name__": "pkg.mod"}
    exec(compile(code.read_text(), str(code), "exec"), space)
    set_workspace_root(tmp_path)
    space["run"](tracer)
    (log,) = tracer.logs()
    assert tuple(log.code) == ("pkg/mod.py", 2, "run")
    assert tuple(tracer.spans()[0].code) == ("pkg/mod.py", 3, "run")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "pkg")
    set_workspace_root(link)
    assert _place.relative(str(code)) == "mod.py"
