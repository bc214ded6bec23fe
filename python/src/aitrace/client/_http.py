"""Requests: connections that are kept, retries, answers as JSON or as errors.

The standard library's client: it can be interrupted while it waits, needs no dependency, and is imported
by the first request only. No redirect is followed, so that a key never reaches another host.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import ssl
import threading
import time
import uuid
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from aitrace._errors import APIError, AuthenticationError, ConfigurationError, RateLimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Query = Mapping[str, "str | int | float | bool | Sequence[str] | None"]

# A passing fault: what OpenTelemetry's clients resend after, and a server that gave up waiting.
_PASSING = frozenset({408, 429, 502, 503, 504})
_IDLE = 8
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
# A server that wants to be left alone for longer is an error to its caller, not a long sleep.
_LONGEST_WISH = 60.0
_MOST_BYTES = 1 << 30


class Request(NamedTuple):
    """One request: the target is path and query."""

    method: str
    target: str
    headers: dict[str, str]
    content: bytes | None


class Answer(NamedTuple):
    """One answer of a server."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Endpoint(NamedTuple):
    """Where a server is."""

    secure: bool
    host: str
    port: int | None
    path: str
    url: str


def endpoint(url: str) -> Endpoint:
    """The parts of a base URL; ConfigurationError for what is none."""
    wrong = ConfigurationError(f"server_url must be like http://localhost:8000, not {url!r}")
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise wrong
    if parts.username is not None or any(ord(char) <= 32 or ord(char) == 127 for char in parts.path):
        raise wrong
    path = parts.path.rstrip("/")
    return Endpoint(parts.scheme == "https", host, port, path, f"{parts.scheme}://{parts.netloc}{path}")


class Transport:
    """Speaks to one server; may be used by many threads. ``sleep`` and ``chance`` are for tests."""

    def __init__(
        self,
        server: Endpoint,
        api_key: str | None,
        *,
        timeout: float,
        retries: int,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,  # noqa: S311 - jitter of pauses
    ) -> None:
        self.server = server
        self._headers = {"accept": "application/json", "user-agent": "aitrace-python"}
        if api_key is not None:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._timeout = timeout
        self._retries = retries
        self._sleep = sleep
        self._chance = chance
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []
        self._process = os.getpid()
        self._context: ssl.SSLContext | None = None

    def json(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        content: bytes | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """The JSON value of an answer; None for an empty one. Raises APIError.

        ``body`` is sent as JSON, ``content`` as it is. A POST carries an ``Idempotency-Key``, the same
        one each time it is tried.
        """
        headers = dict(self._headers)
        if content is None and body is not None:
            content = _encode(body)
        if content is not None:
            headers["content-type"] = content_type
        if method == "POST":
            headers["idempotency-key"] = uuid.uuid4().hex
        target = self.server.path + path + _query(query)
        answer = self._patient(Request(method, target, headers, content))
        if not answer.body:
            return None
        try:
            return json.loads(answer.body)
        except ValueError:
            raise APIError(
                f"{method} {self.server.url}{path}: the answer is no JSON: is this an aitrace server?",
                status=answer.status,
            ) from None

    def close(self) -> None:
        """Closes the connections that are kept; a later request opens new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _patient(self, request: Request) -> Answer:
        attempt = 0
        while True:
            failure: Exception | None = None
            wish = None
            try:
                answer = self._once(request)
                if 200 <= answer.status < 300:
                    return answer
                wish = retry_after(answer.headers.get("retry-after"))
                error = self._refusal(request, answer, wish=wish)
                passing = answer.status in _PASSING and (wish is None or wish <= _LONGEST_WISH)
            except (OSError, http.client.HTTPException) as fault:
                failure, passing = fault, True
                error = self._silence(request, fault)
            if not passing or attempt >= self._retries:
                raise error from failure
            # Full jitter: clients that failed together must not come back together.
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**attempt) * self._chance()
            self._sleep(max(pause, wish or 0.0))
            attempt += 1

    def _once(self, request: Request) -> Answer:
        kept = self._take()
        if kept is not None:
            try:
                return self._exchange(kept, request)
            except (ConnectionError, http.client.BadStatusLine):
                pass  # The server closed it while nobody looked: a new one tells the truth.
        return self._exchange(self._connect(), request)

    def _exchange(self, connection: http.client.HTTPConnection, request: Request) -> Answer:
        try:
            connection.request(request.method, request.target, body=request.content, headers=request.headers)
            response = connection.getresponse()
            body = response.read(_MOST_BYTES + 1)
            if len(body) > _MOST_BYTES:
                raise http.client.HTTPException(f"the answer is larger than {_MOST_BYTES} bytes")
            # read(n) says nothing where the other side stopped short of what it promised.
            if response.length:
                raise http.client.IncompleteRead(body, response.length)
            names = {name.lower(): value for name, value in response.getheaders()}
        except BaseException:
            connection.close()
            raise
        self._give_back(connection, keep=not response.will_close)
        return Answer(response.status, names, body)

    def _connect(self) -> http.client.HTTPConnection:
        server = self.server
        if not server.secure:
            return http.client.HTTPConnection(server.host, server.port, timeout=self._timeout)
        if self._context is None:
            self._context = ssl.create_default_context()
        return http.client.HTTPSConnection(
            server.host, server.port, timeout=self._timeout, context=self._context
        )

    def _take(self) -> http.client.HTTPConnection | None:
        with self._lock:
            if self._process != os.getpid():
                # After a fork they are the parent's, which closing them here does not disturb.
                for connection in self._idle:
                    connection.close()
                self._idle.clear()
                self._process = os.getpid()
            return self._idle.pop() if self._idle else None

    def _give_back(self, connection: http.client.HTTPConnection, *, keep: bool) -> None:
        with self._lock:
            if keep and len(self._idle) < _IDLE and self._process == os.getpid():
                self._idle.append(connection)
                return
        connection.close()

    def _silence(self, request: Request, fault: Exception) -> APIError:
        what = f"no answer within {self._timeout:g} s" if isinstance(fault, TimeoutError) else str(fault)
        return APIError(f"{request.method} {self._where(request.target)}: {what or type(fault).__name__}")

    def _refusal(self, request: Request, answer: Answer, *, wish: float | None) -> APIError:
        kind, message, hint = _explanation(answer.body)
        if 300 <= answer.status < 400:
            place = answer.headers.get("location", "elsewhere")
            message = f"redirected to {place}; redirects are not followed: set server_url to the right one"
        text = f"{request.method} {self._where(request.target)}: {answer.status}: {message or 'refused'}"
        if hint:
            text = f"{text} ({hint})"
        if answer.status in {401, 403}:
            return AuthenticationError(text, status=answer.status, kind=kind, hint=hint)
        if answer.status == 429:
            return RateLimitError(text, kind=kind, hint=hint, retry_after=wish)
        return APIError(text, status=answer.status, kind=kind, hint=hint)

    def _where(self, target: str) -> str:
        # Without the query, which may hold what the user searches for.
        return self.server.url + target[len(self.server.path) :].partition("?")[0]


def _encode(body: object) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"what was given cannot be sent as JSON: {error}") from error


def _query(query: Query | None) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in (query or {}).items():
        if isinstance(value, bool):
            pairs.append((name, "true" if value else "false"))
        elif isinstance(value, (str, int, float)):
            pairs.append((name, str(value)))
        elif value is not None:
            pairs += [(f"{name}[]", item) for item in value]
    return f"?{urlencode(pairs)}" if pairs else ""


def _explanation(body: bytes) -> tuple[str | None, str | None, str | None]:
    """Kind, message and hint of an error's body; a short text stands as the message."""
    with contextlib.suppress(ValueError, AttributeError, KeyError, TypeError):
        error = json.loads(body)["error"] if body else {}
        if isinstance(error, str):
            return None, error, None
        texts = [error.get(name) for name in ("kind", "message", "hint")]
        kind, message, hint = (text if isinstance(text, str) and text else None for text in texts)
        return kind, message, hint
    with contextlib.suppress(KeyError, TypeError, ValueError):
        text = json.loads(body)["message"]
        return None, text if isinstance(text, str) else None, None
    return None, body[:200].decode("utf-8", "replace").strip() or None, None


def retry_after(value: str | None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, as a number or as a date; None for nonsense."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), 1e9)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
