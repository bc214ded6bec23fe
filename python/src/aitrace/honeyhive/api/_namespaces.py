"""The namespaces of the client, one class each; the routes are those of the REST interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from aitrace.honeyhive.api._events import Events
from aitrace.honeyhive.api._experiments import Experiments
from aitrace.honeyhive.api._http import segment
from aitrace.honeyhive.api._space import Request, Space, body_of, under
from aitrace.honeyhive.models._answers import ConfigurationItem, GetDatapointsResponse, MetricItem
from aitrace.honeyhive.models._base import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Charts",
    "Configurations",
    "Datapoints",
    "Datasets",
    "Events",
    "Experiments",
    "MetricVersions",
    "Metrics",
    "Sessions",
]

# In a class with a method of that name, `list` means the method.
Answers: TypeAlias = list[Answer]
Found: TypeAlias = list[Any]

# The most ids that one request may name.
_IDS = 100


class Sessions(Space):
    """Sessions."""

    def start(self, data: Request) -> Answer:
        """Starts a session, or adds to the one with this ``session_id``."""
        return self._ask("POST", "/session/start", "startSession", body=under("session", data))

    def start_session(self, request: Request) -> Answer:
        """The same as ``start``."""
        return self.start(request)

    def create_session(self, request: Request) -> Answer:
        """The same as ``start``."""
        return self.start(request)


class Datapoints(Space):
    """Datapoints."""

    def create(self, request: Request) -> Answer:
        """Creates a datapoint, and puts it into ``linked_datasets``."""
        return self._ask("POST", "/v1/datapoints", "createDatapoint", body=body_of(request))

    def get(self, id: str) -> Answer:  # noqa: A002 (the name that callers know)
        """A datapoint, in a list under ``datapoint``."""
        return self._ask("GET", f"/v1/datapoints/{segment(id)}", "getDatapoint")

    def list(self, datapoint_ids: Sequence[str] | None = None, dataset_name: str | None = None) -> Answer:
        """Datapoints by their ids or their dataset; more than 100 ids are asked for by parts."""
        query: dict[str, Any] = {"dataset_name": dataset_name}
        if not datapoint_ids:
            return self._ask("GET", "/v1/datapoints", "getDatapoints", query=query)
        found: Found = []
        for first in range(0, len(datapoint_ids), _IDS):
            query["datapoint_ids"] = datapoint_ids[first : first + _IDS]
            said = self._call("GET", "/v1/datapoints", "getDatapoints", query=query)
            found += said.get("datapoints") or []
        return GetDatapointsResponse(datapoints=found)

    def update(self, id: str, request: Request) -> Answer:  # noqa: A002
        """Changes a datapoint."""
        return self._ask("PUT", f"/v1/datapoints/{segment(id)}", "updateDatapoint", body=body_of(request))

    def delete(self, id: str) -> Answer:  # noqa: A002
        """Deletes a datapoint."""
        return self._ask("DELETE", f"/v1/datapoints/{segment(id)}", "deleteDatapoint")

    def create_datapoint(self, request: Request) -> Answer:
        """The same as ``create``."""
        return self.create(request)

    def get_datapoint(self, id: str) -> Answer:  # noqa: A002
        """The same as ``get``."""
        return self.get(id)

    def list_datapoints(
        self, datapoint_ids: Sequence[str] | None = None, dataset_name: str | None = None
    ) -> Answer:
        """The same as ``list``."""
        return self.list(datapoint_ids, dataset_name)

    def update_datapoint(self, id: str, request: Request) -> Answer:  # noqa: A002
        """The same as ``update``."""
        return self.update(id, request)

    def delete_datapoint(self, id: str) -> Answer:  # noqa: A002
        """The same as ``delete``."""
        return self.delete(id)


class Datasets(Space):
    """Datasets."""

    def create(self, request: Request) -> Answer:
        """Creates a dataset; its id is ``result.insertedId``."""
        return self._ask("POST", "/v1/datasets", "createDataset", body=body_of(request))

    def list(self, dataset_id: str | None = None, name: str | None = None) -> Answer:
        """Datasets, all or by id or name, under ``datasets``."""
        return self._ask("GET", "/v1/datasets", "getDatasets", query={"dataset_id": dataset_id, "name": name})

    def update(self, request: Request) -> Answer:
        """Changes a dataset, named by ``dataset_id`` in the request."""
        return self._ask("PUT", "/v1/datasets", "updateDataset", body=body_of(request))

    def delete(self, id: str) -> Answer:  # noqa: A002
        """Deletes a dataset."""
        return self._ask("DELETE", "/v1/datasets", "deleteDataset", query={"dataset_id": id})

    def add_datapoints(self, dataset_id: str, request: Request) -> Answer:
        """Adds rows; ``mapping`` says which keys are inputs, ground truth and history."""
        path = f"/v1/datasets/{segment(dataset_id)}/datapoints"
        return self._ask("POST", path, "addDatapoints", body=body_of(request))

    def remove_datapoint(self, dataset_id: str, datapoint_id: str) -> Answer:
        """Takes a datapoint out of a dataset; the datapoint itself stays."""
        path = f"/v1/datasets/{segment(dataset_id)}/{segment(datapoint_id)}"
        return self._ask("DELETE", path, "removeDatapoint")

    def create_dataset(self, request: Request) -> Answer:
        """The same as ``create``."""
        return self.create(request)

    def get_dataset(self, id: str) -> Answer:  # noqa: A002
        """The dataset with this id, in a list under ``datasets``."""
        return self.list(dataset_id=id)

    def list_datasets(self, dataset_id: str | None = None, name: str | None = None) -> Answer:
        """The same as ``list``."""
        return self.list(dataset_id, name)

    def update_dataset(self, request: Request) -> Answer:
        """The same as ``update``."""
        return self.update(request)

    def delete_dataset(self, id: str) -> Answer:  # noqa: A002
        """The same as ``delete``."""
        return self.delete(id)


class Metrics(Space):
    """Metrics."""

    def create(self, request: Request) -> Answer:
        """Creates a metric."""
        return self._ask("POST", "/v1/metrics", "createMetric", body=body_of(request))

    def list(
        self,
        project: str | None = None,  # noqa: ARG002 (the key decides)
        name: str | None = None,
        type: str | None = None,  # noqa: A002
    ) -> Answers:
        """Metrics, all or of a type or name; ``project`` means nothing, the key decides."""
        said = self._call("GET", "/v1/metrics", "getMetrics", query={"type": type})
        items = said.get("metrics") if isinstance(said, dict) else said
        return [MetricItem(**item) for item in items or [] if name is None or item.get("name") == name]

    def get_metric(self, id: str) -> Answers:  # noqa: A002
        """The metric with this id, in a list."""
        said = self._call("GET", "/v1/metrics", "getMetrics", query={"id": id})
        return [MetricItem(**item) for item in said.get("metrics") or []]

    def update(self, request: Request) -> Answer:
        """Changes a metric, named by ``id`` in the request."""
        return self._ask("PUT", "/v1/metrics", "updateMetric", body=body_of(request))

    def delete(self, id: str) -> Answer:  # noqa: A002
        """Deletes a metric."""
        return self._ask("DELETE", "/v1/metrics", "deleteMetric", query={"metric_id": id})

    def create_metric(self, request: Request) -> Answer:
        """The same as ``create``."""
        return self.create(request)

    def list_metrics(
        self,
        project: str | None = None,
        name: str | None = None,
        type: str | None = None,  # noqa: A002
    ) -> Answers:
        """The same as ``list``."""
        return self.list(project, name, type)

    def update_metric(self, request: Request) -> Answer:
        """The same as ``update``."""
        return self.update(request)

    def delete_metric(self, id: str) -> Answer:  # noqa: A002
        """The same as ``delete``."""
        return self.delete(id)


class MetricVersions(Space):
    """Versions of metrics."""

    def list(self, metric_id: str) -> Answer:
        """The versions of a metric."""
        return self._ask("GET", f"/v1/metrics/{segment(metric_id)}/versions", "getMetricVersions")

    def create(self, metric_id: str, request: Request) -> Answer:
        """Creates a version of a metric."""
        path = f"/v1/metrics/{segment(metric_id)}/versions"
        return self._ask("POST", path, "createMetricVersion", body=body_of(request))

    def deploy(self, metric_id: str, version_name: str) -> Answer:
        """Makes a version the one in use."""
        path = f"/v1/metrics/{segment(metric_id)}/versions/{segment(version_name)}/deploy"
        return self._ask("POST", path, "deployMetricVersion", body={})


class Configurations(Space):
    """Configurations of models and prompts."""

    def create(self, request: Request) -> Answer:
        """Creates a configuration."""
        return self._ask("POST", "/v1/configurations", "createConfiguration", body=body_of(request))

    def list(self, project: str | None = None) -> Answers:  # noqa: ARG002 (the key decides)
        """All configurations."""
        said = self._call("GET", "/v1/configurations", "getConfigurations")
        items = said.get("configurations") if isinstance(said, dict) else said
        return [ConfigurationItem(**item) for item in items or []]

    def get_configuration(self, id: str) -> Answers:  # noqa: A002
        """The configuration with this id, in a list."""
        return [one for one in self.list() if one.get("id") == id]

    def update(self, id: str, request: Request) -> Answer:  # noqa: A002
        """Changes a configuration."""
        path = f"/v1/configurations/{segment(id)}"
        return self._ask("PUT", path, "updateConfiguration", body=body_of(request))

    def delete(self, id: str) -> Answer:  # noqa: A002
        """Deletes a configuration."""
        return self._ask("DELETE", f"/v1/configurations/{segment(id)}", "deleteConfiguration")

    def create_configuration(self, request: Request) -> Answer:
        """The same as ``create``."""
        return self.create(request)

    def list_configurations(self, project: str | None = None) -> Answers:
        """The same as ``list``."""
        return self.list(project)

    def update_configuration(self, id: str, request: Request) -> Answer:  # noqa: A002
        """The same as ``update``."""
        return self.update(id, request)

    def delete_configuration(self, id: str) -> Answer:  # noqa: A002
        """The same as ``delete``."""
        return self.delete(id)


class Charts(Space):
    """Charts; ``project_id`` names another project than the key's."""

    def list(self, *, project_id: str | None = None) -> Answer:
        """All charts."""
        return self._ask("GET", _charts(project_id), "getCharts")

    def get(self, chart_id: str, *, project_id: str | None = None) -> Answer:
        """A chart."""
        return self._ask("GET", _charts(project_id, chart_id), "getChart")

    def create(self, request: Request, *, project_id: str | None = None) -> Answer:
        """Creates a chart."""
        return self._ask("POST", _charts(project_id), "createChart", body=body_of(request))

    def update(self, chart_id: str, request: Request, *, project_id: str | None = None) -> Answer:
        """Changes a chart."""
        return self._ask("PUT", _charts(project_id, chart_id), "updateChart", body=body_of(request))

    def delete(self, chart_id: str, *, project_id: str | None = None) -> Answer:
        """Deletes a chart."""
        return self._ask("DELETE", _charts(project_id, chart_id), "deleteChart")


def _charts(project_id: str | None, chart_id: str | None = None) -> str:
    path = "/v1/charts" if project_id is None else f"/v1/projects/{segment(project_id)}/charts"
    return path if chart_id is None else f"{path}/{segment(chart_id)}"
