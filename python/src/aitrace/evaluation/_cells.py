"""One cell: call the function, judge what it gave, within a span of the run's tracer."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aitrace.evaluation._evaluators import Evaluator, Score
from aitrace.evaluation._result import DatapointResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aitrace.evaluation._dataset import Datapoint, Dataset


@dataclass(frozen=True, slots=True)
class Plan:
    """What every cell of a run has in common."""

    function: Callable[..., Any]
    wants_tracer: bool
    evaluators: tuple[Evaluator, ...]
    dataset: Dataset
    run_id: str
    tracer: Any
    retries: int
    timeout: float | None
    clock: Callable[[], float] = time.perf_counter
    entered: Callable[[Cell], None] | None = None
    """Called in a cell's context before its span begins."""

    @property
    def name(self) -> str:
        """Name of the span of a row: the function's."""
        return getattr(self.function, "__name__", None) or type(self.function).__name__


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a result belongs in the table."""

    datapoint: Datapoint
    repetition: int

    @property
    def key(self) -> tuple[str, int]:
        """Datapoint and repetition."""
        return self.datapoint.id, self.repetition


def run_sync(plan: Plan, cell: Cell) -> DatapointResult:
    """Runs a cell in a context of its own on the calling thread."""
    return contextvars.Context().run(_run, plan, cell)


async def run_async(plan: Plan, cell: Cell) -> DatapointResult:
    """Runs a cell whose function is a coroutine function; the caller gives the task its context."""
    _enter(plan, cell)
    started = plan.clock()
    with _row_span(plan, cell) as span:
        outputs, error = None, None
        for attempt in range(plan.retries + 1):
            try:
                outputs = await asyncio.wait_for(_call(plan, cell), plan.timeout)
                error = None
                break
            except asyncio.CancelledError:
                raise
            except Exception as raised:
                error = _failed(plan, span, raised, attempt=attempt)
        scores = (
            [] if error else [await _judge_async(plan, one, cell, outputs=outputs) for one in plan.evaluators]
        )
        return _finish(plan, cell, span, outputs=outputs, error=error, scores=scores, started=started)


def _run(plan: Plan, cell: Cell) -> DatapointResult:
    _enter(plan, cell)
    started = plan.clock()
    with _row_span(plan, cell) as span:
        outputs, error = None, None
        for attempt in range(plan.retries + 1):
            try:
                outputs = _bounded(plan, lambda: _settle(_call(plan, cell)))
                error = None
                break
            except Exception as raised:
                error = _failed(plan, span, raised, attempt=attempt)
        scores = [] if error else [_judge(plan, one, cell, outputs=outputs) for one in plan.evaluators]
        return _finish(plan, cell, span, outputs=outputs, error=error, scores=scores, started=started)


def _enter(plan: Plan, cell: Cell) -> None:
    plan.tracer.set_baggage("run_id", plan.run_id)
    plan.tracer.set_baggage("dataset_id", plan.dataset.id)
    plan.tracer.set_baggage("datapoint_id", cell.datapoint.id)
    if plan.entered is not None:
        plan.entered(cell)


def _row_span(plan: Plan, cell: Cell) -> Any:
    span = plan.tracer.start_span(plan.name, event_type="chain")
    metadata: dict[str, Any] = {"repetition": cell.repetition} if cell.repetition else {}
    if cell.datapoint.ground_truth is not None:
        metadata["ground_truth"] = cell.datapoint.ground_truth
    span.enrich(inputs=cell.datapoint.inputs, metadata=metadata or None)
    return span


def _call(plan: Plan, cell: Cell) -> Any:
    if plan.wants_tracer:
        return plan.function(cell.datapoint.row, plan.tracer)
    return plan.function(cell.datapoint.row)


def _settle(value: Any) -> Any:
    """Waits for an awaitable that a plain function returned, in a loop of its own."""
    if not inspect.isawaitable(value):
        return value

    async def wait(awaitable: Awaitable[Any]) -> Any:
        return await awaitable

    return asyncio.run(wait(value))


def _bounded(plan: Plan, call: Callable[[], Any]) -> Any:
    """Calls within the time limit. A thread cannot be stopped: what overran goes on unheard, as a daemon."""
    if plan.timeout is None:
        return call()
    outcome: list[tuple[bool, Any]] = []
    context = contextvars.copy_context()

    def work() -> None:
        try:
            outcome.append((True, context.run(call)))
        except BaseException as raised:
            outcome.append((False, raised))

    thread = threading.Thread(target=work, name="aitrace-evaluate-row", daemon=True)
    thread.start()
    thread.join(plan.timeout)
    if not outcome:
        raise TimeoutError(f"no answer within {plan.timeout:g} s")
    good, value = outcome[0]
    if good:
        return value
    raise value


def _failed(plan: Plan, span: Any, raised: Exception, *, attempt: int) -> str:
    if isinstance(raised, (TimeoutError, asyncio.TimeoutError)) and not str(raised):
        raised = TimeoutError(f"no answer within {plan.timeout:g} s" if plan.timeout else "timed out")
    text = f"{type(raised).__name__}: {raised}"
    if attempt < plan.retries:
        span.add_event("retry", {"attempt": attempt + 1, "error": text})
    else:
        span.record_exception(raised)
        span.set_status("error", str(raised))
    return text


def _judge(plan: Plan, one: Evaluator, cell: Cell, *, outputs: Any) -> Score:
    with plan.tracer.start_span(one.name, event_type="chain", kind="evaluator") as span:
        try:
            answer = _settle(one.call(outputs, cell.datapoint.inputs, cell.datapoint.ground_truth))
        except Exception as raised:
            return _abstained(span, one, raised)
        return _judged(span, one.score(answer))


async def _judge_async(plan: Plan, one: Evaluator, cell: Cell, *, outputs: Any) -> Score:
    with plan.tracer.start_span(one.name, event_type="chain", kind="evaluator") as span:
        try:
            answer = one.call(outputs, cell.datapoint.inputs, cell.datapoint.ground_truth)
            if inspect.isawaitable(answer):
                answer = await answer
        except Exception as raised:
            return _abstained(span, one, raised)
        return _judged(span, one.score(answer))


def _abstained(span: Any, one: Evaluator, raised: Exception) -> Score:
    span.record_exception(raised)
    span.set_status("error", str(raised))
    return Score(one.name, None, error=f"{type(raised).__name__}: {raised}")


def _judged(span: Any, score: Score) -> Score:
    span.enrich(outputs={"score": score.value, "explanation": score.explanation})
    if score.error:
        span.set_status("error", score.error)
    return score


def _finish(
    plan: Plan,
    cell: Cell,
    span: Any,
    *,
    outputs: Any,
    error: str | None,
    scores: list[Score],
    started: float,
) -> DatapointResult:
    metrics: dict[str, Any] = {}
    for score in scores:
        metrics[score.name] = score.value
        if score.explanation is not None:
            metrics[f"{score.name}_explanation"] = score.explanation
        metrics.update({f"{score.name}_{key}": value for key, value in score.extras.items()})
    span.enrich(outputs=outputs, metrics=metrics or None)
    return DatapointResult(
        datapoint_id=cell.datapoint.id,
        repetition=cell.repetition,
        inputs=cell.datapoint.inputs,
        ground_truth=cell.datapoint.ground_truth,
        outputs=outputs,
        error=error,
        scores=_values(scores),
        explanations={score.name: score.explanation for score in scores if score.explanation is not None},
        evaluator_errors={score.name: score.error for score in scores if score.error is not None},
        passed=error is None and all(score.passed for score in scores),
        duration_ms=(plan.clock() - started) * 1000.0,
        trace_id=span.trace_id,
    )


def _values(scores: list[Score]) -> dict[str, Any]:
    """Scores by name; numbers that an evaluator gave beside its score are scores, too."""
    values: dict[str, Any] = {score.name: score.value for score in scores}
    for score in scores:
        for key, value in score.extras.items():
            if isinstance(value, (bool, int, float)):
                values.setdefault(f"{score.name}_{key}", value)
    return values
