"""evaluate(): results, isolation, resuming, with and without a server."""

import asyncio
import contextvars
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import aitrace
from aitrace import ConfigurationError, enrich_span, evaluate, evaluator, trace
from aitrace.evaluation._runfile import RunFile

ROWS = [{"inputs": {"n": n}, "ground_truth": n * 2} for n in range(6)]


@pytest.fixture(autouse=True)
def no_server(tmp_path, monkeypatch):
    """Runs are kept in a temporary folder; nothing answers on port 9 of this machine."""
    monkeypatch.setenv("AITRACE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AITRACE_SERVER_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("AITRACE_TARGET", raising=False)
    return tmp_path


def run(function, **options):
    return evaluate(function, dataset=options.pop("dataset", ROWS), print_results=False, **options)


def double(datapoint):
    return datapoint["inputs"]["n"] * 2


def correct(outputs, inputs, ground_truth):
    return outputs == ground_truth


def ends(result):
    """The `.end` records of the spans that a run without a server left behind."""
    path = result.path.removesuffix(".jsonl") + ".spans.jsonl"
    with open(path, encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return [record for record in records if record["__tracer_meta__"].get("lifecycle") == "end"]


def test_scores_status_and_metrics():
    def size(outputs):
        return {"score": float(outputs), "explanation": f"it is {outputs}"}

    result = run(double, evaluators=[correct, size], name="doubling")
    assert (result.status, result.success) == ("completed", True)
    assert result["status"] == "completed"
    assert len(result.passed) == 6 and result.failed == []
    assert result.metrics["correct"].aggregate == 1.0
    assert result.metrics["size"].values == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    assert result.metrics["size"].aggregate == 5.0
    assert result.datapoints[3].explanations == {"size": "it is 6"}
    json.dumps(result.to_dict())
    with pytest.raises(KeyError):
        result["no such field"]


def test_every_span_carries_run_dataset_and_datapoint():
    @trace(event_type="tool")
    def inner(n):
        enrich_span(metadata={"n": n})
        return n * 2

    result = run(
        lambda datapoint: inner(datapoint["inputs"]["n"]), evaluators=[correct], dataset_id="numbers"
    )
    records = ends(result)
    assert len(records) == 3 * len(ROWS)
    for record in records:
        meta = record["__tracer_meta__"]
        assert (meta["run_id"], meta["dataset_id"]) == (result.run_id, "numbers")
    by_point = {}
    for record in records:
        by_point.setdefault(record["__tracer_meta__"]["datapoint_id"], []).append(record)
    assert set(by_point) == {cell.datapoint_id for cell in result.datapoints}
    for cell in result.datapoints:
        group = by_point[cell.datapoint_id]
        assert {record["__tracer_meta__"]["trace_id"] for record in group} == {cell.trace_id}
        tool = next(one for one in group if one["__tracer_meta__"]["event"] == "inner.end")
        assert tool["attributes"]["metadata"] == {"n": cell.inputs["n"]}
        row = next(one for one in group if one["__tracer_meta__"].get("parent_span_id") is None)
        assert row["attributes"]["metrics"] == {"correct": True}


def test_rows_are_isolated_and_the_caller_context_is_untouched():
    seen = contextvars.ContextVar("seen", default=None)
    gate = threading.Barrier(3, timeout=10)

    def work(datapoint, tracer):
        before = seen.get()
        seen.set(datapoint["inputs"]["n"])
        gate.wait()
        tracer.enrich_span(metadata={"mine": datapoint["inputs"]["n"]})
        assert seen.get() == datapoint["inputs"]["n"]
        return before

    with aitrace.Tracer(project="outer", target="memory").start_span("outer") as outer:
        result = run(work, max_workers=3)
        assert seen.get() is None
    assert [cell.outputs for cell in result.datapoints] == [None] * 6
    rows = ends(result)
    assert outer.trace_id not in {record["__tracer_meta__"]["trace_id"] for record in rows}
    assert len({cell.trace_id for cell in result.datapoints}) == 6
    mine = {one["__tracer_meta__"]["datapoint_id"]: one["attributes"]["metadata"]["mine"] for one in rows}
    assert mine == {cell.datapoint_id: cell.inputs["n"] for cell in result.datapoints}


def test_async_functions_and_evaluators_run_bounded_and_inside_a_running_loop():
    running, most = 0, 0

    async def work(datapoint):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running -= 1
        return datapoint["inputs"]["n"] * 2

    async def judge(outputs, inputs, ground_truth):
        await asyncio.sleep(0)
        return outputs == ground_truth

    async def caller():
        return run(work, evaluators=[judge, correct], max_workers=2)

    result = asyncio.run(caller())
    assert result.success and most == 2
    assert result.metrics["judge"].aggregate == 1.0


def test_a_lambda_that_returns_a_coroutine_is_awaited():
    async def work(n):
        return n * 2

    assert run(lambda datapoint: work(datapoint["inputs"]["n"]), evaluators=[correct]).success


def test_failures_are_results_not_exceptions():
    def work(datapoint):
        if datapoint["inputs"]["n"] % 2:
            raise ValueError("odd")
        return datapoint["inputs"]["n"] * 2

    def broken(outputs):
        raise RuntimeError("judge is ill")

    result = run(work, evaluators=[correct, broken])
    assert (result.status, result.success) == ("completed", False)
    assert len(result.passed) == len(result.failed) == 3
    assert result.datapoints[1].error == "ValueError: odd"
    assert result.datapoints[0].evaluator_errors == {"broken": "RuntimeError: judge is ill"}
    assert result.metrics["broken"].aggregate is None
    row = next(one for one in ends(result) if one["__tracer_meta__"].get("status") == "error")
    assert row["__tracer_meta__"]["error"]["type"] in {"ValueError", "RuntimeError"}


def test_all_rows_failing_is_a_failed_run():
    assert run(lambda datapoint: 1 / 0).status == "failed"


def test_threshold_and_repetitions():
    calls = {}

    def work(datapoint):
        n = datapoint["inputs"]["n"]
        calls[n] = calls.get(n, 0) + 1
        return n

    @evaluator(threshold=2.0)
    def large(outputs):
        return outputs

    result = run(work, evaluators=[large], repetitions=2, aggregate_function="max", max_workers=1)
    assert set(calls.values()) == {2} and len(result.datapoints) == 12
    assert len(result.failed) == 2 and result.metrics["large"].aggregate == 5.0


def test_retries_and_timeout():
    attempts = {}

    def flaky(datapoint):
        n = datapoint["inputs"]["n"]
        attempts[n] = attempts.get(n, 0) + 1
        if attempts[n] < 3:
            raise ConnectionError("again")
        return n * 2

    assert run(flaky, evaluators=[correct], retries=2).success
    assert set(attempts.values()) == {3}
    release = threading.Event()
    result = run(lambda datapoint: release.wait(30), dataset=ROWS[:1], timeout=0.05)
    release.set()
    assert result.datapoints[0].error == "TimeoutError: no answer within 0.05 s"


def test_a_run_resumes_where_it_stopped():
    down = True
    ran = []

    def work(datapoint):
        ran.append(datapoint["inputs"]["n"])
        if down and datapoint["inputs"]["n"] >= 4:
            raise ConnectionError("model is down")
        return datapoint["inputs"]["n"] * 2

    first = run(work, evaluators=[correct])
    assert len(first.failed) == 2
    down = False
    ran.clear()
    second = run(work, evaluators=[correct], resume=first.run_id)
    assert sorted(ran) == [4, 5]
    assert second.run_id == first.run_id and second.success and len(second.datapoints) == 6
    with pytest.raises(ConfigurationError, match="same dataset"):
        run(work, dataset=ROWS[:2], resume=first.run_id)
    with pytest.raises(ConfigurationError, match="no run 'nothing'"):
        run(work, resume="nothing")


def test_a_torn_line_costs_only_itself(no_server):
    result = run(double, evaluators=[correct])
    with open(result.path, "ab") as file:
        file.write(b'{"cell": {"datapoint_id": "tor')
    again = RunFile(result.run_id)
    assert len(again.finished()) == 6
    resumed = run(double, evaluators=[correct], resume=result.run_id)
    assert resumed.success and len(RunFile(result.run_id).finished()) == 6


def test_interrupt_is_a_status_and_can_be_resumed():
    def work(datapoint):
        if datapoint["inputs"]["n"] == 2:
            raise KeyboardInterrupt
        return datapoint["inputs"]["n"] * 2

    result = run(work, max_workers=1)
    assert result.status == "interrupted"
    assert [cell.inputs["n"] for cell in result.datapoints] == [0, 1]
    assert run(double, resume=result.run_id, evaluators=[correct]).status == "completed"


def test_hostile_outputs_do_not_break_the_run():
    class Odd:
        def __repr__(self):
            return "<odd>"

    cycle = {}
    cycle["self"] = cycle
    outputs = [float("nan"), Odd(), {1: {2: 3}}, cycle, "\ud800", {("a", "b"): 1}]
    result = run(lambda datapoint: outputs[datapoint["inputs"]["n"]])
    assert result.success
    assert len(RunFile(result.run_id).finished()) == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dataset": []}, "dataset is empty"),
        ({"dataset": ["x"]}, "row 0 is str"),
        ({"dataset": [{"id": 1}, {"id": 1}]}, "share the id '1'"),
        ({"dataset": "/nonexistent.jsonl"}, "nonexistent"),
        ({"max_workers": 0}, "max_workers must be at least 1"),
        ({"retries": -1}, "retries must be at least 0"),
        ({"evaluators": [correct, correct]}, "share the name 'correct'"),
        ({"aggregate_function": "mode"}, "is unknown"),
        ({"run_id": "../x"}, "run_id"),
    ],
)
def test_wrong_arguments_say_what_is_wrong(options, words):
    with pytest.raises(ConfigurationError, match=words):
        run(double, **options)


def test_datasets_from_files(tmp_path):
    lines = tmp_path / "rows.jsonl"
    lines.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    array = tmp_path / "rows.json"
    array.write_text(json.dumps(ROWS))
    ids = [
        [cell.datapoint_id for cell in run(double, dataset=path).datapoints] for path in (lines, array, ROWS)
    ]
    assert ids[0] == ids[1] == ids[2]
    lines.write_text('{"a": 1}\n{oops\n')
    with pytest.raises(ConfigurationError, match=r"rows\.jsonl:2"):
        run(double, dataset=lines)


def test_equal_rows_stay_two():
    result = run(double, dataset=[ROWS[0], ROWS[0]])
    assert len({cell.datapoint_id for cell in result.datapoints}) == 2


def test_table(capsys):
    def work(datapoint):
        if datapoint["inputs"]["n"] == 1:
            raise ValueError("no")
        return double(datapoint)

    evaluate(work, dataset=ROWS[:3], evaluators=[correct], name="table")
    printed = capsys.readouterr().out
    assert "table (" in printed and "2 passed, 1 failed" in printed
    assert "| correct |" in printed and "ValueError: no" in printed


def test_the_combination_of_the_free_function_and_evaluate():
    """A user's tracer of its own and a decorated function with a free enrich_span, inside evaluate()."""

    @trace(event_type="tool")
    def user_function(datapoint):
        answer = datapoint["inputs"]["text"].upper()
        enrich_span(metadata={"result": answer})
        return answer

    result = evaluate(
        function=user_function,
        dataset=[{"inputs": {"text": "hello"}}],
        api_key="test",
        project="test",
        print_results=False,
    )
    assert result["status"] == "completed"
    enriched = [one for one in ends(result) if "metadata" in one["attributes"]]
    assert enriched[0]["attributes"]["metadata"] == {"result": "HELLO"}


def test_instance_enrichment_inside_a_row():
    def process_datapoint(datapoint, tracer):
        @tracer.trace(event_type="tool")
        def llm_call():
            tracer.enrich_span(metadata={"model": "gpt-4"}, metrics={"latency_ms": 150})
            return {"output": "test"}

        return llm_call()

    result = run(process_datapoint, dataset=[{"inputs": {"text": "test"}}], project="evals")
    call = next(one for one in ends(result) if one["__tracer_meta__"]["event"] == "llm_call.end")
    assert call["attributes"]["metrics"] == {"latency_ms": 150}
    assert call["__tracer_meta__"]["project"] == "evals"


def test_with_a_server_the_spans_go_there():
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._answer()

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append((self.path, body))
            self._answer()

        def _answer(self):
            otlp = self.path.endswith("/v1/traces")
            body = b"" if otlp else b'{"ingested": 1, "rejected": []}'
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf" if otlp else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        result = run(double, evaluators=[correct], server_url=f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert result.success and result.warnings == []
    sent = b"".join(body for path, body in bodies if path.endswith("/v1/traces"))
    assert sent.count(result.run_id.encode()) >= 12
    assert not (RunFile(result.run_id).path.with_suffix(".spans.jsonl")).exists()


def test_a_thousand_rows_are_quick():
    rows = [{"inputs": {"n": n}, "ground_truth": 2 * n} for n in range(1000)]
    started = time.perf_counter()
    result = run(double, dataset=rows, evaluators=[correct])
    elapsed = time.perf_counter() - started
    assert len(result.passed) == 1000
    assert len(ends(result)) == 2000
    # The budget is one second in a release build; a debug build on a busy machine gets ten.
    assert elapsed < 10
