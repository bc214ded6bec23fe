"""Read by mypy, never run: what a traced function keeps for the type checker."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

from typing_extensions import assert_type

import aitrace
from aitrace import EventType, FinishedSpan, FlushResult, Tracer, trace, trace_class

tracer = Tracer(project="p")


@trace
def bare(a: int, *, b: str = "") -> float:
    return a + len(b)


@tracer.trace(event_type="tool")
async def later(a: int) -> str:
    return str(a)


@tracer.trace
def items(n: int) -> Generator[int, None, str]:
    yield n
    return ""


@trace(event_type=EventType.chain, name="n", kind="agent")
async def stream() -> AsyncGenerator[str, None]:
    yield ""


@trace_class
class Service:
    @tracer.trace
    def run(self, a: int) -> int:
        return a


assert_type(bare(1, b="x"), float)
assert_type(Service().run(1), int)
assert_type(tracer.flush(), FlushResult)
assert_type(tracer.spans(), list[FinishedSpan])
bare("x")  # type: ignore[arg-type]
bare(1, c=2)  # type: ignore[call-arg]
Service().run()  # type: ignore[call-arg]
tracer.trace(event_type="nonsense")  # type: ignore[call-overload]
with tracer.start_span("plan", event_type="chain") as span:
    span.set_attribute("k", 1)
    assert_type(span.name, str)
with aitrace.enrich_span(event_type="chain"):
    pass


async def main() -> None:
    assert_type(await later(1), str)
    async for word in stream():
        assert_type(word, str)
    for n in items(1):
        assert_type(n, int)
