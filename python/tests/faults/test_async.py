"""Cancellation, abandoned generators, executors and odd loops: every span that begins ends, in its place."""

import asyncio
import concurrent.futures
import contextvars
import gc
import random
import sys
import threading

import pytest

from aitrace import Tracer, _native


def names(tracer):
    return sorted(span.name for span in tracer.spans())


def nothing_is_current():
    return _native.current_span() is None


async def pause(steps):
    for _ in range(steps):
        await asyncio.sleep(0)


@pytest.mark.parametrize("steps", range(12))
def test_cancelled_at_every_await(tracer, steps):
    """The task is cancelled after 0, 1, 2 … steps of the loop: whatever had begun has ended."""
    begun = []

    @tracer.trace
    async def inner(n):
        begun.append("inner")
        await pause(2)
        return n

    @tracer.trace
    async def items():
        begun.append("items")
        for n in range(2):
            await pause(1)
            yield n

    @tracer.trace
    async def outer():
        begun.append("outer")
        with tracer.start_span("block"):
            begun.append("block")
            await inner(1)
            async for _ in items():
                await pause(1)

    async def main():
        task = asyncio.create_task(outer())
        await pause(steps)
        task.cancel()
        with pytest.raises((asyncio.CancelledError, BaseException)) as raised:
            await task
            raise asyncio.CancelledError  # it was done before the cancellation
        assert isinstance(raised.value, asyncio.CancelledError)
        assert nothing_is_current()

    asyncio.run(main())
    gc.collect()
    assert names(tracer) == sorted(begun)
    assert nothing_is_current()


def test_a_random_tree_of_tasks_with_random_cancellations(tracer):
    """Each span names its parent in its metadata: the recorded parent is that one, whatever was cancelled."""
    chance = random.Random(7)
    begun = []

    async def node(path, depth):
        with tracer.start_span(path) as span:
            parent = path.rpartition("/")[0]
            begun.append((path, parent))
            tracer.enrich_span(metadata={"path": path})
            await pause(chance.randrange(4))
            children = [
                asyncio.create_task(node(f"{path}/{n}", depth - 1))
                for n in range(depth and chance.randrange(4))
            ]
            if children and chance.random() < 0.3:
                await pause(chance.randrange(3))
                chance.choice(children).cancel()
            await asyncio.gather(*children, return_exceptions=True)
            assert _native.current_span().span_id == span.span_id

    async def main():
        await asyncio.gather(*(node(f"{n}", 4) for n in range(12)), return_exceptions=True)

    asyncio.run(main())
    spans = {span.span_id: span for span in tracer.spans()}
    assert sorted(span.name for span in spans.values()) == sorted(path for path, _ in begun)
    for span in spans.values():
        parent = spans.get(span.parent_span_id)
        assert (parent.name if parent else "") == span.name.rpartition("/")[0]
        assert span.metadata == {"path": span.name}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="task groups came with 3.11")
def test_a_task_group_in_which_one_fails(tracer):
    @tracer.trace
    async def fails():
        await pause(1)
        raise ValueError("kaput")

    @tracer.trace
    async def waits():
        await asyncio.sleep(60)

    async def main():
        with tracer.start_span("group"):
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                group.create_task(waits())

    with pytest.raises(ExceptionGroup) as raised:  # noqa: F821
        asyncio.run(main())
    assert [str(error) for error in raised.value.exceptions] == ["kaput"]
    spans = {span.name: span for span in tracer.spans()}
    assert set(spans) == {"group", "fails", "waits"}
    assert {spans[name].parent_span_id for name in ("fails", "waits")} == {spans["group"].span_id}
    assert spans["fails"].status == spans["waits"].status == "error"


def test_a_timeout_marks_what_it_interrupted(tracer):
    @tracer.trace
    async def slow():
        await asyncio.sleep(60)

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(slow(), 0.001)

    asyncio.run(main())
    (span,) = tracer.spans()
    assert (span.status, span.error.type) == ("error", "CancelledError")


def test_work_in_an_executor_nests_where_the_context_is_copied(tracer):
    @tracer.trace
    def work(n):
        with tracer.start_span(f"inner {n}"):
            return n

    async def main():
        loop = asyncio.get_running_loop()
        with tracer.start_span("outer"):
            await asyncio.to_thread(work, 1)
            context = contextvars.copy_context()
            await loop.run_in_executor(None, context.run, work, 2)
            # A bare executor does not carry the context over: a root of its own, and nothing leaks.
            await loop.run_in_executor(None, work, 3)

    asyncio.run(main())
    spans = {span.name: span for span in tracer.spans()}
    works = [span for span in tracer.spans() if span.name == "work"]
    assert sum(span.parent_span_id == spans["outer"].span_id for span in works) == 2
    assert sum(span.parent_span_id is None for span in works) == 1
    for n in (1, 2, 3):
        assert spans[f"inner {n}"].parent_span_id in {span.span_id for span in works}


def test_loops_in_threads_and_one_after_another(tracer):
    @tracer.trace
    async def work(n):
        await pause(3)
        with tracer.start_span("inner"):
            await pause(1)
        return n

    def loop(n):
        for _ in range(5):
            assert asyncio.run(work(n)) == n
            assert nothing_is_current()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(loop, range(8)))
    spans = tracer.spans()
    roots = {span.span_id for span in spans if span.name == "work"}
    assert len(roots) == 40
    assert {span.parent_span_id for span in spans if span.name == "inner"} == roots


@pytest.mark.parametrize("how", ["dropped", "closed", "other task", "loop ended"])
def test_async_generators_that_are_left(tracer, how):
    @tracer.trace
    async def numbers():
        with tracer.start_span("inside"):
            for n in range(10):
                yield n

    async def main():
        generator = numbers()
        assert await anext(generator) == 0
        assert nothing_is_current()
        if how == "closed":
            await generator.aclose()
        elif how == "other task":
            await asyncio.create_task(_close(generator))
        elif how == "dropped":
            del generator
            gc.collect()
            await pause(5)
        else:
            keep.append(generator)
        assert nothing_is_current()

    keep = []
    asyncio.run(main())
    keep.clear()
    gc.collect()
    assert names(tracer) == ["inside", "numbers"]


async def _close(generator):
    await generator.aclose()


def test_a_coroutine_that_was_never_awaited_begins_nothing(tracer):
    @tracer.trace
    async def work():
        return 1

    work().close()
    with pytest.warns(RuntimeWarning, match="never awaited"):
        work()
        gc.collect()
    assert tracer.spans() == []


def test_a_coroutine_stepped_by_hand_from_several_threads(tracer):
    """As some frameworks do: each step in another thread, with the context copied along."""

    @tracer.trace
    async def work():
        for _ in range(4):
            await asyncio.sleep(0)
            tracer.enrich_span(metrics={"steps": 1})

    coroutine, context, stopped = work(), contextvars.copy_context(), []

    def step():
        try:
            context.run(coroutine.send, None)
        except StopIteration:
            stopped.append(True)

    while not stopped:
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    (span,) = tracer.spans()
    assert (span.name, span.metrics) == ("work", {"steps": 1})
    assert nothing_is_current()


def test_two_tracers_in_interleaved_tasks_keep_their_own(tracer, other):
    async def work(mine, theirs, n):
        for step in range(5):
            with mine.start_span(f"{mine.project_name} {n} {step}"):
                await pause(1)
                with theirs.start_span("visitor"):
                    mine.enrich_span(metadata={"n": n})
                    await pause(1)

    async def main():
        await asyncio.gather(
            *(work(*pair, n) for n in range(10) for pair in ((tracer, other), (other, tracer)))
        )

    asyncio.run(main())
    for one in (tracer, other):
        spans = one.spans()
        assert len(spans) == 100
        assert {(span.project, span.source, span.session_id) for span in spans} == {
            (one.project_name, one.source, one.session_id)
        }
        assert all(
            span.metadata == {"n": int(span.name.split()[1])} for span in spans if span.name != "visitor"
        )
        assert all(span.metadata in (None, {}) for span in spans if span.name == "visitor")


def test_cancelled_generators_of_a_lost_tracer():
    """The tracer is gone before its generator is: nothing raises."""
    tracer = Tracer(project="short", target="memory")

    @tracer.trace
    def numbers():
        yield 1
        yield 2

    generator = numbers()
    next(generator)
    tracer.shutdown()
    assert list(generator) == [2]
