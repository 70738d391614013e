"""The string commands, on the wire, in both protocols: every option, error and encoding."""

import itertools

import pytest
from minikv_core.handle import EngineHandle

from minikv.errors import ReplyError

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_INT = "ERR value is not an integer or out of range"
NOT_FLOAT = "ERR value is not a valid float"
SYNTAX = "ERR syntax error"
TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
BAD_DIGEST = "ERR must be exactly 16 hexadecimal characters"
INT_MAX = 2**63 - 1

VALUES = {  # name: (bytes, OBJECT ENCODING)
    "empty": (b"", b"embstr"),
    "int of 1 byte": (b"-128", b"int"),
    "int of 2 bytes": (b"128", b"int"),
    "int of 4 bytes": (b"-2147483648", b"int"),
    "int of 8 bytes": (b"9223372036854775807", b"int"),
    "past int": (b"9223372036854775808", b"embstr"),
    "not quite int": (b"007", b"embstr"),
    "binary": (b"\x00\r\n\xff$-1\r\n", b"embstr"),
    "longest embstr": (b"e" * 44, b"embstr"),
    "shortest raw": (b"r" * 45, b"raw"),
    "one length byte": (b"s" * 254, b"raw"),
    "long length": (b"s" * 255, b"raw"),
    "longest inline": (b"i" * 16383, b"raw"),
    "shortest block": (b"b" * 16384, b"raw"),
    "read into a block": (bytes(range(256)) * 160, b"raw"),
}
CASES = [pytest.param(value, encoding, id=name) for name, (value, encoding) in VALUES.items()]


class Client:
    """The client of a test, with an empty server and shorthands."""

    def __init__(self, client):
        self.raw = client.raw
        self.cmd = client.cmd
        self.cmd("FLUSHALL")

    def __call__(self, *args):
        return self.cmd(*args)

    def error(self, *args):
        """The text of the error reply to a command."""
        try:
            reply = self.cmd(*args)
        except Exception as caught:
            reply = caught
        assert isinstance(reply, Exception), reply
        return str(reply)

    def encoding(self, key):
        return self.cmd("OBJECT", "ENCODING", key)

    def ttl(self, key):
        return self.cmd("PTTL", key)


@pytest.fixture
def run(client):
    return Client(client)


def not_a_string(run, key="l"):
    """Make a key of another type, if there is one yet."""
    if run("COMMAND", "INFO", "RPUSH")[0] is None:
        pytest.skip("strings are the only type")
    run("RPUSH", key, "x")


def pairs(reply):
    """A reply of names and values as a dictionary, in either protocol."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))


# ---------------------------------------------------------------- whole values


@pytest.mark.parametrize(("value", "encoding"), CASES)
def test_set_get(run, value, encoding):
    assert run("SET", "k", value) == b"OK"
    assert run("GET", "k") == value
    assert run.encoding("k") == encoding
    assert run("STRLEN", "k") == len(value)
    assert run("MGET", "k", "none", "k") == [value, None, value]


@pytest.mark.parametrize(("value", "encoding"), CASES)
def test_overwrite_each_form_by_each(run, value, encoding):
    for old, _ in VALUES.values():
        run("SET", "k", old)
        run("SET", "k", value)
        assert (run("GET", "k"), run.encoding("k"), run.ttl("k")) == (value, encoding, -1)
        run("SET", "k", old, "EX", 100)
        run("SET", "k", value)
        assert (run("GET", "k"), run.encoding("k"), run.ttl("k")) == (value, encoding, -1)
        run("SET", "k", old)
        run("SET", "k", value, "EX", 100)
        assert (run("GET", "k"), run.encoding("k")) == (value, encoding)
        assert 0 < run.ttl("k") <= 100_000


@pytest.mark.parametrize("length", [0, 1, 254, 255, 256, 5000, 70000])
def test_key_lengths(run, length):
    key = b"k" * length
    assert run("SET", key, "v") == b"OK"
    assert run("APPEND", key, "w") == 2
    assert run("GET", key) == b"vw"
    assert run("SET", key, "5", "EX", 100) == b"OK"
    assert run("INCR", key) == 6
    assert run("GETDEL", key) == b"6"
    assert run("GET", key) is None


def test_reply_bytes(run):
    null = run.raw(b"GET none\r\n")
    assert null in (b"$-1\r\n", b"_\r\n")
    for request, reply in [
        (b"SET k v\r\n", b"+OK\r\n"),
        (b"GET k\r\n", b"$1\r\nv\r\n"),
        (b"SET k w XX GET\r\n", b"$1\r\nv\r\n"),
        (b"SET k w NX\r\n", null),
        (b"SET none w XX\r\n", null),
        (b"MGET k none\r\n", b"*2\r\n$1\r\nw\r\n" + null),
        (b"GETRANGE none 0 -1\r\n", b"$0\r\n\r\n"),
        (b"INCR n\r\n", b":1\r\n"),
        (b"INCRBYFLOAT n 0.5\r\n", b"$3\r\n1.5\r\n"),
        (b"DIGEST none\r\n", null),
        (b"GETDEL none\r\n", null),
        (b"GETEX none\r\n", null),
        (b"GETSET none 1\r\n", null),
    ]:
        assert run.raw(request) == reply, request


def test_set_nx_xx(run):
    assert run("SET", "k", "1", "XX") is None
    assert run("SET", "k", "1", "nx") == b"OK"
    assert run("SET", "k", "2", "NX", "NX") is None
    assert run("GET", "k") == b"1"
    assert run("SET", "k", "2", "xx") == b"OK"
    assert run("GET", "k") == b"2"


def test_set_get_option(run):
    assert run("SET", "k", "1", "GET") is None
    assert run("SET", "k", "2", "GET", "GET") == b"1"
    assert run("SET", "k", "3", "NX", "GET") == b"2"
    assert run("GET", "k") == b"2"
    assert run("SET", "none", "3", "XX", "GET") is None
    assert run("EXISTS", "none") == 0
    assert run("SET", "none", "3", "NX", "GET") is None
    assert run("GET", "none") == b"3"


@pytest.mark.parametrize(("value", "encoding"), CASES)
def test_old_value_in_the_reply_survives_the_new_one(run, value, encoding):
    run("SET", "k", value)
    assert run("SET", "k", "new" * 20000, "GET") == value
    run("SET", "k", value)
    assert run("GETSET", "k", "new" * 20000) == value
    run("SET", "k", value)
    assert run("GETDEL", "k") == value
    run("SET", "k", value)
    assert run("GETEX", "k", "PXAT", 1) == value
    assert run("EXISTS", "k") == 0


@pytest.mark.parametrize("word", ["EX", "px", "ExAt", "PXAT"])
def test_set_expiry(run, word):
    now = int(run("TIME")[0])
    amount = {"EX": 100, "PX": 100_000, "EXAT": now + 100, "PXAT": (now + 100) * 1000}[word.upper()]
    assert run("SET", "k", "v", word, amount) == b"OK"
    assert 95_000 < run.ttl("k") <= 101_000
    assert run("SET", "k", "w", "KEEPTTL", "keepttl") == b"OK"
    assert 95_000 < run.ttl("k") <= 101_000
    assert run("GETEX", "k", "PERSIST") == b"w"
    assert run.ttl("k") == -1
    assert run("GETEX", "k", word, amount) == b"w"
    assert 95_000 < run.ttl("k") <= 101_000
    assert run("SET", "k", "v") == b"OK"
    assert run.ttl("k") == -1
    assert run("SET", "new", "v", "KEEPTTL") == b"OK"
    assert run.ttl("new") == -1


def test_set_in_the_past(run):
    assert run("SET", "k", "v", "PXAT", 1) == b"OK"
    assert run("GET", "k") is None
    assert run("SET", "k", "v", "EXAT", 1, "GET") is None
    assert run("EXISTS", "k") == 0


@pytest.mark.parametrize(
    "command", [("SET", "k", "v"), ("GETEX", "k"), ("MSETEX", "1", "k", "v")], ids=lambda c: c[0]
)
def test_bad_expiry(run, command):
    run("SET", "k", "old")
    for word in ("EX", "PX", "EXAT", "PXAT"):
        assert run.error(*command, word) == SYNTAX
        assert run.error(*command, word, "1.5") == NOT_INT
        assert run.error(*command, word, "") == NOT_INT
        invalid = f"ERR invalid expire time in '{command[0].lower()}' command"
        for amount in (0, -1, -(2**63)):
            assert run.error(*command, word, amount) == invalid
        if word != "PXAT":
            assert run.error(*command, word, INT_MAX) == invalid
        if word in ("EX", "EXAT"):
            assert run.error(*command, word, INT_MAX // 1000 + 1) == invalid
    for one, other in itertools.permutations(("EX", "PX", "EXAT", "PXAT"), 2):
        assert run.error(*command, one, 10, other, 10) == SYNTAX
    assert run("GET", "k") == b"old"


def test_farthest_expiry(run):
    assert run("SET", "k", "v", "PXAT", INT_MAX) == b"OK"
    assert run("GET", "k") == b"v"
    assert run("PEXPIRETIME", "k") == INT_MAX
    assert run("SET", "k", "w", "EXAT", INT_MAX // 1000) == b"OK"
    assert run("PEXPIRETIME", "k") == INT_MAX // 1000 * 1000


@pytest.mark.parametrize(
    "options",
    [
        "FOO",
        "NX XX",
        "NX IFEQ x",
        "IFEQ x IFNE x",
        "IFEQ",
        "EX 10 KEEPTTL",
        "KEEPTTL EX 10",
        "PERSIST",
        "EX 10 PERSIST",
    ],
)
def test_set_syntax(run, options):
    assert run.error("SET", "k", "v", *options.split()) == SYNTAX


def test_getex_syntax(run):
    for options in ("FOO", "KEEPTTL", "NX", "GET", "PERSIST EX 10", "EX 10 PERSIST"):
        assert run.error("GETEX", "k", *options.split()) == SYNTAX
    assert run("GETEX", "none", "EX", "abc") is None
    run("SET", "k", "v")
    assert run("GETEX", "k", "EX", 10, "EX", 100) == b"v"
    assert run.ttl("k") > 10_000
    assert run("GETEX", "k") == b"v"
    assert run.ttl("k") > 10_000


@pytest.mark.parametrize(("value", "encoding"), CASES)
def test_set_if_equal(run, value, encoding):
    other = value[:-1] + b"*" if value else b"*"
    assert run("SET", "k", "new", "IFEQ", value) is None
    assert run("EXISTS", "k") == 0
    run("SET", "k", value)
    assert run("SET", "k", "new", "IFEQ", other) is None
    assert run("SET", "k", "new", "IFEQ", value + b"+", "GET") == value
    assert run("GET", "k") == value
    assert run("SET", "k", "new", "ifeq", value, "EX", 100) == b"OK"
    assert (run("GET", "k"), run.ttl("k") > 0) == (b"new", True)
    assert run("SET", "k", value, "IFEQ", "new", "GET") == b"new"
    assert run("GET", "k") == value


@pytest.mark.parametrize(("value", "encoding"), CASES)
def test_set_if_not_equal(run, value, encoding):
    assert run("SET", "k", value, "IFNE", "x") == b"OK"
    assert run("SET", "k", "new", "IFNE", value) is None
    assert run("SET", "k", "new", "IFNE", value, "GET") == value
    assert run("SET", "k", "new", "ifne", b"!" + value) == b"OK"
    assert run("GET", "k") == b"new"


@pytest.mark.parametrize(("value", "encoding"), CASES)
def test_digest_conditions(run, value, encoding):
    run("SET", "k", value)
    digest = run("DIGEST", "k")
    assert len(digest) == 16 and digest == digest.lower() and int(digest, 16) >= 0
    other = b"0" * 16
    assert run("SET", "k", value, "IFDEQ", digest.upper()) == b"OK"
    assert run("SET", "k", value, "IFDEQ", other) is None
    assert run("SET", "k", value, "IFDNE", digest, "GET") == value
    assert run("SET", "k", value, "IFDNE", "not-hexadecimal!") == b"OK"
    assert run("DELEX", "k", "IFDNE", digest) == 0
    assert run("DELEX", "k", "IFDEQ", other) == 0
    assert run("DELEX", "k", "IFDEQ", digest) == 1
    assert run("EXISTS", "k") == 0


def test_digest_operands(run):
    assert run("SET", "k", "v", "IFDEQ", "short") is None
    assert run("SET", "k", "v", "IFDNE", "short") == b"OK"
    for word, digest in itertools.product(("IFDEQ", "IFDNE"), ("", "0" * 15, "0" * 17)):
        assert run.error("SET", "k", "v", word, digest) == BAD_DIGEST
        assert run.error("SET", "k", "v", "GET", word, digest) == BAD_DIGEST
        assert run.error("DELEX", "k", word, digest) == BAD_DIGEST
    assert run("GET", "k") == b"v"


@pytest.mark.parametrize(
    ("value", "digest"),
    [
        (b"", b"2d06800538d394c2"),
        (b"hello", b"9555e8555c62dcfd"),
        (b"123", b"404a763b3f4c8c9a"),
        (b"Hello world", b"b6acb9d84a38ff74"),
        (b"v8", b"0cc76dbb41381419"),
    ],
)
def test_digest(run, value, digest):
    run("SET", "k", value)
    assert run("DIGEST", "k") == digest


def test_delex(run):
    assert run("DELEX", "k") == 0
    assert run("DELEX", "k", "FOO", "x") == 0
    run("SET", "k", "12")
    assert run("DELEX", "k", "IFEQ", "012") == 0
    assert run("DELEX", "k", "IFNE", "12") == 0
    assert run.error("DELEX", "k", "IFEQ") == "ERR wrong number of arguments for 'delex' command"
    assert run.error("DELEX", "k", "IFEQ", "1", "2") == "ERR wrong number of arguments for 'delex' command"
    assert run.error("DELEX", "k", "FOO", "1") == "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"
    assert run("DELEX", "k", "IfEq", "12") == 1
    run("SET", "k", "12")
    assert run("DELEX", "k", "IFNE", "13") == 1
    run("SET", "k", "12")
    assert run("DELEX", "k") == 1
    assert run("EXISTS", "k") == 0


def test_getdel_getset_setnx(run):
    run("SET", "k", "v", "EX", 100)
    assert run("GETSET", "k", "w") == b"v"
    assert run.ttl("k") == -1
    assert run("SETNX", "k", "x") == 0
    assert run("GETDEL", "k") == b"w"
    assert run("SETNX", "k", "x") == 1
    assert run("GET", "k") == b"x"


def test_setex(run):
    assert run("SETEX", "k", 100, "v") == b"OK"
    assert 0 < run.ttl("k") <= 100_000
    assert run("PSETEX", "k", 5000, "w") == b"OK"
    assert 0 < run.ttl("k") <= 5000
    assert run.error("SETEX", "k", 0, "v") == "ERR invalid expire time in 'setex' command"
    assert run.error("PSETEX", "k", -1, "v") == "ERR invalid expire time in 'psetex' command"
    assert run.error("SETEX", "k", "x", "v") == NOT_INT
    assert run("GET", "k") == b"w"


# ---------------------------------------------------------------- many keys


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 64, 100])
def test_many_keys(run, count):
    pairs = [(b"k%d" % i, b"v%d" % i * (1000 if i % 7 == 3 else 1)) for i in range(count)]
    flat = [x for pair in pairs for x in pair]
    keys = [key for key, _ in pairs]
    assert run("MSET", *flat) == b"OK"
    assert run("MGET", *keys, "none") == [value for _, value in pairs] + [None]
    assert run("MSETNX", "fresh", 1, *flat) == 0
    assert run("EXISTS", "fresh") == 0
    run("FLUSHALL")
    assert run("MSETNX", *flat) == 1
    assert run("MGET", *keys) == [value for _, value in pairs]
    run("FLUSHALL")
    assert run("MSETEX", count, *flat, "XX") == 0
    assert run("MSETEX", count, *flat, "NX", "EX", 100) == 1
    assert run("MSETEX", count, *flat, "NX", "EX", 100) == 0
    assert run("MGET", *keys) == [value for _, value in pairs]
    assert all(0 < run.ttl(key) <= 100_000 for key in keys)
    assert run("MSETEX", count, *flat, "KEEPTTL", "XX") == 1
    assert all(0 < run.ttl(key) <= 100_000 for key in keys)
    run("DEL", keys[-1])
    assert run("MSETEX", count, *flat, "XX") == 0
    assert run("MSETEX", count, *flat) == 1
    assert all(run.ttl(key) == -1 for key in keys)


def test_same_key_twice(run):
    assert run("MSET", "k", "1", "k", "2") == b"OK"
    assert run("GET", "k") == b"2"
    run("DEL", "k")
    assert run("MSETNX", "k", "1", "k", "3") == 1
    assert run("MGET", "k", "k") == [b"3", b"3"]


def test_pairs_without_a_value(run):
    assert run.error("MSET", "k", "1", "l") == "ERR wrong number of arguments for 'mset' command"
    assert run.error("MSETNX", "k", "1", "l") == "ERR wrong number of arguments for 'msetnx' command"
    assert run("EXISTS", "k") == 0


def test_msetex_errors(run):
    for numkeys in ("0", "-1", "k", "2147483648"):
        assert run.error("MSETEX", numkeys, "k", "v") == "ERR invalid numkeys value"
    for numkeys in ("2", "2147483647"):
        assert run.error("MSETEX", numkeys, "k", "v", "l") == "ERR wrong number of key-value pairs"
    for options in ("FOO", "NX XX", "EX", "GET", "EX 10 KEEPTTL", "KEEPTTL PX 10", "IFEQ x", "PERSIST"):
        assert run.error("MSETEX", "1", "k", "v", *options.split()) == SYNTAX
    assert run("EXISTS", "k") == 0


# ---------------------------------------------------------------- parts of a value


@pytest.mark.parametrize("addition", [b"", b"1", b"a" * 40, b"a" * 300, b"a" * 20000, b"a" * 40000])
@pytest.mark.parametrize(("value", "encoding"), CASES)
def test_append(run, value, encoding, addition):
    run("SET", "k", value, "EX", 100)
    assert run("APPEND", "k", addition) == len(value) + len(addition)
    assert run("GET", "k") == value + addition
    assert run.encoding("k") == b"raw"
    assert run("APPEND", "k", "tail") == len(value) + len(addition) + 4
    assert run("GET", "k") == value + addition + b"tail"
    assert 0 < run.ttl("k") <= 100_000


@pytest.mark.parametrize(("value", "encoding"), CASES)
def test_append_to_nothing(run, value, encoding):
    assert run("APPEND", "k", value) == len(value)
    assert run("GET", "k") == value
    assert run.encoding("k") == encoding


def test_append_byte_by_byte(run):
    for i in range(1, 600):
        assert run("APPEND", "k", b"%d" % (i % 10)) == i
    assert run("GET", "k") == b"".join(b"%d" % (i % 10) for i in range(1, 600))


@pytest.mark.parametrize("patch", [b"1", b"p" * 300, b"p" * 20000])
@pytest.mark.parametrize(("value", "encoding"), CASES)
def test_setrange(run, value, encoding, patch):
    for offset in sorted({0, 1, len(value) // 2, len(value), len(value) + 5, 16390}):
        run("SET", "k", value)
        expected = value.ljust(offset, b"\0")[:offset] + patch + value[offset + len(patch) :]
        assert run("SETRANGE", "k", offset, patch) == len(expected)
        assert run("GET", "k") == expected
        assert run.encoding("k") == b"raw"
    run("SET", "k", value)
    assert run("SETRANGE", "k", 3, "") == len(value)
    assert (run("GET", "k"), run.encoding("k")) == (value, encoding)


def test_setrange_of_nothing(run):
    assert run("SETRANGE", "k", 5, "") == 0
    assert run("EXISTS", "k") == 0
    assert run("SETRANGE", "k", 2, "ab") == 4
    assert run("GET", "k") == b"\0\0ab"
    assert run.encoding("k") == b"raw"
    assert run("SETRANGE", "l", 20000, "ab") == 20002
    assert run("GET", "l") == bytes(20000) + b"ab"


def test_setrange_errors(run):
    run("SET", "k", "value")
    assert run.error("SETRANGE", "k", "x", "v") == NOT_INT
    assert run.error("SETRANGE", "k", -1, "v") == "ERR offset is out of range"
    for offset in (512 << 20, 2**32 - 1, 2**32, INT_MAX):
        assert run.error("SETRANGE", "k", offset, "v") == TOO_LONG
        assert run.error("SETRANGE", "none", offset, "v") == TOO_LONG
        assert run("SETRANGE", "k", offset, "") == 5
    assert run("GET", "k") == b"value"


def test_longest_string(run):
    before = pairs(run("CONFIG", "GET", "proto-max-bulk-len"))[b"proto-max-bulk-len"]
    run("CONFIG", "SET", "proto-max-bulk-len", 1 << 20)
    try:
        assert run("SETRANGE", "k", (1 << 20) - 2, "ab") == 1 << 20
        assert run.error("APPEND", "k", "c") == TOO_LONG
        assert run.error("SETRANGE", "k", 1 << 20, "c") == TOO_LONG
        assert run("STRLEN", "k") == 1 << 20
        run("SET", "a", "x" * 600)
        run("SET", "b", "y" * 600)
        assert (
            run.error("LCS", "a", "b")
            == "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
        )
    finally:
        run("CONFIG", "SET", "proto-max-bulk-len", before)


def substring(value, start, end):
    if start < 0 and end < 0 and start > end:
        return b""
    start = max(start + len(value), 0) if start < 0 else start
    end = max(end + len(value), 0) if end < 0 else end
    return value[start : end + 1]


@pytest.mark.parametrize("command", ["GETRANGE", "SUBSTR"])
@pytest.mark.parametrize(("value", "encoding"), CASES)
def test_getrange(run, value, encoding, command):
    run("SET", "k", value)
    n = len(value)
    ends = sorted({0, 1, 3, n // 2, n - 1, n, n + 1, -1, -2, -n, -n - 1, INT_MAX, -(2**63), 2**32})
    for start, end in itertools.product(ends, repeat=2):
        assert run(command, "k", start, end) == substring(value, start, end), (start, end)


def test_getrange_errors(run):
    assert run("GETRANGE", "none", 0, -1) == b""
    assert run.error("GETRANGE", "none", "x", 1) == NOT_INT
    assert run.error("SUBSTR", "none", 1, "9223372036854775808") == NOT_INT


# ---------------------------------------------------------------- counters


def test_incr_decr(run):
    assert run("INCR", "k") == 1
    assert run("INCRBY", "k", 41) == 42
    assert run("DECR", "k") == 41
    assert run("DECRBY", "k", -9) == 50
    assert run("GET", "k") == b"50"
    assert run.encoding("k") == b"int"
    assert run("DECR", "new") == -1


@pytest.mark.parametrize("bits", [7, 8, 15, 16, 31, 32, 62, 63])
def test_incr_across_widths(run, bits):
    for edge, step in ((2**bits - 1, "INCR"), (-(2**bits), "DECR")):
        start = edge - 2 if step == "INCR" else edge + 2
        run("SET", "k", start, "EX", 100)
        expected = start
        for _ in range(2 if bits == 63 else 5):
            expected += 1 if step == "INCR" else -1
            assert run(step, "k") == expected
        assert run("GET", "k") == b"%d" % expected
        assert 0 < run.ttl("k") <= 100_000


def test_incr_of_raw_text(run):
    run("APPEND", "k", "1")
    run("APPEND", "k", "2")
    assert run.encoding("k") == b"raw"
    assert run("INCR", "k") == 13
    assert run.encoding("k") == b"int"


def test_incr_errors(run):
    overflow = "ERR increment or decrement would overflow"
    for text in ("x", " 1", "1 ", "1.0", "", "+1", "01", "9223372036854775808", "1" * 50, "z" * 20000):
        run("SET", "k", text)
        for command in ("INCR", "DECR"):
            assert run.error(command, "k") == NOT_INT
        assert run("GET", "k") == text.encode()
    run("SET", "k", INT_MAX)
    assert run.error("INCR", "k") == overflow
    assert run.error("INCRBY", "k", INT_MAX) == overflow
    assert run("DECRBY", "k", INT_MAX) == 0
    run("SET", "k", -(2**63))
    assert run.error("DECR", "k") == overflow
    assert run.error("INCRBY", "k", -(2**63)) == overflow
    assert run.error("DECRBY", "k", -(2**63)) == "ERR decrement would overflow"
    assert run("INCRBY", "none", -(2**63)) == -(2**63)
    assert run.error("INCRBY", "k", "x") == NOT_INT
    assert run.error("DECRBY", "k", "1.5") == NOT_INT


@pytest.mark.parametrize(
    ("value", "increment", "result", "encoding"),
    [
        ("3", "1.5", b"4.5", b"embstr"),
        ("10.5", "0.1", b"10.6", b"embstr"),
        ("5.0e3", "200", b"5200", b"embstr"),
        ("1", "-1", b"0", b"embstr"),
        ("1.5", "-1.5", b"0", b"embstr"),
        ("17179869184", "1.5", b"17179869185.5", b"embstr"),
        ("0", "1e46", b"10000000000000000000000000000000000000000000000", b"raw"),
        ("3", "0.000000000000000001", b"3", b"embstr"),
    ],
)
def test_incrbyfloat(run, value, increment, result, encoding):
    run("SET", "k", value, "EX", 100)
    reply = run("INCRBYFLOAT", "k", increment)
    if encoding == b"embstr":
        assert reply == result
    assert run("GET", "k") == reply
    assert run.encoding("k") == encoding
    assert 0 < run.ttl("k") <= 100_000


def test_incrbyfloat_errors(run):
    assert run("INCRBYFLOAT", "k", "1.25") == b"1.25"
    for text in ("x", " 1", "1 ", "", "nan", "1..2"):
        assert run.error("INCRBYFLOAT", "k", text) == NOT_FLOAT
    for text in ("inf", "-inf", "1.1e4932"):
        run("SET", "huge", "1.1e4932")
        assert run.error("INCRBYFLOAT", "huge", text) == "ERR increment would produce NaN or Infinity"
    run("SET", "text", "x")
    assert run.error("INCRBYFLOAT", "text", "1") == NOT_FLOAT
    assert run("GET", "k") == b"1.25"


# ---------------------------------------------------------------- LCS


def test_lcs(run):
    run("MSET", "a", "ohmytext", "b", "mynewtext")
    assert run("LCS", "a", "b") == b"mytext"
    assert run("LCS", "a", "b", "LEN") == 6
    found = pairs(run("LCS", "a", "b", "IDX"))
    assert found == {b"matches": [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], b"len": 6}
    found = pairs(run("LCS", "a", "b", "idx", "withmatchlen"))
    assert found[b"matches"] == [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]]
    found = pairs(run("LCS", "a", "b", "IDX", "MINMATCHLEN", 4, "WITHMATCHLEN"))
    assert found == {b"matches": [[[4, 7], [5, 8], 4]], b"len": 6}
    assert run("LCS", "a", "b", "MINMATCHLEN", 100, "WITHMATCHLEN") == b"mytext"
    assert len(pairs(run("LCS", "a", "b", "IDX", "MINMATCHLEN", -3))[b"matches"]) == 2


def test_lcs_of_integers_and_nothing(run):
    run("MSET", "a", "12345", "b", "1325")
    assert run("LCS", "a", "b") in (b"125", b"135")
    assert run("LCS", "a", "none") == b""
    assert run("LCS", "a", "none", "LEN") == 0
    assert pairs(run("LCS", "none", "none", "IDX")) == {b"matches": [], b"len": 0}
    assert run("LCS", "a", "a") == b"12345"


def test_lcs_errors(run):
    run("MSET", "a", "x", "b", "y")
    assert (
        run.error("LCS", "a", "b", "LEN", "IDX")
        == "ERR If you want both the length and indexes, please just use IDX."
    )
    assert run.error("LCS", "a", "b", "FOO") == SYNTAX
    assert run.error("LCS", "a", "b", "MINMATCHLEN") == SYNTAX
    assert run.error("LCS", "a", "b", "MINMATCHLEN", "x") == NOT_INT
    not_a_string(run)
    assert run.error("LCS", "a", "l") == "ERR The specified keys must contain string values"


# ---------------------------------------------------------------- other types, events


@pytest.mark.parametrize(
    "request_",
    [
        "GET l", "GETEX l", "GETEX l EX 0", "GETDEL l", "GETSET l v", "SET l v GET", "SET l v IFEQ x",
        "SET l v IFDNE x", "STRLEN l", "APPEND l v", "GETRANGE l 0 1", "SUBSTR l 0 1", "SETRANGE l 0 v",
        "INCR l", "DECRBY l 1", "INCRBYFLOAT l x", "DIGEST l",
    ],
)  # fmt: skip
def test_wrong_type(run, request_):
    not_a_string(run)
    assert run.error(*request_.split()) == WRONG_TYPE


def test_other_types_are_replaced(run):
    not_a_string(run)
    assert run("MGET", "l") == [None]
    assert run("SETNX", "l", "v") == 0
    assert (
        run.error("DELEX", "l", "IFEQ", "x") == "ERR Key should be of string type if conditions are specified"
    )
    assert run("SET", "l", "v") == b"OK"
    assert run("GET", "l") == b"v"
    not_a_string(run, "m")
    assert run("MSET", "m", "v") == b"OK"
    not_a_string(run, "n")
    assert run("DELEX", "n") == 1


EVENTS = [
    ("SET k 1", "new set"),
    ("SET k 2", "overwritten set"),
    ("SET k 2 EX 100", "overwritten set expire"),
    ("SET k 2 KEEPTTL", "overwritten set"),
    ("SET k 2 NX", ""),
    ("SETEX k 100 1", "overwritten set expire"),
    ("MSET k 1 l 1 k 2", "overwritten set new set overwritten set"),
    ("MSETNX k 1 m 1", ""),
    ("MSETEX 2 k 1 m 1 EX 100", "overwritten set expire new set expire"),
    ("GETEX k", ""),
    ("GETEX k EX 100", "expire"),
    ("GETEX k PERSIST", "persist"),
    ("GETEX k PERSIST", ""),
    ("GETEX k PXAT 1", "del"),
    ("GET k", "keymiss"),
    ("GETSET k 1", "keymiss new set"),
    ("GETDEL k", "del"),
    ("SETNX k 1", "new set"),
    ("INCR k", "incrby"),
    ("DECRBY k 5", "incrby"),
    ("INCRBYFLOAT k 1", "incrbyfloat"),
    ("APPEND k 1", "append"),
    ("SETRANGE k 0 1", "setrange"),
    ("SETRANGE k 0", ""),
    ("APPEND new1 1", "new append"),
    ("SETRANGE new2 0 1", "new setrange"),
    ("INCR new3", "new incrby"),
    ("INCRBYFLOAT new4 1", "new incrbyfloat"),
    ("DELEX k IFEQ x", ""),
    ("DELEX k", "del"),
    ("MGET k l k", "keymiss keymiss"),
    ("STRLEN k", "keymiss"),
    ("GETRANGE k 0 1", "keymiss"),
    ("LCS k l", "keymiss"),
    ("DIGEST k", "keymiss"),
    ("DELEX k", ""),
    ("SET k 1 XX GET", "keymiss"),
]


def test_events(run, subscriber):
    run("CONFIG", "SET", "notify-keyspace-events", "EAmnoc")
    try:
        subscriber.subscribe("__keyevent@0__:*")
        for request, events in EVENTS:
            argv = request.split()
            run(*(argv if argv != ["SETRANGE", "k", "0"] else [*argv, ""]))
            seen = [subscriber.next()[0].rpartition(b":")[2].decode() for _ in events.split()]
            assert (request, seen) == (request, events.split())
        assert subscriber.next(timeout=0.05) is None
    finally:
        run("CONFIG", "SET", "notify-keyspace-events", "")


# ---------------------------------------------------------------- no memory left


def test_full_store():
    """What finds no memory leaves the old value, and says nothing but the error."""
    handle = EngineHandle(databases=1, reserve=4 << 20)

    def execute(*args):
        try:
            return handle.execute(0, 2, args)
        except ReplyError as error:
            return str(error)

    execute(b"SET", b"k", b"old" * 10_000)
    execute(b"SET", b"n", b"1")
    for size in (100_000, 20_000, 1000, 100, 10, 1):
        for i in range(200_000):
            if execute(b"SET", b"%d:%d" % (size, i), b"x" * size) != b"OK":
                break
    full = "OOM the store's memory is full"
    big = b"new" * 100_000
    assert execute(b"SET", b"k", big) == full
    assert execute(b"SET", b"k", big, b"GET") == full
    assert execute(b"SET", b"k", big, b"GET", b"EX", b"10") == full
    assert execute(b"SETEX", b"k", b"10", big) == full
    assert execute(b"GETSET", b"k", big) == full
    assert execute(b"APPEND", b"k", big) == full
    assert execute(b"SETRANGE", b"k", b"1000000", b"x") == full
    assert execute(b"SETRANGE", b"n", b"1000000", b"x") == full
    assert execute(b"MSET", b"k", big) == full
    assert execute(b"SETNX", b"fresh", big) == full
    assert execute(b"APPEND", b"fresh", big) == full
    assert execute(b"GET", b"fresh") is None
    assert execute(b"GET", b"k") == b"old" * 10_000
    assert execute(b"GET", b"n") == b"1"
    assert execute(b"PTTL", b"k") == -1
    execute(b"FLUSHALL")
    assert execute(b"SET", b"k", big) == b"OK"
    assert execute(b"GET", b"k") == big
