"""Requests over connections that are kept; one per thread at a time."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from aitrace import _native
from aitrace.honeyhive._errors import APIError, ErrorContext, ErrorResponse, HTTPException, MissingApiKeyError

if TYPE_CHECKING:
    from aitrace.honeyhive.utils.retry import RetryConfig

_MOST_KEPT = 8
_LONGEST_WAIT = 60.0


class Transport:
    """Sends JSON to one server and reads JSON back.

    A request that may be repeated (GET, PUT, DELETE, exports) is, when the fault passes.
    """

    def __init__(self, base_url: str, api_key: str | None, *, timeout: float, retry: RetryConfig) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise APIError(f"{base_url!r} is no http(s) address of a server")
        self.base_url = base_url.rstrip("/")
        self.api_key = api_key
        self.timeout = timeout
        self.retry = retry
        self._parts = parts
        self._kept: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        path: str,
        *,
        name: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        repeatable: bool | None = None,
        timeout: float | None = None,
    ) -> Any:
        """The body of a 200 answer; raises HTTPException for another, APIError where there is none.

        ``name`` stands in the message. Members of ``query`` that are None are left out.
        """
        target = self._parts.path.rstrip("/") + path + _query(query)
        payload = None if body is None else _native.to_json(body).encode("utf-8", "replace")
        again = method != "POST" if repeatable is None else repeatable
        delays = iter(self.retry.delays() if again else ())
        with ErrorContext(name, method=method, url=self.base_url + path, json_data=body):
            while True:
                wait = next(delays, None)
                try:
                    status, headers, raw = self._send(
                        method, target, payload, timeout=timeout or self.timeout
                    )
                except (OSError, http.client.HTTPException) as error:
                    if wait is None:
                        raise _unanswered(name, self.base_url, error) from error
                else:
                    if wait is None or status not in self.retry.retry_on_status_codes:
                        return self._read(name, status, raw)
                    wait = _asked(headers.get("retry-after"), wait)
                time.sleep(wait * (1 + random.random() * self.retry.backoff_strategy.jitter))  # noqa: S311 (jitter)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # half made, or at the interpreter's end
            self.close()

    def close(self) -> None:
        """Closes what is kept."""
        with self._lock:
            kept, self._kept = self._kept, []
        for connection in kept:
            connection.close()

    def _send(
        self, method: str, target: str, payload: bytes | None, *, timeout: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "aitrace-python",
        }
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        fresh = False
        while True:
            connection = self._take()
            if connection is None:
                fresh = True
                connection = self._connect()
            connection.timeout = timeout
            if connection.sock is not None:
                connection.sock.settimeout(timeout)
            response = None
            try:
                connection.request(method, target, payload, headers)
                response = connection.getresponse()
                raw = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                silent = response is None and isinstance(error, OSError)
                if not fresh and silent and not isinstance(error, TimeoutError):
                    continue  # the server had closed a kept one; one that takes long may have done its work
                raise
            if response.will_close:
                connection.close()
            else:
                self._keep(connection)
            return response.status, {key.lower(): value for key, value in response.getheaders()}, raw

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(host, port, timeout=self.timeout)

    def _take(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._kept.pop() if self._kept else None

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._kept) < _MOST_KEPT:
                self._kept.append(connection)
                return
        connection.close()

    def _read(self, name: str, status: int, raw: bytes) -> Any:
        said: Any = None
        with contextlib.suppress(ValueError):
            said = json.loads(raw) if raw else None
        if status == 200:
            if said is None and raw.strip() != b"null":
                raise HTTPException(status, f"{name}: the answer of {self.base_url} is no JSON")
            return said
        if status in {401, 403} and not self.api_key:
            raise MissingApiKeyError("project")
        message, code = _words(said)
        text = f"{name} failed with status code: {status}" + (f": {message}" if message else "")
        raise HTTPException(status, text, server_message=message, error_code=code)


def segment(value: str) -> str:
    """A value as one part of a path."""
    return quote(str(value), safe="")


def _query(query: Mapping[str, Any] | None) -> str:
    pairs: list[tuple[str, str]] = []
    for key, value in (query or {}).items():
        if value is None:
            continue
        if isinstance(value, Sequence) and not isinstance(value, str):
            pairs += [(f"{key}[]", str(item)) for item in value]
        elif isinstance(value, (dict, bool)):
            pairs.append((key, json.dumps(value)))
        else:
            pairs.append((key, str(value)))
    return "?" + urlencode(pairs) if pairs else ""


def _words(said: Any) -> tuple[str | None, str | None]:
    """The server's message and code, of its own errors and of HoneyHive's."""
    if not isinstance(said, dict):
        return None, None
    inner = said.get("error")
    if isinstance(inner, dict):
        return _text(inner.get("message")), _text(inner.get("kind"))
    return _text(said.get("message") or inner), _text(said.get("errorCode"))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _asked(header: str | None, wait: float) -> float:
    with contextlib.suppress(ValueError):
        return min(_LONGEST_WAIT, max(0.0, float(header or "")))
    return wait


def _unanswered(name: str, base_url: str, error: BaseException) -> APIError:
    reason = str(error) or type(error).__name__
    answer = ErrorResponse(error_type=type(error).__name__, error_message=reason)
    return APIError(f"{name}: {base_url} did not answer: {reason}", answer, error)
