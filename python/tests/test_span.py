"""Spans and what is said about them."""

import enum
import gc

import pytest

import aitrace
from aitrace import EventType, FinishedSpan, FlushResult, enrich_span


def test_with_makes_it_current_and_ends_it(tracer):
    with tracer.start_span("plan", event_type="chain", attributes={"a": 1}, inputs={"q": 2}) as span:
        assert (span.name, len(span.trace_id), len(span.span_id)) == ("plan", 32, 16)
        assert span.is_recording()
        span.set_attribute("k", "v")
        span.set_attributes({"list": [1, 2], "nested": {"x": 1}, "none": None})
        span.add_event("tick", {"n": 1})
        span.set_status("ok")
        assert tracer.spans() == []
    assert not span.is_recording()
    span.set_attribute("late", 1)
    (finished,) = tracer.spans()
    assert (finished.name, finished.event_type, finished.kind, finished.status) == (
        "plan",
        "chain",
        "chain",
        "ok",
    )
    assert finished.inputs == {"q": 2}
    assert finished.attributes["a"] == 1
    assert finished.attributes["list"] == [1, 2]
    assert finished.attributes["nested"] == '{"x":1}'
    assert "late" not in finished.attributes
    assert [(event.name, event.attributes) for event in finished.events] == [("tick", {"n": 1})]
    assert finished.end_ns >= finished.start_ns
    assert finished.code.function == "test_with_makes_it_current_and_ends_it"
    assert finished.code.file.endswith("test_span.py")


def test_without_with_it_is_not_current(tracer):
    span = tracer.start_span("free")
    with tracer.start_span("other"):
        pass
    assert not tracer.enrich_span(metadata={"a": 1})
    assert tracer.spans()[0].parent_span_id is None
    span.end()
    span.end()
    assert [finished.name for finished in tracer.spans()] == ["other", "free"]


def test_an_exception_marks_it_and_passes(tracer):
    with pytest.raises(KeyError), tracer.start_span("plan"):
        raise KeyError("gone")
    (span,) = tracer.spans()
    assert (span.status, span.error.type, span.error.message) == ("error", "KeyError", "'gone'")


def test_one_dropped_unended_is_ended_and_marked(tracer):
    tracer.start_span("dropped")
    gc.collect()
    (span,) = tracer.spans()
    assert span.attributes["aitrace.abandoned"] is True


def test_attributes_read_back_flattened_and_stored_exactly(tracer):
    with tracer.start_span("plan") as span:
        tracer.enrich_span(
            metadata={"Order-Id": 7, "nested": {"Deep-Key": [1, {"a": 2}]}},
            metrics={"score": 0.5, "big": 2**63, "flag": True},
            feedback={"rating": 5},
            config={"model": "m"},
            user_properties={"plan": "pro"},
            inputs={"q": "?"},
            outputs="text",
            user_id="u1",
            extra_key="more",
        )
        tracer.enrich_span(metadata={"second": None}, metrics={"score": 0.75})
        before = span.attributes
    attributes = span.attributes
    assert before == attributes
    assert attributes["metadata.order_id"] == 7
    assert attributes["metadata.nested.deep_key"] == [1, {"a": 2}]
    assert attributes["metadata.extra_key"] == "more"
    assert attributes["metrics.score"] == 0.75
    assert attributes["project"] == "tests"
    assert attributes["source"] == "ci"
    assert attributes["session_id"] == tracer.session_id
    (finished,) = tracer.spans()
    assert finished.metadata == {
        "Order-Id": 7, "nested": {"Deep-Key": [1, {"a": 2}]}, "extra_key": "more", "second": None
    }  # fmt: skip
    assert finished.metrics == {"score": 0.75, "big": 2**63, "flag": True}
    assert (finished.feedback, finished.config) == ({"rating": 5}, {"model": "m"})
    assert (finished.user_properties, finished.user_id) == ({"plan": "pro"}, "u1")
    assert (finished.inputs, finished.outputs) == ({"q": "?"}, "text")


def test_enrich_span_as_a_call_and_with_with(tracer):
    assert not enrich_span(metadata={"nowhere": 1})
    with tracer.start_span("plan") as span:
        done = enrich_span({"positional": 1}, event_type=EventType.model, metrics={"n": 1})
        assert done
        with enrich_span(event_type="chain") as current:
            assert current is span
        with pytest.raises(ValueError, match="through"), enrich_span(metadata={"b": 2}):
            raise ValueError("through")
        enrich_span(error="soft error")
    (finished,) = tracer.spans()
    assert finished.metadata == {"positional": 1, "b": 2}
    assert (finished.event_type, finished.status) == ("chain", "error")
    assert finished.error.message == "soft error"


def test_nothing_that_is_said_raises(tracer):
    class Bad:
        def __repr__(self):
            raise RuntimeError("no")

    with tracer.start_span(Bad()) as span:
        span.set_attribute(Bad(), Bad())
        span.set_attributes(Bad())
        span.add_event(Bad(), Bad())
        span.record_exception(Bad())
        span.set_status(Bad())
        span.enrich(metadata=Bad(), metrics=[1], inputs=Bad(), error=Bad(), event_type=Bad(), kind=3)
        span.add_link("x", "y")
        tracer.enrich_span(Bad(), config=Bad(), unknown=Bad())
        tracer.create_event(Bad(), inputs=Bad())
        tracer.log(Bad(), level=Bad(), field=Bad())
        tracer.enrich_session(Bad())
        tracer.set_baggage("run_id", Bad())
    assert len(tracer.spans()) == 1


def test_status_takes_words_and_enums(tracer):
    class Code(enum.Enum):
        ERROR = 2

    for status in ("error", "ERROR", Code.ERROR.name, "StatusCode.ERROR"):
        with tracer.start_span("s") as span:
            span.set_status(status, "why")
    assert [(span.status, span.error.message) for span in tracer.spans()] == [("error", "why")] * 4


def test_events_sessions_and_logs_are_log_records(tracer):
    with tracer.start_span("plan") as span:
        event = tracer.create_event("external", event_type="model", inputs={"q": 1}, duration=12.5, error="e")
        log = tracer.log("happened", "warning", detail={"a": 1})
    assert event
    assert log
    before = tracer.session_id
    assert tracer.create_session("second", metadata={"m": 1}) == tracer.session_id != before
    assert tracer.session_name == "second"
    tracer.enrich_session(feedback={"rating": 5})
    aitrace.enrich_session(metadata={"free": True}, tracer=tracer)
    tracer.flush()
    logs = {log[0]: log for log in tracer._logs()}
    assert set(logs) == {"event.created", "happened", "session.started", "session.updated"}
    _, level, trace_id, span_id, _, data = logs["happened"]
    assert (level, trace_id, span_id) == ("warning", span.trace_id, span.span_id)
    assert '"detail":{"a":1}' in data
    assert '"duration_ms":12.5' in logs["event.created"][5]
    assert logs["event.created"][3] == span.span_id
    assert '"metadata":{"m":1}' in logs["session.started"][5]
    assert '"free":true' in logs["session.updated"][5]
    with tracer.start_span("later"):
        pass
    assert tracer.spans()[-1].session_id == tracer.session_id


def test_flush_result_is_true_when_ok(tracer):
    with tracer.start_span("a"):
        pass
    result = tracer.flush()
    assert result
    assert isinstance(result, FlushResult)
    assert (result.ok, result.sent, result.remaining, result.spooled, result.dropped) == (True, 1, 0, 0, {})
    assert not FlushResult(ok=False)


def test_a_finished_span_is_read_only_and_tells_its_fields(tracer):
    with tracer.start_span("a") as span:
        span.add_link("1" * 32, "2" * 16)
    (finished,) = tracer.spans()
    assert isinstance(finished, FinishedSpan)
    assert finished.links[0].trace_id == "1" * 32
    assert {"trace_id", "inputs", "status", "code"} <= set(dir(finished))
    with pytest.raises(AttributeError):
        finished.nonsense  # noqa: B018 (read for its error)
    with pytest.raises(AttributeError):
        finished._data.name = "x"
