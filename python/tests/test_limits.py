"""What a program can rely on: a quick import, and bounded memory while the server is away."""

import json
import subprocess
import sys


def run(code):
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(ended.stdout)


def test_import_loads_nothing_that_takes_long():
    slow = ["asyncio", "dataclasses", "inspect", "logging", "opentelemetry", "urllib.request", "uuid"]
    loaded = run(f"import json, sys, aitrace; print(json.dumps([m for m in {slow} if m in sys.modules]))")
    assert loaded == []


def test_names_that_are_loaded_late_are_there():
    assert (
        run(
            "import json, aitrace; print(json.dumps([n for n in aitrace.__all__ if not hasattr(aitrace, n)]))"
        )
        == []
    )


MILLION = """
import json, sys, aitrace

def most():
    # The most that was resident, in MiB.
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024
    except OSError:  # not Linux
        return 0

tracer = aitrace.Tracer(project="away", server_url="http://127.0.0.1:9", test_mode=True)

@tracer.trace
def work():
    pass

work()
before = most()
for _ in range(1_000_000 - 1):
    work()
result = tracer.flush(0)
grown = most() - before
print(json.dumps([grown, result.sent, result.remaining + result.spooled + sum(result.dropped.values())]))
"""


def test_a_million_spans_with_the_server_away_stay_bounded_and_are_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("AITRACE_DATA_DIR", str(tmp_path))
    grown, sent, kept_or_dropped = run(MILLION)
    assert (sent, kept_or_dropped) == (0, 1_000_000)
    # Unbounded it would be 200. The queue's bound is 64.
    assert grown < 100, f"{grown:.0f} MiB"
