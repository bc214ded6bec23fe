"""Enrichment as methods and free functions, as calls and blocks; late corrections; sessions and events."""

import copy
import json
import pickle

import pytest

import aitrace
from aitrace import Tracer, create_event, create_session, enrich_session, enrich_span


def by_name(tracer):
    return {span.name: span for span in tracer.spans()}


def test_a_late_correction_reaches_its_span(tracer):
    with tracer.start_span("first") as first:
        tracer.enrich_span(metrics={"score": 1}, metadata={"kept": True}, outputs={"old": 1})
    with tracer.start_span("second"):
        done = tracer.enrich_span(
            event_id=first.span_id, metrics={"score": 2}, feedback={"good": True}, outputs="new"
        )
        assert done
        with done as span:
            assert span is None
    spans = by_name(tracer)
    assert (spans["first"].metrics, spans["first"].feedback) == ({"score": 2}, {"good": True})
    assert (spans["first"].metadata, spans["first"].outputs) == ({"kept": True}, "new")
    assert (spans["second"].metrics, spans["second"].status) == (None, "ok")
    (log,) = tracer.logs()
    assert (log.event, log.trace_id, log.attrs["event_id"]) == ("event.updated", None, first.span_id)
    assert log.ts.tzinfo is not None
    assert enrich_span(event_id=first.span_id, error="late")
    assert by_name(tracer)["first"].error.message == "late"


def test_a_block_hands_out_no_other_tracers_span(tracer, other):
    with tracer.start_span("outer") as outer:
        with tracer.enrich_span(metadata={"at": 1}) as span:
            assert span is outer
        with other.start_span("inner"), tracer.enrich_span(metadata={"at": 2}) as span:
            assert span is None
    assert (by_name(tracer)["outer"].metadata, by_name(other)["inner"].metadata) == ({"at": 2}, None)


def test_an_open_span_by_its_id_or_handle_is_enriched_at_once(tracer, other):
    span = tracer.start_span("open")
    assert tracer.enrich_span(event_id=span, metadata={"handle": 1})
    with tracer.start_span("current") as current:
        assert tracer.enrich_span(event_id=current.span_id, metadata={"id": 1})
        assert tracer.enrich_span(event_id=current.span_id).__enter__() is current
    span.end()
    assert tracer.logs() == []
    assert (by_name(tracer)["open"].metadata, by_name(tracer)["current"].metadata) == (
        {"handle": 1},
        {"id": 1},
    )
    # Another tracer's span is corrected by a record of this one, never written to directly.
    foreign = other.start_span("foreign")
    assert tracer.enrich_span(event_id=foreign, metadata={"x": 1})
    foreign.end()
    assert by_name(other)["foreign"].metadata is None
    assert tracer.logs()[0].attrs == {"event_id": foreign.span_id, "metadata": {"x": 1}}


def test_an_event_can_be_corrected_by_the_id_it_got(tracer):
    event = tracer.create_event("call", event_type="model", inputs={"q": 1}, duration=5.0)
    assert tracer.enrich_span(event_id=event, metrics={"score": 1})
    created, updated = tracer.logs()
    assert created.attrs["event_id"] == updated.attrs["event_id"] == event
    assert (created.attrs["event_name"], created.attrs["duration_ms"]) == ("call", 5.0)


@pytest.mark.parametrize("make", [lambda tracer, **about: tracer.create_event("job", **about), create_event])
def test_an_event_tells_what_its_block_came_to(tracer, monkeypatch, make):
    times = iter([1.0, 1.25, 2.0, 2.5])
    monkeypatch.setattr("aitrace._events.time.perf_counter", lambda: next(times))
    arguments = (tracer,) if make is not create_event else ("job",)
    with make(*arguments, inputs={"q": 1}) as job:
        assert isinstance(job, str)
    with pytest.raises(LookupError, match="gone"), make(*arguments) as failed:
        raise LookupError("gone")
    created, updated, other, last = tracer.logs()
    assert [created.event, updated.event, other.event, last.event] == ["event.created", "event.updated"] * 2
    assert created.attrs["event_id"] == job != failed
    assert (updated.level, updated.attrs) == ("info", {"event_id": job, "duration_ms": 250.0})
    told = {"event_id": failed, "duration_ms": 500.0, "error": "LookupError: gone"}
    assert (last.level, last.attrs) == ("error", told)


def test_an_event_is_a_str_and_its_block_survives_everything(tracer):
    class Bad(Exception):
        def __str__(self):
            raise RuntimeError

    event = tracer.create_event("e")
    assert type(pickle.loads(pickle.dumps(event))) is type(copy.copy(event)) is str
    assert json.loads(json.dumps({event: event})) == {str(event): event}
    with pytest.raises(Bad), event:
        raise Bad
    assert tracer.logs()[-1].attrs["error"] == "Bad"
    with event, event:
        tracer.shutdown()
    assert tracer.create_event("e") is None


def test_sessions_are_enriched_by_method_and_function_as_call_and_block(tracer):
    assert tracer.enrich_session(metadata={"a": 1}, user_properties={"plan": "pro"})
    with tracer.enrich_session(metrics={"m": 1}):
        pass
    with enrich_session(metadata={"b": 2}, tracer=tracer) as nothing:
        assert nothing is None
    assert enrich_session({"c": 3})
    assert enrich_session("other-session", {"d": 4}, feedback={"f": True})
    records = [log.attrs for log in tracer.logs()]
    assert {log.event for log in tracer.logs()} == {"session.updated"}
    assert [record.get("metadata") for record in records] == [{"a": 1}, None, {"b": 2}, {"c": 3}, {"d": 4}]
    assert [record["session_id"] for record in records] == [tracer.session_id] * 4 + ["other-session"]
    assert records[4]["feedback"] == {"f": True}


def test_free_functions_make_sessions_and_events(tracer):
    session = create_session("demo", metadata={"k": 1}, tracer=tracer)
    assert session == tracer.session_id
    assert create_session("again", session_id="mine") == "mine" == tracer.session_id
    assert create_event("call", outputs="o") is not None
    started = tracer.logs()[0]
    assert (started.event, started.attrs["session_name"]) == ("session.started", "demo")


def test_without_a_tracer_nothing_happens_and_nothing_raises():
    assert aitrace.discover_tracer() is None
    assert not enrich_span(metadata={"a": 1})
    assert not enrich_session(metadata={"a": 1})
    with enrich_session(metadata={"a": 1}), enrich_span(event_type="chain") as span:
        assert span is None
    assert create_session("s") is None
    assert create_event("e") is None


def test_after_shutdown_nothing_is_recorded_and_nothing_raises():
    tracer = Tracer(target="memory")
    tracer.shutdown()
    assert not tracer.enrich_session(metadata={"a": 1})
    assert not tracer.enrich_span(event_id="0" * 16, metadata={"a": 1})
    assert tracer.create_event("e") is None
    assert isinstance(tracer.create_session("s"), str)


def test_hostile_values_cost_nothing(tracer):
    class Bad:
        def __str__(self):
            raise RuntimeError("no")

        __repr__ = __hash__ = __str__

    with tracer.start_span("s"):
        for value in (Bad(), 7, [1], "text", {1: 2}, None):
            assert tracer.enrich_span(metadata=value, event_id=None)
            tracer.enrich_session(metadata=value)
            tracer.enrich_span(event_id=value, metadata=value)
            tracer.create_event(value, inputs=value)
    json.dumps([log.attrs for log in tracer.logs()])
