import asyncio
import json
import threading
import uuid

import pytest

import aitrace
from aitrace.honeyhive import (
    EvaluationConfig,
    HoneyHiveTracer,
    SessionConfig,
    TracerConfig,
    atrace,
    enrich_span,
    flush,
    get_default_tracer,
    set_default_tracer,
    trace,
)

SID = "3b7f2f1e-9d5b-4a4e-8f59-1d7d3c6a2b10"
OTHER = "00000000-0000-4000-8000-000000000002"


def make(**settings):
    return HoneyHiveTracer(**{"project": "p", "test_mode": True, **settings})


def spans(tracer):
    tracer.flush()
    return tracer.spans()


def logs(tracer, event):
    tracer.flush()
    return [json.loads(log[5]) for log in tracer._recorder._logs() if log[0] == event]


def test_keywords_win_over_configs_and_these_over_the_environment(monkeypatch):
    for name in ("PROJECT", "SOURCE", "SESSION_ID", "RUN_ID", "DATASET_ID"):
        monkeypatch.setenv(f"HH_{name}", OTHER if name == "SESSION_ID" else f"env-{name}")
    config = TracerConfig(
        project="config", source="config", session_id=OTHER, run_id="config", test_mode=True
    )
    evaluation = EvaluationConfig(project="evaluation", run_id="evaluation")
    session = SessionConfig(project="session", session_id=SID)
    tracer = HoneyHiveTracer(config, session, evaluation, project="keyword")
    assert (tracer.project, tracer.session_id, tracer.run_id, tracer.source, tracer.dataset_id) == (
        "keyword", SID, "evaluation", "config", "env-DATASET_ID",
    )  # fmt: skip
    assert HoneyHiveTracer(config, session, evaluation).project == "session"
    assert HoneyHiveTracer(config, None, evaluation).project == "evaluation"
    assert HoneyHiveTracer(config=config).project == "config"
    assert HoneyHiveTracer(test_mode=True).project == "env-PROJECT"
    monkeypatch.delenv("HH_PROJECT")
    monkeypatch.setenv("AITRACE_PROJECT", "ours")
    assert HoneyHiveTracer(test_mode=True).project == "ours"
    assert HoneyHiveTracer(test_mode=True).source == "env-SOURCE"


def test_names_without_prefix_configure_only_who_asks_for_it(monkeypatch):
    for name, value in {
        "RUN_ID": "ci",
        "SESSION_NAME": "ci",
        "SESSION_ID": SID,
        "DATASET_ID": "ci",
        "INPUTS": "{}",
    }.items():
        monkeypatch.setenv(name, value)
    tracer = make()
    assert (tracer.run_id, tracer.session_name, tracer.dataset_id) == (
        None,
        None,
        None,
    ) and tracer.session_id != SID
    monkeypatch.setenv("AITRACE_HONEYHIVE_BARE_ENV", "true")
    tracer = make()
    assert (tracer.run_id, tracer.session_name, tracer.session_id) == ("ci", "ci", SID)
    monkeypatch.setenv("HH_RUN_ID", "prefixed")
    assert make().run_id == "prefixed"


def test_version_02_gives_key_project_and_session_first():
    tracer = HoneyHiveTracer.init("key", "project", "session", test_mode=True)
    assert (tracer.client.api_key, tracer.project, tracer.session_name) == ("key", "project", "session")


def test_a_session_id_that_is_no_uuid_gets_a_new_one():
    assert make(session_id=SID.upper()).session_id == SID
    made = make(session_id="mine").session_id
    assert made != "mine" and uuid.UUID(made)


def test_the_session_is_announced_with_its_inputs(monkeypatch):
    monkeypatch.setenv("HH_EXPERIMENT_NAME", "e")
    monkeypatch.setenv("HH_EXPERIMENT_METADATA", '{"a": 1}')
    tracer = make(session_name="s", session_id=SID, inputs={"q": 1})
    assert logs(tracer, "session.started") == [
        {
            "session_id": SID,
            "session_name": "s",
            "inputs": {"q": 1},
            "metadata": {"experiment_name": "e", "experiment_metadata": {"a": 1}},
        }
    ]


def test_an_evaluation_is_implied_by_its_three_ids():
    ids = {"run_id": "r", "dataset_id": "d", "datapoint_id": "p"}
    tracer = make(**ids)
    with tracer.start_span("s"):
        pass
    (span,) = spans(tracer)
    assert tracer.is_evaluation and (span.run_id, span.dataset_id, span.datapoint_id) == ("r", "d", "p")
    assert not make(run_id="r").is_evaluation


def test_a_session_of_a_context_is_for_this_tracer_and_context_alone():
    tracer, other = make(), make()
    own = tracer.session_id
    seen = {}

    @trace(tracer=tracer)
    def work():
        seen[threading.current_thread().name] = tracer.session_id

    with tracer.with_session("request", session_id=SID, metadata={"k": 1}) as identity:
        assert identity == SID == tracer.session_id and other.session_id != SID
        work()
        with other.start_span("o"), tracer.start_span("t"):
            tracer.enrich_session(metadata={"in": "session"})
        thread = threading.Thread(target=work, name="elsewhere")
        thread.start(), thread.join()
        assert SID not in str(tracer.inject_context())
    assert tracer.session_id == own
    work()
    assert [span.session_id for span in spans(tracer)] == [SID, SID, own, own]
    assert [span.session_id for span in spans(other)] == [other.session_id]
    assert seen["elsewhere"] == own
    assert logs(tracer, "session.updated") == [{"session_id": SID, "metadata": {"in": "session"}}]
    assert logs(tracer, "session.started")[1] == {
        "session_id": SID,
        "session_name": "request",
        "metadata": {"k": 1},
    }


def test_sessions_of_concurrent_requests():
    tracer = make()

    @atrace(tracer=tracer)
    async def work(number):
        await asyncio.sleep(0)
        return tracer.session_id

    async def request(number):
        session = await tracer.acreate_session(f"r{number}")
        return session == await work(number)

    async def main():
        return await asyncio.gather(*(asyncio.create_task(request(number)) for number in range(20)))

    assert all(asyncio.run(main()))
    assert len({span.session_id for span in spans(tracer)}) == 20


def test_a_session_can_be_taken_up_without_announcing_it():
    tracer = make()
    assert tracer.create_session(session_id=SID, skip_api_call=True) == SID == tracer.session_id
    assert len(logs(tracer, "session.started")) == 1
    tracer.set_baggage(f"session_id@{tracer.tracer_id}", None)


def test_session_start_gives_the_id_that_spans_then_have():
    tracer = make(session_name="s")
    before = tracer.session_id
    started = tracer.session_start()
    assert started != before and tracer.session_id == started
    tracer.session_id = SID
    with tracer.start_span("s"):
        pass
    assert spans(tracer)[0].session_id == SID


def test_events_from_a_dict_or_a_name():
    tracer = make()
    first = tracer.create_event("e", inputs={"a": 1}, duration=5.0, error=None, extra=1)
    second = tracer.create_event({"event_name": "f", "event_type": "model", "inputs": {}, "project": "x"})
    events = logs(tracer, "event.created")
    assert [event["event_id"] for event in events] == [first, second]
    assert [(event["event_name"], event["event_type"]) for event in events] == [("e", "tool"), ("f", "model")]
    assert events[0]["session_id"] == tracer.session_id


def test_the_one_method_trace_decorates_and_opens_blocks():
    tracer = make()

    @tracer.trace
    def bare():
        return 1

    @tracer.trace(event_type="model", metadata={"m": 1})
    def typed():
        return 1

    @tracer.trace("named", "tool")
    def named():
        return 1

    @tracer.trace(event_type="chain")
    async def later():
        return 1

    bare(), typed(), named(), asyncio.run(later())
    with tracer.trace("block", event_type="tool", metadata={"b": 1}, foo=2) as span:
        assert span.name == "block"
    with pytest.raises(KeyError), tracer.trace("failing"):
        raise KeyError("x")
    found = spans(tracer)
    assert [(span.name.rpartition(".")[2], span.event_type) for span in found][1:5] == [
        ("typed", "model"), ("named", "tool"), ("later", "chain"), ("block", "tool"),
    ]  # fmt: skip
    assert found[0].name == f"{__name__}.bare"
    assert (found[1].metadata, found[4].metadata, found[4].attributes["foo"]) == ({"m": 1}, {"b": 1}, 2)
    assert found[5].status == "error"


def test_options_of_trace_are_said_of_each_span():
    tracer = make()
    options = {
        "metadata": {"k": 1}, "metrics": {"m": 2}, "feedback": {"f": 3}, "span_config": {"c": 4},
        "user_id": "u", "source": "aside", "error": None, "inputs": {"more": 1},
    }  # fmt: skip

    @trace("model", "n", tracer=tracer, **options)
    def plain(a):
        return a

    @trace(tracer=tracer, config={"c": 5}, session_id=SID)
    async def later():
        return 1

    @trace(tracer=tracer, metadata={"g": 1})
    def items():
        assert (yield 1) == "sent"
        return 2

    @trace(tracer=tracer, metadata={"h": 1})
    async def stream():
        try:
            got = yield 1
        except ValueError:
            got = "thrown"
        yield got

    plain(1), asyncio.run(later())
    generator = items()
    assert next(generator) == 1
    with pytest.raises(StopIteration):
        generator.send("sent")

    async def consume():
        made = stream()
        first = await made.asend(None)
        second = await made.athrow(ValueError("x"))
        await made.aclose()
        return first, second

    assert asyncio.run(consume()) == (1, "thrown")
    one, two, three, four = spans(tracer)
    assert (one.name, one.metadata, one.metrics, one.feedback, one.config, one.user_id) == (
        "n", {"source": "aside", "k": 1}, {"m": 2}, {"f": 3}, {"c": 4}, "u",
    )  # fmt: skip
    assert one.inputs == {"a": 1, "more": 1} and one.source == "dev"
    assert (two.config, two.session_id) == ({"c": 5}, SID)
    assert (three.metadata, four.metadata) == ({"g": 1}, {"h": 1})


def test_another_option_of_trace_is_an_error():
    with pytest.raises(TypeError, match="no option 'foo'"):
        trace(foo=1)


def test_the_span_of_a_generator_lasts_until_its_end():
    tracer = make()

    @trace(tracer=tracer)
    def items():
        yield 1
        tracer.enrich_span(metadata={"late": True})
        yield 2

    stream = items()
    next(stream)
    assert spans(tracer) == []
    list(stream)
    assert spans(tracer)[0].metadata == {"late": True}


def test_enrichments_are_not_shared_between_threads():
    tracer = make()
    together = threading.Barrier(2)

    def run(name):
        with tracer.start_span(name):
            with enrich_span(metadata={"name": name}, tracer=tracer) as span:
                together.wait(20)
                assert span.name == name

    threads = [threading.Thread(target=run, args=(name,)) for name in ("a", "b")]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    assert {span.name: span.metadata for span in spans(tracer)} == {"a": {"name": "a"}, "b": {"name": "b"}}


def test_all_ways_of_enriching_a_span():
    tracer = make()
    assert tracer.enrich_span(metadata={"a": 1}) is False
    with tracer.start_span("s", attributes={"event_type": "model", "plain": 1}):
        assert tracer.enrich_span({"positional": 1}, metadata={"named": 2}, keyword=3) is True
        assert tracer.enrich_span(inputs={"i": 1}, outputs={"o": 1}, feedback={"f": 1}, config={"c": 1})
        assert tracer.enrich_span(user_properties={"u": 1}, error="soft", update_event_id="e1")
        assert enrich_span({"free": 4})
    (span,) = spans(tracer)
    assert span.metadata == {"positional": 1, "named": 2, "keyword": 3, "free": 4}
    assert (span.inputs, span.outputs, span.feedback, span.config) == ({"i": 1}, {"o": 1}, {"f": 1}, {"c": 1})
    assert span.user_properties == {"u": 1} and span.error.message == "soft" and span.event_type == "model"
    assert span.attributes["honeyhive_event_id"] == "e1" and span.attributes["plain"] == 1


def test_a_late_correction_names_its_event():
    tracer = make()
    assert tracer.enrich_span(event_id="e1", metadata={"a": 1}) is True
    (update,) = logs(tracer, "event.updated")
    assert (update["event_id"], update["metadata"]) == ("e1", {"a": 1})


def test_exceptions_may_be_kept_out_of_a_span():
    tracer = make()
    for record, mark in ((False, True), (True, False), (False, False)):
        with pytest.raises(ValueError, match="x"):
            with tracer.start_span("s", record_exception=record, set_status_on_exception=mark):
                raise ValueError("x")
    assert [(len(span.events), span.status) for span in spans(tracer)] == [(0, "error"), (1, "ok"), (0, "ok")]


def test_a_context_travels_over_headers():
    tracer = make()
    with tracer.start_span("out") as outer:
        carrier = tracer.inject({})
    assert set(carrier) == {"traceparent", "baggage"}
    token = tracer.link(carrier)
    with tracer.start_span("linked") as linked:
        assert (linked.trace_id, linked.parent_span_id) == (outer.trace_id, outer.span_id)
    tracer.unlink(token)
    tracer.unlink("unknown")
    with tracer.extract_context({name.upper(): value for name, value in carrier.items()}):
        with tracer.start_span("in") as inside:
            assert inside.trace_id == outer.trace_id
    with tracer.start_span("alone") as alone:
        assert alone.trace_id != outer.trace_id
    assert tracer.extract_context({}) is None and tracer.extract_context(7) is None


def test_baggage_is_set_and_read():
    tracer = make()
    tracer.set_baggage("run_id", "r")
    assert tracer.get_baggage("run_id") == "r" == tracer.run_id
    tracer.set_baggage("run_id", None)
    assert tracer.get_baggage("nothing") is None


def test_the_default_tracer_is_the_first_or_the_one_that_was_set():
    first, second = make(), make()
    assert get_default_tracer() is first
    set_default_tracer(second)
    assert get_default_tracer() is second
    HoneyHiveTracer.reset()
    assert get_default_tracer() is first


def test_shutting_one_down_leaves_the_others_recording():
    first, second = make(), make()
    first.shutdown()
    third = make()
    for tracer in (second, third):
        with tracer.start_span("s"):
            pass
        assert len(spans(tracer)) == 1

    @trace(tracer=first)
    def work():
        return 5

    assert work() == 5 and spans(first) == []


def test_without_a_server_the_application_runs_on():
    tracer = HoneyHiveTracer(project="p")
    with tracer.start_span("s"):
        assert tracer.enrich_span(metadata={"a": 1}) is True
    assert tracer.create_session("s") and tracer.create_event("e")
    assert tracer.flush(200) is False
    assert uuid.UUID(tracer.session_id) and tracer.is_initialized and tracer.spans() == []
    tracer._recorder.shutdown(0.0)


def test_flushing_by_instance_class_and_function():
    tracer = make()
    assert (
        tracer.flush()
        is tracer.force_flush(1000)
        is HoneyHiveTracer.flush()
        is HoneyHiveTracer.flush_all()
        is True
    )
    assert flush(tracer, timeout_millis=1000) is True and flush() is True


def test_otlp_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("HH_OTLP_ENABLED", "false")
    tracer = HoneyHiveTracer(project="p")
    with tracer.start_span("s"):
        pass
    assert tracer.flush() is True


def test_instrumentors_nest_under_our_spans():
    tracer = make()
    with tracer.start_span("ours"):
        with tracer.tracer.start_as_current_span("theirs"):
            pass
    assert not tracer.is_main_provider
    theirs, ours = spans(tracer)
    assert theirs.parent_span_id == ours.span_id and theirs.session_id == tracer.session_id


def test_an_instrumentors_span_is_of_the_contexts_session():
    tracer = make()
    with tracer.with_session(session_id=SID), tracer.tracer.start_as_current_span("theirs"):
        pass
    assert spans(tracer)[0].session_id == SID


def test_nothing_of_it_is_loaded_by_aitrace_itself():
    import subprocess
    import sys

    code = "import sys, aitrace; sys.exit('aitrace.honeyhive' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys, aitrace.honeyhive; sys.exit(any(n in sys.modules for n in ('http.client', 'asyncio', 'opentelemetry', 'typing_extensions')))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_our_own_api_takes_the_spans_along():
    tracer = make()
    with tracer.start_span("s"):
        assert aitrace.enrich_span(metadata={"a": 1})
    assert spans(tracer)[0].metadata == {"a": 1}
