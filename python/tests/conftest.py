import gc

import pytest

import aitrace
from aitrace import Tracer, _native


@pytest.fixture(autouse=True)
def clean():
    """No tracer and nothing current outlives a test."""
    yield
    aitrace.set_default_tracer(None)
    for tracer in _native.tracers():
        tracer.shutdown(timeout=5.0)
    _native.slot.set(None)
    gc.collect()


@pytest.fixture
def tracer():
    return Tracer(project="tests", source="ci", target="memory")


@pytest.fixture
def other():
    return Tracer(project="other", source="elsewhere", target="memory")
