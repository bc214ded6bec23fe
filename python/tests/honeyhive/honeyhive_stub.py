"""A server that answers the REST routes strictly: an unknown route, key or member is an error.

It keeps what it is told and notes each request; connections are kept alive.
"""

import json
import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

RUN = {
    "description": None, "metadata": {}, "results": {}, "event_ids": [], "configuration": {}, "is_active": True,
    "created_at": "2026-01-01T00:00:00Z", "updated_at": None, "scope_type": "project", "scope_id": "p",
    "dataset_id": None, "dataset_name": None,
}  # fmt: skip
UPDATES = {
    "event_id", "metadata", "feedback", "metrics", "config", "user_properties", "outputs", "duration", "end_time",
    "children_ids", "project",
}  # fmt: skip


class Refused(Exception):
    def __init__(self, status, message, code="bad_request"):
        self.answer = status, {"success": False, "message": message, "errorCode": code}


def need(condition, message, status=400):
    if not condition:
        raise Refused(status, message)


class Stub:
    def __init__(self, key=None):
        self.key = key
        self.requests = []
        self.connections = 0
        self.faults = []
        self.otlp = 0
        self.records = []
        self.events, self.datasets, self.datapoints, self.runs = {}, {}, {}, {}
        self.metrics, self.configurations, self.charts = {}, {}, {}

    def __enter__(self):
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet

            def setup(self):
                super().setup()
                stub.connections += 1

            def handle_one(self):
                length = int(self.headers.get("content-length") or 0)
                raw = self.rfile.read(length)
                status, answer, headers = stub.answer(self, raw)
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = handle_one

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @staticmethod
    def kind(handler):
        return handler.headers.get("content-type", "").encode()

    def seen(self, method, path):
        return [body for verb, route, _, body in self.requests if (verb, route) == (method, path)]

    def answer(self, handler, raw):
        url = urlsplit(handler.path)
        if url.path == "/healthz":
            return 200, {"status": "ok"}, {}
        if url.path == "/v1/traces":
            self.otlp += 1
            return 200, b"", {"content-type": "application/x-protobuf"}
        if url.path == "/api/ingest":
            records = (
                [json.loads(line) for line in raw.splitlines()]
                if b"ndjson" in self.kind(handler)
                else json.loads(raw)
            )
            self.records += records
            return 200, {"ingested": len(records), "rejected": []}, {}
        body = json.loads(raw) if raw else None
        query = parse_qs(url.query)
        self.requests.append((handler.command, url.path, query, body))
        fault = self.faults.pop(0) if self.faults else None
        if callable(fault):
            fault()
        elif fault:
            return (*fault,)
        try:
            if self.key is not None:
                need(handler.headers.get("authorization") == f"Bearer {self.key}", "invalid API key", 401)
            need(handler.command not in ("POST", "PUT") or isinstance(body, dict), "a JSON object is wanted")
            for method, pattern, answer in ROUTES:
                found = re.fullmatch(pattern, url.path)
                if method == handler.command and found:
                    return 200, answer(self, body, query, *found.groups()), {}
            raise Refused(404, f"no route {handler.command} {url.path}", "not_found")
        except Refused as refused:
            return (*refused.answer, {})


def start_session(stub, body, query):
    need(set(body) == {"session"}, "only session")
    session = body["session"]
    identity = session.get("session_id") or str(uuid.uuid4())
    event = {
        "event_id": identity, "session_id": identity, "org_id": "o", "workspace_id": "w", "project_id": "p",
        "event_type": "session", "event_name": session.get("session_name", "unknown"),
        "source": session.get("source", "unknown"), "parent_id": None, "children_ids": [],
        "inputs": session.get("inputs", {}), "metadata": session.get("metadata", {}), "outputs": {}, "metrics": {},
        "start_time": 1, "end_time": 2, "duration": 1,
    }  # fmt: skip
    stub.events[identity] = event
    return event


def create_event(stub, body, query):
    event = body["event"]
    need(event.get("event_type") in ("model", "tool", "chain", "session"), "event_type")
    need(isinstance(event.get("inputs"), dict), "inputs must be an object")
    identity = str(uuid.uuid4())
    stub.events[identity] = {"event_id": identity, "start_time": len(stub.events), **event}
    return {"success": True, "event_id": identity}


def update_event(stub, body, query):
    need(set(body) <= UPDATES, f"unknown members {set(body) - UPDATES}")
    event = stub.events.get(body["event_id"])
    need(event is not None, "no such event", 404)
    for name, value in body.items():
        if name != "outputs" and isinstance(value, dict):
            event.setdefault(name, {}).update(value)
        else:
            event[name] = value
    return {"success": True}


def export(stub, body, query):
    need(set(body) <= {"filters", "limit", "page", "project", "dateRange", "projections"}, "unknown members")
    need(1 <= body["limit"] <= 7500, "limit")
    found = list(stub.events.values())
    for one in body["filters"]:
        need(set(one) == {"field", "operator", "value", "type"} and isinstance(one["value"], str), "filter")
        need(one["type"] in ("string", "number", "boolean", "datetime"), "type")
        found = [event for event in found if str(event.get(one["field"])) == one["value"]]
    found = sorted(found, key=lambda event: -event["start_time"])
    first = (body["page"] - 1) * body["limit"]
    page = found[first : first + body["limit"]]
    return {"events": page, "totalEvents": len(found), "count": len(page)}


def create_dataset(stub, body, query):
    need(set(body) <= {"name", "description", "datapoints"}, "unknown members")
    identity = f"ds{len(stub.datasets)}"
    stub.datasets[identity] = {"id": identity, "datapoints": [], "description": None, **body}
    return {"inserted": True, "result": {"insertedId": identity}}


def get_datasets(stub, body, query):
    asked, name = query.get("dataset_id", [None])[0], query.get("name", [None])[0]
    rows = stub.datasets.values()
    return {"datasets": [row for row in rows if asked in (None, row["id"]) and name in (None, row["name"])]}


def update_dataset(stub, body, query):
    row = stub.datasets[body["dataset_id"]]
    row.update({key: value for key, value in body.items() if key != "dataset_id"})
    return {"result": row}


def delete_dataset(stub, body, query):
    return {"result": {"id": stub.datasets.pop(query["dataset_id"][0])["id"]}}


def new_datapoint(stub, inputs, ground_truth=None, metadata=None, **more):
    identity = f"dp{len(stub.datapoints)}"
    stub.datapoints[identity] = {
        "id": identity, "inputs": inputs, "history": [], "ground_truth": ground_truth or {},
        "metadata": metadata or {}, "linked_event": None, "linked_datasets": [], **more,
    }  # fmt: skip
    return identity


def add_datapoints(stub, body, query, dataset):
    need(set(body) == {"data", "mapping"}, "data and mapping")
    ids = []
    for row in body["data"]:
        pick = {
            part: {key: row[key] for key in body["mapping"].get(part) or []}
            for part in ("inputs", "ground_truth")
        }
        ids.append(new_datapoint(stub, **pick))
    stub.datasets[dataset]["datapoints"] += ids
    return {"inserted": True, "datapoint_ids": ids}


def create_datapoint(stub, body, query):
    identity = new_datapoint(stub, **body)
    for dataset in body.get("linked_datasets") or []:
        stub.datasets[dataset]["datapoints"].append(identity)
    return {"inserted": True, "result": {"insertedIds": [identity]}}


def get_datapoints(stub, body, query):
    ids = query.get("datapoint_ids[]", list(stub.datapoints))
    need(len(ids) <= 100, "at most 100 ids")
    return {"datapoints": [stub.datapoints[one] for one in reversed(ids)]}


def update_datapoint(stub, body, query, identity):
    stub.datapoints[identity].update(body)
    return {"updated": True, "result": {"modifiedCount": 1}}


def remove_datapoint(stub, body, query, dataset, identity):
    stub.datasets[dataset]["datapoints"].remove(identity)
    return {"dereferenced": True, "message": "done"}


def create_run(stub, body, query):
    need(body.get("status") == "pending" and isinstance(body.get("event_ids"), list), "status, event_ids")
    uuid.UUID(body["run_id"])
    run = {"id": body["run_id"], **RUN, **body}
    stub.runs[body["run_id"]] = run
    return {"run_id": body["run_id"], "evaluation": run}


def update_run(stub, body, query, run_id):
    need(run_id in stub.runs, "no such run", 404)
    need(body["status"] in ("pending", "running", "completed", "failed", "cancelled"), "status")
    stub.runs[run_id].update(body)
    return {"evaluation": stub.runs[run_id]}


def get_run(stub, body, query, run_id):
    need(run_id in stub.runs, "no such run", 404)
    return {"evaluation": stub.runs[run_id]}


def list_runs(stub, body, query):
    name = query.get("name", [""])[0]
    rows = [run for run in stub.runs.values() if name in run["name"]]
    return {"evaluations": rows, "pagination": {"total": len(rows)}, "metrics": []}


def get_result(stub, body, query, run_id):
    need(query.get("aggregate_function"), "aggregate_function")
    detail = {
        "metric_name": "acc", "metric_type": "CLIENT_SIDE", "event_name": "fn", "event_type": "chain",
        "aggregate": 1.0, "values": [1.0], "datapoints": {"passed": ["EXT-dp"], "failed": []},
    }  # fmt: skip
    metric = {"name": "acc", "event_name": "fn", "event_type": "chain", "value": 1.0, "passed": True}
    return {
        "status": "completed", "success": True, "passed": ["EXT-dp"], "failed": [],
        "metrics": {"aggregation_function": query["aggregate_function"][0], "details": [detail]},
        "datapoints": [{"datapoint_id": "EXT-dp", "session_id": "s", "passed": True, "metrics": [metric]}],
        "event_details": [], "run_object": dict(RUN),
    }  # fmt: skip


def compare(stub, body, query, new, old):
    metric = {
        "metric_name": "acc", "event_name": "fn", "event_type": "chain", "metric_type": "CLIENT_SIDE",
        "old_aggregate": 0.3, "new_aggregate": 0.8, "difference": 0.5, "improved_count": 3, "degraded_count": 0,
        "same_count": 3, "improved": ["EXT-1"], "degraded": [], "same": [],
    }  # fmt: skip
    worse = {**metric, "metric_name": "cost", "improved_count": 0, "degraded_count": 1}
    return {
        "commonDatapoints": ["EXT-1", "EXT-2"], "metrics": [metric, worse], "event_details": [],
        "old_run": {"metadata": {"datapoint_ids": ["EXT-1", "EXT-2"]}},
        "new_run": {"metadata": {"datapoint_ids": ["EXT-1", "EXT-2", "EXT-3"]}},
    }  # fmt: skip


def metric_item(body):
    return {
        "description": None, "return_type": "float", "enabled_in_prod": False, "needs_ground_truth": False,
        "sampling_percentage": 100, "filters": {"filterArray": []}, "created_at": "x", "updated_at": None, **body,
    }  # fmt: skip


def create_metric(stub, body, query):
    need(body["type"] in ("PYTHON", "LLM", "HUMAN", "COMPOSITE"), "type")
    stub.metrics["m1"] = metric_item({"id": "m1", **body})
    return {"inserted": True, "metric_id": "m1"}


def delete_metric(stub, body, query):
    stub.metrics.pop(query["metric_id"][0])
    return {"deleted": True}


def get_metrics(stub, body, query):
    asked = query.get("id", [None])[0]
    return {"metrics": [one for one in stub.metrics.values() if asked in (None, one["id"])]}


def create_configuration(stub, body, query):
    stub.configurations["c1"] = {"id": "c1", "env": [], "tags": [], **body}
    return {"acknowledged": True, "insertedId": "c1"}


def data(value):
    return lambda stub, body, query, *parts: {"success": True, "data": value}


PART = r"([^/]+)"
CHARTS = r"(?:/v1/projects/[^/]+)?/(?:v1/)?charts"
ROUTES = [
    ("POST", "/session/start", start_session),
    ("POST", "/events", create_event),
    ("PUT", "/events", update_event),
    (
        "POST",
        "/events/batch",
        lambda s, b, q: {
            "event_ids": [create_event(s, {"event": e}, q)["event_id"] for e in b["events"]],
            "success": True,
        },
    ),
    ("POST", "/v1/events/export", export),
    ("GET", "/v1/events/schema", lambda s, b, q: {"fields": [], "datasets": [], "mappings": {}}),
    ("POST", "/v1/datasets", create_dataset),
    ("GET", "/v1/datasets", get_datasets),
    ("PUT", "/v1/datasets", update_dataset),
    ("DELETE", "/v1/datasets", delete_dataset),
    ("POST", f"/v1/datasets/{PART}/datapoints", add_datapoints),
    ("DELETE", f"/v1/datasets/{PART}/{PART}", remove_datapoint),
    ("POST", "/v1/datapoints", create_datapoint),
    ("GET", "/v1/datapoints", get_datapoints),
    ("GET", f"/v1/datapoints/{PART}", lambda s, b, q, i: {"datapoint": [s.datapoints[i]]}),
    ("PUT", f"/v1/datapoints/{PART}", update_datapoint),
    ("DELETE", f"/v1/datapoints/{PART}", lambda s, b, q, i: {"deleted": s.datapoints.pop(i) is not None}),
    ("POST", "/v1/runs", create_run),
    ("GET", "/v1/runs", list_runs),
    (
        "GET",
        "/v1/runs/compare/events",
        lambda s, b, q: {"events": [], "totalEvents": 0, "asked": [q["run_id_1"], q["run_id_2"]]},
    ),
    ("GET", f"/v1/runs/{PART}/result", get_result),
    ("GET", f"/v1/runs/{PART}/compare-with/{PART}", compare),
    ("GET", f"/v1/runs/{PART}", get_run),
    ("PUT", f"/v1/runs/{PART}", update_run),
    ("DELETE", f"/v1/runs/{PART}", lambda s, b, q, i: {"id": s.runs.pop(i)["run_id"], "deleted": True}),
    ("POST", "/v1/metrics", create_metric),
    ("GET", "/v1/metrics", get_metrics),
    ("PUT", "/v1/metrics", lambda s, b, q: {"updated": s.metrics[b["id"]].update(b) is None}),
    ("DELETE", "/v1/metrics", delete_metric),
    ("GET", f"/v1/metrics/{PART}/versions", data([])),
    ("POST", f"/v1/metrics/{PART}/versions", data({})),
    ("POST", f"/v1/metrics/{PART}/versions/{PART}/deploy", data({})),
    ("POST", "/v1/configurations", create_configuration),
    ("GET", "/v1/configurations", lambda s, b, q: {"configurations": list(s.configurations.values())}),
    (
        "PUT",
        f"/v1/configurations/{PART}",
        lambda s, b, q, i: {"acknowledged": s.configurations[i].update(b) is None, "modifiedCount": 1},
    ),
    (
        "DELETE",
        f"/v1/configurations/{PART}",
        lambda s, b, q, i: {"acknowledged": s.configurations.pop(i) is not None, "deletedCount": 1},
    ),
    ("GET", CHARTS, data([])),
    ("POST", CHARTS, data({"id": "ch"})),
    ("GET", f"{CHARTS}/{PART}", data({"id": "ch"})),
    ("PUT", f"{CHARTS}/{PART}", data({"id": "ch"})),
    ("DELETE", f"{CHARTS}/{PART}", data({"id": "ch"})),
]
