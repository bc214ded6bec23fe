"""What can be raised. Tracing itself raises nothing of this, except for a tracer's own arguments."""

from __future__ import annotations


class AitraceError(Exception):
    """Base of all errors of this package."""


class ConfigurationError(AitraceError):
    """An argument or a setting that cannot be right; the text says which one and what would be."""


class APIError(AitraceError):
    """A server refused a request or did not answer.

    ``status`` is the HTTP status, None where there was no answer; ``kind`` the server's word for what was
    wrong (``not_found``, ``bad_request``, …) and ``hint`` what it advises, both None where it said none.
    """

    def __init__(
        self, message: str, *, status: int | None = None, kind: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.hint = hint


class AuthenticationError(APIError):
    """The server does not know the key, or the key may not do this."""


class RateLimitError(APIError):
    """The server asks to come back later: in ``retry_after`` seconds, where it said so."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = 429,
        kind: str | None = None,
        hint: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status=status, kind=kind, hint=hint)
        self.retry_after = retry_after
