"""Evaluators in the forms of `honeyhive`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from aitrace.evaluation import Evaluator as _Judge
from aitrace.honeyhive._errors import ConfigurationError
from aitrace.honeyhive.experiments._settings import (
    EVALUATOR_SETTINGS_KEYS,
    REGISTRY,
    EvalResult,
    EvalSettings,
    EvaluatorSettings,
    checked,
    stage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

__all__ = [
    "EVALUATOR_SETTINGS_KEYS",
    "BaseEvaluator",
    "EvalResult",
    "EvalSettings",
    "EvaluatorSettings",
    "Judge",
    "aevaluator",
    "as_judges",
    "evaluator",
]

# Repetitions of a plain evaluator that run at the same time.
_AT_ONCE = 16


class BaseEvaluator:
    """An evaluator as a class: override ``evaluate``; an instance is given to ``evaluate(evaluators=…)``."""

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        self.name = name or type(self).__name__
        self.__name__ = self.name
        self.config = kwargs

    def evaluate(
        self,
        inputs: dict[str, Any],
        outputs: dict[str, Any],
        ground_truth: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """The score of one output."""
        raise NotImplementedError(f"{type(self).__name__} must override evaluate()")

    def __call__(
        self,
        inputs: dict[str, Any],
        outputs: dict[str, Any],
        ground_truth: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """The same as ``evaluate``."""
        return self.evaluate(inputs, outputs, ground_truth, **kwargs)


def evaluator(
    function: Any = None,
    eval_settings: EvalSettings | None = None,
    eval_kwargs: dict[str, Any] | None = None,
    *,
    name: str | None = None,
    threshold: float | None = None,
    **settings: Any,
) -> Any:
    """Marks a function as an evaluator: ``@evaluator``, ``@evaluator(repeat=3, aggregate="max(values)")``.

    It is called as before, sync or async, and gives what it gave, or what its settings make of that:
    ``repeat, transform, aggregate, checker, target, asserts, weight`` (EvalSettings). Other keywords are
    arguments of each call. A call's own keywords win over both. ``raw`` is the function as it was. In a run,
    a number below ``threshold`` fails its row.

    Raises ConfigurationError (a ValueError) for settings that cannot be right.
    """

    def mark(target: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(target):
            raise TypeError(f"evaluator {target!r} is not callable")
        title = name or getattr(target, "__name__", None) or type(target).__name__
        ours, arguments = EvalSettings.extract_eval_settings_and_kwargs(settings)
        about = EvaluatorSettings(
            title,
            init_settings=eval_settings,
            init_kwargs=eval_kwargs or {},
            deco_settings=EvalSettings(title, **ours),
            deco_kwargs=arguments,
        )
        checked(about.resolve_settings())
        marked: Any = _marked(target, about)
        marked.name = title
        marked.threshold = threshold
        marked.raw = target
        marked.evaluator_settings = about
        REGISTRY[title] = marked
        return cast("Callable[..., Any]", marked)

    return mark if function is None else mark(function)


def _marked(target: Callable[..., Any], about: EvaluatorSettings) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(target):

        @functools.wraps(target)
        async def later(*args: Any, **kwargs: Any) -> Any:
            return await _Call(target, about, *args, **kwargs).later()

        return later

    @functools.wraps(target)
    def now(*args: Any, **kwargs: Any) -> Any:
        return _Call(target, about, *args, **kwargs).now()

    return now


class _Call:
    """One call of an evaluator: each stage takes what the one before gave."""

    def __init__(
        self,
        target: Callable[..., Any],
        about: EvaluatorSettings,
        /,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        known = inspect.signature(target).parameters if kwargs else {}
        own = {key: kwargs[key] for key in kwargs if key in known}
        ours, others = EvalSettings.extract_eval_settings_and_kwargs(
            {key: value for key, value in kwargs.items() if key not in own}
        )
        self.settings = checked(about.resolve_settings(ours)) if ours else about.resolve_settings()
        self.call = functools.partial(target, *args, **about.resolve_kwargs({**own, **others}))

    def now(self) -> Any:
        """The answer of a plain function."""
        repeat = self.settings.repeat
        if repeat is None:
            scores = [self.call()]
        else:
            # Each in a context of its own, in which the span of the row is current.
            with ThreadPoolExecutor(min(repeat, _AT_ONCE), "evaluator") as pool:
                started = [pool.submit(copy_context().run, self.call) for _ in range(repeat)]
                scores = [one.result() for one in started]
        stages = self._stages(scores)
        asked = next(stages)
        with contextlib.suppress(StopIteration):
            while True:
                asked = stages.send(asked)
        return self._answer

    async def later(self) -> Any:
        """The answer of a coroutine function."""
        scores = await asyncio.gather(*(self.call() for _ in range(self.settings.repeat or 1)))
        stages = self._stages(scores)
        asked = next(stages)
        with contextlib.suppress(StopIteration):
            while True:
                asked = stages.send(await asked if inspect.isawaitable(asked) else asked)
        return self._answer

    def _stages(self, scores: Sequence[Any]) -> Generator[Any, Any, None]:
        """Gives what each stage came to and is told it back, by then awaited."""
        settings = self.settings
        results = [EvalResult(score, settings.name, eval_settings=settings) for score in scores]
        if settings.transform:
            for number, before in enumerate(results):
                names = {"value": before.score, "result": before}
                value = yield stage(settings.transform, names, (before.score,))
                results[number] = EvalResult(
                    value,
                    f"transform: {before.init_method}",
                    eval_settings=settings,
                    prev_result=before,
                )
        if settings.aggregate:
            values = tuple(one.score for one in results)
            names = {"values": values, "results": tuple(results)}
            value = yield stage(settings.aggregate, names, (values,))
            made = f"aggregate: {settings.name}"
            results = [EvalResult(value, made, eval_settings=settings, prev_results=tuple(results))]
        answers = []
        for result in results:
            value = result.score
            if settings.checker:
                names = {"value": value, "result": result, "target": settings.target}
                value = yield stage(settings.checker, names, (value, settings.target))
            if settings.asserts and not value:
                wanted = "" if settings.target is None else f", target {settings.target!r}"
                raise AssertionError(f"{settings.name}: score {result.score!r}{wanted}")
            answers.append(value)
        single = settings.repeat is None or bool(settings.aggregate)
        self._answer: Any = answers[0] if single else tuple(answers)
        yield None


aevaluator = evaluator
"""The same as ``evaluator``, which tells coroutines by itself."""


class Judge(_Judge):
    """One evaluator of a run: called with ground truth only where there is some and it takes it."""

    def call(self, outputs: Any, inputs: Any, ground_truth: Any) -> Any:
        """Calls the evaluator as `honeyhive` does: outputs first, a BaseEvaluator by names."""
        if isinstance(self.function, BaseEvaluator):
            return self.function.evaluate(inputs=inputs, outputs=outputs, ground_truth=ground_truth)
        if ground_truth is None and _optional_third(self.function):
            return self.function(outputs, inputs)
        return super().call(outputs, inputs, ground_truth)


def as_judges(given: Iterable[Any] | None) -> tuple[Judge, ...]:
    """Evaluators as a run takes them; a name that stands twice gets a number."""
    judges: list[Judge] = []
    taken: set[str] = set()
    for one in given or ():
        target = one.function if isinstance(one, _Judge) else one
        if not callable(target):
            raise ConfigurationError(f"evaluator {one!r} is not callable")
        base = name = str(getattr(one, "name", None) or getattr(target, "__name__", type(target).__name__))
        number = 1
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name)
        judges.append(Judge(target, name=name, threshold=getattr(one, "threshold", None)))
    return tuple(judges)


def _optional_third(function: Callable[..., Any]) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    return len(positional) > 2 and positional[2].default is not positional[2].empty
