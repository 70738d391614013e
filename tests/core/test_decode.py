"""Reply bytes to Python objects."""

import math

import pytest
from minikv_core.decode import decode


class Refusal(Exception):
    pass


REPLIES = [
    (b"+OK\r\n", b"OK"),
    (b"+\r\n", b""),
    (b":-42\r\n", -42),
    (b":9223372036854775807\r\n", 2**63 - 1),
    (b"$5\r\nhe\r\no\r\n", b"he\r\no"),
    (b"$0\r\n\r\n", b""),
    (b"$-1\r\n", None),
    (b"*-1\r\n", None),
    (b"_\r\n", None),
    (b"#t\r\n", True),
    (b"#f\r\n", False),
    (b",1.5\r\n", 1.5),
    (b",10\r\n", 10.0),
    (b",-inf\r\n", -math.inf),
    (b",1e+20\r\n", 1e20),
    (b"(-3492890328409238509324850943850943825024385\r\n", -3492890328409238509324850943850943825024385),
    (b"=8\r\ntxt:Some\r\n", b"Some"),
    (b"*0\r\n", []),
    (b"*3\r\n:1\r\n*1\r\n$1\r\na\r\n_\r\n", [1, [b"a"], None]),
    (b">2\r\n+message\r\n:1\r\n", [b"message", 1]),
    (b"%2\r\n+a\r\n:1\r\n+b\r\n*0\r\n", {b"a": 1, b"b": []}),
    (b"%1\r\n*1\r\n:1\r\n:2\r\n", [([1], 2)]),
    (b"~2\r\n+a\r\n+b\r\n", {b"a", b"b"}),
    (b"~1\r\n*1\r\n:1\r\n", [[1]]),
    (b"|1\r\n+ttl\r\n:3600\r\n:7\r\n", 7),
    (b"*2\r\n|1\r\n+ttl\r\n:3600\r\n:7\r\n:8\r\n", [7, 8]),
]


@pytest.mark.parametrize(("data", "value"), REPLIES)
def test_values(data, value):
    assert decode(data) == (value, len(data))
    assert type(decode(data)[0]) is type(value)


@pytest.mark.parametrize(("data", "value"), REPLIES)
def test_from_an_offset_with_more_behind(data, value):
    assert decode(b"+x\r\n" + data + b"+y\r\n", offset=4) == (value, 4 + len(data))


@pytest.mark.parametrize(("data", "value"), REPLIES)
def test_cut_anywhere(data, value):
    for end in range(len(data)):
        with pytest.raises(EOFError):
            decode(data[:end])


def test_nan():
    assert math.isnan(decode(b",nan\r\n")[0])


@pytest.mark.parametrize("data", [b"-ERR no\r\n", b"!6\r\nERR no\r\n"])
def test_errors_are_values_of_the_callers_class(data):
    value, end = decode(data, Refusal)
    assert type(value) is Refusal
    assert value.args == ("ERR no",)
    assert end == len(data)


def test_errors_inside_an_array():
    value, _ = decode(b"*2\r\n+QUEUED\r\n-EXECABORT x\r\n", Refusal)
    assert value[0] == b"QUEUED"
    assert str(value[1]) == "EXECABORT x"


def test_error_that_is_not_utf8():
    value, _ = decode(b"-ERR \xff\r\n", Refusal)
    assert str(value).encode("utf-8", "surrogateescape") == b"ERR \xff"


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"?\r\n",
        b":x\r\n",
        b":\r\n",
        b"$-2\r\n",
        b"*-2\r\n",
        b"%-1\r\n",
        b"~-2\r\n",
        b"$1\r\nab\r\n",
        b"+a\rb\r\n",
        b"#x\r\n",
        b"#tt\r\n",
        b"_x\r\n",
        b",x\r\n",
        b",\r\n",
        b"(x\r\n",
        b"$?\r\n",
        b"=-1\r\n",
        b"!-1\r\n",
    ],
)
def test_what_is_not_resp(data):
    with pytest.raises(ValueError):
        decode(data)


def test_hostile_lengths():
    for data in (
        b"$9223372036854775807\r\nx\r\n",
        b"*9223372036854775807\r\n:1\r\n",
        b"%9223372036854775807\r\n:1\r\n",
    ):
        with pytest.raises(EOFError):
            decode(data)


def test_hostile_depth():
    decode(b"*1\r\n" * 999 + b":1\r\n")
    with pytest.raises(ValueError, match="deep"):
        decode(b"*1\r\n" * 100000 + b":1\r\n")


def test_other_buffers():
    assert decode(bytearray(b":1\r\n")) == (1, 4)
    assert decode(memoryview(b":1\r\n")) == (1, 4)
    with pytest.raises(TypeError):
        decode(None)
