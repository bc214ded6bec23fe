"""Rules, processors and masking, as a program sees them."""

import gc
import json
import subprocess
import sys
import textwrap

import pytest

from aitrace import ConfigurationError, Tracer, _processors


@pytest.fixture(autouse=True)
def no_entry_points(monkeypatch):
    monkeypatch.setattr(_processors, "_installed", _processors.Installed())
    monkeypatch.setattr(_processors, "_told", set())


def names(tracer):
    return [span.name for span in tracer.spans()]


RULES = {"rules": [{"name": "noise", "drop": True, "when": {"name": "noise*"}}]}


def test_rules_in_each_form(tmp_path, monkeypatch):
    toml = tmp_path / "rules.toml"
    toml.write_text('[[rules]]\nname = "noise"\ndrop = true\nwhen = { name = "noise*" }\n')
    yaml = tmp_path / "rules.yaml"
    yaml.write_text("rules:\n- {name: noise, drop: true, when: {name: noise*}}\n")
    for rules in (RULES, RULES["rules"], json.dumps(RULES), toml, str(toml), yaml):
        tracer = Tracer(target="memory", rules=rules)
        tracer.start_span("noise 1").end()
        tracer.start_span("kept").end()
        assert names(tracer) == ["kept"]
        assert tracer.stats()["filtered"] == {"noise": 1}
    for text in (str(toml), json.dumps(RULES)):
        monkeypatch.setenv("AITRACE_RULES", text)
        tracer = Tracer(target="memory")
        tracer.start_span("noise 1").end()
        assert names(tracer) == []


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (7, "rules must be the path of a file, a dict"),
        (["drop"], "rules must be the path of a file, a dict"),
        ({"rulez": []}, "rules:2: unknown field `rulez`"),
        ([{"drop": True, "when": {"name": "/(/"}}], "is no regular expression"),
        ({"mask": {"keys": {1}}}, "not JSON serializable"),
        ("none.toml", "none.toml: cannot be read"),
    ],
)
def test_rules_that_cannot_be_right_are_an_error_of_the_argument(rules, says):
    with pytest.raises(ConfigurationError, match=says.replace("`", ".")):
        Tracer(target="memory", rules=rules)


def test_arguments_that_cannot_be_right():
    with pytest.raises(ConfigurationError, match="must be callable, not int"):
        Tracer(target="memory", processors=[1])
    with pytest.raises(ConfigurationError, match="mask must be True, False or None, not str"):
        Tracer(target="memory", mask="no")


def test_broken_rules_of_the_environment_break_nothing():
    code = """
        import aitrace
        for _ in range(3):
            tracer = aitrace.Tracer(target="memory", mask=False)
            with tracer.start_span("a") as span:
                span.set_attribute("password", "hunter2")
            assert tracer.spans()[0].attributes["password"] == "[masked]", tracer.spans()[0].attributes
        print("alive")
    """
    environment = {"AITRACE_RULES": '{"rules": [\n{"drop": 1}]}', "PATH": "", "HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
    line = "aitrace: AITRACE_RULES:2: invalid type: integer `1`, expected a boolean"
    assert done.stderr == f"{line}; these rules are not applied, credentials are masked\n"


def test_credentials_are_masked_unless_that_is_off():
    def record(**settings):
        tracer = Tracer(target="memory", **settings)

        @tracer.trace
        def call(prompt, api_key, *, max_tokens):
            tracer.enrich_span(metadata={"headers": {"Authorization": "x"}}, metrics={"total_tokens": 12})
            raise ValueError("with sk-CANARY7abcdefghij")

        with pytest.raises(ValueError, match="CANARY7"):
            call("mail AKIACANARY7ABCDEFGH", "CANARY7", max_tokens=100)
        tracer.log("login", password="CANARY7")
        return tracer, tracer.spans()[0]

    tracer, span = record()
    assert span.inputs == {"prompt": "mail [masked]", "api_key": "[masked]", "max_tokens": 100}
    assert span.metadata == {"headers": {"Authorization": "[masked]"}}
    assert span.metrics == {"total_tokens": 12}
    assert span.error[1] == "with [masked]"
    assert tracer.stats()["masked"].keys() == {"key", "aws_key", "sk_key"}
    tracer, span = record(mask=False)
    assert span.inputs["api_key"] == "CANARY7"
    assert tracer.stats()["masked"] == {}


def test_sampling_at_the_beginning_of_a_trace():
    tracer = Tracer(target="memory", rules=[{"sample": 0.0}])

    @tracer.trace
    def inner():
        tracer.enrich_span(metadata={"a": 1})
        tracer.log("said")
        return tracer.inject_context()["traceparent"]

    with tracer.start_span("root") as root:
        header = inner()
        assert not root.is_recording()
    assert header.endswith("-00")
    downstream = Tracer(target="memory")
    with downstream.extract_context({"traceparent": header}), downstream.start_span("server"):
        pass
    assert names(tracer) == names(downstream) == []
    assert tracer.stats()["filtered"] == {"not_sampled": 3}


def test_a_processor_changes_spans_and_leaves_some_out():
    seen = []

    def process(span):
        seen.append((span.name, span.attributes.get("metadata.tier")))
        if span.name == "noise":
            return None
        span.set_attribute("team", "search")
        return span

    tracer = Tracer(target="memory", processors=[process])

    @tracer.trace
    def noise():
        pass

    noise()
    with tracer.start_span("kept", metadata={"tier": "gold"}):
        pass
    handle = tracer.start_span("by hand")
    handle.end()
    handle.end()
    assert names(tracer) == ["kept", "by hand"]
    assert [span.attributes["team"] for span in tracer.spans()] == ["search", "search"]
    assert seen == [("noise", None), ("kept", "gold"), ("by hand", None)]
    assert tracer.stats()["filtered"] == {"process": 1}


@pytest.mark.parametrize(
    ("process", "says"),
    [
        (lambda span: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda span: "yes", "returned str, neither the span nor None"),
    ],
)
def test_what_a_processor_fails_on_leaves_without_its_contents(process, says, capsys):
    tracer = Tracer(target="memory", processors=[process], mask=False)
    for _ in range(2):
        with tracer.start_span("canary", metadata={"a": "canary"}) as span:
            span.set_attribute("b", "canary")
            span.add_event("canary")
    (first, _second) = tracer.spans()
    assert first.name == "[masked]"
    assert "canary" not in repr((first.attributes, first.metadata, first.events))
    assert tracer.stats()["masked"] == {"processor_failed": 2}
    assert capsys.readouterr().err == f"aitrace: processor <lambda> {says}\n"


def test_an_abandoned_span_leaves_without_its_contents_where_there_are_processors():
    tracer = Tracer(target="memory", processors=[lambda span: span], mask=False)
    span = tracer.start_span("canary")
    del span
    gc.collect()
    assert names(tracer) == ["[masked]"]


def test_what_a_processor_records_itself_is_left_out():
    def process(span):
        with tracer.start_span("inside"):
            pass
        return span

    tracer = Tracer(target="memory", processors=[process])
    with tracer.start_span("outside"):
        pass
    assert names(tracer) == ["outside"]
    assert tracer.stats()["filtered"] == {"made_by_a_processor": 1}


def test_open_spans_are_not_told_of_before_processors_have_seen_them(tmp_path):
    path = tmp_path / "t.jsonl"
    tracer = Tracer(target=path, processors=[lambda span: span])
    with tracer.start_span("work", inputs="canary"):
        tracer.flush()
        assert not path.exists() or path.read_text() == ""
    tracer.flush()
    assert "work.end" in path.read_text()


class Point:
    def __init__(self, name, found):
        self.name = name
        self.found = found

    def load(self):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def test_entry_points_bring_rules_and_processors(monkeypatch, capsys):
    def shorten(span):
        span.set_attribute("seen", True)
        return span

    points = [
        Point("d", {"rulez": 1}),
        Point("c", ImportError("no module named gone")),
        Point("b", shorten),
        Point("a", RULES),
    ]
    monkeypatch.setattr(_processors, "_installed", None)
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: points if group == _processors.GROUP else []
    )
    tracer = Tracer(target="memory", mask=False)
    for name in ("noise", "kept"):
        with tracer.start_span(name, metadata={"password": "x"}):
            pass
    (span,) = tracer.spans()
    assert (span.name, span.attributes["seen"]) == ("kept", True)
    assert span.metadata == {"password": "[masked]"}, "one was broken, so masking stays on"
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(
        "aitrace: entry point c of aitrace.processors is not used: ImportError: no module"
    )
    assert "entry point d" in said[1] and "unknown field `rulez`" in said[1]
    monkeypatch.setattr(_processors, "_installed", None)
    monkeypatch.setenv("AITRACE_PROCESSORS", "off")
    assert _processors.installed().rules == []


def test_a_processor_is_collected_with_its_tracer():
    class Marker:
        pass

    marker = Marker()
    alive = []

    def process(span, marker=marker):
        return span

    import weakref

    alive.append(weakref.ref(marker))
    tracer = Tracer(target="memory", processors=[process])
    with tracer.start_span("a"):
        pass
    tracer.shutdown()
    del tracer, marker, process
    gc.collect()
    assert alive[0]() is None
