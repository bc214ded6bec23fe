"""Settings from files and from the environment.

What a program says goes before ``AITRACE_*``, which goes before ``~/.config/aitrace/config.toml`` and
``config.yaml`` (of two files the TOML one wins key by key; ``AITRACE_CONFIG`` names another file instead),
which goes before the defaults. A file that cannot be read never stops a program: one line on stderr says what
is wrong with it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aitrace import _native, _place, _settings
from aitrace._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Config", "get_config", "init_config_files", "load_config", "set_compat_mode"]

Format = Literal["toml", "yaml"]


@dataclass(frozen=True)
class Config:
    """What is in force for tracers that are made now and say nothing else themselves.

    ``values`` is everything that the files say, by keys written with ``-``; ``files`` are those that were
    found, the one that goes before first; ``errors`` say what is wrong with others.
    """

    project: str
    source: str
    server_url: str
    target: str | None
    service: str | None
    api_key: str | None = field(repr=False)
    compat_mode: bool
    workspace_root: str
    values: Mapping[str, Any] = field(repr=False)
    files: tuple[Path, ...]
    errors: tuple[str, ...]


def load_config(path: str | os.PathLike[str] | None = None, *, strict: bool = False) -> Config:
    """Reads the configuration files again, or only the one at ``path``, and makes that the process's.

    Tracers that exist keep what they were made with, but for the compatibility mode, which files and
    environment give to tracers when they are made. With ``strict``, a file that cannot be read raises
    ConfigurationError, as does a ``path`` that does not exist; else it is told on stderr and not used.
    """
    if strict and path is not None and not Path(path).exists():
        raise ConfigurationError(f"{os.fspath(path)}: there is no such file")
    loaded = _native.config_reload(None if path is None else [Path(path)])
    if strict and loaded[2]:
        raise ConfigurationError("; ".join(loaded[2]))
    _place.forget_root()
    return _config(loaded)


def get_config() -> Config:
    """What is in force; the files are read once in a process, the environment each time."""
    return _config(_native.config_current())


def set_compat_mode(mode: bool | None) -> None:
    """Repeats ``timestamp`` at the top level of trace records, or does not, from the next record on.

    It holds for everything in this process that writes records, whatever the environment and files say;
    None goes back to what those say.
    """
    _native.set_compat_mode(None if mode is None else bool(mode))


def init_config_files(
    folder: str | os.PathLike[str] | None = None, *, formats: Sequence[Format] = ("toml", "yaml")
) -> list[Path]:
    """Writes a commented file of each format that does not exist yet; the paths of those written.

    ``folder`` is ``~/.config/aitrace`` unless named. An existing file is never touched. Raises
    ConfigurationError where nothing can be written.
    """
    place = Path(folder).expanduser() if folder is not None else _native.config_folder()
    if place is None:
        raise ConfigurationError("there is no home folder: name a folder")
    written = []
    try:
        place.mkdir(parents=True, exist_ok=True)
        for kind in formats:
            path = place / f"config.{kind}"
            # Exclusive: it fails on what is there, also on what came there a moment ago. It may hold a key.
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(_template(kind))
            written.append(path)
    except OSError as error:
        raise ConfigurationError(f"{place}: {error.strerror or error}") from error
    return written


def _config(loaded: tuple[str, Sequence[Path], Sequence[str]]) -> Config:
    text, files, errors = loaded
    values: dict[str, Any] = json.loads(text)

    def say(variable: str, key: str) -> str | None:
        value = values.get(key)
        said = value if isinstance(value, str) and value.strip() else None
        return _settings.variable(variable) or said

    target = _settings.variable("AITRACE_TARGET") or _settings.variable("LOG_TRG")
    if target is None and _settings.variable("AITRACE_SERVER_URL") is None:
        target = say("AITRACE_TARGET", "target")
    return Config(
        project=say("AITRACE_PROJECT", "project") or "default",
        source=say("AITRACE_SOURCE", "source") or "dev",
        server_url=say("AITRACE_SERVER_URL", "server-url") or "http://localhost:8000",
        target=target,
        service=say("OTEL_SERVICE_NAME", "service"),
        api_key=say("AITRACE_API_KEY", "api-key"),
        compat_mode=_native.compat_mode(),
        workspace_root=_place.workspace_root(),
        values=values,
        files=tuple(Path(file) for file in files),
        errors=tuple(errors),
    )


_LINES = (
    ("project", "support", "Project of everything that is recorded. Default: default."),
    ("source", "prod", "Environment. Default: dev."),
    ("server-url", "http://localhost:8000", "The server. This is its default."),
    ("target", "~/traces/<YYYYMMDD_HHMMSS>.jsonl", 'Instead of a server: a file, or "-" for stdout.'),
    ("api-key", "KEY", "Key for the server. Default: none."),
    ("service", "agent", "Name of the service. Default: none."),
    ("workspace-root", "~/work/agent", "Folder that paths of source code are relative to. Default: found."),
    ("compat-mode", True, "Repeat timestamp at the top level of trace records. Default: false."),
)


def _template(kind: Format) -> str:
    """The file with every setting in a comment."""
    sign = " =" if kind == "toml" else ":"
    lines = ["# Settings of aitrace. AITRACE_* variables go before this file, programs before both.", ""]
    for key, value, about in _LINES:
        lines += [f"# {about}", f"#{key}{sign} {json.dumps(value)}", ""]
    return "\n".join(lines)
