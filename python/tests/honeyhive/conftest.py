import os

import pytest
from honeyhive_stub import Stub

_BARE = (
    "SESSION_NAME", "SESSION_ID", "RUN_ID", "DATASET_ID", "DATAPOINT_ID", "IS_EVALUATION", "INPUTS", "LINK_CARRIER",
)  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """No variable of the machine's decides anything."""
    for name in list(os.environ):
        if name.startswith(("HH_", "HONEYHIVE_", "AITRACE_")) or name in _BARE:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AITRACE_DATA_DIR", str(tmp_path / "data"))
    # Nobody listens on port 9: what asks for no server of its own finds none.
    monkeypatch.setenv("AITRACE_SERVER_URL", "http://127.0.0.1:9")


@pytest.fixture
def server():
    with Stub() as stub:
        yield stub
