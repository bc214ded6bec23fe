"""The client: its settings and namespaces."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from aitrace.honeyhive import _environment as environment
from aitrace.honeyhive.api import _namespaces as spaces
from aitrace.honeyhive.api._http import Transport
from aitrace.honeyhive.utils.retry import RetryConfig

if TYPE_CHECKING:
    from types import TracebackType


class HoneyHive:
    """Talks to the server: ``sessions, events, datasets, datapoints, experiments, metrics, …``.

    - ``api_key``: default ``HH_API_KEY``, ``AITRACE_API_KEY``. A server on loopback without keys needs none.
    - ``base_url``, ``server_url``: default ``HH_API_URL``, ``HONEYHIVE_SERVER_URL``, ``HH_SERVER_URL``,
      ``AITRACE_SERVER_URL``, ``http://localhost:8000``.
    - ``timeout``: seconds, default ``HH_API_TIMEOUT``, 5; of an export ``HH_EXPORT_TIMEOUT_SECONDS``, 300.
    - ``retry_config``: a RetryConfig for requests that may be repeated; default ``HH_MAX_RETRIES``, 3.

    ``project``, limits of rates and connections are accepted and mean nothing: the key decides the project,
    connections are kept and shared. Each method has a twin ``…_async``. Methods raise HTTPException,
    MissingApiKeyError, or APIError where no server answers.
    """

    def __init__(
        self,
        api_key: str | None = None,
        project: str | None = None,
        *,
        ingestion_api_key: str | None = None,
        data_plane_api_key: str | None = None,
        base_url: str | None = None,
        server_url: str | None = None,
        cp_base_url: str | None = None,  # noqa: ARG002 (one address for everything)
        timeout: float | None = None,
        retry_config: Any = None,
        test_mode: bool | None = None,
        verbose: bool | None = None,
        tracer_instance: Any = None,
        bearer_auth: str | None = None,
        **_limits: Any,
    ) -> None:
        self.project = project
        self.ingestion_api_key = ingestion_api_key or environment.text("INGESTION_API_KEY")
        self.data_plane_api_key = data_plane_api_key or environment.text("DATA_PLANE_API_KEY")
        self.api_key = api_key or bearer_auth or environment.api_key() or self.ingestion_api_key
        self.server_url = environment.server_url(base_url or server_url)
        self.timeout = environment.number("API_TIMEOUT", timeout, 5.0)
        self.retry_config = retry_config if isinstance(retry_config, RetryConfig) else RetryConfig.from_env()
        self.test_mode = environment.flag("TEST_MODE", test_mode)
        self.verbose = environment.flag("VERBOSE", verbose)
        self.tracer_instance = tracer_instance

    def __enter__(self) -> HoneyHive:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes kept connections; a later call opens new ones."""
        self._transport.close()

    @cached_property
    def _transport(self) -> Transport:
        return Transport(self.server_url, self.api_key, timeout=self.timeout, retry=self.retry_config)

    @cached_property
    def sessions(self) -> spaces.Sessions:
        """Sessions."""
        return spaces.Sessions(self._transport)

    @cached_property
    def events(self) -> spaces.Events:
        """Events: what spans are here."""
        export = environment.number("EXPORT_TIMEOUT_SECONDS", None, 300.0)
        return spaces.Events(self._transport, export_timeout=export)

    @cached_property
    def datasets(self) -> spaces.Datasets:
        """Datasets."""
        return spaces.Datasets(self._transport)

    @cached_property
    def datapoints(self) -> spaces.Datapoints:
        """Datapoints."""
        return spaces.Datapoints(self._transport)

    @cached_property
    def experiments(self) -> spaces.Experiments:
        """Runs of evaluations."""
        return spaces.Experiments(self._transport)

    @property
    def evaluations(self) -> spaces.Experiments:
        """The same as ``experiments``."""
        return self.experiments

    @cached_property
    def metrics(self) -> spaces.Metrics:
        """Metrics."""
        return spaces.Metrics(self._transport)

    @cached_property
    def metric_versions(self) -> spaces.MetricVersions:
        """Versions of metrics."""
        return spaces.MetricVersions(self._transport)

    @cached_property
    def configurations(self) -> spaces.Configurations:
        """Configurations of models and prompts."""
        return spaces.Configurations(self._transport)

    @cached_property
    def charts(self) -> spaces.Charts:
        """Charts."""
        return spaces.Charts(self._transport)
