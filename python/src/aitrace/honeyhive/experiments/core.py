"""``evaluate`` and ``run_experiment``: our evaluation behind the interface of `honeyhive`."""

from __future__ import annotations

import functools
import inspect
import logging
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aitrace import ConfigurationError as _NativeConfigurationError
from aitrace.evaluation._cells import Cell, Plan
from aitrace.evaluation._evaluate import execute
from aitrace.evaluation._result import EvaluationResult, aggregate_with
from aitrace.evaluation._runfile import RunFile
from aitrace.honeyhive import _environment as environment
from aitrace.honeyhive import _sessions
from aitrace.honeyhive._errors import ConfigurationError
from aitrace.honeyhive._tracer import HoneyHiveTracer
from aitrace.honeyhive.api.client import HoneyHive
from aitrace.honeyhive.experiments import datasets
from aitrace.honeyhive.experiments._summary import metrics_of, points_of, quantile
from aitrace.honeyhive.experiments.evaluators import Judge, as_judges
from aitrace.honeyhive.experiments.models import ExperimentResultSummary
from aitrace.honeyhive.experiments.runs import ExperimentContext, Registration, prepare_run_request_data

if TYPE_CHECKING:
    from aitrace.evaluation._dataset import Dataset

_log = logging.getLogger("aitrace.honeyhive")
_PROBE_SECONDS = 0.5
_AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "count": len,
    "p90": functools.partial(quantile, 0.90),
    "p95": functools.partial(quantile, 0.95),
    "p99": functools.partial(quantile, 0.99),
}
_STATUS = {"interrupted": "cancelled"}


def evaluate(
    function: Callable[..., Any],
    *,
    dataset: Any = None,
    dataset_id: str | None = None,
    evaluators: Sequence[Any] | None = None,
    instrumentors: Sequence[Callable[[], Any]] | None = None,
    api_key: str | None = None,
    ingestion_api_key: str | None = None,
    server_url: str | None = None,
    project: str | None = None,
    name: str | None = None,
    run_id: str | None = None,
    max_workers: int = 10,
    aggregate_function: str = "average",
    verbose: bool = False,
    print_results: bool = True,
    suite: str | None = None,
    metadata: dict[str, Any] | None = None,
    run_concurrently: bool = True,
    **_others: Any,
) -> ExperimentResultSummary:
    """Runs ``function`` over a dataset and judges each output.

    ``dataset`` is a list of rows ``{"inputs": …, "ground_truth": …}``, ``dataset_id`` names one on the
    server. ``function(datapoint)``, ``function(datapoint, tracer)`` or, as in 0.2,
    ``function(inputs, ground_truth)``; sync or async. Evaluators get ``(outputs, inputs[, ground_truth])``.
    Each row has a session of its own; its span is named after the function.

    The result is computed here; with a server the run is registered there, without one it stays in
    ``runs/RUN_ID.jsonl`` of the data directory. Raises ConfigurationError (a ValueError) for arguments that
    cannot be right and HoneyHiveError where a dataset cannot be fetched; nothing else.
    """
    if (dataset is None) == (dataset_id is None):
        raise ConfigurationError("give either dataset or dataset_id")
    key = api_key or ingestion_api_key
    client = HoneyHive(api_key=key, server_url=server_url, verbose=verbose)
    rows = datasets.managed(client, dataset_id) if dataset_id else datasets.external(dataset)
    extra = {**(metadata or {}), **({"suite": suite} if suite else {})}
    run = _Run(
        function=function,
        rows=rows,
        judges=as_judges(evaluators),
        run_id=run_id or str(uuid.uuid4()),
        client=client,
        server_url=server_url,
        api_key=key,
        project=project,
        max_workers=max_workers if run_concurrently else 1,
        aggregate_function=aggregate_function,
        verbose=verbose,
        metadata=extra,
        instrumentors=tuple(instrumentors or ()),
    )
    run.name = name or f"experiment-{run.run_id[:8]}"
    summary = run.summary(run.execute(register=True))
    if print_results:
        summary.print_table(run.name)
    return summary


def run_experiment(
    function: Callable[..., Any],
    dataset: list[dict[str, Any]],
    datapoint_ids: list[str],
    *,
    experiment_context: ExperimentContext,
    server_url: str | None = None,
    api_key: str | None = None,
    ingestion_api_key: str | None = None,
    max_workers: int = 10,
    verbose: bool = False,
    instrumentors: Sequence[Callable[[], Any]] | None = None,
    evaluators: Sequence[Any] | None = None,
) -> list[dict[str, Any]]:
    """Runs ``function`` over rows as part of a run that the caller registers.

    A dict for each row: ``datapoint_id, session_id, inputs, outputs, ground_truth, status`` (success or
    failed)`` , error, scores``.
    """
    context = experiment_context
    key = api_key or ingestion_api_key
    run = _Run(
        function=function,
        rows=datasets.with_ids(dataset, datapoint_ids, context.dataset_id),
        judges=as_judges(evaluators),
        run_id=context.run_id,
        client=HoneyHive(api_key=key, server_url=server_url),
        server_url=server_url,
        api_key=key,
        project=context.project,
        max_workers=max_workers,
        aggregate_function="average",
        verbose=verbose,
        metadata=context.metadata,
        instrumentors=tuple(instrumentors or ()),
        source=context.source,
    )
    run.name = context.run_name or f"experiment-{run.run_id[:8]}"
    return [
        {
            "datapoint_id": cell.datapoint_id,
            "session_id": run.sessions.get(cell.datapoint_id),
            "inputs": cell.inputs,
            "outputs": cell.outputs,
            "ground_truth": cell.ground_truth,
            "status": "success" if cell.error is None else "failed",
            "error": cell.error,
            "scores": cell.scores,
        }
        for cell in run.execute(register=False).datapoints
    ]


@dataclass
class _Run:
    """One run, from its arguments to its result."""

    function: Callable[..., Any]
    rows: Dataset
    judges: tuple[Judge, ...]
    run_id: str
    client: HoneyHive
    server_url: str | None
    api_key: str | None
    project: str | None
    max_workers: int
    aggregate_function: str
    verbose: bool
    metadata: dict[str, Any]
    instrumentors: tuple[Callable[[], Any], ...]
    source: str = "evaluation"
    name: str = ""
    sessions: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def execute(self, *, register: bool) -> EvaluationResult:
        """Runs every row; what a row raises is in the result."""
        if self.max_workers < 1:
            raise ConfigurationError("max_workers must be at least 1")
        try:
            chosen: Any = _AGGREGATES.get(self.aggregate_function, self.aggregate_function)
            aggregate = aggregate_with(chosen)
            runfile = RunFile(self.run_id)
            runfile.open()
        except _NativeConfigurationError as error:
            raise ConfigurationError(str(error)) from error
        tracer = self._tracer(runfile)
        registration = (
            Registration(self.client, self.run_id, self.warnings) if register and self._server else None
        )
        if registration:
            registration.begin(self._created())
        instrumentors = self._instrument(tracer)
        try:
            result = execute(
                self._plan(tracer),
                runfile,
                self.name,
                done={},
                repetitions=1,
                max_workers=self.max_workers,
                aggregate=aggregate,
                warnings=self.warnings,
            )
        finally:
            for one in instrumentors:
                _quietly(one.uninstrument)
        if registration:
            registration.end(self._ended(result))
        return result

    def summary(self, result: EvaluationResult) -> ExperimentResultSummary:
        """The result in the form of `honeyhive`."""
        name = getattr(self.function, "__name__", "function")
        chosen: Any = _AGGREGATES.get(self.aggregate_function, self.aggregate_function)
        return ExperimentResultSummary(
            run_id=self.run_id,
            status=_STATUS.get(result.status, result.status),
            success=result.success,
            passed=result.passed,
            failed=result.failed,
            metrics={
                "aggregation_function": self.aggregate_function,
                "details": metrics_of(result, name, aggregate_with(chosen)),
            },
            datapoints=points_of(result, name, self.sessions),
            warnings=result.warnings,
            path=result.path,
        )

    @functools.cached_property
    def _server(self) -> bool:
        """Whether a server is there to send to."""
        if environment.flag("TEST_MODE"):
            return False
        asked = environment.given_url(self.server_url) is not None
        try:
            url = f"{self.client.server_url}/healthz"  # http(s), as the environment's module sees to
            with urllib.request.urlopen(url, timeout=_PROBE_SECONDS) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return asked  # someone is there: told to send, we send
        except (OSError, ValueError):
            return False

    def _tracer(self, runfile: RunFile) -> HoneyHiveTracer:
        settings: dict[str, Any] = {}
        if self._server:
            settings = {"server_url": self.client.server_url, "api_key": self.api_key}
        elif not environment.flag("TEST_MODE"):
            spans = runfile.path.with_suffix(".spans.jsonl")
            settings = {"target": str(spans)}
            if environment.given_url(self.server_url):
                self.warnings.append(
                    f"no server answered at {self.client.server_url}: spans are in {spans}; "
                    "send them with `aitrace import`"
                )
        return HoneyHiveTracer(
            project=self.project,
            session_name=self.name,
            source=self.source,
            is_evaluation=True,
            run_id=self.run_id,
            dataset_id=self.rows.id,
            verbose=self.verbose,
            **settings,
        )

    def _plan(self, tracer: HoneyHiveTracer) -> Plan:
        recorder = tracer._recorder

        def entered(cell: Cell) -> None:
            session = _sessions.start(
                recorder,
                session_name=self.name,
                inputs=cell.datapoint.inputs,
                metadata={
                    "run_id": self.run_id,
                    "dataset_id": self.rows.id,
                    "datapoint_id": cell.datapoint.id,
                },
                feedback=_feedback(cell.datapoint.ground_truth),
            )
            self.sessions[cell.datapoint.id] = session
            _sessions.enter(recorder, session)

        return Plan(
            function=_called(self.function, tracer),
            wants_tracer=False,
            evaluators=self.judges,
            dataset=self.rows,
            run_id=self.run_id,
            tracer=recorder,
            retries=0,
            timeout=None,
            entered=entered,
        )

    def _instrument(self, tracer: HoneyHiveTracer) -> list[Any]:
        made = []
        for factory in self.instrumentors:
            try:
                one = factory()
                one.instrument(tracer_provider=tracer.provider)
                made.append(one)
            except Exception as error:  # the run is worth more than its instrumentation
                self.warnings.append(f"an instrumentor failed: {type(error).__name__}: {error}")
        return made

    def _created(self) -> dict[str, Any]:
        configuration = {
            "function": getattr(self.function, "__name__", "function"),
            "evaluators": [one.name for one in self.judges],
            "max_workers": self.max_workers,
            "aggregate_function": self.aggregate_function,
        }
        return prepare_run_request_data(
            self.run_id,
            self.name,
            dataset_id=self.rows.id,
            datapoint_ids=[one.id for one in self.rows.datapoints],
            configuration=configuration,
            metadata=self.metadata,
        )

    def _ended(self, result: EvaluationResult) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": _STATUS.get(result.status, result.status),
            "metadata": self.metadata,
            "event_ids": list(self.sessions.values()),
        }


def _feedback(ground_truth: Any) -> dict[str, Any] | None:
    return None if ground_truth is None else {"ground_truth": ground_truth}


def _called(function: Callable[..., Any], tracer: HoneyHiveTracer) -> Callable[..., Any]:
    """The function as a run calls it, with the row alone."""
    arguments = _arguments(function, tracer)
    if arguments is None:
        return function
    call = getattr(type(function), "__call__", None)  # noqa: B004 (the function itself is wanted)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call):

        async def later(row: Any) -> Any:
            args, kwargs = arguments(row)
            return await function(*args, **kwargs)

        return functools.wraps(function)(later)

    def now(row: Any) -> Any:
        args, kwargs = arguments(row)
        return function(*args, **kwargs)

    return functools.wraps(function)(now)


_Arguments = Callable[[Any], tuple[tuple[Any, ...], dict[str, Any]]]


def _arguments(function: Callable[..., Any], tracer: HoneyHiveTracer) -> _Arguments | None:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    if "tracer" in parameters:
        return lambda row: ((row,), {"tracer": tracer})
    positional = [
        one for one in parameters.values() if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    if len(positional) < 2 or (positional[1].default is not positional[1].empty):
        return None
    if positional[1].name in {"ground_truth", "ground_truths"}:
        return lambda row: ((row.get("inputs"), row.get("ground_truth", row.get("ground_truths"))), {})
    return lambda row: ((row, tracer), {})


def _quietly(call: Callable[[], Any]) -> None:
    try:
        call()
    except Exception:  # what was instrumented ends with the run, whatever it says
        _log.debug("an instrumentor could not be taken out", exc_info=True)
