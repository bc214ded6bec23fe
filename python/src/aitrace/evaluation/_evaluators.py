"""Evaluators: functions that judge one output."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, overload

from aitrace._errors import ConfigurationError

ScoreValue: TypeAlias = "bool | int | float | str"


@dataclass(frozen=True, slots=True)
class Score:
    """What an evaluator said of one output."""

    name: str
    value: ScoreValue | None
    """None where the evaluator abstained or failed."""
    explanation: str | None = None
    error: str | None = None
    """What the evaluator raised, or why its answer is no score."""
    extras: Mapping[str, Any] = field(default_factory=dict)
    """What else a mapping said: metrics of the row, named ``NAME_KEY``."""
    passed: bool = True
    """False for a false boolean and for a missed threshold."""


class Evaluator:
    """A judging function with a name and, optionally, a threshold.

    The function is called as ``f(outputs, inputs, ground_truth)`` with as many of the three as it
    takes, or by those names as keywords; it may be async. It returns a bool, number or string, a list
    of one of these, a mapping with ``score``, ``explanation`` and more, or None to abstain.
    """

    def __init__(
        self, function: Callable[..., Any], *, name: str | None = None, threshold: float | None = None
    ) -> None:
        self.function = function
        self.name = name or getattr(function, "__name__", None) or type(function).__name__
        self.threshold = threshold
        self._takes = _parameters(function)
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def call(self, outputs: Any, inputs: Any, ground_truth: Any) -> Any | Awaitable[Any]:
        """Calls the function with what it takes."""
        values = {"outputs": outputs, "inputs": inputs, "ground_truth": ground_truth}
        if isinstance(self._takes, int):
            return self.function(*list(values.values())[: self._takes])
        return self.function(**{name: values[name] for name in self._takes})

    def score(self, answer: Any) -> Score:
        """Turns the function's answer into a score."""
        value, explanation, extras = _value_of(answer)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value is None:
            return Score(self.name, None, explanation, extras=extras)
        if not isinstance(value, (bool, int, float, str)):
            hint = "return a bool, number, string, or {'score': ..., 'explanation': ...}"
            return Score(
                self.name, None, explanation, f"answer is {type(value).__name__}: {hint}", passed=False
            )
        return Score(self.name, value, explanation, extras=extras, passed=self._passes(value))

    def _passes(self, value: ScoreValue) -> bool:
        if isinstance(value, bool):
            return value
        if self.threshold is not None and isinstance(value, (int, float)):
            return value >= self.threshold
        return True


@overload
def evaluator(function: Callable[..., Any]) -> Evaluator: ...
@overload
def evaluator(
    *, name: str | None = None, threshold: float | None = None
) -> Callable[[Callable[..., Any]], Evaluator]: ...
def evaluator(
    function: Callable[..., Any] | None = None, *, name: str | None = None, threshold: float | None = None
) -> Evaluator | Callable[[Callable[..., Any]], Evaluator]:
    """Marks a function as an evaluator: ``@evaluator`` or ``@evaluator(name=..., threshold=0.8)``.

    A numeric score below ``threshold`` fails its row.
    """
    if function is not None:
        return Evaluator(function, name=name, threshold=threshold)
    return lambda wrapped: Evaluator(wrapped, name=name, threshold=threshold)


def as_evaluators(given: Any) -> tuple[Evaluator, ...]:
    """The evaluators that a caller gave, wrapped; names must be distinct."""
    evaluators = tuple(one if isinstance(one, Evaluator) else Evaluator(_callable(one)) for one in given)
    names = [one.name for one in evaluators]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"evaluators share the name {twice[0]!r}: give them distinct names")
    return evaluators


def _callable(one: Any) -> Callable[..., Any]:
    if not callable(one):
        raise ConfigurationError(f"evaluator {one!r} is not callable")
    function: Callable[..., Any] = one
    return function


def _parameters(function: Callable[..., Any]) -> int | tuple[str, ...]:
    """How many positional arguments the function takes, or the known names of its keyword-only ones."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return 2
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return 3
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    known = ("outputs", "inputs", "ground_truth")
    named = tuple(one.name for one in parameters if one.name in known)
    if named and len(named) == len(parameters):
        return named
    return min(len(positional), 3)


def _value_of(answer: Any) -> tuple[Any, str | None, Mapping[str, Any]]:
    if not isinstance(answer, Mapping):
        return answer, None, {}
    explanation = answer.get("explanation")
    extras = {str(key): answer[key] for key in answer if key not in {"score", "explanation"}}
    return answer.get("score"), None if explanation is None else str(explanation), extras
