"""Each keyword that the public names of `honeyhive` 1.7 and 1.0 take, ours take as well."""

import inspect

import pytest

import aitrace.honeyhive as ours
from aitrace.honeyhive import experiments
from aitrace.honeyhive.api import _namespaces as spaces

BUCKETS = "metadata metrics feedback inputs outputs config"
TRACER = """api_key ingestion_api_key project session_name source server_url session_id disable_http_tracing
    disable_batch verbose inputs is_evaluation run_id dataset_id datapoint_id link_carrier test_mode requests_session
    span_name_filters max_attributes max_events max_links max_span_size skip_backend_session_creation cache_enabled
    cache_max_size cache_ttl cache_cleanup_interval"""
SESSION = "session_name session_id inputs metadata user_properties source skip_api_call"
RUNS = "dataset_id page limit run_ids name status dateRange sort_by sort_order"
EXPORT = "project filters date_range projections limit page"
T = ours.HoneyHiveTracer
TABLE = [
    (T, "config session_config evaluation_config", TRACER),
    (T.init, "config session_config evaluation_config", TRACER),
    (T.start_span, "self name", "kind attributes links start_time record_exception set_status_on_exception"),
    (T.trace, "self name event_type", "anything"),
    (T.enrich_span, f"self attributes {BUCKETS} user_properties error event_id update_event_id", "anything"),
    (T.enrich_session, "self metadata inputs outputs config feedback metrics user_properties session_id", "anything"),
    (T.create_event, "self event_name_or_dict", f"event_type error duration {BUCKETS} anything"),
    (T.create_session, f"self {SESSION}", ""),
    (T.acreate_session, f"self {SESSION}", ""),
    (T.with_session, "self session_name inputs metadata user_properties source", ""),
    (T.session_start, "self", ""),
    (T.get_baggage, "self key", ""),
    (T.set_baggage, "self key value", ""),
    (T.inject_context, "self carrier", ""),
    (T.extract_context, "self carrier", ""),
    (T.inject, "self carrier", ""),
    (T.link, "self carrier", ""),
    (T.unlink, "self _token", ""),
    (T.flush, "timeout_millis", ""),
    (T.force_flush, "timeout_millis", ""),
    (T.flush_all, "timeout_millis", ""),
    (T.shutdown, "self", ""),
    (T.reset, "", ""),
    (ours.trace, "event_type event_name", f"tracer source project session_id user_id session_name span_config error {BUCKETS}"),
    (ours.atrace, "event_type event_name", "tracer metadata"),
    (ours.trace_class, "cls", ""),
    (ours.enrich_span, f"attributes {BUCKETS} error event_id tracer", "anything"),
    (ours.enrich_session, "session_id metadata tracer tracer_instance", ""),
    (ours.flush, "tracer timeout_millis", ""),
    (ours.set_default_tracer, "tracer", ""),
    (ours.evaluate, "function", """dataset dataset_id evaluators instrumentors api_key ingestion_api_key server_url
        project name run_id max_workers aggregate_function verbose print_results"""),
    (ours.evaluator, "function", ""),
    (ours.aevaluator, "function", ""),
    (ours.BaseEvaluator, "name", "anything"),
    (ours.BaseEvaluator.evaluate, "self inputs outputs ground_truth", "anything"),
    (ours.DotDict, "", "anything"),
    (ours.get_logger, "name verbose tracer_instance", "anything"),
    (ours.MissingApiKeyError, "key_kind", ""),
    (ours.HTTPException, "status_code message", "server_message error_code"),
    (ours.APIError, "message error_response original_exception", ""),
    (ours.HoneyHive, "api_key project", """ingestion_api_key data_plane_api_key base_url server_url cp_base_url timeout
        retry_config rate_limit_calls rate_limit_window max_connections max_keepalive test_mode verbose tracer_instance"""),
    (experiments.run_experiment, "function dataset datapoint_ids", """server_url experiment_context api_key
        ingestion_api_key max_workers verbose instrumentors evaluators"""),
    (experiments.get_run_result, "client run_id project_id aggregate_function", ""),
    (experiments.get_run_metrics, "client run_id project_id", ""),
    (experiments.compare_runs, "client new_run_id old_run_id project_id aggregate_function", ""),
    (experiments.ExperimentContext, "run_id dataset_id project", "run_name source metadata"),
    (experiments.generate_external_dataset_id, "datapoints custom_id", ""),
    (experiments.generate_external_datapoint_id, "datapoint index custom_id", ""),
    (experiments.prepare_external_dataset, "datapoints custom_dataset_id", ""),
    (experiments.prepare_run_request_data, "run_id name", """dataset_id event_ids datapoint_ids configuration metadata
        description results status"""),
    (spaces.Sessions.start, "self data", ""),
    (spaces.Sessions.create_session, "self request", ""),
    (spaces.Sessions.start_session, "self request", ""),
    (spaces.Events.create, "self request", ""),
    (spaces.Events.create_batch, "self data", ""),
    (spaces.Events.update, "self data", ""),
    (spaces.Events.export, "self project filters", EXPORT.removeprefix("project filters ")),
    (spaces.Events.get_by_session_id, "self session_id project", "limit"),
    (spaces.Events.list, "self query", "data"),
    (spaces.Events.get_events, "self project filters", "date_range limit page"),
    (spaces.Events.list_events, "self project filters", "date_range limit page"),
    (spaces.Datapoints.list, "self datapoint_ids dataset_name", ""),
    (spaces.Datapoints.update, "self id request", ""),
    (spaces.Datasets.list, "self dataset_id name", ""),
    (spaces.Datasets.add_datapoints, "self dataset_id request", ""),
    (spaces.Datasets.remove_datapoint, "self dataset_id datapoint_id", ""),
    (spaces.Metrics.list, "self project name type", ""),
    (spaces.Configurations.list, "self project", ""),
    (spaces.Configurations.update, "self id request", ""),
    (spaces.Charts.update, "self chart_id request", "project_id"),
    (spaces.MetricVersions.deploy, "self metric_id version_name", ""),
    (spaces.Experiments.list_runs, f"self {RUNS}", ""),
    (spaces.Experiments.get_result, "self run_id aggregate_function filters", ""),
    (spaces.Experiments.compare_runs, "self new_run_id old_run_id aggregate_function filters", ""),
    (spaces.Experiments.compare_run_events, "self new_run_id old_run_id event_name event_type filter limit page", ""),
    (spaces.Experiments.get_schema, "self dateRange evaluation_id", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "positional", "keywords"), TABLE, ids=lambda one: getattr(one, "__qualname__", "")
)
def test_positions_and_keywords_are_accepted(function, positional, keywords):
    signature = inspect.signature(function)
    values = positional.split()
    needed = [
        name for name, one in signature.parameters.items() if one.default is one.empty and one.kind == 3
    ]
    bound = signature.bind(*values, **dict.fromkeys(needed))
    assert list(bound.args) == values
    in_order = [name for name in signature.parameters if name in values]
    assert in_order == [name for name in values if name in in_order], "the order of positions"
    required = [
        name for name, one in signature.parameters.items() if one.default is one.empty and one.kind <= 1
    ]
    signature.bind(*required, **dict.fromkeys(keywords.split()))


METHODS = {
    "charts": "create delete get list update",
    "configurations": "create create_configuration delete delete_configuration get_configuration list list_configurations update update_configuration",
    "datapoints": "create create_datapoint delete delete_datapoint get get_datapoint list list_datapoints update update_datapoint",
    "datasets": "add_datapoints create create_dataset delete delete_dataset get_dataset list list_datasets remove_datapoint update update_dataset",
    "evaluations": "create_run",
    "events": "create create_batch create_event export get_by_session_id get_events list list_events update update_event",
    "experiments": "compare_run_events compare_runs create_run delete_run get_result get_run get_run_result get_schema list_runs update_run",
    "metric_versions": "create deploy list",
    "metrics": "create create_metric delete delete_metric get_metric list list_metrics update update_metric",
    "sessions": "create_session start start_session",
}


@pytest.mark.parametrize("namespace", METHODS)
def test_each_namespace_has_its_methods_and_their_async_twins(namespace):
    space = getattr(ours.HoneyHive(api_key="k"), namespace)
    for name in METHODS[namespace].split():
        assert callable(getattr(space, name)), name
        assert inspect.iscoroutinefunction(getattr(space, f"{name}_async")), name


def test_the_paths_that_code_imports_from():
    import importlib

    table = {
        "": """HoneyHive HoneyHiveTracer trace atrace trace_class enrich_span enrich_session flush set_default_tracer
            evaluate evaluator aevaluator BaseEvaluator DotDict get_logger MissingApiKeyError EventType HoneyHiveError""",
        ".models": "EventType EventFilter FilterOperator CreateDatasetRequest UpdateEventRequest PostEventRequest",
        ".experiments": "evaluate evaluator run_experiment get_run_result compare_runs ExperimentContext",
        ".evaluation": "evaluate evaluator aevaluator BaseEvaluator EvaluationContext",
        ".config.models": "TracerConfig SessionConfig EvaluationConfig",
        ".tracer": "HoneyHiveTracer trace enrich_span",
        ".api.client": "HoneyHive",
        ".utils.error_handler": "APIError HoneyHiveError AuthenticationError RateLimitError",
        ".utils.dotdict": "DotDict",
        ".utils.logger": "get_logger",
        "._generated.api_config": "HTTPException",
    }
    for path, names in table.items():
        module = importlib.import_module(f"aitrace.honeyhive{path}")
        for name in names.split():
            assert getattr(module, name) is not None, f"{path}.{name}"


def test_attributes_of_a_tracer():
    tracer = ours.HoneyHiveTracer(test_mode=True)
    names = """session_id session_name source project run_id dataset_id datapoint_id client provider tracer
        is_initialized is_main_provider project_name source_environment is_test_mode tracer_id"""
    for name in names.split():
        getattr(tracer, name)
    assert tracer.is_main_provider is False
