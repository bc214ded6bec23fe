"""Where spans go, and that a flush tells the truth about it."""

import asyncio
import gzip
import http.server
import json
import os
import re
import subprocess
import sys
import threading

import pytest

from aitrace import ConfigurationError, Tracer, set_default_tracer, trace


class Stub(http.server.ThreadingHTTPServer):
    """A server that takes what comes and answers as told."""

    def __init__(self, status=200, body=b""):
        self.requests = []
        self.status, self.body = status, body
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.requests.append((self.path, self.headers.get("content-type"), dict(self.headers), body))
        self.send_response(self.server.status)
        kind = "application/json" if self.path.startswith("/api") else "application/x-protobuf"
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def stub():
    server = Stub()
    yield server
    server.close()


def record(tracer, count=1):
    for number in range(count):
        with tracer.start_span(f"s{number}"):
            pass


def test_otlp_goes_to_the_server_with_the_key(stub):
    tracer = Tracer(server_url=stub.url, api_key="secret-key", project="p")
    record(tracer, 3)
    result = tracer.flush()
    assert (result.ok, result.sent) == (True, 3)
    paths = {path for path, *_ in stub.requests}
    assert paths == {"/v1/traces"}
    _, kind, headers, body = stub.requests[0]
    assert kind == "application/x-protobuf"
    assert headers["authorization"] == "Bearer secret-key"
    for text in (b"s0", b"s2", b"aitrace.project", b"telemetry.sdk.language", b"python"):
        assert text in b"".join(request[3] for request in stub.requests), text
    assert body


def test_a_refusal_is_not_ok():
    stub = Stub(status=400, body=b"")
    tracer = Tracer(target=stub.url)
    record(tracer, 2)
    result = tracer.flush(timeout=5)
    stub.close()
    assert not result
    assert sum(result.dropped.values()) == 2
    assert result.sent == 0


def test_a_dead_server_is_not_ok_and_does_not_hold_up():
    with Stub().socket as socket:
        url = f"http://127.0.0.1:{socket.getsockname()[1]}"
    tracer = Tracer(target=url)
    record(tracer, 2)
    result = tracer.flush(timeout=0.3)
    assert (result.ok, result.sent) == (False, 0)
    assert result.remaining + result.spooled + sum(result.dropped.values()) == 2


def test_a_file_gets_starts_and_ends(tmp_path):
    path = tmp_path / "trace-<YYYYMMDD_HHMMSS>.jsonl"
    tracer = Tracer(target=path, project="p", source="s")
    with tracer.start_span("outer", metadata={"Key": [1]}) as span:
        tracer.log("hello", "debug", answer=42)
    assert tracer.flush().ok
    (written,) = tmp_path.iterdir()
    assert re.fullmatch(r"trace-\d{8}_\d{6}\.jsonl", written.name)
    start, log, end = (json.loads(line) for line in written.read_text().splitlines())
    meta = [line["__tracer_meta__"] for line in (start, log, end)]
    assert [one["event"] for one in meta] == ["outer.start", "hello", "outer.end"]
    assert {one["trace_id"] for one in meta} == {span.trace_id}
    assert meta[0]["provisional"] is True
    assert meta[2]["file"].endswith("test_targets.py")
    assert meta[2]["function"] == "test_a_file_gets_starts_and_ends"
    assert log["answer"] == 42
    assert end["attributes"]["metadata"] == {"Key": [1]}


def run(code, **environment):
    environment = {**os.environ, "PYTHONPATH": "", **environment}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, env=environment, check=False
    )


def test_stdout_gets_records_and_nothing_else():
    done = run(
        "from aitrace import Tracer\nt = Tracer()\n@t.trace\ndef f(): return 1\nf()\n",
        AITRACE_TARGET="-",
        AITRACE_PROJECT="env",
        AITRACE_SOURCE="env-source",
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line)["__tracer_meta__"] for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["f.start", "f.end"]
    assert {(line["project"], line["source"]) for line in lines} == {("env", "env-source")}


def test_at_exit_what_was_not_sent_is_said_in_one_line_and_quickly():
    with Stub().socket as socket:
        url = f"http://127.0.0.1:{socket.getsockname()[1]}"
    done = run(
        "import sys, time\nfrom aitrace import Tracer\nt = Tracer(project='lost')\n"
        "for _ in range(3):\n    with t.start_span('a'): pass\n"
        "import atexit, time; began = time.monotonic()\n"
        "sys.exit(7)",
        AITRACE_SERVER_URL=url,
    )
    assert done.returncode == 7
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line]
    assert any(line.startswith("aitrace: lost: 0 sent") for line in lines), done.stderr


def test_tracers_that_nobody_holds_send_before_the_exit(stub):
    done = run(
        "import sys\nfrom aitrace import Tracer\n"
        "def work(n):\n    t = Tracer(project=f'p{n}')\n    with t.start_span(f'span-{n}'): pass\n"
        "for n in range(3): work(n)\n",
        AITRACE_SERVER_URL=stub.url,
    )
    assert (done.returncode, done.stderr) == (0, "")
    sent = b"".join(request[3] for request in stub.requests)
    assert all(f"span-{n}".encode() in sent for n in range(3))


def test_without_a_span_nothing_is_said_and_nothing_is_sent():
    done = run("from aitrace import Tracer\nt = Tracer(project='idle')\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class Recorder:
    def __init__(self, answer=None):
        self.spans, self.answer, self.ended = [], answer, 0
        self.thread = None

    def export(self, spans):
        self.thread = threading.current_thread().name
        self.spans.extend(spans)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def shutdown(self):
        self.ended += 1


def test_an_exporter_gets_finished_spans():
    exporter = Recorder()
    tracer = Tracer(exporter=exporter, project="p")
    with tracer.start_span("outer"):
        record(tracer, 2)
    result = tracer.flush()
    assert (result.ok, result.sent) == (True, 3)
    assert [span.name for span in exporter.spans] == ["s0", "s1", "outer"]
    assert exporter.spans[0].parent_span_id == exporter.spans[2].span_id
    assert exporter.thread != threading.current_thread().name
    tracer.shutdown()
    tracer.shutdown()


def test_an_exporter_that_is_traced_by_its_own_tracer_does_not_go_round():
    batches, other = [], Tracer(target="memory")

    class Traced:
        def export(self, spans):
            batches.append([span.name for span in spans])
            return send()

    @trace
    def send():
        with tracer.start_span("inside") as span, other.start_span("of another"):
            tracer.enrich_span(metadata={"a": 1})
            tracer.create_event("event")
            tracer.log("said")
            return asyncio.run(later()) and not span.is_recording()

    @trace
    async def later():
        return [n async for n in items()] == [0, 1]

    @trace
    async def items():
        yield 0
        yield 1

    tracer = Tracer(exporter=Traced(), project="p")
    set_default_tracer(tracer)
    try:
        record(tracer, 2)
        for _ in range(3):
            assert tracer.flush(timeout=5).ok
    finally:
        set_default_tracer(None)
    assert (batches, other.spans()) == ([["s0", "s1"]], [])
    assert (tracer.stats()["sent"], tracer.stats()["remaining"]) == (2, 0)
    tracer.shutdown()


@pytest.mark.parametrize("answer", [False, ValueError("full")])
def test_an_exporter_that_refuses_or_raises_is_not_ok(answer, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    tracer = Tracer(exporter=Recorder(answer))
    record(tracer, 2)
    result = tracer.flush(timeout=5)
    assert not result
    assert sum(result.dropped.values()) == 2
    assert len(told) == (1 if isinstance(answer, Exception) else 0)


def test_an_exporter_needs_no_shutdown():
    class Bare:
        def export(self, spans):
            return True

    tracer = Tracer(exporter=Bare())
    record(tracer)
    assert tracer.shutdown().ok


@pytest.mark.parametrize(
    "settings",
    [
        {"target": "ftp://x"},
        {"target": 7},
        {"target": " "},
        {"project": 7},
        {"exporter": object()},
    ],
)
def test_arguments_that_cannot_be_right_are_refused(settings):
    with pytest.raises(ConfigurationError) as error:
        Tracer(**settings)
    assert next(iter(settings)) in str(error.value)


def test_test_mode_sends_nothing(stub, monkeypatch):
    monkeypatch.setenv("AITRACE_SERVER_URL", stub.url)
    tracer = Tracer(test_mode=True, api_key="k", project="p")
    record(tracer)
    assert tracer.flush().ok
    assert [span.name for span in tracer.spans()] == ["s0"]
    assert stub.requests == []


def test_the_key_is_never_shown(stub):
    tracer = Tracer(target=stub.url, api_key="secret-key")
    assert "secret-key" not in repr(tracer)
    assert "secret-key" not in repr(vars(tracer))
