"""The exporters of OpenTelemetry's own SDK against the real server: spans and logs, HTTP and gRPC, packed and plain."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import urllib.request

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult


def server_binary():
    known = os.environ.get("AITRACE_BIN")
    if known:
        return known
    target = os.environ.get("CARGO_TARGET_DIR")
    folder = pathlib.Path(target) if target else pathlib.Path(__file__).parents[2] / "target"
    built = [folder / kind / "aitrace" for kind in ("debug", "release")]
    return next((str(path) for path in built if path.exists()), None) or shutil.which("aitrace")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The addresses of a server: for HTTP, and the port that OTLP's gRPC clients send to."""
    binary = server_binary()
    if binary is None:
        pytest.skip("the server is not built")
    command = [binary, "serve", "--port", "0", "--data-dir", str(tmp_path_factory.mktemp("data"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            found = re.search(r"http://([\d.:]+\d)", process.stdout.readline())
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield found.group(1)
        finally:
            process.terminate()


def spans_exporter(wire, server, packed):
    if wire == "grpc":
        grpc = pytest.importorskip("grpc")
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        compression = grpc.Compression.Gzip if packed else grpc.Compression.NoCompression
        return OTLPSpanExporter(endpoint=f"http://{server}", insecure=True, compression=compression)
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    compression = Compression.Gzip if packed else Compression.NoCompression
    return OTLPSpanExporter(endpoint=f"http://{server}/v1/traces", compression=compression)


def logs_exporter(wire, server, packed):
    if wire == "grpc":
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

        compression = grpc.Compression.Gzip if packed else grpc.Compression.NoCompression
        return OTLPLogExporter(endpoint=f"http://{server}", insecure=True, compression=compression)
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    compression = Compression.Gzip if packed else Compression.NoCompression
    return OTLPLogExporter(endpoint=f"http://{server}/v1/logs", compression=compression)


class Watched:
    """An exporter that remembers what became of each batch."""

    def __init__(self, exporter):
        self.exporter, self.results = exporter, []

    def export(self, batch):
        self.results.append(self.exporter.export(batch))
        return self.results[-1]

    def __getattr__(self, name):
        return getattr(self.exporter, name)


ATTRIBUTES = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.usage.input_tokens": 15,
    "gen_ai.usage.output_tokens": 9,
    "text": 'grüße 😀 " \\ \n \x00',
    "large": 2**63 - 1,
    "ratio": 0.1,
    "yes": True,
    "words": ["a", "b"],
    "long": "many words " * 2000,
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("wire", ["http", "grpc"])
def test_spans_and_logs_arrive_as_they_were_made(server, wire, packed):
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

    resource = Resource.create({"service.name": "shop", "aitrace.project": f"{wire}-{packed}"})
    tracers, loggers = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    spans, logs = Watched(spans_exporter(wire, server, packed)), logs_exporter(wire, server, packed)
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(logs))
    logger = loggers.get_logger("shop.worker")
    tracer = tracers.get_tracer("shop.worker", "1.2")
    with tracer.start_as_current_span("agent") as root:
        with tracer.start_as_current_span("chat", attributes=ATTRIBUTES) as call:
            call.add_event("retried", {"times": 2})
            warning = {
                "severity_number": SeverityNumber.WARN,
                "body": "low on stock",
                "attributes": {"left": 3},
            }
            logger.emit(LogRecord(timestamp=call.start_time, **warning))
        with pytest.raises(ValueError), tracer.start_as_current_span("fails"):
            raise ValueError("no such order")
    loggers.shutdown()
    tracers.shutdown()
    assert spans.results == [SpanExportResult.SUCCESS] * 3

    with urllib.request.urlopen(
        f"http://{server}/api/trace/{root.get_span_context().trace_id:032x}"
    ) as answer:
        found = json.load(answer)
    by_name = {span["name"]: span for span in found["spans"]}
    assert sorted(by_name) == ["agent", "chat", "fails"]
    assert {span["parent_span_id"] for span in found["spans"]} == {None, by_name["agent"]["span_id"]}
    chat, failed = by_name["chat"], by_name["fails"]
    assert (chat["project"], chat["service"], chat["kind"]) == (f"{wire}-{packed}", "shop", "llm")
    used = (chat["model"], chat["input_tokens"], chat["output_tokens"], chat["cost"])
    assert used == ("gpt-5-mini", 15, 9, pytest.approx(0.00002175))
    assert chat["span_id"] == f"{call.get_span_context().span_id:016x}"
    assert (chat["start_ns"], chat["end_ns"]) == (str(call.start_time), str(call.end_time))
    kept = chat["attributes"]
    assert {key: kept[key] for key in ATTRIBUTES} == {**ATTRIBUTES, "large": str(2**63 - 1)}
    assert (chat["events"][0]["name"], chat["events"][0]["attributes"]["times"]) == ("retried", 2)
    error = failed["error"]
    assert (failed["status"], error["type"], error["message"]) == ("error", "ValueError", "no such order")
    [log] = found["logs"]
    assert (log["span_id"], log["level"], log["logger"]) == (chat["span_id"], "warning", "shop.worker")
    assert (log["attrs"]["body"], log["attrs"]["left"]) == ("low on stock", 3)
