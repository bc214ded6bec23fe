"""Settings: files under the environment under what a program says; the compatibility mode in all its ways."""

import io
import json
import stat
import subprocess
import sys

import pytest

import aitrace
from aitrace import Client, ConfigurationError, Tracer, _native, config, set_workspace_root


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, with nothing in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (
        "CONFIG",
        "PROJECT",
        "SOURCE",
        "TARGET",
        "SERVER_URL",
        "API_KEY",
        "COMPAT_MODE",
        "WORKSPACE_ROOT",
    ):
        monkeypatch.delenv(f"AITRACE_{name}", raising=False)
    config.load_config()
    yield tmp_path
    monkeypatch.undo()
    config.set_compat_mode(None)
    set_workspace_root(None)
    config.load_config()


def write(home, name, text):
    folder = home / ".config" / "aitrace"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return config.load_config()


def test_defaults_then_file_then_environment_then_what_is_said(home, monkeypatch):
    assert (config.get_config().project, config.get_config().files) == ("default", ())
    write(home, "config.yaml", "project: from-yaml\nsource: yaml-source\n")
    found = write(home, "config.toml", 'project = "from-toml"\nserver_url = "http://file:1"\napi-key = "k"\n')
    assert (found.project, found.source, found.server_url) == ("from-toml", "yaml-source", "http://file:1")
    assert [path.name for path in found.files] == ["config.toml", "config.yaml"]
    assert "k" not in repr(found).replace("workspace_root", "")[:20]
    assert Tracer(target="memory").project_name == "from-toml"
    assert Client().server_url == "http://file:1"
    monkeypatch.setenv("AITRACE_PROJECT", "from-env")
    monkeypatch.setenv("AITRACE_SERVER_URL", "http://env:2")
    assert (config.get_config().project, config.get_config().server_url) == ("from-env", "http://env:2")
    assert Tracer(target="memory").project_name == "from-env"
    assert Tracer(target="memory").source == "yaml-source"
    assert Tracer(target="memory", project="said").project_name == "said"
    assert Client(server_url="http://said:3").server_url == "http://said:3"


def test_a_target_of_the_file_is_used_unless_the_environment_names_a_server(home, monkeypatch):
    write(home, "config.toml", 'target = "memory"\n')
    tracer = Tracer()
    with tracer.start_span("kept"):
        pass
    assert [span.name for span in tracer.spans()] == ["kept"]
    assert config.get_config().target == "memory"
    monkeypatch.setenv("AITRACE_SERVER_URL", "http://127.0.0.1:9")
    assert config.get_config().target is None


@pytest.mark.parametrize(
    ("name", "text"), [("config.toml", "a = 1\nb = \n"), ("config.yaml", "a: [\n"), ("config.yml", "- 1\n")]
)
def test_a_broken_file_is_one_line_on_stderr_and_costs_nothing(home, name, text):
    code = "from aitrace import Tracer, config\nt = Tracer(target='memory')\nwith t.start_span('s'): pass\nprint(len(t.spans()), config.get_config().project)"
    write(home, name, text)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1 default\n"
    assert len(done.stderr.splitlines()) == 1
    assert name in done.stderr
    assert config.load_config().errors
    with pytest.raises(ConfigurationError, match=name):
        config.load_config(strict=True)


def test_a_named_file_is_read_alone(home, tmp_path):
    write(home, "config.toml", 'project = "usual"\n')
    named = tmp_path / "other.yml"
    named.write_text("source: other\n")
    found = config.load_config(named)
    assert (found.project, found.source, found.files) == ("default", "other", (named,))
    with pytest.raises(ConfigurationError, match="no such file"):
        config.load_config(tmp_path / "none.toml", strict=True)
    assert config.load_config(tmp_path / "none.toml").source == "dev"


def test_files_are_made_once_and_never_overwritten(home):
    made = config.init_config_files()
    assert [path.name for path in made] == ["config.toml", "config.yaml"]
    assert made[0].parent == home / ".config" / "aitrace"
    assert stat.S_IMODE(made[0].stat().st_mode) == 0o600
    assert config.load_config(strict=True).values == {}
    made[0].write_text('project = "mine"\n')
    assert config.init_config_files() == []
    assert made[0].read_text() == 'project = "mine"\n'
    for path in made:  # what stands in the comments is right
        path.write_text(path.read_text().replace("\n#", "\n").replace("\n ", "\n# "))
        found = config.load_config(path, strict=True)
        assert (found.project, found.compat_mode) == (
            ("mine", False) if path is made[0] else ("support", True)
        )
    with pytest.raises(ConfigurationError):
        config.init_config_files(made[0])


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("way", ["environment", "yaml", "toml", "call"])
def test_the_compatibility_mode_can_be_set_in_each_way(home, tmp_path, monkeypatch, way):
    if way == "environment":
        monkeypatch.setenv("AITRACE_COMPAT_MODE", "true")
    elif way == "call":
        config.set_compat_mode(True)
    else:
        write(home, f"config.{way}", "compat-mode: true" if way == "yaml" else "compat-mode = true")
    assert config.get_config().compat_mode
    path = tmp_path / "t.jsonl"
    tracer = Tracer(target=path)
    with tracer.start_span("s"):
        tracer.log("hello")
    assert tracer.flush().ok
    records = lines(path)
    assert len(records) == 3
    for record in records:
        assert record["timestamp"] == record["__tracer_meta__"]["timestamp"]
        assert set(record) <= {"timestamp", "__tracer_meta__", "attributes"}


def test_setting_the_mode_reaches_tracers_and_loggers_that_exist(tmp_path, monkeypatch):
    path = tmp_path / "t.jsonl"
    monkeypatch.setenv("AITRACE_COMPAT_MODE", "true")
    tracer = Tracer(target=path)
    stream = io.StringIO()
    log = aitrace.setup_logging(stream=stream)
    for number, mode in enumerate((True, False, None)):
        config.set_compat_mode(mode)
        tracer.log(f"e{number}")
        tracer.flush()
        log.info(f"e{number}")
    expected = [True, False, True]
    assert ["timestamp" in record for record in lines(path)] == expected
    assert ["timestamp" in json.loads(line) for line in stream.getvalue().splitlines()] == expected


def test_the_environment_can_switch_off_what_the_file_switches_on(home, monkeypatch):
    write(home, "config.toml", "compat-mode = true")
    monkeypatch.setenv("AITRACE_COMPAT_MODE", "false")
    assert not config.get_config().compat_mode
    assert not _native.compat_mode()


def test_a_home_that_cannot_be_read_is_no_home(monkeypatch):
    monkeypatch.setenv("HOME", "/proc/self/nothing")
    assert config.load_config().project == "default"
    with pytest.raises(ConfigurationError):
        config.init_config_files()
