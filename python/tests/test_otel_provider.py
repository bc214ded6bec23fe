"""What OpenTelemetry promises of a TracerProvider, held by ``tracer.provider``, beside providers of others."""

import asyncio
import contextlib
import contextvars
import gc
import http.server
import logging
import threading

import pytest
from opentelemetry import baggage
from opentelemetry import context as otel_context
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace import TracerProvider as SdkProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from aitrace import Tracer

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class SentryLike(SpanProcessor):
    """Looks at everything a span offers when it starts and ends, as error trackers do."""

    def __init__(self):
        self.seen = []

    def on_start(self, span, parent_context=None):
        above = otel.get_current_span(parent_context)
        parent = span.parent and otel.format_span_id(span.parent.span_id)
        above_id = above.get_span_context().span_id
        assert parent is None or parent == otel.format_span_id(above_id)
        self.seen.append(("start", span.name, parent))

    def on_end(self, span):
        assert span.to_json()
        self.seen.append(("end", span.name, span.status.status_code.name))


@pytest.fixture
def no_global(monkeypatch):
    """OpenTelemetry as it is in a fresh process."""
    monkeypatch.setattr(otel, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(otel, "_TRACER_PROVIDER_SET_ONCE", type(otel._TRACER_PROVIDER_SET_ONCE)())


def remote(flags=1, state=None):
    ids = otel.SpanContext(int(TRACE, 16), int(SPAN, 16), True, otel.TraceFlags(flags), state)
    return otel.set_span_in_context(otel.NonRecordingSpan(ids))


def named(tracer):
    return {span.name: span for span in tracer.spans()}


def test_links_events_and_kinds_are_kept(tracer):
    library = tracer.provider.get_tracer("library", "1.2")
    other = library.start_span("other")
    link = otel.Link(other.get_span_context(), {"why": "batch"})
    with library.start_as_current_span("one", kind=otel.SpanKind.PRODUCER, links=[link]) as span:
        assert span.kind is otel.SpanKind.PRODUCER
        span.add_link(other.get_span_context(), {"n": 2})
        span.add_event("early", {"a": 1}, timestamp=5)
        span.update_name("renamed")
    other.end()
    one = named(tracer)["renamed"]
    assert [dict(link.attributes) for link in one.links] == [{"why": "batch"}, {"n": 2}]
    assert {link.span_id for link in one.links} == {otel.format_span_id(other.get_span_context().span_id)}
    assert [(event.name, event.time_ns, event.attributes) for event in one.events] == [("early", 5, {"a": 1})]


def test_ok_is_the_last_word_and_unset_says_nothing(tracer):
    library = tracer.provider.get_tracer("library")
    code = otel.StatusCode
    for name, told in {
        "ok": [(code.ERROR, "no"), (code.OK, None), (code.ERROR, "late")],
        "error": [(code.ERROR, "no"), (code.UNSET, None)],
        "unset": [(code.UNSET, "x")],
    }.items():
        span = library.start_span(name)
        for status, description in told:
            span.set_status(status, description)
        span.end()
    spans = named(tracer)
    assert [spans[name].status for name in ("ok", "error", "unset")] == ["ok", "error", "ok"]
    assert spans["error"].error.message == "no"


def test_record_exception_is_an_event_and_leaves_the_status(tracer):
    library = tracer.provider.get_tracer("library")
    span = library.start_span("retried")
    span.record_exception(
        ValueError("once"), {"attempt": 1, "exception.type": "mine"}, timestamp=7, escaped=True
    )
    assert span.status.status_code is otel.StatusCode.UNSET
    span.end()
    (finished,) = tracer.spans()
    assert finished.status == "ok"
    (event,) = finished.events
    assert (event.name, event.time_ns) == ("exception", 7)
    assert event.attributes["exception.type"] == "mine"
    assert (event.attributes["attempt"], event.attributes["exception.escaped"]) == (1, "True")
    assert "ValueError: once" in event.attributes["exception.stacktrace"]
    assert "attempt" not in finished.attributes


@pytest.mark.parametrize(("record", "status"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("form", ["start_as_current_span", "start_span", "use_span"])
def test_exceptions_as_the_caller_wants_them(tracer, form, record, status):
    library = tracer.provider.get_tracer("library")
    options = {"record_exception": record, "set_status_on_exception": status}

    def block():
        if form == "use_span":
            return otel.use_span(library.start_span("s"), end_on_exit=True, **options)
        return getattr(library, form)("s", **options)

    with pytest.raises(KeyError), block():
        raise KeyError("k")
    (finished,) = tracer.spans()
    assert len(finished.events) == record
    assert finished.status == ("error" if status else "ok")
    if record and status:
        assert finished.error.type == "KeyError"


def test_use_span_can_leave_a_span_open(tracer):
    library = tracer.provider.get_tracer("library")
    span = library.start_span("open")
    with otel.use_span(span, end_on_exit=False), tracer.start_span("under"):
        pass
    assert span.is_recording()
    assert [s.name for s in tracer.spans()] == ["under"]
    span.end()
    span.end()
    span.set_attribute("late", 1)
    spans = named(tracer)
    assert spans["under"].parent_span_id == spans["open"].span_id
    assert "late" not in spans["open"].attributes


def test_the_decorator_form(tracer):
    library = tracer.provider.get_tracer("library")

    @library.start_as_current_span("decorated")
    def work():
        return otel.get_current_span()

    @library.start_as_current_span("awaited")
    async def later():
        await asyncio.sleep(0)
        return otel.get_current_span().name

    work(), work()
    assert asyncio.run(later()) == "awaited"
    assert [span.name for span in tracer.spans()] == ["decorated", "decorated", "awaited"]


def test_long_conversations_keep_their_answer(tracer):
    span = tracer.provider.get_tracer("library").start_span(
        "call", attributes={"openinference.span.kind": "LLM"}
    )
    for n in range(300):
        span.set_attribute(f"llm.input_messages.{n}.message.content", "x")
    span.set_attribute("llm.output_messages.0.message.content", "the answer")
    span.end()
    (finished,) = tracer.spans()
    assert "the answer" in str(finished.outputs)


def test_what_is_beyond_the_limits_is_counted(tracer):
    span = tracer.provider.get_tracer("library").start_span("full")
    for n in range(1100):
        span.set_attribute(f"k{n}", n)
    for n in range(130):
        span.add_event(f"e{n}")
    span.end()
    (finished,) = tracer.spans()
    assert len(finished.events) == 128
    assert finished.attributes["k1023"] == 1023
    assert "k1024" not in finished.attributes
    assert finished.attributes["aitrace.dropped_parts"] == (1100 - 1024) + 2


def test_a_remote_parent_is_a_parent(tracer):
    state = otel.TraceState([("vendor", "x")])
    library = tracer.provider.get_tracer("library")
    with library.start_as_current_span("server", context=remote(1, state)) as span:
        ids = span.get_span_context()
        assert ids.trace_flags.sampled and ids.trace_state.get("vendor") == "x" and not ids.is_remote
        with tracer.start_span("ours"):
            assert otel.get_current_span().get_span_context().trace_state.get("vendor") == "x"
    spans = named(tracer)
    assert (spans["server"].trace_id, spans["server"].parent_span_id) == (TRACE, SPAN)
    assert spans["ours"].parent_span_id == spans["server"].span_id


def propagated():
    carrier = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier["traceparent"]


def read_by_opentelemetry(tracer, header):
    context = TraceContextTextMapPropagator().extract({"traceparent": header})
    return tracer.provider.get_tracer("library").start_as_current_span("server", context=context)


@contextlib.contextmanager
def attached_by_opentelemetry(tracer, header):
    token = otel_context.attach(TraceContextTextMapPropagator().extract({"traceparent": header}))
    with tracer.start_span("server"):
        yield
    otel_context.detach(token)


@contextlib.contextmanager
def read_by_us(tracer, header):
    assert tracer.provider
    with tracer.extract_context({"traceparent": header}), tracer.start_span("server"):
        yield


@pytest.mark.parametrize("flags", ["00", "01"])
@pytest.mark.parametrize("read", [read_by_opentelemetry, attached_by_opentelemetry, read_by_us])
def test_whether_a_trace_is_recorded_is_followed_and_handed_on_whoever_reads_it(tracer, read, flags):
    library = tracer.provider.get_tracer("library")
    with read(tracer, f"00-{TRACE}-{SPAN}-{flags}"):
        with library.start_as_current_span("theirs") as theirs, tracer.start_span("ours") as ours:
            assert theirs.is_recording() == ours.is_recording() == (flags == "01")
            assert propagated() == f"00-{TRACE}-{ours.span_id}-{flags}"
            assert tracer.inject_context()["traceparent"] == propagated()
        with tracer.extract_context(tracer.inject_context()):
            assert propagated().endswith(flags)
    recorded = {"server", "theirs", "ours"} if flags == "01" else set()
    assert set(named(tracer)) == recorded
    assert tracer.stats()["filtered"] == ({} if recorded else {"not_sampled": 3})


def test_a_trace_that_a_rule_leaves_out_is_not_recorded_elsewhere():
    tracer = Tracer(target="memory", rules=[{"sample": 0.0}])
    with tracer.provider.get_tracer("library").start_as_current_span("root") as root:
        assert not root.is_recording()
        assert propagated().endswith("-00")
    with tracer.start_span("root"):
        assert propagated().endswith("-00")
    with otel.use_span(root):
        assert propagated().endswith("-00")


def test_the_flag_of_a_span_stays_when_it_has_ended(tracer):
    span = tracer.provider.get_tracer("library").start_span("s")
    span.end()
    with otel.use_span(span):
        assert propagated().endswith("-01")
    with tracer.start_span("ours") as ours:
        ours.end()
        with otel.use_span(otel.get_current_span()):
            assert propagated().endswith("-01")


def test_baggage_of_a_remote_parent_is_the_four_keys(tracer):
    context = remote()
    for key, value in {"run_id": "r 1", "project": "evil", "session_id": "evil"}.items():
        context = baggage.set_baggage(key, value, context)
    with tracer.provider.get_tracer("library").start_as_current_span("server", context=context):
        tracer.start_span("ours").end()
    for span in tracer.spans():
        assert (span.run_id, span.project, span.session_id) == ("r 1", "tests", tracer.session_id)


def test_extracted_headers_are_current_to_both(tracer):
    library = tracer.provider.get_tracer("library")
    with library.start_as_current_span("around"):
        with tracer.extract_context({"traceparent": f"00-{TRACE}-{SPAN}-01"}):
            library.start_span("theirs").end()
            tracer.start_span("ours").end()
        tracer.start_span("after").end()
    spans = named(tracer)
    assert spans["theirs"].parent_span_id == spans["ours"].parent_span_id == SPAN
    assert spans["after"].parent_span_id == spans["around"].span_id


def test_a_parent_of_another_provider_that_records_nothing(tracer):
    silent = SdkProvider(sampler=ALWAYS_OFF).get_tracer("web")
    with silent.start_as_current_span("request") as request:
        assert not request.is_recording()
        with tracer.provider.get_tracer("library").start_as_current_span("call"):
            tracer.start_span("ours").end()
    spans = named(tracer)
    assert spans["call"].parent_span_id == otel.format_span_id(request.get_span_context().span_id)
    assert spans["ours"].parent_span_id == spans["call"].span_id


def test_a_tracer_that_was_shut_down_does_not_stand_in_the_way(tracer, other):
    ended = tracer.provider.get_tracer("library")
    assert other.provider
    tracer.shutdown()
    with other.start_span("outer") as outer:
        with ended.start_as_current_span("nothing") as nothing, tracer.start_span("nothing too"):
            assert not nothing.is_recording()
            assert otel.format_span_id(nothing.get_span_context().span_id) == outer.span_id
            other.start_span("inner").end()
    spans = named(other)
    assert set(spans) == {"inner", "outer"}
    assert spans["inner"].parent_span_id == spans["outer"].span_id


def test_a_tracer_that_was_shut_down_does_not_cut_others_in_two(tracer):
    exporter = InMemorySpanExporter()
    sdk = SdkProvider()
    sdk.add_span_processor(SimpleSpanProcessor(exporter))
    web = sdk.get_tracer("web")
    assert tracer.provider
    tracer.shutdown()
    with web.start_as_current_span("request"), tracer.start_span("nothing"):
        web.start_span("query").end()
    query, request = exporter.get_finished_spans()
    assert query.parent is not None and query.parent.span_id == request.context.span_id


def test_contexts_closed_elsewhere_are_no_error(tracer, caplog):
    library = tracer.provider.get_tracer("library")

    @tracer.trace
    async def stream():
        for n in range(3):
            library.start_span(f"step-{n}").end()
            yield n

    async def main():
        items = stream()
        await anext(items)
        # Another task, and so another context, closes it.
        await asyncio.create_task(items.aclose())
        span = tracer.start_span("carried")
        span.__enter__()
        await asyncio.create_task(leave(span))

    async def leave(span):
        span.__exit__(None, None, None)

    with caplog.at_level(logging.DEBUG, "opentelemetry"):
        asyncio.run(main())
    assert not caplog.records
    assert {span.name for span in tracer.spans()} == {"step-0", "stream", "carried"}
    assert named(tracer)["step-0"].parent_span_id == named(tracer)["stream"].span_id


def test_threads_with_a_copied_context_nest(tracer):
    library = tracer.provider.get_tracer("library")
    with library.start_as_current_span("outer"):
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(lambda: tracer.start_span("inner").end(),))
        thread.start()
        thread.join()
    spans = named(tracer)
    assert spans["inner"].parent_span_id == spans["outer"].span_id


def test_a_span_that_is_never_ended_is_ended_and_marked(tracer):
    tracer.provider.get_tracer("library").start_span("forgotten", attributes={"a": 1})
    gc.collect()
    (span,) = tracer.spans()
    assert (span.name, span.attributes["a"]) == ("forgotten", 1)
    assert span.attributes["aitrace.abandoned"] is True


def test_suppressed_instrumentation_records_nothing(tracer):
    library = tracer.provider.get_tracer("library")
    with tracer.start_span("outer"):
        for key in (otel_context._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation"):
            token = otel_context.attach(otel_context.set_value(key, True))
            with library.start_as_current_span("hidden") as span:
                assert not span.is_recording()
            otel_context.detach(token)
    assert [span.name for span in tracer.spans()] == ["outer"]


def test_an_sdk_provider_and_its_processors_work_beside_ours(tracer):
    exporter, sentry = InMemorySpanExporter(), SentryLike()
    sdk = SdkProvider()
    sdk.add_span_processor(SimpleSpanProcessor(exporter))
    sdk.add_span_processor(sentry)
    assert tracer.provider
    web = sdk.get_tracer("web")
    with web.start_as_current_span("request"), tracer.start_span("ours"):
        with web.start_as_current_span("query"):
            tracer.start_span("deepest").end()
    query, request = exporter.get_finished_spans()
    ours = named(tracer)
    assert ours["ours"].parent_span_id == otel.format_span_id(request.context.span_id)
    assert otel.format_span_id(query.parent.span_id) == ours["ours"].span_id
    assert ours["deepest"].parent_span_id == otel.format_span_id(query.context.span_id)
    assert sentry.seen == [
        ("start", "request", None),
        ("start", "query", ours["ours"].span_id),
        ("end", "query", "UNSET"),
        ("end", "request", "UNSET"),
    ]
    assert set(ours) == {"ours", "deepest"}, "the SDK's own spans are not ours unless asked for"


def test_the_global_provider_is_ours_when_asked_and_free(tracer, other, no_global):
    early = otel.get_tracer("early")
    early.start_span("before").end()
    assert tracer.install_global() and tracer.install_global()
    assert otel.get_tracer_provider() is tracer.provider
    early.start_span("after").end()
    assert [span.name for span in tracer.spans()] == ["after"]
    assert not other.install_global(), "it belongs to another tracer"


def test_an_installed_sdk_provider_stays_and_is_seen_besides(tracer, no_global):
    exporter, sentry = InMemorySpanExporter(), SentryLike()
    sdk = SdkProvider()
    sdk.add_span_processor(sentry)
    sdk.add_span_processor(SimpleSpanProcessor(exporter))
    otel.set_tracer_provider(sdk)
    assert tracer.install_global() and tracer.install_global()
    assert otel.get_tracer_provider() is sdk
    web = otel.get_tracer("web", "2")
    with tracer.start_span("ours"), web.start_as_current_span("query", kind=otel.SpanKind.CLIENT) as query:
        query.add_event("rows", {"n": 1})
        query.set_attribute("db", "x")
        query.set_status(otel.StatusCode.ERROR, "gone")
        with tracer.start_span("inner"):
            pass
        query.update_name("SELECT")
    (theirs,) = exporter.get_finished_spans()
    spans = named(tracer)
    assert set(spans) == {"ours", "SELECT", "inner"}, "each once"
    select = spans["SELECT"]
    assert select.span_id == otel.format_span_id(theirs.context.span_id)
    assert (select.parent_span_id, select.trace_id) == (spans["ours"].span_id, spans["ours"].trace_id)
    assert spans["inner"].parent_span_id == select.span_id
    assert (select.status, select.error.message, select.attributes["db"]) == ("error", "gone", "x")
    assert (select.start_ns, select.end_ns) == (theirs.start_time, theirs.end_time)
    assert [event.name for event in select.events] == ["rows"]
    assert select.project == "tests"
    assert [what[:2] for what in sentry.seen] == [("start", "query"), ("end", "SELECT")]


class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def sink():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def http_instrumented(tracer):
    httpx = pytest.importorskip("opentelemetry.instrumentation.httpx")
    requests = pytest.importorskip("opentelemetry.instrumentation.requests")
    urllib3 = pytest.importorskip("opentelemetry.instrumentation.urllib3")
    all_of_them = [
        httpx.HTTPXClientInstrumentor(),
        requests.RequestsInstrumentor(),
        urllib3.URLLib3Instrumentor(),
    ]
    for one in all_of_them:
        one.instrument(tracer_provider=tracer.provider)
    yield tracer
    for one in all_of_them:
        one.uninstrument()


def test_our_export_is_never_traced(http_instrumented, sink):
    sending = Tracer(project="sending", target=sink)
    with sending.start_span("one"):
        pass
    assert sending.flush().ok
    assert http_instrumented.spans() == []


def test_what_an_exporter_sends_is_never_traced(http_instrumented, sink):
    import httpx
    import requests

    class Forward:
        def __init__(self):
            self.names = []

        def export(self, spans):
            self.names += [span.name for span in spans]
            requests.post(sink, data=b"x", timeout=5)
            httpx.post(sink, content=b"x")

    forward = Forward()
    sending = Tracer(project="sending", exporter=forward)
    with sending.start_span("one"):
        pass
    assert sending.flush().ok
    assert forward.names == ["one"]
    assert http_instrumented.spans() == []
    requests.post(sink, data=b"x", timeout=5)
    assert [span.name for span in http_instrumented.spans()] == ["POST"], "the instrumentor is at work"


def test_an_exporter_sees_what_instrumentors_wrote_normalised():
    class Keep(list):
        def export(self, spans):
            self.extend(spans)

    kept = Keep()
    tracer = Tracer(project="p", exporter=kept)
    tracer.provider.get_tracer("x").start_span(
        "call", attributes={"gen_ai.request.model": "m", "gen_ai.operation.name": "chat"}
    ).end()
    assert tracer.flush().ok
    assert [(span.kind, span.model) for span in kept] == [("llm", "m")]
