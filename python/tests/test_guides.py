"""The guides are true to the letter: every Python block of a page runs, in order, and prints what the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "python/README.md",
        ROOT / "docs/index.md",
        *(ROOT / "docs/guides").glob("*.md"),
    ]
)
BLOCK = re.compile(r'^```(python|text title="prints")\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def blocks(page, kind):
    return [text for found, text in BLOCK.findall(page.read_text()) if found.startswith(kind)]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_a_page(page, tmp_path):
    code = "\n".join(blocks(page, "python"))
    assert code, "a page without code proves nothing"
    script = tmp_path / "page.py"
    script.write_text(code)
    environment = {
        **{
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AITRACE_", "HH_", "OTEL_"))
        },
        "AITRACE_TARGET": str(tmp_path / "traces.jsonl"),
        "AITRACE_DATA_DIR": str(tmp_path / "data"),
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT / "examples/python"),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    logged = [line for line in done.stderr.splitlines() if line.startswith("Traceback")]
    assert (done.returncode, logged) == (0, []), done.stderr
    if page.name != "README.md":
        assert done.stdout == "".join(blocks(page, "text"))


def test_every_guide_is_on_the_site():
    site = (ROOT / "mkdocs.yml").read_text()
    assert [page.name for page in PAGES if page.name != "README.md" and page.name not in site] == []
