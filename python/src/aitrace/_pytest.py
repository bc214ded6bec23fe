"""Fixtures for pytest, found by the entry point of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from aitrace import Tracer
    from aitrace.testing import Clock


@pytest.fixture
def aitrace_clock() -> Clock:
    """The clock of ``aitrace_tracer``: it stands until ``advance(nanos)``."""
    from aitrace.testing import Clock

    return Clock()


@pytest.fixture
def aitrace_tracer(aitrace_clock: Clock) -> Generator[Tracer]:
    """A tracer in memory with ids that count; the default one of free functions during the test."""
    from aitrace import _native, set_default_tracer, testing

    tracer, _ = testing.tracer(clock=aitrace_clock)
    before = _native.slot.get()
    set_default_tracer(tracer)
    yield tracer
    set_default_tracer(None)
    _native.slot.set(before)
    tracer.shutdown()
