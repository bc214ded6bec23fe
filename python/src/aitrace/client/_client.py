"""The client."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

from aitrace import _settings
from aitrace._errors import ConfigurationError
from aitrace.client import _read as read
from aitrace.client._http import Transport, endpoint
from aitrace.client._models import (
    SearchHit,
    SessionDetail,
    SessionInfo,
    SqlResult,
    TraceDetail,
    TraceInfo,
)
from aitrace.client._pages import Pages
from aitrace.client._resources import Datapoints, Datasets, Runs, Scores, segment

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

T = TypeVar("T")


class Client:
    """Asks one server; may be shared by threads. Raises APIError and its kinds.

    - ``server_url``: default ``AITRACE_SERVER_URL``, the configuration file, ``http://localhost:8000``.
    - ``api_key``: default ``AITRACE_API_KEY``, the configuration file, none.
    - ``timeout``: seconds that connecting, and each wait for bytes, may take.
    - ``retries``: how often a request is tried again after a passing fault (no connection, 408, 429,
      502, 503, 504), with growing pauses cut by chance and ``Retry-After`` respected. Where the server
      wants more than a minute, the error is raised at once.

    ``scores``, ``datasets``, ``datapoints`` and ``runs`` make and change things; the methods read.
    """

    def __init__(
        self,
        *,
        server_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 10.0,
        retries: int = 3,
    ) -> None:
        url = server_url if server_url is not None else _settings.server_url()
        key = api_key if api_key is not None else _settings.api_key()
        _check(url, key, timeout=timeout, retries=retries)
        self._transport = Transport(endpoint(url), key or None, timeout=timeout, retries=retries)
        self.scores = Scores(self._transport)
        self.datasets = Datasets(self._transport)
        self.datapoints = Datapoints(self._transport)
        self.runs = Runs(self._transport)

    @property
    def server_url(self) -> str:
        """The server's base URL, without a slash at its end."""
        return self._transport.server.url

    def __repr__(self) -> str:
        return f"<Client {self.server_url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections that are kept; a later call opens new ones."""
        self._transport.close()

    def traces(
        self,
        *,
        project: str | None = None,
        session_id: str | None = None,
        status: str | None = None,
        q: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
    ) -> Pages[TraceInfo]:
        """Traces, newest first, fetched page by page.

        ``status`` is running, ok, error or lost; ``q`` a text to look for; ``since`` and ``until`` are
        RFC 3339; ``limit`` bounds how many there are in all, None takes every one.
        """
        query = {
            "project": project,
            "session_id": session_id,
            "status": status,
            "q": q,
            "since": since,
            "until": until,
        }
        return self._pages("/api/traces", "traces", query, parse=TraceInfo.read, limit=limit)

    def trace(self, trace_id: str, *, project: str | None = None) -> TraceDetail:
        """One trace with its spans and log records; APIError with status 404 where there is none."""
        path = f"/api/trace/{segment(trace_id, 'trace_id')}"
        return TraceDetail.read(self._transport.json("GET", path, query={"project": project}))

    def sessions(self, *, project: str | None = None, limit: int | None = None) -> Pages[SessionInfo]:
        """Sessions, newest first, fetched page by page."""
        return self._pages(
            "/api/sessions", "sessions", {"project": project}, parse=SessionInfo.read, limit=limit
        )

    def session(self, session_id: str, *, project: str | None = None) -> SessionDetail:
        """One session with its traces; APIError with status 404 where there is none."""
        path = f"/api/session/{segment(session_id, 'session_id')}"
        return SessionDetail.read(self._transport.json("GET", path, query={"project": project}))

    def search(self, q: str, *, project: str | None = None, limit: int | None = None) -> Pages[SearchHit]:
        """Where a text occurs in spans and log records, fetched page by page."""
        return self._pages(
            "/api/search", "results", {"q": q, "project": project}, parse=SearchHit.read, limit=limit
        )

    def sql(self, sql: str) -> SqlResult:
        """Runs one read-only query over the views spans, logs, traces, sessions, scores, runs."""
        return SqlResult.read(self._transport.json("POST", "/api/sql", body={"sql": sql}))

    def _pages(
        self,
        path: str,
        name: str,
        query: dict[str, str | None],
        *,
        parse: Callable[[dict[str, Any]], T],
        limit: int | None,
    ) -> Pages[T]:
        def fetch(size: int, cursor: str | None) -> tuple[list[T], str | None]:
            answer = self._transport.json("GET", path, query={**query, "limit": size, "cursor": cursor})
            return read.items(answer, name, parse), read.maybe_text(read.mapping(answer), "next")

        return Pages(fetch, limit)


def _check(url: Any, key: Any, *, timeout: Any, retries: Any) -> None:
    if not isinstance(url, str):
        raise ConfigurationError(f"server_url must be a string, not {type(url).__name__}")
    if key is not None and (not isinstance(key, str) or not key.isascii() or not key.isprintable()):
        # Nothing of the key itself: errors are logged.
        raise ConfigurationError("api_key must be a string of printable ASCII characters")
    if not isinstance(timeout, (int, float)) or not math.isfinite(timeout) or timeout <= 0:
        raise ConfigurationError(f"timeout must be seconds above 0, not {timeout!r}")
    if not isinstance(retries, int) or retries < 0:
        raise ConfigurationError(f"retries must be a whole number from 0, not {retries!r}")
