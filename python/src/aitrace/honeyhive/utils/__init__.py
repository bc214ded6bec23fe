"""Small helpers under the paths that code written against `honeyhive` imports."""

from aitrace.honeyhive.utils.dotdict import DotDict
from aitrace.honeyhive.utils.error_handler import (
    APIError,
    AuthenticationError,
    ErrorContext,
    ErrorResponse,
    HoneyHiveError,
    RateLimitError,
    ValidationError,
)
from aitrace.honeyhive.utils.logger import HoneyHiveLogger, get_logger
from aitrace.honeyhive.utils.retry import BackoffStrategy, RetryConfig

__all__ = [
    "APIError",
    "AuthenticationError",
    "BackoffStrategy",
    "DotDict",
    "ErrorContext",
    "ErrorResponse",
    "HoneyHiveError",
    "HoneyHiveLogger",
    "RateLimitError",
    "RetryConfig",
    "ValidationError",
    "get_logger",
]
