"""BITFIELD and BITFIELD_RO against a model: every width, alignment and overflow rule."""

import random

import pytest

INVALID_TYPE = (
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
)
INVALID_OFFSET = "ERR bit offset is not an integer or out of range"
TYPES = [("u", n) for n in range(1, 64)] + [("i", n) for n in range(1, 65)]


@pytest.fixture
def run(client):
    """Runs a command; an error is its text."""

    def run(*words):
        reply = client.cmd(*words)
        return str(reply) if isinstance(reply, Exception) else reply

    return run


class Model:
    """A string whose fields are read and written as Python's numbers."""

    def __init__(self):
        self.value = b""

    def get(self, sign, bits, offset):
        length = max(len(self.value), (offset + bits + 7) // 8)
        number = int.from_bytes(self.value.ljust(length, b"\0"), "big") >> (length * 8 - offset - bits)
        number &= (1 << bits) - 1
        return number - (1 << bits) if sign == "i" and number >> (bits - 1) else number

    def put(self, bits, offset, number):
        length = max(len(self.value), (offset + bits + 7) // 8)
        shift = length * 8 - offset - bits
        whole = int.from_bytes(self.value.ljust(length, b"\0"), "big")
        whole &= ~(((1 << bits) - 1) << shift)
        whole |= (number & ((1 << bits) - 1)) << shift
        self.value = whole.to_bytes(length, "big")


def fit(sign, bits, number, overflow):
    """A number as a field can hold it; None = it fails."""
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if sign == "i" else (0, (1 << bits) - 1)
    if low <= number <= high:
        return number
    if overflow == "FAIL":
        return None
    if overflow == "SAT":
        return high if number > high else low
    number &= (1 << bits) - 1
    return number - (1 << bits) if sign == "i" and number >> (bits - 1) else number


@pytest.mark.parametrize("overflow", ["WRAP", "SAT", "FAIL"])
@pytest.mark.parametrize("length", [0, 30, 20_000])
def test_random_operations(run, overflow, length):
    rng = random.Random(length)
    model = Model()
    model.value = rng.randbytes(length)
    if length:
        run("SET", "k", model.value)
    for sign, bits in TYPES:
        for _ in range(3):
            offset = rng.choice([rng.randrange(70), max(0, length * 8 - rng.randrange(80))])
            operand = rng.choice(
                [0, 1, -1, 2**63 - 1, -(2**63), rng.randrange(-(2**63), 2**63) >> rng.randrange(64)]
            )
            action = rng.choice(["SET", "INCRBY"])
            old = model.get(sign, bits, offset)
            if action == "INCRBY":
                new = reply = fit(sign, bits, old + operand, overflow)
            else:
                # an unsigned field takes a negative number for a huge one
                given = operand if sign == "i" else operand % 2**64
                new, reply = fit(sign, bits, given, overflow), old
            length_before = len(model.value)
            if new is not None:
                model.put(bits, offset, new)
            else:
                reply = None
                model.put(bits, offset, model.get(sign, bits, offset))  # it grows all the same
            field = f"{sign}{bits}"
            words = [action, field, offset, operand, "GET", field, offset]
            assert run("BITFIELD", "k", "OVERFLOW", overflow, *words) == [
                reply,
                model.get(sign, bits, offset),
            ], (words, old, length_before)
    assert run("GET", "k") == model.value
    for sign, bits in TYPES:
        offset = rng.randrange(len(model.value) * 8 + 50)
        expected = [model.get(sign, bits, offset)]
        assert run("BITFIELD_RO", "k", "GET", f"{sign}{bits}", offset) == expected
        assert run("BITFIELD", "k", "get", f"{sign}{bits}", offset) == expected


def test_several_at_once(run):
    words = "SET u8 0 255 OVERFLOW SAT INCRBY u8 0 10 OVERFLOW FAIL INCRBY u8 0 10 "
    words += "OVERFLOW wrap INCRBY u8 0 10 GET u8 0"
    assert run("BITFIELD", "k", *words.split()) == [0, 255, None, 9, 9]
    assert run("BITFIELD", "k", "SET", "i5", "#3", "-7", "GET", "i5", "15", "GET", "u5", "#3") == [0, -7, 25]
    assert run("GET", "k") == b"\x09\x01\x90"


def test_nothing_to_do(run):
    assert run("BITFIELD", "k") == []
    assert run("BITFIELD", "k", "OVERFLOW", "SAT") == []
    assert run("BITFIELD_RO", "k") == []
    assert run("EXISTS", "k") == 0
    assert run("BITFIELD", "k", "GET", "u63", 1000) == [0]
    assert run("EXISTS", "k") == 0


def test_forms(run):
    run("SET", "n", "42", "EX", 100)
    assert run("BITFIELD", "n", "GET", "u8", 0) == [ord("4")]
    assert run("OBJECT", "ENCODING", "n") == b"int"
    assert run("BITFIELD", "n", "INCRBY", "u8", 0, 1) == [ord("5")]
    assert run("GET", "n") == b"52"
    assert run("OBJECT", "ENCODING", "n") == b"raw"
    assert 0 < run("TTL", "n") <= 100


@pytest.mark.parametrize("field", ["i0", "i65", "u0", "u64", "x8", "8", "", "i", "u-1", "i08", "I8"])
def test_types(run, field):
    assert run("BITFIELD", "k", "GET", field, 0) == INVALID_TYPE


@pytest.mark.parametrize(
    "offset", ["-1", "#-1", "#", "", "x", "4294967296", "#536870912", "#9223372036854775807"]
)
def test_offsets(run, offset):
    assert run("BITFIELD", "k", "GET", "u8", offset) == INVALID_OFFSET


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("GET u8", "ERR syntax error"),
        ("SET u8 0", "ERR syntax error"),
        ("INCRBY u8 0", "ERR syntax error"),
        ("OVERFLOW", "ERR syntax error"),
        ("OVERFLOW no", "ERR Invalid OVERFLOW type specified"),
        ("no", "ERR syntax error"),
        ("SET u8 0 x", "ERR value is not an integer or out of range"),
        ("INCRBY u8 0 9223372036854775808", "ERR value is not an integer or out of range"),
        ("SET u8 0 1 GET u8 x", INVALID_OFFSET),
    ],
)
def test_errors_change_nothing(run, words, error):
    assert run("BITFIELD", "k", *words.split()) == error
    assert run("EXISTS", "k") == 0


def test_read_only(run):
    error = "ERR BITFIELD_RO only supports the GET subcommand"
    assert run("BITFIELD_RO", "k", "SET", "u8", 0, 1, "GET", "u8", 0) == error
    assert run("BITFIELD_RO", "k", "GET", "u8", 0, "INCRBY", "u8", 0, 1) == error


def test_wrong_type(run):
    run("RPUSH", "l", "x")
    error = "WRONGTYPE Operation against a key holding the wrong kind of value"
    assert run("BITFIELD", "l", "GET", "u8", 0) == error
    assert run("BITFIELD", "l", "SET", "u8", 0, 1) == error
    assert run("BITFIELD_RO", "l", "GET", "u8", 0) == error


def test_events(client, subscriber):
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "E$n")
    subscriber.subscribe("__keyevent@0__:*")
    client.cmd("BITFIELD", "k", "SET", "u8", 0, 1, "INCRBY", "u8", 0, 1)
    client.cmd("BITFIELD", "k", "SET", "u8", 0, 2)
    client.cmd("BITFIELD", "k", "GET", "u8", 0)
    client.cmd("BITFIELD", "k", "OVERFLOW", "FAIL", "INCRBY", "u8", 0, 300)
    client.cmd("BITFIELD", "k", "SET", "u8", 8, 0)
    client.cmd("SET", "end", "")
    seen = [subscriber.next() for _ in range(4)]
    assert [event.rpartition(b":")[2] for event, _ in seen] == [b"new", b"setbit", b"setbit", b"new"]
