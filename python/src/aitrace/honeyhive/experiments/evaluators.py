"""Evaluators in the forms of `honeyhive`."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, cast

from aitrace.evaluation import Evaluator as _Judge
from aitrace.honeyhive._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


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


def evaluator(function: Any = None, *, name: str | None = None, threshold: float | None = None) -> Any:
    """Marks a function as an evaluator: ``@evaluator``, ``@evaluator(name=…, threshold=0.8)``.

    It is called as before and gives what it gave, sync or async. A number below ``threshold`` fails its row.
    """

    def mark(target: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(target):
            raise TypeError(f"evaluator {target!r} is not callable")
        if inspect.iscoroutinefunction(target):

            @functools.wraps(target)
            async def later(*args: Any, **kwargs: Any) -> Any:
                return await target(*args, **kwargs)

            marked: Any = later
        else:

            @functools.wraps(target)
            def now(*args: Any, **kwargs: Any) -> Any:
                return target(*args, **kwargs)

            marked = now
        marked.name = name or getattr(target, "__name__", None) or type(target).__name__
        marked.threshold = threshold
        return cast("Callable[..., Any]", marked)

    return mark if function is None else mark(function)


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
