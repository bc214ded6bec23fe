import gc
import os
import signal

import pytest

import aitrace
from aitrace import Tracer, _native


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Where the suite has installed everything, nothing is skipped because something is missing."""
    report = yield
    excused = any(item.iter_markers("skipif"))
    if report.skipped and os.environ.get("AITRACE_TESTS_WHOLE") and not excused:
        report.outcome, report.longrepr = "failed", f"it may not be skipped here: {report.longrepr}"
    return report


@pytest.fixture(autouse=True, scope="session")
def spool(tmp_path_factory):
    """What tests and their child processes cannot send is not put aside in the developer's own folder."""
    os.environ.setdefault("AITRACE_SPOOL_DIR", str(tmp_path_factory.mktemp("spool")))


@pytest.fixture(autouse=True, scope="session")
def signals():
    """As in a terminal, also where the suite runs in the background: children inherit what is ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


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
