"""When a request is sent again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aitrace import _settings

if TYPE_CHECKING:
    from collections.abc import Generator

_PASSING = frozenset({408, 429, 500, 502, 503, 504})


@dataclass
class BackoffStrategy:
    """How long to wait before each new attempt; seconds."""

    initial_delay: float = 1.0
    max_delay: float = 60.0
    multiplier: float = 2.0
    jitter: float = 0.1

    def get_delay(self, attempt: int) -> float:
        """The wait before attempt ``attempt``, from 1, without its jitter."""
        return min(self.max_delay, self.initial_delay * self.multiplier ** max(0, attempt - 1))


@dataclass
class RetryConfig:
    """How often and when a request that may be repeated is sent again.

    ``Retry-After`` of the server wins over the strategy, up to ``max_delay``.
    """

    strategy: str = "exponential"
    backoff_strategy: BackoffStrategy = field(default_factory=BackoffStrategy)
    max_retries: int = 3
    retry_on_status_codes: frozenset[int] | set[int] = _PASSING

    @classmethod
    def default(cls) -> RetryConfig:
        """Three more attempts after 1, 2 and 4 seconds."""
        return cls()

    @classmethod
    def constant(cls, delay: float = 1.0, max_retries: int = 3) -> RetryConfig:
        """The same wait each time."""
        return cls("constant", BackoffStrategy(delay, delay, 1.0), max_retries)

    @classmethod
    def linear(cls, delay: float = 1.0, max_retries: int = 3) -> RetryConfig:
        """``delay`` seconds more each time."""
        return cls("linear", BackoffStrategy(delay), max_retries)

    @classmethod
    def exponential(  # noqa: PLR0917 (the signature that callers know)
        cls,
        initial_delay: float = 1.0,
        max_delay: float = 60.0,
        multiplier: float = 2.0,
        max_retries: int = 3,
    ) -> RetryConfig:
        """``multiplier`` times as long each time."""
        return cls("exponential", BackoffStrategy(initial_delay, max_delay, multiplier), max_retries)

    @classmethod
    def from_env(cls) -> RetryConfig:
        """The default with ``HH_MAX_RETRIES`` attempts."""
        text = _settings.variable("HH_MAX_RETRIES") or ""
        return cls(max_retries=int(text)) if text.isdecimal() else cls()

    def delays(self) -> Generator[float, None, None]:
        """The wait before each new attempt, in seconds."""
        wait = self.backoff_strategy
        for attempt in range(1, self.max_retries + 1):
            linear = min(wait.max_delay, wait.initial_delay * attempt)
            yield linear if self.strategy == "linear" else wait.get_delay(attempt)
