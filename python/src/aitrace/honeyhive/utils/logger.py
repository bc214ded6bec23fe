"""Loggers that take structured data beside the text."""

from __future__ import annotations

import logging
from typing import Any

from aitrace import _settings


class HoneyHiveLogger:
    """A logger of ``logging`` whose methods take ``honeyhive_data``, a dict, as extra fields of the record.

    With ``verbose`` it lets everything from debug on pass, else what its parents let pass.
    """

    def __init__(self, name: str, *, verbose: bool = False) -> None:
        self.logger = logging.getLogger(name)
        self.verbose = verbose
        self.update_verbose_setting(verbose)

    def update_verbose_setting(self, verbose: bool) -> None:
        """Switches between everything and the parents' level."""
        self.verbose = verbose
        self.logger.setLevel(logging.DEBUG if verbose else logging.NOTSET)

    def debug(self, message: str, *args: Any, **fields: Any) -> None:
        """Logs at debug."""
        self._log(logging.DEBUG, message, args, **fields)

    def info(self, message: str, *args: Any, **fields: Any) -> None:
        """Logs at info."""
        self._log(logging.INFO, message, args, **fields)

    def warning(self, message: str, *args: Any, **fields: Any) -> None:
        """Logs at warning."""
        self._log(logging.WARNING, message, args, **fields)

    def error(self, message: str, *args: Any, **fields: Any) -> None:
        """Logs at error."""
        self._log(logging.ERROR, message, args, **fields)

    def critical(self, message: str, *args: Any, **fields: Any) -> None:
        """Logs at critical."""
        self._log(logging.CRITICAL, message, args, **fields)

    def exception(self, message: str, *args: Any, **fields: Any) -> None:
        """Logs at error, with the exception that is being handled."""
        self._log(logging.ERROR, message, args, **{"exc_info": True, **fields})

    def _log(  # noqa: PLR0917 (the signature that callers know)
        self,
        level: int,
        message: str,
        args: tuple[Any, ...],
        /,
        honeyhive_data: dict[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        if honeyhive_data is not None:
            fields["extra"] = {**(fields.get("extra") or {}), "honeyhive_data": honeyhive_data}
        self.logger.log(level, message, *args, stacklevel=3, **fields)


def get_logger(
    name: str, verbose: bool | None = None, tracer_instance: Any = None, **_others: Any
) -> HoneyHiveLogger:
    """A logger. ``verbose`` defaults to the tracer's, else ``HH_VERBOSE``."""
    if verbose is None:
        verbose = bool(getattr(tracer_instance, "verbose", False)) or _settings.flag("HH_VERBOSE")
    return HoneyHiveLogger(name, verbose=verbose)
