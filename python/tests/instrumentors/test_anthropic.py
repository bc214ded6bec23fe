"""Anthropic's client under two instrumentors."""

import asyncio
import gc

import anthropic
import pytest

OPENINFERENCE = ("openinference.instrumentation.anthropic", "AnthropicInstrumentor")
OPENLLMETRY = ("opentelemetry.instrumentation.anthropic", "AnthropicInstrumentor")
ALL = pytest.mark.parametrize(
    "instrumentor", [OPENINFERENCE, OPENLLMETRY], ids=["openinference", "openllmetry"]
)
ANSWER = "Paris is the capital of France."
CACHED = [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}]


@pytest.fixture
def client(model_url):
    with anthropic.Anthropic(base_url=model_url, api_key="k", max_retries=0) as client:
        yield client


def say(client, text="hi", **options):
    messages = [{"role": "user", "content": text}]
    return client.messages.create(model="claude-test", max_tokens=50, messages=messages, **options)


def call_of(tracer, above=None):
    """The instrumentor's span; the client itself may record a bare one besides, with the same numbers."""
    gc.collect()
    spans = [span for span in tracer.spans() if above is None or span.span_id != above.span_id]
    (call,) = [span for span in spans if "anthropic" in span.name or "messages" in span.name]
    if above is not None:
        assert (call.trace_id, call.parent_span_id) == (above.trace_id, above.span_id)
    return call


def said(side):
    return [part["content"] for message in side for part in message["parts"] if part["type"] == "text"]


@ALL
def test_messages_with_caching(record, client, instrumentor):
    tracer = record(*instrumentor)
    with tracer.start_span("agent") as agent:
        say(client, system=CACHED)
    call = call_of(tracer, agent)
    assert (call.kind, call.event_type, call.status) == ("llm", "model", "ok")
    assert (call.provider, call.model) == ("anthropic", "claude-test")
    assert (call.input_tokens, call.output_tokens) == (12 + 100 + 20, 7), (
        "cached tokens are tokens, counted once"
    )
    assert said(call.inputs) == ["be brief", "hi"]
    assert said(call.outputs) == [ANSWER]


@ALL
def test_tools(record, client, instrumentor):
    tracer = record(*instrumentor)
    say(client, tools=[{"name": "weather", "input_schema": {"type": "object"}}])
    text = str(call_of(tracer).outputs)
    assert "weather" in text and "Paris" in text


@ALL
def test_streams(record, client, instrumentor):
    tracer = record(*instrumentor)
    with tracer.start_span("agent") as agent:
        list(say(client, stream=True))
    call = call_of(tracer, agent)
    assert said(call.outputs) == [ANSWER]
    # OpenLLMetry adds the first event's one token to the last event's total.
    assert call.output_tokens == (8 if instrumentor is OPENLLMETRY else 7)


@ALL
def test_errors(record, client, instrumentor):
    tracer = record(*instrumentor)
    with tracer.start_span("agent") as agent:
        with pytest.raises(anthropic.BadRequestError):
            say(client, "fail")
    call = call_of(tracer, agent)
    assert (call.status, call.error.type) == ("error", "BadRequestError")


@ALL
def test_a_broken_stream_ends_its_span(record, client, instrumentor):
    tracer = record(*instrumentor)
    with tracer.start_span("agent") as agent:
        try:
            list(say(client, "break", stream=True))
        except Exception as error:
            assert "peer closed connection" in str(error)
        else:
            pytest.fail("the stream is whole")
    call = call_of(tracer, agent)
    if instrumentor is OPENLLMETRY:
        # It never ends the span; the recorder does, and says so.
        assert call.attributes["aitrace.abandoned"] is True
    else:
        assert call.status == "error"
        assert said(call.outputs) == ["Paris"]


@ALL
def test_async_clients(record, model_url, instrumentor):
    tracer = record(*instrumentor)

    async def main():
        async with anthropic.AsyncAnthropic(base_url=model_url, api_key="k", max_retries=0) as client:
            with tracer.start_span("agent") as agent:
                await say(client)
            return agent

    assert said(call_of(tracer, asyncio.run(main())).outputs) == [ANSWER]
