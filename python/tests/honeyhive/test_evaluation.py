import asyncio
import contextvars
import inspect
import json
import threading
import time
from pathlib import Path

import pytest
from honeyhive_stub import Stub

from aitrace.honeyhive import (
    BaseEvaluator,
    ConfigurationError,
    HoneyHiveError,
    aevaluator,
    enrich_session,
    enrich_span,
    evaluate,
    evaluator,
    trace,
)
from aitrace.honeyhive.experiments import (
    EvalSettings,
    EvaluatorSettings,
    ExperimentContext,
    generate_external_datapoint_id,
    generate_external_dataset_id,
    prepare_external_dataset,
    prepare_run_request_data,
    run_experiment,
)

ROWS = [{"id": str(n), "inputs": {"n": n}, "ground_truth": {"n": n}} for n in range(4)]
RUN_ID = "7b0b6c1e-7b0a-4f0e-9d1b-5d2b9b1d3a10"


def run(function=lambda row: row["inputs"]["n"], rows=ROWS, **options):
    return evaluate(function, dataset=rows, print_results=False, **options)


def records(result, suffix=".spans.jsonl"):
    return [json.loads(line) for line in Path(result.path).with_suffix(suffix).read_text().splitlines()]


def ends(result):
    return [one for one in records(result) if one["__tracer_meta__"].get("lifecycle") == "end"]


def test_the_summary_has_the_shape_that_callers_read():
    def acc(outputs, inputs, ground_truth):
        return outputs == ground_truth["n"] and inputs["n"] != 3

    result = run(evaluators=[acc], name="mine", run_id=RUN_ID)
    assert result["status"] == result.status == "completed" and result.run_id == RUN_ID
    assert (result.passed, result.failed, result.success) == (["EXT-0", "EXT-1", "EXT-2"], ["EXT-3"], False)
    detail = result.metrics.get_metric("acc")
    assert detail.values == [True, True, True, False] and detail.aggregate == 0.75
    assert (detail.event_name, detail.event_type, detail.metric_type) == ("<lambda>", "chain", "CLIENT_SIDE")
    assert detail.datapoints.failed == ["EXT-3"] and result.metrics.aggregation_function == "average"
    point = result.datapoints[3]
    assert (point.datapoint_id, point.passed, point.metrics[0].value) == ("EXT-3", False, False)
    assert json.loads(result.model_dump_json())["metrics"]["details"][0]["metric_name"] == "acc"


def test_the_table_is_printed(capsys):
    evaluate(lambda row: 1, dataset=ROWS, name="shown", evaluators=[lambda outputs, inputs: 0.5])
    out = capsys.readouterr().out
    assert out.startswith("shown: completed, 4 passed, 0 failed") and "<lambda>: 0.5 over 4" in out


@pytest.mark.parametrize(
    ("answer", "metrics"),
    [
        (True, {"judge": True}),
        (2, {"judge": 2}),
        (0.5, {"judge": 0.5}),
        ([1], {"judge": 1}),
        ({"score": 1, "explanation": "why", "extra": 3}, {"judge": 1, "judge_extra": 3}),
        ("label", {}),
        (None, {}),
        (object(), {}),
        (ValueError("x"), {}),
    ],
)
def test_what_evaluators_may_answer(answer, metrics):
    def judge(outputs, inputs):
        if isinstance(answer, Exception):
            raise answer
        return answer

    result = run(rows=ROWS[:1], evaluators=[judge])
    assert {one.name: one.value for one in result.datapoints[0].metrics} == metrics
    (row,) = [one for one in ends(result) if one["__tracer_meta__"]["event"] == "<lambda>.end"]
    written = row["attributes"].get("metrics", {})
    assert {
        name: value for name, value in written.items() if isinstance(value, (bool, int, float))
    } == metrics
    if isinstance(answer, dict):
        assert written["judge_explanation"] == "why"


def test_all_forms_of_evaluators_are_awaited_and_called_with_what_they_take():
    @evaluator
    def marked(outputs, inputs, ground_truth):
        return outputs == ground_truth["n"]

    @aevaluator
    async def later(outputs, inputs):
        await asyncio.sleep(0)
        return True

    async def plain(outputs, inputs, ground_truth=None):
        return ground_truth is not None

    @evaluator(name="renamed", threshold=2)
    def first(outputs, inputs):
        return outputs

    class Own(BaseEvaluator):
        def evaluate(self, inputs, outputs, ground_truth=None, **kwargs):
            return {"score": inputs["n"] == outputs == ground_truth["n"]}

    assert marked(1, {}, {"n": 1}) is True and asyncio.run(later(1, {})) is True
    result = run(evaluators=[marked, later, plain, first, Own("own"), lambda o, i: 1, lambda o, i: 2])
    assert {one.name: one.value for one in result.datapoints[2].metrics} == {
        "marked": True, "later": True, "plain": True, "renamed": 2, "own": True, "<lambda>": 1, "<lambda>_2": 2,
    }  # fmt: skip
    assert result.passed == ["EXT-2", "EXT-3"], "below the threshold a row fails"


def test_ground_truth_is_passed_only_where_there_is_some():
    seen = []

    def judge(outputs, inputs, ground_truth="none given"):
        seen.append((outputs, inputs, ground_truth))
        return True

    run(rows=[{"inputs": {"n": 1}}], evaluators=[judge])
    assert seen == [(1, {"n": 1}, "none given")]


def test_a_base_evaluator_has_to_be_overridden():
    with pytest.raises(NotImplementedError):
        BaseEvaluator("n")({}, {})


def test_functions_of_each_form_are_called_as_they_are_written():
    async def later(datapoint, tracer):
        await asyncio.sleep(0)
        return tracer.datapoint_id

    def keyword(datapoint, *, tracer):
        return tracer.datapoint_id

    def second(datapoint, t):
        return t.datapoint_id

    def older(inputs, ground_truth):
        return f"EXT-{inputs['n']}" if ground_truth == inputs else None

    def default(datapoint, style="x"):
        return f"EXT-{datapoint['id']}"

    def right(outputs, inputs):
        return outputs == f"EXT-{inputs['n']}"

    for function in (later, keyword, second, older, default):
        result = run(function, evaluators=[right])
        assert result.success, function
        assert result.metrics.get_metric("right").event_name == function.__name__


def test_each_row_has_a_session_of_its_own_with_what_was_said_of_it():
    sessions = {}

    @trace(event_type="tool")
    def work(datapoint):
        assert enrich_span(metadata={"n": datapoint["inputs"]["n"]})
        return datapoint["inputs"]["n"]

    def function(datapoint, tracer):
        sessions[tracer.datapoint_id] = tracer.session_id
        enrich_session(metadata={"said": datapoint["inputs"]["n"]})
        return work(datapoint)

    result = run(function)
    assert {point.datapoint_id: point.session_id for point in result.datapoints} == sessions
    assert len(set(sessions.values())) == 4
    for record in ends(result):
        meta = record["__tracer_meta__"]
        assert meta["session_id"] == sessions[meta["datapoint_id"]]
        assert (meta["run_id"], meta["source"]) == (result.run_id, "evaluation")
    tools = [one for one in ends(result) if one["__tracer_meta__"]["event"].endswith("work.end")]
    assert {one["__tracer_meta__"]["datapoint_id"]: one["attributes"]["metadata"]["n"] for one in tools} == {
        f"EXT-{n}": n for n in range(4)
    }
    started = [one for one in records(result) if one["__tracer_meta__"]["event"] == "session.started"]
    by_id = {one["session_id"]: one for one in started}
    said = by_id[sessions["EXT-2"]]
    assert (said["inputs"], said["feedback"]) == ({"n": 2}, {"ground_truth": {"n": 2}})
    updated = [one for one in records(result) if one["__tracer_meta__"]["event"] == "session.updated"]
    assert {one["session_id"]: one["metadata"]["said"] for one in updated} == {
        session: int(name[4:]) for name, session in sessions.items()
    }


def test_the_run_is_registered_on_a_server(server):
    result = run(
        evaluators=[lambda o, i: True], server_url=server.url, name="n", metadata={"m": 1}, suite="s"
    )
    (created,), (ended,) = server.seen("POST", "/v1/runs"), server.seen("PUT", f"/v1/runs/{result.run_id}")
    assert created["datapoint_ids"] == ["EXT-0", "EXT-1", "EXT-2", "EXT-3"]
    assert created["metadata"]["offline_dataset_id"].startswith("EXT-") and created["metadata"]["m"] == 1
    assert created["configuration"]["evaluators"] == ["<lambda>"]
    assert ended["status"] == "completed" and len(ended["event_ids"]) == 4
    assert set(ended["event_ids"]) == {point.session_id for point in result.datapoints}
    assert server.otlp >= 1 and result.warnings == []
    started = {
        one["session_id"] for one in server.records if one["__tracer_meta__"]["event"] == "session.started"
    }
    assert started > set(ended["event_ids"])


def test_a_refusing_server_costs_a_warning():
    with Stub(key="right") as stub:
        result = run(server_url=stub.url, api_key="wrong")
    assert result.status == "completed" and any("401" in one for one in result.warnings)


def test_a_server_that_was_asked_for_and_is_away_costs_a_warning():
    result = run(server_url="http://127.0.0.1:9")
    assert result.success and "no server answered" in result.warnings[0]
    assert run().warnings == []


def test_a_dataset_of_the_server(server):
    ids = [f"dp{n}" for n in range(3)]
    server.datapoints = {
        one: {"id": one, "inputs": {"n": n}, "ground_truth": {"n": n}} for n, one in enumerate(ids)
    }
    server.datasets = {"ds": {"id": "ds", "name": "n", "datapoints": ids}}
    right = [lambda outputs, inputs, ground_truth: outputs == ground_truth["n"]]
    result = evaluate(
        lambda row: row["inputs"]["n"],
        dataset_id="ds",
        evaluators=right,
        server_url=server.url,
        print_results=False,
    )
    assert result.passed == ids and result.success
    assert server.seen("POST", "/v1/runs")[0]["dataset_id"] == "ds"
    assert len(server.seen("GET", "/v1/datapoints")) == 1
    with pytest.raises(HoneyHiveError, match="no dataset 'other'"):
        evaluate(lambda row: 1, dataset_id="other", server_url=server.url)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dataset": ROWS, "dataset_id": "x"},
        {"dataset": []},
        {"dataset": [1]},
        {"dataset": ROWS, "max_workers": 0},
        {"dataset": ROWS, "aggregate_function": "nonsense"},
        {"dataset": ROWS, "evaluators": [1]},
        {"dataset": ROWS, "run_id": "../x"},
    ],
)
def test_arguments_that_cannot_be_right_are_refused(options):
    with pytest.raises(HoneyHiveError) as caught:
        evaluate(lambda row: 1, **options)
    assert isinstance(caught.value, ValueError) and str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("average", 1.5),
        ("sum", 6),
        ("min", 0),
        ("max", 3),
        ("median", 1.5),
        ("count", 4),
        ("p90", 3),
        ("p99", 3),
    ],
)
def test_aggregates(name, expected):
    result = run(evaluators=[lambda outputs, inputs: outputs], aggregate_function=name)
    assert result.metrics.details[0].aggregate == expected


def test_instrumentors_see_the_provider_and_are_taken_out(monkeypatch):
    calls = []

    class Instrumentor:
        def instrument(self, tracer_provider):
            calls.append(tracer_provider)

        def uninstrument(self):
            calls.append("out")

    def broken():
        raise RuntimeError("no such library")

    result = run(instrumentors=[Instrumentor, broken])
    assert len(calls) == 2 and calls[1] == "out" and hasattr(calls[0], "get_tracer")
    assert any("no such library" in one for one in result.warnings)


def test_rows_of_an_own_run():
    def function(row):
        if row["inputs"]["n"] == 1:
            raise ValueError("x")
        return {"n": row["inputs"]["n"]}

    context = ExperimentContext(RUN_ID, "EXT-d", "project", run_name="n", metadata={"a": 1})
    assert context.to_tracer_config("dp")["datapoint_id"] == "dp"
    rows = run_experiment(
        function, ROWS[:2], ["EXT-a", "EXT-b"], experiment_context=context, evaluators=[lambda o, i: 1]
    )
    assert [(row["datapoint_id"], row["status"], row["error"]) for row in rows] == [
        ("EXT-a", "success", None),
        ("EXT-b", "failed", "ValueError: x"),
    ]
    assert rows[0]["outputs"] == {"n": 0} and rows[0]["scores"] == {"<lambda>": 1} and rows[0]["session_id"]


def test_ids_of_external_datasets_are_their_content():
    rows = [{"inputs": {"a": 1, "b": 2}}, {"id": "mine", "inputs": {}}]
    dataset, points = prepare_external_dataset(rows)
    assert dataset.startswith("EXT-") and points[1] == "EXT-mine" and points[0].startswith("EXT-")
    assert prepare_external_dataset([{"inputs": {"b": 2, "a": 1}}, rows[1]]) == (dataset, points)
    assert (
        prepare_external_dataset(rows, "EXT-own")[0] == "EXT-own" == generate_external_dataset_id(rows, "own")
    )
    assert generate_external_datapoint_id(rows[0], 7) == points[0]
    assert generate_external_datapoint_id(rows[0], 0, "c") == "EXT-c"
    request = prepare_run_request_data("r", "n", dataset_id="EXT-d", description="d")
    assert request["dataset_id"] is None and request["metadata"] == {"offline_dataset_id": "EXT-d"}
    assert prepare_run_request_data("r", "n", dataset_id="abc")["dataset_id"] == "abc"


def test_a_thousand_datapoints_cost_little():
    rows = [{"inputs": {"n": n}} for n in range(1000)]
    before = time.process_time()
    result = run(rows=rows, evaluators=[lambda outputs, inputs: True])
    cpu = time.process_time() - before
    assert len(result.passed) == 1000
    assert cpu < 5.0, f"{cpu:.2f} s of CPU; 18 ms a datapoint would be 18"


def test_settings_of_an_evaluator_make_its_answer():
    asked = iter([1, 5, 3] * 2)

    @evaluator(
        repeat=3, transform="value * 10", aggregate="max(values)", checker="value >= target", target=40
    )
    def judge(outputs, inputs):
        return next(asked)

    assert judge({}, {}) is True
    assert judge({}, {}, checker="(value, target)", target=1) == (50, 1)
    assert judge.raw is judge.__wrapped__ and judge.name == "judge"
    plain = evaluator(lambda outputs: len(outputs), name="length")
    assert (plain("abc"), plain("abc", transform=lambda value: value + 1)) == (3, 4)
    assert plain("abc", repeat=2) == (3, 3) and plain("abc", repeat=2, aggregate=sum) == 6
    # Others are known by name; a function that an expression gives is called.
    assert plain("abc", transform="str(value) * 4", checker="length(value) > 3") is True
    assert plain("abc", transform="lambda value: -value") == -3
    assert plain("abc", transform="(value, result.score, result.weight)") == (3, 3, 1.0)


def test_settings_hold_for_coroutines_and_stages_that_are_awaited():
    async def halve(value):
        await asyncio.sleep(0)
        return value / 2

    together = []

    @aevaluator(repeat=4, transform=halve, aggregate="sum(values)", weight=2.0)
    async def judge(outputs):
        together.append(outputs)
        while len(together) < 4:  # all four run at the same time
            await asyncio.sleep(0)
        return outputs

    assert inspect.iscoroutinefunction(judge)
    assert asyncio.run(judge(3)) == 6.0
    assert asyncio.run(judge(3, aggregate="results[0].weight")) == 2.0


def test_repetitions_run_side_by_side_in_the_context_of_the_call():
    variable = contextvars.ContextVar("variable", default=None)
    meet = threading.Barrier(3)

    @evaluator(repeat=3)
    def judge(outputs):
        meet.wait(20)
        return variable.get()

    variable.set("here")
    assert judge({}) == ("here", "here", "here")


def test_asserts_and_arguments_of_an_evaluator():
    @evaluator(asserts=True, target="[0, 1]", limit=2)
    def judge(outputs, limit):
        return outputs < limit

    assert judge(1) is True and judge(5, limit=9) is True
    with pytest.raises(AssertionError, match=r"judge: score False, target '\[0, 1\]'"):
        judge(5)
    own = EvalSettings("judge", repeat=2, aggregate="values")
    assert evaluator(lambda o: o, own, {"o": 4}, name="judge")() == (4, 4)

    @evaluator
    def takes(outputs, target=None):
        return target

    assert takes({}, target="its own argument") == "its own argument"
    about = takes.evaluator_settings
    assert isinstance(about, EvaluatorSettings) and about.resolve_settings().weight == 1.0
    about.explicit_settings = EvalSettings("takes", transform="1")
    assert takes({}) == 1


def test_settings_hold_in_a_run():
    @evaluator(repeat=2, aggregate="sum(values)")
    def twice(outputs, inputs):
        return outputs

    @evaluator(asserts=True)
    def odd(outputs, inputs):
        return outputs % 2 == 1

    @evaluator(repeat=2)
    def many(outputs, inputs):
        return outputs

    result = run(lambda row: row["inputs"]["n"], evaluators=[twice, odd, many])
    assert sorted(result.metrics.get_metric("twice").values) == [0, 2, 4, 6]
    assert result.metrics.get_metric("odd").values == [True, True]
    assert "many" not in result.metrics.list_metrics(), "several scores are none"


@pytest.mark.parametrize(
    "settings",
    [{"repeat": 0}, {"repeat": "two"}, {"repeat": True}, {"transform": "value +"}, {"checker": 7}],
)
def test_settings_that_cannot_be_right_are_refused(settings):
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        evaluator(**settings)(lambda outputs: 1)
    with pytest.raises(ConfigurationError):
        evaluator(lambda outputs: 1)(1, **settings)
    with pytest.raises(ValueError, match="colour"):
        EvalSettings("n").update({"colour": 1})
