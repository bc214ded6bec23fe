"""What an evaluator does besides calling its function: repeat, transform, aggregate, check, assert."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from aitrace.honeyhive._errors import ConfigurationError

Expression = str | Callable[..., Any]

# Evaluators by their names: expressions may call them.
REGISTRY: dict[str, Callable[..., Any]] = {}


@dataclass
class EvalSettings:
    """The settings of one evaluator. None: not set.

    - ``repeat``: how often it is called; without ``aggregate`` the answer is a tuple of the scores.
    - ``transform``: what becomes of each score; names ``value`` and ``result``.
    - ``aggregate``: one score of all; names ``values`` and ``results``.
    - ``checker``: what stands for the last score in the end; names ``value``, ``result``, ``target``.
    - ``asserts``: a false answer raises AssertionError, in a run the error of that score.
    - ``weight``: 1.0 unless said otherwise, for expressions: ``result.weight``.

    The three expressions are Python, or functions of ``value``, of ``values`` and of ``value, target``; one
    that gives a function has that called so. Evaluators are known in them by name. ``wraps`` and
    ``evaluate`` are kept and change nothing.
    """

    name: str
    wraps: str | dict[str, Any] | None = None
    weight: float | None = None
    asserts: bool | None = None
    repeat: int | None = None
    transform: Expression | None = None
    aggregate: Expression | None = None
    checker: Expression | None = None
    target: Any = None
    evaluate: str | None = None

    def copy(self) -> EvalSettings:
        """Another with the same settings."""
        return replace(self)

    def keys(self) -> Iterable[str]:
        """The names of all settings."""
        return vars(self).keys()

    def update(self, eval_settings: EvalSettings | Mapping[str, Any] | None) -> None:
        """Takes over what is set there. Raises ValueError for a name that is no setting."""
        given = vars(eval_settings) if isinstance(eval_settings, EvalSettings) else eval_settings or {}
        for name, value in given.items():
            if name not in vars(self):
                raise ConfigurationError(f"{name!r} is no setting of an evaluator")
            if value is not None:
                setattr(self, name, value)

    def dict(self) -> dict[str, Any]:
        """The settings without the name."""
        return {name: value for name, value in vars(self).items() if name != "name"}

    @staticmethod
    def extract_eval_settings_and_kwargs(
        settings: Mapping[str, Any] | None,
    ) -> tuple[Any, Any]:
        """Splits keywords into settings and arguments of the evaluator's function."""
        given = settings or {}
        ours = {name: value for name, value in given.items() if name in EVALUATOR_SETTINGS_KEYS}
        return ours, {name: value for name, value in given.items() if name not in ours}

    def __str__(self) -> str:
        return json.dumps({name: str(value) for name, value in vars(self).items() if value is not None})


EVALUATOR_SETTINGS_KEYS = [one.name for one in fields(EvalSettings) if one.name != "name"]
_LAYERS = ("default", "defaults_yaml", "init", "config", "deco")


@dataclass
class EvaluatorSettings:
    """Settings and arguments of an evaluator by where they come from; the later win.

    Defaults, defaults of a file, the evaluator's own, a configuration's, the decorator's. ``explicit`` ones
    replace them all.
    """

    name: str
    default_settings: EvalSettings | None = None
    default_kwargs: dict[str, Any] = field(default_factory=dict)
    defaults_yaml_settings: EvalSettings | None = None
    defaults_yaml_kwargs: dict[str, Any] = field(default_factory=dict)
    init_settings: EvalSettings | None = None
    init_kwargs: dict[str, Any] = field(default_factory=dict)
    deco_settings: EvalSettings | None = None
    deco_kwargs: dict[str, Any] = field(default_factory=dict)
    config_settings: EvalSettings | None = None
    config_kwargs: dict[str, Any] = field(default_factory=dict)
    explicit_settings: EvalSettings | None = None
    explicit_kwargs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.default_settings is None:
            self.default_settings = EvalSettings(self.name, asserts=False, weight=1.0)

    def resolve_settings(self, settings: EvalSettings | Mapping[str, Any] | None = None) -> EvalSettings:
        """The settings that hold, with ``settings`` above all but explicit ones."""
        if self.explicit_settings is not None:
            return self.explicit_settings
        final = EvalSettings(self.name)
        for layer in _LAYERS:
            final.update(getattr(self, f"{layer}_settings"))
        final.update(settings)
        final.name = self.name
        return final

    def resolve_kwargs(self, kwargs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The arguments that hold, with ``kwargs`` above all but explicit ones."""
        if self.explicit_kwargs:
            return self.explicit_kwargs
        final: dict[str, Any] = {}
        for layer in _LAYERS:
            final.update(getattr(self, f"{layer}_kwargs"))
        return {**final, **(kwargs or {})}


class EvalResult:
    """A score with where it comes from; what it was made of is in ``metadata``."""

    def __init__(self, score: Any, init_method: str | None = None, **metadata: Any) -> None:
        self.score = score
        self.init_method = init_method or "evaluator"
        self.metadata = metadata
        weight = getattr(metadata.get("eval_settings"), "weight", None)
        self.weight: float = 1.0 if weight is None else weight

    def to_dict(self) -> dict[str, Any]:
        """The score and the metadata."""
        return {"score": self.score, "metadata": self.metadata}

    def copy(self) -> EvalResult:
        """Another with the same members."""
        return EvalResult(self.score, self.init_method, **self.metadata)

    def __repr__(self) -> str:
        return f"EvalResult({self.score!r}, {self.init_method!r})"


def checked(settings: EvalSettings) -> EvalSettings:
    """The settings, if they can be right. Raises ConfigurationError with the setting's name."""
    repeat: Any = settings.repeat
    if repeat is not None and (isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 1):
        raise ConfigurationError(f"evaluator {settings.name}: repeat must be a number from 1, not {repeat!r}")
    for name in ("transform", "aggregate", "checker"):
        said = getattr(settings, name)
        if isinstance(said, str):
            try:
                compile(said.strip(), f"<{name} of {settings.name}>", "eval")
            except SyntaxError as error:
                raise ConfigurationError(
                    f"evaluator {settings.name}: {name} is no expression: {error}"
                ) from error
        elif said is not None and not callable(said):
            raise ConfigurationError(
                f"evaluator {settings.name}: {name} must be an expression or a function, not {said!r}"
            )
    return settings


def stage(expression: Expression, names: Mapping[str, Any], arguments: tuple[Any, ...]) -> Any:
    """What an expression comes to: a value, or the answer (perhaps awaitable) of the function it gives."""
    made = expression
    if isinstance(expression, str):
        # Python of the user's own source, as much as the function beside it.
        made = eval(expression.strip(), dict(REGISTRY), dict(names))  # noqa: S307
    return made(*arguments) if callable(made) else made
