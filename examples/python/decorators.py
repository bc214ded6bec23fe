"""Every kind of function can be traced: plain, async, generators, methods, whole classes."""

import asyncio
from collections.abc import Iterator

from aitrace import Tracer, trace_class

tracer = Tracer(project="examples")


@tracer.trace
def plain(n: int) -> int:
    return n + 1


@tracer.trace(name="renamed", event_type="model", capture_outputs=False)
async def awaited(prompt: str) -> str:
    await asyncio.sleep(0)
    return f"secret answer to {prompt}"


@tracer.trace
def stream() -> Iterator[str]:
    """The span ends when the stream is exhausted, closed or dropped."""
    yield from ("a", "b")


@trace_class(tracer=tracer)
class Agent:
    """Each public method is traced."""

    def plan(self, question: str) -> str:
        return f"plan for {question}"

    @staticmethod
    def version() -> int:
        return 3


@tracer.trace
def failing() -> None:
    raise ValueError("what is raised passes through, and marks the span")


print(plain(1), asyncio.run(awaited("q")), "".join(stream()), Agent().plan("q"), Agent.version())
try:
    failing()
except ValueError as error:
    print(error)
tracer.shutdown()
