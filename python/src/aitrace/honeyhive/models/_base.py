"""The base of requests and answers: named members, no more checks than that required ones are there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from aitrace.honeyhive._errors import ValidationError

if TYPE_CHECKING:
    from typing_extensions import Self


class Model:
    """Members as attributes and as items; others than the known ones are kept.

    Known members that were not given read as None. ``model_dump()`` gives plain dicts and lists of what
    was given.
    """

    fields: ClassVar[tuple[str, ...]] = ()
    required: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **members: Any) -> None:
        missing = [name for name in self.required if members.get(name) is None]
        if missing:
            raise ValidationError(f"{type(self).__name__} lacks {', '.join(missing)}")
        self.__dict__.update(members)

    def __getattr__(self, name: str) -> Any:
        if name in type(self).fields:
            return None
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getitem__(self, name: str) -> Any:
        try:
            return self.__dict__[name]
        except KeyError:
            if name in type(self).fields:
                return None
            raise

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(self.__dict__)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Model):
            return self.model_dump() == other.model_dump()
        return isinstance(other, Mapping) and self.model_dump() == dict(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        members = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({members})"

    def get(self, name: str, default: Any = None) -> Any:
        """A member, ``default`` where it was not given."""
        return self.__dict__.get(name, default)

    @classmethod
    def model_validate(cls, members: Mapping[str, Any] | Model) -> Self:
        """One of this class from a mapping or another model."""
        return cls(**(dict(members) if isinstance(members, Mapping) else members.model_dump()))

    def model_dump(self, *, exclude_none: bool = False, **_others: Any) -> dict[str, Any]:
        """The members as plain dicts, lists and scalars."""
        dumped = {name: plain(value) for name, value in self.__dict__.items()}
        return {name: value for name, value in dumped.items() if not (exclude_none and value is None)}

    def model_dump_json(self, **options: Any) -> str:
        """The members as JSON text."""
        return json.dumps(self.model_dump(**options), default=str)

    dict = model_dump
    to_dict = model_dump


# What users wrote: these stay the dicts they are.
_DATA = frozenset(
    {
        "config", "configuration", "feedback", "ground_truth", "history", "inputs", "metadata", "metrics",
        "outputs", "parameters", "results", "user_properties",
    }
)  # fmt: skip


class Answer(Model):
    """An answer of the server, or a part of one: its objects are answers, too, but for the users' data."""

    def __init__(self, **members: Any) -> None:
        super().__init__(**{name: _answer(name, value) for name, value in members.items()})


def _answer(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_answer(name, item) for item in value]
    if isinstance(value, Mapping) and name not in _DATA:
        return Answer(**{str(key): item for key, item in value.items()})
    return value


def plain(value: Any) -> Any:
    """Models and enums as what they stand for, within dicts and lists, too."""
    if isinstance(value, Model):
        return value.model_dump()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
