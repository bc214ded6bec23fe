"""The environment: read here and nowhere else. An empty variable is an unset one."""

from __future__ import annotations

import json
import os

from aitrace import _native


def variable(name: str) -> str | None:
    """The value of an environment variable, None where unset or blank."""
    value = os.environ.get(name, "").strip()
    return value or None


def from_file(key: str) -> str | None:
    """A text of the configuration file, None where it says none."""
    text, _, _ = _native.config_current()
    value = json.loads(text).get(key)
    return value if isinstance(value, str) and value.strip() else None


def setting(name: str, key: str) -> str | None:
    """A variable, else what the configuration file says."""
    return variable(name) or from_file(key)


def server_url() -> str:
    """``AITRACE_SERVER_URL``, else the configuration file's, else the local server."""
    return setting("AITRACE_SERVER_URL", "server-url") or "http://localhost:8000"


def api_key() -> str | None:
    """``AITRACE_API_KEY``, else the configuration file's."""
    return setting("AITRACE_API_KEY", "api-key")


def flag(name: str) -> bool:
    """Whether an environment variable says yes."""
    return (variable(name) or "").lower() in {"1", "true", "yes", "on"}
