"""Where the user's code is: file relative to the workspace root, line, function."""

from __future__ import annotations

import contextlib
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


def set_workspace_root(path: str | os.PathLike[str] | None) -> None:
    """Sets the folder that paths of source code are relative to, from now on; None: it is found again."""
    forget_root()
    _chosen.clear()
    if path is not None:
        _chosen.append(os.path.abspath(os.path.expanduser(os.fspath(path))))


_chosen: list[str] = []


def forget_root() -> None:
    """Has the workspace root looked for again."""
    _found_root.cache_clear()
    relative.cache_clear()
    _of_code.cache_clear()


def workspace_root() -> str:
    """What was set, else what environment and configuration file say, else the nearest project's folder."""
    return _chosen[0] if _chosen else _found_root()


@lru_cache(maxsize=1)
def _found_root() -> str:
    given = _settings.setting("AITRACE_WORKSPACE_ROOT", "workspace-root")
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
    root = workspace_root().rstrip(os.sep) + os.sep
    absolute = os.path.abspath(path)
    if not absolute.startswith(root):
        # One of both may go through a link.
        real = os.path.realpath(absolute)
        base = os.path.realpath(root).rstrip(os.sep) + os.sep
        absolute, root = (real, base) if real.startswith(base) else (absolute, root)
    inside = absolute[len(root) :] if absolute.startswith(root) else absolute
    return inside.replace(os.sep, "/")


@lru_cache(maxsize=4096)
def _of_code(code: CodeType) -> tuple[str, str]:
    # co_qualname is new in 3.11.
    return relative(code.co_filename), getattr(code, "co_qualname", code.co_name)


def of_function(function: Any) -> Place | None:
    """The place of a function's definition, None for one that is not written in Python."""
    code = _code_of(function)
    if code is None:
        return None
    file, name = _of_code(code)
    return Place(file, code.co_firstlineno, name)


def _code_of(function: Any) -> CodeType | None:
    """The code of what a callable is about: through decorators, methods, partials and callable objects."""
    for _ in range(_MOST_FRAMES):
        try:
            import inspect  # takes long to load, and is needed with the first traced function only

            function = inspect.unwrap(function)
        except ValueError:  # wrapped in itself
            return None
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            return code
        inner = getattr(function, "__func__", None) or getattr(function, "func", None)
        if inner is None and not isinstance(function, type):
            inner = vars(type(function)).get("__call__")
        if inner is None or inner is function:
            return None
        function = inner
    return None


def of_caller(depth: int = 1) -> Place | None:
    """The place in the user's code that called, ``depth`` frames above the caller of this function."""
    try:
        frame: FrameType | None = sys._getframe(depth + 1)
    except ValueError:
        return None
    while frame is not None and (_is_ours(frame) or frame.f_code.co_filename == contextlib.__file__):
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
    """The place where a frame is now; in a notebook the notebook's own path, where the editor tells it."""
    file, name = _of_code(frame.f_code)
    notebook = frame.f_globals.get("__vsc_ipynb_file__")
    if isinstance(notebook, str) and frame.f_globals.get("__name__") == "__main__":
        file = relative(notebook)
    return Place(file, frame.f_lineno, name)


def _is_ours(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__", "")
    return (
        isinstance(name, str)
        and (name == "aitrace" or name.startswith("aitrace."))
        and (frame.f_code.co_filename.startswith(_HERE))
    )
