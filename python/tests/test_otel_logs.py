"""Log records of OpenTelemetry on ``tracer.logger_provider``."""

import contextvars

import opentelemetry._logs as otel_logs
import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace as otel
from opentelemetry._logs import LogRecord, NoOpLoggerProvider, SeverityNumber

from aitrace import Tracer


@pytest.fixture
def tracer():
    return Tracer(project="p", target="memory")


def logger(tracer):
    return tracer.logger_provider.get_logger("library", "1.0")


def test_a_record_is_one_of_ours_under_its_span(tracer):
    with tracer.start_span("s") as span:
        record = LogRecord(
            event_name="cache.miss",
            severity_number=SeverityNumber.WARN,
            body={"key": [1, "a"]},
            attributes={"n": 1},
        )
        logger(tracer).emit(record)
    logger(tracer).emit(event_name="outside", body="text")
    inside, outside = tracer.logs()
    assert (inside.event, inside.level, inside.logger) == ("cache.miss", "warning", "library")
    assert (inside.trace_id, inside.span_id) == (span.trace_id, span.span_id)
    assert inside.attrs == {"n": 1, "body": {"key": [1, "a"]}}
    assert (outside.level, outside.span_id, outside.attrs) == ("info", None, {"body": "text"})


def test_the_context_of_a_record_says_which_span(tracer):
    assert tracer.logger_provider
    with tracer.start_span("one") as one:
        context = otel_context.get_current()
        with tracer.start_span("two"):
            logger(tracer).emit(LogRecord(event_name="e", context=context))
            logger(tracer).emit(event_name="gen_ai.user.message", context=context, body={"content": "hi"})
    (log,) = tracer.logs()
    assert log.span_id == one.span_id
    spans = {span.name: span for span in tracer.spans()}
    assert spans["one"].inputs[0]["parts"][0]["content"] == "hi" and spans["two"].inputs is None


def test_messages_as_older_instrumentors_send_them_are_inputs_and_outputs(tracer):
    function = {"name": "weather", "arguments": '{"city": "Paris"}'}
    calls = [{"id": "c1", "type": "function", "function": function}]
    messages = {
        "gen_ai.system.message": {"content": "be brief"},
        "gen_ai.user.message": {"content": "hi"},
        "gen_ai.assistant.message": {"tool_calls": calls},
        "gen_ai.tool.message": {"content": "sunny", "id": "c1"},
        "gen_ai.choice": {
            "index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It is sunny."},
        },
    }  # fmt: skip
    with tracer.provider.get_tracer("library").start_as_current_span("chat gpt-5"):
        for event, body in messages.items():
            logger(tracer).emit(
                LogRecord(event_name=event, body=body, attributes={"gen_ai.system": "openai"})
            )
    (span,) = tracer.spans()
    system, user, assistant, tool = span.inputs
    assert (system["role"], user["parts"][0]["content"]) == ("system", "hi")
    (wanted,) = assistant["parts"]
    assert (wanted["type"], wanted["name"], wanted["arguments"]) == (
        "tool_call",
        "weather",
        {"city": "Paris"},
    )
    assert (tool["role"], tool["parts"][0]["id"]) == ("tool", "c1")
    assert span.outputs[0]["parts"][0]["content"] == "It is sunny."
    assert tracer.logs() == []


def test_what_comes_after_the_end_of_its_span_is_a_record(tracer):
    library = tracer.provider.get_tracer("library")
    span = library.start_span("s")
    span.end()
    logger(tracer).emit(
        LogRecord(event_name="gen_ai.choice", body={"index": 0}, context=otel.set_span_in_context(span))
    )
    (log,) = tracer.logs()
    assert (log.event, log.span_id) == ("gen_ai.choice", otel.format_span_id(span.get_span_context().span_id))


def test_nothing_is_taken_where_instrumentation_is_suppressed(tracer):
    context = otel_context.set_value("suppress_instrumentation", True)
    token = otel_context.attach(context)
    assert not logger(tracer).enabled()
    logger(tracer).emit(event_name="e")
    otel_context.detach(token)
    logger(tracer).emit(event_name="e", context=context)
    assert tracer.logs() == [] and logger(tracer).enabled()


@pytest.mark.parametrize(
    "strange", [{}, {"body": object()}, {"event_name": "", "attributes": {"event.name": "e"}}]
)
def test_strange_records_are_taken(tracer, strange):
    logger(tracer).emit(**strange)
    (log,) = tracer.logs()
    assert log.event == ("e" if "attributes" in strange else "log")


def test_a_shut_provider_leaves_the_tracer(tracer):
    tracer.logger_provider.shutdown()
    logger(tracer).emit(event_name="e")
    assert len(tracer.logs()) == 1 and tracer.logger_provider.force_flush()


def test_the_global_provider_is_set_when_asked_and_where_there_is_none(tracer, monkeypatch):
    internal = otel_logs._internal
    monkeypatch.setattr(internal, "_LOGGER_PROVIDER", None)
    monkeypatch.setattr(internal, "_LOGGER_PROVIDER_SET_ONCE", type(internal._LOGGER_PROVIDER_SET_ONCE)())
    monkeypatch.setattr(otel, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(otel, "_TRACER_PROVIDER_SET_ONCE", type(otel._TRACER_PROVIDER_SET_ONCE)())
    assert tracer.logger_provider is not otel_logs.get_logger_provider()
    early = otel_logs.get_logger("early")
    assert contextvars.copy_context().run(tracer.install_global)
    assert otel_logs.get_logger_provider() is tracer.logger_provider
    early.emit(LogRecord(event_name="e"))
    assert [log.logger for log in tracer.logs()] == ["early"]
    other = NoOpLoggerProvider()
    monkeypatch.setattr(internal, "_LOGGER_PROVIDER", other)
    Tracer(target="memory").install_global()
    assert otel_logs.get_logger_provider() is other


def test_what_a_library_says_of_itself_stands_in_its_spans(tracer):
    library = tracer.provider.get_tracer("library", "1.0", "https://example.org/schema", {"team": "a"})
    with library.start_as_current_span("s", attributes={"k": 1}):
        pass
    (span,) = tracer.spans()
    assert span.attributes["otel.scope.schema_url"] == "https://example.org/schema"
    assert (span.attributes["otel.scope.team"], span.attributes["k"]) == ("a", 1)
