"""Runs cells with bounded concurrency and hands over each result as it comes."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from typing import TYPE_CHECKING

from aitrace.evaluation._cells import Cell, Plan, run_async, run_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from aitrace.evaluation._result import DatapointResult

_Answer = tuple[Cell, "DatapointResult | BaseException"]


def run_cells(
    plan: Plan, cells: Sequence[Cell], workers: int, *, is_async: bool
) -> Generator[_Answer, None, None]:
    """Yields each cell's result, or what escaped from it, in the order they finish.

    Sync functions run on ``workers`` threads, async ones as ``workers`` tasks of one event loop on a
    thread of its own, so that a caller's running loop does not matter. Closing the iterator stops
    handing out cells; what is running is not waited for.
    """
    answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
    todo = iter(cells)
    lock = threading.Lock()
    stopped = threading.Event()

    def take() -> Cell | None:
        with lock:
            return None if stopped.is_set() else next(todo, None)

    count = min(workers, len(cells))
    if is_async:
        target: Callable[[], None] = lambda: asyncio.run(_loop(plan, take, answers, count=count))  # noqa: E731
        threads = [_thread(target, 0)]
    else:
        threads = [_thread(lambda: _work(plan, take, answers), index) for index in range(count)]
    for thread in threads:
        thread.start()
    try:
        for _ in cells:
            yield answers.get()
    finally:
        stopped.set()
    for thread in threads:
        thread.join()


def _thread(target: Callable[[], None], index: int) -> threading.Thread:
    return threading.Thread(target=target, name=f"aitrace-evaluate-{index}", daemon=True)


def _work(plan: Plan, take: Callable[[], Cell | None], answers: queue.SimpleQueue[_Answer]) -> None:
    while (cell := take()) is not None:
        try:
            answers.put((cell, run_sync(plan, cell)))
        except BaseException as escaped:
            answers.put((cell, escaped))


async def _loop(
    plan: Plan, take: Callable[[], Cell | None], answers: queue.SimpleQueue[_Answer], *, count: int
) -> None:
    async def work() -> None:
        while (cell := take()) is not None:
            task = contextvars.Context().run(asyncio.ensure_future, run_async(plan, cell))
            try:
                answers.put((cell, await task))
            except BaseException as escaped:
                answers.put((cell, escaped))

    await asyncio.gather(*(work() for _ in range(count)))
