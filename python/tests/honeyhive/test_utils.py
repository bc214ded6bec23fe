import copy
import json
import logging

import pytest

from aitrace.honeyhive import DotDict, EventType, MissingApiKeyError, get_logger
from aitrace.honeyhive.models import CreateDatasetRequest, EventFilter
from aitrace.honeyhive.utils import ErrorResponse, ValidationError


def test_a_dotdict_reads_and_writes_by_attributes_and_dots():
    d = DotDict({"a": {"b": {"c": 1}}, "x.y": 2}, k=3)
    assert d.a.b.c == d["a.b.c"] == d.get("a.b.c") == 1 and d["x.y"] == 2 and d.k == 3
    d["p.q"] = 4
    d.new = {"deep": 5}
    d["x.y"] = 6
    assert (d.p.q, d.new.deep, d.x.y) == (4, 5, 6)
    assert "a.b" in d and "a.z" not in d and d.get("a.z.w", 7) == 7 and d.setdefault("a.s", 8) == 8
    assert d.to_dict()["a"] == {"b": {"c": 1}, "s": 8} and type(d.to_dict()["a"]) is dict
    with pytest.raises(AttributeError):
        _ = d.nothing
    with pytest.raises(KeyError):
        _ = d["a.nothing"]
    del d.k
    assert "k" not in d and json.loads(json.dumps(d))["p"] == {"q": 4}
    deep, shallow = d.deepcopy(), d.copy()
    d.a.b.c = 9
    assert (deep.a.b.c, shallow.a.b.c, copy.deepcopy(d).a.b.c) == (1, 9, 9)


def test_a_logger_takes_data_and_says_where_it_was_called(caplog):
    logger = get_logger("aitrace.test.logger", verbose=True)
    logger.info("hello %s", "you", honeyhive_data={"a": 1})
    try:
        raise ValueError("x")
    except ValueError:
        logger.exception("failed")
    first, second = caplog.records
    assert (
        first.getMessage() == "hello you"
        and first.honeyhive_data == {"a": 1}
        and first.filename == "test_utils.py"
    )
    assert second.exc_info[0] is ValueError
    logger.update_verbose_setting(False)
    assert logger.logger.level == logging.NOTSET


def test_requests_know_what_they_need():
    with pytest.raises(ValidationError, match="CreateDatasetRequest lacks name"):
        CreateDatasetRequest(description="x")
    made = CreateDatasetRequest(name="n")
    assert (
        made.description is None
        and made.model_dump() == {"name": "n"}
        and "name" in made
        and made["name"] == "n"
    )
    with pytest.raises(AttributeError):
        _ = made.nothing
    assert EventFilter(field="f") == {"field": "f"} and EventFilter(field="f") != EventFilter(field="g")


def test_event_types_are_their_words():
    assert EventType.model == "model" == str(EventType.model) and EventType("tool") is EventType.tool


def test_errors_say_what_to_do():
    assert "HH_INGESTION_API_KEY" in str(MissingApiKeyError("ingestion"))
    assert ErrorResponse().error_message == "An unknown error occurred"
