"""What becomes of Python values: complete within the bounds, never an exception, nothing consumed."""

import collections
import datetime
import decimal
import enum
import json
import pathlib
import time
import types
import uuid
from dataclasses import dataclass, field

import numpy
import pydantic
import pytest

from aitrace import _native


def capture(value):
    return json.loads(_native.to_json(value))


class Colour(enum.Enum):
    RED = "red"


class Word(str, enum.Enum):
    TOOL = "tool"


@dataclass
class Order:
    number: int
    items: list = field(default_factory=list)
    secret: str = field(default="s3cret", repr=False)


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    name: str
    key: pydantic.SecretStr = pydantic.SecretStr("hush")
    hidden: str = pydantic.Field(default="x", repr=False)


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (2**70, 2**70),
        (-1.5, -1.5),
        ("é\"\n", "é\"\n"),
        ([1, [2]], [1, [2]]),
        ((1, "a"), [1, "a"]),
        ({"a": {"b": []}}, {"a": {"b": []}}),
        ({1: "int", None: "none", (1, 2): "tuple"}, {"1": "int", "null": "none", "[1,2]": "tuple"}),
        ({3}, [3]),
        (frozenset(["x"]), ["x"]),
        (b"any carnal", {"$bytes": "YW55IGNhcm5hbA=="}),
        (float("nan"), {"$double": "NaN"}),
        (float("-inf"), {"$double": "-Infinity"}),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.timezone.utc), "2026-01-31T12:00:00+00:00"),
        (datetime.date(2026, 1, 31), "2026-01-31"),
        (datetime.timedelta(seconds=90), "0:01:30"),
        (decimal.Decimal("1.10"), "1.10"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (Colour.RED, "red"),
        (Word.TOOL, "tool"),
        (Order(1, [Colour.RED]), {"number": 1, "items": ["red"]}),
        (Model(name="m", more=1), {"name": "m", "key": "SecretStr('**********')", "more": 1}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.deque([1, 2]), [1, 2]),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        ({"a": 1}.keys(), ["a"]),
        (ValueError("bad"), {"type": "ValueError", "message": "bad"}),
        (numpy.float32(0.5), 0.5),
        (numpy.int64(7), 7),
        (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (numpy.zeros((100, 100)), {"type": "numpy.ndarray", "dtype": "float64", "shape": "(100, 100)"}),
        (len, "<builtins.len>"),
    ],
)  # fmt: skip
def test_values(value, expected):
    assert capture(value) == expected


def test_an_iterator_is_not_consumed():
    numbers = (n for n in range(3))
    lines = iter(["a", "b"])
    text = capture({"numbers": numbers, "lines": lines})
    assert "generator" in text["numbers"]
    assert list(numbers) == [0, 1, 2]
    assert list(lines) == ["a", "b"]


def test_a_lazy_container_is_neither_iterated_nor_asked_for_its_repr():
    class Query:
        def __iter__(self):
            raise AssertionError("queried")

        __repr__ = __len__ = __iter__

    assert "Query" in capture(Query())


class Hostile:
    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __hash__ = __eq__ = __repr__


class HostileString(str):
    def __str__(self):
        raise SystemExit

    __len__ = __getitem__ = __iter__ = encode = __repr__ = __str__


class HostileDict(dict):
    def items(self):
        raise RuntimeError("no")

    __iter__ = __getitem__ = keys = values = __len__ = items


class HostileClass:
    @property
    def __class__(self):
        raise RuntimeError("no")

    def __getattr__(self, name):
        raise RuntimeError(name)


def test_hostile_objects_cost_nothing_but_their_own_place():
    value = [1, Hostile(), HostileString("text"), HostileDict(a=1), HostileClass(), Exception(Hostile()), 2]
    read = capture(value)
    assert read[0] == 1
    assert "Hostile" in read[1]
    assert read[2] == "text"
    assert read[3] == {"a": 1}
    assert "HostileClass" in read[4]
    assert "Exception" in str(read[5])
    assert read[6] == 2


def test_cycles_depth_nodes_and_bytes_are_bounded_by_marks():
    cycle = []
    cycle.append(cycle)
    assert capture(cycle) == ["… cycle"]
    twice = [1]
    assert capture([twice, twice]) == [[1], [1]]

    deep = []
    for _ in range(100_000):
        deep = [deep]
    text = _native.to_json(deep)
    assert text == "[" * 32 + '"… deeper"' + "]" * 32

    wide = capture(list(range(100_000)))
    assert wide[:100] == list(range(100))
    assert len(wide) <= 10_000, "less where the time was up before"
    assert wide[-1] == f"… {100_001 - len(wide)} more"
    assert list(capture(dict.fromkeys(range(200_000)))) == ["…"]

    long = _native.to_json(["x" * 700_000] * 3)
    assert len(long) < (1 << 20) + 200
    assert json.loads(long)[-1].endswith("more") or "characters)" in json.loads(long)[-1]
    assert len(_native.to_json("é" * (1 << 21)).encode()) < (1 << 20) + 200


def test_time_is_bounded():
    class Slow:
        def __repr__(self):
            time.sleep(0.02)
            return "slow"

    began = time.perf_counter()
    read = capture([Slow() for _ in range(50)])
    assert time.perf_counter() - began < 0.5
    assert read[0] == "slow"
    assert len(read) < 5


def test_lone_surrogates_are_escaped():
    assert capture("a\ud800b") == "a\\ud800b"
    assert capture({"\udfff": 1}) == {"\\udfff": 1}


def test_a_container_that_changes_while_it_is_read():
    items = {"a": 1}

    class Grows:
        def __repr__(self):
            items["b"] = 2
            return "grown"

    items["g"] = Grows()
    assert capture(items)["g"] == "grown"


def test_control_c_in_a_repr_is_not_lost():
    raised = []

    class Interrupted:
        def __repr__(self):
            if not raised:
                raised.append(True)
                raise KeyboardInterrupt
            return "calm"

    value = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        capture(value)
        for _ in range(1000):
            pass
    assert raised


class Counted:
    """Counts how often code of the user runs."""

    def __init__(self):
        object.__setattr__(self, "runs", 0)

    def __getattr__(self, name):
        object.__setattr__(self, "runs", self.runs + 1)
        return self

    def __call__(self, *args, **kwargs):
        return self.__getattr__("call")

    __iter__ = __len__ = __bool__ = __eq__ = __index__ = __float__ = __call__
    __hash__ = None

    def __repr__(self):
        return "counted"


def test_an_object_that_has_everything_is_asked_for_its_repr_alone():
    value = Counted()
    capture([value, {"a": value}])
    assert value.runs == 0


def test_descriptors_with_effects_do_not_run():
    runs = []

    class Lazy:
        @property
        def rows(self):
            runs.append("rows")
            raise RuntimeError("no connection")

        @property
        def dtype(self):
            runs.append("dtype")

        def __getattr__(self, name):
            runs.append(name)
            raise AttributeError(name)

    @dataclass
    class Row:
        id: int

        @property
        def owner(self):
            runs.append("owner")

    assert "Lazy" in capture(Lazy())
    assert capture(Row(1)) == {"id": 1}
    assert runs == []


def test_what_lies_about_itself():
    class Endless:
        def __iter__(self):
            while True:
                yield 1

        def __len__(self):
            return 1 << 62

    class Liar(list):
        def __len__(self):
            return 1 << 40

    class Pretender:
        @property
        def __class__(self):
            return dict

        def __repr__(self):
            return "pretends"

    class Mapping:
        def keys(self):
            return Endless()

        def __getitem__(self, key):
            return key

    assert "Endless" in capture(Endless())
    assert capture(Liar([1, 2])) == [1, 2]
    assert capture(Pretender()) == "pretends"
    assert "Mapping" in capture(Mapping())


def test_a_repr_without_end():
    class Recursive:
        def __repr__(self):
            return repr(self)

    class Huge:
        def __repr__(self):
            return "x" * 100_000_000

    assert "Recursive" in capture(Recursive())
    assert len(capture(Huge())) < 2_100


def test_mocks_and_what_is_like_them():
    from unittest import mock

    for made in (mock.Mock(), mock.MagicMock(), mock.NonCallableMagicMock(), mock.Mock(spec=dict)):
        began = time.perf_counter()
        assert "Mock" in str(capture({"client": made}))
        assert time.perf_counter() - began < 1
        assert made.mock_calls == []


def test_handles_locks_and_threads_are_told_by_their_type(tmp_path):
    import asyncio
    import socket
    import threading

    path = tmp_path / "f"
    path.write_text("a\nb\n")

    async def work():
        pass

    coroutine = work()
    with path.open() as handle, socket.socket() as connection:
        values = [
            handle,
            connection,
            threading.Lock(),
            threading.current_thread(),
            asyncio.Event(),
            coroutine,
            iter([1]),
        ]
        for value in values:
            assert isinstance(capture(value), str), value
        assert handle.read() == "a\nb\n"
    coroutine.close()


def test_strings_and_numbers_beyond_measure():
    began = time.perf_counter()
    text = capture("x" * 100_000_000)
    assert len(text) < (1 << 20) + 100
    assert time.perf_counter() - began < 2
    assert capture(2**100_000) == "<int beyond the limit of digits>"
    assert capture(-(2**63)) == -(2**63)
    assert capture(b"\x00" * 10_000_000) == "<10000000 bytes>"


def test_arrays_of_other_libraries_are_told_by_shape_and_never_copied():
    copied = []

    class Tensor:
        dtype = "float32"
        shape = (1000, 1000)

        def __array__(self, *args, **kwargs):
            copied.append(True)
            raise AssertionError("copied from the device")

        tolist = __iter__ = __len__ = __array__

    class Frame(Tensor):
        shape = property(lambda self: (_ for _ in ()).throw(RuntimeError("lost")))

    assert capture(Tensor())["shape"] == "(1000, 1000)"
    assert "Frame" in str(capture(Frame()))
    assert copied == []


def test_user_code_runs_once_for_one_call():
    runs = []

    class Shown:
        def __repr__(self):
            runs.append(1)
            return "shown"

    from aitrace import Tracer

    tracer = Tracer(target="memory")

    @tracer.trace
    def call(value):
        return 1

    call(Shown())
    assert tracer.spans()[0].inputs == {"value": "shown"}
    assert runs == [1]


def test_one_slow_text_ends_the_capture():
    class Slow:
        def __repr__(self):
            time.sleep(0.011)
            return "slow"

    asked = capture([Slow() for _ in range(20)])
    assert sum(item == "slow" for item in asked) <= 2
    assert len(asked) <= 3
