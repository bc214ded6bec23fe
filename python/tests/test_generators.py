"""Generators: their span lasts as long as they do, and is current in their pieces only."""

import asyncio
import contextvars
import gc

import pytest

import aitrace
from aitrace import _native


def current_name():
    span = _native.current_span()
    return None if span is None else span.name


def test_a_generator_is_a_span_until_it_is_exhausted(tracer):
    seen = []

    @tracer.trace
    def numbers(n):
        for i in range(n):
            seen.append(current_name())
            with tracer.start_span(f"step-{i}"):
                yield i
        return "done"

    generator = numbers(2)
    assert tracer.spans() == []
    assert next(generator) == 0
    assert current_name() is None, "the consumer is not inside of it"
    assert tracer.spans() == []
    with tracer.start_span("consumer") as consumer:
        assert next(generator) == 1
        assert current_name() == "consumer"
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == "done"
    spans = {span.name: span for span in tracer.spans()}
    assert seen == ["numbers", "numbers"]
    assert spans["step-0"].parent_span_id == spans["step-1"].parent_span_id == spans["numbers"].span_id
    assert spans["numbers"].outputs == {"items": [0, 1], "returned": "done"}
    assert spans["numbers"].inputs == {"n": 2}
    assert spans["consumer"].parent_span_id is None
    assert consumer.span_id == spans["consumer"].span_id


def test_send_throw_and_close(tracer):
    log = []

    @tracer.trace
    def talk():
        try:
            got = yield "first"
            log.append(got)
            try:
                yield "second"
            except KeyError as error:
                log.append(error)
                yield "third"
            yield "never"
        finally:
            log.append(current_name())

    generator = talk()
    error = KeyError("k")
    assert next(generator) == "first"
    assert generator.send("hello") == "second"
    assert generator.throw(error) == "third"
    generator.close()
    assert log == ["hello", error, "talk"]
    (span,) = tracer.spans()
    assert (span.status, span.outputs) == ("ok", ["first", "second", "third"])


def test_what_it_raises_is_its_error(tracer):
    @tracer.trace
    def broken():
        yield 1
        raise ValueError("kaput")

    with pytest.raises(ValueError, match="kaput"):
        list(broken())
    (span,) = tracer.spans()
    assert (span.status, span.error.type) == ("error", "ValueError")


def test_an_abandoned_generator_ends(tracer):
    @tracer.trace
    def numbers():
        yield 1
        yield 2

    generator = numbers()
    next(generator)
    del generator
    gc.collect()
    assert [span.name for span in tracer.spans()] == ["numbers"]


def test_a_generator_closed_in_another_context(tracer):
    @tracer.trace
    def numbers():
        with tracer.start_span("inner"):
            yield 1

    generator = numbers()
    contextvars.copy_context().run(next, generator)
    contextvars.copy_context().run(generator.close)
    assert current_name() is None
    assert sorted(span.name for span in tracer.spans()) == ["inner", "numbers"]


def test_async_generators(tracer):
    seen = []

    @tracer.trace
    async def tokens():
        for word in ("a", "b"):
            await asyncio.sleep(0)
            seen.append(current_name())
            tracer.enrich_span(metrics={"last": word})
            yield word

    async def main():
        got = []
        with tracer.start_span("consumer"):
            async for word in tokens():
                assert current_name() == "consumer"
                got.append(word)
        return got

    assert asyncio.run(main()) == ["a", "b"]
    spans = {span.name: span for span in tracer.spans()}
    assert seen == ["tokens", "tokens"]
    assert spans["tokens"].outputs == ["a", "b"]
    assert spans["tokens"].metrics == {"last": "b"}
    assert spans["consumer"].metrics is None
    assert spans["tokens"].parent_span_id == spans["consumer"].span_id


def test_async_generators_send_throw_close_and_break(tracer):
    @tracer.trace
    async def talk():
        try:
            got = yield "first"
            yield got
        except KeyError:
            yield "caught"

    async def main():
        one = talk()
        assert await one.asend(None) == "first"
        assert await one.asend("echo") == "echo"
        assert await one.athrow(KeyError()) == "caught"
        await one.aclose()
        async for _ in talk():
            break
        await asyncio.sleep(0.01)  # the loop closes it
        broken = talk()
        await broken.asend(None)
        with pytest.raises(ValueError, match="v"):
            await broken.athrow(ValueError("v"))

    asyncio.run(main())
    statuses = sorted(span.status for span in tracer.spans())
    assert statuses == ["error", "ok", "ok"]


def test_an_async_generator_without_a_tracer():
    @aitrace.trace
    async def tokens():
        got = yield 1
        yield got

    async def main():
        generator = tokens()
        return [await generator.asend(None), await generator.asend(2), [item async for item in generator]]

    assert asyncio.run(main()) == [1, 2, []]


def test_the_items_are_bounded(tracer):
    @tracer.trace
    def many():
        for _ in range(30):
            yield "x" * 100_000

    assert len(list(many())) == 30
    outputs = tracer.spans()[0].outputs
    assert len(outputs) < 14
    assert outputs[-1].endswith("more")
