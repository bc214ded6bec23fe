"""Loggers of the user, joined to the spans."""

import io
import json
import logging

import structlog

from aitrace import LogHandler, setup_logging


def test_structlog_writes_trace_records_with_the_ids_of_the_span(tracer, capsys, monkeypatch):
    setup_logging()
    log = structlog.get_logger("agent")
    log.debug("not shown")
    log.info("outside", n=1)
    with tracer.start_span("plan") as span:
        log.bind(user="u").warning("inside", answer={"a": [1]})
        try:
            raise ValueError("kaput")
        except ValueError:
            log.exception("failed")
    outside, inside, failed = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    meta = inside["__tracer_meta__"]
    assert (meta["event"], meta["level"], meta["lifecycle"], meta["version"]) == (
        "inside",
        "warning",
        "log",
        "2.1",
    )
    assert (meta["trace_id"], meta["span_id"], meta["project"]) == (span.trace_id, span.span_id, "tests")
    assert meta["file"].endswith("test_logs.py")
    assert meta["function"].endswith("test_structlog_writes_trace_records_with_the_ids_of_the_span")
    assert meta["timestamp"].endswith("Z")
    assert (inside["user"], inside["answer"]) == ("u", {"a": [1]})
    assert "timestamp" not in inside
    assert "trace_id" not in outside["__tracer_meta__"]
    assert outside["n"] == 1
    assert failed["__tracer_meta__"]["level"] == "error"
    assert "ValueError: kaput" in failed["exception"]
    assert len({line["__tracer_meta__"]["id"] for line in (outside, inside, failed)}) == 3

    monkeypatch.setenv("AITRACE_COMPAT_MODE", "true")
    stream = io.StringIO()
    setup_logging(stream=stream)
    structlog.get_logger().info("compatible", __tracer_meta__="forged")
    record = json.loads(stream.getvalue())
    assert record == {
        "__tracer_meta__": record["__tracer_meta__"],
        "timestamp": record["__tracer_meta__"]["timestamp"],
    }


def test_the_handler_gives_records_to_the_tracer(tracer):
    logger = logging.getLogger("agent.tests")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    handler = LogHandler()
    logger.addHandler(handler)
    try:
        with tracer.start_span("plan") as span:
            logger.warning("careful %s", "now", extra={"order": 7})
            try:
                raise KeyError("k")
            except KeyError:
                logger.exception("failed")
    finally:
        logger.removeHandler(handler)
    tracer.flush()
    careful, failed = tracer._logs()
    assert careful[:5] == ("careful now", "warning", span.trace_id, span.span_id, "agent.tests")
    assert json.loads(careful[5]) == {"order": 7}
    assert failed[1] == "error"
    assert "KeyError" in json.loads(failed[5])["exception"]


def test_the_handler_without_a_tracer_does_nothing():
    record = logging.makeLogRecord({"msg": "m", "name": "x"})
    LogHandler().emit(record)
