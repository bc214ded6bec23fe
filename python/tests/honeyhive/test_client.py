import asyncio
import threading

import pytest
from honeyhive_stub import Stub

from aitrace.honeyhive import APIError, HoneyHive, HoneyHiveError, HTTPException, MissingApiKeyError, models
from aitrace.honeyhive.experiments import compare_runs, get_run_metrics, get_run_result
from aitrace.honeyhive.models import (
    AddDatapointsToDatasetRequest,
    CreateConfigurationRequest,
    CreateDatapointRequest,
    CreateDatasetRequest,
    CreateMetricRequest,
    EventFilter,
    FilterFieldType,
    FilterOperator,
    PostEventRequest,
    StartSessionRequest,
    UpdateDatasetRequest,
    UpdateEventRequest,
    UpdateMetricRequest,
)
from aitrace.honeyhive.models._answers import ANSWERS
from aitrace.honeyhive.utils import RetryConfig

AT_ONCE = RetryConfig.constant(0.0)
RUN_ID = "7b0b6c1e-7b0a-4f0e-9d1b-5d2b9b1d3a10"


@pytest.fixture
def client(server):
    with HoneyHive(api_key="k", base_url=server.url + "/", timeout=30, retry_config=AT_ONCE) as made:
        yield made


def test_sessions_and_events_are_created_changed_and_exported(client, server):
    session = client.sessions.start(StartSessionRequest(session={"session_name": "s", "source": "t"}))
    assert session.session_id == session["event_id"] and session.inputs == {}
    sid = session.session_id
    event = {"event_name": "e", "event_type": "model", "inputs": {"a": 1}, "session_id": sid, "error": None}
    first = client.events.create(PostEventRequest(event=event)).event_id
    second = client.events.create_event({"event_type": "tool", "inputs": {}, "session_id": sid}).event_id
    client.events.update(UpdateEventRequest(event_id=first, metadata={"k": 1}, outputs={"r": 2}))
    client.events.update_event({"event_id": first, "metadata": {"m": 2}})
    assert server.events[first]["metadata"] == {"k": 1, "m": 2} and server.events[first]["outputs"] == {
        "r": 2
    }
    found = client.events.get_by_session_id(sid)
    assert {one.event_id for one in found.events} == {sid, first, second}
    assert [one["start_time"] for one in found.events] == sorted(one.start_time for one in found.events)
    page = client.events.export(
        filters=[
            EventFilter(
                field="session_id", operator=FilterOperator.IS, value=sid, type=FilterFieldType.STRING
            )
        ],
        limit=2,
        page=2,
    )
    assert (page.totalEvents, page.count) == (3, 1)
    body = {"events": [{"event_type": "tool", "inputs": {}}] * 2}
    assert len(client.events.create_batch(body).event_ids) == 2
    assert client.events.list({"filters": [], "limit": 1}).totalEvents == 5


def test_users_data_stays_a_dict_whatever_its_keys(client):
    inputs = {"keys": 1, "nested": {"get": 2}}
    made = client.datapoints.create(CreateDatapointRequest(inputs=inputs, metadata={"values": [1]}))
    point = client.datapoints.get(made.result.insertedIds[0]).datapoint[0]
    assert point.inputs == inputs and type(point.inputs) is dict and point.history == []


def test_datasets_and_datapoints(client, server):
    dataset = client.datasets.create(CreateDatasetRequest(name="n", description=None)).result.insertedId
    rows = AddDatapointsToDatasetRequest(
        data=[{"q": n, "a": n} for n in range(150)], mapping={"inputs": ["q"], "ground_truth": ["a"]}
    )
    ids = client.datasets.add_datapoints(dataset, rows).datapoint_ids
    points = client.datapoints.list(datapoint_ids=ids).datapoints
    assert {point.id for point in points} == set(ids) and len(points) == 150
    assert [
        len(query["datapoint_ids[]"]) for _, path, query, _ in server.requests if path == "/v1/datapoints"
    ] == [
        100,
        50,
    ]
    client.datapoints.update(ids[0], {"metadata": {"x": 1}})
    assert client.datapoints.get_datapoint(ids[0]).datapoint[0].metadata == {"x": 1}
    assert client.datasets.remove_datapoint(dataset, ids[0]).dereferenced is True
    assert client.datasets.update(UpdateDatasetRequest(dataset_id=dataset, name="m")).result.name == "m"
    assert client.datasets.list_datasets(name="m").datasets[0].id == dataset
    assert client.datasets.get_dataset("nothing").datasets == []
    assert client.datapoints.delete(ids[1]).deleted is True
    assert client.datasets.delete(dataset).result.id == dataset


def test_runs_and_their_results(client, server):
    client.experiments.create_run({"run_id": RUN_ID, "name": "r", "status": "pending", "event_ids": []})
    assert client.evaluations.get_run(RUN_ID).evaluation.status == "pending"
    assert client.experiments.update_run(RUN_ID, {"status": "completed"}).evaluation.status == "completed"
    assert client.experiments.list_runs(name="r").evaluations[0].run_id == RUN_ID
    result = get_run_result(client, RUN_ID, aggregate_function="p90")
    assert result["status"] == result.status == "completed"
    assert result.metrics.aggregation_function == "p90"
    assert result.metrics.get_metric("acc").values == [1.0]
    assert result.metrics.get_metric("acc").datapoints.passed == ["EXT-dp"]
    assert result.metrics.list_metrics() == ["acc"] and list(result.metrics.get_all_metrics()) == ["acc"]
    assert result.datapoints[0].metrics[0].value == 1.0
    assert type(get_run_metrics(client, RUN_ID, "project")) is dict
    compared = compare_runs(client, "new", "old")
    assert compared.common_datapoints == 2 and compared.new_only_datapoints == 1
    assert compared.list_improved_metrics() == ["acc"] and compared.list_degraded_metrics() == ["cost"]
    assert compared.get_metric_delta("acc")["new_aggregate"] == 0.8 and compared.get_metric_delta("x") is None
    assert client.experiments.compare_run_events("new", "old").asked == [["new"], ["old"]]
    assert client.experiments.get_schema().fields == []
    assert client.experiments.delete_run(RUN_ID).deleted is True


def test_metrics_configurations_and_charts(client):
    client.metrics.create(CreateMetricRequest(name="m", type="PYTHON", criteria="1"))
    assert client.metrics.list()[0].name == "m" and client.metrics.list(name="other") == []
    client.metrics.update(UpdateMetricRequest(id="m1", name="m2"))
    assert client.metrics.get_metric("m1")[0].name == "m2"
    assert client.metrics.delete("m1").deleted is True
    request = CreateConfigurationRequest(
        name="c", provider="p", parameters={"call_type": "chat", "model": "m"}
    )
    made = client.configurations.create(request).insertedId
    assert client.configurations.list()[0].parameters["model"] == "m"
    assert (
        client.configurations.update(made, {"name": "d", "provider": "p", "parameters": {}}).modifiedCount
        == 1
    )
    assert client.configurations.get_configuration(made)[0].name == "d"
    assert client.configurations.delete(made).deletedCount == 1
    assert client.charts.list(project_id="p").data == [] and client.charts.get("ch").data.id == "ch"
    assert client.charts.create({"x": 1}).success and client.charts.update("ch", {"x": 2}).success
    assert client.charts.delete("ch").success
    assert (
        client.metric_versions.list("m1").data == [] and client.metric_versions.create("m1", {"a": 1}).success
    )
    assert client.metric_versions.deploy("m1", "v 1").success


def test_each_route_answers_in_a_class_of_its_own(client, server):
    made = client.datasets.create({"name": "n"})
    assert type(made) is models.CreateDatasetResponse and made.model_dump()["inserted"] is True
    assert type(client.sessions.start({"session_name": "s"})) is models.PostSessionStartResponse
    assert type(client.datapoints.list(datapoint_ids=[])) is models.GetDatapointsResponse
    client.metrics.create({"name": "m", "type": "PYTHON", "criteria": "1"})
    (metric,) = client.metrics.list()
    assert type(metric) is models.MetricItem and metric.threshold is None, "known, and not given"
    with pytest.raises(AttributeError, match="MetricItem"):
        assert metric.colour
    # Every answer that the client gives by its name is one that callers can import.
    assert {one.__name__ for one in ANSWERS.values()} <= set(models.__all__)


def test_each_method_has_an_async_twin(client):
    async def main():
        made = await client.datasets.create_async(CreateDatasetRequest(name="n"))
        listed = await asyncio.gather(*(client.datasets.list_async() for _ in range(5)))
        return made.result.insertedId, [one.datasets[0].id for one in listed]

    made, listed = asyncio.run(main())
    assert listed == [made] * 5


def test_connections_are_kept(client, server):
    for _ in range(20):
        client.datasets.list()
    assert server.connections == 1


def test_a_server_that_closed_a_kept_connection_is_asked_again(client, server):
    client.datasets.list()
    client._transport._kept[0].sock.close()
    assert client.datasets.list().datasets == []


def test_what_takes_too_long_on_a_kept_connection_is_not_sent_twice(server):
    gate = threading.Event()
    with HoneyHive(api_key="k", base_url=server.url, timeout=0.3) as client:
        client.datasets.list()
        server.faults = [lambda: gate.wait(20)]
        with pytest.raises(APIError, match="did not answer"):
            client.sessions.start({"session_name": "s"})
        gate.set()
        client.datasets.list()
    assert len(server.seen("POST", "/session/start")) == 1


@pytest.mark.parametrize("status", [201, 400, 404, 500])
def test_another_status_than_200_raises(client, server, status):
    server.faults = [(status, {"success": False, "message": "why", "errorCode": "E1"}, {})] * 4
    with pytest.raises(HTTPException) as caught:
        client.datasets.create({"name": "n"})
    error = caught.value
    assert (error.status_code, error.server_message, error.error_code) == (status, "why", "E1")
    assert str(error) == f"{status} createDataset failed with status code: {status}: why"
    assert isinstance(error, HoneyHiveError) and error.error_response.context.method == "POST"


def test_a_wrong_key_and_a_missing_one():
    with Stub(key="right") as stub:
        with pytest.raises(HTTPException, match="401"):
            HoneyHive(api_key="wrong", base_url=stub.url).datasets.list()
        with pytest.raises(MissingApiKeyError, match="HH_API_KEY") as caught:
            HoneyHive(base_url=stub.url).datasets.list()
        assert isinstance(caught.value, ValueError)
        assert HoneyHive(api_key="right", base_url=stub.url).datasets.list().datasets == []


def test_what_may_be_repeated_is_and_the_rest_is_not(client, server):
    server.faults = [(503, {}, {"retry-after": "0"}), (429, {}, {}), (500, {}, {})]
    assert client.datasets.list().datasets == []
    server.faults = [(503, {}, {})] * 2
    assert client.events.export().events == []
    server.faults = [(503, {}, {})] * 4
    before = len(server.requests)
    with pytest.raises(APIError) as caught:
        client.events.export()
    assert len(server.requests) - before == 4 and caught.value.error_response.status_code == 503
    server.faults = [(503, {}, {})]
    before = len(server.requests)
    with pytest.raises(HTTPException):
        client.sessions.start({"session_name": "s"})
    assert len(server.requests) - before == 1


def test_nobody_answers():
    client = HoneyHive(api_key="k", base_url="http://127.0.0.1:9", retry_config=RetryConfig(max_retries=0))
    with pytest.raises(APIError, match="did not answer") as caught:
        client.datasets.list()
    assert isinstance(caught.value.original_exception, OSError)


def test_an_answer_that_is_no_json(client, server):
    server.faults = [(200, b"<html>", {})]
    with pytest.raises(HTTPException, match="no JSON"):
        client.datasets.list()


def test_settings_of_the_environment(monkeypatch):
    monkeypatch.setenv("HH_API_URL", "http://a:1/")
    monkeypatch.setenv("HH_API_KEY", "key")
    monkeypatch.setenv("HH_API_TIMEOUT", "2.5")
    monkeypatch.setenv("HH_MAX_RETRIES", "7")
    client = HoneyHive()
    assert (client.server_url, client.api_key, client.timeout) == ("http://a:1", "key", 2.5)
    assert client.retry_config.max_retries == 7
    assert HoneyHive(api_key="mine", base_url="http://b:2").server_url == "http://b:2"
    monkeypatch.setenv("HH_API_URL", "nonsense")
    monkeypatch.setenv("HH_SERVER_URL", "https://c")
    assert HoneyHive().server_url == "https://c"


def test_waits_grow():
    assert list(RetryConfig.default().delays()) == [1.0, 2.0, 4.0]
    assert list(RetryConfig.linear(2.0, 3).delays()) == [2.0, 4.0, 6.0]
    assert list(RetryConfig.constant(0.5, 2).delays()) == [0.5, 0.5]
    assert list(RetryConfig.exponential(10, max_delay=30, max_retries=3).delays()) == [10, 20, 30]
