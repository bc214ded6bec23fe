"""Small public types."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal, NoReturn, TypeAlias

EventTypeName: TypeAlias = Literal["model", "tool", "chain", "session"]
LevelName: TypeAlias = Literal["debug", "info", "warning", "error"]


class EventType(str, Enum):
    """What a span is, coarsely. A member is its word: ``EventType.tool == "tool"``."""

    model = "model"
    tool = "tool"
    chain = "chain"
    session = "session"

    def __str__(self) -> str:
        return self.value


class FlushResult:
    """What became of spans and log records by the end of a flush; true when all is well.

    ``sent`` counts what was delivered since the last flush, ``remaining`` what still waits, ``spooled`` what
    was put aside on disk, ``dropped`` what was lost since the last flush, by reason. It does not change.
    """

    # By hand: `dataclasses` takes as long to load as all the rest of the package.
    __slots__ = __match_args__ = ("ok", "sent", "remaining", "spooled", "dropped")

    ok: bool
    sent: int
    remaining: int
    spooled: int
    dropped: dict[str, int]

    def __init__(
        self,
        ok: bool,
        sent: int = 0,
        remaining: int = 0,
        *,
        spooled: int = 0,
        dropped: dict[str, int] | None = None,
    ) -> None:
        values = (ok, sent, remaining, spooled, {} if dropped is None else dropped)
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a flush is over: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a flush is over: {name} cannot be deleted")

    def _parts(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __reduce__(self) -> tuple[Any, ...]:
        return _flush_result, self._parts()

    def __eq__(self, other: object) -> bool:
        return self._parts() == other._parts() if isinstance(other, FlushResult) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        parts = zip(self.__slots__, self._parts(), strict=True)
        return f"FlushResult({', '.join(f'{name}={value!r}' for name, value in parts)})"

    def __bool__(self) -> bool:
        return self.ok


def _flush_result(
    ok: bool, sent: int, remaining: int, *rest: Any
) -> FlushResult:  # what pickle and copy call
    spooled, dropped = rest
    return FlushResult(ok, sent, remaining, spooled=spooled, dropped=dropped)
