"""OpenTelemetry instrumentors on ``tracer.provider``: their spans nest under ours, and ours under theirs."""

import asyncio
import http.server
import json
import subprocess
import sys
import threading

import openai
import pytest
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import TracerProvider as SdkProvider

from aitrace import _native


class Model(http.server.BaseHTTPRequestHandler):
    """A stub of the chat API, streaming where asked to."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if request["messages"][-1]["content"] == "fail":
            return self.answer(400, "application/json", b'{"error": {"message": "no", "type": "bad"}}')
        base = {"id": "c1", "created": 1, "model": "stub-1"}
        if request.get("stream"):
            deltas = [{"role": "assistant", "content": "he"}, {"content": "llo"}]
            chunks = [
                {**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}
                for delta in deltas
            ]
            text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
            return self.answer(200, "text/event-stream", text.encode())
        message = {"role": "assistant", "content": "hello"}
        body = {
            **base,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        }
        return self.answer(200, "application/json", json.dumps(body).encode())

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def model():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture
def instrumented(tracer):
    OpenAIInstrumentor().instrument(tracer_provider=tracer.provider)
    yield tracer
    OpenAIInstrumentor().uninstrument()


def ask(client, content="hi", **options):
    return client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": content}], **options
    )


def tree(tracer):
    spans = {span.span_id: span for span in tracer.spans()}
    return {
        span.name: spans[span.parent_span_id].name if span.parent_span_id in spans else None
        for span in spans.values()
    }


def test_the_openai_instrumentor_nests_under_ours(instrumented, model):
    @instrumented.trace
    def agent():
        with openai.OpenAI(base_url=model, api_key="k", max_retries=0) as client:
            return ask(client).choices[0].message.content

    assert agent() == "hello"
    assert tree(instrumented) == {"ChatCompletion": "agent", "agent": None}
    call, outer = instrumented.spans()
    assert call.attributes["openinference.span.kind"] == "LLM"
    assert call.attributes["llm.token_count.total"] == 5
    assert json.loads(call.attributes["input.value"])["messages"][0]["content"] == "hi"
    assert (call.project, call.session_id) == ("tests", instrumented.session_id)
    assert call.status == "ok"
    assert (call.code.file, call.code.function) == (outer.code.file, "ask"), "not the library's own"
    assert outer.outputs == "hello"


def test_streams_and_errors(instrumented, model):
    with (
        instrumented.start_span("agent"),
        openai.OpenAI(base_url=model, api_key="k", max_retries=0) as client,
    ):
        text = "".join(chunk.choices[0].delta.content or "" for chunk in ask(client, stream=True))
        with pytest.raises(openai.BadRequestError):
            ask(client, "fail")
    assert text == "hello"
    streamed, failed, outer = instrumented.spans()
    assert "hello" in streamed.attributes["output.value"]
    assert (failed.status, failed.error.type) == ("error", "BadRequestError")
    assert streamed.parent_span_id == failed.parent_span_id == outer.span_id


def test_async_clients(instrumented, model):
    @instrumented.trace
    async def one(n):
        async with openai.AsyncOpenAI(base_url=model, api_key="k", max_retries=0) as client:
            return (await ask(client, str(n))).choices[0].message.content

    async def main():
        return await asyncio.gather(*(one(n) for n in range(3)))

    assert asyncio.run(main()) == ["hello"] * 3
    spans = {span.span_id: span for span in instrumented.spans()}
    calls = [span for span in spans.values() if span.name == "ChatCompletion"]
    assert {spans[call.parent_span_id].name for call in calls} == {"one"}
    assert len({call.trace_id for call in calls}) == 3


def test_ours_under_theirs_and_back(tracer):
    library = tracer.provider.get_tracer("library", "1.2")

    @tracer.trace
    def tool():
        tracer.enrich_span(metadata={"mine": True})
        with library.start_as_current_span("inner", kind=otel.SpanKind.CLIENT, attributes={"a": 1}) as span:
            span.set_status(otel.Status(otel.StatusCode.OK))

    with library.start_as_current_span("outer") as outer:
        assert otel.get_current_span() is outer
        tool()
        assert otel.get_current_span() is outer
    assert not otel.get_current_span().get_span_context().is_valid
    assert tree(tracer) == {"inner": "tool", "tool": "outer", "outer": None}
    inner = tracer.spans()[0]
    assert inner.attributes["a"] == 1
    assert tracer.spans()[1].metadata == {"mine": True}


def test_our_span_is_opentelemetrys_current_one(tracer):
    assert tracer.provider is tracer.provider
    with tracer.start_span("ours") as span:
        current = otel.get_current_span()
        assert otel.format_span_id(current.get_span_context().span_id) == span.span_id
        current.set_attribute("through", "otel")
        current.record_exception(ValueError("seen"))
    (finished,) = tracer.spans()
    assert finished.attributes["through"] == "otel"
    assert finished.events[0].attributes["exception.message"] == "seen"


def test_ours_under_another_providers(tracer):
    assert tracer.provider
    foreign = SdkProvider().get_tracer("web")
    with foreign.start_as_current_span("request") as request:
        with tracer.start_span("ours") as span:
            assert _native.current_span() is span
        ids = request.get_span_context()
    (finished,) = tracer.spans()
    assert finished.parent_span_id == otel.format_span_id(ids.span_id)
    assert finished.trace_id == otel.format_trace_id(ids.trace_id)


def test_a_context_that_is_given_is_the_parent(tracer):
    library = tracer.provider.get_tracer("library")
    first = library.start_span("first")
    with tracer.start_span("elsewhere"):
        library.start_span("second", context=otel.set_span_in_context(first)).end()
        library.start_span("root", context=otel.set_span_in_context(otel.INVALID_SPAN)).end()
    first.end()
    spans = {span.name: span for span in tracer.spans()}
    assert spans["second"].parent_span_id == spans["first"].span_id
    assert spans["root"].parent_span_id is None


def test_generators_keep_their_span_current_for_others(tracer):
    library = tracer.provider.get_tracer("library")

    @tracer.trace
    def steps():
        for n in range(2):
            library.start_span(f"step-{n}").end()
            yield n

    for _ in steps():
        assert not otel.get_current_span().get_span_context().is_valid
    assert tree(tracer) == {"step-0": "steps", "step-1": "steps", "steps": None}


def test_two_tracers_have_two_providers(tracer, other):
    with tracer.start_span("a"):
        other.provider.get_tracer("library").start_span("b").end()
    assert [span.name for span in other.spans()] == ["b"]
    assert other.spans()[0].parent_span_id == tracer.spans()[0].span_id
    assert other.spans()[0].project == "other"


def test_the_global_provider_is_left_alone():
    # In a fresh interpreter: OpenTelemetry lets it be set once, so an earlier test could hide that we set it.
    code = """
from aitrace import Tracer
from opentelemetry import trace
tracer = Tracer(project="p", target="memory")
with tracer.start_span("a"), tracer.provider.get_tracer("library").start_as_current_span("b"):
    pass
assert trace._TRACER_PROVIDER is None, trace._TRACER_PROVIDER
"""
    subprocess.run([sys.executable, "-c", code], check=True)
