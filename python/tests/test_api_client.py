"""The API client: against a strict stub of the server, and against the server itself where it is built."""

import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

import aitrace
from aitrace import APIError, AuthenticationError, Client, ConfigurationError, RateLimitError, Tracer
from aitrace.client._http import retry_after

TRACE = {
    "trace_id": "0" * 31 + "1", "name": "agent", "project": "p", "session_id": None,
    "start_ts": "2026-01-01T00:00:00Z", "end_ts": None, "duration_ms": None, "status": "running",
    "spans": 2, "events": 1, "errors": 0, "input_tokens": "9007199254740993", "output_tokens": 7, "cost": 0.5,
}  # fmt: skip
SPAN = {
    "trace_id": TRACE["trace_id"], "span_id": "0" * 15 + "1", "parent_span_id": None, "name": "agent",
    "kind": "chain", "event_type": "chain", "status": "error",
    "error": {"type": "E", "message": "m", "stacktrace": "s"},
    "start_ns": "1772323199999999001", "end_ns": "1772323199999999005", "project": "p", "source": "dev",
    "service": None, "session_id": "s", "user_id": None, "run_id": None, "dataset_id": None, "datapoint_id": None,
    "provider": None, "model": None, "input_tokens": None, "output_tokens": None, "cost": None,
    "inputs": {"q": 1}, "outputs": "text", "metadata": None, "metrics": None, "feedback": None, "config": None,
    "user_properties": None, "attributes": {"k": 1}, "code": {"file": "a.py", "line": 3, "function": "f"},
    "events": [{"name": "e", "time_ns": "5", "attributes": {}}],
    "links": [{"trace_id": "t", "span_id": "s", "attributes": {}}], "depth": 0, "has_children": False,
}  # fmt: skip
LOG = {
    "trace_id": None, "span_id": None, "ts": "2026-01-01T00:00:00Z", "event": "hello", "level": "info",
    "logger": None, "code": None, "attrs": {"a": 1},
}  # fmt: skip
RUN = {"run_id": "r 1", "name": "n", "status": "completed", "metadata": {}, "event_ids": ["a"]}
DATAPOINT = {"id": "d", "inputs": {"q": 1}, "ground_truth": {}, "metadata": {}, "history": []}


class Stub(http.server.ThreadingHTTPServer):
    """Answers by a script: each entry is (status, headers, body); the last one stays."""

    daemon_threads = True

    def __init__(self, *script):
        self.script = list(script)
        self.requests = []
        self.connections = 0
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def get_request(self):
        self.connections += 1
        return super().get_request()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        server = self.server
        server.requests.append((self.command, self.path, dict(self.headers), body))
        status, headers, content = server.script.pop(0) if len(server.script) > 1 else server.script[0]
        if status is None:  # goes away without a word
            self.close_connection = True
            return
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "content-length" not in headers:
            self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = headers.get("connection") == "close" or "content-length" in headers

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def stub():
    servers = []

    def make(*script):
        servers.append(Stub(*(entry if isinstance(entry, tuple) else (200, {}, entry) for entry in script)))
        return servers[-1]

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def client_of():
    made = []

    def make(server, **settings):
        client = Client(server_url=getattr(server, "url", server), **settings)
        client.pauses = []
        client._transport._sleep = client.pauses.append
        client._transport._chance = lambda: 1.0
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


def test_pages_are_fetched_as_they_are_needed_on_one_connection(stub, client_of):
    server = stub({"traces": [TRACE, TRACE], "next": "c/1 +"}, {"traces": [TRACE], "next": None})
    client = client_of(server, api_key="key-1")
    pages = client.traces(project="a b", status="error", q=None)
    assert server.requests == []
    traces = list(pages)
    assert len(traces) == 3
    assert traces[0].input_tokens == 9007199254740993
    assert (traces[0].duration_ms, traces[0].status, traces[0].cost) == (None, "running", 0.5)
    paths = [path for _, path, _, _ in server.requests]
    assert paths == [
        "/api/traces?project=a+b&status=error&limit=200",
        "/api/traces?project=a+b&status=error&limit=200&cursor=c%2F1+%2B",
    ]
    assert {headers["authorization"] for _, _, headers, _ in server.requests} == {"Bearer key-1"}
    assert server.connections == 1


def test_a_limit_bounds_the_whole_and_a_cursor_that_stands_still_ends_it(stub, client_of):
    client = client_of(stub({"traces": [TRACE, TRACE], "next": "again"}))
    assert len(client.traces(limit=3).all()) == 3
    assert len(client.traces().all()) == 4
    assert client.traces(limit=0).all() == []
    assert client.traces(limit=0).first() is None
    assert client.traces().first().name == "agent"


def test_a_trace_has_typed_spans_and_logs(stub, client_of):
    server = stub({"trace": TRACE, "spans": [SPAN], "logs": [LOG]})
    detail = client_of(server).trace("a/b", project="p")
    assert server.requests[0][1] == "/api/trace/a%2Fb?project=p"
    span = detail.spans[0]
    assert (span.start_ns, span.duration_ns) == (1772323199999999001, 4)
    assert (span.error.type, span.code.line, span.events[0].time_ns, span.links[0].span_id) == (
        "E",
        3,
        5,
        "s",
    )
    assert (span.inputs, span.outputs, span.metadata, span.raw) == ({"q": 1}, "text", None, SPAN)
    assert (detail.trace.name, detail.logs[0].attrs) == ("agent", {"a": 1})


def test_sessions_search_and_sql(stub, client_of):
    server = stub(
        {"sessions": [{"session_id": "s", "project": "p", "name": "n", "new": 1}], "next": None},
        {"session": {"session_id": "s"}, "traces": [TRACE]},
        {"results": [{"trace_id": "t", "span_id": "s", "snippet": "…"}], "next": None},
        {"columns": ["a", {"name": "b"}], "rows": [[1, "x"], {"b": "y", "a": 2}], "truncated": True},
    )
    client = client_of(server)
    assert client.sessions(project="p").all()[0].raw["new"] == 1
    assert client.session("s").traces[0].name == "agent"
    assert client.search("what is").all()[0].raw["snippet"] == "…"
    result = client.sql("SELECT 1")
    assert (result.dicts(), result.truncated) == ([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], True)
    assert json.loads(server.requests[-1][3]) == {"sql": "SELECT 1"}
    assert [path for _, path, _, _ in server.requests] == [
        "/api/sessions?project=p&limit=200", "/api/session/s", "/api/search?q=what+is&limit=200", "/api/sql",
    ]  # fmt: skip


def test_what_is_made_and_changed(stub, client_of):
    server = stub({}, {"inserted": True, "result": {"insertedId": "d1"}},
                  {"datasets": [{"id": "d1", "name": "n", "datapoints": ["p"]}]}, {"datasets": []},
                  {"inserted": True, "datapoint_ids": ["p1"]},
                  {"inserted": True, "result": {"insertedIds": ["p2"]}}, {"datapoint": [DATAPOINT]},
                  {"run_id": "r 1", "evaluation": RUN}, {"evaluation": RUN}, {"evaluation": RUN},
                  {"evaluations": [RUN], "pagination": {"has_next": True}},
                  {"evaluations": [RUN], "pagination": {"has_next": False}})  # fmt: skip
    client = client_of(server)
    assert client.scores.create("good", True, trace_id="t", source="human") == {}
    assert json.loads(server.requests[0][3]) == {
        "trace_id": "t", "name": "good", "value": True, "source": "human",
    }  # fmt: skip
    assert client.datasets.create("n") == "d1"
    assert client.datasets.list(name="n")[0].datapoints == ["p"]
    assert client.datasets.get("none") is None
    assert client.datasets.add_datapoints("d1", [{"q": 1, "a": 2}], inputs=["q"]) == ["p1"]
    assert client.datapoints.create({"q": 1}, datasets=["d1"]) == "p2"
    assert client.datapoints.get("d").inputs == {"q": 1}
    assert client.runs.create("n", run_id="r 1") == "r 1"
    assert client.runs.get("r 1").event_ids == ["a"]
    assert client.runs.update("r 1", status="completed").status == "completed"
    assert len(client.runs.list().all()) == 2
    assert server.requests[-1][1].startswith("/v1/runs?limit=100&page=2")
    assert server.requests[-3][:2] == ("PUT", "/v1/runs/r%201")
    with pytest.raises(ConfigurationError, match="score is about"):
        client.scores.create("good", 1)
    with pytest.raises(ConfigurationError, match="an id"):
        client.runs.delete("")
    with pytest.raises(ConfigurationError, match="JSON"):
        client.datapoints.create({"when": datetime.now(timezone.utc)})


def test_passing_faults_are_tried_again_with_growing_pauses(stub, client_of):
    server = stub(
        (503, {}, b""), (502, {}, b"<html>"), (429, {"retry-after": "7"}, {}), {"traces": [], "next": None}
    )
    client = client_of(server)
    assert client.traces().all() == []
    assert client.pauses == [0.2, 0.4, 7.0]
    assert len(server.requests) == 4


def test_a_post_carries_one_key_through_all_of_its_tries(stub, client_of):
    server = stub((503, {}, b""), {}, {})
    client = client_of(server)
    client.scores.create("n", 1, trace_id="t")
    client.scores.create("n", 1, trace_id="t")
    keys = [headers["idempotency-key"] for _, _, headers, _ in server.requests]
    assert keys[0] == keys[1] != keys[2]


def test_what_can_only_fail_again_is_not_tried_again(stub, client_of):
    refusal = {"error": {"kind": "not_found", "message": "there is no trace 1", "hint": "Look again."}}
    for status, kind in (
        (404, APIError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (500, APIError),
    ):
        server = stub((status, {}, refusal))
        with pytest.raises(kind, match=r"no trace 1.*Look again") as caught:
            client_of(server).trace("1")
        assert (caught.value.status, caught.value.kind, caught.value.hint) == (
            status,
            "not_found",
            "Look again.",
        )
        assert type(caught.value) is kind
        assert len(server.requests) == 1


def test_a_server_that_wants_a_long_rest_is_an_error_at_once(stub, client_of):
    server = stub((429, {"retry-after": "3600"}, {}))
    client = client_of(server)
    with pytest.raises(RateLimitError) as caught:
        client.sql("SELECT 1")
    assert (caught.value.retry_after, caught.value.status, client.pauses) == (3600.0, 429, [])
    assert len(server.requests) == 1


def test_retries_end(stub, client_of):
    server = stub((429, {"retry-after": "1"}, {}))
    client = client_of(server, retries=2)
    with pytest.raises(RateLimitError):
        client.sql("SELECT 1")
    assert (len(server.requests), client.pauses) == (3, [1.0, 1.0])


def test_a_redirect_is_not_followed_and_the_key_stays_here(stub, client_of):
    other = stub({"traces": [], "next": None})
    server = stub((307, {"location": f"{other.url}/api/traces"}, b""))
    with pytest.raises(APIError, match="set server_url"):
        client_of(server, api_key="secret").traces().all()
    assert other.requests == []


def test_a_connection_that_the_server_closed_meanwhile_is_opened_anew(stub, client_of):
    server = stub({"traces": [], "next": None}, (None, {}, b""), {"traces": [], "next": None})
    client = client_of(server)
    client.traces().all()
    client.traces().all()
    assert (server.connections, client.pauses) == (2, [])


def test_nobody_there_is_an_error_without_a_status(client_of):
    with pytest.raises(APIError) as caught:
        client_of("http://127.0.0.1:9", retries=1).traces().all()
    assert (type(caught.value), caught.value.status) == (APIError, None)


def test_an_answer_that_breaks_off_or_is_no_json_is_an_error(stub, client_of):
    short = client_of(stub((200, {"content-length": "100"}, b'{"traces":[]')), retries=0)
    with pytest.raises(APIError, match="GET"):
        short.traces().all()
    for body, text in (
        (b"<html>", "no JSON"),
        ([], "no object"),
        ({"other": 1}, "no 'traces'"),
        ({"traces": [{}]}, "trace_id"),
    ):
        with pytest.raises(APIError, match=text):
            client_of(stub(body)).traces().all()


def test_a_silent_server_times_out(client_of):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = client_of(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.05, retries=1)
        with pytest.raises(APIError, match=r"no answer within 0.05 s"):
            client.traces().all()
        assert len(client.pauses) == 1


def test_after_a_fork_the_parents_connections_are_left_alone(stub, client_of):
    server = stub({"traces": [], "next": None})
    client = client_of(server)
    client.traces().all()
    client._transport._process -= 1  # as a child sees it
    client.traces().all()
    assert server.connections == 2


@pytest.mark.parametrize(
    "settings",
    [
        {"server_url": "localhost:8000"}, {"server_url": "ftp://x"}, {"server_url": "http://u:p@h"},
        {"server_url": "http://h:99999"}, {"server_url": "http://h/?q=1"}, {"server_url": 7},
        {"api_key": "a\nb"}, {"api_key": "ä"}, {"timeout": 0}, {"timeout": float("nan")}, {"retries": -1},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_right_are_refused(settings):
    with pytest.raises(ConfigurationError) as caught:
        Client(**settings)
    assert "ä" not in str(caught.value)


def test_server_and_key_come_from_the_environment(stub, monkeypatch):
    server = stub({"traces": [], "next": None})
    monkeypatch.setenv("AITRACE_SERVER_URL", server.url + "/base/")
    monkeypatch.setenv("AITRACE_API_KEY", "from-env")
    with Client() as client:
        client.traces().all()
        assert client.server_url == server.url + "/base"
        assert "from-env" not in repr(client)
    _, path, headers, _ = server.requests[0]
    assert (path.partition("?")[0], headers["authorization"]) == ("/base/api/traces", "Bearer from-env")


def test_retry_after_is_a_number_or_a_date():
    soon = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=30), usegmt=True)
    assert 25 < retry_after(soon) <= 30
    assert retry_after("5") == 5.0
    assert retry_after("Thu, 01 Jan 1970 00:00:00 GMT") == 0.0
    for nonsense in (None, "", "-1", "soon", "1e9", "٣"):
        assert retry_after(nonsense) is None, nonsense


def server_binary():
    known = os.environ.get("AITRACE_BIN")
    if known:
        return known
    target = os.environ.get("CARGO_TARGET_DIR")
    folder = pathlib.Path(target) if target else pathlib.Path(__file__).parents[2] / "target"
    for kind in ("debug", "release"):
        if (folder / kind / "aitrace").exists():
            return str(folder / kind / "aitrace")
    return shutil.which("aitrace")


def test_the_real_server_gives_back_what_a_tracer_sent(tmp_path):
    binary = server_binary()
    if binary is None:
        pytest.skip("no binary: cargo build -p aitrace-cli")
    with subprocess.Popen(
        [binary, "serve", "--port", "0", "--data-dir", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            lines = iter(process.stdout.readline, "")
            url = next(found.group() for line in lines if (found := re.search(r"http://[\d.:]+\d", line)))
            threading.Thread(target=process.stdout.read, daemon=True).start()
            tracer = Tracer(project="real", server_url=url)
            ids = []
            for number in range(3):
                with tracer.start_span(f"agent {number}", inputs={"n": number}) as span:
                    ids.append(span.trace_id)
                    tracer.log("hello", n=number)
            assert tracer.flush().ok
            with Client(server_url=url) as client:
                assert [trace.trace_id for trace in client.traces(project="real")] == ids[::-1]
                assert [trace.name for trace in client.traces(limit=2)] == ["agent 2", "agent 1"]
                detail = client.trace(ids[1])
                assert (detail.trace.project, detail.spans[0].inputs) == ("real", {"n": 1})
                assert (detail.spans[0].status, detail.logs[0].event) == ("ok", "hello")
                assert detail.spans[0].code.file.endswith("test_api_client.py")
                with pytest.raises(APIError) as caught:
                    client.trace("f" * 32)
                assert (caught.value.status, caught.value.kind) == (404, "not_found")
        finally:
            process.terminate()


def test_the_client_is_loaded_by_its_first_use_only():
    code = "import sys, aitrace; assert 'http.client' not in sys.modules; aitrace.Client; assert 'http.client' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert aitrace.Client is Client
