"""A logger that keeps its records until they are flushed: to a server, a file, standard output."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import traceback
import weakref
from collections import deque
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from aitrace import _native, _place, _settings
from aitrace._auto import SpanBlock
from aitrace._errors import APIError, ConfigurationError
from aitrace._records import log_line
from aitrace._types import FlushResult

if TYPE_CHECKING:
    from aitrace._types import EventType, EventTypeName

# As one request of records; the server takes far more.
_REQUEST_BYTES = 4 << 20
_AWAY = "server_away"


class _Buffer:
    """The lines of one thread, and how many did not fit."""

    def __init__(self, thread: threading.Thread) -> None:
        self.thread = weakref.ref(thread)
        self.lines: deque[str] = deque()
        self.bytes = 0

    def is_left(self) -> bool:
        """Whether its thread has ended."""
        thread = self.thread()
        return thread is None or not thread.is_alive()


class _Aside:
    """What was put aside, and where."""

    def __init__(self) -> None:
        self.records = 0
        self.folder = ""
        self.pages: list[str] = []
        self.problem = ""


class RecordLogger:
    """Writes trace records into a buffer: ``info("event", key=value)`` and the like; ``bind`` adds fields."""

    def __init__(self, owner: BufferedLogger, fields: dict[str, Any]) -> None:
        self._owner = owner
        self._fields = fields

    def bind(self, **fields: Any) -> RecordLogger:
        """A logger whose records carry these fields, too."""
        return RecordLogger(self._owner, {**self._fields, **fields})

    def unbind(self, *names: str) -> RecordLogger:
        """A logger whose records do not carry these fields."""
        return RecordLogger(self._owner, {key: self._fields[key] for key in self._fields if key not in names})

    def debug(self, event: object, *args: object, **fields: Any) -> None:
        """Writes a record of level debug."""
        self._write("debug", event, args, fields=fields)

    def info(self, event: object, *args: object, **fields: Any) -> None:
        """Writes a record of level info."""
        self._write("info", event, args, fields=fields)

    def warning(self, event: object, *args: object, **fields: Any) -> None:
        """Writes a record of level warning."""
        self._write("warning", event, args, fields=fields)

    warn = warning

    def error(self, event: object, *args: object, **fields: Any) -> None:
        """Writes a record of level error."""
        self._write("error", event, args, fields=fields)

    critical = error

    def exception(self, event: object, *args: object, **fields: Any) -> None:
        """Writes a record of level error with the exception that is being handled."""
        self._write("error", event, args, fields={"exc_info": True, **fields})

    def _write(self, level: str, event: object, args: tuple[object, ...], *, fields: dict[str, Any]) -> None:
        # A log line must never cost the program that writes it.
        with contextlib.suppress(Exception):
            text = str(event)
            if args:
                with contextlib.suppress(TypeError, ValueError):
                    text %= args
            data = {**_bound(), **self._fields, **fields}
            error = data.pop("exc_info", None)
            if error:
                data["exception"] = _exception(error)
            place = _place.of_caller(2)
            line = log_line(text, level=level, fields=data, place=place, logger=self._owner.name)
            self._owner._add(line)


def _bound() -> dict[str, Any]:
    """What structlog's context variables hold, where it is in use."""
    variables = sys.modules.get("structlog.contextvars")
    return variables.get_contextvars() if variables is not None else {}


def _exception(info: Any) -> str:
    if isinstance(info, BaseException):
        return "".join(traceback.format_exception(info))
    if isinstance(info, tuple):
        return "".join(traceback.format_exception(*info))
    return traceback.format_exc()


class BufferedLogger:
    """Keeps trace records until ``flush``, thread by thread.

    - ``target``: ``http(s)://…`` (a server's base URL), a path (``~`` and ``<YYYYMMDD_HHMMSS>``, UTC, are
      expanded once), or ``"-"`` for stdout; default ``AITRACE_TARGET``/``LOG_TRG``, ``AITRACE_SERVER_URL``,
      the configuration file's, ``http://localhost:8000``.
    - ``name``: of the logger; ``api_key`` for the server.
    - ``max_bytes``: of all threads together; the oldest records of the thread that writes go first, and
      ``flush`` tells how many were lost.

    Of a file a flush is on disk or not at all. Where a server is away, records stay for the next flush.
    Nothing here raises but the constructor, for arguments that cannot be right. What is left when the
    program ends is flushed once more; what a server does not take then is put aside on disk, as spans are,
    for the next tracer with this server and project or for ``aitrace import``, and shown on a page where
    ``AITRACE_FALLBACK_HTML`` names a folder.
    """

    def __init__(
        self,
        target: str | os.PathLike[str] | None = None,
        *,
        name: str | None = None,
        api_key: str | None = None,
        max_bytes: int = 64 << 20,
    ) -> None:
        self.name = name
        self.target = _target(target)
        self.logger = RecordLogger(self, {})
        self._api_key = api_key
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._local = threading.local()
        self._buffers: list[_Buffer] = []
        self._bytes = 0
        self._dropped = 0
        self._process = os.getpid()
        _alive.add(self)

    def trace_context(
        self,
        tracer: _native.Tracer | None = None,
        name: str | None = None,
        *,
        event_type: EventType | EventTypeName | None = None,
        kind: str | None = None,
    ) -> SpanBlock:
        """A span of ``tracer`` for a block, whose start and end stand in this buffer.

        Records of ``auto_span`` and ``trace_context`` within the block stand in it, too.
        """
        return SpanBlock(name, tracer=tracer, event_type=event_type, kind=kind, lines=self._add)

    def get_logs(self) -> list[dict[str, Any]]:
        """The records that the calling thread has written since the last flush, oldest first."""
        with self._lock:
            lines = list(self._own().lines)
        return [json.loads(line) for line in lines]

    def clear(self) -> None:
        """Forgets the calling thread's records; those of other threads stay."""
        with self._lock:
            own = self._own()
            self._bytes -= own.bytes
            own.lines.clear()
            own.bytes = 0

    def flush(self, timeout: float = 10.0) -> FlushResult:
        """Delivers the calling thread's records, and those of threads that have ended; says what came of it.

        Waits up to ``timeout`` seconds, also for a flush of another thread.
        """
        deadline = time.monotonic() + timeout
        if not self._sending.acquire(timeout=max(0.0, timeout)):
            with self._lock:
                return FlushResult(ok=False, remaining=len(self._own().lines))
        try:
            return self._flush(deadline, everything=False)
        except Exception:  # never into the program
            with self._lock:
                return FlushResult(ok=False, remaining=len(self._own().lines))
        finally:
            self._sending.release()

    def _own(self) -> _Buffer:
        """The calling thread's buffer. The lock is held."""
        if self._process != os.getpid():  # a child has not written what it inherited
            self._process = os.getpid()
            self._local = threading.local()
            self._buffers, self._bytes, self._dropped = [], 0, 0
        buffer: _Buffer | None = getattr(self._local, "buffer", None)
        if buffer is None:
            buffer = self._local.buffer = _Buffer(threading.current_thread())
            self._buffers.append(buffer)
        return buffer

    def _add(self, line: str) -> None:
        size = len(line)
        with self._lock:
            own = self._own()
            own.lines.append(line)
            own.bytes += size
            self._bytes += size
            while self._bytes > self._max_bytes and own.lines:
                self._drop_first(own)
                self._dropped += 1

    def _drop_first(self, buffer: _Buffer) -> None:
        size = len(buffer.lines.popleft())
        buffer.bytes -= size
        self._bytes -= size

    def _flush(self, deadline: float, *, everything: bool) -> FlushResult:
        with self._lock:
            own = self._own()
            wanted = [buffer for buffer in self._buffers if everything or buffer is own or buffer.is_left()]
        sent, refused = 0, 0
        problem = ""
        for buffer in wanted:
            while buffer.lines and not problem:
                lines = self._some(buffer)
                taken, problem = self._deliver(lines, deadline)
                if not problem:
                    sent += taken
                    refused += len(lines) - taken
                    self._forget(buffer, lines)
        with self._lock:
            remaining = sum(len(buffer.lines) for buffer in wanted)
            self._buffers = [b for b in self._buffers if b.lines or not b.is_left()]
            dropped = {"buffer_full": self._dropped, "refused": refused}
            self._dropped = 0
        lost = {reason: count for reason, count in dropped.items() if count}
        return FlushResult(ok=not problem and not lost, sent=sent, remaining=remaining, dropped=lost)

    def _put_aside(self) -> _Aside:
        """At exit: puts what a server has not taken on disk."""
        aside = _Aside()
        if not self.target.startswith(("http://", "https://")):
            return aside
        by_project: dict[str | None, list[str]] = {}
        for buffer in self._buffers:
            for line in buffer.lines:
                by_project.setdefault(_project_of(line), []).append(line)
        for project, lines in by_project.items():
            try:
                put = _native.put_aside(self.target, project, lines)
            except OSError as error:
                aside.problem = str(error)
                continue
            if put is not None:
                records, folder, page = put
                aside.records += records
                aside.folder = str(folder)
                aside.pages += [str(page)] if page is not None else []
        return aside

    def _some(self, buffer: _Buffer) -> list[str]:
        """The first lines of a buffer, as many as go at once."""
        lines: list[str] = []
        size = 0
        with self._lock:
            for line in buffer.lines:
                size += len(line)
                if lines and size > _REQUEST_BYTES:
                    break
                lines.append(line)
        return lines

    def _forget(self, buffer: _Buffer, lines: list[str]) -> None:
        with self._lock:
            for line in lines:
                # Some may have made room for newer ones, or been cleared, meanwhile.
                if buffer.lines and buffer.lines[0] is line:
                    self._drop_first(buffer)

    def _deliver(self, lines: list[str], deadline: float) -> tuple[int, str]:
        """How many the target took, and why it took none at all."""
        text = "\n".join(lines) + "\n"
        if self.target == "-":
            try:
                sys.stdout.write(text)
                sys.stdout.flush()
            except (OSError, ValueError) as error:
                return 0, str(error)
            return len(lines), ""
        if self.target.startswith(("http://", "https://")):
            return self._post(text, len(lines), deadline)
        return _append(self.target, text, len(lines))

    def _post(self, text: str, count: int, deadline: float) -> tuple[int, str]:
        from aitrace.client._http import Transport, endpoint

        left = deadline - time.monotonic()
        if left <= 0:
            return 0, "timeout"
        base = self.target[: -len(_INGEST)] if self.target.endswith(_INGEST) else self.target
        key = self._api_key or _settings.api_key()
        transport = Transport(endpoint(base), key, timeout=min(left, 10.0), retries=0)
        try:
            content = text.encode("utf-8", "replace")
            kind = "application/x-ndjson"
            answer = transport.json("POST", _INGEST, content=content, content_type=kind)
        except APIError as error:
            if error.status is not None and 400 <= error.status < 500 and error.status not in {408, 429}:
                return 0, ""  # It would be refused again: counted as refused.
            return 0, _AWAY
        finally:
            transport.close()
        refused = answer.get("rejected") if isinstance(answer, dict) else None
        if not isinstance(refused, list):
            return 0, "no_aitrace_server"
        return count - len(refused), ""


_INGEST = "/api/ingest"
_alive: weakref.WeakSet[BufferedLogger] = weakref.WeakSet()


def _append(path: str, text: str, count: int) -> tuple[int, str]:
    """Appends to a file: everything or nothing."""
    try:
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(path, "ab", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            data = text.encode("utf-8", "replace")
            written = file.write(data)
            if written != len(data):
                file.truncate(before)
                return 0, "short_write"
    except OSError as error:
        return 0, error.strerror or str(error)
    return count, ""


def _target(target: str | os.PathLike[str] | None) -> str:
    if target is None:
        named = _settings.variable("AITRACE_TARGET") or _settings.variable("LOG_TRG")
        if named is None and _settings.variable("AITRACE_SERVER_URL") is None:
            named = _settings.from_file("target")
        target = named or _settings.server_url()
    given: Any = target
    text = os.fspath(given) if isinstance(given, (str, os.PathLike)) else ""
    if not isinstance(text, str) or text.strip() in {"", "memory"}:
        raise ConfigurationError(f"target must be an http(s) URL, a path or '-', not {target!r}")
    text = text.strip()
    if text.startswith(("http://", "https://")):
        from aitrace.client._http import endpoint

        return endpoint(text).url
    if text == "-":
        return text
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d_%H%M%S")
    return os.path.abspath(os.path.expanduser(text.replace("<YYYYMMDD_HHMMSS>", stamp)))


def _project_of(line: str) -> str | None:
    """The project that a record names; None where it names none."""
    meta = json.loads(line).get("__tracer_meta__", {})
    project = meta.get("project")
    return project if isinstance(project, str) else None


def flush_all(deadline: float) -> None:
    """At exit: delivers what every thread has left, puts aside what a server did not take, and says so."""
    for logger in list(_alive):
        if not any(buffer.lines for buffer in logger._buffers):
            continue
        with contextlib.suppress(Exception):
            result = logger._flush(deadline, everything=True)
            aside = logger._put_aside() if result.remaining else _Aside()
            told = _told(result, aside)
            if told:
                print(f"aitrace: {logger.target}: {told}", file=sys.stderr)


def _told(result: FlushResult, aside: _Aside) -> str:
    """What became of the records; empty where all were sent."""
    dropped = dict(result.dropped)
    if result.remaining > aside.records:
        dropped["not_sent"] = result.remaining - aside.records
    if not dropped and not aside.records:
        return ""
    parts = [f"{result.sent} log records sent"]
    if aside.records:
        parts.append(f"{aside.records} put aside in {aside.folder} for the next start")
    if dropped:
        reasons = ", ".join(f"{reason} {count}" for reason, count in dropped.items())
        parts.append(f"{sum(dropped.values())} lost ({reasons})")
    text = ", ".join(parts)
    if aside.problem:
        text += f"; cannot put them aside: {aside.problem}"
    return text + "".join(f"; shown in {page}" for page in aside.pages)
