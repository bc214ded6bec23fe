"""OpenAI's client under three instrumentors: what ``spans()`` says is the same for all of them."""

import asyncio
import gc

import openai
import pytest

OPENINFERENCE = ("openinference.instrumentation.openai", "OpenAIInstrumentor")
OPENLLMETRY = ("opentelemetry.instrumentation.openai", "OpenAIInstrumentor")
OTEL = ("opentelemetry.instrumentation.openai_v2", "OpenAIInstrumentor")
ALL = pytest.mark.parametrize(
    "instrumentor", [OPENINFERENCE, OPENLLMETRY, OTEL], ids=["openinference", "openllmetry", "otel"]
)
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
ANSWER = "Paris is the capital of France."


@pytest.fixture(autouse=True)
def contents(monkeypatch):
    """OpenTelemetry's own instrumentor writes contents on spans when it is told to."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    stability = pytest.importorskip("opentelemetry.instrumentation._semconv")
    monkeypatch.setattr(stability._OpenTelemetrySemanticConventionStability, "_initialized", False)


@pytest.fixture
def client(model_url):
    with openai.OpenAI(base_url=model_url + "/v1", api_key="k", max_retries=0) as client:
        yield client


def ask(client, text="hi", **options):
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="gpt-5", messages=messages, **options)


def one(tracer, above):
    """The only call among the spans, which must stand under ``above``."""
    gc.collect()
    (call,) = [span for span in tracer.spans() if span.span_id != above.span_id]
    assert (call.trace_id, call.parent_span_id) == (above.trace_id, above.span_id)
    assert (call.project, call.session_id) == ("tests", tracer.session_id)
    return call


def said(side):
    return [part["content"] for message in side for part in message["parts"] if part["type"] == "text"]


@ALL
def test_chat(record, client, instrumentor):
    tracer = record(*instrumentor)
    with tracer.start_span("agent") as agent:
        ask(client)
    call = one(tracer, agent)
    assert (call.kind, call.event_type, call.status) == ("llm", "model", "ok")
    assert (call.provider, call.model) == ("openai", "gpt-5-2026-01-01")
    assert (call.input_tokens, call.output_tokens) == (12, 7)
    assert said(call.inputs) == ["hi"]
    assert said(call.outputs) == [ANSWER]
    # (OpenLLMetry goes through the switch of conftest.py, which counts as the user's code.)
    assert instrumentor is OPENLLMETRY or call.code.function == "ask", "where the user's code called"


@ALL
def test_tools(record, client, instrumentor):
    tracer = record(*instrumentor)
    with tracer.start_span("agent") as agent:
        ask(client, tools=[TOOL])
    (part,) = one(tracer, agent).outputs[0]["parts"]
    assert (part["type"], part["name"], part["arguments"]) == ("tool_call", "weather", {"city": "Paris"})


@ALL
@pytest.mark.parametrize("usage", [True, False])
def test_streams(record, client, instrumentor, usage):
    tracer = record(*instrumentor)
    options = {"stream_options": {"include_usage": True}} if usage else {}
    with tracer.start_span("agent") as agent:
        chunks = list(ask(client, stream=True, **options))
    assert len(chunks) > 5
    call = one(tracer, agent)
    assert said(call.outputs) == [ANSWER]
    # Who does not ask for the usage of a stream is told none.
    assert (call.input_tokens, call.output_tokens) == ((12, 7) if usage else (None, None))


@ALL
def test_a_stream_that_is_closed_early_ends_its_span(record, client, instrumentor):
    tracer = record(*instrumentor)
    with tracer.start_span("agent") as agent:
        stream = ask(client, stream=True)
        next(iter(stream))
        stream.close()
        del stream
    assert one(tracer, agent).end_ns


@ALL
def test_a_stream_that_breaks_is_an_error(record, client, instrumentor):
    tracer = record(*instrumentor)
    with tracer.start_span("agent") as agent:
        with pytest.raises(openai.APIConnectionError):
            list(ask(client, "break", stream=True))
    call = one(tracer, agent)
    assert said(call.outputs) == ["Paris is"], "what came before it broke is kept"
    # OpenLLMetry ends the span of a broken stream as a good one.
    assert call.status == ("ok" if instrumentor is OPENLLMETRY else "error")


@ALL
def test_errors(record, client, instrumentor):
    tracer = record(*instrumentor)
    with tracer.start_span("agent") as agent:
        with pytest.raises(openai.BadRequestError):
            ask(client, "fail")
    call = one(tracer, agent)
    assert call.status == "error"
    assert "BadRequestError" in call.error.type
    assert "no such order" in call.error.message
    assert agent.attributes.get("error") is None


@ALL
def test_embeddings(record, client, instrumentor):
    tracer = record(*instrumentor)
    with tracer.start_span("agent") as agent:
        client.embeddings.create(model="text-embedding-3-small", input="hello")
    call = one(tracer, agent)
    assert (call.kind, call.event_type, call.input_tokens) == ("embedding", "model", 5)


@ALL
def test_async_clients(record, model_url, instrumentor):
    tracer = record(*instrumentor)

    @tracer.trace
    async def agent(n):
        async with openai.AsyncOpenAI(base_url=model_url + "/v1", api_key="k", max_retries=0) as client:
            await ask(client, f"plain {n}")
            async for _ in await ask(client, f"streamed {n}", stream=True):
                pass

    async def main():
        await asyncio.gather(*(agent(n) for n in range(3)))

    asyncio.run(main())
    spans = tracer.spans()
    agents = {span.span_id: span for span in spans if span.name == "agent"}
    calls = [span for span in spans if span.name != "agent"]
    assert len(agents) == 3 and len(calls) == 6
    for call in calls:
        n = agents[call.parent_span_id].inputs["n"]
        assert said(call.inputs)[0].endswith(f" {n}"), "each under the agent that asked"
        assert said(call.outputs) == [ANSWER]


@pytest.mark.parametrize("mode", ["EVENT_ONLY", "SPAN_AND_EVENT"])
@pytest.mark.parametrize("stream", [False, True])
def test_contents_that_are_sent_as_log_records_arrive(record, client, monkeypatch, mode, stream):
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", mode)
    tracer = record(*OTEL)
    asked = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]
    with tracer.start_span("agent") as agent:
        answer = client.chat.completions.create(model="gpt-5", messages=asked, stream=stream)
        chunks = list(answer) if stream else None
        del answer, chunks
    call = one(tracer, agent)
    assert [message["role"] for message in call.inputs] == ["system", "user", "assistant", "tool"]
    assert said(call.inputs) == ["be brief", "hi"]
    (wanted,) = call.inputs[2]["parts"]
    assert (wanted["type"], wanted["name"], wanted["arguments"]) == (
        "tool_call",
        "weather",
        {"city": "Paris"},
    )
    assert call.inputs[3]["parts"][0]["type"] == "tool_call_response"
    assert said(call.outputs) == [ANSWER]
    assert tracer.logs() == []


def test_two_instrumentors_on_two_tracers(record, client):
    outer, inner = record(*OPENLLMETRY), record(*OPENINFERENCE)
    ask(client)
    (around,) = outer.spans()
    (call,) = inner.spans()
    assert call.trace_id == around.trace_id
    assert {call.parent_span_id, around.parent_span_id} >= {None}
