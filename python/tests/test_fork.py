"""A forked child records and sends by itself; it neither hangs nor sends the parent's spans again."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

FORK = """
import os, sys
from aitrace import Tracer
tracer = Tracer(target=sys.argv[1], project="p")

@tracer.trace
def work(n):
    return n

with tracer.start_span("outer"):
    work(0)
    children = []
    for n in range(1, 4):
        pid = os.fork()
        if pid == 0:
            work(n)
            assert tracer.flush(5).ok
            os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
assert tracer.flush(5).ok
"""

POOL = """
import multiprocessing, sys
from aitrace import Tracer, trace, flush
tracer = Tracer(target=sys.argv[1], project="p")

@trace
def work(n):
    return n * 2

def task(n):
    result = work(n)
    assert flush(timeout=5).ok
    return result

if __name__ == "__main__":
    with tracer.start_span("outer"), multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(task, range(10)) == [n * 2 for n in range(10)]
    assert tracer.flush(5).ok
"""


def run(tmp_path, code):
    script, target = tmp_path / "script.py", tmp_path / "out.jsonl"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script), str(target)], capture_output=True, text=True, timeout=40, check=False
    )
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in target.read_text().splitlines()]
    return [(record["__tracer_meta__"], record) for record in records]


def test_forked_children_record(tmp_path):
    ends = [(meta, record) for meta, record in run(tmp_path, FORK) if meta["lifecycle"] == "end"]
    work = sorted(record["attributes"]["outputs"] for meta, record in ends if meta["event"] == "work.end")
    assert work == [0, 1, 2, 3]
    assert [meta["event"] for meta, _ in ends].count("outer.end") == 1
    outer = next(meta for meta, _ in ends if meta["event"] == "outer.end")
    assert {meta["parent_span_id"] for meta, _ in ends if meta["event"] == "work.end"} == {outer["span_id"]}
    assert len({meta["span_id"] for meta, _ in ends}) == 5


def test_a_pool_of_processes(tmp_path):
    ends = [meta for meta, _ in run(tmp_path, POOL) if meta["lifecycle"] == "end"]
    assert [meta["event"] for meta in ends].count("work.end") == 10
    assert len({meta["trace_id"] for meta in ends}) == 1
