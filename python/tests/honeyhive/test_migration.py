"""The code of the migration guides, run."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDES = REPOSITORY / "docs" / "migration"


def blocks(guide, language):
    text = (GUIDES / guide).read_text("utf-8")
    for found in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield text.count("\n", 0, found.start()) + 1, found[1]


PYTHON = [
    pytest.param(code, id=f"{guide.name}:{line}")
    for guide in sorted(GUIDES.glob("*.md"))
    for line, code in blocks(guide.name, "python")
]


def test_there_is_code_to_run():
    assert len(PYTHON) >= 8


@pytest.mark.parametrize("code", PYTHON)
def test_python(code, monkeypatch):
    monkeypatch.setenv("HH_TEST_MODE", "true")
    exec(compile(code, "guide", "exec"), {"__name__": "guide"})


def binary():
    folders = [os.environ.get("CARGO_TARGET_DIR"), REPOSITORY / "target"]
    found = [
        Path(folder) / profile / "aitrace" for folder in folders if folder for profile in ("debug", "release")
    ]
    known = next((str(path) for path in found if path.is_file()), None)
    return known or shutil.which("aitrace")


def test_converting_as_the_guide_says(tmp_path):
    command = binary()
    if command is None:
        pytest.skip("no binary: cargo build -p aitrace-cli")
    before, after = (code for _, code in blocks("from-format-1.md", "json"))
    (tmp_path / "old.jsonl").write_text(before, "utf-8")
    for _, line in blocks("from-format-1.md", "sh"):
        words = shlex.split(line)
        assert words[0] == "aitrace"
        subprocess.run([command, *words[1:]], cwd=tmp_path, check=True, capture_output=True)
    converted = [json.loads(line) for line in (tmp_path / "new.jsonl").read_text("utf-8").splitlines()]
    identity = converted[1]["__tracer_meta__"].pop("id")
    assert converted[1] == json.loads(after) and identity
    compat = [json.loads(line) for line in (tmp_path / "compat.jsonl").read_text("utf-8").splitlines()]
    assert [one["timestamp"] for one in compat] == [one["__tracer_meta__"]["timestamp"] for one in converted]
    assert set(compat[1]) == {"count", "timestamp", "__tracer_meta__"}
