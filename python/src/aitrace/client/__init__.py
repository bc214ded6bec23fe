"""Asks a server: traces, sessions, search, SQL, scores, datasets, runs.

    from aitrace import Client

    with Client() as client:
        for trace in client.traces(project="support", status="error", limit=20):
            print(trace.name, trace.duration_ms)

Unlike tracing this raises: ``APIError`` and its kinds ``AuthenticationError`` and ``RateLimitError``.
"""

from aitrace.client._client import Client
from aitrace.client._models import (
    Datapoint,
    Dataset,
    LogInfo,
    RunInfo,
    SearchHit,
    SessionDetail,
    SessionInfo,
    SpanInfo,
    SqlResult,
    TraceDetail,
    TraceInfo,
)
from aitrace.client._pages import Pages
from aitrace.client._resources import Datapoints, Datasets, Runs, Scores

__all__ = [
    "Client",
    "Datapoint",
    "Datapoints",
    "Dataset",
    "Datasets",
    "LogInfo",
    "Pages",
    "RunInfo",
    "Runs",
    "Scores",
    "SearchHit",
    "SessionDetail",
    "SessionInfo",
    "SpanInfo",
    "SqlResult",
    "TraceDetail",
    "TraceInfo",
]
