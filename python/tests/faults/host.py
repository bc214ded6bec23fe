"""Host programs that are run twice, with and without tracing, and a collector that counts what arrives.

Whatever befalls a program, tracing must not show: output, exit code and exceptions stay the same. Lines
on stderr that begin with ``aitrace:`` are ours and are compared with nothing.
"""

import gzip
import http.server
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PRELUDE = """
import contextlib, os, sys
if os.environ.get("FAULTS_TRACED") == "1":
    from aitrace import Tracer
    tracer = Tracer(project="host")
    trace, span, enrich = tracer.trace, tracer.start_span, tracer.enrich_span
else:
    tracer = None
    def trace(function=None, **_):
        return function if function is not None else (lambda wrapped: wrapped)
    def span(name, **_):
        return contextlib.nullcontext()
    def enrich(**_):
        pass
"""


class Collector(http.server.ThreadingHTTPServer):
    """Takes OTLP over HTTP and remembers each span that has ended."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans = []
        self.open_spans = []
        self.logs = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take(self, body):
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    (self.spans if span.end_time_unix_nano else self.open_spans).append(span)

    def names(self):
        """The names of the finished spans, sorted. Each span came once."""
        ids = [(span.trace_id, span.span_id) for span in self.spans]
        assert len(ids) == len(set(ids)), "a span was sent twice"
        return sorted(span.name for span in self.spans)

    def handle_error(self, request, client_address):
        pass  # a client that was killed

    def close(self):
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if self.path == "/api/ingest":
            records = json.loads(body)
            self.server.logs.extend(records)
            self.answer("application/json", json.dumps({"ingested": len(records), "rejected": []}).encode())
        else:
            self.server.take(body)
            self.answer("application/x-protobuf", b"")

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@dataclass
class Ended:
    """How a host program ended."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    ours: list = field(default_factory=list)


class Program:
    """A running host program."""

    def __init__(self, path, *, traced, environment, arguments=(), **popen):
        environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            **environment,
            "FAULTS_TRACED": "1" if traced else "0",
        }
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, str(path), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in environment.items() if value is not None},
            start_new_session=True,
            **popen,
        )

    def wait(self, timeout=30):
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            # What hangs is told about by its stack.
            self.process.send_signal(signal.SIGABRT)
            os.killpg(self.process.pid, signal.SIGKILL)
            out, err = self.process.communicate()
            raise AssertionError(f"hangs after {timeout} s\nstdout: {out}\nstderr: {err}") from None
        lines = err.splitlines()
        return Ended(
            self.process.returncode,
            out,
            "\n".join(line for line in lines if not line.startswith("aitrace:")),
            time.monotonic() - self.began,
            [line for line in lines if line.startswith("aitrace:")],
        )


@dataclass
class Hosts:
    """Runs programs in a folder of the test's own."""

    folder: object
    collector: Collector

    def write(self, code):
        path = self.folder / "host.py"
        path.write_text(PRELUDE + textwrap.dedent(code))
        return path

    def start(self, code, *, traced=True, environment=None, **popen):
        # The spool is where a program has it that says nothing: in its home.
        given = {
            "AITRACE_SERVER_URL": self.collector.url,
            "AITRACE_SPOOL_DIR": None,
            "HOME": str(self.folder),
            **(environment or {}),
        }
        return Program(self.write(code), traced=traced, environment=given, **popen)

    def both(self, code, *, act=None, environment=None, timeout=30, **popen):
        """Runs it without and with tracing; fails where the two differ. Returns how the traced one ended.

        ``act`` is called with each running program, to disturb it.
        """
        ends = []
        for traced in (False, True):
            program = self.start(code, traced=traced, environment=environment, **popen)
            if act is not None:
                act(program.process)
            ends.append(program.wait(timeout))
        without, with_us = ends
        assert (with_us.code, with_us.stdout) == (without.code, without.stdout), with_us.stderr
        told, reference = _plain(with_us.stderr), _plain(without.stderr)
        assert told == reference
        return with_us


def _plain(stderr):
    """A traceback without addresses and without the frames of a wrapper, which are ours by contract."""
    # Carets point into a line at where it was interrupted, which is chance.
    lines = [line for line in stderr.splitlines() if "0x" not in line and line.strip(" ^~")]
    kept, skip = [], False
    for line in lines:
        if line.lstrip().startswith('File "'):
            skip = "aitrace" in line and "host.py" not in line
        elif not line.startswith("    "):
            skip = False
        if not skip:
            kept.append(line)
    return "\n".join(kept)
