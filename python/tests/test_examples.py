"""Each example runs by itself, prints what it should, and records the spans it speaks of."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "python"
ANSWER = "Paris is the capital of France."

# Name: lines of stdout, names of the spans in the order they end.
EXPECTED = {
    "basic": (["delivered", "sent"], ["lookup", "answer"]),
    "decorators": (
        ["2 secret answer to q ab plan for q 3", "what is raised passes through, and marks the span"],
        ["plain", "renamed", "stream", "Agent.plan", "Agent.version", "failing"],
    ),
    "async_streaming": (["['answer to one', 'answer to two']"], ["answer", "ask", "answer", "ask"]),
    "sessions": (["True True next chat"], ["turn", "turn", "turn"]),
    "multi_tracer": (
        ["support handle {'handled': True}", "billing charge {'amount': 10}", "nested: True"],
        [],
    ),
    "openai_chat": ([ANSWER], ["ChatCompletion", "ask"]),
    "anthropic_messages": ([ANSWER], ["messages.create", "weather", "messages.create", "agent"]),
    "langgraph_agent": ([ANSWER], ["ChatOpenAI", "answer", "LangGraph", "agent"]),
    "logs": (["logged"], ["pay"]),
    "fastapi_app": (
        ["{'order': 7, 'status': 'delivered'}", "True"],
        ["order", "GET /orders/7", "caller"],
    ),
    "evaluation": (["completed 2 passed, 1 failed", "correct: 0.67"], []),
    "custom_exporter": (["double   tool  ok    {'n': 21}"], []),
}


def test_every_example_is_run():
    files = {path.stem for path in FOLDER.glob("*.py")} - {"model"}
    assert files == set(EXPECTED)
    readme = (FOLDER / "README.md").read_text()
    assert [name for name in EXPECTED if f"({name}.py)" not in readme] == []


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example(name, tmp_path):
    stdout, spans = EXPECTED[name]
    traces = tmp_path / "traces.jsonl"
    environment = {
        **{
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AITRACE_", "HH_", "OTEL_"))
        },
        "AITRACE_TARGET": str(traces),
        "AITRACE_DATA_DIR": str(tmp_path),
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(FOLDER / f"{name}.py")],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == stdout
    assert sorted(ended(traces)) == sorted(spans)


def ended(traces):
    if not traces.exists():
        return []
    records = [json.loads(line)["__tracer_meta__"] for line in traces.read_text().splitlines()]
    return [record["event"].removesuffix(".end") for record in records if record.get("lifecycle") == "end"]
