"""The reply writer in both protocol versions."""

import pytest
from minikv_core.output import TestOutput as Output
from minikv_core.reply import write

REPLIES = [  # kind, arguments, RESP2, RESP3
    ("ok", (), b"+OK\r\n", None),
    ("raw", (b"+PONG\r\n",), b"+PONG\r\n", None),
    ("simple", (b"QUEUED",), b"+QUEUED\r\n", None),
    ("int", (0,), b":0\r\n", None),
    ("int", (-1,), b":-1\r\n", None),
    ("int", (2**63 - 1,), b":9223372036854775807\r\n", None),
    ("int", (-(2**63),), b":-9223372036854775808\r\n", None),
    ("array", (0,), b"*0\r\n", None),
    ("array", (123,), b"*123\r\n", None),
    ("map", (6,), b"*12\r\n", b"%6\r\n"),
    ("set", (6,), b"*6\r\n", b"~6\r\n"),
    ("push", (3,), b"*3\r\n", b">3\r\n"),
    ("null", (), b"$-1\r\n", b"_\r\n"),
    ("null_array", (), b"*-1\r\n", b"_\r\n"),
    ("bulk", (b"",), b"$0\r\n\r\n", None),
    ("bulk", (b"a\r\nb",), b"$4\r\na\r\nb\r\n", None),
    ("text", (b"string",), b"$6\r\nstring\r\n", None),
    ("bulk_int", (-42,), b"$3\r\n-42\r\n", None),
    ("bool", (True,), b":1\r\n", b"#t\r\n"),
    ("bool", (False,), b":0\r\n", b"#f\r\n"),
    ("double", (0.1,), b"$3\r\n0.1\r\n", b",0.1\r\n"),
    ("double", (3.0,), b"$1\r\n3\r\n", b",3\r\n"),
    ("double", (1e20,), b"$5\r\n1e+20\r\n", b",1e+20\r\n"),
    ("double", (float("inf"),), b"$3\r\ninf\r\n", b",inf\r\n"),
    ("double", (float("-inf"),), b"$4\r\n-inf\r\n", b",-inf\r\n"),
    ("double", (float("nan"),), b"$3\r\nnan\r\n", b",nan\r\n"),
    (
        "big_number",
        (b"12345678901234567890123",),
        b"$23\r\n12345678901234567890123\r\n",
        b"(12345678901234567890123\r\n",
    ),
    ("verbatim", (b"Some\nlines\n", b"txt"), b"$11\r\nSome\nlines\n\r\n", b"=15\r\ntxt:Some\nlines\n\r\n"),
    ("error", (b"ERR no such key",), b"-ERR no such key\r\n", None),
    ("error", (b"-WRONGTYPE x",), b"-WRONGTYPE x\r\n", None),
    ("error", (b"ERR '\r\nx\n'",), b"-ERR '  x '\r\n", None),
    ("error", (b"ERR x\r\n\n",), b"-ERR x\r\n", None),
    ("error", (b"",), b"-\r\n", None),
]


@pytest.mark.parametrize(("kind", "arguments", "resp2", "resp3"), REPLIES)
def test_reply(kind, arguments, resp2, resp3):
    for protocol, expected in ((2, resp2), (3, resp3 or resp2)):
        out = Output(protocol=protocol)
        write(out, kind, *arguments)
        assert out.take() == expected


@pytest.mark.parametrize("scratch", [512, 513, 600, 811, 1024])
def test_replies_across_the_end_of_the_scratch_buffer(scratch):
    for protocol in (2, 3):
        out = Output(scratch=scratch, protocol=protocol)
        expected = b""
        for _ in range(20):
            for kind, arguments, resp2, resp3 in REPLIES:
                write(out, kind, *arguments)
                expected += resp2 if protocol == 2 else resp3 or resp2
        assert out.take() == expected


def test_attribute_header():
    out = Output(protocol=3)
    write(out, "attribute", 1)
    assert out.take() == b"|1\r\n"


@pytest.mark.parametrize("scratch", [512, 65536])
def test_bulk_strings_of_every_short_length(scratch):
    out = Output(scratch=scratch)
    data = bytes(i % 251 for i in range(1000))
    for n in range(1000):
        write(out, "bulk", data[:n])
    assert out.take() == b"".join(b"$%d\r\n%s\r\n" % (n, data[:n]) for n in range(1000))


def test_headers_of_every_short_number():
    out = Output()
    for n in range(-1001, 1001):
        write(out, "int", n)
    assert out.take() == b"".join(b":%d\r\n" % n for n in range(-1001, 1001))


def test_long_values_are_sent_from_their_block():
    out = Output()
    data = bytes(range(256)) * 100
    ref = out.block(data)
    write(out, "block", ref, (0, 16383))
    assert out.holders(ref) == 1
    write(out, "block", ref, (100, 16384))
    assert out.holders(ref) == 2
    write(out, "block", ref, (0, len(data)))
    assert out.nodes == 4
    assert out.take() == b"".join(
        b"$%d\r\n%s\r\n" % (len(part), part) for part in (data[:16383], data[100:16484], data)
    )
    assert out.holders(ref) == 1
    out.release(ref)
