"""What a traced call costs, beside OpenTelemetry's SDK, in one run.

    maturin develop --profile wheel && python benches/bench_span.py [--json] [--calls 20000] [--rounds 15]

Each round times ``calls`` calls on one thread by its CPU clock, then flushes untimed; the best round
counts. Both sides have their worker running: ours sends OTLP to a local sink in another process,
OpenTelemetry's batch processor has an exporter that does nothing. Lost spans fail the run.
"""

import argparse
import contextvars
import functools
import http.server
import json
import multiprocessing
import sys
import time

from opentelemetry import trace as otel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import aitrace

BUDGETS = {"no-op": 0.4, "3 values": 1.2}


class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def serve(ready):
    server = http.server.HTTPServer(("127.0.0.1", 0), Sink)
    ready.put(server.server_address[1])
    server.serve_forever()


class Nothing(SpanExporter):
    def export(self, spans):
        return SpanExportResult.SUCCESS


def per_call(function, *, calls, rounds, flush):
    """Microseconds of CPU per call in the best round."""
    best = float("inf")
    rest = range(calls)
    for _ in range(rounds):
        began = time.thread_time_ns()
        for _ in rest:
            function()
        best = min(best, time.thread_time_ns() - began)
        flush()
    return best / calls / 1000


def plain():
    pass


def ours(url):
    tracer = aitrace.Tracer(project="bench", server_url=url)

    @tracer.trace
    def noop():
        pass

    @tracer.trace
    def values():
        tracer.enrich_span(metadata={"order": 7}, metrics={"hits": 3, "score": 0.5})

    @aitrace.trace
    def free():
        pass

    @tracer.trace
    def arguments(order=7, name="lamp"):
        return {"order": order}

    @tracer.trace
    def nested():
        noop()

    def with_block():
        with tracer.start_span("plan"):
            pass

    def flush():
        result = tracer.flush(30)
        if not result.ok:
            sys.exit(f"spans were lost: {result}")

    cases = {
        "no-op": noop,
        "3 values": values,
        "no-op, free @trace": free,
        "2 arguments, dict result": arguments,
        "two nested no-ops": nested,
        "with start_span": with_block,
    }
    return cases, flush


def opentelemetry():
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nothing(), max_queue_size=1 << 20))
    tracer = provider.get_tracer("bench")

    def traced(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            with tracer.start_as_current_span(function.__name__):
                return function(*args, **kwargs)

        return wrapper

    @traced
    def noop():
        pass

    @traced
    def values():
        span = otel.get_current_span()
        span.set_attribute("metadata.order", 7)
        span.set_attribute("metrics.hits", 3)
        span.set_attribute("metrics.score", 0.5)

    return {"no-op": noop, "3 values": values}, provider.force_flush


def floor():
    """The parts that nothing can do without: two calls of a context variable."""
    variable = contextvars.ContextVar("v", default=None)

    def context():
        variable.reset(variable.set(variable.get()))

    return context


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    ready = multiprocessing.get_context("spawn").Queue()
    sink = multiprocessing.get_context("spawn").Process(target=serve, args=(ready,), daemon=True)
    sink.start()
    measure = functools.partial(per_call, calls=options.calls, rounds=options.rounds)
    base = measure(plain, flush=plain)
    cases, flush = ours(f"http://127.0.0.1:{ready.get(timeout=30)}")
    theirs, force_flush = opentelemetry()
    rows = []
    for name, function in cases.items():
        mine = measure(function, flush=flush) - base
        other = measure(theirs[name], flush=force_flush) - base if name in theirs else None
        rows.append({"case": name, "aitrace_us": mine, "otel_us": other, "budget_us": BUDGETS.get(name)})
    rows.append({"case": "(a context variable alone)", "aitrace_us": measure(floor(), flush=plain) - base})
    sink.terminate()
    if options.json:
        print(json.dumps(rows))
        return
    print(f"{'case':28} {'aitrace':>10} {'budget':>8} {'otel sdk':>10} {'ratio':>7}   (us of CPU per call)")
    for row in rows:
        mine, budget, other = row["aitrace_us"], row.get("budget_us"), row.get("otel_us")
        shown = (f"{other:.3f}", f"{other / mine:.1f}x") if other else ("", "")
        print(f"{row['case']:28} {mine:10.3f} {budget or '':>8} {shown[0]:>10} {shown[1]:>7}")


if __name__ == "__main__":
    main()
