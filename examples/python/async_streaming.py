"""Concurrent tasks and an async stream: each span knows its own parent."""

import asyncio
from collections.abc import AsyncIterator

from aitrace import Tracer

tracer = Tracer(project="examples")


@tracer.trace(event_type="model")
async def answer(question: str) -> AsyncIterator[str]:
    """The span stays open from the first piece to the last; the pieces are its outputs."""
    for word in f"answer to {question}".split():
        await asyncio.sleep(0)
        yield word


@tracer.trace(event_type="chain")
async def ask(question: str) -> str:
    return " ".join([word async for word in answer(question)])


async def main() -> None:
    async with asyncio.timeout(5) if hasattr(asyncio, "timeout") else _Nothing():
        print(await asyncio.gather(ask("one"), ask("two")))


class _Nothing:  # Python 3.10 has no asyncio.timeout
    async def __aenter__(self) -> None: ...
    async def __aexit__(self, *_: object) -> None: ...


asyncio.run(main())
tracer.shutdown()
