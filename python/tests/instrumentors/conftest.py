"""Real clients and real instrumentors; only the model is played."""

import importlib
import sys
import warnings
from pathlib import Path

import pytest
from opentelemetry.trace import NoOpTracerProvider, TracerProvider
from opentelemetry.trace import Tracer as Tracer_

from aitrace import Tracer

EXAMPLES = Path(__file__).parents[3] / "examples" / "python"
sys.path.insert(0, str(EXAMPLES))


@pytest.fixture(scope="session")
def model_url():
    model = importlib.import_module("model")
    with model.serve() as url:
        yield url


class Switch(TracerProvider):
    """Hands over to the provider of the day: for an instrumentor that cannot be undone."""

    def __init__(self):
        self.now = NoOpTracerProvider()

    def get_tracer(self, *scope, **more):
        switch = self

        class OfTheDay(Tracer_):
            def start_span(self, *args, **options):
                return switch.now.get_tracer(*scope, **more).start_span(*args, **options)

            def start_as_current_span(self, *args, **options):
                return switch.now.get_tracer(*scope, **more).start_as_current_span(*args, **options)

        return OfTheDay()


# OpenLLMetry's for openai leaves some of its wrappers in place when it is undone: it is never undone.
_STAY = {"opentelemetry.instrumentation.openai": Switch()}


@pytest.fixture
def record():
    """Starts an instrumentor on a tracer of its own; both are undone."""
    started = []

    def start(module, name):
        tracer = Tracer(project="tests", source="ci", target="memory")
        switch = _STAY.get(module)
        if switch is not None:
            switch.now = tracer.provider
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs to heed
            one = getattr(importlib.import_module(module), name)()
            if not (switch and one.is_instrumented_by_opentelemetry):
                one.instrument(
                    tracer_provider=switch or tracer.provider, logger_provider=tracer.logger_provider
                )
        if switch is None:
            started.append(one)
        return tracer

    yield start
    for one in started:
        one.uninstrument()
    for switch in _STAY.values():
        switch.now = NoOpTracerProvider()
