"""SETBIT, GETBIT, BITCOUNT, BITPOS and BITOP against a model, on every form of a string."""

import random

import pytest

INVALID_OFFSET = "ERR bit offset is not an integer or out of range"
INVALID_BIT = "ERR bit is not an integer or out of range"
NOT_INT = "ERR value is not an integer or out of range"
SYNTAX = "ERR syntax error"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"

VALUES = {  # by form
    "missing": b"",
    "int": b"12345",
    "negative int": b"-9",
    "embstr": b"\x00\xffabc",
    "raw": bytes(range(256)),
    "long run": b"\x00" * 3000 + b"\x01" + b"\xff" * 2000 + b"\xfe",
    "block": bytes(range(256)) * 70 + b"x" * 13,
}


class Model:
    """A string as a number of bits."""

    def __init__(self, value):
        self.bits = "".join(f"{byte:08b}" for byte in value)

    def slice(self, start, end, unit):
        """The bits of a range, and where they begin."""
        total = len(self.bits) // unit
        start = max(start + total, 0) if start < 0 else start
        end = max(end + total, 0) if end < 0 else end
        return self.bits[start * unit : (end + 1) * unit], start * unit


@pytest.fixture
def run(client):
    """Runs a command; an error is its text."""

    def run(*words):
        reply = client.cmd(*words)
        return str(reply) if isinstance(reply, Exception) else reply

    return run


@pytest.fixture
def events(client, subscriber):
    """Runs a command and returns the events that follow."""
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "EAn")
    subscriber.subscribe("__keyevent@0__:*")

    def events(*words):
        client.cmd(*words)
        client.cmd("PUBLISH", "__keyevent@0__:end", "")
        found = []
        while not found or found[-1] != "end":
            found.append(subscriber.next()[0].rpartition(b":")[2].decode())
        return found[:-1]

    return events


# ---------------------------------------------------------------- single bits


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_set_and_get_bit(run, value):
    rng = random.Random(1)
    if value:
        run("SET", "k", value)
    bits = bytearray(value)
    for _ in range(60):
        at, bit = rng.randrange(len(value) * 8 + 40), rng.randrange(2)
        bits.extend(bytes(max(0, at // 8 + 1 - len(bits))))
        mask = 128 >> at % 8
        assert run("GETBIT", "k", at) == (1 if bits[at // 8] & mask else 0)
        assert run("SETBIT", "k", at, bit) == (1 if bits[at // 8] & mask else 0)
        bits[at // 8] = bits[at // 8] | mask if bit else bits[at // 8] & ~mask
        assert run("GET", "k") == bytes(bits)
        assert run("OBJECT", "ENCODING", "k") == b"raw"


def test_bits_behind_the_end(run):
    assert run("GETBIT", "none", 4_000_000_000) == 0
    assert run("SETBIT", "k", 200_000, 1) == 0
    assert run("STRLEN", "k") == 25_001
    assert run("GETBIT", "k", 200_000) == 1
    assert run("GETBIT", "k", 200_001) == 0
    assert run("BITCOUNT", "k") == 1


def test_expiry_stays(run):
    run("SET", "k", "1", "EX", 100)
    run("SETBIT", "k", 100_000 * 8, 1)
    assert 0 < run("TTL", "k") <= 100


@pytest.mark.parametrize("offset", ["-1", "4294967296", "9223372036854775807", "x", "", "1.0", "#1"])
def test_offsets_out_of_range(run, offset):
    assert run("SETBIT", "k", offset, 1) == INVALID_OFFSET
    assert run("GETBIT", "k", offset) == INVALID_OFFSET
    assert run("EXISTS", "k") == 0


def test_offset_limit_is_the_longest_string(run):
    limit = run("CONFIG", "GET", "proto-max-bulk-len")
    limit = limit[1] if isinstance(limit, list) else limit[b"proto-max-bulk-len"]
    try:
        run("CONFIG", "SET", "proto-max-bulk-len", 2_000_000)
        assert run("SETBIT", "k", 15_999_999, 1) == 0
        assert run("SETBIT", "k", 16_000_000, 1) == INVALID_OFFSET
    finally:
        run("CONFIG", "SET", "proto-max-bulk-len", limit)


@pytest.mark.parametrize("bit", ["2", "-1", "x", "", "01"])
def test_bits_out_of_range(run, bit):
    assert run("SETBIT", "k", 0, bit) == INVALID_BIT


def test_setbit_events(run, events):
    assert events("SETBIT", "k", 0, 1) == ["new", "setbit"]
    assert events("SETBIT", "k", 0, 1) == []
    assert events("SETBIT", "k", 0, 0) == ["setbit"]
    assert events("SETBIT", "k", 8, 0) == ["setbit"]
    assert events("SETBIT", "k", 8, 0) == []


# ---------------------------------------------------------------- ranges


def ranges(value, unit):
    n = len(value) * 8 // unit
    rng = random.Random(n)
    edges = [0, 1, 7, 8, 9, n - 9, n - 1, n, n + 5, -1, -2, -9, -n, -n - 3]
    return [(rng.choice(edges), rng.choice(edges)) for _ in range(40)] + [
        (rng.randrange(-n - 3, n + 3), rng.randrange(-n - 3, n + 3)) for _ in range(60)
    ]


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_bitcount(run, value):
    if value:
        run("SET", "k", value)
    model = Model(value)
    assert run("BITCOUNT", "k") == model.bits.count("1")
    for word, unit in ((), 8), (("BYTE",), 8), (("bit",), 1):
        for start, end in ranges(value, unit):
            expected = model.slice(start, end, unit)[0].count("1")
            if start < 0 and end < 0 and start > end:
                expected = 0
            assert run("BITCOUNT", "k", start, end, *word) == expected, (start, end, word)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("bit", [0, 1])
def test_bitpos(run, value, bit):
    if not value:
        assert run("BITPOS", "k", bit, 5, 7) == (-1 if bit else 0)
        return
    run("SET", "k", value)
    model = Model(value)
    for start, _ in [(0, -1), *ranges(value, 8)]:
        bits, at = model.slice(start, -1, 8)
        found = (bits if bit else bits + "0" if bits else "").find(str(bit))
        assert run("BITPOS", "k", bit, start) == (at + found if found >= 0 else -1), start
    for word, unit in ((), 8), (("byte",), 8), (("BIT",), 1):
        for start, end in ranges(value, unit):
            bits, at = model.slice(start, end, unit)
            found = bits.find(str(bit))
            expected = at + found if found >= 0 else -1
            assert run("BITPOS", "k", bit, start, end, *word) == expected, (start, end, word)


def test_bitpos_of_what_is_not_there(run):
    run("SET", "ones", b"\xff" * 20000)
    run("SET", "empty", "")
    assert run("BITPOS", "ones", 0) == 160_000
    assert run("BITPOS", "ones", 0, 3) == 160_000
    assert run("BITPOS", "ones", 0, 0, -1) == -1
    assert run("BITPOS", "empty", 0) == -1
    assert run("BITPOS", "empty", 1) == -1
    assert run("BITPOS", "none", 0) == 0
    assert run("BITPOS", "none", 1) == -1
    assert run("BITCOUNT", "empty") == 0


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("BITCOUNT k 0", SYNTAX),
        ("BITCOUNT k 0 1 hello", SYNTAX),
        ("BITCOUNT k 0 1 BIT more", SYNTAX),
        ("BITCOUNT k a 1", NOT_INT),
        ("BITCOUNT k 0 b", NOT_INT),
        ("BITCOUNT k 0 b hello", NOT_INT),
        ("BITPOS k 2", "ERR The bit argument must be 1 or 0."),
        ("BITPOS k x", NOT_INT),
        ("BITPOS k 1 x", NOT_INT),
        ("BITPOS k 1 0 x", NOT_INT),
        ("BITPOS k 1 0 1 hello", SYNTAX),
        ("BITPOS k 1 0 b hello", SYNTAX),
        ("BITPOS k 1 0 1 BIT more", SYNTAX),
    ],
)
def test_range_errors(run, command, error):
    assert run(*command.split()) == error
    run("SET", "k", "value")
    assert run(*command.split()) == error


# ---------------------------------------------------------------- BITOP


def combine(op, sources):
    length = max(map(len, sources))
    first, *rest = (int.from_bytes(source.ljust(length, b"\0"), "big") for source in sources)
    everything = (1 << length * 8) - 1
    others = once = 0
    for other in rest:
        others |= other
    if op == "ONE":
        twice = 0
        for source in (first, *rest):
            twice |= once & source
            once |= source
        result = once & ~twice
    elif op in ("AND", "OR", "XOR"):
        result = first
        for other in rest:
            result = result & other if op == "AND" else result | other if op == "OR" else result ^ other
    else:
        result = {
            "NOT": ~first,
            "DIFF": first & ~others,
            "DIFF1": others & ~first,
            "ANDOR": first & others,
        }[op]
    return (result & everything).to_bytes(length, "big")


@pytest.mark.parametrize("op", ["AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE"])
@pytest.mark.parametrize("most", [3, 40, 5000, 40_000])
def test_bitop(run, op, most):
    rng = random.Random(most)
    for count in (1,) if op == "NOT" else (2, 3, 6) if op in ("DIFF", "DIFF1", "ANDOR") else (1, 2, 3, 6):
        sources = [rng.randbytes(rng.randrange(1, most)) for _ in range(count)]
        for i, source in enumerate(sources):
            run("SET", f"s{i}", source)
        if count > 2:
            run("DEL", "s1")
            sources[1] = b""
        expected = combine(op, sources)
        names = [f"s{i}" for i in range(count)]
        assert run("BITOP", op, "to", *names) == len(expected)
        assert run("GET", "to") == expected
        assert run("BITOP", op.lower(), "s0", *names) == len(expected)  # onto one of the sources
        assert run("GET", "s0") == expected


def test_bitop_replaces_what_was_there(run):
    run("SET", "n", "123")
    run("SET", "to", "x" * 20_000, "EX", 100)
    assert run("BITOP", "OR", "to", "n") == 3
    assert run("GET", "to") == b"123"
    assert run("TTL", "to") == -1
    assert run("OBJECT", "ENCODING", "to") == b"raw"
    assert run("BITOP", "XOR", "to", "none", "nor") == 0
    assert run("EXISTS", "to") == 0
    assert run("BITOP", "NOT", "to", "none") == 0


def test_bitop_events(run, events):
    run("SET", "s", "x")
    assert events("BITOP", "OR", "to", "s")[-2:] == ["new", "set"]
    assert events("BITOP", "OR", "to", "s") == ["set"]
    assert events("BITOP", "OR", "to", "none") == ["del"]
    assert events("BITOP", "OR", "to", "none") == []


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("BITOP no to s", SYNTAX),
        ("BITOP NOT to s t", "ERR BITOP NOT must be called with a single source key."),
        ("BITOP DIFF to s", "ERR BITOP DIFF must be called with at least two source keys."),
        ("BITOP DIFF1 to s", "ERR BITOP DIFF1 must be called with at least two source keys."),
        ("BITOP ANDOR to s", "ERR BITOP ANDOR must be called with at least two source keys."),
    ],
)
def test_bitop_errors(run, command, error):
    assert run(*command.split()) == error


def test_wrong_type(run):
    run("RPUSH", "l", "x")
    for command in (
        "SETBIT l 0 1",
        "GETBIT l 0",
        "BITCOUNT l",
        "BITCOUNT l -6 -7",
        "BITPOS l 0",
        "BITPOS l 0 1 2 BIT",
        "BITOP OR to s l",
    ):
        assert run(*command.split()) == WRONG_TYPE, command
