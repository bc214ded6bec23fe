"""The exceptions."""

from aitrace.honeyhive._errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ErrorContext,
    ErrorResponse,
    HoneyHiveError,
    HTTPException,
    RateLimitError,
    ValidationError,
)

__all__ = [
    "APIError",
    "AuthenticationError",
    "ConfigurationError",
    "ErrorContext",
    "ErrorResponse",
    "HTTPException",
    "HoneyHiveError",
    "RateLimitError",
    "ValidationError",
]
