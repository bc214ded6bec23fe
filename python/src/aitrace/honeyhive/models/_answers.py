"""Answers of the server, one class for each route: members as attributes and as items, others are kept."""

from __future__ import annotations

from aitrace.honeyhive.models._base import Answer


class PostSessionStartResponse(Answer):
    """A session as it is now."""

    fields = (
        "event_id", "session_id", "org_id", "workspace_id", "project_id", "event_type", "event_name",
        "source", "parent_id", "children_ids", "config", "inputs", "outputs", "error", "metadata",
        "metrics", "feedback", "user_properties", "start_time", "end_time", "duration",
    )  # fmt: skip


class Event(Answer):
    """An event, as it is exported: times are milliseconds since 1970."""

    fields = (
        "event_id", "event_type", "event_name", "session_id", "parent_id", "children_ids", "project_id",
        "source", "config", "inputs", "outputs", "error", "start_time", "end_time", "duration", "metadata",
        "metrics", "feedback", "user_properties",
    )  # fmt: skip


class PostEventResponse(Answer):
    """An event was created."""

    fields = ("success", "event_id")


class PostEventBatchResponse(Answer):
    """Events were created, in the order they were given."""

    fields = ("event_ids", "session_id", "success")


class GetEventsResponse(Answer):
    """Events, and how many there are over all pages."""

    fields = ("events", "totalEvents", "count")


class GetEventsSchemaResponse(Answer):
    """Which fields events have."""

    fields = ("fields", "datasets", "mappings")


class CreateDatapointResponse(Answer):
    """A datapoint was created: ``result.insertedIds``."""

    fields = ("inserted", "result")


class GetDatapointResponse(Answer):
    """A datapoint, in a list."""

    fields = ("datapoint",)


class GetDatapointsResponse(Answer):
    """Datapoints."""

    fields = ("datapoints",)


class UpdateDatapointResponse(Answer):
    """A datapoint was changed: ``result.modifiedCount``."""

    fields = ("updated", "result")


class DeleteDatapointResponse(Answer):
    """A datapoint was deleted."""

    fields = ("deleted",)


class CreateDatasetResponse(Answer):
    """A dataset was created: ``result.insertedId``."""

    fields = ("inserted", "result")


class GetDatasetsResponse(Answer):
    """Datasets."""

    fields = ("datasets",)


class UpdateDatasetResponse(Answer):
    """A dataset as it is now, under ``result``."""

    fields = ("result",)


class DeleteDatasetResponse(Answer):
    """A dataset was deleted: ``result.id``."""

    fields = ("result",)


class AddDatapointsResponse(Answer):
    """Rows were added; ids in their order."""

    fields = ("inserted", "datapoint_ids")


class RemoveDatapointResponse(Answer):
    """A datapoint was taken out of a dataset."""

    fields = ("dereferenced", "message")


class CreateMetricResponse(Answer):
    """A metric was created."""

    fields = ("inserted", "metric_id")


class MetricItem(Answer):
    """A metric."""

    fields = (
        "id", "name", "type", "criteria", "description", "return_type", "enabled_in_prod",
        "needs_ground_truth", "sampling_percentage", "model_provider", "model_name", "scale", "threshold",
        "categories", "child_metrics", "filters", "created_at", "updated_at",
    )  # fmt: skip


class UpdateMetricResponse(Answer):
    """A metric was changed."""

    fields = ("updated",)


class DeleteMetricResponse(Answer):
    """A metric was deleted."""

    fields = ("deleted",)


class GetMetricVersionsResponse(Answer):
    """Versions of a metric, under ``data``."""

    fields = ("success", "data")


class CreateMetricVersionResponse(Answer):
    """A version was created, under ``data``."""

    fields = ("success", "data")


class DeployMetricVersionResponse(Answer):
    """A version is in use."""

    fields = ("success", "data")


class CreateConfigurationResponse(Answer):
    """A configuration was created."""

    fields = ("acknowledged", "insertedId")


class ConfigurationItem(Answer):
    """A configuration."""

    fields = (
        "id", "name", "type", "provider", "parameters", "env", "tags", "user_properties", "created_at",
        "updated_at",
    )  # fmt: skip


class UpdateConfigurationResponse(Answer):
    """A configuration was changed."""

    fields = ("acknowledged", "modifiedCount", "upsertedId", "upsertedCount", "matchedCount")


class DeleteConfigurationResponse(Answer):
    """A configuration was deleted."""

    fields = ("acknowledged", "deletedCount")


class CreateChartResponse(Answer):
    """A chart was created, under ``data``."""

    fields = ("success", "data")


class GetChartResponse(Answer):
    """A chart, under ``data``."""

    fields = ("success", "data")


class GetChartsResponse(Answer):
    """Charts, under ``data``."""

    fields = ("success", "data")


class UpdateChartResponse(Answer):
    """A chart as it is now, under ``data``."""

    fields = ("success", "data")


class DeleteChartResponse(Answer):
    """A chart was deleted."""

    fields = ("success", "data")


class PostExperimentRunResponse(Answer):
    """A run was created, under ``evaluation``."""

    fields = ("run_id", "evaluation")


class PutExperimentRunResponse(Answer):
    """A run as it is now, under ``evaluation``."""

    fields = ("evaluation",)


class GetExperimentRunResponse(Answer):
    """A run, under ``evaluation``."""

    fields = ("evaluation",)


class GetExperimentRunsResponse(Answer):
    """A page of runs."""

    fields = ("evaluations", "pagination", "metrics")


class DeleteExperimentRunResponse(Answer):
    """A run was deleted."""

    fields = ("id", "deleted")


class GetExperimentCompareEventsResponse(Answer):
    """Events of two runs side by side."""

    fields = ("events", "totalEvents")


class Pagination(Answer):
    """Where a page stands."""

    fields = ("page", "limit", "total", "total_unfiltered", "total_pages", "has_next", "has_prev")


# By the name of the operation, as errors have it.
ANSWERS: dict[str, type[Answer]] = {
    "startSession": PostSessionStartResponse,
    "createEvent": PostEventResponse,
    "createEventBatch": PostEventBatchResponse,
    "getEventsSchema": GetEventsSchemaResponse,
    "createDatapoint": CreateDatapointResponse,
    "getDatapoint": GetDatapointResponse,
    "getDatapoints": GetDatapointsResponse,
    "updateDatapoint": UpdateDatapointResponse,
    "deleteDatapoint": DeleteDatapointResponse,
    "createDataset": CreateDatasetResponse,
    "getDatasets": GetDatasetsResponse,
    "updateDataset": UpdateDatasetResponse,
    "deleteDataset": DeleteDatasetResponse,
    "addDatapoints": AddDatapointsResponse,
    "removeDatapoint": RemoveDatapointResponse,
    "createMetric": CreateMetricResponse,
    "updateMetric": UpdateMetricResponse,
    "deleteMetric": DeleteMetricResponse,
    "getMetricVersions": GetMetricVersionsResponse,
    "createMetricVersion": CreateMetricVersionResponse,
    "deployMetricVersion": DeployMetricVersionResponse,
    "createConfiguration": CreateConfigurationResponse,
    "updateConfiguration": UpdateConfigurationResponse,
    "deleteConfiguration": DeleteConfigurationResponse,
    "createChart": CreateChartResponse,
    "getChart": GetChartResponse,
    "getCharts": GetChartsResponse,
    "updateChart": UpdateChartResponse,
    "deleteChart": DeleteChartResponse,
    "createRun": PostExperimentRunResponse,
    "updateRun": PutExperimentRunResponse,
    "getRun": GetExperimentRunResponse,
    "getRuns": GetExperimentRunsResponse,
    "deleteRun": DeleteExperimentRunResponse,
    "compareRunEvents": GetExperimentCompareEventsResponse,
}
