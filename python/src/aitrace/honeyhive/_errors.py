"""What can be raised here. Tracing raises nothing of it; the client does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass
class ErrorResponse:
    """What is known about a failed request."""

    success: bool = False
    error_type: str = "UnknownError"
    error_message: str = "An unknown error occurred"
    error_code: str | None = None
    status_code: int | None = None
    details: dict[str, Any] | None = None
    context: Any = None
    retry_after: float | None = None
    """Seconds."""


class HoneyHiveError(Exception):
    """Base of all errors of this module."""

    def __init__(
        self,
        message: str = "",
        error_response: ErrorResponse | None = None,
        original_exception: BaseException | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_response = error_response
        self.original_exception = original_exception


class ConfigurationError(HoneyHiveError, ValueError):
    """An argument or a setting that cannot be right."""


class ValidationError(HoneyHiveError, ValueError):
    """A request lacks a field, or holds one of another kind."""


class APIError(HoneyHiveError):
    """A server refused a request or did not answer."""


class RateLimitError(APIError):
    """The server asks to come back later."""


class AuthenticationError(APIError):
    """The server does not know the key, or the key may not do this."""


class HTTPException(APIError):
    """A server answered with another status than 200.

    ``server_message`` and ``error_code`` are the server's own words, where it sent any.
    """

    def __init__(
        self,
        status_code: int,
        message: str,
        *,
        server_message: str | None = None,
        error_code: str | None = None,
    ) -> None:
        answer = ErrorResponse(
            error_type=type(self).__name__,
            error_message=server_message or message,
            error_code=error_code,
            status_code=status_code,
        )
        super().__init__(message, answer)
        self.status_code = status_code
        self.server_message = server_message
        self.error_code = error_code

    def __str__(self) -> str:
        return f"{self.status_code} {self.message}"


KeyKind = Literal["project", "ingestion", "data_plane"]
_VARIABLES: dict[KeyKind, tuple[str, str]] = {
    "project": ("api_key", "HH_API_KEY"),
    "ingestion": ("ingestion_api_key", "HH_INGESTION_API_KEY"),
    "data_plane": ("data_plane_api_key", "HH_DATA_PLANE_API_KEY"),
}


class MissingApiKeyError(AuthenticationError, ValueError):
    """The server wants a key and none was given. A server on loopback without keys wants none."""

    def __init__(self, key_kind: KeyKind = "project") -> None:
        name, variable = _VARIABLES.get(key_kind, _VARIABLES["project"])
        super().__init__(
            f"the server wants a {key_kind} key and there is none: pass {name}= or set {variable}"
        )
        self.key_kind = key_kind


@dataclass
class ErrorContext:
    """What was being done when something failed; usable with ``with``, where it passes exceptions on."""

    operation: str
    method: str | None = None
    url: str | None = None
    params: dict[str, Any] | None = None
    json_data: dict[str, Any] | None = None
    client_name: str | None = None
    additional_context: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> ErrorContext:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, HoneyHiveError) and error.error_response is not None:
            error.error_response.context = error.error_response.context or self
