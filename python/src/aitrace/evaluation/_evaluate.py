"""``evaluate()``: the run from its dataset to its result."""

from __future__ import annotations

import contextlib
import inspect
import os
import time
import urllib.request
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aitrace._errors import ConfigurationError
from aitrace._tracer import Tracer
from aitrace.evaluation._cells import Cell, Plan
from aitrace.evaluation._dataset import Dataset, load_dataset
from aitrace.evaluation._evaluators import Evaluator, as_evaluators
from aitrace.evaluation._result import (
    Aggregate,
    DatapointResult,
    EvaluationResult,
    RunStatus,
    aggregate_with,
    summarise,
)
from aitrace.evaluation._runfile import RunFile
from aitrace.evaluation._workers import run_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

_PROBE_SECONDS = 0.5
_DEFAULT_URL = "http://localhost:8000"


def evaluate(
    function: Callable[..., Any],
    *,
    dataset: Iterable[Mapping[str, Any]] | str | Path,
    dataset_id: str | None = None,
    evaluators: Sequence[Evaluator | Callable[..., Any]] = (),
    name: str | None = None,
    project: str | None = None,
    run_id: str | None = None,
    max_workers: int = 10,
    repetitions: int = 1,
    retries: int = 0,
    timeout: float | None = None,
    aggregate_function: Aggregate = "average",
    print_results: bool = True,
    server_url: str | None = None,
    api_key: str | None = None,
    resume: str | None = None,
) -> EvaluationResult:
    """Runs ``function`` over a dataset and judges each output.

    ``function(datapoint)`` or ``function(datapoint, tracer)``, sync or async, gets a row as it stands in
    the dataset. Evaluators get ``(outputs, inputs, ground_truth)``. Rows run ``max_workers`` at a time,
    each in its own context; ``retries`` more attempts are made when a row raises; ``timeout`` is in
    seconds for each attempt. ``aggregate_function`` is average, mean, median, min, max, sum or a
    callable over the numbers of a metric. ``resume`` is the id of an earlier run: cells that ended
    without an error are taken from its file, the others run.

    With a server (``server_url``, ``AITRACE_SERVER_URL``, else one that answers on localhost:8000) the
    spans go there; without one they stay beside the run, in ``runs/RUN_ID.spans.jsonl``.

    Raises ConfigurationError for arguments that cannot be right. What a row or an evaluator raises is
    in its result, never raised here. Ctrl-C ends the run as ``interrupted``, to be resumed.
    """
    _check_counts(max_workers=max_workers, repetitions=repetitions, retries=retries + 1)
    judges = as_evaluators(evaluators)
    aggregate = aggregate_with(aggregate_function)
    rows = load_dataset(dataset, dataset_id)
    runfile = RunFile(resume or run_id or str(uuid.uuid4()))
    done = _resumable(runfile, rows) if resume else {}
    run_name = name or f"experiment-{runfile.run_id[:8]}"
    runfile.open()
    tracer, warnings = _tracer_for(
        runfile, asked=server_url, project=project, session_name=run_name, api_key=api_key
    )
    plan = Plan(function, _wants_tracer(function), judges, rows, runfile.run_id, tracer, retries, timeout)
    result = execute(
        plan,
        runfile,
        run_name,
        done=done,
        repetitions=repetitions,
        max_workers=max_workers,
        aggregate=aggregate,
        warnings=warnings,
    )
    if print_results:
        result.print_table()
    return result


def execute(
    plan: Plan,
    runfile: RunFile,
    name: str,
    *,
    done: dict[tuple[str, int], DatapointResult],
    repetitions: int,
    max_workers: int,
    aggregate: Callable[[Sequence[float]], float],
    warnings: list[str],
) -> EvaluationResult:
    """Runs the cells of a plan that are not ``done`` into an open run file; ends tracer and file."""
    run = _Run(plan, runfile, name, done)
    try:
        status = run.execute(repetitions, max_workers)
        flushed = plan.tracer.flush()
        if not flushed.ok:
            warnings.append(f"not all spans were delivered: {flushed}")
    finally:
        plan.tracer.shutdown()
        runfile.close()
    metrics, passed, failed = summarise(run.cells, [one.name for one in plan.evaluators], aggregate)
    return EvaluationResult(
        run_id=runfile.run_id,
        name=name,
        dataset_id=plan.dataset.id,
        status=status,
        success=status == "completed" and not failed,
        passed=passed,
        failed=failed,
        metrics=metrics,
        datapoints=run.cells,
        duration_s=run.duration_s,
        path=str(runfile.path),
        warnings=warnings,
    )


@dataclass
class _Run:
    """The table being filled."""

    plan: Plan
    runfile: RunFile
    name: str
    done: dict[tuple[str, int], DatapointResult]
    duration_s: float = 0.0
    order: list[tuple[str, int]] = field(default_factory=list)

    def execute(self, repetitions: int, workers: int) -> RunStatus:
        """Runs what is not done yet and says how the run ended."""
        started = time.perf_counter()
        order = [
            Cell(datapoint, repetition)
            for repetition in range(repetitions)
            for datapoint in self.plan.dataset.datapoints
        ]
        self._announce(repetitions, len(order))
        todo = [cell for cell in order if cell.key not in self.done]
        interrupted = False
        answers = run_cells(self.plan, todo, workers, is_async=_is_async(self.plan.function))
        try:
            with contextlib.closing(answers):
                for cell, answer in answers:
                    if isinstance(answer, KeyboardInterrupt):
                        raise answer
                    self._keep(cell, answer)
        except KeyboardInterrupt:
            interrupted = True
        self.order = [cell.key for cell in order if cell.key in self.done]
        self.duration_s = time.perf_counter() - started
        status: RunStatus = "completed"
        if interrupted:
            status = "interrupted"
        elif all(cell.error is not None for cell in self.cells):
            status = "failed"
        self.runfile.append("run.finished", {"status": status, "duration_s": self.duration_s})
        return status

    def _keep(self, cell: Cell, answer: DatapointResult | BaseException) -> None:
        result = _escaped(cell, answer) if isinstance(answer, BaseException) else answer
        self.done[cell.key] = result
        self.runfile.append("cell.finished", {"cell": result.to_dict()}, datapoint_id=cell.datapoint.id)

    @property
    def cells(self) -> list[DatapointResult]:
        """Finished cells in the order of the dataset, repetition by repetition."""
        return [self.done[key] for key in self.order]

    def _announce(self, repetitions: int, cells: int) -> None:
        self.runfile.append(
            "run.started",
            {
                "name": self.name,
                "function": self.plan.name,
                "evaluators": [one.name for one in self.plan.evaluators],
                "datapoints": len(self.plan.dataset.datapoints),
                "repetitions": repetitions,
                "cells": cells,
                "resumed": len(self.done),
            },
            dataset_id=self.plan.dataset.id,
            project=self.plan.tracer.project_name,
        )


def _escaped(cell: Cell, raised: BaseException) -> DatapointResult:
    """The result of a cell that SystemExit or the like tore out of its span."""
    return DatapointResult(
        datapoint_id=cell.datapoint.id,
        repetition=cell.repetition,
        inputs=cell.datapoint.inputs,
        ground_truth=cell.datapoint.ground_truth,
        outputs=None,
        error=f"{type(raised).__name__}: {raised}",
        scores={},
        explanations={},
        evaluator_errors={},
        passed=False,
        duration_ms=0.0,
        trace_id=None,
    )


def _resumable(runfile: RunFile, rows: Dataset) -> dict[tuple[str, int], DatapointResult]:
    started = runfile.started()
    if started is None:
        raise ConfigurationError(f"no run {runfile.run_id!r} to resume: there is no {runfile.path}")
    was = started["__tracer_meta__"].get("dataset_id")
    if was is not None and was != rows.id:
        raise ConfigurationError(
            f"run {runfile.run_id!r} was started over dataset {was!r}, not {rows.id!r}: give the same dataset"
        )
    known = {datapoint.id for datapoint in rows.datapoints}
    return {key: cell for key, cell in runfile.finished().items() if key[0] in known}


def _tracer_for(runfile: RunFile, *, asked: str | None, **settings: Any) -> tuple[Tracer, list[str]]:
    asked = asked or os.environ.get("AITRACE_SERVER_URL")
    base = (asked or _DEFAULT_URL).rstrip("/")
    settings |= {"source": "evaluation", "is_evaluation": True}
    if _answers(base):
        return Tracer(server_url=base, **settings), []
    spans = runfile.path.with_suffix(".spans.jsonl")
    warnings = []
    if asked:
        warnings.append(
            f"no server answered at {base}: spans are in {spans}; send them with `aitrace import`"
        )
    settings["api_key"] = None
    return Tracer(target=str(spans), **settings), warnings


def _answers(base: str) -> bool:
    if not base.startswith(("http://", "https://")):
        return False
    try:
        with urllib.request.urlopen(f"{base}/healthz", timeout=_PROBE_SECONDS) as response:  # noqa: S310 (checked above)
            return bool(response.status == 200)
    except (OSError, ValueError):
        return False


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        if value < 1:
            least = 0 if name == "retries" else 1
            raise ConfigurationError(f"{name} must be at least {least}")


def _is_async(function: Callable[..., Any]) -> bool:
    call = getattr(type(function), "__call__", None)  # noqa: B004 (the function itself is wanted)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _wants_tracer(function: Callable[..., Any]) -> bool:
    """Whether the function takes a second positional argument without a default, or one named ``tracer``."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if len(positional) < 2:
        return False
    second = positional[1]
    return second.name == "tracer" or second.default is second.empty
