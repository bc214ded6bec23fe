"""Small public types."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, TypeAlias

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


@dataclass(frozen=True)
class FlushResult:
    """What became of spans and log records by the end of a flush; true when all is well.

    ``sent`` counts what was delivered since the last flush, ``remaining`` what still waits, ``spooled`` what
    was put aside on disk, ``dropped`` what was lost since the last flush, by reason.
    """

    ok: bool
    sent: int = 0
    remaining: int = 0
    spooled: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.ok
