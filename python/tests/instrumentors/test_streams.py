"""Traced functions that hand on streams of real clients: their span lasts as long as the stream does."""

import asyncio
import contextlib
import gc

import anthropic
import openai
import pytest

from aitrace import Tracer

WORDS = "Paris is the capital of France."
BROKEN = "(?i)connection"
CLIENTS = pytest.mark.parametrize("client", ["openai", "anthropic"])


class Here:
    """Both clients behind one face: streams of a question, and the words in their parts."""

    def __init__(self, name, url):
        self.name = name
        self.base = url + "/v1" if name == "openai" else url

    def client(self, asynchronous=False):
        module = {"openai": openai, "anthropic": anthropic}[self.name]
        prefix = "Async" if asynchronous else ""
        made = getattr(module, prefix + {"openai": "OpenAI", "anthropic": "Anthropic"}[self.name])
        return made(base_url=self.base, api_key="k", max_retries=0)

    def ask(self, client, text="hi"):
        messages = [{"role": "user", "content": text}]
        if self.name == "openai":
            return client.chat.completions.create(model="gpt-5", messages=messages, stream=True)
        return client.messages.create(model="claude-test", max_tokens=9, messages=messages, stream=True)

    def word(self, part):
        if self.name == "openai":
            return (part.choices[0].delta.content or "") if part.choices else ""
        return getattr(getattr(part, "delta", None), "text", "") or ""


@pytest.fixture
def tracer():
    return Tracer(project="tests", target="memory")


@pytest.fixture
def here(client, model_url):
    return Here(client, model_url)


@pytest.fixture
def answer(tracer, here):
    @tracer.trace(event_type="model")
    def answer(text="hi"):
        with here.client() as client, contextlib.closing(here.ask(client, text)) as stream:
            for part in stream:
                if word := here.word(part):
                    yield word

    return answer


@pytest.fixture
def later(tracer, here):
    @tracer.trace(event_type="model")
    async def later(text="hi", stall=False):
        async with here.client(asynchronous=True) as client:
            async with await here.ask(client, text) as stream:
                async for part in stream:
                    if word := here.word(part):
                        yield word
                        if stall:
                            await asyncio.Event().wait()

    return later


def ended(tracer):
    gc.collect()
    (span,) = tracer.spans()
    return span


@CLIENTS
def test_a_stream_that_is_exhausted(tracer, answer):
    stream = answer()
    words = [next(stream)]
    assert tracer.spans() == [], "it is under way"
    words += stream
    span = ended(tracer)
    assert "".join(words) == WORDS and span.outputs == words
    assert (span.name, span.event_type, span.status, span.inputs) == ("answer", "model", "ok", {"text": "hi"})


@CLIENTS
@pytest.mark.parametrize("leave", ["close", "abandon", "throw"])
def test_a_stream_that_is_left_early(tracer, answer, leave):
    stream = answer()
    first = next(stream)
    if leave == "close":
        stream.close()
    elif leave == "throw":
        with pytest.raises(KeyError):
            stream.throw(KeyError("enough"))
    del stream
    span = ended(tracer)
    wanted = ("error", None) if leave == "throw" else ("ok", [first])
    assert (span.status, span.outputs) == wanted


@CLIENTS
def test_a_stream_that_breaks(tracer, answer):
    stream = answer("break")
    with pytest.raises(Exception, match=BROKEN) as caught:
        while next(stream):
            assert tracer.spans() == []
    span = ended(tracer)
    assert span.status == "error"
    assert type(caught.value).__name__ in span.error.type


@CLIENTS
def test_asynchronous_streams(tracer, later):
    async def main():
        words = [word async for word in later()]
        stream = later("closed")
        first = await anext(stream)
        assert [span.inputs["text"] for span in tracer.spans()] == ["hi"], "the other is under way"
        await stream.aclose()
        with pytest.raises(Exception, match=BROKEN):
            async for _ in later("break"):
                pass
        return words, first

    words, first = asyncio.run(main())
    whole, closed, broken = tracer.spans()
    assert "".join(words) == WORDS and whole.outputs == words
    assert (closed.status, closed.outputs) == ("ok", [first])
    assert broken.status == "error"


@CLIENTS
def test_cancellation_within_a_stream_and_between_its_parts(tracer, later):
    async def consume(got, text, stall):
        async for word in later(text, stall):
            got.set_result(word)
            await asyncio.Event().wait()

    async def main():
        for text, stall in (("between", False), ("within", True)):
            got = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(consume(got, text, stall))
            await got
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    async def stalled():
        stream = later("within", True)
        first = await anext(stream)
        task = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        assert [span.inputs["text"] for span in tracer.spans()].count("within") == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return first

    asyncio.run(main())
    first = asyncio.run(stalled())
    gc.collect()
    spans = tracer.spans()
    assert first and [span.inputs["text"] for span in spans] == ["between", "within", "within"]
    assert spans[-1].status == "error" and "Cancelled" in spans[-1].error.type


@CLIENTS
def test_a_stream_that_is_returned_as_it_is_stays_the_clients_own(tracer, here):
    @tracer.trace
    def ask(client):
        return here.ask(client)

    with here.client() as client:
        stream = ask(client)
        assert type(stream) is type(here.ask(client)), "what a function returns is not touched"
        assert len(tracer.spans()) == 1, "its work was done when it returned"
        assert "".join(map(here.word, stream)) == WORDS
