"""Where the user's code is: file relative to the workspace root, line, function."""

from __future__ import annotations

import inspect
import os
import sys
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, NamedTuple

from aitrace import _settings

# Where a library is called from is nearly always nearer.
_MOST_FRAMES = 64
_STANDARD = os.path.dirname(os.__file__) + os.sep
_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Place(NamedTuple):
    """A place in source code."""

    file: str
    line: int
    function: str


@lru_cache(maxsize=1)
def workspace_root() -> str:
    """``AITRACE_WORKSPACE_ROOT``, else the nearest project folder from the working directory up."""
    given = _settings.variable("AITRACE_WORKSPACE_ROOT")
    if given:
        return os.path.abspath(os.path.expanduser(given))
    try:
        start = os.getcwd()
    except OSError:  # the working directory was deleted
        return os.sep
    folder = start
    while True:
        if any(
            os.path.lexists(os.path.join(folder, mark)) for mark in (".git", "pyproject.toml", "setup.py")
        ):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return start
        folder = parent


@lru_cache(maxsize=4096)
def relative(path: str) -> str:
    """A path relative to the workspace root; as it is where it lies elsewhere."""
    if path.startswith("<"):  # no file: <stdin>, <string>
        return path
    absolute = os.path.abspath(path)
    root = workspace_root().rstrip(os.sep) + os.sep
    inside = absolute[len(root) :] if absolute.startswith(root) else absolute
    return inside.replace(os.sep, "/")


@lru_cache(maxsize=4096)
def _of_code(code: CodeType) -> tuple[str, str]:
    # co_qualname is new in 3.11.
    return relative(code.co_filename), getattr(code, "co_qualname", code.co_name)


def of_function(function: Any) -> Place | None:
    """The place of a function's definition, None for one that is not written in Python."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if not isinstance(code, CodeType):
        return None
    file, name = _of_code(code)
    return Place(file, code.co_firstlineno, name)


def of_caller(depth: int = 1) -> Place | None:
    """The place in the user's code that called, ``depth`` frames above the caller of this function."""
    try:
        frame: FrameType | None = sys._getframe(depth + 1)
    except ValueError:
        return None
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    return None if frame is None else of_frame(frame)


def of_user_code() -> Place | None:
    """The place in the user's own code from which a library was called; None where there is none near."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return None
        if not _is_library(frame.f_code.co_filename) and not _is_ours(frame):
            return of_frame(frame)
        frame = frame.f_back
    return None


@lru_cache(maxsize=4096)
def _is_library(path: str) -> bool:
    return path.startswith("<frozen") or "site-packages" in path or path.startswith(_STANDARD)


def of_frame(frame: FrameType) -> Place:
    """The place where a frame is now."""
    file, name = _of_code(frame.f_code)
    return Place(file, frame.f_lineno, name)


def _is_ours(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__", "")
    return (
        isinstance(name, str)
        and (name == "aitrace" or name.startswith("aitrace."))
        and (frame.f_code.co_filename.startswith(_HERE))
    )
