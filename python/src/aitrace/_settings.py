"""The environment: read here and nowhere else. An empty variable is an unset one."""

from __future__ import annotations

import os


def variable(name: str) -> str | None:
    """The value of an environment variable, None where unset or blank."""
    value = os.environ.get(name, "").strip()
    return value or None


def flag(name: str) -> bool:
    """Whether an environment variable says yes."""
    return (variable(name) or "").lower() in {"1", "true", "yes", "on"}


def server_url() -> str:
    """``AITRACE_SERVER_URL``, else the local server."""
    return variable("AITRACE_SERVER_URL") or "http://localhost:8000"


def api_key() -> str | None:
    """``AITRACE_API_KEY``."""
    return variable("AITRACE_API_KEY")
