"""The variables that code written against `honeyhive` is configured by.

``HH_NAME`` is always read. The names without a prefix (``RUN_ID``, ``SESSION_NAME``, …) are what CI systems
set for purposes of their own: they are read only where ``AITRACE_HONEYHIVE_BARE_ENV`` says so.
"""

from __future__ import annotations

import contextlib
import json
import logging
from typing import Any

from aitrace import _settings

_log = logging.getLogger("aitrace.honeyhive")
_TRUE = {"1", "true", "yes", "on"}
_DEFAULT_SERVER = "http://localhost:8000"


def text(name: str, *, bare: bool = False) -> str | None:
    """``HH_NAME``; with ``bare`` also ``NAME``, where that is switched on."""
    found = _settings.variable(f"HH_{name}")
    if found is None and bare and _settings.flag("AITRACE_HONEYHIVE_BARE_ENV"):
        found = _settings.variable(name)
    return found


def flag(name: str, given: bool | None = None, *, bare: bool = False) -> bool:
    """What was given, else whether the variable says yes."""
    return (text(name, bare=bare) or "").lower() in _TRUE if given is None else bool(given)


def number(name: str, given: float | None, default: float) -> float:
    """What was given, else the variable where it is a positive number, else the default."""
    if given is not None:
        return float(given)
    with contextlib.suppress(ValueError):
        found = float(text(name) or "")
        if found > 0:
            return found
    return default


def members(name: str, *, bare: bool = False) -> dict[str, Any] | None:
    """A variable that holds a JSON object; None, with a warning, where it holds something else."""
    raw = text(name, bare=bare)
    if raw is None:
        return None
    with contextlib.suppress(ValueError):
        found = json.loads(raw)
        if isinstance(found, dict):
            return found
    _log.warning("HH_%s is no JSON object and is ignored", name)
    return None


def api_key() -> str | None:
    """``HH_API_KEY``, else ``AITRACE_API_KEY``."""
    return text("API_KEY") or _settings.variable("AITRACE_API_KEY")


def given_url(given: str | None = None) -> str | None:
    """The server's address, where one is given or set by a variable of `honeyhive`; http(s) only."""
    for found in (
        given,
        text("API_URL"),
        _settings.variable("HONEYHIVE_SERVER_URL"),
        text("SERVER_URL"),
    ):
        if not found:
            continue
        if str(found).startswith(("http://", "https://")):
            return str(found).rstrip("/")
        _log.warning("%r is no http(s) address of a server and is ignored", found)
    return None


def server_url(given: str | None = None) -> str:
    """The address of the server for REST calls."""
    found = given_url(given) or _settings.variable("AITRACE_SERVER_URL") or _DEFAULT_SERVER
    return found.rstrip("/")
