"""Requests, answers and enumerations of the REST interface.

Requests are made by keywords and passed to the client; a plain dict does as well. Answers have the
server's members as attributes and as items.
"""

from __future__ import annotations

from enum import Enum

from aitrace.honeyhive.models._answers import (
    AddDatapointsResponse,
    ConfigurationItem,
    CreateChartResponse,
    CreateConfigurationResponse,
    CreateDatapointResponse,
    CreateDatasetResponse,
    CreateMetricResponse,
    CreateMetricVersionResponse,
    DeleteChartResponse,
    DeleteConfigurationResponse,
    DeleteDatapointResponse,
    DeleteDatasetResponse,
    DeleteExperimentRunResponse,
    DeleteMetricResponse,
    DeployMetricVersionResponse,
    Event,
    GetChartResponse,
    GetChartsResponse,
    GetDatapointResponse,
    GetDatapointsResponse,
    GetDatasetsResponse,
    GetEventsResponse,
    GetEventsSchemaResponse,
    GetExperimentCompareEventsResponse,
    GetExperimentRunResponse,
    GetExperimentRunsResponse,
    GetMetricVersionsResponse,
    MetricItem,
    Pagination,
    PostEventBatchResponse,
    PostEventResponse,
    PostExperimentRunResponse,
    PostSessionStartResponse,
    PutExperimentRunResponse,
    RemoveDatapointResponse,
    UpdateChartResponse,
    UpdateConfigurationResponse,
    UpdateDatapointResponse,
    UpdateDatasetResponse,
    UpdateMetricResponse,
)
from aitrace.honeyhive.models._base import Answer, Model


class EventType(str, Enum):
    """What a span is, coarsely. A member is its word: ``EventType.tool == "tool"``."""

    model = "model"
    tool = "tool"
    chain = "chain"
    session = "session"
    generic = "generic"

    def __str__(self) -> str:
        return self.value


class FilterOperator(str, Enum):
    """How a filter compares."""

    EXISTS = "exists"
    NOT_EXISTS = "not exists"
    IS = "is"
    IS_NOT = "is not"
    CONTAINS = "contains"
    NOT_CONTAINS = "not contains"
    GREATER_THAN = "greater than"
    LESS_THAN = "less than"
    AFTER = "after"
    BEFORE = "before"


class FilterFieldType(str, Enum):
    """As what a filter compares."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    ID = "id"


class EventFilter(Model):
    """One condition of an export: ``field`` is a name, or ``bucket.key``; ``value`` travels as text."""

    fields = ("field", "operator", "value", "type")
    required = ("field",)


class EventExportRequest(Model):
    """Which events to export."""

    fields = ("project", "filters", "date_range", "projections", "limit", "page")


class EventExportResponse(Answer):
    """Events, how many match over all pages, how many there are here."""

    fields = ("events", "totalEvents", "count", "total_events")


class StartSessionRequest(Model):
    """A session to start, under ``session``."""

    fields = ("session",)
    required = ("session",)


class PostEventRequest(Model):
    """An event to create, under ``event``."""

    fields = ("event",)
    required = ("event",)


class PostEventBatchRequest(Model):
    """Events to create together."""

    fields = ("events", "single_session", "is_single_session", "session_properties", "session")
    required = ("events",)


class UpdateEventRequest(Model):
    """A change to an event or a session: what is given is merged, outputs are replaced."""

    fields = (
        "event_id", "metadata", "feedback", "metrics", "outputs", "config", "user_properties", "duration",
        "end_time", "children_ids",
    )  # fmt: skip
    required = ("event_id",)


class GetEventsQuery(Model):
    """Which events to list."""

    fields = ("project", "filters", "dateRange", "date_range", "projections", "limit", "page")


_DATAPOINT = ("inputs", "history", "ground_truth", "metadata", "linked_event", "linked_datasets")
_METRIC = (
    "name", "type", "criteria", "description", "return_type", "enabled_in_prod", "sampling_percentage",
    "model_provider", "model_name", "scale", "threshold", "categories", "needs_ground_truth",
    "child_metrics", "filters",
)  # fmt: skip
_CONFIGURATION = ("name", "type", "provider", "parameters", "env", "tags", "user_properties")
_RUN = (
    "name", "description", "status", "metadata", "results", "event_ids", "configuration", "evaluators",
    "session_ids", "datapoint_ids", "passing_ranges",
)  # fmt: skip


class CreateDatapointRequest(Model):
    """A datapoint to create, perhaps in datasets."""

    fields = _DATAPOINT


class UpdateDatapointRequest(Model):
    """What changes about a datapoint."""

    fields = _DATAPOINT


class CreateDatasetRequest(Model):
    """A dataset to create."""

    fields = ("name", "description", "datapoints")
    required = ("name",)


class UpdateDatasetRequest(Model):
    """What changes about a dataset."""

    fields = ("dataset_id", "name", "description", "datapoints")
    required = ("dataset_id",)


class DatapointMapping(Model):
    """Which keys of a row are inputs, ground truth and history; all others are metadata."""

    fields = ("inputs", "ground_truth", "history")


class AddDatapointsToDatasetRequest(Model):
    """Rows to add to a dataset."""

    fields = ("data", "mapping")
    required = ("data", "mapping")


class CreateMetricRequest(Model):
    """A metric to create."""

    fields = _METRIC
    required = ("name", "type", "criteria")


class UpdateMetricRequest(Model):
    """What changes about a metric."""

    fields = (*_METRIC, "id")
    required = ("id",)


class CreateMetricVersionRequest(Model):
    """A version of a metric to create."""

    fields = ("version_name", "content")


class CreateConfigurationRequest(Model):
    """A configuration to create."""

    fields = _CONFIGURATION
    required = ("name", "provider", "parameters")


class UpdateConfigurationRequest(Model):
    """What changes about a configuration."""

    fields = _CONFIGURATION


class CreateChartRequest(Model):
    """A chart to create."""


class UpdateChartRequest(Model):
    """What changes about a chart."""


class PostExperimentRunRequest(Model):
    """A run to create."""

    fields = ("run_id", "dataset_id", *_RUN)


class PutExperimentRunRequest(Model):
    """What changes about a run."""

    fields = _RUN


__all__ = [
    "AddDatapointsResponse",
    "AddDatapointsToDatasetRequest",
    "Answer",
    "ConfigurationItem",
    "CreateChartRequest",
    "CreateChartResponse",
    "CreateConfigurationRequest",
    "CreateConfigurationResponse",
    "CreateDatapointRequest",
    "CreateDatapointResponse",
    "CreateDatasetRequest",
    "CreateDatasetResponse",
    "CreateMetricRequest",
    "CreateMetricResponse",
    "CreateMetricVersionRequest",
    "CreateMetricVersionResponse",
    "DatapointMapping",
    "DeleteChartResponse",
    "DeleteConfigurationResponse",
    "DeleteDatapointResponse",
    "DeleteDatasetResponse",
    "DeleteExperimentRunResponse",
    "DeleteMetricResponse",
    "DeployMetricVersionResponse",
    "Event",
    "EventExportRequest",
    "EventExportResponse",
    "EventFilter",
    "EventType",
    "FilterFieldType",
    "FilterOperator",
    "GetChartResponse",
    "GetChartsResponse",
    "GetDatapointResponse",
    "GetDatapointsResponse",
    "GetDatasetsResponse",
    "GetEventsQuery",
    "GetEventsResponse",
    "GetEventsSchemaResponse",
    "GetExperimentCompareEventsResponse",
    "GetExperimentRunResponse",
    "GetExperimentRunsResponse",
    "GetMetricVersionsResponse",
    "MetricItem",
    "Model",
    "Pagination",
    "PostEventBatchRequest",
    "PostEventBatchResponse",
    "PostEventRequest",
    "PostEventResponse",
    "PostExperimentRunRequest",
    "PostExperimentRunResponse",
    "PostSessionStartResponse",
    "PutExperimentRunRequest",
    "PutExperimentRunResponse",
    "RemoveDatapointResponse",
    "StartSessionRequest",
    "UpdateChartRequest",
    "UpdateChartResponse",
    "UpdateConfigurationRequest",
    "UpdateConfigurationResponse",
    "UpdateDatapointRequest",
    "UpdateDatapointResponse",
    "UpdateDatasetRequest",
    "UpdateDatasetResponse",
    "UpdateEventRequest",
    "UpdateMetricRequest",
    "UpdateMetricResponse",
]
